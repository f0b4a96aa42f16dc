"""From a frame of text and numbers to AnnData."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import anndata
import pandas as pd

from diffaug_bio._checks import check_columns, check_unique
from diffaug_bio._wording import shorten
from diffaug_bio.errors import InputError
from diffaug_bio.io.table._column_names import is_usual_label
from diffaug_bio.io.table._genes import (
    facts_about_features,
    facts_frame,
    warn_of_genes_in_columns,
    warn_of_genes_in_rows,
)
from diffaug_bio.io.table._kinds import (
    Sides,
    as_categories,
    features_of,
    holds_labels,
    identifiers,
    is_annotation,
    is_text,
    warn_of_codes,
)
from diffaug_bio.io.table._parse import parse_text
from diffaug_bio.io.table._row_names import named_rows
from diffaug_bio.matrix.summary import as_float32

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from anndata import AnnData

logger = logging.getLogger(__name__)


def read_table(path: Path, *, obs_columns: Sequence[str], transpose: bool) -> AnnData:
    """Read a text table of features; see :func:`diffaug_bio.io.read`."""

    def is_label(name: str) -> bool:
        # In a column of labels, "NA" and "None" are labels.
        return not transpose and (name in obs_columns or is_usual_label(name))

    frame = parse_text(path, as_text=is_label)
    if transpose and any(holds_labels(frame[name]) for name in frame.columns[1:]):
        frame = parse_text(path, as_text=lambda _: True, is_logged=False)
    return table_from_frame(frame, path, obs_columns=obs_columns, transpose=transpose)


def table_from_frame(
    frame: pd.DataFrame, path: Path, *, obs_columns: Sequence[str] = (), transpose: bool = False
) -> AnnData:
    """Make an AnnData of a frame that a reader of tables made.

    Parameters
    ----------
    frame
        Columns of numbers, truth values, categories or text, in which an empty text is missing. Rows are
        named by the index, or where that only counts them by the first column if it holds names.
    path
        File that it comes from, for messages.
    obs_columns
        Columns that are annotations, besides those of text and with a usual name.
    transpose
        If True, features are in rows.

    Returns
    -------
    `.X` in float32 with nan for missing values, annotations as categories in `.obs`, and columns about
    features of a transposed table in `.var`.
    """
    frame = frame.copy(deep=False)  # other names of the same values
    frame.columns = frame.columns.map(str)
    check_unique(frame.columns, what="column names", remedy=f"Rename them in {path}.")
    frame, id_name = named_rows(frame, path, transpose=transpose)
    sides, facts = Sides(path=path), pd.DataFrame(index=frame.index)
    if transpose:
        warn_of_genes_in_columns(frame, id_name=id_name, source=path.name)
        about = facts_about_features(frame, path)
        facts = facts_frame(frame[about])
        sides = Sides(path=path, column="row", row="column")
        frame = frame.drop(columns=about).T.infer_objects()
    check_columns(
        obs_columns, frame.columns, where=path, listed=[name for name in frame if is_text(frame[name])]
    )
    annotations = [name for name in frame.columns if is_annotation(frame[name], obs_columns)]
    features = features_of(frame, set(annotations), sides)
    if not transpose:
        found = identifiers(features, path)
        if found:
            features, annotations = features.drop(columns=found), [*annotations, *found]
        names = list(map(str, features.columns))
        warn_of_genes_in_rows(
            list(frame.index) if id_name is not None else [], names, id_name=id_name, source=path.name
        )
        warn_of_codes(features, path)
    if features.shape[1] == 0:
        msg = f"{path} has no numeric column."
        raise InputError(msg)
    if annotations:
        logger.info(
            "%s: %ss %s are annotations, not features.", path.name, sides.column, shorten(annotations)
        )
    names = list(map(str, features.columns))
    try:
        matrix = as_float32(features, names)
    except InputError as error:
        msg = f"{path}: {error}"
        raise InputError(msg) from error
    obs = as_categories(frame[annotations])
    var = facts.loc[features.columns].set_axis(names) if transpose else pd.DataFrame(index=names)
    return anndata.AnnData(X=matrix, obs=obs, var=var)
