"""Preparation steps of recipes."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

import anndata
import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.decomposition import PCA
from sklearn.preprocessing import MinMaxScaler, minmax_scale

from diffaug_bio.datasets.steps import STEPS
from diffaug_bio.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable

    from anndata import AnnData

FORMATS = pytest.mark.parametrize(
    "as_format",
    [np.asarray, sparse.csr_matrix, sparse.csc_matrix, sparse.csr_array],
    ids=lambda f: f.__name__,
)
COUNTS = np.array([[0, 1, 2, 0], [3, 0, 0, 0], [0, 5, 1, 0], [0, 0, 0, 0], [1, 1, 1, 0]], np.float32)


def make(matrix: Any, **obs: Any) -> AnnData:
    """Put a matrix into an AnnData."""
    rows = [f"row{number}" for number in range(matrix.shape[0])]
    columns = [f"f{number}" for number in range(matrix.shape[1])]
    return anndata.AnnData(X=matrix, obs=pd.DataFrame(obs, index=rows), var=pd.DataFrame(index=columns))


def dense(adata: AnnData) -> np.ndarray:
    return np.asarray(adata.X.toarray() if sparse.issparse(adata.X) else adata.X)


def test_every_step_takes_an_anndata_and_keywords() -> None:
    for name, step in STEPS.items():
        assert step.__name__ == name
        first, *others = inspect.signature(step).parameters.values()
        assert first.name == "adata"
        assert all(parameter.kind is parameter.KEYWORD_ONLY for parameter in others)


@FORMATS
def test_features_are_counted_where_they_are_not_zero(as_format: Callable[[Any], Any]) -> None:
    kept = STEPS["keep_features_seen_in"](make(as_format(COUNTS)), more_than=2)
    assert list(kept.var_names) == ["f1", "f2"]  # in 3 rows each, the first in 2
    np.testing.assert_array_equal(dense(kept), COUNTS[:, 1:3])


def test_missing_values_and_stored_zeros_are_not_seen() -> None:
    values = np.array([[np.nan, 1], [1, 1], [np.nan, 1]], np.float32)
    assert list(STEPS["keep_features_seen_in"](make(values), more_than=1).var_names) == ["f1"]
    stored = sparse.csr_matrix((np.array([0.0, 1, 1, np.nan]), ([0, 1, 0, 1], [0, 0, 1, 1])), shape=(2, 2))
    stored.data[0] = 0
    assert STEPS["keep_features_seen_in"](make(stored), more_than=0).n_vars == 2
    with pytest.raises(InputError, match=r"more than 1 of the 2 rows"):
        STEPS["keep_features_seen_in"](make(stored), more_than=1)
    with pytest.raises(InputError, match=r"`more_than` .*-1"):
        STEPS["keep_features_seen_in"](make(stored), more_than=-1)


@FORMATS
@pytest.mark.parametrize("dtype", [np.float64, np.int64, np.uint8])
def test_values_are_divided(as_format: Callable[[Any], Any], dtype: type) -> None:
    divided = STEPS["divide"](make(as_format(COUNTS.astype(dtype))), by=8)
    np.testing.assert_array_equal(dense(divided), COUNTS / 8)
    assert divided.X.dtype == np.float32
    assert sparse.issparse(divided.X) == (as_format is not np.asarray)


def test_division_by_zero_is_refused() -> None:
    with pytest.raises(InputError, match=r"`by` is 0"):
        STEPS["divide"](make(COUNTS), by=0.0)


def eighths(seed: int) -> np.ndarray:
    """A matrix of few whole eighths, some of its columns constant."""
    rng = np.random.default_rng(seed)
    shape = tuple(rng.integers(1, 7, 2))
    values = rng.integers(-8000, 8000, shape) * rng.integers(0, 2, shape[1]) / 8
    return np.asarray(values, np.float32)


@pytest.mark.parametrize("is_sparse", [False, True])
@pytest.mark.parametrize("seed", range(10))
def test_range_of_features_is_that_of_scikit_learn(seed: int, is_sparse: bool) -> None:  # noqa: FBT001
    values = eighths(seed)
    low, width = np.random.default_rng(seed).uniform((-5, 0.125), 5)
    matrix = sparse.csr_matrix(values) if is_sparse else values.copy()
    scaled = STEPS["min_max"](make(matrix), low=low, high=low + width).X
    expected = MinMaxScaler((low, low + width)).fit_transform(values.astype(np.float64))
    np.testing.assert_allclose(scaled, expected, atol=1e-5 * (abs(low) + width))
    assert scaled.dtype == np.float32
    assert np.float32(low) <= scaled.min() <= scaled.max() <= np.float32(low + width)


@pytest.mark.parametrize("seed", range(10))
def test_range_of_the_matrix_keeps_features_comparable(seed: int) -> None:
    values = eighths(seed)
    scaled = STEPS["min_max"](make(values.copy()), over="matrix").X
    expected = minmax_scale(values.astype(np.float64).ravel()).reshape(values.shape)
    np.testing.assert_allclose(scaled, expected, atol=1e-5)


def test_missing_values_stay_and_constants_become_the_lower_end() -> None:
    values = np.array([[np.nan, 2, np.nan], [0, 2, np.nan], [4, 2, np.nan]], np.float32)
    scaled = STEPS["min_max"](make(values), low=-1).X
    np.testing.assert_array_equal(scaled, [[np.nan, -1, np.nan], [-1, -1, np.nan], [1, -1, np.nan]])


def test_pixels_get_a_range() -> None:
    pixels = np.array([[0, 255], [51, 0]], np.uint8)
    np.testing.assert_allclose(STEPS["min_max"](make(pixels), over="matrix").X, [[0.0, 1.0], [0.2, 0.0]])


@pytest.mark.parametrize(
    ("values", "keywords", "message"),
    [
        (COUNTS, {"low": 1.0, "high": 1.0}, r"`high` .*`low`"),
        (np.array([[np.inf, 1.0], [1, 2]]), {}, "infinite"),
    ],
    ids=["empty range", "infinite"],
)
def test_what_has_no_range_is_refused(values: np.ndarray, keywords: dict[str, float], message: str) -> None:
    with pytest.raises(InputError, match=message):
        STEPS["min_max"](make(values), **keywords)


@FORMATS
def test_components_are_those_of_scikit_learn(as_format: Callable[[Any], Any]) -> None:
    values = np.random.default_rng(0).normal(size=(30, 8)) * np.arange(1, 9) + 5
    adata = make(as_format(values), label=list("abc") * 10)
    prepared = STEPS["principal_components"](adata, n=3)
    expected = PCA(3, svd_solver="full").fit_transform(values)
    np.testing.assert_allclose(np.abs(prepared.X), np.abs(expected), rtol=1e-4, atol=1e-4)
    assert list(prepared.var_names) == ["PC1", "PC2", "PC3"]
    assert list(prepared.obs_names) == list(adata.obs_names)
    assert list(prepared.obs["label"]) == list(adata.obs["label"])
    assert prepared.X.dtype == np.float32


@pytest.mark.parametrize("is_sparse", [False, True])
@pytest.mark.parametrize("n", [2, 6])
def test_wide_tables_have_the_same_components(
    monkeypatch: pytest.MonkeyPatch,
    n: int,
    is_sparse: bool,  # noqa: FBT001
) -> None:
    values = np.random.default_rng(0).normal(size=(6, 9))
    adata = make(sparse.csr_matrix(values) if is_sparse else values)
    few = STEPS["principal_components"](adata, n=n).X
    monkeypatch.setattr("diffaug_bio.datasets.steps._FEW_FEATURES", 8)
    np.testing.assert_allclose(np.abs(STEPS["principal_components"](adata, n=n).X), np.abs(few), atol=1e-4)


def test_what_has_no_components_is_refused() -> None:
    with pytest.raises(InputError, match=r"5 rows of 4 features have 1 to 4 components, not 5"):
        STEPS["principal_components"](make(COUNTS), n=5)
    with pytest.raises(InputError, match="missing or infinite"):
        STEPS["principal_components"](make(np.array([[1.0, np.nan], [2, 3]])), n=1)


@pytest.mark.parametrize("labels", [list("aabbbc"), [1, 1, 2, 2, 2, 3]], ids=["text", "numbers"])
@pytest.mark.parametrize("is_categorical", [True, False])
def test_small_classes_are_dropped(labels: list[Any], is_categorical: bool) -> None:  # noqa: FBT001
    column = pd.Categorical(labels) if is_categorical else labels
    kept = STEPS["drop_small_classes"](make(np.eye(6), label=column), key="label", min_obs=2)
    assert list(kept.obs["label"]) == labels[:5]
    assert list(kept.obs_names) == [f"row{number}" for number in range(5)]
    if is_categorical:
        assert list(kept.obs["label"].cat.categories) == sorted(set(labels[:5]))


def test_rows_without_a_class_are_dropped() -> None:
    adata = make(np.eye(4), label=["a", None, "a", np.nan])
    assert list(STEPS["drop_small_classes"](adata, key="label", min_obs=1).obs_names) == ["row0", "row2"]
    with pytest.raises(InputError, match=r"No class in `.obs\['label'\]` has 3 rows; the largest has 2"):
        STEPS["drop_small_classes"](adata, key="label", min_obs=3)


def test_values_that_stay_on_disk_are_refused() -> None:
    adata = anndata.AnnData(X=None, obs=pd.DataFrame(index=list("xyz")), shape=(3, 5))
    with pytest.raises(InputError, match=r"'divide' .*disk"):
        STEPS["divide"](adata, by=2.0)


def test_labels_get_other_names() -> None:
    adata = make(np.eye(4), label=pd.Categorical([1, 2, 3, None]))
    renamed = STEPS["rename_labels"](adata, key="label", old=("1", "3", "9"), new=("ery", "ery", "neu"))
    assert list(renamed.obs["label"][:3]) == ["ery", "2", "ery"]
    assert renamed.obs["label"].isna().tolist() == [False, False, False, True]
    assert isinstance(renamed.obs["label"].dtype, pd.CategoricalDtype)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (("a",), ("b", "c"), r"`old` lists 1 values, `new` 2 names"),
        (("a", "a"), ("b", "c"), r"1 values in `old` occur more than once: 'a'"),
        (("x",), ("b",), r"No row has 'x' in `.obs\['label'\]`; it holds 'a', 'b'"),
    ],
    ids=["lengths", "twice", "none there"],
)
def test_names_that_do_not_fit_are_refused(old: tuple[str], new: tuple[str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        STEPS["rename_labels"](make(np.eye(2), label=["a", "b"]), key="label", old=old, new=new)


@pytest.mark.parametrize(
    ("step", "keywords"),
    [
        ("drop_small_classes", {"min_obs": 1}),
        ("rename_labels", {"old": ("a",), "new": ("b",)}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_missing_column_is_named(step: str, keywords: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=r"There is no column 'cell' in `.obs`; it holds 'label'"):
        STEPS[step](make(np.eye(2), label=["a", "b"]), key="cell", **keywords)


@pytest.mark.filterwarnings("ignore:Observation names are not unique")
def test_rows_are_numbered() -> None:
    adata = anndata.AnnData(X=np.eye(2), obs=pd.DataFrame(index=["same", "same"]))
    assert list(STEPS["number_rows"](adata).obs_names) == ["0", "1"]
