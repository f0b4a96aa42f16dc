"""Choosing what to embed from an AnnData, and writing results into it."""

from __future__ import annotations

import json
import logging
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from diffaug_bio import __version__
from diffaug_bio._keys import uns_key
from diffaug_bio._validation import as_matrix, shorten
from diffaug_bio.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable

    import numpy as np
    from anndata import AnnData
    from numpy.typing import NDArray

    from diffaug_bio._blocks import Matrix
    from diffaug_bio.config import DeclaredState
    from diffaug_bio.estimator import DiffAug

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class MatrixChoice:
    """Which matrix of an AnnData to embed; `.X` without any."""

    layer: str | None = None
    """Name in `.layers`."""
    use_rep: str | None = None
    """Name in `.obsm`."""
    use_raw: bool = False
    """Whether to take `.raw.X`."""

    def __post_init__(self) -> None:
        if sum([self.layer is not None, self.use_rep is not None, self.use_raw]) > 1:
            msg = "Give at most one of `layer`, `use_rep` and `use_raw`: each names another matrix."
            raise InputError(msg)


def choose_matrix(adata: AnnData, choice: MatrixChoice) -> tuple[Matrix, list[str]]:
    """Find the matrix that was asked for, and the names of its columns.

    Parameters
    ----------
    adata
        Rows are observations.
    choice
        Which matrix.

    Returns
    -------
    The matrix, dense or CSR and no copy where it is that already, and unique names.

    Raises
    ------
    InputError
        If what was asked for is not there.
    """
    if adata.isbacked:
        msg = "This AnnData is backed by a file. Load it with `adata = adata.to_memory()` first."
        raise InputError(msg)
    layer, use_rep = choice.layer, choice.use_rep
    if use_rep is not None:
        if use_rep not in adata.obsm:
            msg = f"There is no {use_rep!r} in `.obsm`; it holds {shorten(adata.obsm) or 'nothing'}."
            raise InputError(msg)
        matrix = adata.obsm[use_rep]
        matrix = matrix.to_numpy() if hasattr(matrix, "to_numpy") else matrix
        matrix = as_matrix(matrix)
        return matrix, [f"{use_rep}_{number}" for number in range(1, matrix.shape[1] + 1)]
    if choice.use_raw:
        if adata.raw is None:
            msg = "There is no `.raw` in this AnnData; leave `use_raw` out to embed `.X`."
            raise InputError(msg)
        return as_matrix(adata.raw.X), _unique(adata.raw.var_names)
    if layer is not None:
        if layer not in adata.layers:
            msg = f"There is no layer {layer!r}; `.layers` holds {shorten(adata.layers) or 'nothing'}."
            raise InputError(msg)
        return as_matrix(adata.layers[layer]), _unique(adata.var_names)
    if adata.X is None:
        msg = f"This AnnData has no `.X`; name a layer, of which it has {shorten(adata.layers) or 'none'}."
        raise InputError(msg)
    return as_matrix(adata.X), _unique(adata.var_names)


def declared_state(adata: AnnData, choice: MatrixChoice) -> DeclaredState:
    """Say what a matrix is where that is known without looking at its values."""
    if choice.use_rep is not None:
        return "representation"
    return "continuous" if choice == MatrixChoice() and "kmers" in adata.uns else "auto"


def write_embedding(
    adata: AnnData,
    embedding: NDArray[np.float32],
    *,
    key_added: str,
    model: DiffAug,
    choice: MatrixChoice,
) -> None:
    """Put an embedding into `.obsm` and what made it into `.uns`, in types that h5ad can hold.

    Parameters
    ----------
    adata
        Changed in place.
    embedding
        Shape: `(n_obs, n_latent)`.
    key_added
        Name in `.obsm`; without a leading `X_` in `.uns`.
    model
        The fitted model.
    choice
        Which matrix was embedded.
    """
    from diffaug_bio.checkpoint import columns_of

    adata.obsm[key_added] = embedding
    config = model.record().config.to_dict()
    columns = columns_of(model.history_)
    adata.uns[uns_key(key_added)] = {
        "version": __version__,
        "params": json.dumps({"config": config, "seed": model.random_state, **asdict(choice)}),
        "history": {name: _column(values) for name, values in columns.items()},
    }


def _column(values: list[object]) -> NDArray[np.generic]:
    """One column of the history as an array; a missing loss becomes nan."""
    import numpy as np

    return np.array([np.nan if value is None else value for value in values])


def _unique(names: Iterable[object]) -> list[str]:
    """Feature names as strings, repeated ones numbered as scanpy does."""
    import pandas as pd
    from anndata.utils import make_index_unique

    index = pd.Index([str(name) for name in names], dtype=object)
    if index.is_unique:
        return [str(name) for name in index]
    repeated = index[index.duplicated()].unique()
    logger.warning(
        "%d feature names occur more than once and are numbered: %s.",
        len(repeated),
        shorten(repeated),
    )
    return [str(name) for name in make_index_unique(index)]
