"""Loader of tables without a header."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from anndata import AnnData

    from diffaug_bio.datasets._files import Files


def columns(
    files: Files,
    *,
    names: tuple[str, ...],
    path: str = "",
    delimiter: Literal["comma", "semicolon", "tab", "space"] = "comma",
    row_names: str | None = None,
    sequence: str | None = None,
    obs_columns: tuple[str, ...] = (),
) -> AnnData:
    """Read a table whose first line is data.

    Parameters
    ----------
    files
        The sources.
    names
        Of all columns, in order.
    path
        Which file; if left out, the only source.
    delimiter
        What separates values.
    row_names
        Column with a name for each row; repeated ones get a number.
    sequence
        Column with letters of DNA; all others are annotations then.
    obs_columns
        Columns that are annotations; all others are features.
    """
    from diffaug_bio.io.arrays import read_headless

    return read_headless(
        files.find(path),
        names=names,
        delimiter=delimiter,
        row_names=row_names,
        sequence=sequence,
        obs_columns=obs_columns,
    )
