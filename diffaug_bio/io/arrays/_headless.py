"""Reading tables without a header line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import anndata
import numpy as np
import pandas as pd

from diffaug_bio._checks import check_columns, check_unique
from diffaug_bio.errors import InputError
from diffaug_bio.io._files import open_text, reading
from diffaug_bio.io._names import number_repeats
from diffaug_bio.io.dna import Records, assemble

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
    """Read a table without a header, plain or gzipped; spaces around values are ignored.

    The delimiter "space" is any number of spaces. Repeated names in `row_names` become `NAME_2` and so on.
    With a column `sequence` of DNA, all others are annotations; without, all but `obs_columns` are
    features, in which an empty text, `?`, `NA` and `nan` are missing.
    """
    check_unique(names, what="names of columns", remedy="Give each its own.")
    asked = [name for name in (row_names, sequence, *obs_columns) if name is not None]
    check_columns(asked, names, where=path)
    frame, lines = _read_frame(path, names, _LETTERS[delimiter])
    rows = number_repeats(frame[row_names]) if row_names else list(map(str, range(len(frame))))
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
    """Read all values as text, and the line number of each row."""
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


def _to_anndata(
    frame: pd.DataFrame, others: Sequence[str], obs_columns: Sequence[str], path: Path, lines: Sequence[int]
) -> AnnData:
    """Split columns into numeric features and annotations."""
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
