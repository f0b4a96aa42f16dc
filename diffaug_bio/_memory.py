"""Memory that is free for what is about to be read."""

from __future__ import annotations

import re
from pathlib import Path

_FREE = re.compile(r"^(?:MemAvailable|SwapFree):\s+(\d+) kB", re.MULTILINE)
_LIMIT = Path("/sys/fs/cgroup/memory.max")  # of a container


def free_bytes() -> int | None:
    """Free memory and swap, within the limit of a container; None where the system does not say."""
    try:
        free = 1024 * sum(map(int, _FREE.findall(Path("/proc/meminfo").read_text("ascii"))))
    except OSError:
        return None
    try:
        return min(free, int(_LIMIT.read_text("ascii")))
    except (OSError, ValueError):  # no container, or one without a limit
        return free
