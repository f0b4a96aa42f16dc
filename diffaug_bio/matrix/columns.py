"""Columns of a table that are no plain numbers, and how the features of a matrix code them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Self

from diffaug_bio.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator

CodedKind = Literal["categorical", "ordinal", "boolean", "missing"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CodedColumn:
    """One column of a table that is no plain number.

    A categorical column becomes a feature for each level, `COLUMN=LEVEL`, 1 where a row has that level and
    0 elsewhere. An ordinal column stays one feature with the codes 0, 1, ... of its levels, in order; a
    boolean column one with 0 and 1. `"missing"` is the feature `COLUMN=missing`, 1 where the table has no
    value in another column. A missing value is nan in all features of its column.
    """

    name: str
    """Column of the table."""
    kind: CodedKind
    levels: tuple[str, ...]
    """Values, as the table writes them: sorted, or of an ordinal column in its order; of a boolean column
    the false and then the true one; empty for `"missing"`."""

    @property
    def features(self) -> tuple[str, ...]:
        """Names of the features that code this column."""
        if self.kind == "categorical":
            return tuple(f"{self.name}={level}" for level in self.levels)
        return (f"{self.name}=missing",) if self.kind == "missing" else (self.name,)


@dataclass(frozen=True, slots=True)
class CodedColumns:
    """All coded columns of a table; the other features are plain numbers."""

    columns: tuple[CodedColumn, ...] = ()

    def __iter__(self) -> Iterator[CodedColumn]:
        return iter(self.columns)

    def __bool__(self) -> bool:
        return bool(self.columns)

    def to_text(self) -> str:
        """Return JSON, as `.uns` of an AnnData holds it."""
        return json.dumps([[column.name, column.kind, list(column.levels)] for column in self])

    @classmethod
    def from_text(cls, text: object, *, source: str) -> Self:
        """Rebuild columns from :meth:`to_text`; raise InputError if the text is anything else."""
        try:
            entries = json.loads(str(text))
            return cls(
                tuple(
                    CodedColumn(name=str(name), kind=_kind(kind), levels=tuple(map(str, levels)))
                    for name, kind, levels in entries
                )
            )
        except (ValueError, TypeError) as error:
            msg = f"{source} describes no columns of a table: {error}. Remove it, or read the table again."
            raise InputError(msg) from error


def _kind(kind: object) -> CodedKind:
    if kind == "categorical" or kind == "ordinal" or kind == "boolean" or kind == "missing":  # noqa: PLR1714
        return kind
    msg = f"there is no kind of column {kind!r}"
    raise ValueError(msg)
