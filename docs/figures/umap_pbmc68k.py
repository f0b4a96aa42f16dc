"""Draw the README's figure: UMAP of 700 PBMC from PCA and from the DiffAug embedding.

    python docs/figures/umap_pbmc68k.py pbmc68k/embedded.h5ad docs/figures/umap_pbmc68k.png

The first argument is what `diffaug-bio fit recipe:pbmc68k -o pbmc68k` wrote.
"""

from __future__ import annotations

import sys

import anndata
import matplotlib.pyplot as plt
import scanpy as sc


def main(data: str, picture: str) -> None:
    adata = anndata.read_h5ad(data)
    sc.pp.pca(adata, n_comps=50)
    figure, panels = plt.subplots(1, 2, figsize=(11, 4.2), layout="constrained")
    for panel, (basis, title) in zip(
        panels, {"X_pca": "PCA", "X_diffaug": "DiffAug (no labels used)"}.items(), strict=True
    ):
        sc.pp.neighbors(adata, use_rep=basis)
        sc.tl.umap(adata, random_state=0)
        legend = "right margin" if basis == "X_diffaug" else None
        sc.pl.umap(adata, color="bulk_labels", ax=panel, show=False, title=title, legend_loc=legend)
    figure.savefig(picture, dpi=110)


if __name__ == "__main__":
    main(*sys.argv[1:])
