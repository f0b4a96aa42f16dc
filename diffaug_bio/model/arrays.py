"""Every array of a model folder: its name, shape, type, and the values that it may hold."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, NamedTuple, NoReturn

import numpy as np

from diffaug_bio._wording import told
from diffaug_bio.config.kinds import STATES, decided
from diffaug_bio.features import FittedImages, FittedSequences
from diffaug_bio.model.files import WEIGHTS, Damage

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from diffaug_bio.config import DiffAugConfig
    from diffaug_bio.core.inputs import Input
    from diffaug_bio.model.files import ArrayHeader

    Arrays = Mapping[str, NDArray[Any]]

_Values = Literal["any", "not_negative", "some_positive", "positive", "limits", "ascending"]

_TYPES: dict[str, np.dtype[Any]] = {"F32": np.dtype(np.float32), "I64": np.dtype(np.int64)}
ITEM_BYTES = {name: dtype.itemsize for name, dtype in _TYPES.items()}
"""Bytes of a number of each type that arrays of a model have."""
_LEAST_REFERENCE = 2  # rows: neighbors of one row are none
_PATCH = 6 * 6  # pixels
_MEANT = {
    "any": "finite",
    "not_negative": "finite and not below 0",
    "some_positive": "finite and not below 0, and one above",
    "positive": "finite and above 0",
    "limits": "not below 0",
    "ascending": "ascending, from 0 and below the number of features",
}
_BY_ENDING: dict[str, _Values] = {
    "running_var": "not_negative",
    "running": "not_negative",  # variance of an embedding
    "num_batches_tracked": "not_negative",
    "condition.std": "positive",
    "code_scale": "positive",
    "limits": "limits",
}
"""Of networks, what is not any finite number."""
_OPTIONAL = frozenset({"code_scale"})  # which models of earlier versions do not have


class _Rule(NamedTuple):
    """What an array has to be."""

    shape: tuple[int, ...]
    values: _Values = "any"
    dtype: np.dtype[Any] = _TYPES["F32"]
    is_needed: bool = True
    n_vars: int = 0
    """Below which numbers of features lie."""


def check_header(header: Mapping[str, ArrayHeader]) -> None:
    """Check the types of all arrays before any is read.

    Raises
    ------
    Damage
        If one is of another type than those of a model are.
    """
    for name, (dtype, _) in header.items():
        if dtype not in _TYPES:
            _refuse(name, f"has the type {dtype}, and those of a model are {' and '.join(_TYPES)}")


def check_fitted_arrays(plain: Mapping[str, Any], arrays: Arrays, config: DiffAugConfig) -> frozenset[str]:
    """Check the arrays of the preprocessing, and return their names.

    Parameters
    ----------
    plain
        Its checked fields.
    arrays
        All arrays of the model.
    config
        The configuration.

    Raises
    ------
    Damage
        If one is missing, or not what it has to be.
    """
    rules = _fitted_rules(plain, arrays, config)
    _check(arrays, rules)
    if ("features.variances" in arrays) != ("features.noise" in arrays):
        held, missing = ("variances", "noise") if "features.variances" in arrays else ("noise", "variances")
        _refuse(f"features.{missing}", f"is missing, and of 'features.{held}' is none without it")
    return frozenset(rules)


def check_other_arrays(
    arrays: Arrays, source: Input, config: DiffAugConfig, *, fitted: frozenset[str]
) -> None:
    """Check the arrays of networks and reference, and that there are no others.

    Parameters
    ----------
    arrays
        All arrays of the model.
    source
        What a row is.
    config
        The configuration.
    fitted
        Names of the arrays of the preprocessing.

    Raises
    ------
    Damage
        If one is missing, unknown, or not what it has to be.
    """
    from diffaug_bio.core.state import expected_arrays

    rules = {
        name: _Rule(
            shape,
            next((values for ending, values in _BY_ENDING.items() if name.endswith(ending)), "any"),
            np.dtype(str(dtype).removeprefix("torch.")),
            name not in _OPTIONAL or config.generator.whitening != "none",
        )
        for name, (shape, dtype) in expected_arrays(config, source).items()
    }
    if "reference.embedding" in arrays or "reference.denoising" in arrays:
        rules |= _reference_rules(arrays, config)
    _check(arrays, rules)
    for name in arrays:
        if name not in rules and name not in fitted:
            _refuse(name, "is no part of such a model")


def _reference_rules(arrays: Arrays, config: DiffAugConfig) -> dict[str, _Rule]:
    n_rows = max(_size_of(arrays, "reference.embedding", 0), _LEAST_REFERENCE)
    rules = {"reference.embedding": _Rule((n_rows, decided(config.encoder.n_latent)))}
    if config.train.has_generator:
        rules["reference.denoising"] = _Rule((n_rows,), "not_negative")
    return rules


def _fitted_rules(plain: Mapping[str, Any], arrays: Arrays, config: DiffAugConfig) -> dict[str, _Rule]:
    """Rules of the preprocessing of whatever kind."""
    from diffaug_bio.core.patches import n_pooled
    from diffaug_bio.features._images import N_FILTERS

    if plain["state"] == FittedSequences.state:
        return _rules_of_features(plain["spectra"], arrays)
    if plain["state"] != FittedImages.state:
        return _rules_of_features(plain, arrays)
    n_filters, (_, _, channels) = N_FILTERS, plain["image_shape"]
    if plain["pooled"]["n_vars"] != n_pooled(n_filters):
        _refuse("features.filters", f"are {n_filters}, and pooled {plain['pooled']['n_vars']} responses")
    pixels = _rules_of_features(plain["pixels"], arrays, prefix="pixels.", keeps_all=True)
    return {
        **_rules_of_features(plain["pooled"], arrays, keeps_all=True),
        **pixels,
        "features.filters": _Rule((n_filters, _PATCH * channels)),
        "features.offsets": _Rule((n_filters,)),
        "features.spread": _Rule(pixels["pixels.features.components"].shape[1:], "positive"),
    }


def _rules_of_features(
    plain: Mapping[str, Any], arrays: Arrays, *, prefix: str = "", keeps_all: bool = False
) -> dict[str, _Rule]:
    """Rules of the preprocessing of features, by itself or within that of sequences or images."""
    prefix = f"{prefix}features."
    n_vars, is_counted = plain["n_vars"], STATES[plain["state"]].is_counted
    n_selected = n_vars if keeps_all else max(min(_size_of(arrays, f"{prefix}selected", 0), n_vars), 1)
    n_components = min(max(_size_of(arrays, f"{prefix}components", 1), 1), n_selected)
    rules = {
        "selected": _Rule((n_selected,), "ascending", _TYPES["I64"], n_vars=n_vars),
        "medians": _Rule((0 if STATES[plain["state"]].is_sparse else n_selected,)),
        "mean": _Rule((n_selected,)),
        "std": _Rule((n_selected,), "positive"),
        "center": _Rule((n_selected,)),
        "components": _Rule((n_selected, n_components)),
        "variances": _Rule((n_components,), "not_negative", is_needed=False),
        "noise": _Rule((1,), "positive", is_needed=False),
    }
    if is_counted:
        keeps = plain["target_sum"] is None  # and totals are compared with those that are expected
        rules["expected"] = _Rule((n_vars,), "some_positive", is_needed=keeps)
    return {f"{prefix}{name}": rule for name, rule in rules.items()}


def _size_of(arrays: Arrays, name: str, axis: int) -> int:
    """Length of an axis of an array, 0 where there is no such array or axis."""
    shape = arrays[name].shape if name in arrays else ()
    return int(shape[axis]) if axis < len(shape) else 0


def _check(arrays: Arrays, rules: Mapping[str, _Rule]) -> None:
    """Hold arrays against their rules."""
    for name, rule in rules.items():
        if name not in arrays:
            if rule.is_needed:
                _refuse(name, "is missing")
            continue
        array = arrays[name]
        if array.dtype != rule.dtype:
            _refuse(name, f"has the type {array.dtype}, and {rule.dtype} is expected")
        # A single number is written as an array of one.
        if array.shape not in {rule.shape, rule.shape or (1,)}:
            _refuse(name, f"has the shape {array.shape}, and {rule.shape} is expected")
        if not _holds(array, rule):
            _refuse(name, f"has to hold numbers that are {_MEANT[rule.values]}")


def _holds(array: NDArray[Any], rule: _Rule) -> bool:
    """Whether all values are what they have to be; comparisons with NaN never hold."""
    if rule.values == "limits":  # infinite where there is no generator
        return bool((array >= 0).all())
    if not np.isfinite(array).all():
        return False
    if rule.values == "any":
        return True
    if rule.values == "positive":
        return bool((array > 0).all())
    if rule.values == "ascending":
        # Compared, since a difference of whole numbers may leave their range and come back in it.
        return bool((array[1:] > array[:-1]).all() and array[0] >= 0 and array[-1] < rule.n_vars)
    return bool((array >= 0).all()) and (rule.values != "some_positive" or bool((array > 0).any()))


def _refuse(name: str, why: str) -> NoReturn:
    msg = f"{WEIGHTS}: {told(name)} {why}"
    raise Damage(msg)
