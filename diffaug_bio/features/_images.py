"""Fitted front ends of images: components of pooled patches, and of pixels for the generator."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from diffaug_bio.config.kinds import decided
from diffaug_bio.errors import InputError
from diffaug_bio.features._axes import principal_axes
from diffaug_bio.features._fitted import FittedFeatures
from diffaug_bio.matrix.blocks import row_blocks

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from diffaug_bio.config import FeatureConfig, InputState
    from diffaug_bio.matrix.blocks import Matrix

    Floats = NDArray[np.float32]

_FITTED_BYTES = 2**29  # of images that are looked at
_FITTED_ROWS = 20_000  # more change the components by less than another sample would
_FITTED_VALUES = 2**26  # pixels that their components are fitted to: 256 MB in float32
_FITTED_LARGE = 4096  # images that those of more pixels than this are fitted to
_LEAST_SPREAD = np.float32(1e-3)  # of the largest: what never varied in training must not be blown up
N_FILTERS = 64
"""Patches that images are compared with."""
_N_PATCHES = 50_000
_N_PASSES = 10  # of clustering, after which centres hardly move
_LEAST_SIDE = 8
_FLATNESS = 0.1  # added to variances of patches before whitening (Coates et al. 2011, section 4.1)


@dataclass(frozen=True, slots=True, kw_only=True)
class FittedImages:
    """Filters of patches, and principal components of pooled responses to them, and of pixels."""

    state: ClassVar[InputState] = "image"
    front_end: ClassVar[bool] = True

    image_shape: tuple[int, int, int]
    """Height, width and channels."""
    filters: Floats
    """From patches to responses. Shape: `(n_filters, 6 * 6 * channels)`."""
    offsets: Floats
    """Added to responses. Shape: `(n_filters,)`."""
    pooled: FittedFeatures
    """What is fitted to pooled responses."""
    pixels: FittedFeatures
    """What is fitted to pixels, as bytes."""
    spread: Floats
    """Standard deviation of each component of pixels. Shape: `(n_components,)`."""

    @property
    def n_vars(self) -> int:
        """Values of an image."""
        return int(np.prod(self.image_shape))

    @property
    def n_features(self) -> int:
        """Width of the rows that the encoder sees: pixels."""
        return self.n_vars

    @property
    def components(self) -> Floats:
        """Principal axes of pooled responses. Shape: `(n_pooled, n_components)`."""
        return self.pooled.components

    def project(self, pixels: Matrix) -> Floats:
        """Map rows of pixels to components of pooled responses; shape `(n_obs, n_components)`."""
        out = np.empty((pixels.shape[0], self.components.shape[1]), np.float32)
        for rows, block in row_blocks(pixels):
            responses = pool_patches(block, self.image_shape, self.filters, self.offsets)
            out[rows] = self.pooled.project(responses)
        return out

    def dense_rows(self, pixels: Matrix) -> Floats:
        """Pixels, centred; shape `(n_obs, n_values)`."""
        return self.pixels.dense_rows(np.asarray(pixels))

    def linear_map(self) -> tuple[Floats, Floats]:
        """One matrix and one offset from pooled responses to components.

        Returns
        -------
        Shapes: `(n_pooled, n_components)` and `(n_components,)`.
        """
        return self.components, -self.pooled.center @ self.components


def fit_images(
    pixels: Matrix, image_shape: tuple[int, int, int], config: FeatureConfig, *, seed: int
) -> FittedImages:
    """Fit the front ends to rows of pixels.

    Parameters
    ----------
    pixels
        Bytes by row, column and channel. Shape: `(n_obs, height * width * channels)`.
    image_shape
        Height, width and channels.
    config
        Its `n_components` are kept of both.
    seed
        Which rows and patches are looked at.

    Raises
    ------
    InputError
        If images are too small, or all alike.
    """
    if min(image_shape[:2]) < _LEAST_SIDE:
        msg = (
            f"Images have {image_shape[0]} x {image_shape[1]} pixels, and at least {_LEAST_SIDE} a side "
            "are needed. Enlarge them (`image_size`)."
        )
        raise InputError(msg)
    n_components = decided(config.resolved("image").n_components)
    n_values = pixels.shape[1]
    sample = _sampled(pixels, min(_FITTED_ROWS, max(2, _FITTED_BYTES // n_values)), seed=seed)
    if (sample.min(0) == sample.max(0)).all():
        msg = "All images are alike, so there is nothing to learn. Give different images."
        raise InputError(msg)
    filters, offsets = fit_filters(sample.reshape(-1, *image_shape), n_filters=N_FILTERS, seed=seed)
    pooled = pool_patches(sample, image_shape, filters, offsets)
    of_pixels = pixel_sample(sample, seed=seed)
    fitted_pixels = _components(of_pixels, 255.0, n_components, seed=seed)
    spread = fitted_pixels.project(of_pixels).std(0)
    return FittedImages(
        image_shape=image_shape,
        filters=filters,
        offsets=offsets,
        pooled=_components(pooled, 1.0, n_components, seed=seed),
        pixels=fitted_pixels,
        spread=np.maximum(spread, _LEAST_SPREAD * spread.max()),
    )


def fit_filters(images: NDArray[np.uint8], *, n_filters: int, seed: int) -> tuple[Floats, Floats]:
    """Cluster patches of images, normalised in contrast and whitened (Coates et al. 2011, section 4).

    Clusters are directions: a patch belongs to the centre to which it is most similar, or most opposite,
    since responses to either side are used.

    Parameters
    ----------
    images
        Shape: `(n_obs, height, width, channels)`.
    n_filters
        Centres.
    seed
        Which patches are looked at, and where the centres start.

    Returns
    -------
    Filters `(n_filters, 6 * 6 * channels)` and offsets `(n_filters,)`, with the whitening in them.
    """
    from diffaug_bio.core.patches import LEAST_VARIANCE

    rng = np.random.default_rng(seed)
    patches = _random_patches(images, rng) / np.float32(255)
    patches -= patches.mean(1, keepdims=True)
    patches /= np.sqrt(patches.var(1, ddof=1, keepdims=True) + LEAST_VARIANCE)
    mean = patches.mean(0)
    variances, axes = np.linalg.eigh(np.cov(patches, rowvar=False))
    whitening = ((axes / np.sqrt(np.maximum(variances, 0) + _FLATNESS)) @ axes.T).astype(np.float32)
    centres = _cluster_directions((patches - mean) @ whitening, n_filters, rng)
    filters = centres @ whitening
    return filters, -filters @ mean


def pool_patches(
    pixels: NDArray[np.uint8], image_shape: tuple[int, int, int], filters: Floats, offsets: Floats
) -> Floats:
    """Compute what :func:`diffaug_bio.core.patches.pooled_responses` does, block by block.

    Returns
    -------
    Shape: `(n_obs, n_pooled)`.
    """
    import torch

    from diffaug_bio.core.images import ImageShape
    from diffaug_bio.core.patches import filter_kernels, patch_stride, pooled_responses

    shape = ImageShape(*image_shape)
    kernels = filter_kernels(torch.from_numpy(filters), shape)
    parts = [
        pooled_responses(
            torch.from_numpy(block.astype(np.float32) / np.float32(255)),
            shape,
            kernels,
            torch.from_numpy(offsets),
            stride=patch_stride(shape),
        ).numpy()
        for _, block in row_blocks(pixels)
    ]
    return np.concatenate(parts)


def pixel_sample(pixels: Matrix, *, seed: int) -> NDArray[np.uint8]:
    """Take the images that components of pixels are fitted to; shape `(n_fitted, n_values)`."""
    n_values = pixels.shape[1]
    most = _FITTED_LARGE if n_values > _FITTED_LARGE else _FITTED_ROWS
    return _sampled(pixels, min(most, max(2, _FITTED_VALUES // n_values)), seed=seed)


def _sampled(pixels: Matrix, n_rows: int, *, seed: int) -> NDArray[np.uint8]:
    """Take the rows that something is fitted to."""
    n_obs = pixels.shape[0]
    if n_obs <= n_rows:
        return np.asarray(pixels[:])
    chosen = np.random.default_rng(seed).choice(n_obs, n_rows, replace=False)
    return np.asarray(pixels[np.sort(chosen)])


def _components(
    matrix: NDArray[np.generic], scale: float, n_components: int, *, seed: int
) -> FittedFeatures:
    """Fit principal components to columns that all have one scale."""
    n_columns = matrix.shape[1]
    unfitted = FittedFeatures(
        state="continuous",
        n_vars=n_columns,
        target_sum=1.0,
        max_value=None,
        front_end=True,
        selected=np.arange(n_columns),
        medians=np.zeros(n_columns, np.float32),
        mean=np.zeros(n_columns, np.float32),
        std=np.full(n_columns, scale, np.float32),
        center=np.zeros(n_columns, np.float32),
        components=np.zeros((n_columns, 0), np.float32),
    )
    axes = principal_axes(matrix, unfitted, n_components=n_components, seed=seed)
    return replace(unfitted, center=axes.center, components=axes.components)


def _random_patches(images: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Cut patches out of random images at random places; shape `(n_patches, 6 * 6 * channels)`."""
    from numpy.lib.stride_tricks import sliding_window_view

    from diffaug_bio.core.patches import PATCH_SIDE

    # (n_obs, n_down, n_right, channels, 6, 6), a view
    windows = sliding_window_view(images, (PATCH_SIDE, PATCH_SIDE), axis=(1, 2))
    which = tuple(rng.integers(size, size=_N_PATCHES) for size in windows.shape[:3])
    return np.moveaxis(windows[which], 1, 3).reshape(_N_PATCHES, -1)


def _cluster_directions(rows: Floats, n_clusters: int, rng: np.random.Generator) -> Floats:
    """Cluster directions regardless of sign (spherical k-means, Coates & Ng 2012, section 2)."""
    centres = rng.standard_normal((n_clusters, rows.shape[1]), np.float32)
    for _ in range(_N_PASSES):
        centres /= np.maximum(np.linalg.norm(centres, axis=1, keepdims=True), np.float32(1e-12))
        similarity = rows @ centres.T
        nearest = np.abs(similarity).argmax(1)
        weight = np.zeros_like(similarity)
        each = np.arange(len(rows))
        weight[each, nearest] = similarity[each, nearest]
        # A centre without members stays where it is.
        centres = weight.T @ rows + np.float32(1e-3) * centres
    return np.asarray(
        centres / np.maximum(np.linalg.norm(centres, axis=1, keepdims=True), 1e-12), np.float32
    )
