"""Reading data sets laid out like Genomic Benchmarks: a folder per split, and in it one per class."""

from __future__ import annotations

import csv
import logging
import re
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pandas as pd

from diffaug_bio._checks import check_columns, check_unique
from diffaug_bio._keys import LABEL_KEY, SPLIT_KEY
from diffaug_bio._wording import decoded
from diffaug_bio.errors import InputError
from diffaug_bio.io._files import bare_name, open_text, reading, stem, visible_entries
from diffaug_bio.io.dna._from_sequences import Records, assemble
from diffaug_bio.io.dna._intervals import (
    Interval,
    as_columns,
    cut_intervals,
    parse_interval,
    refuse_reference,
    require_reference,
)

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
    """Rows of a data set, filled file by file."""

    ids: list[str] = field(default_factory=list)
    splits: list[str] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)
    places: list[str] = field(default_factory=list)
    intervals: list[Interval] = field(default_factory=list)
    sequences: list[str] = field(default_factory=list)

    def add(self, name: str, split: str, label: str, place: str) -> None:
        """Add a row; names repeat between files, so the id holds split and label as well."""
        self.ids.append(f"{split}/{label}/{name}")
        self.splits.append(split)
        self.labels.append(label)
        self.places.append(place)


def has_splits(folder: Path) -> bool:
    """Return True if a folder has folders for splits."""
    return any((folder / split).is_dir() for split in SPLITS)


def read_splits(
    folder: Path, *, reference: Path | None, obs_columns: Sequence[str], kmers: KmerEncoding | None
) -> AnnData:
    """Read a data set of Genomic Benchmarks (Grešová et al. 2023, BMC Genomic Data 24, 25).

    Either `train/CLASS.csv.gz` and `test/CLASS.csv.gz` with columns `id`, `region`, `start`, `end` and
    `strand`, whose letters are cut from a reference; or `train/CLASS/ID.txt`, one sequence a file.
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
    if n_folders:
        refuse_reference(folder, reference)
    else:
        require_reference(folder, reference, hint=_known_sources(folder))
    rows = _Rows()
    for split, entry in classes:
        if entry.is_dir():
            _add_texts(rows, split, entry)
        else:
            _add_intervals(rows, split, entry)
    return assemble(_as_records(rows, folder, reference, obs_columns), kmers)


def _known_sources(folder: Path) -> str:
    """Return a sentence with the addresses of references that `metadata.yaml` names, if any."""
    metadata = folder / "metadata.yaml"
    text = metadata.read_text(encoding="utf-8", errors="replace") if metadata.is_file() else ""
    urls = list(dict.fromkeys(_URL.findall(text)))
    return f" {metadata.name} names {' and '.join(urls)}." if urls else ""


def _add_texts(rows: _Rows, split: str, folder: Path) -> None:
    """Read the files of one class, a sequence each."""
    files = [path for path in visible_entries(folder) if path.suffix.lower() == ".txt" and path.is_file()]
    if not files:
        msg = f"{folder} holds no file ID.txt. Remove the folder, or put sequences there, one a file."
        raise InputError(msg)
    for path in files:
        with reading(path):
            rows.sequences.append("".join(path.read_text(encoding="utf-8").split()))
        rows.add(decoded(path.stem), split, decoded(folder.name), str(path))


def _add_intervals(rows: _Rows, split: str, path: Path) -> None:
    """Read the table of intervals of one class."""
    n_before = len(rows.ids)
    with reading(path), open_text(path) as stream:
        lines = csv.reader(stream)
        header = [name.strip() for name in next(lines, [])]
        check_columns(_COLUMNS, header, where=path)
        columns = [header.index(name) for name in _COLUMNS]
        for fields in lines:
            where = f"{path} line {lines.line_num}"
            if not fields:
                continue
            if len(fields) != len(header):
                msg = f"{where} has {len(fields)} fields, the header has {len(header)}. Correct that line."
                raise InputError(msg)
            name, *texts = (fields[column].strip() for column in columns)
            rows.intervals.append(parse_interval(*texts, where=where))
            rows.add(name, split, decoded(stem(path)), where)
    if len(rows.ids) == n_before:
        msg = f"{path} holds no interval. Remove the file, or fill it in."
        raise InputError(msg)


def _as_records(rows: _Rows, folder: Path, reference: Path | None, obs_columns: Sequence[str]) -> Records:
    """Cut intervals, and join letters and annotations."""
    check_unique(rows.ids, what="ids", remedy=f"Give each row of a class in {folder} its own.")
    obs = pd.DataFrame({LABEL_KEY: pd.Categorical(rows.labels), SPLIT_KEY: pd.Categorical(rows.splits)})
    sequences = rows.sequences
    if reference is not None:
        sequences = cut_intervals(rows.intervals, reference, where=rows.places.__getitem__)
        obs = pd.concat([obs, as_columns(rows.intervals)], axis=1)
    check_columns(obs_columns, obs, where=folder)
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
