"""Chance levels: what a guess scores that knows the labels of the training rows and no row."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from diffaug_bio._checks import check_seed
from diffaug_bio.metrics.numbers import r2_of_splits
from diffaug_bio.metrics.probes import score_splits
from diffaug_bio.metrics.splits import holds_numbers, make_splits, tested_rows

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from diffaug_bio.metrics.splits import Groups, Split

_N_SHUFFLES = 10


def chance(
    labels: NDArray[np.str_] | NDArray[np.float64],
    *,
    groups: Groups | None = None,
    splits: Sequence[Split] | None = None,
    random_state: int = 0,
) -> dict[str, float]:
    """Compute the chance level of the scores of :func:`evaluate`, on the same folds.

    Of classifiers it is the score of always guessing the most frequent class of the training rows; of
    regressions that of their mean; of the NMI that of as many random clusters as classes, of the same
    sizes, which is far above 0 where classes are small. The ARI is corrected for chance, so that its level
    is 0 by definition. The silhouette has none.

    Parameters
    ----------
    labels
        Class of each row, or a number of floating point. Shape: `(n_obs,)`.
    groups, splits, random_state
        As in :func:`evaluate`.

    Returns
    -------
    Chance level by the name of the score; scores without one are left out.

    Raises
    ------
    InputError
        If the groups or splits cannot be used.

    Examples
    --------
    >>> import numpy as np
    >>> from diffaug_bio import metrics
    >>> found = metrics.chance(np.repeat(["sick", "healthy"], [30, 70]))
    >>> round(found["linear_probe"], 2)
    0.7
    """
    check_seed(random_state)
    if splits is None:
        splits = make_splits(labels, groups=groups, random_state=random_state)
    nothing = np.zeros((len(labels), 1), np.float32)
    if holds_numbers(labels):
        found = r2_of_splits(
            _predict_mean, nothing, labels, groups=groups, splits=splits, random_state=random_state
        )
        return dict.fromkeys(("linear_r2", "knn_r2"), float(found.mean()))
    names = np.asarray(labels, dtype=np.str_)
    guess = score_splits(
        _predict_most_frequent, nothing, names, groups=groups, splits=splits, random_state=random_state
    )
    tested = tested_rows(splits)
    nmi = _shuffled_nmi(names[tested], random_state=random_state)
    return {
        **dict.fromkeys(("linear_probe", "knn_accuracy"), float(guess.accuracy.mean())),
        **dict.fromkeys(("linear_macro_f1", "knn_macro_f1"), float(guess.macro_f1.mean())),
        **dict.fromkeys(
            ("linear_balanced_accuracy", "knn_balanced_accuracy"), float(guess.balanced_accuracy.mean())
        ),
        **dict.fromkeys(("kmeans_nmi", "leiden_nmi"), nmi),
        **dict.fromkeys(("kmeans_ari", "leiden_ari"), 0.0),
    }


def _predict_most_frequent(
    train: NDArray[np.float64],
    labels: NDArray[np.str_],
    _groups: NDArray[np.str_] | None,
    test: NDArray[np.float64],
) -> NDArray[np.str_]:
    """Predict the most frequent class of the training rows for every row."""
    from sklearn.dummy import DummyClassifier

    return np.asarray(DummyClassifier(strategy="most_frequent").fit(train, labels).predict(test))


def _predict_mean(
    train: NDArray[np.float64],
    numbers: NDArray[np.float64],
    _groups: NDArray[np.str_] | None,
    test: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Predict the mean of the training rows for every row."""
    from sklearn.dummy import DummyRegressor

    return np.asarray(DummyRegressor(strategy="mean").fit(train, numbers).predict(test))


def _shuffled_nmi(labels: NDArray[np.str_], *, random_state: int) -> float:
    """Compute the mean NMI of classes and the same classes, shuffled."""
    from sklearn.metrics import normalized_mutual_info_score

    codes = np.unique(labels, return_inverse=True)[1]
    rng = np.random.default_rng(random_state)
    found = [normalized_mutual_info_score(codes, rng.permutation(codes)) for _ in range(_N_SHUFFLES)]
    return float(np.mean(found))
