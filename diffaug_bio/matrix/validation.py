"""Checks of matrices that users pass in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np
from scipy import sparse

from diffaug_bio._checks import check_unique
from diffaug_bio.errors import InputError
from diffaug_bio.matrix.sparse import check_sparse

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from diffaug_bio.matrix.blocks import Matrix


@runtime_checkable
class LazyMatrix(Protocol):
    """Matrix of bytes whose rows are made when needed, such as images on the disk."""

    shape: tuple[int, int]
    dtype: np.dtype[np.uint8]
    image_shape: tuple[int, int, int]

    def __getitem__(self, rows: slice | NDArray[np.integer]) -> NDArray[np.uint8]:
        """Return some rows, `(n_rows, n_pixels)`."""
        ...


MIN_ROWS = 3
_OTHER_TOKEN = 4  # token of an unknown letter
_LAST_TOKEN = 5  # token after the end of a sequence


def as_matrix(X: object) -> Matrix:  # noqa: N803 - scikit-learn's name
    """Return a two-dimensional numeric matrix, dense or CSR; the argument is not changed.

    Other sparse formats are copied to CSR, as rows of CSC are some 60 times slower. An array of objects
    other than numbers and text raises a `TypeError`, anything else unfit an `InputError`.
    """
    if isinstance(X, LazyMatrix):
        return X
    matrix: Matrix = X if sparse.issparse(X) else np.asarray(X)
    if matrix.dtype == object:
        matrix = _numbers_of(X, matrix)
    if matrix.ndim != 2:
        vector = (
            " Reshape your data: `X.reshape(-1, 1)` if it is one feature, `X.reshape(1, -1)` if one row."
        )
        images = " Images have to be bytes (uint8) of shape `(n_obs, height, width[, channels])`."
        msg = (
            f"Expected a matrix of rows and features, got an array with {matrix.ndim} dimensions."
            f"{ {1: vector, 3: images, 4: images}.get(matrix.ndim, '') }"
        )
        raise InputError(msg)
    if sparse.issparse(matrix):
        check_sparse(matrix)
        if matrix.format != "csr":
            matrix = matrix.tocsr()
            check_sparse(matrix)  # now for formats that had no indices, too
    if np.iscomplexobj(matrix):
        msg = f"Complex data not supported: expected real numbers, got values of type {matrix.dtype}."
        raise InputError(msg)
    if not (np.issubdtype(matrix.dtype, np.number) or matrix.dtype == np.bool_):
        msg = f"Expected a matrix of real numbers, got values of type {matrix.dtype}."
        raise InputError(msg)
    return matrix


def _numbers_of(X: Any, matrix: Matrix) -> Matrix:  # noqa: N803 - scikit-learn's name
    """Convert an array of objects, or a data frame with pandas' own missing values, to numbers."""
    try:
        if hasattr(X, "iloc"):
            return X.to_numpy(dtype=np.float64, na_value=np.nan)
        return matrix.astype(np.float64)
    except (TypeError, ValueError) as error:
        msg = f"Expected a matrix of real numbers, got an object that is not a number: {error}."
        # As in scikit-learn, text is a wrong value, and any other object a wrong type.
        raise (TypeError(msg) if isinstance(error, TypeError) else InputError(msg)) from error


def as_tokens(matrix: Matrix, columns: NDArray[np.int64] | None = None) -> NDArray[np.uint8]:
    """Return tokens, `(n_obs, n)`, as bytes; `columns` has the column of each position, or -1 (unknown)."""
    remedy = "Make tokens with `diffaug_bio.pp.encode_tokens`."
    if sparse.issparse(matrix) or not np.issubdtype(matrix.dtype, np.integer):
        found = "a sparse matrix" if sparse.issparse(matrix) else f"values of type {matrix.dtype}"
        msg = f"The encoder 'cnn' needs tokens, whole numbers in a dense matrix, got {found}. {remedy}"
        raise InputError(msg)
    if matrix.size and not 0 <= matrix.min() <= matrix.max() <= _LAST_TOKEN:
        msg = (
            f"The encoder 'cnn' needs tokens from 0 to {_LAST_TOKEN}, got some from {matrix.min()} to "
            f"{matrix.max()}. {remedy}"
        )
        raise InputError(msg)
    tokens = np.ascontiguousarray(matrix, np.uint8)
    if columns is not None:
        tokens = np.where(columns < 0, np.uint8(_OTHER_TOKEN), tokens[:, columns])
    ended = tokens[:, :-1] == _LAST_TOKEN
    if (ended & (tokens[:, 1:] != _LAST_TOKEN)).any():
        msg = (
            f"The tokens of a row end at its first {_LAST_TOKEN}; in some rows letters follow it. {remedy}"
        )
        raise InputError(msg)
    return tokens


def as_pixels(matrix: Matrix, image_shape: tuple[int, ...]) -> Matrix:
    """Return pixels, `(n_obs, n_pixels)`, as bytes; those already bytes, or on the disk, are not copied."""
    if sparse.issparse(matrix) or not np.issubdtype(matrix.dtype, np.integer):
        found = "a sparse matrix" if sparse.issparse(matrix) else f"values of type {matrix.dtype}"
        msg = (
            f"Expected pixels as whole numbers from 0 to 255 in a dense matrix, got {found}. Read images "
            "with `diffaug_bio.io.read`, or multiply fractions by 255 and convert them to uint8."
        )
        raise InputError(msg)
    if matrix.shape[1] != np.prod(image_shape):
        msg = (
            f"Images of {image_shape[0]} x {image_shape[1]} pixels and {image_shape[2]} channels have "
            f"{np.prod(image_shape)} values, but the rows have {matrix.shape[1]}. Bring all images to that "
            "shape (`image_size`)."
        )
        raise InputError(msg)
    check_image_shape(getattr(matrix, "image_shape", image_shape), image_shape)
    if matrix.dtype == np.uint8:
        return matrix
    if matrix.size and not 0 <= matrix.min() <= matrix.max() <= 255:
        msg = f"Expected pixels from 0 to 255, got some from {matrix.min()} to {matrix.max()}."
        raise InputError(msg)
    return np.ascontiguousarray(matrix, np.uint8)


def check_image_shape(found: tuple[int, ...], expected: tuple[int, ...]) -> None:
    """Raise an `InputError` unless images have the expected shape, not only as many pixels."""
    if tuple(found) != tuple(expected):
        wanted = f"images of shape {tuple(expected)}" if expected else "no images"
        msg = (
            f"Expected {wanted}, got images of shape {tuple(found)} (height, width, channels). Bring them "
            "to that shape (`image_size`), or fit a model to them."
        )
        raise InputError(msg)


def column_names(X: object) -> list[str] | None:  # noqa: N803 - scikit-learn's name
    """Return the column names of a data frame, or None for other types."""
    columns = getattr(X, "columns", None)
    return None if columns is None else [str(name) for name in columns]


def check_size(matrix: Matrix) -> None:
    """Raise an `InputError` if a matrix has fewer than three rows, or no feature."""
    n_obs, n_vars = matrix.shape
    if n_vars == 0:
        msg = (
            f"The matrix has no features (columns): 0 feature(s) (shape={matrix.shape}) while a minimum of "
            "1 is required."
        )
        raise InputError(msg)
    if n_obs < MIN_ROWS:
        msg = (
            f"The matrix has {n_obs} row{'s' * (n_obs != 1)}; learning an embedding needs at least "
            f"{MIN_ROWS} (n_samples={n_obs}). Rows are observations: transpose a table with features in "
            "rows."
        )
        raise InputError(msg)


def check_names(names: Sequence[str] | None, matrix: Matrix) -> None:
    """Raise an `InputError` unless there is a unique feature name for each column."""
    if names is None:
        return
    if len(names) != matrix.shape[1]:
        msg = f"There are {len(names)} feature names for {matrix.shape[1]} columns; give one for each."
        raise InputError(msg)
    check_unique(names, what="feature names", remedy="Make them unique.")


def check_shape(values: NDArray[np.generic], shape: tuple[int, int], *, what: str) -> None:
    """Raise an `InputError` if an array has another shape."""
    if values.shape != shape:
        msg = f"Expected {what} of shape {shape}, got {values.shape}."
        raise InputError(msg)
