"""Writing embeddings and features as text tables, and sequences as FASTA."""

from __future__ import annotations

import contextlib
import gzip
import logging
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
from scipy import sparse

from diffaug_bio._checks import check_unique
from diffaug_bio._keys import CSV_PREFIX, QUALITY_KEY, SEQUENCE_KEY
from diffaug_bio._wording import shorten
from diffaug_bio.errors import InputError
from diffaug_bio.io._table import is_annotation
from diffaug_bio.matrix.blocks import row_blocks
from diffaug_bio.matrix.sparse import check_sparse
from diffaug_bio.output.files import staged_file

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from os import PathLike
    from typing import BinaryIO

    import numpy as np
    from anndata import AnnData
    from numpy.typing import NDArray

logger = logging.getLogger(__name__)

_ID = "id"  # column of a table with the names of rows
_KEY = re.compile(r"[^\W\d_][\w.-]*")  # as the reader of headers knows them


def write_embedding(
    path: str | PathLike[str], embedding: NDArray[np.float32], names: Iterable[str]
) -> None:
    """Write an embedding as CSV: one row a name, columns `diffaug_1` and up.

    Values are written with as many digits as float32 needs to be read back unchanged.

    Parameters
    ----------
    path
        The file, overwritten if it is there.
    embedding
        Shape: `(n_obs, n_latent)`.
    names
        Name of each row.
    """
    columns = [f"{CSV_PREFIX}{number}" for number in range(1, embedding.shape[1] + 1)]
    index = pd.Index(list(names), name="id")
    pd.DataFrame(embedding, index=index, columns=columns).to_csv(path)


def write_table(path: str | PathLike[str], adata: AnnData) -> None:
    """Write features and annotations as a text table: the id, the features, then the columns of `.obs`.

    :func:`diffaug_bio.io.read` reads the same values back. It takes columns of numbers for features, but
    for those with usual names such as `label`: annotations that are numbers have to be named in its
    `obs_columns`, and the log says which these are.

    Parameters
    ----------
    path
        The file: `.tsv` with tabs, else with commas, gzipped if its name ends so; replaced whole or not at
        all.
    adata
        Its `.X` is written, a few rows at a time.

    Raises
    ------
    InputError
        If a feature has the name of an annotation, or of the column of ids, or the indices of a sparse
        matrix lead outside of it.
    """
    path = Path(path)
    if sparse.issparse(adata.X):
        check_sparse(adata.X, what="The `.X` to write")
    names = [str(name) for name in adata.var_names]
    remedy = "Rename or drop all but one."
    check_unique(
        [_ID, *names, *map(str, adata.obs)], what="names of features and annotations", remedy=remedy
    )
    if numeric := [name for name in adata.obs if not is_annotation(adata.obs[name], [])]:
        logger.info(
            "%s: annotations %s are numbers, which are read back as features unless they are named.",
            path.name,
            shorten(numeric),
        )
    separator = "\t" if path.name.lower().removesuffix(".gz").endswith(".tsv") else ","
    with _staged_text(path) as stream:
        for rows, block in row_blocks(adata.X):
            values = block.toarray() if sparse.issparse(block) else block
            frame = pd.DataFrame(values, index=adata.obs_names[rows], columns=names)
            frame = pd.concat([frame, adata.obs.iloc[rows]], axis=1)
            text = frame.to_csv(sep=separator, index_label=_ID, header=rows.start == 0)
            stream.write(text.encode())


def write_fasta(path: str | PathLike[str], adata: AnnData) -> None:
    """Write the sequences of an AnnData as FASTA, annotations as `key=value` in the headers.

    :func:`diffaug_bio.io.read` reads the same letters and annotations back, these as text. The mean
    quality of reads is left out: FASTA has no qualities.

    Parameters
    ----------
    path
        The file, gzipped if its name ends so; replaced whole or not at all.
    adata
        With letters in `.obs["sequence"]`.

    Raises
    ------
    InputError
        If there are no letters, or a name or an annotation cannot stand in a header.
    """
    if SEQUENCE_KEY not in adata.obs:
        msg = (
            f"There are no letters in `.obs[{SEQUENCE_KEY!r}]`, only columns "
            f"{shorten(adata.obs) or 'none'}. Write an .h5ad file instead."
        )
        raise InputError(msg)
    others = adata.obs.drop(columns=[SEQUENCE_KEY, QUALITY_KEY], errors="ignore")
    keys = _keys(others)
    annotations = [
        " ".join(_annotation(key, value) for key, value in zip(keys, row, strict=True) if pd.notna(value))
        for _, *row in others.itertuples(name=None)
    ]
    names = [str(name) for name in adata.obs_names]
    if unfit := [name for name in names if not name or any(letter.isspace() for letter in name)]:
        msg = f"A name in FASTA has no spaces and is not empty, got {unfit[0]!r}. Rename the observations."
        raise InputError(msg)
    letters = adata.obs[SEQUENCE_KEY].astype(str)
    records = (
        f">{name} {annotation}".rstrip() + f"\n{sequence}\n"
        for name, annotation, sequence in zip(names, annotations, letters, strict=True)
    )
    with _staged_text(Path(path)) as stream:
        stream.writelines(record.encode() for record in records)


@contextlib.contextmanager
def _staged_text(path: Path) -> Iterator[BinaryIO | gzip.GzipFile]:
    """Open a file for bytes of text, gzipped if its name ends so; it is replaced whole or not at all."""
    with staged_file(path) as stage, stage.open("wb") as file:
        if path.suffix.lower() != ".gz":
            yield file
            return
        # Without name and time stamp, the same text gives the same bytes.
        with gzip.GzipFile(filename="", mode="wb", fileobj=file, mtime=0) as stream:
            yield stream


def _keys(annotations: pd.DataFrame) -> list[str]:
    """Name columns as keys that the reader of headers knows for such."""
    keys = [str(name).replace(" ", "_") for name in annotations]
    if unfit := [key for key in keys if not _KEY.fullmatch(key)]:
        msg = (
            f"The column {unfit[0]!r} cannot be a key in a FASTA header. Give it a name of letters, "
            "digits, '_', '.' and '-' that starts with a letter."
        )
        raise InputError(msg)
    check_unique(keys, what="keys of FASTA headers", remedy="Rename columns that differ only in a space.")
    return keys


def _annotation(key: str, value: object) -> str:
    """Write `key=value`, quoted if need be."""
    text = str(value)
    if any(letter in text for letter in '"\n\r'):
        msg = (
            f"The annotation {key!r} {text!r} cannot stand in a FASTA header. Remove quotes and line ends."
        )
        raise InputError(msg)
    return f'{key}="{text}"' if any(letter.isspace() for letter in text) else f"{key}={text}"
