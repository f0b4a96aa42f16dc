"""Reading tables whose first line is data, and whose columns somebody else has to name."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Literal

import anndata
import numpy as np
import pandas as pd

from diffaug_bio._checks import check_unique
from diffaug_bio._wording import shorten
from diffaug_bio.errors import InputError
from diffaug_bio.io._stream import open_text, reading
from diffaug_bio.io.dna._from_sequences import Records, assemble

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from anndata import AnnData

Delimiter = Literal["comma", "semicolon", "tab", "space"]

_LETTERS: dict[Delimiter, str | None] = {"comma": ",", "semicolon": ";", "tab": "\t", "space": None}
_MISSING = frozenset({"", "?", "NA", "nan", "NaN"})


def read_headless(
    path: Path,
    *,
    names: Sequence[str],
    delimiter: Delimiter = "comma",
    row_names: str | None = None,
    sequence: str | None = None,
    obs_columns: Sequence[str] = (),
) -> AnnData:
    """Read a table without a header; blanks around values do not matter.

    Parameters
    ----------
    path
        Text, plain or gzipped.
    names
        Of all columns, in order.
    delimiter
        What separates values; "space" is any number of blanks.
    row_names
        Column with a name for each row; those that are repeated become `NAME_2` and so on.
    sequence
        Column with letters of DNA, if it is a table of sequences: all others are annotations then.
    obs_columns
        Columns that are annotations; all others are features.

    Returns
    -------
    As from :func:`diffaug_bio.io.read`. What is empty, `?`, `NA` or `nan` among features is missing.

    Raises
    ------
    InputError
        If a line has more or fewer values than there are names, or a feature is no number.
    """
    check_unique(names, what="names of columns", remedy="Give each its own.")
    asked = [name for name in (row_names, sequence, *obs_columns) if name is not None]
    if unknown := [name for name in asked if name not in names]:
        msg = f"There is no column {unknown[0]!r}; they are {shorten(names)}."
        raise InputError(msg)
    frame, lines = _read_frame(path, names, _LETTERS[delimiter])
    rows = _unique(frame[row_names]) if row_names else [str(number) for number in range(len(frame))]
    others = [name for name in names if name not in {row_names, sequence}]
    if sequence is None:
        return _to_anndata(frame.set_axis(rows), others, obs_columns, path, lines)
    return assemble(
        Records(
            origin=str(path),
            sequences=list(frame[sequence]),
            names=rows,
            obs=frame[others].astype("category"),
            where=lambda number: f"{path} line {lines[number]}",
            if_empty="Fill it in, or remove the line.",
        ),
        None,
    )


def _read_frame(path: Path, names: Sequence[str], letter: str | None) -> tuple[pd.DataFrame, list[int]]:
    """Read all values as text, and the number of the line that each row stands in."""
    rows, lines = [], []
    with reading(path), open_text(path) as stream:
        for number, line in enumerate(stream, start=1):
            if not line.strip():
                continue
            values = [value.strip() for value in line.rstrip("\r\n").split(letter)]
            if len(values) != len(names):
                msg = f"{path} line {number} has {len(values)} values, and {len(names)} columns are named."
                raise InputError(msg)
            rows.append(values)
            lines.append(number)
    if not rows:
        msg = f"{path} is empty."
        raise InputError(msg)
    return pd.DataFrame(rows, columns=list(names)), lines


def _unique(column: pd.Series) -> list[str]:
    """Tell repeated names apart by a number."""
    taken, counts, unique = set(column), Counter[str](), []
    for name in column:
        counts[name] += 1
        candidate = name if counts[name] == 1 else f"{name}_{counts[name]}"
        while counts[name] > 1 and candidate in taken:
            counts[name] += 1
            candidate = f"{name}_{counts[name]}"
        taken.add(candidate)
        unique.append(candidate)
    return unique


def _to_anndata(
    frame: pd.DataFrame, others: Sequence[str], obs_columns: Sequence[str], path: Path, lines: Sequence[int]
) -> AnnData:
    """Split columns into features, which are numbers, and annotations."""
    features = [name for name in others if name not in obs_columns]
    if not features:
        msg = f"{path} has no features: all columns are names or annotations."
        raise InputError(msg)
    values = np.empty((len(frame), len(features)), np.float32)
    for place, name in enumerate(features):
        texts = frame[name].where(~frame[name].isin(_MISSING), "nan")
        numbers = pd.to_numeric(texts, errors="coerce")
        wrong = np.flatnonzero(numbers.isna() & (texts != "nan"))
        if len(wrong):
            msg = f"{path} line {lines[wrong[0]]} has {texts.iloc[wrong[0]]!r} as {name!r}, no number."
            raise InputError(msg)
        values[:, place] = numbers
    obs = frame[list(obs_columns)].astype("category")
    return anndata.AnnData(X=values, obs=obs, var=pd.DataFrame(index=features))
