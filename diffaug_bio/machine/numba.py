"""Cache of numba's compiled code where neither home nor installation can be written to."""

from __future__ import annotations

import atexit
import importlib.util
import os
import shutil
import sys
import tempfile
from pathlib import Path

_VARIABLE = "NUMBA_CACHE_DIR"
_COMPILED = "umap"  # package whose compiled functions numba caches beside its files


def find_cache() -> None:
    """Make numba use a temporary folder as cache if it finds no other, so that umap-learn can be imported.

    In a container, home and installation may be read-only. The folder is private, as numba loads any code
    in it, and removed at the end; one named in `NUMBA_CACHE_DIR` is kept.
    """
    if os.environ.get(_VARIABLE) or _is_writable(_beside_package()) or _is_writable(_of_user()):
        return
    folder = tempfile.mkdtemp(prefix="diffaug-bio-numba-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    os.environ[_VARIABLE] = folder
    if "numba" in sys.modules:  # it has read the environment already
        sys.modules["numba"].config.CACHE_DIR = folder


def _beside_package() -> Path | None:
    found = importlib.util.find_spec(_COMPILED)
    return None if found is None or found.origin is None else Path(found.origin).parent / "__pycache__"


def _of_user() -> Path | None:
    cache = os.environ.get("XDG_CACHE_HOME")
    try:
        return (Path(cache) if cache else Path.home() / ".cache") / "numba"
    except RuntimeError:  # a user without a home
        return None


def _is_writable(folder: Path | None) -> bool:
    """Return True if a folder can be written to, or made."""
    if folder is None:
        return False
    there = next((path for path in (folder, *folder.parents) if path.exists()), None)
    return there is not None and there.is_dir() and os.access(there, os.W_OK | os.X_OK)
