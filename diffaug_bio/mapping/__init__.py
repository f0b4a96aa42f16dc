"""Comparison of new rows with the training rows of a model: novelty, batch correction and labels."""

from __future__ import annotations

from diffaug_bio.mapping._novelty import Novelty, compare
from diffaug_bio.mapping.correct import Correction, mutual_neighbor_shift
from diffaug_bio.mapping.reference import Reference
from diffaug_bio.mapping.vote import neighbor_vote

__all__ = ["Correction", "Novelty", "Reference", "compare", "mutual_neighbor_shift", "neighbor_vote"]
