"""Coded columns of a table: those of an AnnData, and later data coded as a model's fit was."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse

from diffaug_bio._keys import COLUMNS_KEY
from diffaug_bio._wording import shorten
from diffaug_bio.matrix.columns import CodedColumn, CodedColumns, same_but_for_case

if TYPE_CHECKING:
    from collections.abc import Sequence

    from anndata import AnnData
    from numpy.typing import NDArray

    from diffaug_bio.matrix.blocks import Matrix
    from diffaug_bio.model.estimator import DiffAug

logger = logging.getLogger(__name__)

_NONE = CodedColumns()
_SHOWN = 5  # levels
_LOOKED_AT = 2000  # rows
_TRUTHS = {"no": "false", "yes": "true"}  # programs write truth values in their own ways


def coded_columns(adata: AnnData, names: Sequence[str], *, model: DiffAug | None = None) -> CodedColumns:
    """Find the coded columns of features with these names: those of a model, then those of the data."""
    known = _NONE if model is None else _known(model)
    coded = (*known, *(column for column in CodedColumns.of_uns(adata.uns) if column not in known.columns))
    features: set[str] = set()
    found = []
    for column in CodedColumns(coded).held_by(names):
        if features.isdisjoint(column.features):
            features.update(column.features)
            found.append(column)
    return CodedColumns(tuple(found))


def declared_columns(adata: AnnData, matrix: Matrix, names: Sequence[str]) -> CodedColumns:
    """Find the coded columns of data to fit; warn of those in part, and of levels nothing describes.

    Only some rows of the matrix are looked at.
    """
    own = CodedColumns.of_uns(adata.uns)
    held = own.held_by(names)
    known = set(names)
    if not own and (undescribed := _like_levels(matrix, names)):
        logger.warning(
            "Features of %s look like levels of one column each, and `.uns[%r]` does not say so: they "
            'count as plain numbers. `anndata.concat` keeps it with `uns_merge="same"`.',
            shorten(undescribed),
            COLUMNS_KEY,
        )
    cut = [column.name for column in own if column not in held.columns and known & set(column.features)]
    if cut:
        logger.warning(
            "Columns %s are there in part only (`.uns[%r]` names their features): what is left counts as "
            "plain numbers. Keep all features of a column.",
            shorten(cut),
            COLUMNS_KEY,
        )
    return held


def recoded(adata: AnnData, matrix: Matrix, names: list[str], model: DiffAug) -> tuple[Matrix, list[str]]:
    """Code the columns of later data by the levels of the fit; a level that it did not see is missing.

    Data whose columns are coded as in the fit stay as they are, without a copy.
    """
    known, own = _known(model), coded_columns(adata, names)
    if not known and not own:
        return matrix, names
    own, names = _named_as(known, own, names)
    training = [str(name) for name in getattr(model, "feature_names_in_", ())]
    later = _Later(matrix, {name: place for place, name in enumerate(names)}, own)
    # Features by name; those of columns that are coded anew are left out, and added at the end.
    left_out: set[str] = set()
    added: dict[str, NDArray[np.float32]] = {}
    for column in known:
        held = later.column(column.name)
        if column.kind == "missing" or held == column or (held is None and not later.is_number(column)):
            continue
        left_out.update((column.name,) if held is None else held.features)
        coded = column.coded(later.numbers(column))
        added.update(zip(column.features, coded.T, strict=True))
    for held in own:
        is_number = held.name in training and not any(column.name == held.name for column in known)
        if is_number and held.kind != "missing":
            left_out.update(held.features)
            values = later.plain_numbers(held)
            added.update({} if values is None else {held.name: values})
    for column in known:
        # Once more where a column has levels that the fit did not see, which are missing now.
        first = known.first_feature(column.name)
        if column.kind == "missing" and (column.features[0] not in names or first in added):
            values = later.is_missing(first, added)
            added.update({} if values is None else {column.features[0]: values})
    if not left_out and not added:
        return matrix, names
    kept = [name for name in names if name not in left_out and name not in added]
    places = [later.place[name] for name in kept]
    dense = matrix[:, places]
    dense = np.asarray(dense.toarray() if sparse.issparse(dense) else dense, np.float32)
    return np.column_stack([dense, *added.values()]), [*kept, *added]


def _named_as(known: CodedColumns, own: CodedColumns, names: list[str]) -> tuple[CodedColumns, list[str]]:
    """Name columns as in the fit where they differ in case alone from one of its coded columns."""
    coded = {feature for column in own for feature in column.features}
    here = list(
        dict.fromkeys([*(column.name for column in own), *(one for one in names if one not in coded)])
    )
    absent = [name for name in dict.fromkeys(column.name for column in known) if name not in here]
    new = {found: name for name, found in same_but_for_case(absent, here).items()}
    if not new:
        return own, names
    said = ", ".join(f"{found!r} for {name!r}" for found, name in new.items())
    logger.info("Columns are matched with those of the fit although their case differs: %s.", said)
    features = dict(new)
    renamed = []
    for column in own:
        renamed.append(replace(column, name=new.get(column.name, column.name)))
        features.update(zip(column.features, renamed[-1].features, strict=True))
    return CodedColumns(tuple(renamed)), [features.get(name, name) for name in names]


@dataclass(frozen=True, slots=True)
class _Later:
    """Later data: their matrix, the place of each feature, and their own coded columns."""

    matrix: Matrix
    place: dict[str, int]
    own: CodedColumns

    def column(self, name: str) -> CodedColumn | None:
        """Find the data's own coding of a column."""
        return next((one for one in self.own if one.name == name and one.kind != "missing"), None)

    def is_number(self, column: CodedColumn) -> bool:
        """Tell whether a column that the model knows as coded holds its levels as plain numbers here.

        Codes 0, 1, ... of levels with the same names, or of data that say nothing of columns, are codes.
        """
        if column.name not in self.place:
            return False
        if column.kind == "categorical":
            return True
        values = self.values((column.name,))[:, 0]
        present = values[~np.isnan(values)]
        if np.isin(present, np.arange(len(column.levels))).all():
            amounts = {_amount(level) for level in column.levels}
            if len(present) and set(present.tolist()) <= amounts != set(range(len(column.levels))):
                logger.warning(
                    "Column %r holds numbers that are levels of the fit (%s) and codes of such levels: "
                    "they are taken as codes. To have them as levels, read it as in the fit (`--ordinal`).",
                    column.name,
                    shorten(column.levels),
                )
            return False
        return True

    def values(self, features: Sequence[str]) -> NDArray[np.float32]:
        """Copy features of all rows, dense."""
        block = self.matrix[:, [self.place[name] for name in features]]
        return np.asarray(block.toarray() if sparse.issparse(block) else block, np.float32)

    def numbers(self, column: CodedColumn) -> NDArray[np.int64]:
        """Find the number that each row's level has in the fit, -1 if missing; warn of unseen levels."""
        held = self.column(column.name)
        if held is None:
            values = self.values((column.name,))[:, 0]
            found, number = np.unique(values[~np.isnan(values)], return_inverse=True)
            levels = [f"{value:g}" for value in found.tolist()]
            logger.info("Column %r: its numbers are taken as the levels of the fit.", column.name)
            own = np.full(len(values), -1)
            own[~np.isnan(values)] = number
        else:
            levels, own = list(held.levels), held.numbers(self.values(held.features))
        known = {_key(level, column): number for number, level in enumerate(column.levels)}
        meant = np.array([known.get(_key(level, column), -1) for level in levels] + [-1], np.int64)
        n_rows = np.bincount(own[own >= 0], minlength=len(levels))
        unseen = [
            f"{level!r} ({n_rows[place]} rows)"
            for place, level in enumerate(levels)
            if meant[place] < 0 and n_rows[place]
        ]
        if unseen:
            logger.warning(
                "Column %r holds levels that the model was not fitted on: %s. They count as missing; it "
                "knows %s.",
                column.name,
                ", ".join(unseen[:_SHOWN]) + (f" and {len(unseen) - _SHOWN} more" * (len(unseen) > _SHOWN)),
                shorten(column.levels),
            )
        return np.asarray(meant[own])

    def plain_numbers(self, held: CodedColumn) -> NDArray[np.float32] | None:
        """Turn a coded column back into the numbers that the fit had; None, with a warning, of text."""
        amounts = [0.0, 1.0] if held.kind == "boolean" else [_amount(level) for level in held.levels]
        numbers = held.numbers(self.values(held.features))
        if any(amount is None for amount in amounts):
            logger.warning(
                "Column %r held numbers in the fit, and holds %s here: it counts as missing.",
                held.name,
                shorten(held.levels),
            )
            return None
        return np.array([*amounts, np.nan], np.float32)[numbers]

    def is_missing(self, first: str, added: dict[str, NDArray[np.float32]]) -> NDArray[np.float32] | None:
        """Tell where a column, by its first feature, has no value: 1 there; None if it is not there."""
        if first in added:
            return np.isnan(added[first]).astype(np.float32)
        if first in self.place:
            return np.isnan(self.values((first,))[:, 0]).astype(np.float32)
        return None


def _like_levels(matrix: Matrix, names: Sequence[str]) -> list[str]:
    """Name what stands before `=` in features of which each row has one that is 1, and the others 0."""
    places: dict[str, list[int]] = {}
    for place, name in enumerate(names):
        column, sign, _ = name.partition("=")
        if sign and column:
            places.setdefault(column, []).append(place)
    found = []
    for column, levels in places.items():
        if len(levels) > 1:
            block = matrix[:_LOOKED_AT][:, levels]
            values = np.asarray(block.toarray() if sparse.issparse(block) else block, np.float32)
            present = values[~np.isnan(values).any(1)]
            if len(present) and np.isin(present, (0, 1)).all() and (present.sum(1) == 1).all():
                found.append(column)
    return found


def _known(model: DiffAug) -> CodedColumns:
    return CodedColumns.from_setting(model.config_.features.columns)


def _amount(level: str) -> float | None:
    """Return the number that a level is, if it is one."""
    try:
        return float(level)
    except ValueError:
        return None


def _key(level: str, column: CodedColumn) -> object:
    """Return what a level is compared by: `1` and `1.0` are one level, and so are `TRUE` and `yes`."""
    amount = _amount(level)
    if amount is not None and not np.isnan(amount):
        return amount
    text = level.strip()
    return _TRUTHS.get(text.lower(), text.lower()) if column.kind == "boolean" else text
