"""Which observations new ones are made from."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from diffaug_bio.choose.sources import Sources, choose_sources
from diffaug_bio.errors import InputError


def frame(*sizes: int, missing: int = 0) -> pd.DataFrame:
    """Classes a, b and so on of these sizes, mixed, and rows without one."""
    names: list[str | None] = [chr(97 + number) for number, size in enumerate(sizes) for _ in range(size)]
    names += [None] * missing
    order = np.random.default_rng(0).permutation(len(names))
    categories = [*sorted({name for name in names if name}), "unused"]
    kind = pd.Categorical([names[place] for place in order], categories=categories)
    return pd.DataFrame({"kind": kind}, index=[f"r{number}" for number in range(len(names))])


def choose(obs: pd.DataFrame, **options: Any) -> list[Sources]:
    given = {"n_views": None, "groupby": None, "target": None, "seed": 0, "row_bytes": 8.0, **options}
    return choose_sources(obs, **given)


def sizes_after(obs: pd.DataFrame, sources: Sources) -> dict[str, int]:
    both = pd.concat([obs["kind"], obs["kind"].iloc[sources.rows]])
    counted = both.astype(object).value_counts()
    return {str(name): int(size) for name, size in counted.items()}


def test_views_are_of_all_rows_in_turn() -> None:
    for given, n_views in ((None, 1), (3, 3), (np.int64(2), 2)):
        parts = choose(frame(2, 3), n_views=given)
        assert len(parts) == n_views
        for view, part in enumerate(parts):
            np.testing.assert_array_equal(part.rows, np.arange(5))
            np.testing.assert_array_equal(part.views, np.full(5, view))


def test_classes_reach_the_size_that_is_asked_for_and_larger_ones_are_left() -> None:
    obs = frame(40, 7, 1, 25, missing=6)
    (part,) = choose(obs, groupby="kind", target=25)
    assert sizes_after(obs, part) == {"a": 40, "b": 25, "c": 25, "d": 25}
    assert set(obs["kind"].iloc[part.rows]) == {"b", "c"}


def test_without_a_target_it_is_the_median_of_the_classes() -> None:
    obs = frame(40, 7, 1, 20)
    (part,) = choose(obs, groupby="kind")
    assert sizes_after(obs, part) == {"a": 40, "b": 13, "c": 13, "d": 20}


def test_each_member_of_a_class_is_a_source_about_as_often_as_the_others() -> None:
    obs = frame(50, 7, 3)
    (part,) = choose(obs, groupby="kind", target=50)
    for name, n_members in (("b", 7), ("c", 3)):
        of_class = part.rows[(obs["kind"].iloc[part.rows] == name).to_numpy()]
        _, times = np.unique(of_class, return_counts=True)
        assert len(times) == n_members
        assert times.max() - times.min() <= 1
    # Of each source, which time it is one tells its rows apart.
    pairs = set(zip(part.rows.tolist(), part.views.tolist(), strict=True))
    assert len(pairs) == len(part.rows)


def test_which_are_sources_once_more_depends_on_the_seed_alone() -> None:
    obs = frame(50, 30)
    first, again, other = (choose(obs, groupby="kind", seed=seed)[0] for seed in (0, 0, 1))
    assert len(first.rows) == 10
    np.testing.assert_array_equal(first.rows, again.rows)
    assert set(first.rows.tolist()) != set(other.rows.tolist())


@pytest.mark.parametrize(
    "values",
    [[1, 1, 1, 2, np.nan], [True, True, True, False, None], pd.array(["x", "x", "x", "y", None], "string")],
    ids=["numbers", "booleans", "strings"],
)
def test_classes_of_any_type_are_balanced_and_missing_ones_left_out(values: Any) -> None:
    obs = pd.DataFrame({"kind": values})
    (part,) = choose(obs, groupby="kind", target=3)
    np.testing.assert_array_equal(part.rows, [3, 3])


@pytest.mark.parametrize("is_categorical", [False, True])
def test_numbers_and_their_texts_are_one_class(*, is_categorical: bool) -> None:
    values = pd.Series([1, "1", 1, "1", 2, None], dtype=object)
    values = values.astype("category") if is_categorical else values
    (part,) = choose(pd.DataFrame({"kind": values}), groupby="kind", target=4)
    np.testing.assert_array_equal(part.rows, [4, 4, 4])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_views": 0}, r"`n_views` has to be a whole number of at least 1, got 0"),
        ({"groupby": "kind", "target": 2.5}, r"`target` has to be a whole number of at least 1, got 2\.5"),
        ({"groupby": "kind", "target": True}, r"`target` has to be a whole number"),
        ({"target": 5}, r"`target` is the size of classes: name their column"),
        (
            {"n_views": 1, "groupby": "kind"},
            r"`n_views` .* or `groupby` .*, not both",
        ),
        ({"groupby": "sort"}, r"'sort' in `\.obs`.*'kind'"),
        (
            {"groupby": "kind", "target": 3},
            r"have 3 observations or more \(the smallest 3\).*larger `target`",
        ),
    ],
    ids=["no-views", "part", "bool", "no-column", "both", "unknown", "nothing-to-do"],
)
def test_what_cannot_be_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        choose(frame(4, 3), **options)


@pytest.mark.parametrize(
    "options",
    [
        {"n_views": 10**8},
        {"n_views": 10**20},
        {"n_views": np.int64(2**62)},
        {"groupby": "kind", "target": 10**8},
        {"groupby": "kind", "target": 10**20},
        {"n_views": 1000, "row_bytes": 1e10},
    ],
)
def test_more_than_a_machine_holds_is_refused_before_it_is_made(options: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=r"new observations of about .* GB"):
        choose(frame(4, 3), **options)


def test_a_column_without_any_class_is_refused() -> None:
    with pytest.raises(InputError, match=r"No observation has a class in `\.obs\['kind'\]`"):
        choose(frame(missing=4), groupby="kind")
