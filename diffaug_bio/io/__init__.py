"""Reading data of any supported kind into AnnData, and writing embeddings, sequences and images."""

from __future__ import annotations

from diffaug_bio.io._from_sequences import from_sequences
from diffaug_bio.io._image_grid import write_image_grid
from diffaug_bio.io._lazy_images import LazyImages, open_images
from diffaug_bio.io._read import Modality, read
from diffaug_bio.io._write import write_embedding, write_fasta, write_table
from diffaug_bio.io._write_images import write_images

__all__ = [
    "LazyImages",
    "Modality",
    "from_sequences",
    "open_images",
    "read",
    "write_embedding",
    "write_fasta",
    "write_image_grid",
    "write_images",
    "write_table",
]
