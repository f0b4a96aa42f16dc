"""Scores of a frozen embedding, and of generated rows, against labels never used to make them.

:func:`evaluate` gives all scores of an embedding, :func:`integration` those that need batches,
:func:`generated_quality` those of generated rows.
"""

from __future__ import annotations

from diffaug_bio.metrics._clusters import kmeans_agreement, label_silhouette, leiden_agreement
from diffaug_bio.metrics._integration import integration
from diffaug_bio.metrics._silhouettes import silhouette_batch, silhouette_label
from diffaug_bio.metrics._structure import trustworthiness
from diffaug_bio.metrics._variance import pcr_comparison
from diffaug_bio.metrics.generated import generated_quality
from diffaug_bio.metrics.probes import FoldScores, knn_probe, linear_probe
from diffaug_bio.metrics.scores import evaluate
from diffaug_bio.metrics.splits import make_splits

__all__ = [
    "FoldScores",
    "evaluate",
    "generated_quality",
    "integration",
    "kmeans_agreement",
    "knn_probe",
    "label_silhouette",
    "leiden_agreement",
    "linear_probe",
    "make_splits",
    "pcr_comparison",
    "silhouette_batch",
    "silhouette_label",
    "trustworthiness",
]
