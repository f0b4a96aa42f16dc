"""Page about a benchmark."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from diffaug_bio import __version__
from diffaug_bio.benchmark import METHODS, BenchmarkResult, by_label_kind, sections, summarise
from diffaug_bio.config import DiffAugConfig
from diffaug_bio.document import Code, Facts, Highlight, Pictures, Report, Section
from diffaug_bio.errors import InputError
from diffaug_bio.model.about import changed_settings
from diffaug_bio.output.json_files import BENCHMARK, read_json
from diffaug_bio.report.page import drawn

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import pandas as pd
    from matplotlib.figure import Figure

_COLUMNS = ("data", "method", "seed", "metric", "value")
_DRAWN = {
    "linear_probe": "Linear probe",
    "knn_accuracy": "Nearest neighbours",
    "linear_r2": "Linear regression",
    "knn_r2": "Nearest neighbours",
}
_LEAST_POINTS = 4.0  # width of an axis of percentages, so that chance does not look large
_GREY, _BLUE, _ORANGE = "#a6a6a6", "#0072b2", "#d55e00"


def benchmark_report(folder: Path) -> Report:
    """Make the page about the folder of a benchmark; raise InputError if results are missing or damaged."""
    settings, scores = _read(folder)
    result = BenchmarkResult(
        scores=scores, left_out=settings.get("left_out", {}), failed=settings.get("failed", {})
    )
    # Data with classes come first; those with a number as label have a table of their own.
    metrics, drawn_scores = by_label_kind(scores)[0]
    overall = summarise(drawn_scores, metrics=metrics[:1]).overall.sort_values("mean", ascending=False)
    overview, *others = sections(result, n_obs=settings["data"])
    overview = replace(
        overview, blocks=(*overview.blocks, _picture(drawn_scores, list(overall["method"]), metrics))
    )
    n_data, n_seeds = scores["data"].nunique(), scores["seed"].nunique()
    return Report(
        title="Benchmark of embeddings",
        subtitle=(
            f"{len(overall)} methods on {_counted(n_data, 'data set')} with {_counted(n_seeds, 'seed')}, "
            "with the same budget for each."
        ),
        highlights=_highlights(overall, n_data=drawn_scores["data"].nunique(), n_seeds=n_seeds),
        sections=(overview, *others, _how(settings)),
        footer=(
            f"Made by diffaug-bio {__version__}. This page is one file that loads nothing else. All "
            "numbers are in results.csv beside it."
        ),
    )


def _counted(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _read(folder: Path) -> tuple[dict[str, Any], pd.DataFrame]:
    """Read and check the settings and scores of a benchmark."""
    import pandas as pd

    path, settings = folder / "results.csv", read_json(folder / BENCHMARK)
    if settings is None or not path.is_file():
        msg = f"{folder} has no results.csv yet. Let `diffaug-bio benchmark` run to its end first."
        raise InputError(msg)
    try:
        # Names may look like numbers, or like a missing value.
        scores = pd.read_csv(
            path,
            dtype={"data": str, "method": str, "metric": str, "value": float},
            keep_default_na=False,
            na_values={"value": [""]},
        )
    except ValueError as error:
        msg = f"{path} is damaged: {error}. Run the benchmark again."
        raise InputError(msg) from error
    if not set(_COLUMNS) <= set(scores.columns) or not by_label_kind(scores):
        msg = (
            f"{path} holds no results: it needs the columns {', '.join(_COLUMNS)}. Run the benchmark again."
        )
        raise InputError(msg)
    if unknown := sorted(set(scores["method"]) - set(METHODS)):
        msg = f"{path} has an unknown method, {unknown[0]!r}. Run the benchmark again with this version."
        raise InputError(msg)
    return settings, scores


def _highlights(probe: pd.DataFrame, *, n_data: int, n_seeds: int) -> tuple[Highlight, ...]:
    """Name the best method by the linear probe, and the score of DiffAug."""
    complete = [
        one
        for one in probe.to_dict("records")
        if one["n_data"] == n_data and not METHODS[one["method"]].is_labelled
    ]
    linear = "linear regression (R2)" if (probe["metric"] == "linear_r2").all() else "linear probe"
    found = [Highlight(name="Data sets", value=str(n_data), note=_counted(n_seeds, "seed"))]
    for record in complete[:1]:
        value, note = f"{100 * record['mean']:.1f} %", METHODS[record["method"]].title
        found.append(Highlight(name=f"Best {linear}", value=value, note=note))
    for record in complete:
        if record["method"] == "diffaug":
            value, note = f"{100 * record['mean']:.1f} %", f"mean rank {record['rank']:.1f}"
            found.append(Highlight(name=f"DiffAug, {linear}", value=value, note=note))
    return tuple(found)


def _picture(scores: pd.DataFrame, names: Sequence[str], metrics: Sequence[str]) -> Pictures:
    """Draw the accuracy or R2 of each method: a dot for each data set, and the mean over them."""
    titles = {metric: _DRAWN[metric] for metric in metrics if metric in _DRAWN}
    measure = "R2" if "linear_r2" in titles else "Accuracy"

    def draw() -> Figure:
        import matplotlib.pyplot as plt

        figure = plt.figure(figsize=(8.4, 0.9 + 0.26 * len(names)), layout="constrained")
        for ax, (metric, title) in zip(
            figure.subplots(1, len(titles), sharey=True), titles.items(), strict=True
        ):
            table = scores[scores["metric"] == metric].groupby(["method", "data"])["value"].mean()
            for height, name in enumerate(reversed(names)):
                values = 100 * table[name]
                ax.plot(values, [height] * len(values), "o", color=_GREY, markersize=3.5, mew=0)
                mark = "|" if len(values) > 1 else "."  # a line would hide the only dot
                color = _ORANGE if name == "diffaug" else _BLUE
                ax.plot(values.mean(), height, mark, color=color, markersize=11, markeredgewidth=2.5)
            low, high = ax.get_xlim()
            if (missing := _LEAST_POINTS - (high - low)) > 0:
                ax.set_xlim(low - missing / 2, high + missing / 2)
            ax.set_ylim(-0.6, len(names) - 0.4)
            ax.set_title(title)
            ax.set_xlabel(f"{measure}, %")
            ax.grid(axis="y", linewidth=0.4, alpha=0.4)
            ax.spines[["top", "right"]].set_visible(False)
            ax.set_yticks(range(len(names)), [METHODS[name].title for name in reversed(names)])
        return figure

    several = scores["data"].nunique() > 1
    picture = drawn(
        "methods",
        draw,
        alt=f"Dot plot of the {measure} of each method by linear probe and by nearest neighbours.",
        caption="Dots: data sets; lines: their mean, DiffAug in orange."
        if several
        else f"{measure} of each method, DiffAug in orange.",
    )
    return Pictures(pictures=(picture,))


def _how(settings: Mapping[str, Any]) -> Section:
    """List the settings of the benchmark."""
    facts = (
        ("Methods", ", ".join(settings["methods"])),
        ("Data sets", ", ".join(f"{name} ({n:,} rows)" for name, n in settings["data"].items())),
        ("Seeds", ", ".join(map(str, range(settings["n_seeds"])))),
        ("Held out", "a fifth of the rows" if settings["held_out"] else "folds, or the data's own split"),
        ("Threads", f"{settings['threads']} a process, {settings['jobs']} processes at a time"),
        ("Versions", ", ".join(f"{name} {version}" for name, version in settings["versions"].items())),
        ("Platform", str(settings["platform"])),
    )
    changed = changed_settings(DiffAugConfig.from_dict(settings["config"], source=BENCHMARK))
    title = "Shared settings that differ from the defaults"
    codes = [Code(title=title, text=changed)] if changed else []
    return Section(key="how", title="How it was run", blocks=(Facts(facts=facts), *codes))
