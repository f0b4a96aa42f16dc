"""Write small files of the names that the docs use for a reader's own: `python make_files.py FOLDER`.

All of them come from data inside installed packages, but for the promoters, which are made up.
"""

from __future__ import annotations

import gzip
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import scipy.sparse
from PIL import Image
from sklearn.datasets import load_sample_images, load_wine

import diffaug_bio as db

if TYPE_CHECKING:
    from anndata import AnnData


def read_counts() -> AnnData:
    """Counts of scanpy's 700 cells: of each, the smallest normalised value stands for one."""
    adata = db.datasets.load("pbmc68k").raw.to_adata()
    values = np.expm1(adata.X.toarray())
    unit = np.where(values > 0, values, np.inf).min(axis=1, keepdims=True)
    adata.X = scipy.sparse.csr_matrix(np.rint(values / unit).astype(np.float32))
    adata.layers["counts"] = adata.X.copy()
    adata.obs = adata.obs[["bulk_labels"]].rename(columns={"bulk_labels": "cell_type"})
    adata.obs["donor"] = [f"donor{number % 2}" for number in range(adata.n_obs)]
    adata.obsm.clear()
    return adata


def write_cells(folder: Path) -> None:
    adata = read_counts()
    adata[:240].copy().write_h5ad(folder / "cells.h5ad")
    later = adata[240:340].copy()
    del later.obs["cell_type"]
    later.write_h5ad(folder / "new_cells.h5ad")
    (folder / "pbmc68k").mkdir()
    db.datasets.load("pbmc68k").write_h5ad(folder / "pbmc68k" / "embedded.h5ad")


def write_proteins(folder: Path) -> None:
    data = load_wine(as_frame=True)
    data.data.rename_axis("sample").to_csv(folder / "proteins.csv.gz")


def write_promoters(folder: Path) -> None:
    rng = np.random.default_rng(0)
    records = []
    for number in range(120):
        letters = rng.choice(list("ACGT"), 40)
        if number % 2:
            letters[15:21] = list("TATAAA")
        records.append(f">promoter{number} label={number % 2}\n{''.join(letters)}\n")
    with gzip.open(folder / "promoters.fa.gz", "wt", encoding="utf-8") as file:
        file.writelines(records)


def write_photographs(folder: Path) -> None:
    """Pieces of the two photographs that come with scikit-learn."""
    for name, photograph in zip(("china", "flower"), load_sample_images().images, strict=True):
        (folder / "photographs" / name).mkdir(parents=True)
        for number in range(20):
            top, left = 70 * (number // 5), 70 * (number % 5)
            piece = Image.fromarray(photograph[top : top + 70, left : left + 70])
            piece.save(folder / "photographs" / name / f"{number}.png")


def main(folder: Path) -> None:
    write_cells(folder)
    write_proteins(folder)
    write_promoters(folder)
    write_photographs(folder)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
