"""Embeddings in `.obsm`, as arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from diffaug_bio._wording import shorten
from diffaug_bio.errors import InputError

if TYPE_CHECKING:
    from anndata import AnnData
    from numpy.typing import NDArray


def embedding_of(
    adata: AnnData, use_rep: str, *, rows: NDArray[np.int64] | None = None
) -> NDArray[np.float32]:
    """Take an embedding from `.obsm` as a dense array.

    Parameters
    ----------
    adata
        Annotated data; not changed.
    use_rep
        Name in `.obsm` of an array, a table or a sparse matrix.
    rows
        Numbers of the rows to take; all rows if None.

    Raises
    ------
    InputError
        If `.obsm` has no entry of that name.
    """
    if use_rep not in adata.obsm:
        msg = (
            f"There is no {use_rep!r} in `.obsm`; it holds {shorten(adata.obsm) or 'nothing'}. Run "
            "`diffaug_bio.tl.embed(adata)` first, which makes 'X_diffaug', or name another embedding."
        )
        raise InputError(msg)
    held = adata.obsm[use_rep]
    if rows is not None:
        held = held.iloc[rows] if hasattr(held, "iloc") else held[rows]
    return np.asarray(held.toarray() if hasattr(held, "toarray") else held, np.float32)
