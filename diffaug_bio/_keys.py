"""Names of what is written into an AnnData, spelled once."""

from __future__ import annotations

OBSM_KEY = "X_diffaug"
CSV_PREFIX = "diffaug_"
SEQUENCE_KEY = "sequence"
"""Column of `.obs` with the letters of sequences."""
QUALITY_KEY = "mean_quality"
"""Column of `.obs` with the mean quality of reads."""


def uns_key(key_added: str) -> str:
    """Name in `.uns` that goes with a name in `.obsm`: the same without a leading `X_`."""
    return key_added.removeprefix("X_")
