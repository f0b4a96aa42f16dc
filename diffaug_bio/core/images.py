"""Images as rows and back, and hand-made views of images, with explicit generators.

A row holds the values of an image, in [0, 1], in the order height, width, channel; images are
`(batch, channels, height, width)`. Views keep this range and draw separate random numbers for each image.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn

_MOST_STRETCHED = 4 / 3  # aspect ratio of a crop, to either side
_BLUE_PER_RED = 0.492111 / 0.877283  # scales of the two chroma components, U and V
_LEAST_BLURRED = 64  # pixels a side


class ImageShape(NamedTuple):
    """Shape of each image of a data set, in pixels."""

    height: int
    width: int
    channels: int
    """Values of a pixel: 1 in grey images, 3 in colour images."""

    @property
    def n_values(self) -> int:
        """Width of a row."""
        return self.height * self.width * self.channels


def as_images(rows: Tensor, shape: ImageShape) -> Tensor:
    """View rows as images `(batch, channels, height, width)` without a copy, so in channels_last."""
    return rows.view(len(rows), *shape).permute(0, 3, 1, 2)


def as_rows(images: Tensor) -> Tensor:
    """Undo :func:`as_images`, without a copy if `images` are channels_last."""
    return images.permute(0, 2, 3, 1).flatten(1)


def random_resized_crop(images: Tensor, *, smallest: float, generator: torch.Generator) -> Tensor:
    """Cut a part out of each image and enlarge it to the image's size (Szegedy et al. 2015, section 6).

    The part's share of the area is uniform from `smallest`, above 0, to 1. Its aspect ratio, relative to
    that of the image, is log-uniform from 3/4 to 4/3 as far as the part still fits. Parts are only ever
    enlarged, so that bilinear interpolation needs no antialiasing.
    """
    drawn = torch.rand((len(images), 4), generator=generator, device=images.device)
    area = smallest + (1 - smallest) * drawn[:, 0]
    log_ratio = (2 * drawn[:, 1] - 1) * (-area.log()).clamp_max(math.log(_MOST_STRETCHED))
    # Shares of the image's sides, width before height, as `affine_grid` needs.
    sides = (area.log()[:, None] + torch.stack([log_ratio, -log_ratio], 1)).div(2).exp()
    centres = (2 * drawn[:, 2:] - 1) * (1 - sides)
    maps = torch.cat([sides.diag_embed(), centres[:, :, None]], 2)  # (batch, 2, 3)
    grid = nn.functional.affine_grid(maps, list(images.shape), align_corners=False)
    cut = nn.functional.grid_sample(images, grid, padding_mode="border", align_corners=False)
    return cut.clamp_(0, 1)


def horizontal_flip(images: Tensor, *, generator: torch.Generator) -> Tensor:
    """Mirror half of the images, left to right."""
    return _some(images.flip(3), images, share=0.5, generator=generator)


def colour_jitter(images: Tensor, *, strength: float, generator: torch.Generator) -> Tensor:
    """Change brightness, contrast, saturation and hue, in this order (Chen et al. 2020, SimCLR, app. A).

    The first three are factors uniform in `1 +- 0.8 * strength`: of the values, of their difference to the
    image's mean grey, and of their difference to the pixel's own grey. Hue is a turn uniform in
    `+- 0.2 * strength` of the full circle: a rotation of the chroma plane of YIQ, which keeps the luma.
    Values are cut off at 0 and 1 after brightness, after contrast, and at the end. Images without three
    channels have no colours: only brightness and contrast apply.
    """
    drawn = torch.rand((4, len(images), 1, 1, 1), generator=generator, device=images.device)
    spread = strength * (2 * drawn - 1)
    brightness, contrast, saturation = (1 + 0.8 * spread[:3]).clamp_min(0).unbind()
    images = (images * brightness).clamp_(0, 1)
    mean = _grey(images).mean((1, 2, 3), keepdim=True)
    images = torch.lerp(mean, images, contrast).clamp_(0, 1)
    if not _in_colour(images):
        return images
    # Linear in the colours: the result for pure red, green and blue is the matrix for all.
    pure = torch.eye(3, device=images.device).view(1, 3, 1, 3)
    mixture = _turned(pure, saturation=saturation, angle=0.4 * math.pi * spread[3])  # (batch, 3, 1, 3)
    return (mixture[:, :, 0] @ images.flatten(2)).view(images.shape).clamp_(0, 1)


def greyscale(images: Tensor, *, share: float, generator: torch.Generator) -> Tensor:
    """Replace the channels of a share of colour images by their luma (ITU-R 601); others stay."""
    if not _in_colour(images):
        return images
    grey = _grey(images).clamp(0, 1).expand_as(images)
    return _some(grey, images, share=share, generator=generator)


def gaussian_blur(images: Tensor, *, share: float, generator: torch.Generator) -> Tensor:
    """Blur a share of the images (Chen et al. 2020, SimCLR, appendix A).

    The standard deviation is uniform from 0.1 to 2 pixels. The kernel spans about a tenth of the shorter
    side, at least 3 pixels. Images, of at least 2 pixels a side, are mirrored at their borders.
    """
    batch, n_channels, height, width = images.shape
    drawn = torch.rand((batch, 1), generator=generator, device=images.device)
    radius = max(1, min(height, width) // 20)
    offset = torch.arange(-radius, radius + 1, device=images.device)
    kernel = (-0.5 * (offset / (0.1 + 1.9 * drawn)).square()).softmax(1)  # (batch, 2 * radius + 1)
    # All images as the channels of one image, each channel with its own filter.
    filters = kernel.repeat_interleave(n_channels, 0)[:, None]
    planes = images.reshape(1, -1, height, width)
    planes = nn.functional.pad(planes, (radius,) * 4, mode="reflect")
    planes = nn.functional.conv2d(planes, filters[:, :, :, None], groups=len(filters))
    planes = nn.functional.conv2d(planes, filters[:, :, None, :], groups=len(filters))
    blurred = planes.reshape(images.shape).clamp_(0, 1)
    return _some(blurred, images, share=share, generator=generator)


def hand_made(rows: Tensor, shape: ImageShape, *, strength: float, generator: torch.Generator) -> Tensor:
    """Crop, mirror and change colours: the views of SimCLR (Chen et al. 2020, appendices A and B.9).

    Crops keep at least `1 - 0.8 * strength` of the area; half of the images are mirrored; 80 % change
    colours by `0.5 * strength`; a share of `0.2 * strength` turns grey; and of images with at least 64
    pixels a side a share of `0.5 * strength` is blurred (of smaller ones none, as published). Strength 0
    only mirrors; 1 is as published.
    """
    images = as_images(rows, shape)
    images = random_resized_crop(images, smallest=1 - 0.8 * strength, generator=generator)
    images = horizontal_flip(images, generator=generator)
    jittered = colour_jitter(images, strength=0.5 * strength, generator=generator)
    images = _some(jittered, images, share=0.8, generator=generator)
    images = greyscale(images, share=0.2 * strength, generator=generator)
    if min(shape.height, shape.width) >= _LEAST_BLURRED:
        images = gaussian_blur(images, share=0.5 * strength, generator=generator)
    return as_rows(images)


def pixel_noise(rows: Tensor, *, strength: float, generator: torch.Generator) -> Tensor:
    """Add Gaussian noise of standard deviation `strength`, within [0, 1]; shape `(batch, n_values)`."""
    noise = torch.randn(rows.shape, generator=generator, device=rows.device)
    return (rows + strength * noise).clamp_(0, 1)


def patch_mask(rows: Tensor, shape: ImageShape, *, strength: float, generator: torch.Generator) -> Tensor:
    """Set each patch with probability `strength` to the image's mean (after He et al. 2022, MAE).

    Patches are squares of a quarter of the shorter side, on a grid with a random origin in each image.
    """
    images = as_images(rows, shape)
    side = max(1, min(shape.height, shape.width) // 4)
    start = torch.randint(side, (2, len(rows), 1), generator=generator, device=rows.device)
    down = (torch.arange(shape.height, device=rows.device) + start[0]) // side  # (batch, height)
    right = (torch.arange(shape.width, device=rows.device) + start[1]) // side
    # A shifted grid has one more patch than fit.
    n_down, n_right = (-(-length // side) + 1 for length in (shape.height, shape.width))
    drawn = torch.rand((len(rows), n_down * n_right), generator=generator, device=rows.device)
    patch = (down[:, :, None] * n_right + right[:, None, :]).flatten(1)
    chosen = (drawn.gather(1, patch) < strength).view(-1, 1, shape.height, shape.width)
    return as_rows(torch.where(chosen, images.mean((2, 3), keepdim=True), images))


def _some(changed: Tensor, images: Tensor, *, share: float, generator: torch.Generator) -> Tensor:
    """Take a share of the changed images, and the other images unchanged; shape as `images`."""
    drawn = torch.rand((len(images), 1, 1, 1), generator=generator, device=images.device)
    return torch.where(drawn < share, changed, images)


def _in_colour(images: Tensor) -> bool:
    """Test for the channels red, green and blue."""
    return images.shape[1] == 3


def _grey(images: Tensor) -> Tensor:
    """Compute the luma of colours (ITU-R 601), else the channels' mean; to `(batch, 1, height, width)`."""
    if not _in_colour(images):
        return images.mean(1, keepdim=True)
    red, green, blue = images[:, :1], images[:, 1:2], images[:, 2:]
    return 0.299 * red + 0.587 * green + 0.114 * blue


def _turned(images: Tensor, *, saturation: Tensor, angle: Tensor) -> Tensor:
    """Scale the chroma of colours and turn it around the grey axis; factors `(batch, 1, 1, 1)`.

    The chroma plane is spanned by U and V, `0.492 * (blue - luma)` and `0.877 * (red - luma)`.
    """
    luma = _grey(images)
    red, blue = images[:, :1] - luma, images[:, 2:] - luma
    along, across = saturation * angle.cos(), saturation * angle.sin()
    turned_blue = along * blue - across / _BLUE_PER_RED * red
    turned_red = along * red + across * _BLUE_PER_RED * blue
    # The differences to the luma have a luma of 0.
    green = -(0.299 * turned_red + 0.114 * turned_blue) / 0.587
    return luma + torch.cat([turned_red, green, turned_blue], 1)
