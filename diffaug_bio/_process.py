"""What the operating system knows of this process."""

from __future__ import annotations

import sys
from pathlib import Path


def peak_memory() -> float | None:
    """Read the largest resident memory of this process so far, in MB; None where it is not known."""
    status = Path("/proc/self/status")
    if status.is_file():  # Linux: unlike getrusage, this leaves out what the parent process held
        lines = dict(line.split(":", 1) for line in status.read_text(encoding="utf-8").splitlines())
        return round(int(lines["VmHWM"].split()[0]) * 1024 / 1e6, 1) if "VmHWM" in lines else None
    if sys.platform == "win32":
        return None
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(peak / (1e6 if sys.platform == "darwin" else 1e3), 1)
