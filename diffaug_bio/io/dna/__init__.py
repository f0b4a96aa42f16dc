"""Readers of DNA: FASTA, FASTQ, BED, tables and folders with sequences."""

from __future__ import annotations

from diffaug_bio.io.dna._bed import BED_ENDINGS, read_bed
from diffaug_bio.io.dna._class_files import read_class_files
from diffaug_bio.io.dna._fasta import read_sequences
from diffaug_bio.io.dna._fastx import first_letter
from diffaug_bio.io.dna._from_sequences import from_sequences
from diffaug_bio.io.dna._headless import read_headless
from diffaug_bio.io.dna._letters import check_letters
from diffaug_bio.io.dna._splits import SPLITS, has_splits, read_splits
from diffaug_bio.io.dna._table import find_sequence_table, read_sequence_table, require_sequence_table

__all__ = [
    "BED_ENDINGS",
    "SPLITS",
    "check_letters",
    "find_sequence_table",
    "first_letter",
    "from_sequences",
    "has_splits",
    "read_bed",
    "read_class_files",
    "read_headless",
    "read_sequence_table",
    "read_sequences",
    "read_splits",
    "require_sequence_table",
]
