"""The fixed front end of images: responses to learned patches, pooled over parts of the image.

One layer of features that are learned without labels and without any training loop (Coates, Lee & Ng
2011): patches normalised in contrast and whitened, filters that are centres of clusters of them, responses
beyond a threshold, pooled. `diffaug_bio.features` fits the numbers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from diffaug_bio.core.images import as_images

if TYPE_CHECKING:
    from diffaug_bio.core.images import ImageShape

PATCH_SIDE = 6
"""Pixels of a patch (Coates et al. 2011, section 4.4)."""
LEAST_VARIANCE = (10 / 255) ** 2
"""Added to the variance of a patch, so that noise in flat ones is not blown up."""
_GRID = 4  # parts of each side whose responses are pooled apart
_THRESHOLD = 0.25
_USUAL_SIDE = 32  # up to which a patch starts at every pixel
_LEAST_SIDE_SKIPPED = 20  # of smaller images, too few patches would be left in a part
_BLOCK_VALUES = 2**20  # responses at once on a CPU, which stay in its cache: several times faster than more


class PatchFrontEnd(nn.Module):
    """Principal components of pooled responses to patches: fixed, from pixels to components.

    While training it looks at every second patch in each direction where there are at least 20 pixels a
    side: averages over a quarter are those over all but for some noise, at a quarter of the cost.

    Parameters
    ----------
    shape
        Of an image.
    filters, offsets
        From patches of normalised contrast to responses, with centring and whitening in them; a patch is
        flattened by row, column and channel. Shapes: `(n_filters, 6 * 6 * channels)`, `(n_filters,)`.
    weight, bias
        From pooled responses to components, with centring and scaling in them. Shapes:
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
        # Saved with the preprocessing, of which they are a part.
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
        # Fixed features lose digits for nothing in bfloat16. (CUDA may still take TF32 for convolutions.)
        skips = self.training and min(self.shape.height, self.shape.width) >= _LEAST_SIDE_SKIPPED
        stride = min(PATCH_SIDE, patch_stride(self.shape) * (2 if skips else 1))
        with torch.autocast(rows.device.type, enabled=False):
            pooled = pooled_responses(rows, self.shape, self.filters, self.offsets, stride=stride)
            return torch.addmm(self.bias, pooled, self.weight)


@torch.no_grad()  # there is nothing to train before it
def pooled_responses(
    rows: Tensor, shape: ImageShape, filters: Tensor, offsets: Tensor, *, stride: int
) -> Tensor:
    """Filter images, and average what goes beyond a threshold to either side over 4 x 4 parts.

    The square root of the averages is returned: it evens out how strongly and how often a patch occurs.

    Parameters
    ----------
    rows
        Values in [0, 1]. Shape: `(batch, height * width * channels)`.
    shape
        Of an image.
    filters
        Shape: `(n_filters, channels, 6, 6)`.
    offsets
        Added to responses. Shape: `(n_filters,)`.
    stride
        Pixels from one patch to the next.

    Returns
    -------
    Shape: `(batch, 2 * n_filters * 4 * 4)`.
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
    """Width of pooled responses: of every filter two sides, over all parts of an image."""
    return 2 * n_filters * _GRID**2


def filter_kernels(filters: Tensor, shape: ImageShape) -> Tensor:
    """Bring filters of flattened patches, `(n, 6 * 6 * channels)`, to `(n, channels, 6, 6)`."""
    kernels = filters.view(-1, PATCH_SIDE, PATCH_SIDE, shape.channels).permute(0, 3, 1, 2)
    return kernels.contiguous()


def patch_stride(shape: ImageShape) -> int:
    """Pixels from one patch to the next: images with more pixels are not looked at in more places."""
    return min(PATCH_SIDE, max(1, round(min(shape.height, shape.width) / _USUAL_SIDE)))


def _responses(images: Tensor, filters: Tensor, stride: int) -> Tensor:
    """Responses to patches of mean 0 and variance 1; to `(batch, n_filters, n_down, n_right)`."""
    before = PATCH_SIDE // 2
    after = PATCH_SIDE - 1 - before
    padded = nn.functional.pad(images, (before, after, before, after), mode="replicate")
    # Normalising contrast is linear but for one factor, so patches need not be cut out.
    mean, square = (
        nn.functional.avg_pool2d(values.mean(1, keepdim=True), PATCH_SIDE, stride)
        for values in (padded, padded.square())
    )
    n_values = filters[0].numel()
    variance = (square - mean.square()).clamp_min(0) * (n_values / (n_values - 1))
    sums = filters.sum((1, 2, 3))[:, None, None]
    centred = nn.functional.conv2d(padded, filters, stride=stride) - mean * sums
    return centred * (variance + LEAST_VARIANCE).rsqrt()
