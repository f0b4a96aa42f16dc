"""Benchmark of methods on labelled data, with the same rows, front end, width, budget and seeds for each.

`run` returns one tidy table; `summarise` condenses it.
"""

from __future__ import annotations

from diffaug_bio.benchmark._data import BenchmarkData, read_data
from diffaug_bio.benchmark._methods import METHODS, Method, choose_methods
from diffaug_bio.benchmark._result import BenchmarkResult
from diffaug_bio.benchmark._run import run
from diffaug_bio.benchmark._summary import Summary, by_label_kind, gains, summarise
from diffaug_bio.benchmark._text import overview, report, sections

__all__ = [
    "METHODS",
    "BenchmarkData",
    "BenchmarkResult",
    "Method",
    "Summary",
    "by_label_kind",
    "choose_methods",
    "gains",
    "overview",
    "read_data",
    "report",
    "run",
    "sections",
    "summarise",
]
