"""Tables of a benchmark, for its page."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from diffaug_bio.benchmark import METHODS, gains
from diffaug_bio.report.page import Block, Cell, Pictures, Section, Table, drawn

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd
    from matplotlib.figure import Figure

_METRICS = {
    "linear_probe": "Linear probe",
    "knn_accuracy": "Nearest neighbors",
    "kmeans_nmi": "k-means NMI",
    "leiden_nmi": "Leiden NMI",
}
_QUALITY = {
    "label_kept": ("Label kept", "as of real rows"),
    "label_kept_real": ("Of real rows", "1"),
    "cosine_generated": ("Similarity", "high, below 1"),
    "source_distance": ("Distance", "about 1"),
    "ks_mean": ("KS distance", "0"),
    "real_or_generated": ("Told apart", "0.5"),
    "memorised": ("Memorised", "0"),
}
_COMPARED = ("mask", "no_generator")
_DUEL_NOTE = (
    "Won-lost and p: data sets on which DiffAug's linear probe is better and worse than the method's, and "
    "Wilcoxon's signed-rank test over data sets (from six on)."
)
_LEAST_POINTS = 4.0  # of an axis of percentages
_DRAWN = ("linear_probe", "knn_accuracy")


def overview_section(
    by_metric: Mapping[str, pd.DataFrame], scores: pd.DataFrame, order: Sequence[str]
) -> Section:
    """Show means and ranks of all methods, and how DiffAug does against each.

    Parameters
    ----------
    by_metric
        Of :func:`diffaug_bio.benchmark.summarise`, `overall` by metric.
    scores
        The tidy table.
    order
        Methods, best first.
    """
    held: dict[str, dict[str, dict[Any, Any]]] = {
        name: {str(record["method"]): record for record in table.to_dict("records")}
        for name, table in by_metric.items()
    }
    n_data = scores["data"].nunique()
    # Means over other data do not compare: such methods come last.
    names = sorted(order, key=lambda name: -held["linear_probe"][name]["n_data"])
    best = {
        metric: max(
            round(100 * held[metric][name]["mean"], 1) for name in names if _is_ranked(held, name, n_data)
        )
        for metric in _METRICS
        if any(_is_ranked(held, name, n_data) for name in names)
    }
    # Of one data set and one seed nobody knows how much is chance.
    varies = n_data > 1 or scores["seed"].nunique() > 1
    rows = []
    for name in names:
        n_ran = int(held["linear_probe"][name]["n_data"])
        notes = () if n_ran == n_data else (f"on {n_ran} of {n_data} data sets",)
        ranked = _is_ranked(held, name, n_data)
        means = [
            Cell(
                text=f"{100 * held[metric][name]['mean']:.1f}",
                notes=_rank(held[metric][name]["rank"]),
                mark="best"
                if ranked and varies and round(100 * held[metric][name]["mean"], 1) == best[metric]
                else "",
            )
            for metric in _METRICS
        ]
        rows.append(
            (Cell(text=METHODS[name].title, notes=notes), *means, *_duel(held["linear_probe"][name]))
        )
    header = ("Method", *_METRICS.values(), "Won-lost", "p")
    return Section(
        key="overview",
        title="Overview",
        lead=(
            "Means over data sets in percent, below them the mean rank among the unlabelled methods that "
            "ran on all data sets (1 is best). Higher scores are better."
        ),
        blocks=(
            Table(
                caption="All methods; the best unlabelled one of a column is bold"
                if varies
                else "All methods; of one data set with one seed none is bold: differences may be chance",
                header=header,
                rows=tuple(rows),
                numeric=tuple(range(1, len(header))),
                notes=(_DUEL_NOTE,),
            ),
            _picture(scores, names),
        ),
    )


def _is_ranked(held: Mapping[str, Mapping[str, Mapping[Any, Any]]], name: str, n_data: int) -> bool:
    return not METHODS[name].is_labelled and held["linear_probe"][name]["n_data"] == n_data


def _rank(rank: float) -> tuple[str, ...]:
    return () if math.isnan(rank) else (f"rank {rank:.1f}",)


def _duel(record: Mapping[Any, Any]) -> list[Cell]:
    if math.isnan(record["difference"]):
        return [Cell(text=""), Cell(text="")]
    p = "" if math.isnan(record["p"]) else f"{record['p']:.3f}"
    return [Cell(text=f"{record['won']:.0f}-{record['lost']:.0f}"), Cell(text=p)]


def _picture(scores: pd.DataFrame, names: Sequence[str]) -> Pictures:
    """Draw each data set as a dot, and the mean over them."""

    def draw() -> Figure:
        import matplotlib.pyplot as plt

        from diffaug_bio.pl._style import BLUE, GREY, VERMILLION, house_style

        with house_style():
            figure = plt.figure(figsize=(8.4, 0.9 + 0.26 * len(names)), layout="constrained")
            for ax, metric in zip(figure.subplots(1, len(_DRAWN), sharey=True), _DRAWN, strict=True):
                table = scores[scores["metric"] == metric].groupby(["method", "data"])["value"].mean()
                for height, name in enumerate(reversed(names)):
                    values = 100 * table[name]
                    ax.plot(
                        values, [height] * len(values), "o", color=GREY, markersize=3.5, alpha=0.7, mew=0
                    )
                    color = VERMILLION if name == "diffaug" else BLUE
                    mark = "|" if len(values) > 1 else "."  # a line would hide the only dot
                    ax.plot(values.mean(), height, mark, color=color, markersize=11, markeredgewidth=2.5)
                low, high = ax.get_xlim()
                if (missing := _LEAST_POINTS - (high - low)) > 0:  # chance is not to look large
                    ax.set_xlim(low - missing / 2, high + missing / 2)
                ax.set_ylim(-0.6, len(names) - 0.4)
                ax.set_title(_METRICS[metric])
                ax.set_xlabel("Accuracy, %")
                ax.grid(axis="y", linewidth=0.4, alpha=0.4)
                ax.set_yticks(range(len(names)), [METHODS[name].title for name in reversed(names)])
        return figure

    picture = drawn(
        "methods",
        draw,
        alt="Dot plot of the accuracies of each method by linear probe and by nearest neighbors.",
        caption="A dot for each data set, a line for their mean; that of DiffAug is orange."
        if scores["data"].nunique() > 1
        else "A dot for each method; that of DiffAug is orange.",
    )
    return Pictures(pictures=(picture,))


def gains_sections(scores: pd.DataFrame, present: set[str]) -> list[Section]:
    """Show what generated positives give, against the same without a generator, by data set.

    Parameters
    ----------
    scores
        The tidy table.
    present
        Methods in it.
    """
    if "diffaug" not in present:
        return []
    tables: list[Block] = [_gain_table(scores, name) for name in _COMPARED if name in present]
    if not tables:
        return []
    return [
        Section(
            key="gains",
            title="What generated positives give",
            lead=(
                "Points of DiffAug less the other method, for as many encoder steps. It helps or hurts "
                "where the mean is beyond 0.2 points and every seed agrees."
            ),
            blocks=tuple(tables),
        )
    ]


def _gain_table(scores: pd.DataFrame, against: str) -> Table:
    found = {
        metric: gains(scores, against=against, metric=metric).to_dict("records") for metric in _METRICS
    }
    rows = [
        (
            Cell(text=str(record["data"]), is_code=True),
            *(
                Cell(
                    text=f"{100 * found[metric][number]['gain']:+.1f}",
                    notes=(found[metric][number]["verdict"],),
                )
                for metric in _METRICS
            ),
        )
        for number, record in enumerate(found["linear_probe"])
    ]
    return Table(
        caption=f"Against: {METHODS[against].title}",
        header=("Data set", *_METRICS.values()),
        rows=tuple(rows),
        numeric=tuple(range(1, 1 + len(_METRICS))),
    )


def data_section(by_data: pd.DataFrame, settings: Mapping[str, Any], *, n_seeds: int) -> Section:
    """Show all methods on each data set.

    Parameters
    ----------
    by_data
        Of :func:`diffaug_bio.benchmark.summarise`.
    settings
        What `benchmark.json` holds.
    n_seeds
        How many there were; of one there is no spread, and nothing is bold.
    """
    tables: list[Block] = []
    for name, part in by_data.groupby("data", sort=False):
        cells = {(r["method"], r["metric"]): r for r in part.to_dict("records")}
        methods = {method: cells[method, "linear_probe"]["mean"] for method, _ in cells}
        unlabelled = [one for one in methods if not METHODS[one].is_labelled]
        best = {
            metric: max(
                (round(100 * cells[one, metric]["mean"], 1) for one in unlabelled), default=math.nan
            )
            for metric in _METRICS
        }
        rows = [
            (
                Cell(text=METHODS[method].title),
                *(
                    Cell(
                        text=f"{100 * cells[method, metric]['mean']:.1f}",
                        notes=_spread(cells[method, metric]["spread"]),
                        mark="best"
                        if n_seeds > 1
                        and method in unlabelled
                        and round(100 * cells[method, metric]["mean"], 1) == best[metric]
                        else "",
                    )
                    for metric in _METRICS
                ),
            )
            for method in sorted(methods, key=lambda one: -methods[one])
        ]
        n_obs = settings.get("data", {}).get(name)
        tables.append(
            Table(
                caption=f"{name}, {n_obs:,} rows" if isinstance(n_obs, int) else str(name),
                header=("Method", *_METRICS.values()),
                rows=tuple(rows),
                numeric=tuple(range(1, 1 + len(_METRICS))),
            )
        )
    return Section(
        key="data",
        title="Each data set",
        lead="Means over seeds in percent; after ± their standard deviation."
        if n_seeds > 1
        else "In percent, of one seed: differences may be chance, and none is bold.",
        blocks=tuple(tables),
    )


def _spread(spread: float) -> tuple[str, ...]:
    return () if math.isnan(spread) else (f"± {100 * spread:.1f}",)


def generated_sections(scores: pd.DataFrame) -> list[Section]:
    """Show the quality of the rows that DiffAug's generator makes.

    Parameters
    ----------
    scores
        The tidy table.
    """
    ours = scores[(scores["method"] == "diffaug") & scores["metric"].str.startswith("generated_")]
    if ours.empty:
        return []
    means = ours.groupby(["data", "metric"], sort=False)["value"].mean()
    rows = []
    for name in dict.fromkeys(ours["data"]):
        values = [means.get((name, f"generated_{metric}")) for metric in _QUALITY]
        rows.append(
            (
                Cell(text=str(name), is_code=True),
                *(Cell(text="" if value is None else f"{value:.2f}") for value in values),
            )
        )
    ideals = (Cell(text="Ideal"), *(Cell(text=ideal) for _, ideal in _QUALITY.values()))
    return [
        Section(
            key="generated",
            title="Generated rows of DiffAug",
            lead="Do they keep the label of their source, and lie about as far from it as a neighbor does?",
            blocks=(
                Table(
                    caption="Quality by data set, mean over seeds",
                    header=("Data set", *(title for title, _ in _QUALITY.values())),
                    rows=(ideals, *rows),
                    numeric=tuple(range(1, 1 + len(_QUALITY))),
                ),
            ),
        )
    ]
