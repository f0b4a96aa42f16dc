"""Settings of the correction of batches in a fit."""

from __future__ import annotations

from dataclasses import dataclass

from diffaug_bio._wording import told
from diffaug_bio.config._checks import require_at_least, require_share, settle
from diffaug_bio.errors import InputError


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchConfig:
    """Correction of batches, if rows are said to belong to some."""

    names: tuple[str, ...] = ()
    """Names of the batches, filled in by a fit; empty in a fit without batches."""
    partner_fraction: float = 0.9
    """Probability that the second view of a row starts from its match in another batch, if it has one."""
    counterfactual_fraction: float = 0.6
    """Probability that the second view starts from the row generated for another batch, after warm-up."""
    shift_weight: float = 30.0
    """Weight of the penalty on changes of the embedding along the batch shift."""
    n_neighbors: int = 10
    """Nearest neighbours in each other batch among which matches of a row are looked for."""
    n_partners: int = 20
    """Matches that are drawn for each row."""

    def __post_init__(self) -> None:
        settle(self)
        require_share(self, "partner_fraction", "counterfactual_fraction")
        require_at_least(self, 0, shift_weight=1e6)
        require_at_least(self, 1, n_neighbors=10_000, n_partners=10_000)
        if len(set(self.names)) < len(self.names):
            msg = f"`names` holds each batch once, got {told(self.names)}."
            raise InputError(msg)
