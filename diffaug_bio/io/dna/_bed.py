"""Reading BED: intervals, their names and scores, with letters cut from a reference."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, NamedTuple

import pandas as pd

from diffaug_bio._checks import check_columns
from diffaug_bio.errors import InputError
from diffaug_bio.io._files import open_text, reading
from diffaug_bio.io._names import number_repeats
from diffaug_bio.io.dna._from_sequences import Records, assemble
from diffaug_bio.io.dna._intervals import (
    Interval,
    as_columns,
    cut_intervals,
    parse_interval,
    require_reference,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from anndata import AnnData

    from diffaug_bio.pp import KmerEncoding

logger = logging.getLogger(__name__)

BED_ENDINGS = (".bed",)
_NO_INTERVAL = frozenset({"track", "browser"})  # first words of lines for genome browsers
_UNKNOWN = "."
_N_USED = 6  # columns that are read: chromosome, start, end, name, score, strand


class _Line(NamedTuple):
    """Interval in a line of a file."""

    number: int
    interval: Interval
    name: str
    score: str


def read_bed(
    path: Path, *, reference: Path | None, obs_columns: Sequence[str], kmers: KmerEncoding | None
) -> AnnData:
    """Read intervals from BED and cut their letters from a reference; see :func:`diffaug_bio.io.read`."""
    reference = require_reference(path, reference)
    with reading(path):
        lines = _parsed(path)
    if not lines:
        msg = f"{path} is empty: it holds no interval. A line is: chromosome, start, end, split by tabs."
        raise InputError(msg)
    intervals = [line.interval for line in lines]
    obs = _annotated(lines, path, obs_columns)
    logger.info("%s: %d intervals, to be cut from %s.", path.name, len(lines), reference.name)

    def where(number: int) -> str:
        return f"{path} line {lines[number].number}"

    return assemble(
        Records(
            origin=str(path),
            sequences=cut_intervals(intervals, reference, where=where),
            names=number_repeats(map(str, intervals)),
            obs=obs,
            where=where,
            if_empty="Remove the line.",
        ),
        kmers,
    )


def _parsed(path: Path) -> list[_Line]:
    """Read all lines that hold an interval."""
    lines: list[_Line] = []
    n_columns = 0
    with open_text(path) as stream:
        for number, text in enumerate(stream, start=1):
            line = text.rstrip("\r\n")
            if not line.strip() or line.startswith("#") or line.split(maxsplit=1)[0] in _NO_INTERVAL:
                continue
            fields = line.split("\t") if "\t" in line else line.split()
            where = f"{path} line {number}"
            if len(fields) < 3:
                msg = f"{where} is not an interval: {line[:40]!r}. Write chromosome, start, end with tabs."
                raise InputError(msg)
            n_columns = n_columns or len(fields)
            if len(fields) != n_columns:
                msg = (
                    f"{where} has {len(fields)} columns, the lines before have {n_columns}. "
                    "Correct that line."
                )
                raise InputError(msg)
            region, start, end, name, score, strand = (*fields, *[_UNKNOWN] * 3)[:_N_USED]
            interval = parse_interval(
                region.strip(), start.strip(), end.strip(), strand.strip(), where=where
            )
            lines.append(_Line(number, interval, name, score))
    if n_columns > _N_USED:
        logger.info(
            "%s: only the first %d of %d columns are read; blocks are not spliced.",
            *(path.name, _N_USED, n_columns),
        )
    return lines


def _annotated(lines: Sequence[_Line], path: Path, obs_columns: Sequence[str]) -> pd.DataFrame:
    """Make the columns of `.obs`: scores numeric if all are numbers, columns asked for categorical."""
    obs = as_columns([line.interval for line in lines])
    for name in ("name", "score"):
        values = pd.Series([getattr(line, name) for line in lines], dtype=object)
        values = values.mask(values.isin(["", _UNKNOWN]))
        if values.isna().all():
            continue
        numbers = pd.to_numeric(values, errors="coerce") if name == "score" else None
        is_numeric = numbers is not None and bool((numbers.notna() == values.notna()).all())
        obs[name] = numbers if is_numeric else values.astype("category")
    check_columns(obs_columns, obs, where=path)
    return obs.astype(dict.fromkeys(obs_columns, "category"))
