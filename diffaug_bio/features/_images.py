"""Fitted preprocessing of images: components of pooled patches, and of pixels for the generator."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from diffaug_bio.config.kinds import decided
from diffaug_bio.errors import InputError
from diffaug_bio.features._axes import widened, with_components
from diffaug_bio.features._protocol import Record
from diffaug_bio.features._standardised import Standardised, check_inner, inner
from diffaug_bio.features.records import (
    CONFIG,
    STATE,
    TABLE,
    ArrayRule,
    Field,
    check_equal,
    check_fields,
    is_count,
)
from diffaug_bio.matrix.blocks import row_blocks
from diffaug_bio.matrix.sample import sample_rows
from diffaug_bio.matrix.validation import LazyMatrix, as_pixels, check_size

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import torch
    from numpy.typing import NDArray

    from diffaug_bio.config import DiffAugConfig, FeatureConfig, InputState
    from diffaug_bio.core.batches import Rows
    from diffaug_bio.core.inputs import Input
    from diffaug_bio.matrix.blocks import Matrix

    Columns = NDArray[np.int64] | None
    Floats = NDArray[np.float32]

logger = logging.getLogger(__name__)

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
_LEAST_CROP = 0.2  # of an image's area (Chen et al. 2020)
_PATCH = 6 * 6  # pixels
_ARRAYS = ("filters", "offsets", "spread")
_PIXELS = "pixels."
_SHAPE = Field(
    f"height and width, at least {_LEAST_SIDE} each, and 1 or 3 channels",
    lambda value: (
        isinstance(value, list)
        and len(value) == 3
        and all(map(is_count, value))
        and min(value[:2]) >= _LEAST_SIDE
        and value[2] in {1, 3}
    ),
)
_PLAIN_FIELDS = {"state": STATE, "image_shape": _SHAPE, "pooled": TABLE, "pixels": TABLE}
_FLATNESS = 0.1  # added to variances of patches before whitening (Coates et al. 2011, section 4.1)


@dataclass(frozen=True, slots=True, kw_only=True)
class FittedImages:
    """Filters of patches, and principal components of pooled responses to them, and of pixels."""

    state: ClassVar[InputState] = "image"
    front_end: ClassVar[bool] = True

    image_shape: tuple[int, int, int]
    """Height, width and channels."""
    filters: Floats
    """Filters that turn patches into responses. Shape: `(n_filters, 6 * 6 * channels)`."""
    offsets: Floats
    """Numbers added to responses. Shape: `(n_filters,)`."""
    pooled: Standardised
    """Principal axes of pooled responses."""
    pixels: Standardised
    """Principal axes of pixels, as bytes."""
    spread: Floats
    """Standard deviation of each component of pixels. Shape: `(n_components,)`."""

    used: ClassVar[None] = None
    estimates_missing: ClassVar[bool] = False
    unites_batches: ClassVar[bool] = False
    is_decoded: ClassVar[bool] = True

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

    @classmethod
    def fit(
        cls, matrix: Matrix, config: DiffAugConfig, *, seed: int, feature_names: Sequence[str] | None
    ) -> tuple[FittedImages, DiffAugConfig]:
        """Learn patches and principal axes, and decide the settings that are left to the data."""
        config = config.for_kind("image")
        check_size(matrix)
        height, width, channels = shape = config.features.image_shape
        colors = "grey" if channels == 1 else "in color"
        logger.info("Input: %d images of %d x %d pixels, %s.", matrix.shape[0], height, width, colors)
        pixels = as_pixels(matrix, shape)
        return fit_images(pixels, (height, width, channels), config.features, seed=seed), config

    def project(self, matrix: Matrix, columns: Columns = None) -> Floats:
        """Map rows of pixels to components of pooled responses; shape `(n_obs, n_components)`."""
        pixels = _in_order(matrix, columns)
        out = np.empty((pixels.shape[0], self.components.shape[1]), np.float32)
        for rows, block in row_blocks(pixels):
            responses = pool_patches(block, self.image_shape, self.filters, self.offsets)
            out[rows] = self.pooled.project(responses)
        return out

    def dense_rows(self, block: Matrix, columns: Columns = None) -> Floats:
        """Pixels, centred; shape `(n_obs, n_values)`."""
        return self.pixels.dense_rows(np.asarray(_in_order(block, columns)))

    def scores(self, matrix: Matrix, *, for_neighbors: bool) -> Floats | None:
        """Compute components of pooled responses if a view has neighbours; the networks read pixels."""
        return self.project(matrix) if for_neighbors else None

    def check_later(
        self, matrix: Matrix, columns: Columns, *, feature_names: Sequence[str] | None, is_detected: bool
    ) -> None:
        """Leave it to :meth:`rows`, which reads pixels of one shape only."""

    def rows(
        self, matrix: Matrix, device: torch.device, *, columns: Columns = None, scores: Floats | None = None
    ) -> Rows:
        """Keep pixels as bytes: on the device, or on the disk if they are there."""
        import torch

        from diffaug_bio.core.batches import DenseRows, HostRows, PixelRows

        pixels = as_pixels(_in_order(matrix, columns), self.image_shape)
        if isinstance(pixels, LazyMatrix):
            return PixelRows(HostRows(pixels.__getitem__, pixels.shape, device))
        # Some are views of files that must not be written to, which torch would warn of.
        writable = pixels if pixels.flags.writeable else pixels.copy()
        return PixelRows(DenseRows(torch.from_numpy(np.ascontiguousarray(writable)).to(device)))

    def held(self, rows: NDArray[np.generic], device: torch.device) -> Rows:
        """Hold pixels, as bytes. Shape: `(n_obs, n_vars)`."""
        return self.rows(rows, device)

    def inputs(self, config: DiffAugConfig) -> Input:
        """Describe an image to the networks, with patches and components of its pixels."""
        import torch

        from diffaug_bio.core.codecs import ComponentCodec
        from diffaug_bio.core.images import ImageShape
        from diffaug_bio.core.inputs import ImageInput
        from diffaug_bio.core.patches import PatchFrontEnd

        shape = ImageShape(*self.image_shape)
        weight, bias = (torch.from_numpy(part) for part in self.linear_map())
        filters, offsets = torch.from_numpy(self.filters), torch.from_numpy(self.offsets)
        # Components of one variance: else what the generator gets wrong in the largest hides the finest.
        axes = self.pixels.components / self.spread
        return ImageInput(
            shape,
            PatchFrontEnd(shape, filters=filters, offsets=offsets, weight=weight, bias=bias),
            ComponentCodec(torch.from_numpy(self.pixels.center), torch.from_numpy(axes)),
            config.generator.backbone,
        )

    def code_scale(self, config: DiffAugConfig) -> Floats:
        """Factors that make distances between codes those of pixels."""
        return self.spread if config.generator.backbone == "mlp" else np.ones(1, np.float32)

    def inverse(self, columns: Columns) -> None:
        """Return None: the model decodes pixels itself."""

    def hand_made(self, matrix: Matrix, *, seed: int) -> tuple[str, NDArray[np.generic]]:
        """Crop each image at random."""
        import torch

        from diffaug_bio.core.images import ImageShape, as_images, as_rows, random_resized_crop

        generator = torch.Generator().manual_seed(seed)
        pixels = torch.from_numpy(np.array(matrix, np.float32) / 255)
        images = as_images(pixels, ImageShape(*self.image_shape))
        cropped = as_rows(random_resized_crop(images, smallest=_LEAST_CROP, generator=generator))
        return "cosine_crop", (cropped * 255).round().clamp(0, 255).numpy().astype(np.uint8)

    def baseline(
        self, fitted: Matrix, matrix: Matrix, *, width: int, seed: int, known: Floats | None = None
    ) -> Floats:
        """Compute principal components of the pixels; shape `(n_obs, width)`."""
        pixels = self.pixels
        if pixels.components.shape[1] < width:
            pixels = widened(pixels, pixel_sample(fitted, seed=seed), width, seed=seed)
        return pixels.project(matrix)[:, :width]

    def record(self) -> Record:
        """Split into plain values and arrays; the arrays of pixels have names of their own."""
        pooled, arrays = self.pooled.record()
        pixels, of_pixels = self.pixels.record()
        arrays |= {f"{_PIXELS}{name}": array for name, array in of_pixels.items()}
        arrays |= {f"features.{name}": getattr(self, name) for name in _ARRAYS}
        shape = list(self.image_shape)
        return Record(
            {"state": self.state, "image_shape": shape, "pooled": pooled, "pixels": pixels}, arrays
        )

    @classmethod
    def check_record(cls, plain: Mapping[str, Any], config: DiffAugConfig, where: str) -> int:
        """Check the plain values against the settings, and return the number of values of an image."""
        from diffaug_bio.core.patches import n_pooled

        check_fields(plain, _PLAIN_FIELDS, CONFIG, where)
        check_equal(plain, {"image_shape": list(config.features.image_shape)}, where)
        n_vars = int(np.prod(plain["image_shape"]))
        check_inner(plain["pixels"], n_vars, f"{where}.pixels")
        check_inner(plain["pooled"], n_pooled(N_FILTERS), f"{where}.pooled")
        return n_vars

    @classmethod
    def rules(cls, plain: Mapping[str, Any], arrays: Mapping[str, Any]) -> dict[str, ArrayRule]:
        """List the rules of the arrays, given plain values that are right."""
        pixels = Standardised.rules(plain["pixels"], arrays, prefix=_PIXELS, keeps_all=True, is_inner=True)
        return {
            **Standardised.rules(plain["pooled"], arrays, keeps_all=True, is_inner=True),
            **pixels,
            "features.filters": ArrayRule((N_FILTERS, _PATCH * plain["image_shape"][2])),
            "features.offsets": ArrayRule((N_FILTERS,)),
            "features.spread": ArrayRule(pixels[f"{_PIXELS}features.components"].shape[1:], "positive"),
        }

    @classmethod
    def from_record(cls, plain: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> Self:
        """Rebuild what :meth:`record` split; other arrays may be among them."""
        height, width, channels = plain["image_shape"]
        of_pixels = {
            name.removeprefix(_PIXELS): array for name, array in arrays.items() if name.startswith(_PIXELS)
        }
        return cls(
            image_shape=(height, width, channels),
            pooled=Standardised.from_record(plain["pooled"], arrays),
            pixels=Standardised.from_record(plain["pixels"], of_pixels),
            **{name: arrays[f"features.{name}"] for name in _ARRAYS},
        )

    def linear_map(self) -> tuple[Floats, Floats]:
        """Map from pooled responses to components: weight `(n_pooled, n_components)` and offset."""
        return self.components, -self.pooled.center @ self.components


def fit_images(
    pixels: Matrix, image_shape: tuple[int, int, int], config: FeatureConfig, *, seed: int
) -> FittedImages:
    """Fit the front ends to rows of pixels, bytes by row, column and channel.

    `seed` draws the images and patches that are looked at. Raises an `InputError` if images are smaller
    than 8 x 8 pixels, or all alike.
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
    since responses to either side are used. Images have the shape `(n_obs, height, width, channels)`;
    returns filters `(n_filters, 6 * 6 * channels)` and offsets `(n_filters,)`, with the whitening in
    them.
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
    """Compute :func:`diffaug_bio.core.patches.pooled_responses` in blocks; shape `(n_obs, n_pooled)`."""
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
    return np.asarray(pixels[sample_rows(n_obs, n_rows, seed=seed)])


def _in_order(matrix: Matrix, columns: Columns) -> Matrix:
    """Put pixels in the order of the fit; those of whole images only, since none can be made up."""
    if columns is None:
        return matrix
    if isinstance(matrix, LazyMatrix) or (columns < 0).any():
        msg = (
            "By their names, pixels of the images that the model was fitted on are missing. Give whole "
            "images, with the names of the fit or none."
        )
        raise InputError(msg)
    return matrix[:, columns]


def _components(matrix: NDArray[np.generic], scale: float, n_components: int, *, seed: int) -> Standardised:
    """Fit principal components to columns that all have one scale."""
    n_columns = matrix.shape[1]
    mean, std = np.zeros(n_columns, np.float32), np.full(n_columns, scale, np.float32)
    unfitted = inner(n_columns, np.arange(n_columns), mean, std)
    return with_components(unfitted, matrix, n_components=n_components, seed=seed)


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
