"""Models fitted to a matrix: preprocessing, networks, and kept training rows."""

from __future__ import annotations

import dataclasses
import logging
from typing import TYPE_CHECKING

import numpy as np

from diffaug_bio._checks import check_seed
from diffaug_bio.config import resolve_config
from diffaug_bio.config.kinds import NEIGHBOR_VIEWS
from diffaug_bio.core.runtime import resolve_device, resolve_precision
from diffaug_bio.core.trainer import train
from diffaug_bio.features import fit_preprocessing
from diffaug_bio.machine.threads import Load, Watch, torch_limited_to, training_threads
from diffaug_bio.matrix.validation import as_matrix, check_names, column_names
from diffaug_bio.model.batches import batches_of_rows, check_has_components, known_batches
from diffaug_bio.model.reference import make_reference
from diffaug_bio.model.rows import flatten_images, neighbors_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from diffaug_bio.core.batches import Rows
    from diffaug_bio.core.phases import Callback
    from diffaug_bio.model.estimator import DiffAug

logger = logging.getLogger(__name__)


def learn(
    model: DiffAug,
    X: object,  # noqa: N803 - scikit-learn's name
    *,
    feature_names: Sequence[str] | None,
    callbacks: Sequence[Callback],
    batches: Sequence[str] | None,
) -> Rows:
    """Fit preprocessing, encoder and generator, and put them into a model; see :meth:`DiffAug.fit`.

    Returns the training rows as the networks take them, so that embedding them needs no second
    preprocessing. Only the number of threads that networks train on is set here; the caller limits all
    others.
    """
    load = Load()
    check_seed(model.random_state)
    seed = int(model.random_state)  # numpy's integers are seeds too, and torch wants Python's
    device = resolve_device(model.device)
    dtype = resolve_precision(model.precision, device)
    feature_names = column_names(X) if feature_names is None else feature_names
    flat, config = flatten_images(X, resolve_config(model.config))
    matrix = as_matrix(flat)
    check_names(feature_names, matrix)
    known = None if batches is None else known_batches(batches, matrix.shape[0])
    config = config.with_batches(() if known is None else tuple(known.names))
    features, config = fit_preprocessing(matrix, config, seed=seed, feature_names=feature_names)
    scores = features.scores(matrix, for_neighbors=config.train.warmup_view in NEIGHBOR_VIEWS)
    if known is not None:
        check_has_components(features)
    rows = features.rows(matrix, device, scores=scores)
    neighbors = neighbors_of(scores, config, seed=seed, device=device)
    partners = None if known is None else batches_of_rows(known, scores, config, seed=seed, device=device)
    threads = training_threads(
        model.threads, n_rows=rows.shape[0], is_on_cpu=device.type == "cpu", load=load
    )
    watch = Watch(threads, load)
    logger.info("CPU threads: %d (%s).", threads.number, threads.reason)
    if threads.is_fixed and threads.number > 1 and load.leaves_no_room_for(threads.number):
        logger.info(
            "Other processes use the cores, or there are fewer: threads that wait for each other can take "
            "ten times as long as one (`--threads 1`)."
        )
    with torch_limited_to(threads.number):
        state = train(
            rows,
            config,
            features.inputs(config),
            neighbors=neighbors,
            seed=seed,
            precision=dtype,
            callbacks=callbacks,
            on_step=watch,
            batches=partners,
        )
    if watch.lowered:
        reason = f"{threads.reason}; lowered to 1 while training, when other processes used them"
        threads = dataclasses.replace(threads, reason=reason)
    model.reference_ = make_reference(state, rows, config, seed=seed)
    model.config_, model.features_, model.state_ = config, features, state
    model.history_, model.threads_, model.source_ = state.history, threads, {}
    model.n_features_in_ = matrix.shape[1]
    if feature_names is not None:
        model.feature_names_in_ = np.asarray(feature_names, dtype=object)
    elif hasattr(model, "feature_names_in_"):
        del model.feature_names_in_
    return rows
