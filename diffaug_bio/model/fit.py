"""From a matrix to fitted preprocessing and trained networks."""

from __future__ import annotations

import dataclasses
import logging
from typing import TYPE_CHECKING, NamedTuple

from diffaug_bio._checks import check_seed
from diffaug_bio.core.runtime import resolve_device, resolve_precision
from diffaug_bio.core.trainer import train
from diffaug_bio.machine.threads import Load, Threads, Watch, torch_limited_to, training_threads
from diffaug_bio.matrix.validation import as_matrix, check_names, column_names
from diffaug_bio.model.batches import batches_of_rows, check_has_components, known_batches
from diffaug_bio.model.reference import make_reference
from diffaug_bio.model.rows import fit_rows, flatten_images, input_of, neighbors_of, network_rows, scores_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from diffaug_bio.config import DiffAugConfig
    from diffaug_bio.core.phases import Callback
    from diffaug_bio.core.runtime import Precision
    from diffaug_bio.core.state import TrainState
    from diffaug_bio.features import Fitted
    from diffaug_bio.mapping import Reference

logger = logging.getLogger(__name__)


class Training(NamedTuple):
    """What a fit learned."""

    config: DiffAugConfig
    """With everything decided that was left to the data."""
    features: Fitted
    """The preprocessing."""
    state: TrainState
    """The networks."""
    n_vars: int
    """Features of the matrix."""
    feature_names: Sequence[str] | None
    """Their names, where they are known."""
    reference: Reference
    """Training rows that later rows are compared with."""
    threads: Threads
    """CPU threads that the networks trained on."""


def fit_matrix(
    X: object,  # noqa: N803 - scikit-learn's name
    config: DiffAugConfig,
    *,
    feature_names: Sequence[str] | None,
    seed: int,
    device: str,
    precision: Precision,
    callbacks: Sequence[Callback],
    threads: int | None = None,
    batches: Sequence[str] | None = None,
) -> Training:
    """Fit preprocessing, encoder and generator; parameters are those of :class:`~diffaug_bio.DiffAug`.

    Only the number of threads that networks train on is set here; the caller sets that of all else.

    Raises
    ------
    InputError
        If the matrix cannot be learned from, or seed, device or precision are unknown.
    TrainingError
        If training diverges.
    """
    load = Load()
    check_seed(seed)
    seed = int(seed)  # numpy's integers are seeds too, and torch wants Python's
    on = resolve_device(device)
    dtype = resolve_precision(precision, on)
    feature_names = column_names(X) if feature_names is None else feature_names
    flat, config = flatten_images(X, config)
    matrix = as_matrix(flat)
    check_names(feature_names, matrix)
    known = None if batches is None else known_batches(batches, matrix.shape[0])
    config = config.with_batches(() if known is None else tuple(known.names))
    features, config = fit_rows(matrix, config, seed=seed, feature_names=feature_names)
    scores = scores_of(features, matrix, config)
    if known is not None:
        check_has_components(features)
    rows = network_rows(features, matrix, scores, on)
    neighbors = neighbors_of(scores, config, seed=seed, device=on)
    partners = None if known is None else batches_of_rows(known, scores, config, seed=seed, device=on)
    chosen = training_threads(threads, n_rows=rows.shape[0], is_on_cpu=on.type == "cpu", load=load)
    watch = Watch(chosen, load)
    logger.info("CPU threads: %d (%s).", chosen.number, chosen.reason)
    if chosen.is_fixed and chosen.number > 1 and load.leaves_no_room_for(chosen.number):
        logger.info(
            "Other processes use the cores, or there are fewer: threads that wait for each other can take "
            "ten times as long as one (`--threads 1`)."
        )
    with torch_limited_to(chosen.number):
        state = train(
            rows,
            config,
            input_of(features, config),
            neighbors=neighbors,
            seed=seed,
            precision=dtype,
            callbacks=callbacks,
            on_step=watch,
            batches=partners,
        )
    if watch.lowered:
        reason = f"{chosen.reason}; lowered to 1 while training, when other processes used them"
        chosen = dataclasses.replace(chosen, reason=reason)
    reference = make_reference(state, rows, config, seed=seed)
    return Training(config, features, state, matrix.shape[1], feature_names, reference, chosen)
