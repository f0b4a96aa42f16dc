"""Fitted preprocessing: from a user's matrix to the rows that the networks see.

Counts are brought to one library size, unless totals are kept, and logged, features are chosen,
standardised and cut off, and projected to principal components. Rows are read in blocks: no second copy of
the matrix is made. Letters of sequences and pixels of images have front ends that networks run themselves.
"""

from __future__ import annotations

from diffaug_bio.features._align import (
    GOOD_SHARE,
    MIN_SHARE,
    NameMatch,
    align_features,
    check_names_in,
    describe_too_few,
    match_columns,
    match_names,
)
from diffaug_bio.features._axes import widened
from diffaug_bio.features._fitted import FittedFeatures, fit_features
from diffaug_bio.features._images import FittedImages, fit_images
from diffaug_bio.features._inverse import FeatureInverse
from diffaug_bio.features._neighbors import nearest_rows
from diffaug_bio.features._protocol import Fitted, fit_preprocessing, fitted_class, from_record
from diffaug_bio.features._sequences import FittedSequences, fit_sequences
from diffaug_bio.features._standardised import normalize
from diffaug_bio.features._valid import Missing, ValidValues, check_missing

__all__ = [
    "GOOD_SHARE",
    "MIN_SHARE",
    "FeatureInverse",
    "Fitted",
    "FittedFeatures",
    "FittedImages",
    "FittedSequences",
    "Missing",
    "NameMatch",
    "ValidValues",
    "align_features",
    "check_missing",
    "check_names_in",
    "describe_too_few",
    "fit_features",
    "fit_images",
    "fit_preprocessing",
    "fit_sequences",
    "fitted_class",
    "from_record",
    "match_columns",
    "match_names",
    "nearest_rows",
    "normalize",
    "widened",
]
