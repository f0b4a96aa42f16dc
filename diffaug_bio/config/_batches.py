"""The section of a configuration that says how batches are brought together."""

from __future__ import annotations

from dataclasses import dataclass

from diffaug_bio._wording import told
from diffaug_bio.config._checks import require_at_least, require_share, settle
from diffaug_bio.errors import InputError


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchConfig:
    """How batches are brought together, where rows are said to belong to some."""

    names: tuple[str, ...] = ()
    """Of the batches, filled in by a fit; empty where it knew of none."""
    partner_fraction: float = 0.9
    """Chance that the other view of a row starts from a row of its kind of another batch, where it has
    one."""
    counterfactual_fraction: float = 0.6
    """Chance that it starts from the row as the generator makes it for another batch, in the rounds."""
    shift_weight: float = 30.0
    """Weight of the penalty on what a shift of the batch changes in the embedding."""
    n_neighbors: int = 10
    """Rows of each other batch among which those of a row's kind are looked for."""
    n_partners: int = 20
    """Such rows that are drawn for each row."""

    def __post_init__(self) -> None:
        settle(self)
        require_share(self, "partner_fraction", "counterfactual_fraction")
        require_at_least(self, 0, shift_weight=1e6)
        require_at_least(self, 1, n_neighbors=10_000, n_partners=10_000)
        if len(set(self.names)) < len(self.names):
            msg = f"`names` holds each batch once, got {told(self.names)}."
            raise InputError(msg)
