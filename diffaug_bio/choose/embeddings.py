"""Embeddings in `.obsm`, as arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from diffaug_bio._checks import check_anndata, check_held

if TYPE_CHECKING:
    from anndata import AnnData
    from numpy.typing import NDArray


def embedding_of(
    adata: AnnData, use_rep: str, *, rows: NDArray[np.int64] | None = None
) -> NDArray[np.float32]:
    """Return an entry of `.obsm`, dense, sparse or a table, as a dense array; only some `rows` if given."""
    check_anndata(adata)
    remedy = "Run `diffaug_bio.tl.embed(adata)` first, which makes 'X_diffaug', or name another embedding."
    check_held(use_rep, adata.obsm, what="embedding", where="`.obsm`", remedy=remedy)
    held = adata.obsm[use_rep]
    if rows is not None:
        held = held.iloc[rows] if hasattr(held, "iloc") else held[rows]
    return np.asarray(held.toarray() if hasattr(held, "toarray") else held, np.float32)
