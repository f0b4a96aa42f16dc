"""Two coordinates of each row: those that are there, or a UMAP made for the moment."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from diffaug_bio._keys import umap_key
from diffaug_bio._wording import shorten
from diffaug_bio.errors import InputError
from diffaug_bio.matrix.sample import sample_rows
from diffaug_bio.tl._umap import as_dense, embedding_of, spread_out

if TYPE_CHECKING:
    from anndata import AnnData
    from numpy.typing import NDArray

logger = logging.getLogger(__name__)


class Coordinates(NamedTuple):
    """Where rows are drawn."""

    points: NDArray[np.float32]
    """Shape: `(n_drawn, 2)`."""
    rows: NDArray[np.int64]
    """Their numbers, in order."""
    name: str
    """Of the axes."""


def coordinates_of(adata: AnnData, basis: str, *, max_obs: int, seed: int) -> Coordinates:
    """Find or make coordinates; see :func:`diffaug_bio.pl.embedding`.

    Rows whose coordinates are not finite are left out.

    Raises
    ------
    InputError
        If there is no such embedding.
    """
    known = [key for key in (basis, f"X_{basis}") if key in adata.obsm]
    if not known and umap_key(basis) not in adata.obsm:
        msg = (
            f"There is no {basis!r} in `.obsm`; it holds {shorten(adata.obsm) or 'nothing'}. Run "
            "`diffaug_bio.tl.embed(adata)` first, which makes 'X_diffaug', or name another `basis`."
        )
        raise InputError(msg)
    for key in (umap_key(basis), *known):
        if key in adata.obsm and adata.obsm[key].shape[1] == 2:
            points = as_dense(adata.obsm[key])
            rows = np.flatnonzero(np.isfinite(points).all(1))
            if not len(rows):
                msg = f"`.obsm[{key!r}]` holds no row with two finite coordinates, so nothing can be drawn."
                raise InputError(msg)
            return Coordinates(points[rows], rows, _axis_name(key))
    [key] = known[:1]
    rows = sample_rows(adata.n_obs, max_obs, seed=seed)
    if len(rows) < adata.n_obs:
        logger.info(
            "UMAP of %d of %d rows, drawn at random; `diffaug_bio.tl.umap(adata, use_rep=%r)` first gives "
            "coordinates to all.",
            len(rows),
            adata.n_obs,
            key,
        )
    matrix = embedding_of(adata, key, rows=rows)
    return Coordinates(spread_out(matrix, n_neighbors=15, min_dist=0.3, seed=seed, most=None), rows, "UMAP")


def _axis_name(key: str) -> str:
    """Name axes as scanpy does, where it has a name."""
    bare = key.removeprefix("X_")
    known = {"umap": "UMAP", "tsne": "tSNE", "pca": "PC", "diffmap": "DC"}
    return "UMAP" if bare.startswith("umap_") else known.get(bare, bare)
