"""Endings of files of sequences, by which files and folders are told apart."""

from __future__ import annotations

from typing import TYPE_CHECKING

from diffaug_bio.io._stream import bare_name

if TYPE_CHECKING:
    from pathlib import Path

FASTA_ENDINGS = (".fa", ".fasta", ".fna")
FASTQ_ENDINGS = (".fastq", ".fq")
SEQUENCE_ENDINGS = FASTA_ENDINGS + FASTQ_ENDINGS


def is_sequence_file(path: Path) -> bool:
    """Whether a path is a file whose ending is one of FASTA or FASTQ."""
    return path.is_file() and bare_name(path).endswith(SEQUENCE_ENDINGS)
