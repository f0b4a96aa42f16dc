"""Quality of generated rows: neither copies nor noise."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from diffaug_bio._checks import check_seed
from diffaug_bio.errors import InputError
from diffaug_bio.metrics.labels import N_FOLDS
from diffaug_bio.metrics.probes import N_NEIGHBORS

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Rows = NDArray[np.float32]

_MAX_SOURCES = 2000
_SWAPPED_SHARE = 0.2


def generated_quality(
    rows: Rows,
    generated: Rows,
    *,
    embed: Callable[[Rows], Rows],
    held_out: NDArray[np.int64],
    labels: NDArray[np.str_] | None = None,
    random_state: int = 0,
) -> dict[str, float]:
    """Score generated rows against the real rows that they were made from.

    Good generated rows keep the label of their source, lie about as far from it as its neighbours do, have
    the distributions of real features, cannot be told from real rows, and are no copies of training rows.

    Parameters
    ----------
    rows
        Real rows as the generator sees them. Shape: `(n_obs, n_vars)`.
    generated
        Generated rows; `generated[i]` was made from `rows[i]`. Shape: `(n_obs, n_vars)`.
    embed
        Encoder, from `(m, n_vars)` to `(m, n_latent)`.
    held_out
        Row numbers that the diffusion model was not trained on; may be empty.
    labels
        Label of each row. Shape: `(n_obs,)`.
    random_state
        Seed of partners, swapped features, sampled sources and folds.

    Returns
    -------
    With labels: `label_kept`, the share of generated rows whose 11 nearest real rows, without their
    source, vote for its label, and `label_kept_real`, the same for the real rows themselves: the ceiling.

    `cosine_generated`, `cosine_mixup`, `cosine_feature_swap`: mean cosine similarity of the latents of
    source and view, less the mean real latent (Zang et al. 2023, arXiv:2309.07909, figure 5). A mixup is
    half a random other row; a feature swap has 20 % of its features from one.

    `source_distance`: median distance to the source, in units of the source's distance to the nearest
    real row that differs from it.

    `ks_mean`, `ks_max`: Kolmogorov-Smirnov statistic over features.

    `real_or_generated`: accuracy of gradient boosting that tells them apart, on at most 2000 sources; 0.5
    is ideal. A row and its generated row are always in the same fold.

    With held-out rows, `memorised`: share of rows generated from training rows that are closer to a
    training row than any held-out row is (copies of training rows aside).

    Raises
    ------
    InputError
        If the shapes differ.
    """
    check_seed(random_state)
    if rows.shape != generated.shape or (labels is not None and len(labels) != len(rows)):
        n_labels = "" if labels is None else f" and {len(labels)} labels"
        msg = f"`generated` has shape {generated.shape} for rows of shape {rows.shape}{n_labels}."
        raise InputError(msg)
    rng = np.random.default_rng(random_state)
    similar = view_cosines(rows, generated, embed, rng=rng)
    scores = {
        **{name: float(values.mean()) for name, values in similar.items()},
        "source_distance": _source_distance(rows, generated),
        **_feature_distances(rows, generated),
        "real_or_generated": _real_or_generated(rows, generated, rng=rng, random_state=random_state),
    }
    if labels is not None:
        scores["label_kept"] = _label_kept(rows, generated, labels)
        scores["label_kept_real"] = _label_kept(rows, rows, labels)
    memorised = _memorised(rows, generated, held_out)
    return scores if memorised is None else {**scores, "memorised": memorised}


def _label_kept(rows: Rows, views: Rows, labels: NDArray[np.str_]) -> float:
    """Share of views whose nearest real rows, without their source, vote for its label."""
    from sklearn.neighbors import NearestNeighbors

    n_rows, n_neighbors = len(rows), min(N_NEIGHBORS, len(rows) - 1)
    found = NearestNeighbors(n_neighbors=n_neighbors + 1).fit(rows).kneighbors(views, return_distance=False)
    is_source = found == np.arange(n_rows)[:, None]  # (n_obs, n_neighbors + 1)
    is_source[~is_source.any(1), -1] = True  # the source is not among them: the farthest goes
    names, codes = np.unique(labels, return_inverse=True)
    voters = codes[found[~is_source].reshape(n_rows, n_neighbors)]
    cells = np.arange(n_rows)[:, None] * len(names) + voters
    votes = np.bincount(cells.ravel(), minlength=n_rows * len(names)).reshape(n_rows, len(names))
    return float(np.mean(votes.argmax(1) == codes))


def view_cosines(
    rows: Rows, generated: Rows, embed: Callable[[Rows], Rows], *, rng: np.random.Generator
) -> dict[str, NDArray[np.float64]]:
    """Cosine similarity in latent space, less the mean real latent, of every row and three views of it.

    Returns arrays `(n_obs,)` by the names of the scores of :func:`generated_quality`. Two rows are the
    least.
    """
    n_rows, n_vars = rows.shape
    if n_rows < 2:
        msg = f"Similarities need at least 2 rows, as views mix two, and there are {n_rows}. Give more."
        raise InputError(msg)
    partners = rows[(np.arange(n_rows) + rng.integers(1, n_rows, n_rows)) % n_rows]
    swapped = np.broadcast_to(np.arange(n_vars) < max(1, round(_SWAPPED_SHARE * n_vars)), rows.shape)
    views = {
        "cosine_generated": generated,
        "cosine_mixup": (rows + partners) / 2,
        "cosine_feature_swap": np.where(rng.permuted(swapped, axis=1), partners, rows),
    }
    latent = np.asarray(embed(rows), dtype=np.float64)
    center = latent.mean(0)
    return {name: cosines(latent - center, embed(view) - center) for name, view in views.items()}


def cosines(first: NDArray[np.float64], second: NDArray[np.float64]) -> NDArray[np.float64]:
    """Cosine similarity row by row; that of a zero vector is 0. Shape: `(n_obs,)`."""
    norms = np.linalg.norm(first, axis=1) * np.linalg.norm(second, axis=1)
    products = np.einsum("ij,ij->i", first, second)
    similar: NDArray[np.float64] = np.divide(products, norms, out=np.zeros_like(norms), where=norms > 0)
    return similar


def _source_distance(rows: Rows, generated: Rows) -> float:
    """Median distance to the source in units of the distance to the source's nearest other row."""
    different, which = np.unique(rows, axis=0, return_inverse=True)
    others = _nearest_distance(different, None)[which.ravel()]
    return float(np.median(np.linalg.norm((generated - rows).astype(np.float64), axis=1) / others))


def _nearest_distance(queries: Rows, references: Rows | None) -> NDArray[np.float64]:
    """Distance to the nearest reference, or to the nearest other query; that of copies is exactly 0."""
    from sklearn.neighbors import NearestNeighbors

    search = NearestNeighbors(n_neighbors=1).fit(queries if references is None else references)
    asked = None if references is None else queries
    nearest = search.kneighbors(asked, return_distance=False)[:, 0]
    near = (queries if references is None else references)[nearest]
    return np.asarray(np.linalg.norm((queries - near).astype(np.float64), axis=1))


def _feature_distances(rows: Rows, generated: Rows) -> dict[str, float]:
    """Mean and largest Kolmogorov-Smirnov statistic of the features."""
    from scipy.stats import ks_2samp

    # The p-value is not used: asymptotic, it costs least.
    pairs = zip(rows.T, generated.T, strict=True)
    statistics = [float(ks_2samp(real, made, method="asymp").statistic) for real, made in pairs]
    return {"ks_mean": float(np.mean(statistics)), "ks_max": max(statistics)}


def _real_or_generated(
    rows: Rows, generated: Rows, *, rng: np.random.Generator, random_state: int
) -> float:
    """Accuracy of telling generated from real rows, folds split by source."""
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.model_selection import GroupKFold, cross_val_score
    from threadpoolctl import threadpool_limits

    sources = rng.permutation(len(rows))[:_MAX_SOURCES]
    values = np.concatenate([rows[sources], generated[sources]])
    is_generated = np.repeat([False, True], len(sources))
    # So few rows gain nothing from threads, which on a busy machine wait for each other.
    with threadpool_limits(1, user_api="openmp"):
        accuracies = cross_val_score(
            HistGradientBoostingClassifier(random_state=random_state),
            values,
            is_generated,
            groups=np.tile(sources, 2),
            cv=GroupKFold(min(N_FOLDS, len(sources))),
        )
    return float(accuracies.mean())


def _memorised(rows: Rows, generated: Rows, held_out: NDArray[np.int64]) -> float | None:
    """Share of generated rows nearer to a training row than held-out rows are; None without such rows."""
    trained = np.ones(len(rows), dtype=bool)
    trained[held_out] = False
    if trained.all() or not trained.any():
        return None
    unseen = _nearest_distance(rows[~trained], rows[trained])
    if not (unseen > 0).any():  # all are copies of training rows: nothing to compare with
        return None
    made = _nearest_distance(generated[trained], rows[trained])
    return float(np.mean(made < unseen[unseen > 0].min()))
