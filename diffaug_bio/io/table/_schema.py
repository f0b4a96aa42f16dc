"""What the columns of a table are, where the user says it: from options, a TOML file, or a fitted model."""

from __future__ import annotations

import json
import logging
import tomllib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, Self

from diffaug_bio._wording import cut, near, shorten, told
from diffaug_bio.errors import InputError
from diffaug_bio.matrix.columns import same_but_for_case

if TYPE_CHECKING:
    from collections.abc import Iterable
    from os import PathLike

logger = logging.getLogger(__name__)

_MOST_BYTES = 2**24  # of a TOML file


@dataclass(frozen=True, slots=True, kw_only=True)
class Schema:
    """Kinds of the columns of a table; columns that it does not name are found by themselves.

    Parameters
    ----------
    id
        Column with the names of the rows.
    annotations
        Columns that go to `.obs`: labels, batches, groups, notes.
    categorical
        Columns of categories, one feature for each level; a single one for true and false, or yes and no.
    ordinal
        Columns of ordered categories and their levels, the lowest first.
    numeric
        Columns that are numeric features, whatever they are named.
    ignore
        Columns that are left out.
    missing_indicators
        If True, a feature `COLUMN=missing` is added for each feature column with missing values.
    detect
        If False, columns of text and truth values that are not named are annotations.
    allow_absent
        If True, columns that a table lacks are passed over; else they are an error.

    Raises
    ------
    InputError
        If a column is named twice, or an ordinal column has fewer than two levels, or one of them twice.

    Examples
    --------
    >>> from diffaug_bio import io
    >>> schema = io.Schema(id="patient", categorical=["sex"], ordinal={"grade": ["I", "II", "III"]})
    >>> print(schema.to_toml())
    id = "patient"
    categorical = ["sex"]
    <BLANKLINE>
    [ordinal]
    grade = ["I", "II", "III"]
    <BLANKLINE>
    """

    id: str | None = None
    annotations: Sequence[str] = ()
    categorical: Sequence[str] = ()
    ordinal: Mapping[str, Sequence[str]] = field(default_factory=dict)
    numeric: Sequence[str] = ()
    ignore: Sequence[str] = ()
    missing_indicators: bool = False
    detect: bool = True
    allow_absent: bool = False

    def __post_init__(self) -> None:
        if self.id is not None and not isinstance(self.id, str):
            _refuse("id", "the name of a column", self.id)
        for name in _LISTS:
            object.__setattr__(self, name, _names(getattr(self, name), name))
        if not isinstance(self.ordinal, Mapping):
            _refuse("ordinal", "a table of columns and their levels", self.ordinal)
        ordinal = {str(name): _levels(str(name), levels) for name, levels in self.ordinal.items()}
        object.__setattr__(self, "ordinal", ordinal)
        for name in _FLAGS:
            if not isinstance(getattr(self, name), bool):
                _refuse(name, "true or false", getattr(self, name))
        if twice := [name for name, count in Counter(self.columns).items() if count > 1]:
            msg = f"A schema names columns more than once: {shorten(twice)}. Name each under one kind."
            raise InputError(msg)

    @property
    def columns(self) -> list[str]:
        """Names of all columns that are spoken of."""
        listed = [name for kind in _LISTS for name in getattr(self, kind)]
        return [*([] if self.id is None else [self.id]), *listed, *self.ordinal]

    def overridden_by(self, other: Schema) -> Schema:
        """Return a schema in which the columns that another one names are what that one says."""
        said = set(other.columns)
        merged: dict[str, Any] = {
            name: [*(one for one in getattr(self, name) if one not in said), *getattr(other, name)]
            for name in _LISTS
        }
        ordinal = {name: levels for name, levels in self.ordinal.items() if name not in said}
        own_id = self.id if self.id not in said else None
        return replace(
            self,
            **merged,
            id=other.id or own_id,
            ordinal={**ordinal, **other.ordinal},
            missing_indicators=self.missing_indicators or other.missing_indicators,
            detect=self.detect and other.detect,
            allow_absent=self.allow_absent and other.allow_absent,
        )

    def held_by(self, names: Iterable[str], *, where: object) -> Schema:
        """Return what is said of columns that a table has; refuse others unless they may be absent."""
        held = set(names)
        absent = [name for name in self.columns if name not in held]
        if not absent:
            return self
        if self.allow_absent and (renamed := self._in_the_case_of(held, absent, where)) is not None:
            return renamed.held_by(held, where=where)
        if not self.allow_absent:
            msg = (
                f"{where} has no column {absent[0]!r}{near(absent[0], held)}, which an option or the "
                f"schema names; it has {shorten(sorted(held)) or 'none'}."
            )
            raise InputError(msg)
        if unheard := [name for name in absent if name not in self.numeric]:  # of features, the match tells
            logger.info(
                "%s has no column %s, of which the fit or an option tells.", where, shorten(unheard)
            )
        kept: dict[str, Any] = {
            name: [one for one in getattr(self, name) if one in held] for name in _LISTS
        }
        ordinal = {name: levels for name, levels in self.ordinal.items() if name in held}
        return replace(self, **kept, id=self.id if self.id in held else None, ordinal=ordinal)

    def _in_the_case_of(self, held: set[str], absent: list[str], where: object) -> Schema | None:
        """Name absent columns as a table does that differs in case alone; None where it has none such."""
        free = held - {*self.columns}
        new = same_but_for_case(absent, sorted(free))
        if not new:
            return None
        if told_of := [
            f"{found!r} for {name!r}" for name, found in new.items() if name not in self.numeric
        ]:
            logger.info("%s: columns are taken although their case differs: %s.", where, ", ".join(told_of))
        kept: dict[str, Any] = {name: [new.get(one, one) for one in getattr(self, name)] for name in _LISTS}
        ordinal = {new.get(name, name): levels for name, levels in self.ordinal.items()}
        own_id = self.id if self.id is None else new.get(self.id, self.id)
        return replace(self, **kept, id=own_id, ordinal=ordinal)

    def to_dict(self) -> dict[str, Any]:
        """Return what differs from a schema that says nothing, as plain values."""
        table: dict[str, Any] = {} if self.id is None else {"id": self.id}
        table |= {name: list(found) for name in _LISTS if (found := getattr(self, name))}
        usual = Schema.__dataclass_fields__
        table |= {name: found for name in _FLAGS if (found := getattr(self, name)) != usual[name].default}
        ordinal = {name: list(levels) for name, levels in self.ordinal.items()}
        return {**table, "ordinal": ordinal} if ordinal else table

    def to_toml(self) -> str:
        """Return TOML that :meth:`from_toml` reads."""
        table = self.to_dict()
        ordinal = table.pop("ordinal", {})
        lines = [f"{name} = {toml_value(value)}" for name, value in table.items()]
        if ordinal:
            lines += ["", "[ordinal]"] if lines else ["[ordinal]"]
            lines += [f"{toml_key(name)} = {toml_value(levels)}" for name, levels in ordinal.items()]
        return "".join(f"{line}\n" for line in lines)

    @classmethod
    def from_dict(cls, table: object, *, source: str) -> Self:
        """Rebuild a schema from :meth:`to_dict`; `source` says where it comes from, for messages."""
        if not isinstance(table, Mapping):
            msg = f"{source}: a schema is a table of lists of columns, not {told(table)}."
            raise InputError(msg)
        known = [entry.name for entry in fields(cls)]
        if unknown := [str(name) for name in table if name not in known]:
            msg = (
                f"{source}: unknown key {cut(unknown[0])!r}{near(unknown[0], known)}; keys of a schema are "
                f"{', '.join(known)}."
            )
            raise InputError(msg)
        try:
            return cls(**table)
        except InputError as error:
            msg = f"{source}: {error}"
            raise InputError(msg) from error

    @classmethod
    def from_toml(cls, path: str | PathLike[str]) -> Self:
        """Read a schema from a TOML file.

        Parameters
        ----------
        path
            File with the parameters above as keys; levels of ordinal columns stand in a table `[ordinal]`.

        Raises
        ------
        InputError
            If the file is missing or no TOML, or says of a column what cannot be.
        """
        path = Path(path)
        try:
            with path.open("rb") as file:
                table = tomllib.loads(file.read(_MOST_BYTES).decode("utf-8-sig"))
        except OSError as error:
            msg = f"The schema {path} cannot be read: {error.strerror or error}."
            raise InputError(msg) from error
        except (ValueError, RecursionError) as error:  # of numbers with thousands of digits, too
            msg = f"The schema {path} is no TOML: {cut(str(error))}. `diffaug-bio schema` writes one."
            raise InputError(msg) from error
        return cls.from_dict(table, source=str(path))


_LISTS = ("annotations", "categorical", "numeric", "ignore")
_FLAGS = ("missing_indicators", "detect", "allow_absent")


def as_schema(given: Schema | str | PathLike[str] | None) -> Schema:
    """Return a schema as it is, from a file, or one that says nothing."""
    if given is None:
        return Schema()
    return given if isinstance(given, Schema) else Schema.from_toml(given)


def toml_value(value: object) -> str:
    """Write text, truth or a list of texts as TOML does: as JSON, but for one sign."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def toml_key(name: str) -> str:
    """Write a name as a key of TOML, in quotes where it has to be."""
    is_bare = name.isascii() and name.replace("_", "").replace("-", "").isalnum()
    return name if is_bare else toml_value(name)


def _names(value: object, key: str) -> tuple[str, ...]:
    if isinstance(value, str) or not isinstance(value, Sequence):
        _refuse(key, "a list of names of columns", value)
    if not all(isinstance(name, str) for name in value):
        _refuse(key, "a list of names of columns", value)
    return tuple(value)


def _levels(name: str, value: object) -> tuple[str, ...]:
    """Return levels as text; whole numbers may stand for themselves."""
    if isinstance(value, str) or not isinstance(value, Sequence):
        _refuse(f"ordinal.{name}", "a list of levels", value)
    if any(isinstance(level, bool) or not isinstance(level, str | int | float) for level in value):
        _refuse(f"ordinal.{name}", "a list of levels", value)
    levels = tuple(str(level).strip() for level in value)
    if len(levels) < 2 or len(set(levels)) < len(levels) or not all(levels):
        msg = (
            f"The ordinal column {name!r} needs two levels or more, each once and the lowest first; got "
            f"{shorten(levels) or 'none'}."
        )
        raise InputError(msg)
    return levels


def _refuse(key: str, expected: str, value: object) -> NoReturn:
    msg = f"`{key}` of a schema has to be {expected}, got {told(value)}."
    raise InputError(msg)
