"""`DiffAug` among scikit-learn's estimators: its checks, pipelines, searches and pickles."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import TYPE_CHECKING

import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import estimator_checks
from sklearn.utils.estimator_checks import parametrize_with_checks
from sklearn.utils.validation import check_is_fitted

from diffaug_bio import DiffAug, DiffAugConfig
from diffaug_bio.errors import InputError
from diffaug_bio.model.codes import generate_codes

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

EXEMPT = {
    "check_dataframe_column_names_consistency": (
        "Features are matched by name: columns in another order, further ones and a few missing ones are "
        "embedded, where scikit-learn asks for an error. A matrix without names is taken to be in the "
        "order of the fit, without a warning, since AnnData's matrices have none."
    ),
}
"""Checks that cannot apply, and why; docs/sklearn.md lists them."""

FURTHER = [
    "check_dataframe_column_names_consistency",
    "check_get_feature_names_out_error",
    "check_global_output_transform_pandas",
    "check_inplace_ensure_writeable",
    "check_set_output_transform",
    "check_set_output_transform_pandas",
    "check_transformer_get_feature_names_out",
    "check_transformer_get_feature_names_out_pandas",
]
"""Checks that scikit-learn runs on its own transformers, and not in `check_estimator`."""

TINY = DiffAugConfig().replace(
    features={"n_components": 8},
    encoder={"n_latent": 3, "hidden": [8], "projector_hidden": [8], "n_projection": 4},
    generator={"width": 8, "n_blocks": 1, "n_steps": 20, "n_sampling_steps": 3},
    train={
        "warmup_epochs": 1,
        "generator_epochs": 1,
        "encoder_epochs": 1,
        "min_steps": 1,
        "batch_size": 32,
    },
)
WIDER = TINY.replace(encoder={"n_latent": 4})
Y = np.arange(60) % 2
X = np.random.default_rng(0).normal(size=(60, 6)) + 4 * Y[:, None]
NAMES = [f"protein {number}" for number in range(6)]


def tiny() -> DiffAug:
    return DiffAug(TINY, device="cpu")


def classifier() -> Pipeline:
    return make_pipeline(StandardScaler(), tiny(), LogisticRegression())


def exempt_of(_: DiffAug) -> dict[str, str]:
    return EXEMPT


@parametrize_with_checks([tiny()], expected_failed_checks=exempt_of)  # type: ignore[untyped-decorator]
def test_scikit_learns_checks_pass(estimator: DiffAug, check: Callable[[DiffAug], None]) -> None:
    check(estimator)


@pytest.mark.parametrize("name", [name for name in FURTHER if name not in EXEMPT])
def test_scikit_learns_checks_of_its_own_transformers_pass(name: str) -> None:
    getattr(estimator_checks, name)("DiffAug", tiny())


@pytest.mark.parametrize("name", EXEMPT)
def test_only_checks_that_fail_are_exempt(name: str) -> None:
    with pytest.raises(AssertionError):
        getattr(estimator_checks, name)("DiffAug", tiny())


def test_the_documentation_lists_exactly_what_is_exempt() -> None:
    text = (Path(__file__).parents[2] / "docs" / "sklearn.md").read_text(encoding="utf-8")
    rows = [line for line in text.splitlines() if line.startswith("| `check_")]
    assert rows == [f"| `{name}` | {reason} |" for name, reason in EXEMPT.items()]


def test_a_pipeline_fits_predicts_and_is_scored() -> None:
    pipeline = classifier().fit(X, Y)
    assert pipeline.predict(X).shape == (60,)
    scores = cross_val_score(clone(pipeline), X, Y, cv=3)
    assert scores.min() > 0.8  # the classes lie four deviations apart in every feature


def test_a_pipeline_gives_the_embedding_of_its_steps() -> None:
    scaled = StandardScaler().fit_transform(X)
    expected = tiny().fit(scaled).transform(scaled)
    np.testing.assert_array_equal(classifier()[:-1].fit_transform(X), expected)


def test_labels_that_are_passed_change_nothing() -> None:
    np.testing.assert_array_equal(tiny().fit(X, Y).transform(X), tiny().fit(X).transform(X))


@pytest.mark.parametrize(
    ("parameter", "values"),
    [("random_state", [0, 1]), ("config", [TINY, WIDER])],
    ids=["seed", "configuration"],
)
def test_parameters_are_searched(parameter: str, values: list[object]) -> None:
    name = f"diffaug__{parameter}"
    search = GridSearchCV(classifier(), {name: values}, cv=2, error_score="raise").fit(X, Y)
    assert len(search.cv_results_["mean_test_score"]) == 2
    assert search.best_params_[name] in values
    assert search.best_estimator_.named_steps["diffaug"].get_params()[parameter] in values


def test_parameters_of_a_step_are_set() -> None:
    pipeline = classifier().set_params(diffaug__random_state=3, diffaug__config=WIDER)
    params = clone(pipeline).get_params()
    assert (params["diffaug__random_state"], params["diffaug__config"]) == (3, WIDER)
    assert pipeline.fit(X, Y)[:-1].transform(X).shape == (60, 4)


def test_data_frames_come_out_where_they_are_asked_for() -> None:
    frame = pd.DataFrame(X, columns=NAMES, index=[f"mouse {number}" for number in range(60)])
    pipeline = classifier()[:-1].set_output(transform="pandas")
    embedded = pipeline.fit_transform(frame)
    assert list(embedded.columns) == ["diffaug_1", "diffaug_2", "diffaug_3"]
    assert list(embedded.index) == list(frame.index)
    assert set(embedded.dtypes) == {np.dtype(np.float32)}
    assert list(pipeline.named_steps["diffaug"].feature_names_in_) == NAMES
    assert list(pipeline.get_feature_names_out()) == list(embedded.columns)


def test_other_input_features_than_the_fits_are_refused() -> None:
    model = tiny().fit(X, feature_names=NAMES)
    with pytest.raises(InputError, match="input_features is not equal to feature_names_in_"):
        model.get_feature_names_out(NAMES[::-1])


def test_a_model_that_was_found_by_search_is_saved(tmp_path: Path) -> None:
    search = GridSearchCV(classifier(), {"diffaug__random_state": np.arange(2)}, cv=2).fit(X, Y)
    model = search.best_estimator_.named_steps["diffaug"]
    model.save(tmp_path / "model")
    again = DiffAug.load(tmp_path / "model", device="cpu")
    assert again.random_state == model.random_state
    same = DiffAug(TINY, device="cpu", random_state=int(model.random_state)).fit(X)
    np.testing.assert_array_equal(model.fit(X).transform(X), same.transform(X))
    for found, expected in zip(generate_codes(model, X), generate_codes(same, X), strict=True):
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("how", ["pickle", "joblib"])
def test_a_fitted_model_is_pickled(how: str, tmp_path: Path) -> None:
    model = tiny().fit(X)
    if how == "pickle":
        again = pickle.loads(pickle.dumps(model))
    else:
        joblib.dump(model, tmp_path / "model.joblib")
        again = joblib.load(tmp_path / "model.joblib")
    check_is_fitted(again)
    np.testing.assert_array_equal(again.transform(X), model.transform(X))
    np.testing.assert_array_equal(generate_codes(again, X)[1], generate_codes(model, X)[1])


def with_objects(value: object) -> NDArray[np.object_]:
    objects = X.astype(object)
    objects[3, 2] = value
    return objects


def test_numbers_in_objects_are_embedded_as_numbers() -> None:
    objects, plain = with_objects(None), X.copy()
    plain[3, 2] = np.nan
    np.testing.assert_array_equal(
        tiny().fit(objects).transform(objects), tiny().fit(plain).transform(plain)
    )


def test_missing_values_of_pandas_are_missing_values() -> None:
    frame = pd.DataFrame(X.round().astype(int), columns=NAMES).astype("Int64")
    plain = frame.to_numpy(np.float64)
    frame.iloc[3, 2], plain[3, 2] = pd.NA, np.nan
    np.testing.assert_array_equal(tiny().fit_transform(frame), tiny().fit_transform(plain))


@pytest.mark.parametrize(
    ("value", "kind"), [("high", InputError), ({"high": 1}, TypeError)], ids=["text", "dictionary"]
)
def test_objects_that_are_no_numbers_are_an_error(value: object, kind: type[Exception]) -> None:
    with pytest.raises(kind, match=r"Expected a matrix of real numbers"):
        tiny().fit(with_objects(value))
