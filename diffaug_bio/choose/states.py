"""Finding the matrix of an AnnData with the kind of expression that a model was fitted on."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Literal

import numpy as np

from diffaug_bio.config.kinds import STATES, kind_of
from diffaug_bio.errors import InputError
from diffaug_bio.matrix.state import find_state, is_undecided
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
    """Log which matrix holds expression of a kind (`state`), if the chosen one looks like another kind."""
    if not kind_of(state).is_told_apart or _compare(matrix, state) != "another":
        return
    for where, remedy, other in _matrices(adata):
        if _compare(other, state) == "this":
            logger.warning("%s holds what looks like %s: pass %s.", where, STATES[state].noun, remedy)
            return


def stands_in(adata: AnnData, layer: str | None, state: InputState, *, use_raw: bool) -> bool:
    """Tell, with a warning, whether `.X` can stand in for a missing layer or `.raw` of a fit."""
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
    """List layers and `.raw`, with their place and the option to choose them."""
    for name, layer in adata.layers.items():
        yield f"`.layers[{name!r}]`", f"layer={name!r} (`--layer {name}`)", layer
    if adata.raw is not None:
        yield "`.raw`", "use_raw=True (`--use-raw`)", adata.raw.X


def _compare(matrix: Matrix, state: InputState) -> Literal["this", "another", "unknown"]:
    """Compare some rows of a matrix with a kind of expression."""
    try:
        some = _some_rows(as_matrix(matrix))
        summary = summarise(some)
        finding = find_state(some, summary)
    except InputError:  # no numbers, infinite ones, ...: an error only if it is this one that is embedded
        return "unknown"
    if finding.state == state:
        return "this"
    return "unknown" if is_undecided(finding, state, summary, n_obs=some.shape[0]) else "another"


def _some_rows(matrix: Matrix) -> Matrix:
    """Take up to 200 evenly spaced rows."""
    if matrix.shape[0] <= _LOOKED_AT:
        return matrix
    return matrix[np.unique(np.linspace(0, matrix.shape[0] - 1, _LOOKED_AT).astype(np.intp))]
