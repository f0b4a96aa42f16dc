"""Preprocessing: what a matrix holds, which of its features vary, and sequences as numbers."""

from __future__ import annotations

from diffaug_bio.pp._kmers import encode_kmers, encode_onehot
from diffaug_bio.pp._select import highly_variable
from diffaug_bio.pp._state import detect_state

__all__ = ["detect_state", "encode_kmers", "encode_onehot", "highly_variable"]
