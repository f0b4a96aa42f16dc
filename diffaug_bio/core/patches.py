"""Fixed front end of images: responses to learned patches, pooled over parts of the image.

One layer of features, learned without labels and without a training loop (Coates, Lee & Ng 2011): patches
are normalised in contrast and whitened, filters are their cluster centres, and responses beyond a threshold
are pooled. `diffaug_bio.features` fits the numbers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from diffaug_bio.core.images import as_images

if TYPE_CHECKING:
    from diffaug_bio.core.images import ImageShape

PATCH_SIDE = 6
"""Side of a patch in pixels (Coates et al. 2011, section 4.4)."""
LEAST_VARIANCE = (10 / 255) ** 2
"""Number added to the variance of a patch, so that noise in flat patches is not magnified."""
_GRID = 4  # parts of each side, whose responses are pooled separately
_THRESHOLD = 0.25
_USUAL_SIDE = 32  # up to which a patch starts at every pixel
_LEAST_SIDE_SKIPPED = 20  # smaller images would have too few patches left in a part
_BLOCK_VALUES = 2**20  # responses at once on a CPU; they fit its cache, which is several times faster


class PatchFrontEnd(nn.Module):
    """Principal components of pooled responses to patches: a fixed map from pixels to components.

    In training it uses every second patch in each direction if there are at least 20 pixels a side: about
    the same averages, at a quarter of the cost.

    Parameters
    ----------
    shape
        Shape of an image.
    filters, offsets
        Map from patches of normalised contrast to responses, including centring and whitening; a patch is
        flattened by row, column and channel. Shapes: `(n_filters, 6 * 6 * channels)`, `(n_filters,)`.
    weight, bias
        Map from pooled responses to components, including centring and scaling. Shapes:
        `(n_pooled, n_components)`, `(n_components,)`.
    """

    filters: Tensor
    offsets: Tensor
    weight: Tensor
    bias: Tensor

    def __init__(
        self, shape: ImageShape, *, filters: Tensor, offsets: Tensor, weight: Tensor, bias: Tensor
    ) -> None:
        super().__init__()
        self.shape = shape
        # Saved with the preprocessing, not with the networks.
        self.register_buffer("filters", filter_kernels(filters, shape), persistent=False)
        self.register_buffer("offsets", offsets, persistent=False)
        self.register_buffer("weight", weight, persistent=False)
        self.register_buffer("bias", bias, persistent=False)

    @property
    def n_components(self) -> int:
        """Width of the output."""
        return self.weight.shape[1]

    def forward(self, rows: Tensor) -> Tensor:
        """Map rows of pixels in [0, 1] to components; `(batch, n_values)` to `(batch, n_components)`."""
        # In bfloat16, fixed features would lose digits. (CUDA may still use TF32 for convolutions.)
        skips = self.training and min(self.shape.height, self.shape.width) >= _LEAST_SIDE_SKIPPED
        stride = min(PATCH_SIDE, patch_stride(self.shape) * (2 if skips else 1))
        with torch.autocast(rows.device.type, enabled=False):
            pooled = pooled_responses(rows, self.shape, self.filters, self.offsets, stride=stride)
            return torch.addmm(self.bias, pooled, self.weight)


@torch.no_grad()  # there is nothing to train before it
def pooled_responses(
    rows: Tensor, shape: ImageShape, filters: Tensor, offsets: Tensor, *, stride: int
) -> Tensor:
    """Filter images, and average responses beyond a threshold on either side over 4 x 4 parts.

    Square roots of the averages are returned, as they even out how strongly and how often a patch occurs.

    Parameters
    ----------
    rows
        Values in [0, 1]. Shape: `(batch, height * width * channels)`.
    shape
        Shape of an image.
    filters
        Shape: `(n_filters, channels, 6, 6)`.
    offsets
        Numbers added to responses. Shape: `(n_filters,)`.
    stride
        Pixels from one patch to the next.

    Returns
    -------
    Pooled responses. Shape: `(batch, 2 * n_filters * 4 * 4)`.
    """
    n_responses = len(filters) * (shape.height // stride + 1) * (shape.width // stride + 1)
    block = max(1, _BLOCK_VALUES // n_responses) if rows.device.type == "cpu" else max(1, len(rows))
    parts = []
    for images in torch.split(as_images(rows, shape), block):
        responses = _responses(images, filters, stride) + offsets[:, None, None]
        sides = (nn.functional.relu(sign * responses - _THRESHOLD) for sign in (1, -1))
        parts += [torch.cat([nn.functional.adaptive_avg_pool2d(side, _GRID) for side in sides], 1)]
    return torch.cat(parts).flatten(1).sqrt()


def n_pooled(n_filters: int) -> int:
    """Count pooled responses: two sides of every filter, in all parts of an image."""
    return 2 * n_filters * _GRID**2


def filter_kernels(filters: Tensor, shape: ImageShape) -> Tensor:
    """Reshape filters of flattened patches, `(n, 6 * 6 * channels)`, to `(n, channels, 6, 6)`."""
    kernels = filters.view(-1, PATCH_SIDE, PATCH_SIDE, shape.channels).permute(0, 3, 1, 2)
    return kernels.contiguous()


def patch_stride(shape: ImageShape) -> int:
    """Compute the pixels from one patch to the next: larger images do not get more patches."""
    return min(PATCH_SIDE, max(1, round(min(shape.height, shape.width) / _USUAL_SIDE)))


def _responses(images: Tensor, filters: Tensor, stride: int) -> Tensor:
    """Compute responses to standardised patches; to `(batch, n_filters, n_down, n_right)`."""
    before = PATCH_SIDE // 2
    after = PATCH_SIDE - 1 - before
    padded = nn.functional.pad(images, (before, after, before, after), mode="replicate")
    # Standardising is linear but for one factor, so patches need not be cut out.
    mean, square = (
        nn.functional.avg_pool2d(values.mean(1, keepdim=True), PATCH_SIDE, stride)
        for values in (padded, padded.square())
    )
    n_values = filters[0].numel()
    variance = (square - mean.square()).clamp_min(0) * (n_values / (n_values - 1))
    sums = filters.sum((1, 2, 3))[:, None, None]
    centred = nn.functional.conv2d(padded, filters, stride=stride) - mean * sums
    return centred * (variance + LEAST_VARIANCE).rsqrt()
