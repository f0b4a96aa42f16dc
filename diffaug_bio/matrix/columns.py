"""Columns of a table that are no plain numbers, and how the features of a matrix code them."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self, get_args

import numpy as np

from diffaug_bio._keys import COLUMNS_KEY
from diffaug_bio.config.kinds import CodedKind
from diffaug_bio.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

__all__ = ["CodedColumn", "CodedColumns", "CodedKind", "same_but_for_case"]


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

    def numbers(self, values: NDArray[np.floating]) -> NDArray[np.int64]:
        """Find the number of each row's level, -1 where it is missing or no code of this column.

        `values` are those of the features. Shape: `(n_obs, len(features))`.
        """
        if not self.levels:  # of a later table, where the column is empty
            return np.full(len(values), -1)
        if self.kind == "categorical":
            known = np.where(np.isnan(values), 0, values)
            is_one = (known.max(1) == 1) & (np.abs(known).sum(1) == 1)
            return np.where(is_one, known.argmax(1), -1).astype(np.int64)
        codes = values[:, 0]
        known = np.where(np.isnan(codes), -1, codes)
        is_code = (known >= 0) & (known < len(self.levels)) & (known == np.rint(known))
        return np.where(is_code, known, -1).astype(np.int64)

    def coded(self, numbers: NDArray[np.int64]) -> NDArray[np.float32]:
        """Code rows by the numbers of their levels, -1 for missing; shape `(n_obs, len(features))`."""
        if self.kind == "categorical":
            coded = np.array(numbers[:, None] == np.arange(len(self.levels)), np.float32)
        else:
            coded = np.array(numbers[:, None], np.float32)
        coded[numbers < 0] = np.nan
        return coded


@dataclass(frozen=True, slots=True)
class CodedColumns:
    """All coded columns of a table; the other features are plain numbers."""

    columns: tuple[CodedColumn, ...] = ()

    def __iter__(self) -> Iterator[CodedColumn]:
        return iter(self.columns)

    def __bool__(self) -> bool:
        return bool(self.columns)

    def held_by(self, names: Iterable[str]) -> Self:
        """Keep the columns all of whose features are among these names."""
        held = set(names)
        return type(self)(tuple(column for column in self if held.issuperset(column.features)))

    def first_feature(self, name: str) -> str:
        """Name the first feature of a column; of a plain number, that is the column itself."""
        return next((one.features[0] for one in self if one.name == name and one.kind != "missing"), name)

    def counted(self, n_features: int) -> str:
        """Say how many columns of each kind there are in a table of so many features."""
        n_coded = sum(len(column.features) for column in self)
        counts = {kind: sum(column.kind == kind for column in self) for kind in get_args(CodedKind)}
        n_missing = counts.pop("missing")
        said = [
            f"{number:,} {kind}" for kind, number in {"numeric": n_features - n_coded, **counts}.items()
        ]
        said += [f"{n_missing:,} that tell of missing values"] if n_missing else []
        return ", ".join(one for one in said if not one.startswith("0 "))

    def to_setting(self) -> tuple[tuple[str, ...], ...]:
        """Return the setting `features.columns` of a configuration: kind, name and levels of each."""
        return tuple((column.kind, column.name, *column.levels) for column in self)

    @classmethod
    def from_setting(cls, setting: Sequence[Sequence[str]]) -> Self:
        """Rebuild columns from the setting of a configuration, which checks it."""
        return cls(
            tuple(
                CodedColumn(kind=_kind(kind), name=name, levels=tuple(levels))
                for kind, name, *levels in setting
            )
        )

    def to_text(self) -> str:
        """Return JSON, as `.uns` of an AnnData holds it."""
        return json.dumps([[column.name, column.kind, list(column.levels)] for column in self])

    @classmethod
    def of_uns(cls, uns: Mapping[str, object]) -> Self:
        """Read the columns in `.uns` of an AnnData; what other programs keep under this name is none."""
        text = uns.get(COLUMNS_KEY)
        if not isinstance(text, str) or not text.lstrip().startswith("[["):
            return cls()
        return cls.from_text(text, source=f"`.uns[{COLUMNS_KEY!r}]`")

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
        except (ValueError, TypeError, RecursionError) as error:
            msg = f"{source} describes no columns of a table: {error}. Remove it, or read the table again."
            raise InputError(msg) from error


def _kind(kind: object) -> CodedKind:
    for known in get_args(CodedKind):
        if kind == known:
            return known  # type: ignore[no-any-return]
    msg = f"there is no kind of column {kind!r}"
    raise ValueError(msg)


def same_but_for_case(wanted: Sequence[str], names: Sequence[str]) -> dict[str, str]:
    """Find the name that differs from a wanted one by case alone, where only one does on both sides."""
    keys = Counter(name.casefold() for name in names)
    wanted_keys = Counter(name.casefold() for name in wanted)
    by_key = {name.casefold(): name for name in names}
    return {
        name: by_key[key]
        for name in wanted
        if keys[key := name.casefold()] == 1 and wanted_keys[key] == 1 and by_key[key] != name
    }
