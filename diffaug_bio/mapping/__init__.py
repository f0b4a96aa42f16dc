"""Later rows beside the training rows of a model: unlike which, how to bring them together, their labels.

Everything here works on embeddings as arrays. `DiffAug.novelty` and `tl.project` do it for a fitted model.
"""

from __future__ import annotations

from diffaug_bio.mapping._correct import Correction, check_correction, mutual_neighbor_shift
from diffaug_bio.mapping._novelty import Novelty, compare, density_ratio, relative_distance
from diffaug_bio.mapping._partners import Partners, find_partners
from diffaug_bio.mapping._reference import MOST_REFERENCE_ROWS, Reference
from diffaug_bio.mapping._vote import VoteMetric, neighbor_vote

__all__ = [
    "MOST_REFERENCE_ROWS",
    "Correction",
    "Novelty",
    "Partners",
    "Reference",
    "VoteMetric",
    "check_correction",
    "compare",
    "density_ratio",
    "find_partners",
    "mutual_neighbor_shift",
    "neighbor_vote",
    "relative_distance",
]
