"""Features of a matrix as the columns of a text table: levels, whole numbers, other numbers."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np
import pandas as pd
from scipy import sparse

from diffaug_bio._wording import shorten
from diffaug_bio.matrix.blocks import row_blocks
from diffaug_bio.matrix.columns import CodedColumns

if TYPE_CHECKING:
    from anndata import AnnData
    from numpy.typing import NDArray

    from diffaug_bio.matrix.blocks import Matrix
    from diffaug_bio.matrix.columns import CodedColumn

logger = logging.getLogger(__name__)

_MOST_WHOLE = 2.0**53  # above it, floats are whole because they have no finer steps


@dataclass(frozen=True, slots=True)
class TableColumns:
    """Features of a matrix as columns of a table."""

    columns: tuple[tuple[str, list[int], CodedColumn | None], ...]
    """Name, places in the matrix and coding of each column that is written."""
    is_whole: NDArray[np.bool_]
    """True for each feature that holds whole numbers only. Shape: `(n_vars,)`."""

    @classmethod
    def of(cls, adata: AnnData) -> Self:
        """Find the columns that features code, and features of whole numbers."""
        names = [str(name) for name in adata.var_names]
        coded = CodedColumns.of_uns(adata.uns).held_by(names)
        place = {name: number for number, name in enumerate(names)}
        is_whole, is_code = np.ones(len(names), bool), dict.fromkeys(coded, True)
        for _, block in row_blocks(adata.X):
            values = dense(block)
            is_missing = np.isnan(values)
            with np.errstate(invalid="ignore"):
                is_whole &= (
                    is_missing | ((values == np.rint(values)) & (np.abs(values) < _MOST_WHOLE))
                ).all(0)
            for column in coded:
                places = [place[feature] for feature in column.features]
                known = is_missing[:, places].all(1) | (column.numbers(values[:, places]) >= 0)
                is_code[column] &= column.kind == "missing" or bool(known.all())
        if uncoded := [column.name for column in coded if not is_code[column]]:
            logger.warning(
                "Columns %s hold values that are no codes of their levels, and are written as numbers.",
                shorten(uncoded),
            )
        of_feature = {name: column for column in coded if is_code[column] for name in column.features}
        columns: list[tuple[str, list[int], CodedColumn | None]] = []
        for number, name in enumerate(names):
            coding = of_feature.get(name)
            if coding is None:
                columns.append((name, [number], None))
            elif coding.kind != "missing" and name == coding.features[0]:
                columns.append((coding.name, [place[feature] for feature in coding.features], coding))
        return cls(tuple(columns), is_whole)

    @property
    def names(self) -> list[str]:
        """Names of the columns, of which one may be there twice."""
        return [name for name, _, _ in self.columns]

    def frame(self, values: NDArray[np.floating], index: pd.Index) -> pd.DataFrame:
        """Make a table of some rows."""
        made: dict[str, object] = {}
        for name, places, column in self.columns:
            if column is not None:
                numbers = column.numbers(values[:, places])
                made[name] = np.array([*column.levels, None], object)[numbers]
            else:
                made[name] = _numbers(values[:, places[0]], is_whole=bool(self.is_whole[places[0]]))
        return pd.DataFrame(made, index=index)


def _numbers(values: NDArray[np.floating], *, is_whole: bool) -> object:
    """Return values as they are, or as whole numbers without a decimal point."""
    if not is_whole:
        return values
    return pd.Series(values).astype("Int64").array if np.isnan(values).any() else values.astype(np.int64)


def dense(block: Matrix) -> NDArray[np.floating]:
    return np.asarray(block.toarray() if sparse.issparse(block) else block)
