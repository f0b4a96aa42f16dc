"""Conversion of pixels of other types to bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

_ROWS = 256  # at a time: intermediate values take four times the memory and more


def are_16_bits(values: NDArray[Any]) -> bool:
    """Return True if whole numbers lie in the range of 16 bits."""
    return values.size == 0 or bool(values.min() >= 0 and values.max() < 2**16)


def are_fractions(values: NDArray[Any]) -> bool:
    """Return True if all values lie from 0 to 1 and none is nan."""
    return values.size == 0 or bool(values.min() >= 0 and values.max() <= 1)


def from_16_bits(values: NDArray[Any]) -> NDArray[np.uint8]:
    """Scale whole numbers of 16 bits, rounded, so that 65535 becomes 255."""
    return _in_blocks(values, lambda block: (block.astype(np.uint32) + 128) // 257)


def from_fractions(values: NDArray[Any]) -> NDArray[np.uint8]:
    """Scale values from 0 to 1, rounded, so that 1 becomes 255."""
    return _in_blocks(values, lambda block: np.rint(block.astype(np.float64) * 255))


def _in_blocks(values: NDArray[Any], convert: Callable[[NDArray[Any]], NDArray[Any]]) -> NDArray[np.uint8]:
    scaled = np.empty(values.shape, np.uint8)
    for start in range(0, len(values), _ROWS):
        scaled[start : start + _ROWS] = convert(values[start : start + _ROWS])
    return scaled
