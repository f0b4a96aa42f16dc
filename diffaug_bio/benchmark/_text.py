"""A benchmark as Markdown, which reads well on a terminal too."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from diffaug_bio.benchmark._methods import METHODS
from diffaug_bio.benchmark._summary import gains, summarise

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import pandas as pd

    from diffaug_bio.benchmark._run import BenchmarkResult

_TITLES = {
    "linear_probe": "linear probe",
    "knn_accuracy": "kNN",
    "kmeans_nmi": "k-means NMI",
    "leiden_nmi": "Leiden NMI",
}
_QUALITY = {
    "label_kept": "label kept",
    "label_kept_real": "real rows' own",
    "cosine_generated": "cosine",
    "cosine_mixup": "of mixup",
    "cosine_feature_swap": "of feature swap",
    "source_distance": "distance",
    "ks_mean": "KS",
    "real_or_generated": "told apart",
    "memorised": "memorised",
}
_COMPARED = ("mask", "no_generator")


def overview(result: BenchmarkResult) -> str:
    """Say how methods do on average, and how DiffAug does against each, as a Markdown table."""
    overall = _records(summarise(result.scores).overall, "metric")
    by_method = {
        metric: {record["method"]: record for record in records} for metric, records in overall.items()
    }
    first = by_method["linear_probe"]
    n_data, n_seeds = result.scores["data"].nunique(), result.scores["seed"].nunique()
    rows = [
        [
            METHODS[name].title + _of_how_many(int(first[name]["n_data"]), n_data),
            *(_mean_and_rank(by_method[metric][name]) for metric in _TITLES),
            *_against_method(first[name]),
        ]
        # Means over other data do not compare: such methods come last.
        for name in sorted(first, key=lambda name: (-first[name]["n_data"], -first[name]["mean"]))
    ]
    header = ["method", *(f"{title} (rank)" for title in _TITLES.values()), "won-lost", "p"]
    lines = [
        (
            f"Data sets: {n_data}, seeds: {n_seeds}. Means in percent, and the mean rank among unlabelled "
            "methods that ran on all data. Last: linear probe of DiffAug against the method, data sets "
            "won and lost, and Wilcoxon's signed-rank test over data sets."
        ),
        "",
        *_table(header, rows),
    ]
    return "\n".join(lines)


def report(result: BenchmarkResult) -> str:
    """Write everything as Markdown: overview, gains of the generator, each data set, generated rows."""
    parts = ["# Benchmark", overview(result)]
    present = set(result.scores["method"])
    if "diffaug" in present:
        parts += [_gains_table(result.scores, name) for name in _COMPARED if name in present]
    by_data = _records(summarise(result.scores).by_data, "data")
    parts += [_data_table(name, records) for name, records in by_data.items()]
    parts += _quality_table(result.scores)
    for title, notes in (("Left out", result.left_out), ("Broken", result.failed)):
        if notes:
            listed = "\n".join(f"- {name}: {reason}" for name, reason in notes.items())
            parts.append(f"## {title}\n\n{listed}")
    return "\n\n".join(parts) + "\n"


def _gains_table(scores: pd.DataFrame, against: str) -> str:
    """DiffAug less a hand-made view at the same number of encoder steps, by data set."""
    tables = {
        metric: {
            row["data"]: row for row in gains(scores, against=against, metric=metric).to_dict("records")
        }
        for metric in _TITLES
    }
    rows = [
        [name]
        + [f"{100 * tables[metric][name]['gain']:+.1f}" for metric in _TITLES]
        + [tables[metric][name]["verdict"] for metric in ("linear_probe", "knn_accuracy")]
        for name in tables["linear_probe"]
    ]
    means = [sum(row["gain"] for row in table.values()) / max(1, len(table)) for table in tables.values()]
    rows.append(["mean", *(f"{100 * mean:+.2f}" for mean in means), "", ""])
    lines = [
        f"## Generated positives against: {METHODS[against].title}",
        "",
        (
            "Points, DiffAug less the other, for as many encoder steps; `helps` or `hurts` where "
            "the mean is beyond 0.2 points and every seed agrees."
        ),
        "",
        *_table(["data", *_TITLES.values(), "linear probe", "kNN"], rows),
    ]
    return "\n".join(lines)


def _data_table(name: str, records: Iterable[Mapping[str, Any]]) -> str:
    """All methods on one data set."""
    cells = {(record["method"], record["metric"]): record for record in records}
    names = {method: cells[method, "linear_probe"]["mean"] for method, _ in cells}
    rows = [
        [METHODS[method].title] + [_mean_and_spread(cells[method, metric]) for metric in _TITLES]
        for method in sorted(names, key=lambda method: -names[method])
    ]
    return "\n".join([f"## {name}", "", *_table(["method", *_TITLES.values()], rows)])


def _quality_table(scores: pd.DataFrame) -> list[str]:
    """Quality of the rows that DiffAug's generator makes, if it ran."""
    values: dict[str, dict[str, list[float]]] = {}
    for record in scores[scores["method"] == "diffaug"].to_dict("records"):
        metric = str(record["metric"]).removeprefix("generated_")
        if metric in _QUALITY and metric != record["metric"]:
            values.setdefault(record["data"], {}).setdefault(metric, []).append(record["value"])
    rows = [
        [name] + [f"{sum(found[m]) / len(found[m]):.2f}" if m in found else "" for m in _QUALITY]
        for name, found in values.items()
    ]
    header = ["data", *_QUALITY.values()]
    return ["\n".join(["## Generated rows of DiffAug", "", *_table(header, rows)])] if rows else []


def _records(table: pd.DataFrame, key: str) -> dict[str, list[dict[str, Any]]]:
    """Rows of a table as dictionaries, collected by one of its columns."""
    collected: dict[str, list[dict[str, Any]]] = {}
    for record in table.to_dict("records"):
        collected.setdefault(str(record[key]), []).append(
            {str(name): value for name, value in record.items()}
        )
    return collected


def _mean_and_rank(record: Mapping[str, Any]) -> str:
    rank = "" if math.isnan(record["rank"]) else f" ({record['rank']:.1f})"
    return f"{100 * record['mean']:.1f}{rank}"


def _mean_and_spread(record: Mapping[str, Any]) -> str:
    spread = "" if math.isnan(record["spread"]) else f" ± {100 * record['spread']:.1f}"
    return f"{100 * record['mean']:.1f}{spread}"


def _of_how_many(n_ran: int, n_data: int) -> str:
    return "" if n_ran == n_data else f" ({n_ran} of {n_data} data sets)"


def _against_method(record: Mapping[str, Any]) -> list[str]:
    if math.isnan(record["difference"]):
        return ["", ""]
    p = "" if math.isnan(record["p"]) else f"{record['p']:.3f}"
    return [f"{record['won']:.0f}-{record['lost']:.0f}", p]


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Markdown with aligned columns."""
    lines = [list(header), *(list(row) for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(header))]
    ruled = [lines[0], ["-" * width for width in widths], *lines[1:]]
    return [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) + " |"
        for line in ruled
    ]
