"""Pages about runs and benchmarks, each as one HTML file."""

from __future__ import annotations

from diffaug_bio.report._run import write_report

__all__ = ["write_report"]
