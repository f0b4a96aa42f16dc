"""Which observations new ones are generated from."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from diffaug_bio._checks import check_count
from diffaug_bio._wording import shorten
from diffaug_bio.errors import InputError

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

logger = logging.getLogger(__name__)

_MOST_MADE, _MOST_GIGABYTES = 10_000_000, 64


class Sources(NamedTuple):
    """Rows that new ones are generated from at once."""

    rows: NDArray[np.int64]
    """Row numbers; some more than once where classes grow a lot."""
    views: NDArray[np.int64]
    """Which time each is a source, from 0."""


def choose_sources(
    obs: pd.DataFrame,
    *,
    n_views: int | None,
    groupby: str | None,
    target: int | None,
    seed: int,
    row_bytes: float,
) -> list[Sources]:
    """Choose what to generate from.

    Parameters
    ----------
    obs
        Annotations of the observations.
    n_views
        Views of all of them; 1 if left out.
    groupby
        Column with classes to bring up to one size, in place of `n_views`.
    target
        That size; the median size of the classes if left out.
    seed
        Of which observations of a class are sources once more than others.
    row_bytes
        Memory that an observation takes, about.

    Returns
    -------
    Each view of all observations, or what balances classes as a single part.

    Raises
    ------
    InputError
        If a setting is out of range, the settings contradict each other, no class is to grow, or more
        would be made than a machine holds.
    """
    for name, value in (("n_views", n_views), ("target", target)):
        if value is not None:
            check_count(name, value)
    if groupby is None:
        if target is not None:
            msg = "`target` is the size of classes: name their column as `groupby` (`--balance`), too."
            raise InputError(msg)
        _check_made(len(obs) * int(n_views or 1), row_bytes)
        return [Sources(np.arange(len(obs)), np.full(len(obs), view)) for view in range(n_views or 1)]
    if n_views is not None:
        msg = (
            "Give `n_views` (`--views`) or `groupby` (`--balance`), not both: the one makes as many of "
            "each, the other balances classes."
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
            f"{sizes.min()}): nothing is to be generated. Give a larger `target` (`--target`)."
        )
        raise InputError(msg)
    grown = [f"{name} {size} to {wanted}" for name, size in zip(names, sizes, strict=True) if size < wanted]
    logger.info("Classes that grow: %s.", shorten(grown))
    return [_spread(codes, sizes, lacking, seed=seed)]


def _check_made(n_made: int, row_bytes: float) -> None:
    """Refuse to make more than a machine is sure to hold, before anything is made."""
    size = n_made * row_bytes / 1e9
    if n_made > _MOST_MADE or size > _MOST_GIGABYTES:
        msg = (
            f"{n_made:.12g} new observations, about {size:.3g} GB, are more than is made at once: "
            f"{_MOST_MADE} and {_MOST_GIGABYTES} GB. Make fewer views, of fewer observations, or smaller "
            "classes."
        )
        raise InputError(msg)


def _spread(
    codes: NDArray[np.int64], sizes: NDArray[np.int64], lacking: NDArray[np.int64], *, seed: int
) -> Sources:
    """Take the members of each class in turn, in random order, until it has what it lacks."""
    generator = np.random.default_rng(seed)
    rows, views = [], []
    for code in np.flatnonzero(lacking):
        members = generator.permutation(np.flatnonzero(codes == code))
        turns = np.arange(lacking[code])
        rows.append(members[turns % sizes[code]])
        views.append(turns // sizes[code])
    return Sources(np.concatenate(rows), np.concatenate(views))


def _classes(obs: pd.DataFrame, groupby: str) -> tuple[list[str], NDArray[np.int64]]:
    """Names of the classes that have observations, and the number of each row's, -1 without one.

    Classes are told by their text, as files and people tell them: 1 and "1" are one.
    """
    if groupby not in obs:
        msg = f"There is no column {groupby!r} in `.obs`; it holds {shorten(obs) or 'none'}."
        raise InputError(msg)
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
