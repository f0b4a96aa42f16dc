"""A schema to edit, for a table of any format."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from diffaug_bio._checks import check_exists
from diffaug_bio.errors import InputError
from diffaug_bio.io._files import plain_file, reading
from diffaug_bio.io._formats import find_format
from diffaug_bio.io.frames import read_typed_frame
from diffaug_bio.io.table import Schema, proposed_toml, read_frame

if TYPE_CHECKING:
    from os import PathLike


def propose_schema(path: str | PathLike[str], *, sheet: str | None = None) -> str:
    """Say what each column of a table is taken for, as TOML to edit.

    Parameters
    ----------
    path
        A text table, or one of Parquet, Feather or Excel, with observations in rows.
    sheet
        Sheet of an Excel workbook, by default the first.

    Returns
    -------
    Text that :meth:`diffaug_bio.io.Schema.from_toml` reads from a file: every column under its kind, with
    some of its values in a comment. Columns of which a fit warns are comments until somebody decides.

    Raises
    ------
    InputError
        If the file is missing, damaged, or holds no table of features.

    Examples
    --------
    >>> from pathlib import Path
    >>> from diffaug_bio import io
    >>> text = io.propose_schema("patients.csv")  # doctest: +SKIP
    >>> Path("patients.toml").write_text(text)  # doctest: +SKIP
    """
    path = Path(path)
    check_exists(path)
    is_stream = path.is_fifo() or path.is_relative_to("/dev")
    with plain_file(path) as path, reading(path):
        kind = find_format(path, "auto", is_stream=is_stream)
        if kind == "frame":
            return proposed_toml(read_typed_frame(path, sheet=sheet), path)
        if kind not in {"table", "table or sequences"}:
            msg = f"{path} is no table of features, so that there are no kinds of columns to say."
            raise InputError(msg)
        return proposed_toml(read_frame(path, obs_columns=[], transpose=False, schema=Schema()), path)
