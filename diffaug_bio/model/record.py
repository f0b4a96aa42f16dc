"""A fitted model as plain values and arrays, and its parts from them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from diffaug_bio.core.phases import EpochEnd
from diffaug_bio.core.state import from_arrays, to_arrays
from diffaug_bio.features import from_record
from diffaug_bio.model.arrays import check_fitted_arrays, check_other_arrays
from diffaug_bio.model.files import damage_told
from diffaug_bio.model.folder import ModelRecord, columns_of, rows_of
from diffaug_bio.model.reference import reference_arrays, reference_from

if TYPE_CHECKING:
    from os import PathLike

    from diffaug_bio.core.state import TrainState
    from diffaug_bio.features import Fitted
    from diffaug_bio.mapping import Reference
    from diffaug_bio.model.estimator import DiffAug


def record_of(model: DiffAug) -> ModelRecord:
    """Collect everything of a fitted model that is saved."""
    preprocessing, arrays = model.features_.record()
    arrays |= to_arrays(model.state_) | reference_arrays(model.reference_)
    names = getattr(model, "feature_names_in_", None)
    return ModelRecord(
        config=model.config_,
        seed=int(model.random_state),  # a search may have put in one of numpy's integers
        preprocessing=preprocessing,
        source=model.source_,
        n_vars=model.features_.n_vars,
        feature_names=None if names is None else [str(name) for name in names],
        history=columns_of(model.history_),
        arrays={key: np.ascontiguousarray(value) for key, value in arrays.items()},
    )


def put_into(model: DiffAug, record: ModelRecord, folder: str | PathLike[str]) -> None:
    """Turn a model that is not fitted into a saved one; a `CheckpointError` if that is damaged."""
    with damage_told(folder):
        model.features_, model.state_, model.reference_ = _restored(record)
    model.config_ = record.config
    model.history_ = model.state_.history
    model.n_features_in_, model.source_ = model.features_.n_vars, dict(record.source)
    if record.feature_names is not None:
        model.feature_names_in_ = np.asarray(record.feature_names, dtype=object)


def _restored(record: ModelRecord) -> tuple[Fitted, TrainState, Reference | None]:
    """Check the arrays of a record, and rebuild preprocessing, networks and reference."""
    arrays, config = record.arrays, record.config
    fitted = check_fitted_arrays(record.preprocessing, arrays)
    features = from_record(record.preprocessing, arrays)
    source = features.inputs(config)
    check_other_arrays(arrays, source, config, fitted=fitted)
    state = from_arrays(config, source, arrays)
    state.history = rows_of(EpochEnd, record.history)
    return features, state, reference_from(arrays)
