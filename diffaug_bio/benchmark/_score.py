"""Scores of a method on a data set with a seed."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np

from diffaug_bio import metrics
from diffaug_bio.benchmark._embedders import embed, preprocess
from diffaug_bio.benchmark._summary import MAIN_METRICS, NUMBER_METRICS
from diffaug_bio.machine.memory import peak_memory
from diffaug_bio.matrix.sample import sample_rows
from diffaug_bio.metrics.splits import given_split, holds_numbers
from diffaug_bio.model.quality import score_generated

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from diffaug_bio.benchmark._data import BenchmarkData
    from diffaug_bio.benchmark._methods import Method
    from diffaug_bio.config import DiffAugConfig
    from diffaug_bio.metrics.splits import Split
    from diffaug_bio.model.estimator import DiffAug

_MAX_REFERENCE_ROWS = 2000  # trustworthiness takes memory by the square of their number


def score_method(
    data: BenchmarkData, method: Method, config: DiffAugConfig, *, seed: int, held_out: bool
) -> dict[str, float]:
    """Fit a method with a seed, which folds and metrics share, and score its embedding.

    With `held_out`, a fifth of the rows is kept from all fitting, preprocessing included, and only they are
    scored. Otherwise all rows are embedded, without labels, and folds hide labels from the probes; the
    labelled reference is fitted on the training rows of one fold and scored on its test rows. Data with a
    split of their own are fitted without its test rows, and only these are scored, with every seed.

    Returns scores of :func:`diffaug_bio.metrics.evaluate`, and the chance levels of the main ones as
    `chance_…`; for methods with a diffusion model those of
    :func:`diffaug_bio.metrics.generated_quality` as `generated_…`; `width`, `encoder_steps`, `seconds` (fit
    and embedding) and `peak_memory_mb` (of this process). Raises :class:`NotApplicableError`.
    """
    scored = np.flatnonzero(data.scored)
    groups = None if data.groups is None else data.groups[scored]
    splits = _splits(data, scored, groups, seed=seed)
    one_split = held_out or method.is_labelled or data.split is not None
    train, test = splits[0]
    fit_rows = scored[train] if held_out else data.rows_to_fit
    started = time.perf_counter()
    result = embed(data, method, config, fit_rows=fit_rows, train_rows=scored[train], seed=seed)
    seconds, memory = time.perf_counter() - started, peak_memory()
    scores = metrics.evaluate(
        result.embedding[scored],
        data.labels[scored],
        groups=groups,
        splits=[(train, test)] if one_split else splits,
        random_state=seed,
    )
    guess = metrics.chance(
        data.labels[scored],
        groups=groups,
        splits=[(train, test)] if one_split else splits,
        random_state=seed,
    )
    scores |= {f"chance_{name}": guess[name] for name in (*MAIN_METRICS, *NUMBER_METRICS) if name in guess}
    candidates = scored[test] if one_split else np.arange(data.n_obs)
    rows = candidates[sample_rows(len(candidates), _MAX_REFERENCE_ROWS, seed=seed)]
    reference = result.features
    if reference is None:  # all methods are compared with the same features
        reference = preprocess(data, method.configured(config), fit_rows=fit_rows, seed=seed)
    scores["trustworthiness"] = metrics.trustworthiness(
        reference.dense_rows(data.matrix[rows]), result.embedding[rows], random_state=seed
    )
    if result.model is not None:
        fitted = np.arange(data.n_obs) if fit_rows is None else fit_rows
        scores["encoder_steps"] = float(_encoder_steps(result.model, len(fitted)))
        if result.model.has_generator and result.matrix is not None:
            quality = score_generated(
                result.model,
                result.matrix[fitted],
                labels=None if holds_numbers(data.labels) else data.labels[fitted].astype(np.str_),
                scored=data.scored[fitted],
                seed=seed,
            )
            scores |= {f"generated_{name}": value for name, value in quality.items()}
    scores |= {"width": float(result.embedding.shape[1]), "seconds": seconds}
    return scores if memory is None else {**scores, "peak_memory_mb": memory}


def _splits(
    data: BenchmarkData, scored: NDArray[np.int64], groups: NDArray[np.str_] | None, *, seed: int
) -> list[Split]:
    """Return training and test rows among the scored ones: the split of the data, or folds."""
    if data.split is not None:
        return [given_split(data.split[scored])]
    return metrics.make_splits(data.labels[scored], groups=groups, random_state=seed)


def _encoder_steps(model: DiffAug, n_fitted: int) -> int:
    """Count the training steps of the encoder, early stops included."""
    from diffaug_bio.core.batches import n_batches, split_rows

    settings = model.config_.train
    train_rows, _ = split_rows(n_fitted, settings.validation_fraction, seed=model.random_state)
    n_epochs = sum(event.phase in {"warm_up", "encoder"} for event in model.history_)
    return n_epochs * n_batches(len(train_rows), settings.batch_size)
