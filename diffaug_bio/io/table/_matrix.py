"""The matrix of a table: numbers as they are, and categories, ordered levels and truth values coded."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from diffaug_bio._checks import check_unique
from diffaug_bio.errors import InputError
from diffaug_bio.io.table._column_names import names_a_measurement
from diffaug_bio.io.table._kinds import listed
from diffaug_bio.io.table._levels import (
    category_coded,
    is_truth,
    ordinal_coded,
    truth_coded,
    unknown_levels,
)
from diffaug_bio.matrix.columns import CodedColumn, CodedColumns
from diffaug_bio.matrix.state import state_of
from diffaug_bio.matrix.summary import as_float32, summarise

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd
    from numpy.typing import NDArray

    from diffaug_bio.io.table._kinds import Kind
    from diffaug_bio.io.table._schema import Schema
    from diffaug_bio.io.table._sides import Sides

logger = logging.getLogger(__name__)

_PANEL = 100  # columns: fewer may as well be those of a clinic


class Coded(NamedTuple):
    """Features of a table."""

    matrix: NDArray[np.float32]
    names: list[str]
    columns: CodedColumns
    """Columns that are no plain numbers."""


def coded_features(
    frame: pd.DataFrame, numbers: pd.DataFrame, kinds: Mapping[str, Kind], schema: Schema, sides: Sides
) -> Coded:
    """Put numbers and coded columns into one matrix, in the order of the table.

    `numbers` are the numeric columns, `kinds` says what the other columns of `frame` are.
    """
    plain = list(map(str, numbers.columns))
    try:
        matrix = as_float32(numbers, plain)
    except InputError as error:
        msg = f"{sides.path}: {error}"
        raise InputError(msg) from error
    parts: dict[str, tuple[CodedColumn | None, NDArray[np.float32]]] = {}
    place = {name: at for at, name in enumerate(plain)}
    for name in frame.columns:
        if name in place:
            parts[name] = (None, matrix[:, place[name] : place[name] + 1])
        elif kinds[name] == "ordinal":
            levels = schema.ordinal[name]
            if schema.allow_absent:  # of a later table: levels that the fit did not see are told of then
                levels = [*levels, *unknown_levels(frame[name], levels)]
            parts[name] = ordinal_coded(frame[name], levels, sides)
        elif kinds[name] == "maybe true" or (kinds[name] == "categorical" and is_truth(frame[name])):
            parts[name] = truth_coded(frame[name], sides)
        elif kinds[name] == "categorical":
            parts[name] = category_coded(frame[name], sides)
            if not parts[name][1].shape[1] and not schema.allow_absent:
                msg = (
                    f"{sides.path} {sides.column} {name!r} is to be a column of categories, and holds no "
                    "value. Leave it out (`--ignore`)."
                )
                raise InputError(msg)
    if schema.missing_indicators:
        for name, (_, values) in list(parts.items()):
            if (is_missing := np.isnan(values[:, :1])).any():
                told = CodedColumn(name=str(name), kind="missing", levels=())
                parts[told.features[0]] = (told, is_missing.astype(np.float32))
    columns = CodedColumns(tuple(column for column, _ in parts.values() if column is not None))
    if not columns:
        return Coded(matrix, plain, columns)
    names = [
        feature
        for name, (column, _) in parts.items()
        for feature in ((name,) if column is None else column.features)
    ]
    remedy = f"Rename columns of {sides.path} that are named like a level of another (`sex=F`)."
    check_unique(names, what="features", remedy=remedy)
    return Coded(np.hstack([values for _, values in parts.values()]), names, columns)


def are_measured(numbers: pd.DataFrame) -> bool:
    """Return True for numbers that are measured values, and not counts or expression."""
    if not numbers.shape[1] or not len(numbers):
        return False
    if numbers.shape[1] < _PANEL and any(map(names_a_measurement, numbers.columns)):
        return True
    matrix = numbers.to_numpy(np.float64)
    try:
        return state_of(matrix, summarise(matrix)) == "continuous"
    except InputError:  # of values that the fit refuses, whatever the other columns are
        return False


def settle(kinds: dict[str, Kind], *, is_measured: bool, sides: Sides) -> dict[str, Kind]:
    """Decide about columns that may be features: they are among measured values, with a warning."""
    maybe = [name for name, kind in kinds.items() if kind in {"maybe", "maybe true"}]
    labels = [name for name, kind in kinds.items() if kind == "maybe label"]
    kinds = {**kinds, **dict.fromkeys(labels, "annotation")}
    if not is_measured:
        n_numeric = sum(kind == "numeric" for kind in kinds.values())
        if maybe and n_numeric < _PANEL:  # of more, a table of cells with their annotations
            logger.warning(
                "%s: the numbers look like counts or other expression, so that %ss %s are annotations. If "
                "they are measurements, name the columns that are features (`--categorical`).",
                *(sides.path.name, sides.column, listed(maybe)),
            )
        return {**kinds, **dict.fromkeys(maybe, "annotation")}
    if labels:
        logger.info(
            "%s: %ss %s have few different values, and are no features because of their names; to have one "
            "as a feature, say so (`--categorical`).",
            *(sides.path.name, sides.column, listed(labels)),
        )
    if not maybe:
        return kinds
    logger.warning(
        "%s: %ss %s have few different values, and are features, coded by their levels. If one of them is "
        "a label, a batch or an outcome, the embedding would show it: name it as an annotation "
        "(`--annotations`, `obs_columns`), or as the label (`--label-key`).",
        *(sides.path.name, sides.column, listed(maybe)),
    )
    return {name: "categorical" if kind == "maybe" else kind for name, kind in kinds.items()}
