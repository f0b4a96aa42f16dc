"""Matching features of new data with those of the training data by name."""

from __future__ import annotations

import logging
import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from diffaug_bio._checks import check_unique
from diffaug_bio._wording import shorten
from diffaug_bio.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

logger = logging.getLogger(__name__)

MIN_SHARE, GOOD_SHARE = 0.2, 0.8  # of the features that a model uses that new data have to hold

# Genes, transcripts and proteins of any species: ENSG00000141510.18, ENSMUSG00000059552.14. A dot in a
# symbol such as RP11-34P13.7 is part of the name.
_VERSIONED = re.compile(r"(ENS[A-Z]*[GTP]\d+)\.\d+")
_SHOWN = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class NameMatch:
    """Where each training feature stands in new data, and how it was found."""

    columns: NDArray[np.int64]
    """Column numbers, -1 where a feature is missing. Shape: `(n_training,)`."""
    n_versions: int
    """Features that are the same but for the version of an Ensembl id."""
    recased: list[tuple[str, str]]
    """Names in the data, and the training names that they differ from by case alone."""
    used: NDArray[np.int64]
    """Numbers of the training features that the model uses. Shape: `(n_used,)`."""

    @property
    def n_found(self) -> int:
        """Number of features that the model uses, and that are there."""
        return int((self.columns[self.used] >= 0).sum())

    @property
    def share(self) -> float:
        """Share of the features that the model uses which are there."""
        return self.n_found / len(self.used)

    def __str__(self) -> str:
        """Say how many are there of those that the model uses."""
        return f"{self.n_found} of the {len(self.used)} features that the model uses are in the data"


def match_columns(
    n_columns: int,
    names: Sequence[str] | None,
    *,
    n_training: int,
    training_names: Sequence[str] | None,
    used: NDArray[np.int64] | None = None,
    are_estimated: bool = False,
    is_expression: bool = True,
) -> NDArray[np.int64] | None:
    """Find where each training feature stands in new data, by name where both have names.

    Arguments and result are those of :func:`align_features`; None if all stand as in the fit. Raises an
    `InputError` if there are more or fewer, and no names to tell them by.
    """
    if names is None or training_names is None:
        if n_columns != n_training:
            msg = (
                f"X has {n_columns} features, but DiffAug is expecting {n_training} features as input, "
                "those of the fit. Pass the same features, or names to match them by."
            )
            raise InputError(msg)
        return None
    if list(names) == list(training_names):
        return None
    return align_features(
        *(names, training_names), used=used, are_estimated=are_estimated, is_expression=is_expression
    )


def check_names_in(
    names: Sequence[str] | None, *, n_training: int, training_names: Sequence[str] | None
) -> None:
    """Refuse names of input features that are not those of a fit, in the words of scikit-learn."""
    if names is None:
        return
    if training_names is not None and list(names) != list(training_names):
        msg = "input_features is not equal to feature_names_in_, those of the fit. Leave them out."
        raise InputError(msg)
    if len(names) != n_training:
        msg = (
            f"input_features should have length equal to number of features ({n_training}), got "
            f"{len(names)}. Leave them out."
        )
        raise InputError(msg)


def align_features(
    names: Sequence[str],
    training_names: Sequence[str],
    *,
    used: NDArray[np.int64] | None = None,
    are_estimated: bool = False,
    is_expression: bool = True,
) -> NDArray[np.int64]:
    """Find each training feature among the features of new data, and log how many there are.

    Returns column numbers, -1 where a feature is missing. Raises an `InputError` if a name is repeated,
    or fewer than a fifth of the features that the model uses are there. `are_estimated` says in the log
    that the model estimates missing ones from the others. `is_expression` warns of another species where
    case differs, as of `Actb` and `ACTB`.
    """
    match = match_names(names, training_names, used=used)
    if match.share < MIN_SHARE:
        raise InputError(describe_too_few(match, names, training_names))
    level = logging.INFO if match.share >= GOOD_SHARE else logging.WARNING
    logger.log(level, "%s.", match)
    missing = [training_names[feature] for feature in match.used.tolist() if match.columns[feature] < 0]
    if missing:
        treatment = "are estimated from the others" if are_estimated else "count as the training mean"
        logger.log(level, "Missing ones %s: %s.", treatment, shorten(missing))
    if match.n_versions:
        logger.info("%d features were matched without the versions of their ids.", match.n_versions)
    if match.recased:
        examples = ", ".join(f"{name} -> {known}" for name, known in match.recased[:_SHOWN])
        more = len(match.recased) - _SHOWN
        species = (
            " If these data are of another species than the model's, equal letters do not make a gene "
        )
        species += "the same."
        logger.log(
            logging.WARNING if is_expression else logging.INFO,
            "%d features were matched although their case differs: %s%s.%s",
            len(match.recased),
            examples,
            f" and {more} more" if more > 0 else "",
            species if is_expression else "",
        )
    return match.columns


def match_names(
    names: Sequence[str], training_names: Sequence[str], *, used: NDArray[np.int64] | None = None
) -> NameMatch:
    """Find each training feature among the features of new data, whose names must not repeat.

    First by its very name, then without the versions of Ensembl ids (`ENSG00000141510.18`), last without
    regard to case. A column stands for one feature at most, and where several names become the same in a
    step, that step matches none of them. `used` numbers the features that the model uses; None for all.
    """
    remedy = "Make them unique, for example with `adata.var_names_make_unique()`."
    check_unique(names, what="feature names of the data", remedy=remedy)
    position = {name: column for column, name in enumerate(names)}
    columns = np.array([position.get(name, -1) for name in training_names], dtype=np.int64)
    n_versions = len(_match_further(columns, names, training_names, key=_without_version))
    recased = _match_further(columns, names, training_names, key=_without_case)
    pairs = [(names[columns[feature]], training_names[feature]) for feature in recased]
    used = np.arange(len(columns)) if used is None else used
    return NameMatch(columns=columns, n_versions=n_versions, recased=pairs, used=used)


def describe_too_few(match: NameMatch, names: Sequence[str], training_names: Sequence[str]) -> str:
    """Say that too few training features are there, and show names of both kinds."""
    return (
        f"Only {match}, which is too few to embed it. The model knows "
        f"{shorten([training_names[feature] for feature in match.used[:_SHOWN].tolist()])}, the data hold "
        f"{shorten(names[:_SHOWN])}: do the kinds of names agree?"
    )


def _match_further(
    columns: NDArray[np.int64],
    names: Sequence[str],
    training_names: Sequence[str],
    *,
    key: Callable[[str], str],
) -> list[int]:
    """Fill in columns of features whose names have one key, and return the numbers of these features."""
    missing = np.flatnonzero(columns < 0)
    if not len(missing):
        return []
    keys, training_keys = [key(name) for name in names], [key(name) for name in training_names]
    # Of all names, those that are matched too: a name that could also be theirs is ambiguous.
    n_names, n_training = Counter(keys), Counter(training_keys)
    taken = set(columns[columns >= 0].tolist())
    position = {
        name: column for column, name in enumerate(keys) if n_names[name] == 1 and column not in taken
    }
    found = []
    for feature in missing.tolist():
        name = training_keys[feature]
        if n_training[name] == 1 and name in position:
            columns[feature] = position[name]
            found.append(feature)
    return found


def _without_version(name: str) -> str:
    versioned = _VERSIONED.fullmatch(name)
    return name if versioned is None else versioned[1]


def _without_case(name: str) -> str:
    return _without_version(name).lower()
