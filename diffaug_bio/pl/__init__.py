"""Plots in scanpy's grammar: `adata` first, `show` and `save` last; `adata` is not changed."""

from __future__ import annotations

from diffaug_bio.pl._augmentation import augmentation
from diffaug_bio.pl._embedding import embedding
from diffaug_bio.pl._history import history

__all__ = ["augmentation", "embedding", "history"]
