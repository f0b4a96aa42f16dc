"""Cases that other packages get wrong, where this one cannot help it."""

from __future__ import annotations

UPSTREAM: dict[tuple[str, int], str] = {}
"""Kind and seed, and the issue of the other package."""
