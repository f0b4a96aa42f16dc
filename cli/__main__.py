"""`python -m diffaug_bio.cli`."""

from __future__ import annotations

from .main import main

main()
