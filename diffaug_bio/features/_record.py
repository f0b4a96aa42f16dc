"""Fitted preprocessing as plain values and arrays, and back: what a model folder holds of it."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Any, TypeAlias

from diffaug_bio.features._fitted import FittedFeatures
from diffaug_bio.features._images import FittedImages
from diffaug_bio.features._sequences import FittedSequences

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray

Fitted: TypeAlias = FittedFeatures | FittedSequences | FittedImages

_ARRAYS = ("selected", "medians", "mean", "std", "center", "components")
# Models of older versions do not have these, and those of other data than counts do not have the first.
_OPTIONAL = ("expected", "variances", "noise")
_PREFIX = "features."  # of the arrays' names in a model folder, beside those of networks
_OF_IMAGES = ("filters", "offsets", "spread")
_PIXELS = "pixels."


def to_record(features: Fitted) -> tuple[dict[str, Any], dict[str, NDArray[np.generic]]]:
    """Split fitted preprocessing into numbers and names, and arrays."""
    if isinstance(features, FittedSequences):
        plain, arrays = to_record(features.spectra)
        levels = [list(level) for level in features.levels]
        kept = {"state": features.state, "n_vars": features.n_vars, "levels": levels, "spectra": plain}
        return kept, arrays
    if isinstance(features, FittedImages):
        return _images_to_record(features)
    names = [*_ARRAYS, *(name for name in _OPTIONAL if len(getattr(features, name)))]
    plain = {
        entry.name: getattr(features, entry.name)
        for entry in fields(features)
        if entry.name not in {*_ARRAYS, *_OPTIONAL}
    }
    return plain, {f"{_PREFIX}{name}": getattr(features, name) for name in names}


def from_record(plain: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> Fitted:
    """Rebuild what :func:`to_record` split; other arrays may be among them.

    Raises
    ------
    KeyError, TypeError
        If something is missing or unknown; shapes and values are checked where a model is read.
    """
    if plain["state"] == FittedSequences.state:
        levels = tuple((k, n_bins) for k, n_bins in plain["levels"])
        spectra = _features_of(plain["spectra"], arrays)
        return FittedSequences(n_vars=plain["n_vars"], levels=levels, spectra=spectra)
    if plain["state"] == FittedImages.state:
        height, width, channels = plain["image_shape"]
        of_pixels = {
            name.removeprefix(_PIXELS): array for name, array in arrays.items() if name.startswith(_PIXELS)
        }
        return FittedImages(
            image_shape=(height, width, channels),
            pooled=_features_of(plain["pooled"], arrays),
            pixels=_features_of(plain["pixels"], of_pixels),
            **{name: arrays[f"{_PREFIX}{name}"] for name in _OF_IMAGES},
        )
    return _features_of(plain, arrays)


def _features_of(plain: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> FittedFeatures:
    """Rebuild preprocessing of features, those inside of other preprocessing too."""
    if plain["state"] in {FittedSequences.state, FittedImages.state}:
        msg = (
            f"the preprocessing within sequences or images is of features, not of state {plain['state']!r}"
        )
        raise TypeError(msg)
    held = {name: arrays[f"{_PREFIX}{name}"] for name in _ARRAYS}
    held |= {name: arrays[f"{_PREFIX}{name}"] for name in _OPTIONAL if f"{_PREFIX}{name}" in arrays}
    return FittedFeatures(**{**plain, **held})


def _images_to_record(images: FittedImages) -> tuple[dict[str, Any], dict[str, NDArray[np.generic]]]:
    """Split the preprocessing of images; the arrays of pixels have names of their own."""
    pooled, arrays = to_record(images.pooled)
    pixels, of_pixels = to_record(images.pixels)
    arrays |= {f"{_PIXELS}{name}": array for name, array in of_pixels.items()}
    arrays |= {f"{_PREFIX}{name}": getattr(images, name) for name in _OF_IMAGES}
    shape = list(images.image_shape)
    return {"state": images.state, "image_shape": shape, "pooled": pooled, "pixels": pixels}, arrays
