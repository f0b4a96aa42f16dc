"""Summary of the table of a benchmark: means, spreads, ranks, tests and gains."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from diffaug_bio.benchmark._methods import METHODS
from diffaug_bio.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

MAIN_METRICS = ("linear_probe", "knn_accuracy", "kmeans_nmi", "leiden_nmi")
"""Metrics that methods are compared by on data with classes, the first before all."""
NUMBER_METRICS = ("linear_r2", "knn_r2")
"""Metrics that methods are compared by on data with a number as label, such as age."""
_NEUTRAL = 0.002  # a mean difference up to this is called no difference
_TESTABLE = 6  # fewer pairs that differ cannot reach p < 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """Condensed results; scores are fractions, not percent."""

    by_data: pd.DataFrame
    """Columns metric, data, method, mean, spread (standard deviation over seeds, nan for a single seed) and
    n_seeds. A method that lacks a seed on a data set is left out there."""
    overall: pd.DataFrame
    """Columns metric, method, n_data, mean (over data sets) and rank (mean over data sets among the
    unlabelled methods that ran on all of them, nan for others). Columns difference (of means), won, lost
    and p (Wilcoxon's signed-rank test, nan below six data sets) compare DiffAug with the method, over the
    data sets that both ran on."""


def by_label_kind(scores: pd.DataFrame) -> list[tuple[tuple[str, ...], pd.DataFrame]]:
    """Part the table of a benchmark into data with classes and data with a number; leave out empty parts.

    Returns the metrics to compare by, and the rows of the table.
    """
    parts: list[tuple[tuple[str, ...], pd.DataFrame]] = []
    for names in (MAIN_METRICS, NUMBER_METRICS):
        data = scores.loc[scores["metric"] == names[0], "data"].unique()
        if len(data):
            parts.append((names, scores[scores["data"].isin(data)]))
    return parts


def chance_levels(scores: pd.DataFrame, metric: str) -> pd.Series:
    """Return the mean chance level of a metric for each data set whose level is in the table."""
    return scores[scores["metric"] == f"chance_{metric}"].groupby("data", sort=False)["value"].mean()


def summarise(scores: pd.DataFrame, *, metrics: Sequence[str] | None = None) -> Summary:
    """Condense the table of a benchmark.

    Parameters
    ----------
    scores
        Table of :func:`run`, or `results.csv`.
    metrics
        Metrics to keep; if left out, the main ones, those of classes and those of numbers.

    Raises
    ------
    InputError
        If a metric is not in the table.
    """
    import pandas as pd

    known = set(scores["metric"])
    if metrics is None:
        metrics = [name for names, _ in by_label_kind(scores) for name in names] or MAIN_METRICS
    if unknown := [name for name in metrics if name not in known]:
        msg = f"The table has no metric {unknown[0]!r}; it holds {', '.join(sorted(known))}."
        raise InputError(msg)
    chosen = scores[scores["metric"].isin(list(metrics))]
    cells = chosen.groupby(["metric", "data", "method"], sort=False)["value"]
    by_data = cells.agg(mean="mean", spread="std", n_seeds="size").reset_index()
    # Where a seed is missing because its run failed, the mean is not comparable.
    by_data = by_data[by_data["n_seeds"] == by_data["n_seeds"].max()].reset_index(drop=True)
    parts = []
    for metric in metrics:
        means = by_data[by_data["metric"] == metric].pivot_table(
            index="method", columns="data", values="mean", sort=False
        )
        table = pd.DataFrame({"n_data": means.notna().sum(axis=1), "mean": means.mean(axis=1)})
        table = table.join(_mean_ranks(means)).join(_paired_tests(means))
        parts.append(table.rename_axis("method").reset_index().assign(metric=metric))
    return Summary(by_data=by_data, overall=pd.concat(parts, ignore_index=True))


def gains(scores: pd.DataFrame, *, against: str, metric: str) -> pd.DataFrame:
    """Compare DiffAug with another method on each data set, seed by seed.

    Parameters
    ----------
    scores
        Table of :func:`run`.
    against, metric
        Other method, and score to compare.

    Returns
    -------
    Columns data, gain (DiffAug minus the other method, mean over seeds), lowest and highest over seeds, and
    verdict: `"helps"` or `"hurts"` where the gain is beyond 0.2 points and has the same sign for every
    seed, else `"no difference"`; `"one seed"` where there is only one.

    Raises
    ------
    InputError
        If the metric, the other method or DiffAug is not in the table.
    """
    import pandas as pd

    for column, name in (("metric", metric), ("method", against), ("method", "diffaug")):
        if name not in set(scores[column]):
            msg = f"The table has no {column} {name!r}; it holds {', '.join(sorted(set(scores[column])))}."
            raise InputError(msg)
    wide = scores[scores["metric"] == metric].pivot_table(
        index=["data", "seed"], columns="method", values="value", sort=False
    )
    both = wide.dropna(subset=["diffaug", against])
    difference = (both["diffaug"] - both[against]).groupby(level="data", sort=False)
    table = pd.DataFrame(
        {"gain": difference.mean(), "lowest": difference.min(), "highest": difference.max()}
    )
    helps = (table["gain"] > _NEUTRAL) & (table["lowest"] > 0)
    hurts = (table["gain"] < -_NEUTRAL) & (table["highest"] < 0)
    single = difference.size() < 2
    table["verdict"] = np.select([single, helps, hurts], ["one seed", "helps", "hurts"], "no difference")
    return table.reset_index()


def _mean_ranks(means: pd.DataFrame) -> pd.Series:
    """Return the mean rank over data sets (1 is best) of unlabelled methods that ran on all of them."""
    complete = means.notna().all(axis=1)
    ranked = [name for name in means.index[complete] if not METHODS[name].is_labelled]
    return means.loc[ranked].rank(ascending=False).mean(axis=1).rename("rank")


def _paired_tests(means: pd.DataFrame) -> pd.DataFrame:
    """Compare DiffAug with each other unlabelled method over the data sets that both ran on."""
    import pandas as pd
    from scipy.stats import wilcoxon

    rows: dict[str, dict[str, float]] = {}
    compared = [name for name in means.index if name != "diffaug" and not METHODS[name].is_labelled]
    for name in compared if "diffaug" in means.index else []:
        pairs = means.loc[["diffaug", name]].dropna(axis=1)
        difference = pairs.loc["diffaug"].to_numpy() - pairs.loc[name].to_numpy()
        testable = np.count_nonzero(difference) >= _TESTABLE
        if len(difference):
            rows[name] = {
                "difference": float(difference.mean()),
                "won": float((difference > 0).sum()),
                "lost": float((difference < 0).sum()),
                "p": float(wilcoxon(difference).pvalue) if testable else np.nan,
            }
    columns = ["difference", "won", "lost", "p"]
    return pd.DataFrame.from_dict(rows, orient="index", columns=None if rows else columns)
