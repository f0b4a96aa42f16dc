"""Tools on AnnData, in scanpy's grammar: `adata` first, results in `.obsm` and `.uns`."""

from __future__ import annotations

from diffaug_bio.tl._augment import augment
from diffaug_bio.tl._correct_expression import correct_expression
from diffaug_bio.tl._embed import embed, fit
from diffaug_bio.tl._evaluate import evaluate, evaluate_generated
from diffaug_bio.tl._project import project
from diffaug_bio.tl._transfer import transfer_labels
from diffaug_bio.tl._umap import umap

__all__ = [
    "augment",
    "correct_expression",
    "embed",
    "evaluate",
    "evaluate_generated",
    "fit",
    "project",
    "transfer_labels",
    "umap",
]
