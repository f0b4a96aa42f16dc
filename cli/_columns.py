"""Options about the columns of a table: which are ids, categories, annotations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from diffaug_bio._checks import check_exists

if TYPE_CHECKING:
    from diffaug_bio.io import Schema

_Names = tuple[str, ...]


def _names(_context: click.Context, _option: click.Parameter, values: tuple[str, ...]) -> _Names:
    """Part names at commas."""
    return tuple(name.strip() for value in values for name in value.split(",") if name.strip())


def _ordinal(
    _context: click.Context, option: click.Parameter, values: tuple[str, ...]
) -> dict[str, _Names]:
    """Read `COLUMN:LOW<MIDDLE<HIGH`."""
    found: dict[str, _Names] = {}
    for value in values:
        start, _, others = value.partition("<")
        name, colon, lowest = start.rpartition(":")
        levels = tuple(level.strip() for level in (lowest, *others.split("<")))
        if not colon or not name.strip() or len(levels) < 2 or not all(levels):
            msg = (
                f"Give a column and its levels, the lowest first, such as 'grade:I<II<III'; got {value!r}."
            )
            raise click.BadParameter(msg, param=option)
        found[name.strip()] = levels
    return found


def _list_option(name: str, help_text: str) -> Any:
    return click.option(name, multiple=True, callback=_names, metavar="COLUMN[,COLUMN]", help=help_text)


columns_options = (
    click.option("--id", "id_column", metavar="COLUMN", help="Column of a table that names its rows."),
    _list_option("--annotations", "Columns of a table that are no features: labels, batches, notes."),
    _list_option("--categorical", "Columns of categories, a feature for each level."),
    click.option(
        "--ordinal",
        multiple=True,
        callback=_ordinal,
        metavar="COLUMN:LOW<HIGH",
        help="Column of ordered levels, the lowest first: 'grade:I<II<III'. Repeat it for several.",
    ),
    _list_option("--numeric", "Columns that are numeric features, whatever they are named."),
    _list_option("--ignore", "Columns to leave out."),
    click.option(
        "--missing-indicators",
        is_flag=True,
        help="Add a feature for each column with missing values that tells where they are.",
    ),
    click.option(
        "--schema",
        type=click.Path(),
        metavar="FILE.toml",
        help="File that says all this, as `diffaug-bio schema` writes one.",
    ),
)
"""Options that :class:`Columns` collects, in the order of the help."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """What the options say of the columns of a table."""

    id_column: str | None
    annotations: _Names
    categorical: _Names
    ordinal: dict[str, _Names]
    numeric: _Names
    ignore: _Names
    missing_indicators: bool
    schema: str | None

    def check(self) -> None:
        """Refuse a schema that is not there before the libraries are imported, which takes seconds."""
        if self.schema is not None:
            from pathlib import Path

            check_exists(Path(self.schema))

    def as_schema(self) -> Schema | None:
        """Return the schema of the file with what other options say in its place; None if none is given."""
        lists = (self.annotations, self.categorical, self.ordinal, self.numeric, self.ignore)
        if (
            self.schema is None
            and self.id_column is None
            and not any(lists)
            and not self.missing_indicators
        ):
            return None
        from diffaug_bio.io import Schema

        written = Schema() if self.schema is None else Schema.from_toml(self.schema)
        return written.overridden_by(
            Schema(
                id=self.id_column,
                annotations=self.annotations,
                categorical=self.categorical,
                ordinal=self.ordinal,
                numeric=self.numeric,
                ignore=self.ignore,
                missing_indicators=self.missing_indicators,
            )
        )
