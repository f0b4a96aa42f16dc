"""Fitted preprocessing as plain values and arrays, and back: what a model folder holds of it."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Any

from diffaug_bio.features._fitted import FittedFeatures
from diffaug_bio.features._sequences import FittedSequences

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray

_ARRAYS = ("selected", "medians", "mean", "std", "center", "components")
_PREFIX = "features."  # of the arrays' names in a model folder, beside those of networks


def to_record(
    features: FittedFeatures | FittedSequences,
) -> tuple[dict[str, Any], dict[str, NDArray[np.generic]]]:
    """Split fitted preprocessing into numbers and names, and arrays."""
    if isinstance(features, FittedSequences):
        plain, arrays = to_record(features.spectra)
        levels = [list(level) for level in features.levels]
        kept = {"state": features.state, "n_vars": features.n_vars, "levels": levels, "spectra": plain}
        return kept, arrays
    plain = {
        entry.name: getattr(features, entry.name) for entry in fields(features) if entry.name not in _ARRAYS
    }
    return plain, {f"{_PREFIX}{name}": getattr(features, name) for name in _ARRAYS}


def from_record(
    plain: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]
) -> FittedFeatures | FittedSequences:
    """Rebuild what :func:`to_record` split; other arrays may be among them.

    Raises
    ------
    KeyError, TypeError
        If something is missing, or unknown.
    """
    if plain["state"] == FittedSequences.state:
        spectra = from_record(plain["spectra"], arrays)
        if not isinstance(spectra, FittedFeatures):
            msg = "the spectra of sequences are features"
            raise TypeError(msg)
        levels = tuple((k, n_bins) for k, n_bins in plain["levels"])
        return FittedSequences(n_vars=plain["n_vars"], levels=levels, spectra=spectra)
    return FittedFeatures(**{**plain, **{name: arrays[f"{_PREFIX}{name}"] for name in _ARRAYS}})
