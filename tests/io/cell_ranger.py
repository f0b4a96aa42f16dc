"""Files as Cell Ranger 2, 3 and 7 write them, from an AnnData of counts."""

from __future__ import annotations

import gzip
from io import BytesIO
from typing import TYPE_CHECKING, Literal

import h5py
import numpy as np
from scipy import sparse
from scipy.io import mmwrite

if TYPE_CHECKING:
    from pathlib import Path

    from anndata import AnnData

Version = Literal[2, 3, 7]


def write_text(
    folder: Path, adata: AnnData, version: Version, *, prefix: str = "", gzipped: bool | None = None
) -> Path:
    """Write a matrix and its names; return the folder. Version 2 is plain unless `gzipped`, as on GEO."""
    folder.mkdir(parents=True, exist_ok=True)
    is_gzipped = version != 2 if gzipped is None else gzipped
    stream = BytesIO()
    comment = "" if version == 2 else f'metadata_json: {{"software_version": "cellranger-{version}.0.0"}}'
    mmwrite(stream, sparse.coo_matrix(adata.X.T).astype(np.int64), comment=comment, field="integer")
    lines = [f"ENSG{number:011d}\t{name}" for number, name in enumerate(adata.var_names)]
    if version != 2:
        types = adata.var.get("feature_types", ["Gene Expression"] * adata.n_vars)
        lines = [f"{line}\t{kind}" for line, kind in zip(lines, types, strict=True)]
    files = {
        "matrix.mtx": stream.getvalue(),
        "barcodes.tsv": "".join(f"{name}\n" for name in adata.obs_names).encode(),
        "genes.tsv" if version == 2 else "features.tsv": "".join(f"{line}\n" for line in lines).encode(),
    }
    for name, content in files.items():
        if is_gzipped:
            (folder / f"{prefix}{name}.gz").write_bytes(gzip.compress(content, mtime=0))
        else:
            (folder / f"{prefix}{name}").write_bytes(content)
    return folder


def write_hdf5(
    path: Path, adata: AnnData, version: Version, *, genomes: tuple[str, ...] = ("GRCh38",)
) -> Path:
    """Write an HDF5 file; one of version 2 has a group for each of `genomes`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    ids = np.array([f"ENSG{number:011d}" for number in range(adata.n_vars)], "S")
    names = np.array(list(adata.var_names), "S")
    matrix = sparse.csr_matrix(adata.X)
    with h5py.File(path, "w") as file:
        for group in (file.create_group(name) for name in (genomes if version == 2 else ("matrix",))):
            group["barcodes"] = np.array(list(adata.obs_names), "S")
            group["data"] = matrix.data.astype(np.int32)
            group["indices"] = matrix.indices.astype(np.int64)
            group["indptr"] = matrix.indptr.astype(np.int64)
            group["shape"] = np.array([adata.n_vars, adata.n_obs], np.int32)
            if version == 2:
                group["genes"], group["gene_names"] = ids, names
                continue
            features = group.create_group("features")
            types = adata.var.get("feature_types", ["Gene Expression"] * adata.n_vars)
            features["id"], features["name"] = ids, names
            features["feature_type"] = np.array(list(types), "S")
            features["genome"] = np.array(["GRCh38"] * adata.n_vars, "S")
            features["_all_tag_keys"] = np.array(["genome"], "S")
        if version != 2:
            file.attrs["chemistry_description"], file.attrs["software_version"] = "3' v3", f"{version}.0.0"
    return path
