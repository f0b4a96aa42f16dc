"""What an HDF5 file holds, by its content: many programs write files that end in `.h5`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import h5py

from diffaug_bio._keys import HDF5_ENDINGS
from diffaug_bio._wording import shorten
from diffaug_bio.errors import InputError
from diffaug_bio.io._files import bare_name, is_gzipped
from diffaug_bio.io.stores._zarr import is_zarr
from diffaug_bio.io.tenx import has_tenx, is_tenx_hdf5

if TYPE_CHECKING:
    from pathlib import Path

Hdf5Format = Literal["h5ad", "10x", "h5mu", "loom"]

_ANNDATA = {"obs", "var"}
_MUDATA = {"mod", "obs"}
_LOOM = {"matrix", "row_attrs", "col_attrs"}
# Files that are easily taken for the one with the counts, by what they hold, and what to do.
_OTHERS = {
    frozenset({"barcode_idx", "umi"}): (
        "molecules of Cell Ranger. Name filtered_feature_bc_matrix.h5, which lies beside it"
    ),
    frozenset({"assays", "cell.names"}): (
        'a Seurat object. Convert it in R: `SeuratDisk::Convert("FILE.h5seurat", dest = "h5ad")`'
    ),
    frozenset(
        {"block0_values"}
    ): "a pandas frame. Write it as a table: `pandas.read_hdf(FILE).to_csv(...)`",
    frozenset({"model_weights"}): "the weights of a Keras model, and no data",
}


def hdf5_format(path: Path) -> Hdf5Format:
    """Find what an HDF5 file holds by its groups.

    Raises
    ------
    InputError
        If it is damaged, or holds none of the known formats; the message lists what it holds.
    """
    is_h5ad = path.name.lower().endswith(".h5ad")
    # The reader unpacks what is gzipped, and says what is wrong.
    if is_gzipped(path) or (is_h5ad and not h5py.is_hdf5(path)):
        return "h5ad"
    try:
        with h5py.File(path, "r") as file:
            keys, inside = {_named(name) for name in file}, _inside(file)
    except PermissionError as error:
        msg = f"{path} cannot be read: permission denied."
        raise InputError(msg) from error
    except (OSError, RuntimeError, ValueError, KeyError) as error:
        if is_h5ad:
            return "h5ad"
        reason = "it is cut off" if "truncated" in str(error) else "it is not an HDF5 file"
        msg = f"{path} is not a complete HDF5 file: {reason}. Copy or download it again."
        raise InputError(msg) from error
    if keys >= _MUDATA:
        return "h5mu"
    if keys >= _LOOM:
        return "loom"
    if is_tenx_hdf5(path):
        return "10x"
    if is_h5ad or keys & _ANNDATA:  # its reader says what lacks
        return "h5ad"
    raise InputError(_why_not(path, keys, inside))


def has_parts(path: Path) -> bool:
    """Return True for data of which one part is read: MuData, or counts of Cell Ranger."""
    if path.is_dir():
        return not is_zarr(path) and has_tenx(path)
    name = bare_name(path)
    return name.endswith(".mtx") or (
        name.endswith(HDF5_ENDINGS) and path.is_file() and hdf5_format(path) in {"10x", "h5mu"}
    )


def _inside(file: h5py.File) -> list[str]:
    """List the groups and arrays of a file, those of the first level with what they hold."""
    found = []
    for name in file:
        entry = file.get(name) if file.get(name, getclass=True, getlink=True) is h5py.HardLink else None
        if isinstance(entry, h5py.Dataset):
            found.append(f"{_named(name)} {' x '.join(map(str, entry.shape or ()))}".strip())
        elif isinstance(entry, h5py.Group) and len(entry):
            held = ", ".join([_named(one) for one in entry][:4])
            found.append(f"{_named(name)}/ with {held}{', ...' if len(entry) > 4 else ''}")
        else:
            found.append(_named(name))
    return found


def _named(name: str | bytes) -> str:
    """Return a name as text: h5py gives bytes where it is damaged."""
    return name.decode("utf-8", "replace") if isinstance(name, bytes) else name


def _why_not(path: Path, keys: set[str], inside: list[str]) -> str:
    """Word the error for HDF5 of another program."""
    known = next((text for parts, text in _OTHERS.items() if parts <= keys), None)
    if known is not None:
        return f"{path} holds {known}."
    return (
        f"{path} is HDF5, but no AnnData, and no counts of Cell Ranger, MuData or loom: it holds "
        f"{shorten(inside) or 'nothing'}. Write its matrix with names of rows and columns as a table "
        "(.csv), or in Python with `anndata.AnnData(X, obs, var).write_h5ad(...)`."
    )
