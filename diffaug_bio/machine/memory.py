"""Memory that is free, and that this process has used."""

from __future__ import annotations

import re
import sys
from pathlib import Path

_FREE = re.compile(r"^(?:MemAvailable|SwapFree):\s+(\d+) kB", re.MULTILINE)
_LIMIT = Path("/sys/fs/cgroup/memory.max")  # of a container


def free_bytes() -> int | None:
    """Return free memory and swap within the limit of a container, or None if the system does not say."""
    try:
        free = 1024 * sum(map(int, _FREE.findall(Path("/proc/meminfo").read_text("ascii"))))
    except OSError:
        return None
    try:
        return min(free, int(_LIMIT.read_text("ascii")))
    except (OSError, ValueError):  # no container, or one without a limit
        return free


def peak_memory() -> float | None:
    """Return the largest resident memory of this process so far in MB, or None if unknown."""
    status = Path("/proc/self/status")
    if status.is_file():  # Linux: unlike getrusage, this excludes memory of the parent process
        lines = dict(line.split(":", 1) for line in status.read_text(encoding="utf-8").splitlines())
        return round(int(lines["VmHWM"].split()[0]) * 1024 / 1e6, 1) if "VmHWM" in lines else None
    if sys.platform == "win32":
        return None
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(peak / (1e6 if sys.platform == "darwin" else 1e3), 1)
