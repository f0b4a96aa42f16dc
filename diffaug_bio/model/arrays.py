"""Arrays of a model folder: the name, shape, type and values of each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from diffaug_bio.config.kinds import decided
from diffaug_bio.features import fitted_class
from diffaug_bio.features.records import (
    ARRAY_TYPES,
    ArrayRule,
    Values,
    check_arrays,
    refuse_array,
    size_of,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from diffaug_bio.config import DiffAugConfig
    from diffaug_bio.core.inputs import Input
    from diffaug_bio.model.files import ArrayHeader

    Arrays = Mapping[str, NDArray[Any]]

ITEM_BYTES = {name: dtype.itemsize for name, dtype in ARRAY_TYPES.items()}
"""Bytes of a number of each type that arrays of a model have."""
_LEAST_REFERENCE = 2  # rows: neighbours of one row are none
_BY_ENDING: dict[str, Values] = {
    "running_var": "not_negative",
    "running": "not_negative",  # variance of an embedding
    "num_batches_tracked": "not_negative",
    "condition.std": "positive",
    "code_scale": "positive",
    "limits": "limits",
}
"""Values of arrays of networks that may not be any finite number."""


def check_header(header: Mapping[str, ArrayHeader]) -> None:
    """Check the types of all arrays before any is read; else raise `Damage`."""
    for name, (dtype, _) in header.items():
        if dtype not in ARRAY_TYPES:
            refuse_array(
                name, f"has the type {dtype}, and those of a model are {' and '.join(ARRAY_TYPES)}"
            )


def check_fitted_arrays(plain: Mapping[str, Any], arrays: Arrays) -> frozenset[str]:
    """Check the arrays of preprocessing whose plain values are right, and return their names."""
    rules = fitted_class(plain["state"]).rules(plain, arrays)
    check_arrays(arrays, rules)
    return frozenset(rules)


def check_other_arrays(
    arrays: Arrays, source: Input, config: DiffAugConfig, *, fitted: frozenset[str]
) -> None:
    """Check the arrays of networks and reference, and that no array is unknown; `fitted` names the rest."""
    from diffaug_bio.core.state import expected_arrays

    rules = {
        name: ArrayRule(
            shape,
            next((values for ending, values in _BY_ENDING.items() if name.endswith(ending)), "any"),
            np.dtype(str(dtype).removeprefix("torch.")),
        )
        for name, (shape, dtype) in expected_arrays(config, source).items()
    }
    n_rows = max(size_of(arrays, "reference.embedding", 0), _LEAST_REFERENCE)
    if "reference.embedding" in arrays or "reference.denoising" in arrays:
        rules["reference.embedding"] = ArrayRule((n_rows, decided(config.encoder.n_latent)))
        if config.train.has_generator:
            rules["reference.denoising"] = ArrayRule((n_rows,), "not_negative")
    check_arrays(arrays, rules)
    for name in arrays:
        if name not in rules and name not in fitted:
            refuse_array(name, "is no part of such a model")
