"""Reading the JSON files of run and benchmark folders, with a check of every known entry."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, get_args

from diffaug_bio._keys import BATCH_ENTRY
from diffaug_bio._wording import shorten
from diffaug_bio.config import InputState
from diffaug_bio.config.kinds import LabelKind, ScoredAs
from diffaug_bio.config.tables import is_number, is_whole
from diffaug_bio.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    Test = Callable[[Any], bool]
    Check = type | Test

RUN, METRICS, BENCHMARK = "run.json", "metrics.json", "benchmark.json"
_MOST_SEEDS = 100_000
_MISSING = object()


def read_json(path: Path, *, needed: Sequence[str] = ()) -> dict[str, Any] | None:
    """Read and check `run.json` or its like, or return None; `needed` are further entries, dotted."""
    if not path.is_file():
        return None
    try:
        table: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        why = str(error)
    else:
        scores = _needed_scores(table) if path.name == METRICS else []
        unfit = _unfit(table, [*_NEEDED[path.name], *scores, *needed], _KINDS[path.name])
        if not unfit:
            return table
        why = f"it lacks, or holds in another form, {shorten(unfit)}"
    msg = f"{path} is damaged: {why}. Copy the folder again, or run the command that wrote it again."
    raise InputError(msg)


def _unfit(table: object, needed: Sequence[str], kinds: Mapping[str, Check]) -> list[str]:
    """List the innermost entries that are missing or of another type."""
    unfit = []
    for name in dict.fromkeys([*needed, *kinds]):
        value = _found(table, name)
        fits = name not in needed if value is _MISSING else _holds(kinds.get(name, object), value)
        if not fits:
            unfit.append(name)
    return [name for name in unfit if not any(other.startswith(f"{name}.") for other in unfit)]


def _found(table: object, name: str) -> object:
    """Look up a dotted name."""
    for part in name.split("."):
        table = table.get(part, _MISSING) if isinstance(table, dict) else _MISSING
    return table


def _holds(check: Check, value: Any) -> bool:
    return isinstance(value, check) if isinstance(check, type) else check(value)


def _is_count(value: object) -> bool:
    return is_whole(value) and value >= 0  # type: ignore[operator]


def _is_score(value: object) -> bool:
    """Return True for a number, or nan for an unknown one."""
    return is_number(value) or value != value  # noqa: PLR0124 - NaN alone differs from itself


def _or_null(check: Check) -> Test:
    return lambda value: value is None or _holds(check, value)


def _list_of(check: Check) -> Test:
    return lambda value: isinstance(value, list) and all(_holds(check, entry) for entry in value)


def _table_of(check: Check, *names: str) -> Test:
    """Return a check for tables with these entries at least, and values of one type."""
    return lambda value: (
        isinstance(value, dict)
        and value.keys() >= set(names)
        and all(_holds(check, entry) for entry in value.values())
    )


def _needed_scores(table: object) -> list[str]:
    """List what `metrics.json` has to hold: scores of classes, or those of a number."""
    kind = _found(table, "label_kind")
    scores = _NUMBER_SCORES if kind == "number" else _SCORES
    rows = ("embedding", "pca")
    widths = [f"{row}.width" for row in rows]
    needed = [*widths, *(f"{row}.{score}" for row in (*rows, "chance") for score in scores)]
    return [*needed, "label_kind", "n_scored", "n_left_out", "n_labels", "n_folds"]


_SCORES = ("linear_probe", "knn_accuracy", "kmeans_nmi", "kmeans_ari")
_NUMBER_SCORES = ("linear_r2", "knn_r2")
_NEEDED: Mapping[str, tuple[str, ...]] = {
    RUN: ("data.data", "data.n_obs"),
    METRICS: ("label_key",),  # and those of `_needed_scores`
    BENCHMARK: (
        *("methods", "data", "n_seeds", "held_out", "threads", "jobs", "platform", "versions"),
        "config",
    ),
}
_KINDS: Mapping[str, Mapping[str, Check]] = {
    RUN: {
        "data.data": str,
        "data.n_obs": _is_count,
        "data.input_state": lambda value: value in get_args(InputState),
        **{
            f"data.{name}": _or_null(str)
            for name in ("label_key", "group_key", "split_key", BATCH_ENTRY, "modality", "reference")
        },
        "data.label_kind": lambda value: value in get_args(LabelKind),
        "data.kmers": _or_null(
            lambda value: (
                _table_of(object, "k", "n_bins", "canonical")(value) and _list_of(_is_count)(value["k"])
            )
        ),
        "data.bytes": _is_count,
        "data.sha256": str,
        "data.files": _table_of(_table_of(object, "sha256")),
        "seed": lambda value: _is_count(value) and value < 2**32,
        "seconds": _table_of(is_number),
        "peak_memory_mb": _or_null(is_number),
        "versions": _table_of(str),
        "log": _list_of(_table_of(str, "level", "text")),
        **dict.fromkeys(("command", "diffaug_bio", "device", "precision", "platform"), str),
    },
    METRICS: {
        "label_key": str,
        "group_key": _or_null(str),
        "split_key": _or_null(str),
        "label_kind": lambda value: value in get_args(ScoredAs),
        "chance": _table_of(is_number),
        **{
            f"{row}.{score}": is_number
            for row in ("embedding", "pca")
            for score in ("width", *_SCORES, *_NUMBER_SCORES)
        },
        **{row: _table_of(_is_score, "width") for row in ("embedding", "pca", "front_end")},
        **dict.fromkeys(("n_scored", "n_left_out", "n_labels", "n_folds", "n_neighbors"), _is_count),
    },
    BENCHMARK: {
        "methods": _list_of(str),
        "data": _table_of(_is_count),
        "n_seeds": lambda value: _is_count(value) and value <= _MOST_SEEDS,
        "held_out": bool,
        "threads": _is_count,
        "jobs": _is_count,
        "platform": str,
        "config": dict,
        **dict.fromkeys(("versions", "left_out", "failed"), _table_of(str)),
    },
}
