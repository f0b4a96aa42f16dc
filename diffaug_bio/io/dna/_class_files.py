"""Reading a folder with a file of sequences for each class."""

from __future__ import annotations

import logging
from bisect import bisect_right
from collections import Counter
from itertools import accumulate
from typing import TYPE_CHECKING

import pandas as pd

from diffaug_bio._checks import check_unique
from diffaug_bio._keys import LABEL_KEY
from diffaug_bio._wording import decoded
from diffaug_bio.errors import InputError
from diffaug_bio.io._files import stem
from diffaug_bio.io.dna._fasta import check_keys, parse_sequences
from diffaug_bio.io.dna._from_sequences import Records, assemble

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from anndata import AnnData

    from diffaug_bio.pp import KmerEncoding

logger = logging.getLogger(__name__)


def read_class_files(
    folder: Path, files: Sequence[Path], *, obs_columns: Sequence[str], kmers: KmerEncoding | None
) -> AnnData:
    """Read files with the sequences of one class each; see :func:`diffaug_bio.io.read`."""
    labels = [decoded(stem(path)) for path in files]
    check_unique(
        labels, what="names of files without endings", remedy=f"Each file of {folder} stands for one class."
    )
    parts = [parse_sequences(path) for path in files]
    for part, label in zip(parts, labels, strict=True):
        if LABEL_KEY in part.obs and not part.obs[LABEL_KEY].dropna().eq(label).all():
            msg = (
                f"{part.origin} has the key {LABEL_KEY!r} in its headers, but in a folder the name of the "
                "file is the label. Rename the key, or read the file alone."
            )
            raise InputError(msg)
    logger.info("%s: %d files, one for each of the labels %s.", folder.name, len(files), ", ".join(labels))
    records = _joined(folder, parts, labels)
    check_keys(records, obs_columns)
    return assemble(records, kmers)


def _joined(folder: Path, parts: Sequence[Records], labels: Sequence[str]) -> Records:
    """Stack the records of all files, with names made unique by the label."""
    ends = list(accumulate(len(part.sequences) for part in parts))
    counts = Counter(name for part in parts for name in part.names)
    names = [
        name if counts[name] == 1 else f"{label}/{name}"
        for part, label in zip(parts, labels, strict=True)
        for name in part.names
    ]
    check_unique(names, what="record ids", remedy=f"Rename them in the files of {folder}.")
    obs = pd.concat(
        [part.obs.drop(columns=LABEL_KEY, errors="ignore") for part in parts], ignore_index=True
    )
    for key in obs.columns:  # pandas joins categories that differ between files as plain text
        if obs[key].dtype == object:
            obs[key] = obs[key].astype("category")
    of_each = [label for part, label in zip(parts, labels, strict=True) for _ in part.names]
    obs = pd.concat([pd.DataFrame({LABEL_KEY: pd.Categorical(of_each)}), obs], axis=1)

    def where(number: int) -> str:
        place = bisect_right(ends, number)
        return parts[place].where(number - ends[place] + len(parts[place].sequences))

    return Records(
        origin=str(folder),
        sequences=[letters for part in parts for letters in part.sequences],
        names=names,
        obs=obs,
        where=where,
        if_empty=parts[0].if_empty,
    )
