"""What a page about a benchmark says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from diffaug_bio import __version__
from diffaug_bio.benchmark import METHODS, summarise
from diffaug_bio.config import DiffAugConfig
from diffaug_bio.errors import InputError
from diffaug_bio.output.json_files import BENCHMARK, read_json
from diffaug_bio.report._tables import data_section, gains_sections, generated_sections, overview_section
from diffaug_bio.report.page import Code, Facts, Highlight, Messages, Report, Section

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import pandas as pd

_COLUMNS = ("data", "method", "seed", "metric", "value")


def benchmark_report(folder: Path) -> Report:
    """Say what a benchmark's page says.

    Parameters
    ----------
    folder
        What `diffaug-bio benchmark` wrote.

    Raises
    ------
    InputError
        If it has no results yet, or they are damaged.
    """
    settings, scores = _read(folder)
    summary = summarise(scores)
    by_metric = {str(metric): table for metric, table in summary.overall.groupby("metric", sort=False)}
    n_data, n_seeds = scores["data"].nunique(), scores["seed"].nunique()
    order = [str(name) for name in by_metric["linear_probe"].sort_values("mean", ascending=False)["method"]]
    return Report(
        title="Benchmark of embeddings",
        subtitle=(
            f"{len(order)} methods on {_counted(n_data, 'data set')} with {_counted(n_seeds, 'seed')}, in "
            "the same budget for each."
        ),
        highlights=_highlights(by_metric["linear_probe"], n_data=n_data, n_seeds=n_seeds),
        sections=(
            overview_section(by_metric, scores, order),
            *gains_sections(scores, set(order)),
            data_section(summary.by_data, settings, n_seeds=n_seeds),
            *generated_sections(scores),
            *_missing(settings, scores),
            _how(settings),
        ),
        footer=(
            f"Made by diffaug-bio {__version__}. The page is one file that loads nothing else; results.csv "
            "beside it has all numbers."
        ),
    )


def _counted(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _read(folder: Path) -> tuple[dict[str, Any], pd.DataFrame]:
    import pandas as pd

    path = folder / "results.csv"
    if not path.is_file():
        msg = f"{folder} has no results.csv yet. Run `diffaug-bio benchmark` to its end, and ask again."
        raise InputError(msg)
    settings = read_json(folder / BENCHMARK) or {}
    try:
        # Names may look like numbers, or like a missing value.
        scores = pd.read_csv(
            path,
            dtype={"data": str, "method": str, "metric": str, "value": float},
            keep_default_na=False,
            na_values={"value": [""]},
        )
    except ValueError as error:
        msg = f"{folder} is damaged: {error}. Run the benchmark again."
        raise InputError(msg) from error
    if not set(_COLUMNS) <= set(scores.columns) or "linear_probe" not in set(scores["metric"]):
        msg = (
            f"{path} holds no results; it needs the columns {', '.join(_COLUMNS)}. Run the benchmark again."
        )
        raise InputError(msg)
    if unknown := sorted(set(scores["method"]) - set(METHODS)):
        msg = f"{path} has methods that this version does not know, the first {unknown[0]!r}. Run it again."
        raise InputError(msg)
    return settings, scores


def _highlights(probe: pd.DataFrame, *, n_data: int, n_seeds: int) -> tuple[Highlight, ...]:
    """Who is best by the linear probe, and where DiffAug is."""
    unlabelled = ~probe["method"].map(lambda name: METHODS[name].is_labelled).astype(bool)
    complete = probe[(probe["n_data"] == n_data) & unlabelled]
    found = [Highlight(name="Data sets", value=str(n_data), note=_counted(n_seeds, "seed"))]
    for title, row in (
        ("Best linear probe", complete.sort_values("mean", ascending=False).head(1)),
        ("DiffAug, linear probe", complete[complete["method"] == "diffaug"]),
    ):
        for record in row.to_dict("records"):
            note = METHODS[record["method"]].title if "Best" in title else f"mean rank {record['rank']:.1f}"
            found.append(Highlight(name=title, value=f"{100 * record['mean']:.1f} %", note=note))
    return tuple(found)


def _missing(settings: Mapping[str, Any], scores: pd.DataFrame) -> list[Section]:
    """Say what did not run, or broke."""
    said = [f"{name} is left out: {why}" for name, why in settings.get("left_out", {}).items()]
    said += [f"{name} broke: {why}" for name, why in settings.get("failed", {}).items()]
    if "failed" not in settings:  # an earlier version did not note why
        ran = set(zip(scores["method"], scores["data"], strict=True))
        asked = [(method, data) for method in settings["methods"] for data in settings["data"]]
        said = [f"{method} has no result on {data}" for method, data in asked if (method, data) not in ran]
    if not said:
        return []
    messages = Messages(messages=tuple(("warning", one) for one in said))
    return [Section(key="missing", title="Left out and broken", blocks=(messages,))]


def _how(settings: Mapping[str, Any]) -> Section:
    facts = (
        ("Methods", ", ".join(settings["methods"])),
        ("Data sets", ", ".join(f"{name} ({n:,} rows)" for name, n in settings["data"].items())),
        ("Seeds", ", ".join(map(str, range(settings["n_seeds"])))),
        ("Held out", "a fifth of the rows" if settings["held_out"] else "folds, or the data's own split"),
        ("Threads", f"{settings['threads']} a process, {settings['jobs']} at a time"),
        ("Versions", ", ".join(f"{name} {version}" for name, version in settings["versions"].items())),
        ("Platform", str(settings["platform"])),
    )
    return Section(
        key="how", title="How it was run", blocks=(Facts(facts=facts), *_settings(settings["config"]))
    )


def _settings(config: Mapping[str, Any]) -> list[Code]:
    """Give what all methods share, where it differs from the defaults."""
    from diffaug_bio.model.card import changed_settings

    text = changed_settings(DiffAugConfig.from_dict(config, source="benchmark.json"))
    return [Code(title="Shared settings that differ from the defaults", text=text)] if text else []
