"""What a matrix is taken for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as st_numpy
from scipy import sparse

from diffaug_bio import pp
from diffaug_bio.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray


def make(state: str) -> NDArray[np.float32]:
    """Make 60 rows and 30 features of a kind."""
    rng = np.random.default_rng(0)
    counts = rng.poisson(rng.gamma(1.0, 1.0, 30), (60, 30)).astype(np.float32)
    normalized = counts / np.maximum(counts.sum(1, keepdims=True), 1) * 1e4
    matrices = {
        "counts": counts,
        "normalized": normalized,
        "lognormalized": np.log1p(normalized),
        "scaled": rng.normal(0, 1, (60, 30)).astype(np.float32),
        "continuous": rng.normal(20, 3, (60, 30)).astype(np.float32),
    }
    return np.asarray(matrices[state], dtype=np.float32)


STATES = ["counts", "normalized", "lognormalized", "scaled", "continuous"]
CONTAINERS = {"dense": np.asarray, "csr": sparse.csr_matrix, "csc": sparse.csc_matrix}


@pytest.mark.parametrize("container", CONTAINERS.values(), ids=CONTAINERS.keys())
@pytest.mark.parametrize("state", STATES)
def test_states_are_detected_in_every_container(state: str, container: type) -> None:
    assert pp.detect_state(container(make(state))) == state


@pytest.mark.parametrize(
    ("matrix", "state"),
    [
        (np.array([[0, 1], [1, 0], [1, 1]]), "continuous"),
        (np.array([[0, 3], [1, 0], [1, 1]]), "counts"),
        (np.array([[True, False], [False, True]]), "continuous"),
        (np.array([[-5.5, 100.0], [3.2, -40.0], [0.5, 0.1]]), "continuous"),
        (np.zeros((3, 3)), "continuous"),
        (np.array([[0.5, np.nan], [3.2, 7.0], [0.5, 0.1]]), "continuous"),
    ],
    ids=["zeros and ones", "integers", "bools", "unscaled negatives", "all zero", "with missing values"],
)
def test_small_matrices_are_detected(matrix: NDArray[np.generic], state: str) -> None:
    assert pp.detect_state(matrix) == state


@pytest.mark.parametrize("container", CONTAINERS.values(), ids=CONTAINERS.keys())
def test_a_few_negative_counts_are_an_error(container: type) -> None:
    matrix = make("counts")
    matrix[3, 4], matrix[0, 0] = -2, 30
    with pytest.raises(InputError, match=r"counts.* 1 .*negative.*-2"):
        pp.detect_state(container(matrix))


def test_detection_does_not_change_the_matrix() -> None:
    matrix = sparse.csr_matrix(make("counts"))
    before = matrix.copy()
    pp.detect_state(matrix)
    np.testing.assert_array_equal(matrix.data, before.data)
    np.testing.assert_array_equal(matrix.indices, before.indices)


@pytest.mark.parametrize(
    ("matrix", "message"),
    [
        (np.zeros(3), "1 dimension"),
        (np.array([["a", "b"]]), "real numbers.*<U1"),
        (
            np.array([[1j, 2]]),
            "complex128",
        ),
        (np.array([[1.0, np.inf]]), "infinite.*row 0, feature 1"),
    ],
    ids=["vector", "text", "complex", "infinite"],
)
def test_what_is_no_real_matrix_is_an_error(matrix: object, message: str) -> None:
    with pytest.raises(InputError, match=message):
        pp.detect_state(matrix)


@given(
    st_numpy.arrays(
        np.float64,
        st.tuples(st.integers(1, 12), st.integers(1, 6)),
        elements=st.one_of(
            st.just(0.0),
            st.integers(0, 40).map(float),
            st.floats(-3, 60, width=32),
        ),
        fill=st.just(0.0),
    )
)
@settings(max_examples=60, deadline=None)
def test_the_container_does_not_matter(matrix: NDArray[np.float64]) -> None:
    found = {}
    for name, container in CONTAINERS.items():
        try:
            found[name] = pp.detect_state(container(matrix))
        except InputError as error:
            found[name] = str(error)  # type: ignore[assignment]
    assert len(set(found.values())) == 1


def test_duplicate_entries_are_summed_before_anything_is_judged() -> None:
    # stored 3 and -1 in one place: the matrix holds 2
    stored = np.array([3.0, -1.0, 20.0, 1.0]), np.array([0, 0, 1, 0]), np.array([0, 2, 3, 4])
    matrix = sparse.csr_matrix(stored, shape=(3, 2))
    assert pp.detect_state(matrix) == pp.detect_state(matrix.toarray()) == "counts"
