"""`tl.umap`: two coordinates of an embedding, to look at."""

from __future__ import annotations

import logging
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from diffaug_bio import __version__
from diffaug_bio._checks import check_count, check_seed
from diffaug_bio._keys import OBSM_KEY, umap_key, uns_key
from diffaug_bio._wording import shorten
from diffaug_bio.errors import InputError
from diffaug_bio.machine.numba import find_cache
from diffaug_bio.matrix.sample import sample_rows

if TYPE_CHECKING:
    from anndata import AnnData
    from numpy.typing import NDArray

logger = logging.getLogger(__name__)

MIN_ROWS = 4  # of which scanpy makes a layout
_EXACT_ROWS = 50_000  # up to which brute force is about as fast as to compile and build an index
_N_ANCHORS = 5  # laid-out rows between which another row is put


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
    """Lay out an embedding in two dimensions with UMAP [1]_.

    scanpy computes it (:func:`scanpy.pp.neighbors` by Euclidean distance, then :func:`scanpy.tl.umap`), on
    a graph that is not kept: `.obsp` and `.uns["neighbors"]` stay as they are.

    Parameters
    ----------
    adata
        Rows are observations. Nothing but the fields below is changed.
    use_rep
        Name in `.obsm`.
    n_neighbors
        Neighbors of a row in the graph, the row itself among them: at least 2; fewer where there are not as
        many others.
    min_dist
        Least distance between points; smaller values show tighter clumps.
    random_state
        Seed; the same one gives the same coordinates, where more than 50,000 rows are laid out on the same
        number of threads.
    max_obs
        With more rows, so many drawn at random are laid out, and each other row is put between the nearest
        of them, nearer ones counting more. None lays out all, which takes long for a million.
    key_added
        Name in `.obsm` and, without a leading `X_`, in `.uns`. If left out, `X_umap_` and the name of the
        embedding without its leading `X_`: `X_umap_diffaug` for `X_diffaug`. There
        :func:`diffaug_bio.pl.embedding` looks for it.
    copy
        Whether to return a changed copy.

    Returns
    -------
    `None`, or the changed copy. Sets:

    `adata.obsm["X_umap_diffaug" | key_added]` : `(n_obs, 2)` float32
        Coordinates. Distances between far points mean little.
    `adata.uns["umap_diffaug" | key_added without X_]` : dict
        `params` and `version`.

    Raises
    ------
    InputError
        If there is no such embedding, it has values that are not finite or fewer than four rows, or a
        setting is out of range.

    References
    ----------
    .. [1] McInnes, Healy & Melville (2018), arXiv:1802.03426.

    Examples
    --------
    >>> import diffaug_bio as db, scanpy as sc
    >>> adata = sc.datasets.pbmc68k_reduced()
    >>> db.tl.umap(adata, use_rep="X_pca")
    >>> adata.obsm["X_umap_pca"].shape
    (700, 2)
    """
    if max_obs is not None:
        check_count("max_obs", max_obs)
    matrix = embedding_of(adata, use_rep)
    coordinates = spread_out(
        matrix, n_neighbors=n_neighbors, min_dist=min_dist, seed=random_state, most=max_obs
    )
    adata = adata.copy() if copy else adata
    key = umap_key(use_rep) if key_added is None else key_added
    adata.obsm[key] = coordinates
    adata.uns[uns_key(key)] = {
        "version": __version__,
        "params": {
            "use_rep": use_rep,
            "n_neighbors": n_neighbors,
            "min_dist": min_dist,
            "random_state": int(random_state),
            "n_laid_out": len(matrix) if max_obs is None else min(len(matrix), max(max_obs, MIN_ROWS)),
        },
    }
    return adata if copy else None


def embedding_of(
    adata: AnnData, use_rep: str, *, rows: NDArray[np.int64] | None = None
) -> NDArray[np.float32]:
    """Find an embedding, and refuse what has no neighbors.

    Parameters
    ----------
    adata
        Not changed.
    use_rep
        Name in `.obsm`.
    rows
        Numbers of those that are wanted; all if None.

    Raises
    ------
    InputError
        If it is not there, or holds values that are not finite.
    """
    if use_rep not in adata.obsm:
        msg = (
            f"There is no {use_rep!r} in `.obsm`; it holds {shorten(adata.obsm) or 'nothing'}. Run "
            "`diffaug_bio.tl.embed(adata)` first, which makes 'X_diffaug', or name another embedding."
        )
        raise InputError(msg)
    matrix = as_dense(adata.obsm[use_rep], rows=rows)
    if not np.isfinite(matrix).all():
        msg = f"`.obsm[{use_rep!r}]` holds missing or infinite values. Leave these rows out."
        raise InputError(msg)
    return matrix


def as_dense(held: Any, *, rows: NDArray[np.int64] | None = None) -> NDArray[np.float32]:
    """Take an entry of `.obsm`, or some of its rows, as an array; a sparse one is dense in these rows only.

    Parameters
    ----------
    held
        Array, table or sparse matrix.
    rows
        Numbers of those that are wanted; all if None.
    """
    if rows is not None:
        held = held.iloc[rows] if hasattr(held, "iloc") else held[rows]
    return np.asarray(held.toarray() if hasattr(held, "toarray") else held, np.float32)


def spread_out(
    matrix: NDArray[np.float32], *, n_neighbors: int, min_dist: float, seed: int, most: int | None
) -> NDArray[np.float32]:
    """Compute coordinates; see :func:`umap`.

    Parameters
    ----------
    matrix
        Shape: `(n_obs, n_latent)`.
    n_neighbors, min_dist, seed
        As for :func:`umap`.
    most
        Rows to lay out at most; all if None.

    Returns
    -------
    Shape: `(n_obs, 2)`.
    """
    check_seed(seed)
    check_count("n_neighbors", n_neighbors)
    if n_neighbors < 2:
        msg = f"`n_neighbors` has to be at least 2, as scanpy counts a row itself; got {n_neighbors}."
        raise InputError(msg)
    if not np.isfinite(min_dist) or not 0 <= min_dist <= 1:
        msg = f"`min_dist` has to be a distance from 0 to 1, got {min_dist!r}."
        raise InputError(msg)
    if (n_rows := len(matrix)) < MIN_ROWS:
        msg = f"A layout needs at least {MIN_ROWS} rows, and there are {n_rows}."
        raise InputError(msg)
    chosen = sample_rows(n_rows, n_rows if most is None else max(most, MIN_ROWS), seed=seed)
    laid_out = _layout(matrix[chosen], n_neighbors=n_neighbors, min_dist=min_dist, seed=seed)
    if len(chosen) == n_rows:
        return laid_out
    logger.info("UMAP: %d of %d rows are laid out, the others put between them.", len(chosen), n_rows)
    others = np.setdiff1d(np.arange(n_rows), chosen, assume_unique=True)
    coordinates = np.empty((n_rows, 2), np.float32)
    coordinates[chosen] = laid_out
    coordinates[others] = _between(matrix[others], matrix[chosen], laid_out)
    return coordinates


def _layout(
    matrix: NDArray[np.float32], *, n_neighbors: int, min_dist: float, seed: int
) -> NDArray[np.float32]:
    """Lay out all rows, on an AnnData of their own."""
    find_cache()
    import anndata
    import pandas as pd
    import scanpy as sc

    n_rows = len(matrix)
    rows = anndata.AnnData(obs=pd.DataFrame(index=pd.RangeIndex(n_rows).astype(str)), obsm={"X": matrix})
    n_neighbors = min(n_neighbors, n_rows - 1)
    search = "sklearn" if n_rows <= _EXACT_ROWS else "pynndescent"
    with warnings.catch_warnings():
        # Clusters without edges between them are the rule, and laid out one by one.
        warnings.filterwarnings("ignore", "Graph is not fully connected")
        # Few rows have as few eigenvectors, which are then found in another way.
        warnings.filterwarnings("ignore", "k >= N for N", RuntimeWarning)
        sc.pp.neighbors(
            rows,
            use_rep="X",
            n_neighbors=n_neighbors,
            transformer=search,
            random_state=seed,
        )
        sc.tl.umap(rows, min_dist=min_dist, random_state=seed)
    return np.asarray(rows.obsm["X_umap"], np.float32)


def _between(
    rows: NDArray[np.float32],
    anchors: NDArray[np.float32],
    coordinates: NDArray[np.float32],
) -> NDArray[np.float32]:
    """Put rows between their nearest anchors; shape `(n_rows, 2)`."""
    from sklearn.neighbors import NearestNeighbors

    n_anchors = min(_N_ANCHORS, len(anchors))
    distances, found = NearestNeighbors(n_neighbors=n_anchors).fit(anchors).kneighbors(rows)
    beyond = distances - distances[:, :1]
    scale = np.maximum(beyond.mean(1, keepdims=True), 1e-12)
    weights = np.exp(-beyond / scale)
    weights /= weights.sum(1, keepdims=True)
    return np.asarray(np.einsum("ij,ijk->ik", weights, coordinates[found]), np.float32)
