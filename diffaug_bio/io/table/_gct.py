"""Metadata in GCT 1.3, the format of the Connectivity Map: its second line says how many there are."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, NamedTuple

from diffaug_bio._wording import shorten
from diffaug_bio.io._files import open_text
from diffaug_bio.io.table._layout import parsing
from diffaug_bio.io.table._schema import Schema

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

logger = logging.getLogger(__name__)


class Metadata(NamedTuple):
    """Numbers of metadata in a file, 0 in all other tables."""

    n_facts: int = 0
    """Columns after the names of rows that tell of them."""
    n_labels: int = 0
    """Lines below the header that tell of the columns."""


def metadata_in(path: Path) -> Metadata:
    """Read the numbers of metadata that a GCT 1.3 file says it holds."""
    if path.is_fifo():
        return Metadata()
    with parsing(path), open_text(path) as stream:
        version, sizes = (stream.readline(1000).strip().strip('"').split() for _ in range(2))
    if version[:1] != ["#1.3"] or len(sizes) < 4 or not all(size.isdecimal() for size in sizes[:4]):
        return Metadata()
    return Metadata(int(sizes[2]), int(sizes[3]))


def with_labels(
    frame: pd.DataFrame, metadata: Metadata, schema: Schema, path: Path
) -> tuple[pd.DataFrame, Schema]:
    """Make annotations of the lines about columns; what they hold below facts about rows is a filler."""
    labels = [str(label) for label in frame.iloc[: metadata.n_labels, 0]]
    if not labels:
        return frame, schema
    frame = frame.copy()
    for place in range(1, 1 + min(metadata.n_facts, frame.shape[1] - 1)):
        column = frame.iloc[:, place].astype(object)
        column.iloc[: len(labels)] = ""
        frame.isetitem(place, column.array)
    logger.info(
        "%s: rows %s are metadata of the columns, as its second line says.", path.name, shorten(labels)
    )
    said = Schema(annotations=list(dict.fromkeys(labels)), allow_absent=schema.allow_absent)
    return frame, said.overridden_by(schema)
