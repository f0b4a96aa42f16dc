"""Names of features, from `.var_names` or a column of `.var`, and a model's knowledge of them."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import numpy as np

from diffaug_bio._checks import check_held, check_unique
from diffaug_bio._wording import shorten
from diffaug_bio.errors import InputError
from diffaug_bio.features import GOOD_SHARE, MIN_SHARE, describe_too_few, match_names

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import pandas as pd
    from numpy.typing import NDArray

    from diffaug_bio.features import NameMatch

logger = logging.getLogger(__name__)

_CLEARLY = 0.1  # by which other names have to match better to be worth a word


def feature_names(var: pd.DataFrame, var_key: str | None) -> list[str]:
    """Return the names of features in the index of `var`, or in its column `var_key`.

    Repeats in the index are numbered as scanpy does; repeated or missing names in a column are refused.
    """
    if var_key is None:
        return _unique(var.index)
    check_held(var_key, var, what="column of feature names", where="`.var`")
    nameless = _nameless(var[var_key])
    if nameless.any():
        msg = (
            f"{int(nameless.sum())} features have no name in `.var[{var_key!r}]`, the first "
            f"{str(var.index[nameless][0])!r}. Fill in names, or leave these features out."
        )
        raise InputError(msg)
    names = [str(name) for name in var[var_key]]
    remedy = (
        f"Take a column that tells features apart, or make these names the index (`adata.var_names = "
        f"adata.var[{var_key!r}].astype(str)`), number them (`adata.var_names_make_unique()`) and leave "
        "`var_key` out."
    )
    check_unique(names, what=f"names in `.var[{var_key!r}]`", remedy=remedy)
    return names


def check_known(
    names: Sequence[str],
    known: Sequence[str],
    *,
    used: NDArray[np.int64] | None,
    var: pd.DataFrame,
    var_key: str | None,
) -> None:
    """Raise InputError if a model knows too few of the names, and another column of `var` has enough.

    `used` are the positions in `known` of the features that the model uses; None for all.
    """
    if list(names) == list(known):
        return
    match = match_names(names, known, used=used)
    if match.share >= GOOD_SHARE or (remedy := _better_names(match, known, var, var_key)) is None:
        return
    if match.share < MIN_SHARE:
        msg = f"{describe_too_few(match, names, known)} {remedy}"
        raise InputError(msg)
    logger.warning("Names of features: %s", remedy)


def _better_names(
    match: NameMatch, known: Sequence[str], var: pd.DataFrame, var_key: str | None
) -> str | None:
    """Find a column of which a model knows clearly more names, and describe how to take it."""
    best, better = match.share + _CLEARLY, None
    for key in [None, *(str(column) for column in var.columns)]:
        if key == var_key or (key is not None and not _is_text(var[key])):
            continue
        values = var.index if key is None else var[key][~_nameless(var[key])]
        names = list(dict.fromkeys(str(name) for name in values))
        held = match_names(names, known, used=match.used).share
        if held > best:
            is_whole = key is None or (len(values) == len(var) and values.is_unique)
            best, better = held, (key, is_whole)
    if better is None:
        return None
    key, is_whole = better
    if key is None:
        return (
            f"`.var_names` hold {best:.0%} of them: leave `var_key` out, or drop `.var[{var_key!r}]` if it "
            "is the model that asks for it."
        )
    if is_whole:
        return f"`.var[{key!r}]` holds {best:.0%} of them: pass var_key={key!r} (`--var-key {key}`)."
    return (
        f"`.var[{key!r}]` holds {best:.0%} of them, but does not name each feature apart: set "
        f"`adata.var_names = adata.var[{key!r}].astype(str)`, then `adata.var_names_make_unique()`."
    )


def _is_text(column: pd.Series) -> bool:
    """Tell whether a column holds text, plain or as categories."""
    from pandas.api.types import infer_dtype

    values = column.cat.categories if column.dtype == "category" else column
    return infer_dtype(values, skipna=True) == "string"


def _nameless(column: pd.Series) -> NDArray[np.bool_]:
    """Mark values that are missing or empty."""
    missing = column.isna().to_numpy(dtype=bool)
    empty = [str(value).strip() == "" for value in column]
    return np.asarray(missing | np.array(empty, dtype=bool))


def _unique(names: Iterable[object]) -> list[str]:
    """Return names as text, with numbers added to repeated ones as scanpy does."""
    import pandas as pd
    from anndata.utils import make_index_unique

    index = pd.Index([str(name) for name in names], dtype=object)
    if index.is_unique:
        return [str(name) for name in index]
    repeated = index[index.duplicated()].unique()
    logger.warning(
        "%d feature names occur more than once and are numbered: %s.",
        len(repeated),
        shorten(repeated),
    )
    return [str(name) for name in make_index_unique(index)]
