"""Reading data of any supported kind into AnnData, and writing embeddings, sequences and images."""

from __future__ import annotations

from diffaug_bio.io._proposal import propose_schema
from diffaug_bio.io._read import read
from diffaug_bio.io._write import write_embedding, write_fasta, write_table
from diffaug_bio.io.dna import from_sequences
from diffaug_bio.io.h5ad import write_h5ad
from diffaug_bio.io.images import LazyImages, open_images, write_image_grid, write_images
from diffaug_bio.io.table import Schema

__all__ = [
    "LazyImages",
    "Schema",
    "from_sequences",
    "open_images",
    "propose_schema",
    "read",
    "write_embedding",
    "write_fasta",
    "write_h5ad",
    "write_image_grid",
    "write_images",
    "write_table",
]
