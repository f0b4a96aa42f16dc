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
from diffaug_bio.io._files import bare_name
from diffaug_bio.io.table import is_annotation
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
_KEY = re.compile(r"[^\W\d_][\w.-]*")  # a key that the reader of FASTA headers recognises


def write_embedding(
    path: str | PathLike[str], embedding: NDArray[np.float32], names: Iterable[str]
) -> None:
    """Write an embedding as CSV with columns `id`, `diffaug_1` and so on, with all digits of float32.

    Parameters
    ----------
    path
        The file; an existing one is overwritten.
    embedding
        Shape: `(n_obs, n_latent)`.
    names
        Name of each row.
    """
    columns = [f"{CSV_PREFIX}{number}" for number in range(1, embedding.shape[1] + 1)]
    index = pd.Index(list(names), name=_ID)
    pd.DataFrame(embedding, index=index, columns=columns).to_csv(path)


def write_table(path: str | PathLike[str], adata: AnnData) -> None:
    """Write `.X` and `.obs` as a text table with columns for the id, the features and the annotations.

    :func:`diffaug_bio.io.read` reads the same values back if its `obs_columns` name numeric annotations
    that have no usual name for labels, such as `label`. The log lists them.

    Parameters
    ----------
    path
        The file, replaced whole or not at all: `.tsv` with tabs, others with commas, `.gz` compressed.
    adata
        Data to write, a block of rows at a time.

    Raises
    ------
    InputError
        If a feature and an annotation share a name, one is called `id`, or a sparse matrix is damaged.
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
            "%s: annotations %s are numbers; to read them back as annotations, name them in `obs_columns`.",
            path.name,
            shorten(numeric),
        )
    separator = "\t" if bare_name(path).endswith(".tsv") else ","
    with _staged_text(path) as stream:
        for rows, block in row_blocks(adata.X):
            values = block.toarray() if sparse.issparse(block) else block
            frame = pd.DataFrame(values, index=adata.obs_names[rows], columns=names)
            frame = pd.concat([frame, adata.obs.iloc[rows]], axis=1)
            text = frame.to_csv(sep=separator, index_label=_ID, header=rows.start == 0)
            stream.write(text.encode())


def write_fasta(path: str | PathLike[str], adata: AnnData) -> None:
    """Write sequences as FASTA, with annotations as `key=value` in the headers.

    :func:`diffaug_bio.io.read` reads letters, and annotations as text. Mean qualities are left out.

    Parameters
    ----------
    path
        The file, replaced whole or not at all; compressed if it ends with `.gz`.
    adata
        Data with letters in `.obs["sequence"]`.

    Raises
    ------
    InputError
        If there are no letters, or a name or annotation cannot be written in a header.
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
    """Open a file to be replaced whole or not at all, compressed if it ends with `.gz`."""
    with staged_file(path) as stage, stage.open("wb") as file:
        if path.suffix.lower() != ".gz":
            yield file
            return
        # Without name and time stamp, the same text gives the same bytes.
        with gzip.GzipFile(filename="", mode="wb", fileobj=file, mtime=0) as stream:
            yield stream


def _keys(annotations: pd.DataFrame) -> list[str]:
    """Return column names as keys of FASTA headers."""
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
    """Return `key=value`, quoted if the value has spaces."""
    text = str(value)
    if any(letter in text for letter in '"\n\r'):
        msg = (
            f"The annotation {key!r} {text!r} cannot stand in a FASTA header. Remove quotes and line ends."
        )
        raise InputError(msg)
    return f'{key}="{text}"' if any(letter.isspace() for letter in text) else f"{key}={text}"
