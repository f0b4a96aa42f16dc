"""Reading BED: intervals, their names and scores, with the letters cut from a reference."""

from __future__ import annotations

import logging
from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

import pandas as pd

from diffaug_bio._wording import shorten
from diffaug_bio.errors import InputError
from diffaug_bio.io._stream import open_text, reading
from diffaug_bio.io.dna._from_sequences import Records, assemble
from diffaug_bio.io.dna._intervals import Interval, as_columns, cut_intervals, parse_interval

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from anndata import AnnData

    from diffaug_bio.pp import KmerEncoding

logger = logging.getLogger(__name__)

BED_ENDINGS = (".bed",)
_NO_INTERVAL = frozenset({"track", "browser"})  # first words of lines for genome browsers
_UNKNOWN = "."
_N_USED = 6  # columns that are read: chromosome, start, end, name, score, strand


class _Line(NamedTuple):
    """One interval of a file."""

    number: int
    interval: Interval
    name: str
    score: str


def read_bed(
    path: Path, *, reference: Path | None, obs_columns: Sequence[str], kmers: KmerEncoding | None
) -> AnnData:
    """Read intervals from BED and cut their letters from a reference; see :func:`diffaug_bio.io.read`.

    Returns
    -------
    A row per interval, named `chromosome:start-end(strand)`; where the same interval stands in several
    lines, `_2`, `_3` and so on follow from its second line on. `.obs` holds `region`, `start`, `end` and
    `strand`, and `name` and `score` where the file has them.

    Raises
    ------
    InputError
        If there is no reference, the file is not BED, or an interval is not in the reference.
    """
    if reference is None:
        msg = (
            f"{path} holds intervals, not letters. Give `reference`: the FASTA file "
            "(`--reference`) to cut them from."
        )
        raise InputError(msg)
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
            names=_numbered(map(str, intervals)),
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
                msg = f"{where} is no interval: {line[:40]!r}. Write chromosome, start, end, split by tabs."
                raise InputError(msg)
            n_columns = n_columns or len(fields)
            if len(fields) != n_columns:
                msg = (
                    f"{where} has {len(fields)} columns, the lines before have {n_columns}. Mend that line."
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
    """Make the columns of `.obs`: scores as numbers if all of them are; those asked for as categories."""
    obs = as_columns([line.interval for line in lines])
    for name in ("name", "score"):
        values = pd.Series([getattr(line, name) for line in lines], dtype=object)
        values = values.mask(values.isin(["", _UNKNOWN]))
        if values.isna().all():
            continue
        numbers = pd.to_numeric(values, errors="coerce") if name == "score" else None
        is_numeric = numbers is not None and bool((numbers.notna() == values.notna()).all())
        obs[name] = numbers if is_numeric else values.astype("category")
    if unknown := [name for name in obs_columns if name not in obs]:
        msg = f"{path} has no column {unknown[0]!r}; it has {shorten(obs)}."
        raise InputError(msg)
    return obs.astype(dict.fromkeys(obs_columns, "category"))


def _numbered(names: Iterable[str]) -> list[str]:
    """Make repeated names unique by a number from the second time on."""
    counts: Counter[str] = Counter()
    unique = []
    for name in names:
        counts[name] += 1
        unique.append(name if counts[name] == 1 else f"{name}_{counts[name]}")
    return unique
