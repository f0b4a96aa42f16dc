"""From a frame of text and numbers to AnnData."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, NamedTuple

import anndata
import pandas as pd

from diffaug_bio._checks import check_columns, check_unique
from diffaug_bio._keys import COLUMNS_KEY
from diffaug_bio._wording import shorten
from diffaug_bio.errors import InputError
from diffaug_bio.io.table._column_names import is_usual_label
from diffaug_bio.io.table._doubtful import warn_of_doubtful
from diffaug_bio.io.table._gct import Metadata, metadata_in, with_labels
from diffaug_bio.io.table._genes import (
    facts_about_features,
    facts_frame,
    warn_of_genes_in_columns,
    warn_of_genes_in_rows,
)
from diffaug_bio.io.table._kinds import (
    as_categories,
    holds_labels,
    identifiers,
    is_text,
    kinds_of,
    numbers_of,
    warn_of_twins,
)
from diffaug_bio.io.table._matrix import are_measured, coded_features, settle
from diffaug_bio.io.table._numbers import with_numbers
from diffaug_bio.io.table._parse import column_names, parse_text
from diffaug_bio.io.table._row_names import named_rows
from diffaug_bio.io.table._schema import Schema, as_schema
from diffaug_bio.io.table._sides import Sides
from diffaug_bio.matrix.columns import same_but_for_case

if TYPE_CHECKING:
    from collections.abc import Sequence
    from os import PathLike
    from pathlib import Path

    from anndata import AnnData

    from diffaug_bio.io.table._matrix import Coded

logger = logging.getLogger(__name__)

_MOST_LISTED = 30  # annotations in the log


def read_table(
    path: Path,
    *,
    obs_columns: Sequence[str],
    transpose: bool,
    schema: Schema | str | PathLike[str] | None = None,
) -> AnnData:
    """Read a text table of features; see :func:`diffaug_bio.io.read`."""
    schema = as_schema(schema)
    frame = read_frame(path, obs_columns=obs_columns, transpose=transpose, schema=schema)
    facts: list[str] = []
    if transpose and (metadata := metadata_in(path)) != Metadata():
        facts = [str(name) for name in frame.columns[1 : 1 + metadata.n_facts]]
        frame, schema = with_labels(frame, metadata, schema, path)
    return table_from_frame(
        frame, path, obs_columns=obs_columns, transpose=transpose, schema=schema, facts=facts
    )


def read_frame(path: Path, *, obs_columns: Sequence[str], transpose: bool, schema: Schema) -> pd.DataFrame:
    """Read a text table into a frame, with columns of levels and labels as they are written."""
    written = {*obs_columns, *schema.columns} - {*schema.numeric}
    if schema.allow_absent:  # columns of a fit, whose case may differ here
        written |= {*same_but_for_case([*written], column_names(path)).values()} - {*schema.numeric}

    def is_label(name: str) -> bool:
        # In a column of labels, "NA" and "None" are labels.
        return not transpose and (name in written or (is_usual_label(name) and name not in schema.numeric))

    frame = parse_text(path, as_text=is_label)
    if transpose and any(holds_labels(frame[name]) for name in frame.columns[1:]):
        frame = parse_text(path, as_text=lambda _: True, is_logged=False)
    return frame


def table_from_frame(
    frame: pd.DataFrame,
    path: Path,
    *,
    obs_columns: Sequence[str] = (),
    transpose: bool = False,
    schema: Schema | str | PathLike[str] | None = None,
    facts: Sequence[str] = (),
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
    schema
        Kinds of columns, or a TOML file with them.
    facts
        Columns of a transposed table that tell of its features, besides those that are found.

    Returns
    -------
    `.X` in float32 with nan for missing values, annotations as categories in `.obs`, columns about
    features of a transposed table in `.var`, and in `.uns["columns"]` how columns are coded that are no
    plain numbers.
    """
    if not len(frame):
        msg = f"{path} has names of columns, and no rows below them."
        raise InputError(msg)
    frame = frame.copy(deep=False)  # other names of the same values
    frame.columns = frame.columns.map(str)
    check_unique(frame.columns, what="column names", remedy=f"Rename them in {path}.")
    oriented = _oriented(frame, path, as_schema(schema), obs_columns, transpose=transpose, told=facts)
    frame, schema, sides = oriented.frame, oriented.schema, oriented.sides
    kinds = kinds_of(frame, schema, may_detect=schema.detect and not transpose)
    numbers = numbers_of(frame[[name for name, kind in kinds.items() if kind == "numeric"]], sides)
    if not transpose:
        if found := identifiers(numbers, path, meant=schema.numeric):
            numbers = numbers.drop(columns=found)
            kinds.update(dict.fromkeys(found, "annotation"))
        warn_of_doubtful(numbers, path, meant=schema.numeric)
    if any(kind.startswith("maybe") for kind in kinds.values()):
        kinds = settle(kinds, is_measured=are_measured(numbers), sides=sides)
    annotations = [name for name, kind in kinds.items() if kind == "annotation"]
    if len(annotations) == frame.shape[1]:
        msg = (
            f"{path} has no numeric column. If columns of text are to be features, name them "
            "(`--categorical`, `--ordinal`)."
        )
        raise InputError(msg)
    warn_of_twins(frame[[name for name, kind in kinds.items() if kind != "numeric"]], path)
    if annotations:
        said = shorten(annotations, limit=_MOST_LISTED)
        logger.info("%s: %ss %s are annotations, not features.", path.name, sides.column, said)
    coded = coded_features(frame, numbers, kinds, schema, sides)
    adata = anndata.AnnData(
        X=coded.matrix,
        obs=as_categories(frame[annotations]),
        var=_facts_of(coded, oriented.facts) if transpose else pd.DataFrame(index=coded.names),
    )
    if coded.columns:
        adata.uns[COLUMNS_KEY] = coded.columns.to_text()
    return adata


def _facts_of(coded: Coded, facts: pd.DataFrame) -> pd.DataFrame:
    """Give each feature what the table tells of its row, from which several features may be coded."""
    origin = {feature: column.name for column in coded.columns for feature in column.features}
    return facts.loc[[origin.get(name, name) for name in coded.names]].set_axis(coded.names)


class _Oriented(NamedTuple):
    """A table with observations in rows, which are named."""

    frame: pd.DataFrame
    schema: Schema
    facts: pd.DataFrame
    """Columns about features of a table that was transposed."""
    sides: Sides


def _oriented(
    frame: pd.DataFrame,
    path: Path,
    schema: Schema,
    obs_columns: Sequence[str],
    *,
    transpose: bool,
    told: Sequence[str],
) -> _Oriented:
    """Name the rows, and turn a transposed table."""
    if transpose:
        if schema.id is not None and not schema.allow_absent:
            msg = f"{path} is transposed: its first line names the observations. Leave `id` (`--id`) out."
            raise InputError(msg)
        frame, id_name = named_rows(frame, path, transpose=True)
        warn_of_genes_in_columns(frame, id_name=id_name, source=path.name)
        about = facts_about_features(frame, path, told)
        facts, turned = facts_frame(frame[about]), frame.drop(columns=about).T.infer_objects()
        sides = Sides(path=path, column="row", row="column")
        schema = _meant(turned, schema, obs_columns, path)
        turned = turned.drop(columns=list(schema.ignore))
        # A row of labels makes text of all values.
        if not all(map(pd.api.types.is_numeric_dtype, turned.dtypes)):
            turned = with_numbers(turned, but={*schema.columns, *filter(is_usual_label, turned.columns)})
        return _Oriented(turned, schema, facts, sides)
    id_column = schema.id if schema.id in frame.columns else None  # also where it is an annotation, too
    schema = _meant(frame, schema, obs_columns, path)
    frame = frame.drop(columns=list(schema.ignore))
    claimed = {*schema.categorical, *schema.ordinal, *schema.numeric}
    frame, id_name = named_rows(
        *(frame, path),
        transpose=False,
        id_column=id_column,
        claimed=claimed,
        kept={*schema.annotations},
    )
    names = [name for name in frame.columns if name not in schema.annotations]
    rows = [] if id_name is None else list(frame.index)
    warn_of_genes_in_rows(rows, names, id_name=id_name, source=path.name)
    return _Oriented(frame, schema, pd.DataFrame(), Sides(path=path))


def _meant(frame: pd.DataFrame, schema: Schema, obs_columns: Sequence[str], path: Path) -> Schema:
    """Return what is said of columns that are there; columns asked for as annotations have to be."""
    texts = (name for name in frame.columns if is_text(frame[name]))
    check_columns(obs_columns, frame.columns, where=path, listed=texts)
    schema = schema.held_by(frame.columns, where=path)
    asked = Schema(annotations=list(dict.fromkeys(obs_columns)), allow_absent=schema.allow_absent)
    return schema.overridden_by(asked)
