"""Scores of an embedding (:func:`evaluate`, with batches :func:`integration`) and of generated rows.

Labels that they compare with must never have been used to make what they score.
"""

from __future__ import annotations

from diffaug_bio.metrics._clusters import kmeans_agreement, label_silhouette, leiden_agreement
from diffaug_bio.metrics._integration import integration
from diffaug_bio.metrics._silhouettes import silhouette_batch, silhouette_label
from diffaug_bio.metrics._structure import trustworthiness
from diffaug_bio.metrics._variance import pcr_comparison
from diffaug_bio.metrics.chance import chance
from diffaug_bio.metrics.generated import generated_quality
from diffaug_bio.metrics.numbers import knn_r2, linear_r2
from diffaug_bio.metrics.probes import FoldScores, knn_probe, linear_probe
from diffaug_bio.metrics.scores import evaluate
from diffaug_bio.metrics.splits import make_splits

__all__ = [
    "FoldScores",
    "chance",
    "evaluate",
    "generated_quality",
    "integration",
    "kmeans_agreement",
    "knn_probe",
    "knn_r2",
    "label_silhouette",
    "leiden_agreement",
    "linear_probe",
    "linear_r2",
    "make_splits",
    "pcr_comparison",
    "silhouette_batch",
    "silhouette_label",
    "trustworthiness",
]
