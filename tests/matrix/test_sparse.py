"""Sparse matrices from Python whose inside is wrong."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from diffaug_bio import tl
from diffaug_bio.errors import InputError
from diffaug_bio.matrix.sparse import check_sparse
from diffaug_bio.matrix.validation import as_matrix
from diffaug_bio.model.estimator import DiffAug

FORMATS = ("csr", "csc", "bsr", "coo")


def make(container: str = "csr") -> Any:
    return sparse.random(8, 6, 0.5, format=container, dtype=np.float32, random_state=0)


def spoil(matrix: Any, value: int) -> Any:
    """Put one wrong number of a row or column into a matrix."""
    (matrix.row if matrix.format == "coo" else matrix.indices)[2] = value
    return matrix


@pytest.mark.parametrize("container", [*FORMATS, "lil", "dok", "dia"])
def test_sound_matrices_of_every_format_are_taken(container: str) -> None:
    found = as_matrix(make(container))
    assert found.format == "csr"
    np.testing.assert_array_equal(found.toarray(), make().toarray())


@pytest.mark.parametrize("container", FORMATS)
@pytest.mark.parametrize("value", [-1, 8, 2**31 - 1])
def test_indices_outside_are_refused(container: str, value: int) -> None:
    with pytest.raises(InputError, match=f"number {value} in a matrix of"):
        as_matrix(spoil(make(container), value))


@pytest.mark.parametrize("estimator", ["fit", "embed"])
def test_they_are_refused_before_anything_is_computed(estimator: str, counts: Any) -> None:
    counts.X.indices[7] = 10**6
    with pytest.raises(InputError, match=r"1000000.*40 columns"):
        tl.embed(counts) if estimator == "embed" else DiffAug().fit(counts.X)


def test_a_large_number_in_64_bits_is_refused() -> None:
    matrix = make()
    matrix.indices = matrix.indices.astype(np.int64)
    with pytest.raises(InputError, match=str(2**32)):
        as_matrix(spoil(matrix, 2**32))


@given(data=st.data(), container=st.sampled_from(["csr", "csc"]))
def test_what_is_taken_has_every_index_inside(data: st.DataObject, container: str) -> None:
    numbers = st.integers(-3, 12)
    matrix = make(container)
    for array in (matrix.indices, matrix.indptr):
        place = data.draw(st.integers(0, len(array) - 1))
        array[place] = data.draw(numbers)
    lines = matrix.shape[0 if container == "csr" else 1]
    across = matrix.shape[1 if container == "csr" else 0]
    is_sound = (
        (matrix.indptr[0], matrix.indptr[-1]) == (0, len(matrix.data))
        and len(matrix.indptr) == lines + 1
        and all(np.diff(matrix.indptr) >= 0)
        and all((matrix.indices >= 0) & (matrix.indices < across))
    )
    try:
        check_sparse(matrix)
    except InputError:
        assert not is_sound
    else:
        assert is_sound
