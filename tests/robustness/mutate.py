"""Changes of bytes and of values that formats have in common."""

from __future__ import annotations

import gzip
import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np

NASTY: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1, 2, 3, 7, 255, 10**4, 10**7, 2**31, 2**63 - 1, 2**63, -(2**63), 10**30),
    *(0.0, -0.0, 0.5, 1e-320, 1e30, 1e300, math.inf, -math.inf, math.nan),
    *("", "x", "0", "1e4", "nan", "\x1b[31m", "ä\u2028", "a\nb", "\ud800", "x" * 5000),
    *([], [0], [[]], [None], [1, 2, 3], {}, {"x": 1}, [[[[[[[[1]]]]]]]]),
)
"""Values of a wrong type, size or sign."""


def one_of(rng: np.random.Generator, values: Sequence[Any]) -> Any:
    """Draw one value, as it is."""
    return values[int(rng.integers(len(values)))]


def mutated(content: bytes, rng: np.random.Generator) -> bytes:
    """Change bytes in one to three ways."""
    for _ in range(int(rng.integers(1, 4))):
        content = _mutated_once(content, rng)
    return content


def mutated_text(content: bytes, rng: np.random.Generator) -> bytes:
    """Change bytes, and mostly leave text behind: else nearly all cases end at the decoder."""
    content = mutated(content, rng)
    return bytes(byte & 127 for byte in content) if rng.random() < 0.7 else content


def _mutated_once(content: bytes, rng: np.random.Generator) -> bytes:  # noqa: PLR0911
    """Flip, cut off, blank, copy, insert or delete."""
    if not content:
        return rng.bytes(8)
    start = int(rng.integers(len(content)))
    length = min(len(content) - start, 1 << int(rng.integers(0, 9)))
    block = content[start : start + length]
    after = content[start + length :]
    match int(rng.integers(9)):
        case 0 | 1 | 2:
            changed = bytearray(content)
            for _ in range(int(rng.integers(1, 5))):
                changed[int(rng.integers(len(content)))] ^= 1 << int(rng.integers(8))
            return bytes(changed)
        case 3:
            return content[:start]
        case 4:
            return content[:start] + b"\0" * length + after
        case 5:
            return content[:start] + b"\xff" * length + after
        case 6:
            there = int(rng.integers(len(content)))
            return content[:there] + block + content[there + length :]
        case 7:
            return content[:start] + rng.bytes(length) + block + after
    return content[:start] + after


def gzipped(content: bytes, rng: np.random.Generator) -> bytes:
    """Compress, now and then as several members, with something behind it, or damaged."""
    packed = gzip.compress(content, mtime=0)
    match int(rng.integers(6)):
        case 0:
            half = len(content) // 2
            return gzip.compress(content[:half], mtime=0) + gzip.compress(content[half:], mtime=0)
        case 1:
            return packed + b"\0" * 5
        case 2:
            return packed + b"rest"
        case 3:
            return mutated(packed, rng)
    return packed
