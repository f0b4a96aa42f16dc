"""From a table made by hand to means, spreads, ranks, tests and gains."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from scipy.stats import wilcoxon

from diffaug_bio.benchmark import gains, summarise
from diffaug_bio.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable

    import pandas as pd

METRIC = "linear_probe"


def overall_of(scores: pd.DataFrame) -> pd.DataFrame:
    return summarise(scores, metrics=[METRIC]).overall.set_index("method")


def test_means_and_spreads_are_over_seeds_and_then_over_data(
    make_scores: Callable[..., pd.DataFrame],
) -> None:
    scores = make_scores(
        {
            METRIC: {
                "a": {"diffaug": [0.8, 0.9], "pca": [0.5, 0.5]},
                "b": {"diffaug": [0.4, 0.4], "pca": [0.7, 0.7]},
            }
        }
    )
    summary = summarise(scores, metrics=[METRIC])
    assert list(summary.by_data.columns) == ["metric", "data", "method", "mean", "spread", "n_seeds"]
    by_data = summary.by_data.set_index(["data", "method"])
    assert by_data.loc[("a", "diffaug"), "mean"] == pytest.approx(0.85)
    assert by_data.loc[("a", "diffaug"), "spread"] == pytest.approx(np.std([0.8, 0.9], ddof=1))
    assert by_data.loc[("b", "diffaug"), "spread"] == 0
    assert set(by_data["n_seeds"]) == {2}
    overall = summary.overall.set_index("method")
    assert overall.loc["diffaug", "mean"] == pytest.approx((0.85 + 0.4) / 2)
    assert overall.loc["pca", "mean"] == pytest.approx(0.6)
    assert list(overall["n_data"]) == [2, 2]


def test_one_seed_has_no_spread(make_scores: Callable[..., pd.DataFrame]) -> None:
    summary = summarise(make_scores({METRIC: {"a": {"diffaug": [0.8]}}}), metrics=[METRIC])
    assert summary.by_data["spread"].isna().all()


def test_a_method_that_lacks_a_seed_on_a_data_set_is_left_out_there(
    make_scores: Callable[..., pd.DataFrame],
) -> None:
    scores = make_scores(
        {
            METRIC: {
                "a": {"diffaug": [0.8, 0.9], "pca": [0.99]},
                "b": {"diffaug": [0.4, 0.4], "pca": [0.7, 0.7]},
            }
        }
    )
    overall = overall_of(scores)
    assert overall["n_data"].to_dict() == {"diffaug": 2, "pca": 1}
    assert overall.loc["pca", "mean"] == pytest.approx(0.7)
    assert overall["rank"].isna().to_dict() == {"diffaug": False, "pca": True}


def test_each_metric_has_its_own_rows(make_scores: Callable[..., pd.DataFrame]) -> None:
    scores = make_scores(
        {
            METRIC: {"a": {"diffaug": [0.8], "pca": [0.5]}},
            "knn_accuracy": {"a": {"diffaug": [0.3], "pca": [0.9]}},
            "width": {"a": {"diffaug": [64.0], "pca": [64.0]}},
        }
    )
    overall = summarise(scores, metrics=[METRIC, "knn_accuracy"]).overall
    assert list(overall["metric"]) == [METRIC, METRIC, "knn_accuracy", "knn_accuracy"]
    ranks = overall.set_index(["metric", "method"])["rank"]
    assert ranks.to_dict() == {
        (METRIC, "diffaug"): 1.0,
        (METRIC, "pca"): 2.0,
        ("knn_accuracy", "diffaug"): 2.0,
        ("knn_accuracy", "pca"): 1.0,
    }


def test_ties_share_the_mean_of_their_ranks(make_scores: Callable[..., pd.DataFrame]) -> None:
    scores = make_scores(
        {
            METRIC: {
                "a": {"diffaug": [0.9], "pca": [0.7], "raw": [0.7], "mask": [0.1]},
                "b": {"diffaug": [0.2], "pca": [0.5], "raw": [0.6], "mask": [0.4]},
            }
        }
    )
    rank = overall_of(scores)["rank"]
    assert rank.to_dict() == {"diffaug": 2.5, "pca": 2.25, "raw": 1.75, "mask": 3.5}


def test_labelled_methods_are_not_tested(make_scores: Callable[..., pd.DataFrame]) -> None:
    scores = make_scores(
        {METRIC: {f"d{i}": {"diffaug": [0.5], "same_label": [0.6 + 0.01 * i]} for i in range(8)}}
    )
    assert overall_of(scores).loc["same_label", ["difference", "won", "lost", "p"]].isna().all()


def test_labelled_and_incomplete_methods_have_no_rank_and_take_none(
    make_scores: Callable[..., pd.DataFrame],
) -> None:
    scores = make_scores(
        {
            METRIC: {
                "a": {"diffaug": [0.8], "same_label": [0.99], "pca_onehot": [0.95], "pca": [0.5]},
                "b": {"diffaug": [0.7], "same_label": [0.99], "pca": [0.6]},
            }
        }
    )
    overall = overall_of(scores)
    assert overall.loc[["diffaug", "pca"], "rank"].to_dict() == {"diffaug": 1.0, "pca": 2.0}
    assert overall.loc[["same_label", "pca_onehot"], "rank"].isna().all()
    assert overall["n_data"].to_dict() == {"diffaug": 2, "same_label": 2, "pca_onehot": 1, "pca": 2}
    row = overall.loc["pca_onehot"]
    assert (row["difference"], row["won"], row["lost"]) == pytest.approx((-0.15, 0, 1))


def test_the_test_is_that_of_scipy_over_data_sets(make_scores: Callable[..., pd.DataFrame]) -> None:
    rng = np.random.default_rng(0)
    ours, others = rng.uniform(0.4, 0.9, size=(7, 3)), rng.uniform(0.3, 0.8, size=(7, 3))
    names = [f"d{number}" for number in range(7)]
    scores = make_scores(
        {
            METRIC: {
                name: {"pca": list(other), "diffaug": list(our)}
                for name, our, other in zip(names, ours, others, strict=True)
            }
        }
    )
    row = overall_of(scores).loc["pca"]
    means, of_others = ours.mean(1), others.mean(1)
    assert row["p"] == pytest.approx(wilcoxon(means, of_others).pvalue)
    assert row["difference"] == pytest.approx((means - of_others).mean())
    assert row["won"] == (means > of_others).sum()
    assert row["lost"] == (means < of_others).sum()
    assert overall_of(scores).loc["diffaug", ["difference", "won", "lost", "p"]].isna().all()


@pytest.mark.parametrize(("n_data", "tested"), [(5, False), (6, True)], ids=["five", "six"])
def test_fewer_than_six_data_sets_are_not_tested(
    make_scores: Callable[..., pd.DataFrame], n_data: int, *, tested: bool
) -> None:
    scores = make_scores(
        {METRIC: {f"d{i}": {"diffaug": [0.5 + 0.01 * (i + 1)], "pca": [0.5]} for i in range(n_data)}}
    )
    row = overall_of(scores).loc["pca"]
    assert np.isnan(row["p"]) != tested
    assert (row["won"], row["lost"]) == (n_data, 0)


def test_equal_scores_do_not_count_as_tested(make_scores: Callable[..., pd.DataFrame]) -> None:
    values = {f"d{i}": {"diffaug": [0.5 + 0.01 * min(i, 5)], "pca": [0.5]} for i in range(6)}
    row = overall_of(make_scores({METRIC: values})).loc["pca"]
    assert np.isnan(row["p"])  # five differ
    assert (row["won"], row["lost"]) == (5, 0)


def test_equal_scores_are_not_tested(make_scores: Callable[..., pd.DataFrame]) -> None:
    scores = make_scores({METRIC: {f"d{i}": {"diffaug": [0.5], "pca": [0.5]} for i in range(8)}})
    row = overall_of(scores).loc["pca"]
    assert (row["difference"], row["won"], row["lost"]) == (0, 0, 0)
    assert np.isnan(row["p"])


def test_a_table_without_diffaug_has_no_tests(make_scores: Callable[..., pd.DataFrame]) -> None:
    overall = overall_of(make_scores({METRIC: {"a": {"pca": [0.5], "raw": [0.6]}}}))
    assert overall["rank"].to_dict() == {"pca": 2.0, "raw": 1.0}
    assert overall[["difference", "won", "lost", "p"]].isna().all(axis=None)


def test_an_unknown_metric_is_an_error_that_lists_those_there(
    make_scores: Callable[..., pd.DataFrame],
) -> None:
    scores = make_scores({METRIC: {"a": {"pca": [0.5]}}, "knn_accuracy": {"a": {"pca": [0.5]}}})
    with pytest.raises(InputError, match=r"no metric 'f1_score'; it holds knn_accuracy, linear_probe\."):
        summarise(scores, metrics=["f1_score"])


def test_a_gain_has_to_be_large_and_the_same_with_every_seed(
    make_scores: Callable[..., pd.DataFrame],
) -> None:
    scores = make_scores(
        {
            METRIC: {
                "helped": {"diffaug": [0.9, 0.8], "mask": [0.8, 0.79]},
                "hurt": {"diffaug": [0.5, 0.6], "mask": [0.6, 0.61]},
                "mixed": {"diffaug": [0.9, 0.5], "mask": [0.8, 0.51]},
                "tiny": {"diffaug": [0.501, 0.501], "mask": [0.5, 0.5]},
                "alone": {"diffaug": [0.9, 0.9]},
            }
        }
    )
    table = gains(scores, against="mask", metric=METRIC)
    assert list(table.columns) == ["data", "gain", "lowest", "highest", "verdict"]
    assert dict(zip(table["data"], table["verdict"], strict=True)) == {
        "helped": "helps",
        "hurt": "hurts",
        "mixed": "no difference",
        "tiny": "no difference",
    }
    rows = {row["data"]: row for row in table.to_dict("records")}
    for name, expected in (("helped", (0.055, 0.01, 0.1)), ("hurt", (-0.055, -0.1, -0.01))):
        row = rows[name]
        assert (row["gain"], row["lowest"], row["highest"]) == pytest.approx(expected)


def test_gains_pair_seeds_that_both_ran_with(make_scores: Callable[..., pd.DataFrame]) -> None:
    scores = make_scores({METRIC: {"a": {"diffaug": [0.9, 0.1, 0.9], "mask": [0.5, 0.05]}}})
    table = gains(scores, against="mask", metric=METRIC)
    [row] = table.to_dict("records")
    assert (row["gain"], row["lowest"], row["highest"]) == pytest.approx((0.225, 0.05, 0.4))


def test_one_seed_gives_no_verdict(make_scores: Callable[..., pd.DataFrame]) -> None:
    scores = make_scores({METRIC: {"a": {"diffaug": [0.9], "mask": [0.5]}}})
    assert list(gains(scores, against="mask", metric=METRIC)["verdict"]) == ["one seed"]


@pytest.mark.parametrize(
    ("against", "metric", "message"),
    [
        ("mask", "f1_score", r"no metric 'f1_score'; it holds linear_probe\."),
        ("byol", METRIC, r"no method 'byol'; it holds diffaug, mask\."),
    ],
    ids=["metric", "method"],
)
def test_gains_over_what_is_not_there_are_an_error(
    make_scores: Callable[..., pd.DataFrame], against: str, metric: str, message: str
) -> None:
    scores = make_scores({METRIC: {"a": {"diffaug": [0.9], "mask": [0.5]}}})
    with pytest.raises(InputError, match=message):
        gains(scores, against=against, metric=metric)
    with pytest.raises(InputError, match=r"no method 'diffaug'"):
        gains(scores[scores["method"] == "mask"], against="mask", metric=METRIC)
