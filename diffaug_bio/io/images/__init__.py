"""Readers and writers of images: files, folders and the layouts of known image sets."""

from __future__ import annotations

from diffaug_bio.io.images._layouts import IMAGE_LAYOUTS, is_image_folder, is_image_name, read_images
from diffaug_bio.io.images._lazy import LazyImages, open_images
from diffaug_bio.io.images._rows import ImageOptions
from diffaug_bio.io.images._write import write_image_grid, write_images

__all__ = [
    "IMAGE_LAYOUTS",
    "ImageOptions",
    "LazyImages",
    "is_image_folder",
    "is_image_name",
    "open_images",
    "read_images",
    "write_image_grid",
    "write_images",
]
