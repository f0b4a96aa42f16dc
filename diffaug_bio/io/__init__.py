"""Reading data of any supported kind into AnnData, and writing embeddings."""

from __future__ import annotations

from diffaug_bio.io._from_sequences import from_sequences
from diffaug_bio.io._read import Modality, read
from diffaug_bio.io._write import write_embedding, write_fasta

__all__ = ["Modality", "from_sequences", "read", "write_embedding", "write_fasta"]
