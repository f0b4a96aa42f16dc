"""Results of a benchmark as sections: tables of means, gains, data sets and generated rows."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from diffaug_bio.benchmark._methods import METHODS
from diffaug_bio.benchmark._summary import by_label_kind, chance_levels, gains, summarise
from diffaug_bio.document import Cell, Messages, Section, Table, markdown

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import pandas as pd

    from diffaug_bio.benchmark._result import BenchmarkResult

_TITLES = {
    "linear_probe": "Linear probe",
    "knn_accuracy": "Nearest neighbours",
    "kmeans_nmi": "k-means NMI",
    "leiden_nmi": "Leiden NMI",
    "linear_r2": "Linear regression, R2",
    "knn_r2": "Nearest neighbours, R2",
}
_NAMES = {"linear_probe": "linear probe", "linear_r2": "linear regression"}
_QUALITY = {
    "label_kept": ("Label kept", "as real rows"),
    "label_kept_real": ("Label kept, real rows", ""),
    "cosine_generated": ("Cosine similarity", "high, below 1"),
    "cosine_mixup": ("of mixup", ""),
    "cosine_feature_swap": ("of feature swap", ""),
    "source_distance": ("Distance", "about 1"),
    "ks_mean": ("KS distance", "0"),
    "real_or_generated": ("Told apart", "0.5"),
    "memorised": ("Memorised", "0"),
}
_COMPARED = ("mask", "no_generator")
_CHANCE = "Chance, without knowing any row"


def overview(result: BenchmarkResult) -> str:
    """Write means, ranks and tests of all methods as Markdown.

    Parameters
    ----------
    result
        Results of a benchmark.
    """
    return markdown(_overviews(result.scores)).removeprefix("## Overview\n\n")


def report(result: BenchmarkResult) -> str:
    """Write all tables of a benchmark as Markdown, the content of `summary.md`.

    Parameters
    ----------
    result
        Results of a benchmark.
    """
    return f"# Benchmark\n\n{markdown(sections(result))}"


def sections(result: BenchmarkResult, *, n_obs: Mapping[str, int] | None = None) -> tuple[Section, ...]:
    """Put the results of a benchmark into tables.

    Parameters
    ----------
    result
        Results of a benchmark.
    n_obs
        Number of rows of each data set, for the captions.

    Returns
    -------
    Overview of all methods, of data with classes and of data with a number as label; gains by generated
    positives; a table for each data set; quality of generated rows; methods that were left out or failed.
    Sections without content are left out.
    """
    scores = result.scores
    return tuple(
        section
        for section in (
            *_overviews(scores),
            _gains(scores),
            _by_data(scores, n_obs or {}),
            _generated(scores),
            _missing(result),
        )
        if section.blocks
    )


def _overviews(scores: pd.DataFrame) -> list[Section]:
    """Tabulate all methods on data with classes, and on data with a number as label."""
    first, *others = by_label_kind(scores)
    return [
        _overview(first[1], first[0]),
        *(
            replace(_overview(part, metrics), key="numbers", title="Data with a number as label")
            for metrics, part in others
        ),
    ]


def _overview(scores: pd.DataFrame, metrics: Sequence[str]) -> Section:
    """Tabulate means and ranks over data sets, and DiffAug against each method."""
    overall = summarise(scores, metrics=metrics).overall
    held = {
        (str(one["metric"]), str(one["method"])): {str(name): value for name, value in one.items()}
        for one in overall.to_dict("records")
    }
    n_data, n_seeds = scores["data"].nunique(), scores["seed"].nunique()
    names = [method for metric, method in held if metric == metrics[0]]
    probe = {name: held[metrics[0], name] for name in names}
    # Means over fewer data sets do not compare: such methods come last.
    names.sort(key=lambda name: (-probe[name]["n_data"], -probe[name]["mean"]))
    varies = n_data > 1 or n_seeds > 1  # one data set with one seed says nothing about chance
    ranked = [name for name in names if probe[name]["n_data"] == n_data and varies]
    best = _best(ranked, {(name, metric): one["mean"] for (metric, name), one in held.items()}, metrics)
    rows = []
    for name in names:
        n_ran = int(probe[name]["n_data"])
        means = [
            Cell(
                text=_percent(held[metric, name]["mean"]),
                notes=_known(held[metric, name]["rank"], "rank {:.1f}"),
                mark="best" if (name, metric) in best else "",
            )
            for metric in metrics
        ]
        title = Cell(
            text=METHODS[name].title,
            notes=() if n_ran == n_data else (f"{n_ran} of {n_data} data sets",),
        )
        duel = [Cell(text=""), Cell(text="")]
        if not math.isnan(probe[name]["difference"]):
            won_lost = f"{probe[name]['won']:.0f}-{probe[name]['lost']:.0f}"
            duel = [Cell(text=won_lost), Cell(text="".join(_known(probe[name]["p"], "{:.3f}")))]
        rows.append((title, *means, *duel))
    rows += [(*levels, Cell(text=""), Cell(text="")) for levels in _chance_row(scores, metrics)]
    return Section(
        key="overview",
        title="Overview",
        lead=(
            f"Data sets: {n_data}, seeds: {n_seeds}. Scores are means over data sets in percent; higher is "
            "better. Ranks are means over data sets among the unlabelled methods that ran on all of them "
            "(1 is best)."
        ),
        blocks=(
            _table(
                "All methods; the best unlabelled one of each column is bold"
                if varies
                else "All methods; with one data set and one seed, differences may be chance",
                ("Method", *(_TITLES[metric] for metric in metrics), "Won-lost", "p"),
                rows,
                f"Won-lost: number of data sets on which the {_NAMES[metrics[0]]} of DiffAug is better and "
                "worse than that of the method. p: Wilcoxon's signed-rank test over data sets (from six "
                "on).",
            ),
        ),
    )


def _gains(scores: pd.DataFrame) -> Section:
    """Tabulate the difference of DiffAug to training without generated positives, by data set."""
    present = set(scores["method"])
    compared = [name for name in _COMPARED if {name, "diffaug"} <= present]
    return Section(
        key="gains",
        title="Gains by generated positives",
        lead=(
            "Scores of DiffAug minus those of the other method, in points, for the same number of encoder "
            "steps. A gain helps or hurts where the mean is beyond 0.2 points and all seeds agree."
        ),
        blocks=tuple(
            _gain_table(part, name, metrics)
            for metrics, part in by_label_kind(scores)
            for name in compared
            if name in set(part["method"])
        ),
    )


def _gain_table(scores: pd.DataFrame, against: str, metrics: Sequence[str]) -> Table:
    tables = [gains(scores, against=against, metric=metric).set_index("data") for metric in metrics]
    rows = [
        (
            Cell(text=str(name), is_code=True),
            *(
                Cell(text=f"{100 * table.loc[name, 'gain']:+.1f}", notes=(table.loc[name, "verdict"],))
                for table in tables
            ),
        )
        for name in tables[0].index
    ]
    means = [Cell(text=f"{100 * table['gain'].mean():+.2f}") for table in tables]
    return _table(
        f"DiffAug minus {METHODS[against].title}",
        ("Data set", *(_TITLES[metric] for metric in metrics)),
        [*rows, (Cell(text="Mean"), *means)],
    )


def _by_data(scores: pd.DataFrame, n_obs: Mapping[str, int]) -> Section:
    """Tabulate all methods on each data set."""
    several = scores["seed"].nunique() > 1
    tables = [
        _data_table(str(name), one, metrics, n_obs, several=several)
        for metrics, part in by_label_kind(scores)
        for name, one in part.groupby("data", sort=False)
    ]
    return Section(
        key="data",
        title="Each data set",
        lead="Means over seeds in percent, with ± their standard deviation."
        if several
        else "Scores in percent with one seed: differences may be chance.",
        blocks=tuple(tables),
    )


def _data_table(
    name: str, scores: pd.DataFrame, metrics: Sequence[str], n_obs: Mapping[str, int], *, several: bool
) -> Table:
    """Tabulate all methods on one data set; the best are marked where there are several seeds."""
    part = summarise(scores, metrics=metrics).by_data
    held = {(one["method"], one["metric"]): one for one in part.to_dict("records")}
    methods = sorted({method for method, _ in held}, key=lambda one: -held[one, metrics[0]]["mean"])
    best = _best(methods if several else [], {place: one["mean"] for place, one in held.items()}, metrics)
    rows = [
        (
            Cell(text=METHODS[method].title),
            *(
                Cell(
                    text=_percent(held[method, metric]["mean"]),
                    notes=_known(100 * held[method, metric]["spread"], "± {:.1f}"),
                    mark="best" if (method, metric) in best else "",
                )
                for metric in metrics
            ),
        )
        for method in methods
    ]
    caption = f"{name}, {n_obs[name]:,} rows" if name in n_obs else name
    header = ("Method", *(_TITLES[metric] for metric in metrics))
    return _table(caption, header, [*rows, *_chance_row(scores, metrics)])


def _chance_row(scores: pd.DataFrame, metrics: Sequence[str]) -> list[tuple[Cell, ...]]:
    """Make the row of the mean chance levels; none for results without them."""
    levels = [chance_levels(scores, metric) for metric in metrics]
    if any(level.empty for level in levels):
        return []
    return [(Cell(text=_CHANCE), *(Cell(text=_percent(level.mean())) for level in levels))]


def _generated(scores: pd.DataFrame) -> Section:
    """Tabulate the quality of the rows that DiffAug generates, where it ran."""
    made = scores[(scores["method"] == "diffaug") & scores["metric"].str.startswith("generated_")]
    means = made.groupby(["data", "metric"], sort=False)["value"].mean()
    rows = []
    for name in dict.fromkeys(made["data"]):
        values = [means.get((name, f"generated_{key}"), math.nan) for key in _QUALITY]
        cells = (Cell(text="".join(_known(value, "{:.2f}"))) for value in values)
        rows.append((Cell(text=str(name), is_code=True), *cells))
    ideals = tuple(Cell(text=ideal) for ideal in ("Ideal", *(ideal for _, ideal in _QUALITY.values())))
    header = ("Data set", *(title for title, _ in _QUALITY.values()))
    return Section(
        key="generated",
        title="Generated rows of DiffAug",
        lead=(
            "Share of generated rows that keep the label of their source, their cosine similarity to it in "
            "the embedding, and their distance from it in units of the distance to the nearest other row."
        ),
        blocks=(_table("Mean over seeds", header, [ideals, *rows]),) if rows else (),
    )


def _missing(result: BenchmarkResult) -> Section:
    """List methods that were left out or failed, with the reason."""
    said = [f"{name} was left out: {why}" for name, why in result.left_out.items()]
    said += [f"{name} failed: {why}" for name, why in result.failed.items()]
    messages = Messages(messages=tuple(("warning", one) for one in said))
    return Section(key="missing", title="Left out and failed", blocks=(messages,) if said else ())


def _table(caption: str, header: tuple[str, ...], rows: Iterable[tuple[Cell, ...]], *notes: str) -> Table:
    """Make a table with figures in all columns but the first."""
    figures = tuple(range(1, len(header)))
    return Table(caption=caption, header=header, rows=tuple(rows), numeric=figures, notes=notes)


def _best(
    names: Iterable[str], means: Mapping[tuple[str, str], float], metrics: Sequence[str]
) -> set[tuple[str, str]]:
    """Find the unlabelled methods with the highest mean of each metric, as it is shown."""
    unlabelled = [name for name in names if not METHODS[name].is_labelled]
    found = set()
    for metric in metrics:
        shown = {name: round(100 * means[name, metric], 1) for name in unlabelled}
        found |= {(name, metric) for name in shown if shown[name] == max(shown.values())}
    return found


def _percent(share: Any) -> str:
    return f"{round(100 * share, 1) + 0.0:.1f}"  # a level of -0.01 is 0, not -0


def _known(value: float, form: str) -> tuple[str, ...]:
    """Format a value as a note, or leave it out where it is not known."""
    return () if math.isnan(value) else (form.format(value),)
