"""Draw the figures of docs/plots.md.

python docs/figures/plots.py docs/figures
"""

from __future__ import annotations

import sys
from pathlib import Path

import matplotlib as mpl
import scanpy as sc

import diffaug_bio as db


def main(folder: str) -> None:
    mpl.use("Agg")
    sc.settings.autoshow = False
    adata = db.datasets.load("pbmc68k")
    del adata.uns["bulk_labels_colors"]  # shows our own colours
    model = db.tl.fit(adata, config="quick")
    db.tl.umap(adata)
    db.pl.embedding(adata, color=["bulk_labels", "CD79A"], save=Path(folder, "plots_embedding.png"))
    db.pl.history(adata, save=Path(folder, "plots_history.png"))
    db.pl.augmentation(adata, model, n_shown=4, save=Path(folder, "plots_violins.png"))


if __name__ == "__main__":
    main(*sys.argv[1:])
