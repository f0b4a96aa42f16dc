"""Readers of DNA: FASTA, FASTQ, BED, and tables and folders of sequences."""

from __future__ import annotations

from diffaug_bio.io.dna._bed import BED_ENDINGS, read_bed
from diffaug_bio.io.dna._class_files import read_class_files
from diffaug_bio.io.dna._fasta import first_letter, read_sequences
from diffaug_bio.io.dna._from_sequences import Records, assemble, from_sequences
from diffaug_bio.io.dna._intervals import refuse_reference
from diffaug_bio.io.dna._letters import check_letters
from diffaug_bio.io.dna._splits import SPLITS, has_splits, read_splits
from diffaug_bio.io.dna._table import read_sequence_table

__all__ = [
    "BED_ENDINGS",
    "SPLITS",
    "Records",
    "assemble",
    "check_letters",
    "first_letter",
    "from_sequences",
    "has_splits",
    "read_bed",
    "read_class_files",
    "read_sequence_table",
    "read_sequences",
    "read_splits",
    "refuse_reference",
]
