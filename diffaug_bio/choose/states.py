"""Finding the matrix of an AnnData that is of the kind that a model was fitted on."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Literal

import numpy as np

from diffaug_bio.config.kinds import STATES, is_expression
from diffaug_bio.errors import InputError
from diffaug_bio.matrix.state import is_undecided, state_of
from diffaug_bio.matrix.summary import summarise
from diffaug_bio.matrix.validation import as_matrix

if TYPE_CHECKING:
    from collections.abc import Iterator

    from anndata import AnnData

    from diffaug_bio.config import InputState
    from diffaug_bio.matrix.blocks import Matrix

logger = logging.getLogger(__name__)

_LOOKED_AT = 200  # rows; what is embedded is checked as a whole later


def suggest_matrix(adata: AnnData, matrix: Matrix, state: InputState) -> None:
    """Say in the log where values of a state are, if those that were chosen look otherwise.

    Parameters
    ----------
    adata
        Rows are observations.
    matrix
        What was chosen. Shape: `(n_obs, n_vars)`.
    state
        What the model was fitted on.
    """
    if not is_expression(state) or _compare(matrix, state) != "another":
        return
    for where, remedy, other in _matrices(adata):
        if _compare(other, state) == "this":
            logger.warning("%s holds what looks like %s: pass %s.", where, STATES[state].noun, remedy)
            return


def stands_in(adata: AnnData, layer: str | None, state: InputState, *, use_raw: bool) -> bool:
    """Whether `.X` takes the place of the layer or `.raw` that a model was fitted on, which is said.

    Parameters
    ----------
    adata
        Rows are observations.
    layer, use_raw
        What the model was fitted on.
    state
        What it held.
    """
    is_missing = (layer is not None and layer not in adata.layers) or (use_raw and adata.raw is None)
    if not is_missing or adata.X is None or not STATES[state].is_sparse:
        return False
    if _compare(adata.X, state) != "this":
        return False
    missing = "`.raw`" if layer is None else f"layer {layer!r}"
    logger.warning(
        "These data have no %s, which the model was fitted on; `.X` looks like %s and is taken.",
        missing,
        STATES[state].noun,
    )
    return True


def _matrices(adata: AnnData) -> Iterator[tuple[str, str, Matrix]]:
    """Matrices of an AnnData, where they are and how to ask for them."""
    for name, layer in adata.layers.items():
        yield f"`.layers[{name!r}]`", f"layer={name!r} (`--layer {name}`)", layer
    if adata.raw is not None:
        yield "`.raw`", "use_raw=True (`--use-raw`)", adata.raw.X


def _compare(matrix: Matrix, state: InputState) -> Literal["this", "another", "unknown"]:
    """Say whether some rows of a matrix look like values of a state."""
    try:
        some = _some_rows(as_matrix(matrix))
        summary = summarise(some)
        found = state_of(some, summary)
    except InputError:  # no numbers, infinite ones, ...: an error only if it is this one that is embedded
        return "unknown"
    if found == state:
        return "this"
    return "unknown" if is_undecided(found, state, summary) else "another"


def _some_rows(matrix: Matrix) -> Matrix:
    """Evenly spaced rows, as many as are looked at."""
    if matrix.shape[0] <= _LOOKED_AT:
        return matrix
    return matrix[np.unique(np.linspace(0, matrix.shape[0] - 1, _LOOKED_AT).astype(np.intp))]
