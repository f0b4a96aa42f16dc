"""Later rows beside the training rows of a model: which are unlike them, and how to bring them together.

Everything here works on embeddings as arrays. `DiffAug.novelty` and `tl.project` do it for a fitted model.
"""

from __future__ import annotations

from diffaug_bio.mapping._correct import Correction, check_correction, mutual_neighbor_shift
from diffaug_bio.mapping._novelty import Novelty, compare, density_ratio, relative_distance
from diffaug_bio.mapping._reference import MOST_REFERENCE_ROWS, Reference

__all__ = [
    "MOST_REFERENCE_ROWS",
    "Correction",
    "Novelty",
    "Reference",
    "check_correction",
    "compare",
    "density_ratio",
    "mutual_neighbor_shift",
    "relative_distance",
]
