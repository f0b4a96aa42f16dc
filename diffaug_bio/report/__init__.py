"""The page about a run or a benchmark: what it says, section by section; `report.page` makes HTML of it."""

from __future__ import annotations

from diffaug_bio.report._run import write_report

__all__ = ["write_report"]
