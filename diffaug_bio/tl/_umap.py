"""`tl.umap`: an embedding in two dimensions, to look at."""

from __future__ import annotations

import logging
import warnings
from typing import TYPE_CHECKING

import numpy as np

from diffaug_bio import __version__
from diffaug_bio._checks import check_count, check_seed
from diffaug_bio._keys import OBSM_KEY, umap_key, uns_key
from diffaug_bio.choose.embeddings import embedding_of
from diffaug_bio.errors import InputError
from diffaug_bio.machine.numba import find_cache
from diffaug_bio.matrix.sample import sample_rows

if TYPE_CHECKING:
    from anndata import AnnData
    from numpy.typing import NDArray

logger = logging.getLogger(__name__)

_MIN_ROWS = 4  # scanpy makes no layout of fewer
_EXACT_ROWS = 50_000  # above, building an approximate index takes less time than exact distances
_N_NEAREST = 5  # rows of the layout between which each remaining row is placed


def umap(
    adata: AnnData,
    *,
    use_rep: str = OBSM_KEY,
    n_neighbors: int = 15,
    min_dist: float = 0.3,
    random_state: int = 0,
    max_obs: int | None = 50_000,
    key_added: str | None = None,
    copy: bool = False,
) -> AnnData | None:
    """Compute a two-dimensional UMAP (arXiv:1802.03426) of an embedding.

    Runs :func:`scanpy.pp.neighbors` and :func:`scanpy.tl.umap` without keeping the neighbour graph:
    `.obsp` and `.uns["neighbors"]` stay as they are.

    Parameters
    ----------
    adata
        Annotated data, changed in place unless `copy`.
    use_rep
        Name of the embedding in `.obsm`.
    n_neighbors
        Nearest neighbours of each cell in the graph, counting the cell itself: at least 2.
    min_dist
        Smallest distance between points, from 0 to 1; smaller values give denser clusters.
    random_state
        Seed. With more than 50,000 cells in the layout, results also depend on the number of threads.
    max_obs
        Cells in the layout. Of larger data a random sample is laid out, and the other cells are placed
        between their 5 nearest cells of it. None lays out all cells, which takes long for a million.
    key_added
        Name of the result in `.obsm` and, without a leading `X_`, in `.uns`; by default `X_umap_diffaug`
        for `X_diffaug` and so on, where :func:`diffaug_bio.pl.embedding` finds it.
    copy
        If True, return a changed copy.

    Returns
    -------
    None, or the changed copy. Sets:

    `adata.obsm["X_umap_diffaug" | key_added]` : `(n_obs, 2)` float32
        Coordinates. Distances between far points mean little.
    `adata.uns["umap_diffaug" | key_added without X_]` : dict
        `params` and `version`.

    Raises
    ------
    InputError
        If the embedding is missing, holds values that are not finite or has fewer than four rows, or if a
        setting is out of range.

    Examples
    --------
    >>> import diffaug_bio as db, scanpy as sc
    >>> adata = sc.datasets.pbmc68k_reduced()
    >>> db.tl.umap(adata, use_rep="X_pca")
    >>> adata.obsm["X_umap_pca"].shape
    (700, 2)
    """
    check_seed(random_state)
    check_count("n_neighbors", n_neighbors)
    if n_neighbors < 2:
        msg = f"`n_neighbors` counts the cell itself and must be at least 2, got {n_neighbors}."
        raise InputError(msg)
    if not 0 <= min_dist <= 1:
        msg = f"`min_dist` must be a distance from 0 to 1, got {min_dist!r}."
        raise InputError(msg)
    if max_obs is not None:
        check_count("max_obs", max_obs)
    matrix = embedding_of(adata, use_rep)
    n_rows = len(matrix)
    if n_rows < _MIN_ROWS:
        msg = f"UMAP needs at least {_MIN_ROWS} rows, got {n_rows}."
        raise InputError(msg)
    if not np.isfinite(matrix).all():
        msg = f"`.obsm[{use_rep!r}]` holds missing or infinite values. Remove these rows first."
        raise InputError(msg)
    chosen = sample_rows(n_rows, n_rows if max_obs is None else max(max_obs, _MIN_ROWS), seed=random_state)
    points = _layout(matrix[chosen], n_neighbors=n_neighbors, min_dist=min_dist, seed=random_state)
    if len(chosen) < n_rows:
        from sklearn.neighbors import KNeighborsRegressor

        logger.info("UMAP of %d of %d rows; the others are placed between them.", len(chosen), n_rows)
        placing = KNeighborsRegressor(min(_N_NEAREST, len(chosen)), weights="distance")
        placed = placing.fit(matrix[chosen], points).predict(matrix).astype(np.float32)
        placed[chosen] = points
        points = placed
    adata = adata.copy() if copy else adata
    key = umap_key(use_rep) if key_added is None else key_added
    adata.obsm[key] = points
    adata.uns[uns_key(key)] = {
        "version": __version__,
        "params": {
            "use_rep": use_rep,
            "n_neighbors": n_neighbors,
            "min_dist": min_dist,
            "random_state": int(random_state),
            "n_laid_out": len(chosen),
        },
    }
    return adata if copy else None


def _layout(
    matrix: NDArray[np.float32], *, n_neighbors: int, min_dist: float, seed: int
) -> NDArray[np.float32]:
    """Compute the UMAP of all rows on an AnnData of their own. Shape: `(n_rows, 2)`."""
    find_cache()
    import anndata
    import scanpy as sc

    n_rows = len(matrix)
    rows = anndata.AnnData(obsm={"X": matrix})
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Graph is not fully connected")  # usual with separate clusters
        warnings.filterwarnings("ignore", "k >= N for N", RuntimeWarning)  # very few rows
        sc.pp.neighbors(
            rows,
            use_rep="X",
            n_neighbors=min(n_neighbors, n_rows - 1),
            transformer="sklearn" if n_rows <= _EXACT_ROWS else None,
            random_state=seed,
        )
        sc.tl.umap(rows, min_dist=min_dist, random_state=seed)
    return np.asarray(rows.obsm["X_umap"], np.float32)
