"""Choosing the observations to generate from."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from diffaug_bio._checks import check_count, check_held
from diffaug_bio._wording import shorten
from diffaug_bio.errors import InputError

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

logger = logging.getLogger(__name__)

_MOST_MADE, _MOST_GIGABYTES = 10_000_000, 64


class Sources(NamedTuple):
    """Source rows of one pass of generation, and how often each was a source before (`views`, from 0)."""

    rows: NDArray[np.int64]
    """Row numbers, repeated where a class grows to more than twice its size."""
    views: NDArray[np.int64]


def choose_sources(
    obs: pd.DataFrame,
    *,
    n_views: int | None,
    groupby: str | None,
    target: int | None,
    seed: int,
    row_bytes: float,
) -> list[Sources]:
    """Choose source rows, as :func:`diffaug_bio.tl.augment` describes `n_views`, `groupby` and `target`.

    Returns all rows once per view, or one part that balances the classes, whose members are used in an
    order drawn by `seed`. Raises InputError if the result would take too much memory (`row_bytes` for a
    row), no class has to grow, or settings contradict each other.
    """
    for name, value in (("n_views", n_views), ("target", target)):
        if value is not None:
            check_count(name, value)
    if groupby is None:
        if target is not None:
            msg = "`target` is the size of classes: name their column, too (`groupby`, `--groupby`)."
            raise InputError(msg)
        _check_made(len(obs) * int(n_views or 1), row_bytes)
        return [Sources(np.arange(len(obs)), np.full(len(obs), view)) for view in range(n_views or 1)]
    if n_views is not None:
        msg = (
            "Give `n_views` (`--n-views`) or `groupby` (`--groupby`), not both: the first generates from "
            "every observation, the second balances classes."
        )
        raise InputError(msg)
    names, codes = _classes(obs, groupby)
    sizes = np.bincount(codes[codes >= 0], minlength=len(names))
    wanted = int(np.median(sizes)) if target is None else target
    _check_made(sum(max(int(wanted) - size, 0) for size in sizes.tolist()), row_bytes)
    lacking = np.maximum(wanted - sizes, 0)
    if not lacking.any():
        msg = (
            f"All classes of `.obs[{groupby!r}]` have {wanted} observations or more (the smallest "
            f"{sizes.min()}), so nothing would be generated. Give a larger `target` (`--target`)."
        )
        raise InputError(msg)
    grown = [f"{name} {size} to {wanted}" for name, size in zip(names, sizes, strict=True) if size < wanted]
    logger.info("Classes that grow: %s.", shorten(grown))
    return [_spread(codes, sizes, lacking, seed=seed)]


def _check_made(n_made: int, row_bytes: float) -> None:
    """Refuse to generate more than a machine is sure to hold."""
    size = n_made * row_bytes / 1e9
    if n_made > _MOST_MADE or size > _MOST_GIGABYTES:
        msg = (
            f"{n_made:.12g} new observations of about {size:.3g} GB exceed the limits of {_MOST_MADE} "
            f"observations and {_MOST_GIGABYTES} GB in a call. Generate fewer views, from fewer "
            "observations, or smaller classes."
        )
        raise InputError(msg)


def _spread(
    codes: NDArray[np.int64], sizes: NDArray[np.int64], lacking: NDArray[np.int64], *, seed: int
) -> Sources:
    """Use the members of each class in turn, in random order, until it has the wanted size."""
    generator = np.random.default_rng(seed)
    rows, views = [], []
    for code in np.flatnonzero(lacking):
        members = generator.permutation(np.flatnonzero(codes == code))
        turns = np.arange(lacking[code])
        rows.append(members[turns % sizes[code]])
        views.append(turns // sizes[code])
    return Sources(np.concatenate(rows), np.concatenate(views))


def _classes(obs: pd.DataFrame, groupby: str) -> tuple[list[str], NDArray[np.int64]]:
    """List the classes, compared as text, and give the number of each row's class, -1 for none."""
    check_held(groupby, obs, what="column of classes", where="`.obs`")
    texts = obs[groupby].astype(object).map(str, na_action="ignore")
    present = texts.dropna()
    names = sorted(set(present))
    if not names:
        msg = f"No observation has a class in `.obs[{groupby!r}]`. Name another column."
        raise InputError(msg)
    if n_missing := len(obs) - len(present):
        logger.info("%d observations have no class and are no sources.", n_missing)
    number = {name: code for code, name in enumerate(names)}
    return names, texts.map(number).fillna(-1).to_numpy().astype(np.int64)
