"""Reading h5ad files, with errors that say what is wrong with a file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anndata
import h5py

from diffaug_bio.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path

    from anndata import AnnData


def read_h5ad(path: Path) -> AnnData:
    """Read an h5ad file.

    Parameters
    ----------
    path
        The file.

    Raises
    ------
    InputError
        If it is not HDF5, was cut off, or does not hold an AnnData.
    """
    try:
        with h5py.File(path, "r") as file:
            keys = set(file)
    except PermissionError as error:
        msg = f"{path} cannot be read: permission denied."
        raise InputError(msg) from error
    except OSError as error:
        reason = "it is cut off" if "truncated" in str(error) else "it is not an HDF5 file"
        msg = f"{path} is not a complete h5ad file: {reason}. Copy or download it again."
        raise InputError(msg) from error
    if missing := {"obs", "var"} - keys:
        msg = (
            f"{path} is HDF5, but not an AnnData: it lacks {', '.join(sorted(missing))} and holds "
            f"{', '.join(sorted(keys)) or 'nothing'}."
        )
        raise InputError(msg)
    try:
        return anndata.read_h5ad(path)
    except (OSError, KeyError, ValueError, TypeError, AttributeError) as error:
        lines = str(error).splitlines()
        msg = f"{path} is damaged: {lines[0] if lines else type(error).__name__}. Copy it again."
        raise InputError(msg) from error
