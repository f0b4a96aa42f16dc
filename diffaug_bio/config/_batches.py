"""The section of a configuration that says how batches are brought together."""

from __future__ import annotations

import math
from dataclasses import dataclass

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
        for name in ("partner_fraction", "counterfactual_fraction"):
            if not 0 <= getattr(self, name) <= 1:
                msg = f"`{name}` is a share from 0 to 1, got {getattr(self, name)!r}."
                raise InputError(msg)
        if not 0 <= self.shift_weight < math.inf:
            msg = f"`shift_weight` has to be at least 0 and finite, got {self.shift_weight!r}."
            raise InputError(msg)
        for name in ("n_neighbors", "n_partners"):
            if getattr(self, name) < 1:
                msg = f"`{name}` has to be at least 1, got {getattr(self, name)!r}."
                raise InputError(msg)
