"""Preprocessing: kind of the values in a matrix, and DNA sequences as numbers."""

from __future__ import annotations

from diffaug_bio.matrix.state import detect_state
from diffaug_bio.pp._kmers import KmerEncoding, encode_kmers
from diffaug_bio.pp._onehot import encode_onehot
from diffaug_bio.pp._tokens import decode_tokens, encode_tokens

__all__ = [
    "KmerEncoding",
    "decode_tokens",
    "detect_state",
    "encode_kmers",
    "encode_onehot",
    "encode_tokens",
]
