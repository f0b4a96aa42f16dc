"""Images as rows and back, and hand-made views of them: batched, with explicit generators.

A row holds the values of an image, in [0, 1], in the order height, width, channel. Views keep this range;
each draws its numbers for every image of the batch by itself.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn

_MOST_STRETCHED = 4 / 3  # aspect ratio of a crop, to either side
_BLUE_PER_RED = 0.492111 / 0.877283  # scales of the two differences to the luma that chroma consists of
_LEAST_BLURRED = 64  # pixels a side


class ImageShape(NamedTuple):
    """Of each image of a data set."""

    height: int
    """Pixels from top to bottom."""
    width: int
    """Pixels from left to right."""
    channels: int
    """Values of a pixel: 1 of grey images, 3 of colour images."""

    @property
    def n_values(self) -> int:
        """Width of a row."""
        return self.height * self.width * self.channels


def as_images(rows: Tensor, shape: ImageShape) -> Tensor:
    """View rows as images without a copy, in the memory format channels_last.

    Parameters
    ----------
    rows
        Shape: `(batch, height * width * channels)`.
    shape
        Of an image.

    Returns
    -------
    Shape: `(batch, channels, height, width)`.
    """
    return rows.view(len(rows), *shape).permute(0, 3, 1, 2)


def as_rows(images: Tensor) -> Tensor:
    """Undo :func:`as_images`, without a copy if `images` are channels_last.

    Parameters
    ----------
    images
        Shape: `(batch, channels, height, width)`.

    Returns
    -------
    Shape: `(batch, height * width * channels)`.
    """
    return images.permute(0, 2, 3, 1).flatten(1)


def random_resized_crop(images: Tensor, *, smallest: float, generator: torch.Generator) -> Tensor:
    """Cut a part out of each image and enlarge it to the image's size (Szegedy et al. 2015, section 6).

    The part's share of the area is uniform from `smallest` to 1. Its aspect ratio, relative to that of the
    image, is log-uniform from 3/4 to 4/3 as far as the part still fits. A part is never larger than what
    it becomes, so that bilinear interpolation needs no antialiasing.

    Parameters
    ----------
    images
        Shape: `(batch, channels, height, width)`.
    smallest
        Smallest share of the area, above 0; with 1 nothing is cut off.
    generator
        Source of four numbers for each image: share, ratio, and the two places.

    Returns
    -------
    Shape: `(batch, channels, height, width)`.
    """
    drawn = torch.rand((len(images), 4), generator=generator, device=images.device)
    area = smallest + (1 - smallest) * drawn[:, 0]
    log_ratio = (2 * drawn[:, 1] - 1) * (-area.log()).clamp_max(math.log(_MOST_STRETCHED))
    # Of the sides of the whole, and width before height, as `affine_grid` has it.
    sides = (area.log()[:, None] + torch.stack([log_ratio, -log_ratio], 1)).div(2).exp()
    centres = (2 * drawn[:, 2:] - 1) * (1 - sides)
    maps = torch.cat([sides.diag_embed(), centres[:, :, None]], 2)  # (batch, 2, 3)
    grid = nn.functional.affine_grid(maps, list(images.shape), align_corners=False)
    cut = nn.functional.grid_sample(images, grid, padding_mode="border", align_corners=False)
    return cut.clamp_(0, 1)


def horizontal_flip(images: Tensor, *, generator: torch.Generator) -> Tensor:
    """Mirror half of the images, left to right; shape `(batch, channels, height, width)`."""
    return _some(images.flip(3), images, share=0.5, generator=generator)


def colour_jitter(images: Tensor, *, strength: float, generator: torch.Generator) -> Tensor:
    """Change brightness, contrast, saturation and hue (Chen et al. 2020, SimCLR, appendix A).

    Always in this order. The first three by factors uniform in `1 +- 0.8 * strength`: of the values, of
    their distance to the image's mean grey, and of their distance to their own grey. The hue by a turn
    uniform in `+- 0.2 * strength` of the full circle: a rotation of the chroma plane of YIQ, which keeps
    the luma. Values that leave [0, 1] are cut off after brightness, after contrast, and at the end. Images
    that do not have three channels have no colours, and only the first two apply.

    Parameters
    ----------
    images
        Shape: `(batch, channels, height, width)`.
    strength
        From 0, which changes nothing, to 1.
    generator
        Source of four numbers for each image, in the order above.

    Returns
    -------
    Shape: `(batch, channels, height, width)`.
    """
    drawn = torch.rand((4, len(images), 1, 1, 1), generator=generator, device=images.device)
    spread = strength * (2 * drawn - 1)
    brightness, contrast, saturation = (1 + 0.8 * spread[:3]).clamp_min(0).unbind()
    images = (images * brightness).clamp_(0, 1)
    mean = _grey(images).mean((1, 2, 3), keepdim=True)
    images = torch.lerp(mean, images, contrast).clamp_(0, 1)
    if not _in_colour(images):
        return images
    # Linear in the colours, so that what becomes of an image of red, green and blue is the matrix for all.
    pure = torch.eye(3, device=images.device).view(1, 3, 1, 3)
    mixture = _turned(pure, saturation=saturation, angle=0.4 * math.pi * spread[3])  # (batch, 3, 1, 3)
    return (mixture[:, :, 0] @ images.flatten(2)).view(images.shape).clamp_(0, 1)


def greyscale(images: Tensor, *, share: float, generator: torch.Generator) -> Tensor:
    """Replace the channels of a share of the images by their luma (ITU-R 601).

    Images that do not have three channels stay. Shape: `(batch, channels, height, width)`.
    """
    if not _in_colour(images):
        return images
    grey = _grey(images).clamp(0, 1).expand_as(images)
    return _some(grey, images, share=share, generator=generator)


def gaussian_blur(images: Tensor, *, share: float, generator: torch.Generator) -> Tensor:
    """Blur a share of the images (Chen et al. 2020, SimCLR, appendix A).

    The standard deviation is uniform from 0.1 to 2 pixels, and the kernel spans about a tenth of the
    shorter side, but at least 3 pixels. Outside of the image is its mirror image.

    Parameters
    ----------
    images
        At least 2 pixels a side. Shape: `(batch, channels, height, width)`.
    share
        Of the images that are blurred.
    generator
        Source of the standard deviations, and of the choice.

    Returns
    -------
    Shape: `(batch, channels, height, width)`.
    """
    batch, n_channels, height, width = images.shape
    drawn = torch.rand((batch, 1), generator=generator, device=images.device)
    radius = max(1, min(height, width) // 20)
    offset = torch.arange(-radius, radius + 1, device=images.device)
    kernel = (-0.5 * (offset / (0.1 + 1.9 * drawn)).square()).softmax(1)  # (batch, 2 * radius + 1)
    # The channels of all images are those of one image, each with a filter of its own.
    filters = kernel.repeat_interleave(n_channels, 0)[:, None]
    planes = images.reshape(1, -1, height, width)
    planes = nn.functional.pad(planes, (radius,) * 4, mode="reflect")
    planes = nn.functional.conv2d(planes, filters[:, :, :, None], groups=len(filters))
    planes = nn.functional.conv2d(planes, filters[:, :, None, :], groups=len(filters))
    blurred = planes.reshape(images.shape).clamp_(0, 1)
    return _some(blurred, images, share=share, generator=generator)


def hand_made(rows: Tensor, shape: ImageShape, *, strength: float, generator: torch.Generator) -> Tensor:
    """Cut, mirror, and change colours: the views of SimCLR (Chen et al. 2020, appendices A and B.9).

    A part of at least `1 - 0.8 * strength` of the area, mirrored in half of the images; colours changed by
    `0.5 * strength` in 80 %, none left in 20 % times `strength`; and, of images with at least 64 pixels a
    side, 50 % times `strength` blurred: the published recipe does not blur smaller ones.

    Parameters
    ----------
    rows
        Values in [0, 1]. Shape: `(batch, height * width * channels)`.
    shape
        Of an image.
    strength
        From 0, which leaves nothing but the mirror, to 1, which is as published.
    generator
        Source of the draws.

    Returns
    -------
    Values in [0, 1]. Shape: `(batch, height * width * channels)`.
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
    """Set a share of the patches of each image to the image's mean (after He et al. 2022, MAE).

    Patches are squares of a quarter of the shorter side, on a grid that starts elsewhere in each image.

    Parameters
    ----------
    rows
        Shape: `(batch, height * width * channels)`.
    shape
        Of an image.
    strength
        Chance of a patch.
    generator
        Source of the grids' places, and of the choice.

    Returns
    -------
    Shape: `(batch, height * width * channels)`.
    """
    images = as_images(rows, shape)
    side = max(1, min(shape.height, shape.width) // 4)
    start = torch.randint(side, (2, len(rows), 1), generator=generator, device=rows.device)
    down = (torch.arange(shape.height, device=rows.device) + start[0]) // side  # (batch, height)
    right = (torch.arange(shape.width, device=rows.device) + start[1]) // side
    # A grid that starts within the image has one patch more than fit.
    n_down, n_right = (-(-length // side) + 1 for length in (shape.height, shape.width))
    drawn = torch.rand((len(rows), n_down * n_right), generator=generator, device=rows.device)
    patch = (down[:, :, None] * n_right + right[:, None, :]).flatten(1)
    chosen = (drawn.gather(1, patch) < strength).view(-1, 1, shape.height, shape.width)
    return as_rows(torch.where(chosen, images.mean((2, 3), keepdim=True), images))


def _some(changed: Tensor, images: Tensor, *, share: float, generator: torch.Generator) -> Tensor:
    """Take a share of the changed images, and the others as they are; shape as `images`."""
    drawn = torch.rand((len(images), 1, 1, 1), generator=generator, device=images.device)
    return torch.where(drawn < share, changed, images)


def _in_colour(images: Tensor) -> bool:
    """Whether the channels are red, green and blue."""
    return images.shape[1] == 3


def _grey(images: Tensor) -> Tensor:
    """Luma of colours (ITU-R 601), else the channels' mean; to `(batch, 1, height, width)`."""
    if not _in_colour(images):
        return images.mean(1, keepdim=True)
    red, green, blue = images[:, :1], images[:, 1:2], images[:, 2:]
    return 0.299 * red + 0.587 * green + 0.114 * blue


def _turned(images: Tensor, *, saturation: Tensor, angle: Tensor) -> Tensor:
    """Scale the chroma of colours, and turn it around the grey axis; factors `(batch, 1, 1, 1)`.

    The plane of I and Q is that of U and V, `0.492 * (blue - luma)` and `0.877 * (red - luma)`.
    """
    luma = _grey(images)
    red, blue = images[:, :1] - luma, images[:, 2:] - luma
    along, across = saturation * angle.cos(), saturation * angle.sin()
    turned_blue = along * blue - across / _BLUE_PER_RED * red
    turned_red = along * red + across * _BLUE_PER_RED * blue
    # Differences to the luma have none of their own.
    green = -(0.299 * turned_red + 0.114 * turned_blue) / 0.587
    return luma + torch.cat([turned_red, green, turned_blue], 1)
