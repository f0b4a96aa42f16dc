"""Reading data sets laid out like Genomic Benchmarks: a folder per split, and in it one per class."""

from __future__ import annotations

import csv
import logging
import re
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pandas as pd

from diffaug_bio._checks import check_unique
from diffaug_bio._keys import LABEL_KEY, SPLIT_KEY
from diffaug_bio._wording import decoded, shorten
from diffaug_bio.errors import InputError
from diffaug_bio.io._stream import bare_name, open_text, reading, stem, visible_entries
from diffaug_bio.io.dna._from_sequences import Records, assemble
from diffaug_bio.io.dna._intervals import Interval, as_columns, cut_intervals, parse_interval

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from anndata import AnnData

    from diffaug_bio.pp import KmerEncoding

logger = logging.getLogger(__name__)

SPLITS = ("train", "test")
_COLUMNS = ("id", "region", "start", "end", "strand")
_URL = re.compile(r"^\s*url:\s*(\S+)", re.MULTILINE)


@dataclass(slots=True)
class _Rows:
    """What the files of a data set hold, row by row; filled file by file."""

    ids: list[str] = field(default_factory=list)
    splits: list[str] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)
    places: list[str] = field(default_factory=list)
    intervals: list[Interval] = field(default_factory=list)
    sequences: list[str] = field(default_factory=list)

    def add(self, name: str, split: str, label: str, place: str) -> None:
        """Add what both layouts say of a row; names are those of files, since ids start anew in each."""
        self.ids.append(f"{split}/{label}/{name}")
        self.splits.append(split)
        self.labels.append(label)
        self.places.append(place)


def has_splits(folder: Path) -> bool:
    """Whether a folder is laid out by splits."""
    return any((folder / split).is_dir() for split in SPLITS)


def read_splits(
    folder: Path, *, reference: Path | None, obs_columns: Sequence[str], kmers: KmerEncoding | None
) -> AnnData:
    """Read a data set in one of the layouts of Genomic Benchmarks [1]_; see :func:`diffaug_bio.io.read`.

    Either `train/CLASS.csv.gz` and `test/CLASS.csv.gz` with columns `id`, `region`, `start`, `end` and
    `strand`, whose letters are cut from a reference; or `train/CLASS/ID.txt`, one sequence a file.

    Returns
    -------
    A row per sequence, named `split/class/id`. `.obs` holds `label` and `split`, and for intervals
    `region`, `start`, `end` and `strand`.

    Raises
    ------
    InputError
        If the folder holds neither layout, or both, a reference is missing or of no use, or an interval is
        not in it.

    References
    ----------
    .. [1] Grešová et al. (2023), Genomic benchmarks, BMC Genomic Data 24, 25.
    """
    classes = [
        (split, entry)
        for split in SPLITS
        if (folder / split).is_dir()
        for entry in visible_entries(folder / split)
        if entry.is_dir() or bare_name(entry).endswith(".csv")
    ]
    n_folders = sum(entry.is_dir() for _, entry in classes)
    if not classes or 0 < n_folders < len(classes):
        what = "both tables and folders" if classes else "neither tables nor folders"
        msg = (
            f"{folder} has folders for splits that hold {what}. Expected {SPLITS[0]}/CLASS.csv.gz for each "
            f"class, with columns {', '.join(_COLUMNS)}; or {SPLITS[0]}/CLASS/ID.txt, one sequence a file."
        )
        raise InputError(msg)
    _check_reference_given(folder, reference, needs_one=n_folders == 0)
    rows = _Rows()
    for split, entry in classes:
        if entry.is_dir():
            _add_texts(rows, split, entry)
        else:
            _add_intervals(rows, split, entry)
    return assemble(_as_records(rows, folder, reference, obs_columns), kmers)


def _check_reference_given(folder: Path, reference: Path | None, *, needs_one: bool) -> None:
    """Refuse intervals without a reference, and the other way round."""
    if needs_one and reference is None:
        metadata = folder / "metadata.yaml"
        text = metadata.read_text(encoding="utf-8", errors="replace") if metadata.is_file() else ""
        urls = list(dict.fromkeys(_URL.findall(text)))
        source = f" {metadata.name} names {' and '.join(urls)}." if urls else ""
        msg = (
            f"{folder} holds intervals, not letters. Give `reference`: the FASTA file "
            "(`--reference`) to cut them from."
            f"{source}"
        )
        raise InputError(msg)
    if not needs_one and reference is not None:
        msg = f"{folder} holds letters, which need no reference. Leave `reference` out."
        raise InputError(msg)


def _add_texts(rows: _Rows, split: str, folder: Path) -> None:
    """Read one class of the layout with a file per sequence."""
    files = [path for path in visible_entries(folder) if path.suffix.lower() == ".txt" and path.is_file()]
    if not files:
        msg = f"{folder} holds no file ID.txt. Remove the folder, or put sequences there, one a file."
        raise InputError(msg)
    for path in files:
        with reading(path):
            rows.sequences.append("".join(path.read_text(encoding="utf-8").split()))
        rows.add(decoded(path.stem), split, decoded(folder.name), str(path))


def _add_intervals(rows: _Rows, split: str, path: Path) -> None:
    """Read one class of the layout with a table of intervals per class."""
    n_before = len(rows.ids)
    with reading(path), open_text(path) as stream:
        lines = csv.reader(stream)
        header = [name.strip() for name in next(lines, [])]
        if missing := [name for name in _COLUMNS if name not in header]:
            msg = f"{path} has no column {missing[0]!r}; it has {shorten(header) or 'none'}."
            raise InputError(msg)
        columns = [header.index(name) for name in _COLUMNS]
        for fields in lines:
            where = f"{path} line {lines.line_num}"
            if not fields:
                continue
            if len(fields) != len(header):
                msg = f"{where} has {len(fields)} fields, the header has {len(header)}. Mend that line."
                raise InputError(msg)
            name, *texts = (fields[column].strip() for column in columns)
            rows.intervals.append(parse_interval(*texts, where=where))
            rows.add(name, split, decoded(stem(path)), where)
    if len(rows.ids) == n_before:
        msg = f"{path} holds no interval. Remove the file, or fill it in."
        raise InputError(msg)


def _as_records(rows: _Rows, folder: Path, reference: Path | None, obs_columns: Sequence[str]) -> Records:
    """Cut intervals, and put letters and annotations together."""
    check_unique(rows.ids, what="ids", remedy=f"Give each row of a class in {folder} its own.")
    obs = pd.DataFrame({LABEL_KEY: pd.Categorical(rows.labels), SPLIT_KEY: pd.Categorical(rows.splits)})
    sequences = rows.sequences
    if reference is not None:
        sequences = cut_intervals(rows.intervals, reference, where=rows.places.__getitem__)
        obs = pd.concat([obs, as_columns(rows.intervals)], axis=1)
    if unknown := [name for name in obs_columns if name not in obs]:
        msg = f"{folder} has no column {unknown[0]!r}; it has {shorten(obs)}."
        raise InputError(msg)
    counts = Counter(zip(rows.splits, rows.labels, strict=True))
    listed = ", ".join(f"{split}/{label} {count}" for (split, label), count in counts.items())
    logger.info("%s: %s.", folder.name, listed)
    return Records(
        origin=str(folder),
        sequences=sequences,
        names=rows.ids,
        obs=obs,
        where=rows.places.__getitem__,
        if_empty="Fill in or remove the file.",
    )
