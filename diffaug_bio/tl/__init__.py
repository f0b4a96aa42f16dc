"""Tools on AnnData, in scanpy's grammar: `adata` first, results in `.obsm` and `.uns`."""

from __future__ import annotations

from diffaug_bio.tl._embed import embed
from diffaug_bio.tl._project import project

__all__ = ["embed", "project"]
