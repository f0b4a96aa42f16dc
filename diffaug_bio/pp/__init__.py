"""Preprocessing: what a matrix holds, and which of its features vary."""

from __future__ import annotations

from diffaug_bio.pp._select import highly_variable
from diffaug_bio.pp._state import detect_state

__all__ = ["detect_state", "highly_variable"]
