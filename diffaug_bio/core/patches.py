"""Fixed front end of images: responses to learned patches, pooled over parts of the image.

Patches are normalised in contrast and whitened, and filters are their cluster centres (Coates, Lee & Ng
2011). `diffaug_bio.features` fits the numbers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from diffaug_bio.core.images import as_images

if TYPE_CHECKING:
    from diffaug_bio.core.images import ImageShape

PATCH_SIDE = 6  # pixels (Coates et al. 2011, section 4.4)
LEAST_VARIANCE = (10 / 255) ** 2  # added to a patch's variance, lest noise in flat ones be magnified
_GRID = 4  # parts of each side, whose responses are pooled separately
_THRESHOLD = 0.25
_USUAL_SIDE = 32  # up to which a patch starts at every pixel
_LEAST_SIDE_SKIPPED = 20  # smaller images would have too few patches left in a part
_BLOCK_VALUES = 2**20  # responses at once on a CPU; they fit its cache, which is several times faster


class PatchFrontEnd(nn.Module):
    """Principal components of pooled responses to patches: a fixed map from pixels to components.

    `filters`, `(n_filters, 6 * 6 * channels)`, and `offsets`, `(n_filters,)`, map patches of normalised
    contrast, flattened by row, column and channel, to responses; `weight`, `(n_pooled, n_components)`, and
    `bias`, `(n_components,)`, map these, pooled, to components, with centring, whitening and scaling.

    In training it uses every second patch in each direction if there are at least 20 pixels a side: about
    the same averages, at a quarter of the cost.
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

    Takes rows in [0, 1], filters `(n_filters, channels, 6, 6)`, numbers added to responses, `(n_filters,)`,
    and the pixels from one patch to the next. Returns square roots of the averages, as they even out how
    strongly and how often a patch occurs: `(batch, 2 * n_filters * 4 * 4)`.
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
