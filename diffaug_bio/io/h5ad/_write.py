"""Writing h5ad files from Python, as HDF5 ends the process if it closes a file on a full disk."""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import TYPE_CHECKING

from diffaug_bio._checks import check_anndata, check_folder_of
from diffaug_bio.errors import InputError
from diffaug_bio.output.interrupts import interrupts_held

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from os import PathLike

    import h5py
    from anndata import AnnData
    from typing_extensions import Buffer

_WHERE = re.compile(r"writing key '?(.+?)'? of .* to (\S+)")  # note that anndata adds to an error
_PAGE = 4096
_MOST_KEPT = 2**20  # bytes of one write; descriptions of arrays are smaller, and HDF5 reads them again


def write_h5ad(path: str | PathLike[str], adata: AnnData) -> None:
    """Write an h5ad file as `adata.write_h5ad` does, safely on a full disk and when interrupted.

    A full disk raises an error, where `adata.write_h5ad` can end the Python process; Ctrl-C waits for the
    part that is being written. As in anndata, columns of repeated text become categories, in `adata` itself
    too.

    Parameters
    ----------
    path
        The file, in a folder that exists; an existing file is overwritten.
    adata
        Data to write.

    Raises
    ------
    InputError
        If `adata` is no AnnData, the folder is missing, or h5ad cannot hold some entry, which the message
        names.
    OSError
        If the disk is full or cannot be written to.

    Examples
    --------
    >>> from diffaug_bio import io
    >>> io.write_h5ad("embedded.h5ad", adata)  # doctest: +SKIP
    """
    check_anndata(adata)
    check_folder_of(path := Path(path))
    adata.strings_to_categoricals()
    if adata.raw is not None:
        adata.strings_to_categoricals(adata.raw.var)
    while not _is_written(path, adata):
        pass  # a signal handler of the user took the interrupt, and chose to go on


def add_to_h5ad(path: Path, elements: Mapping[str, object]) -> None:
    """Add entries, by places such as `"obsm/X_diffaug"`, to an h5ad file; its other parts stay the same."""
    import h5py

    with interrupts_held(), _CalmFile(path, "r+") as stream:
        with h5py.File(stream, "r+") as file:
            for name, element in elements.items():
                _write_element(file, name, element)
                stream.check()
        stream.check()


def _is_written(path: Path, adata: AnnData) -> bool:
    """Write all parts; return False if an interrupt came before the last one."""
    import h5py

    is_whole = True
    # An interrupt inside HDF5 would leave it with a file that it cannot close.
    with interrupts_held() as waiting, _CalmFile(path, "w+") as stream:
        with h5py.File(stream, "w") as file:
            file.attrs["encoding-type"], file.attrs["encoding-version"] = "anndata", "0.1.0"
            for name, element in _elements(adata):
                if waiting:
                    is_whole = False
                    break
                _write_element(file, name, element)
                stream.check()
        stream.check()
    return is_whole


def _elements(adata: AnnData) -> Iterator[tuple[str, object]]:
    """Yield the parts of an AnnData in the order in which anndata writes them."""
    for name in ("X", "raw"):
        if (element := getattr(adata, name)) is not None:
            yield name, element
    yield from (("obs", adata.obs), ("var", adata.var))
    for name in ("obsm", "varm", "obsp", "varp", "layers", "uns"):
        yield name, dict(getattr(adata, name))


def _write_element(file: h5py.File, name: str, element: object) -> None:
    """Write a part of an AnnData, or name the entry that h5ad cannot hold."""
    from anndata.io import write_elem

    try:
        write_elem(file, name, element)
    except MemoryError:
        raise
    except Exception as error:
        lines = str(error).splitlines()
        where = _WHERE.search(" ".join(getattr(error, "__notes__", [])))
        place = name if where is None else f"{where[2]}/{where[1]}".strip("/")
        msg = (
            f"The data hold something in {place} that h5ad cannot: "
            f"{lines[0].rstrip('.') if lines else type(error).__name__}. Remove or rename it."
        )
        raise InputError(msg) from error


class _CalmFile(io.FileIO):
    """File that keeps errors of writing until :meth:`check`, called when HDF5 can be interrupted."""

    def __init__(self, path: Path, mode: str) -> None:
        super().__init__(path, mode)
        self._error: OSError | None = None
        self._kept: dict[int, bytearray] = {}

    def check(self) -> None:
        """Raise the first error since the file was opened."""
        if self._error is not None:
            raise self._error

    def write(self, content: Buffer) -> int:
        """Write all bytes, or keep the error."""
        view = memoryview(content).cast("B")
        start = self.tell()
        try:
            done = 0
            while self._error is None and done < len(view):
                done += super().write(view[done:])
        except OSError as error:
            self._error = error
        if self._error is not None and len(view) <= _MOST_KEPT:
            self._keep(start, view)
        return len(view)

    def readinto(self, buffer: Buffer) -> int:
        """Read bytes from the disk, and from memory those that the disk did not take."""
        view = memoryview(buffer).cast("B")
        start = self.tell()
        n_read = super().readinto(view)
        for first in self._pages(start, len(view)):
            if (page := self._kept.get(first)) is not None:
                low, high = max(first, start), min(first + _PAGE, start + len(view))
                view[low - start : high - start] = page[low - first : high - first]
        return len(view) if self._kept else n_read

    def truncate(self, size: int | None = None) -> int:
        """Cut or extend the file, or keep the error."""
        try:
            return super().truncate(size)
        except OSError as error:
            self._error = self._error or error
            return size or 0

    def _keep(self, start: int, content: memoryview) -> None:
        """Keep small pieces that the disk did not take, as HDF5 may read them again."""
        for first in self._pages(start, len(content)):
            if first not in self._kept:
                self.seek(first)
                self._kept[first] = bytearray((super().read(_PAGE) or b"").ljust(_PAGE, b"\0"))
            low, high = max(first, start), min(first + _PAGE, start + len(content))
            self._kept[first][low - first : high - first] = content[low - start : high - start]

    @staticmethod
    def _pages(start: int, size: int) -> range:
        return range(start - start % _PAGE, start + size, _PAGE)
