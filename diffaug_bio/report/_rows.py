"""Sample of the rows of a large `.h5ad` file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from diffaug_bio._keys import OBSM_KEY, SPLIT_ENTRY, TEST
from diffaug_bio.choose.split import choose_split
from diffaug_bio.errors import InputError
from diffaug_bio.matrix.sample import sample_rows
from diffaug_bio.matrix.sparse import check_pointers
from diffaug_bio.model.source import MatrixChoice

if TYPE_CHECKING:
    from pathlib import Path

    import h5py
    from anndata import AnnData
    from numpy.typing import NDArray

    from diffaug_bio.model.estimator import DiffAug

_BLOCK_BYTES = 2**24  # read at a time from a dense matrix


class Sample(NamedTuple):
    """Sampled rows of a file: training matrix, annotations and embedding."""

    adata: AnnData
    rows: NDArray[np.int64]
    """Numbers of the sampled rows, in order, `(n_sampled,)`."""
    fitted: NDArray[np.bool_]
    """Mask of the rows of the whole file that were fitted, `(n_obs,)`."""


def read_sample(path: Path, model: DiffAug, *, most: int, seed: int) -> Sample:
    """Read at most `most` random rows of `embedded.h5ad`: the training matrix and no other matrix.

    Raises InputError if the file has no embedding, or is damaged.
    """
    import anndata
    from anndata.io import read_elem

    from diffaug_bio.io.h5ad import open_h5ad

    source = MatrixChoice.from_dict(model.source_)
    with open_h5ad(path) as file:
        obs = read_elem(file["obs"])
        whole = anndata.AnnData(obs=obs)
        split = choose_split(whole, model.source_.get(SPLIT_ENTRY))
        fitted = np.ones(len(obs), bool) if split is None else split != TEST
        rows = sample_rows(len(obs), most, seed=seed)
        if OBSM_KEY not in file.get("obsm", {}):
            msg = f"{path} has no {OBSM_KEY!r} in `.obsm`. Fit the model again."
            raise InputError(msg)
        obsm = {key: _rows_of(file["obsm"][key], rows, path) for key in {OBSM_KEY, source.use_rep} - {None}}
        adata = anndata.AnnData(
            # Letters are in `.obs`, and images may be on the disk: then there is no matrix to read.
            X=None if _is_elsewhere(source) or "X" not in file else _rows_of(file["X"], rows, path),
            obs=obs.iloc[rows],
            var=read_elem(file["var"]),
            uns=read_elem(file["uns"]),
            obsm=obsm,
            layers={}
            if source.layer is None
            else {source.layer: _rows_of(file["layers"][source.layer], rows, path)},
        )
        if source.use_raw:
            adata.raw = anndata.AnnData(
                X=_rows_of(file["raw"]["X"], rows, path), obs=adata.obs, var=read_elem(file["raw"]["var"])
            )
    return Sample(adata, rows, fitted)


def _is_elsewhere(source: MatrixChoice) -> bool:
    """Say if another matrix than `.X` was fitted."""
    return source.layer is not None or source.use_rep is not None or source.use_raw or source.sequences


def _rows_of(element: h5py.Dataset | h5py.Group, rows: NDArray[np.int64], path: Path) -> Any:
    """Read rows of a matrix in a file, in order, a dense matrix block by block."""
    import h5py
    import pandas as pd
    from anndata.io import read_elem, sparse_dataset

    from diffaug_bio.io.h5ad import check_element

    if isinstance(element, h5py.Group):
        place = element.name.strip("/")
        if element.attrs.get("encoding-type") == "csr_matrix":
            pointers, n_rows = element["indptr"][:], int(element.attrs["shape"][0])
            check_pointers(pointers, n_rows, len(element["data"]), what=f"{path}: {place}")
            return check_element(sparse_dataset(element)[rows], place, path)
        held = check_element(read_elem(element), place, path)
        return held.iloc[rows] if isinstance(held, pd.DataFrame) else held.tocsr()[rows]
    size = max(1, _BLOCK_BYTES // max(1, element.dtype.itemsize * int(np.prod(element.shape[1:]))))
    parts = []
    for start in range(0, element.shape[0], size):
        wanted = rows[(rows >= start) & (rows < start + size)]
        if len(wanted):
            parts.append(element[start : start + size][wanted - start])
    return np.concatenate(parts) if parts else element[:0]
