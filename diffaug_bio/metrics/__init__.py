"""Scores of a frozen embedding, and of generated rows, against labels never used to make them.

scikit-learn does the work; what it lacks (probes on folds that keep the rows of a group together, Leiden
clusters, and what tells good generated rows from copies and from noise) is here.
"""

from __future__ import annotations

from diffaug_bio.metrics._clusters import (
    RESOLUTIONS,
    kmeans_agreement,
    label_silhouette,
    leiden_agreement,
)
from diffaug_bio.metrics._evaluate import evaluate
from diffaug_bio.metrics._generated import generated_quality
from diffaug_bio.metrics._labels import N_FOLDS, check_groups, check_labels
from diffaug_bio.metrics._probes import N_NEIGHBORS, FoldScores, knn_probe, linear_probe
from diffaug_bio.metrics._splits import given_split, make_splits
from diffaug_bio.metrics._structure import trustworthiness

__all__ = [
    "N_FOLDS",
    "N_NEIGHBORS",
    "RESOLUTIONS",
    "FoldScores",
    "check_groups",
    "check_labels",
    "evaluate",
    "generated_quality",
    "given_split",
    "kmeans_agreement",
    "knn_probe",
    "label_silhouette",
    "leiden_agreement",
    "linear_probe",
    "make_splits",
    "trustworthiness",
]
