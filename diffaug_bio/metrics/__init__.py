"""Scores of a frozen embedding, and of generated rows, against labels never used to make them.

:func:`evaluate` gives all scores of an embedding, :func:`integration` those that need batches.

scikit-learn does the work; what it lacks (probes on folds that keep the rows of a group together, Leiden
clusters, and what tells good generated rows from copies and from noise) is here.
"""

from __future__ import annotations

from diffaug_bio.metrics._batch_accuracy import batch_accuracy
from diffaug_bio.metrics._clusters import (
    RESOLUTIONS,
    best_of_grid,
    kmeans_agreement,
    label_silhouette,
    leiden_agreement,
    leiden_grid,
)
from diffaug_bio.metrics._connectivity import graph_connectivity
from diffaug_bio.metrics._evaluate import STEPS, evaluate
from diffaug_bio.metrics._generated import generated_quality
from diffaug_bio.metrics._integration import integration
from diffaug_bio.metrics._isolated import isolated_f1, isolated_labels
from diffaug_bio.metrics._kbet import kbet
from diffaug_bio.metrics._labels import N_FOLDS, check_groups, check_labels
from diffaug_bio.metrics._lisi import clisi, ilisi, lisi
from diffaug_bio.metrics._nearest import Neighbors, find_neighbors
from diffaug_bio.metrics._probes import N_NEIGHBORS, FoldScores, knn_probe, linear_probe
from diffaug_bio.metrics._silhouettes import isolated_silhouette, silhouette_batch, silhouette_label
from diffaug_bio.metrics._splits import Split, given_split, make_splits
from diffaug_bio.metrics._structure import trustworthiness
from diffaug_bio.metrics._variance import pcr_comparison

__all__ = [
    "N_FOLDS",
    "N_NEIGHBORS",
    "RESOLUTIONS",
    "STEPS",
    "FoldScores",
    "Neighbors",
    "Split",
    "batch_accuracy",
    "best_of_grid",
    "check_groups",
    "check_labels",
    "clisi",
    "evaluate",
    "find_neighbors",
    "generated_quality",
    "given_split",
    "graph_connectivity",
    "ilisi",
    "integration",
    "isolated_f1",
    "isolated_labels",
    "isolated_silhouette",
    "kbet",
    "kmeans_agreement",
    "knn_probe",
    "label_silhouette",
    "leiden_agreement",
    "leiden_grid",
    "linear_probe",
    "lisi",
    "make_splits",
    "pcr_comparison",
    "silhouette_batch",
    "silhouette_label",
    "trustworthiness",
]
