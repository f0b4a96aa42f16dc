"""Runs: from a data file to a folder of results, or to scores."""

from __future__ import annotations

from diffaug_bio.runs._augment import augment
from diffaug_bio.runs._embed import embed
from diffaug_bio.runs._evaluate import evaluate
from diffaug_bio.runs._fit import fit
from diffaug_bio.runs._info import info, info_sections
from diffaug_bio.runs._output_names import Writer, default_output
from diffaug_bio.runs._score import ScoringStep
from diffaug_bio.runs._transfer import transfer

__all__ = [
    "ScoringStep",
    "Writer",
    "augment",
    "default_output",
    "embed",
    "evaluate",
    "fit",
    "info",
    "info_sections",
    "transfer",
]
