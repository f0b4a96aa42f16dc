"""Cases of h5ad files: bytes and structure changed, read, embedded, and compared with the rules of CSR."""

from __future__ import annotations

import functools
import math
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anndata
import h5py
import numpy as np
import pandas as pd
from scipy import sparse

from diffaug_bio import DiffAug, io, tl
from tests.robustness.h5ad_changes import CHANGES
from tests.robustness.harness import SilentlyWrongError
from tests.robustness.mutate import mutated, one_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from anndata import AnnData

MODEL = Path(__file__).parents[1] / "fixtures/models/format_1/expression/model"
_N_GENES = 20


@functools.cache
def base_files() -> tuple[bytes, ...]:
    """Make small files that hold whatever h5ad files hold, their matrices in every layout."""
    rng = np.random.default_rng(0)
    counts = rng.poisson(1.0, (12, _N_GENES)).astype(np.float32)
    with tempfile.TemporaryDirectory() as folder:
        files = []
        for number, layout in enumerate((sparse.csr_matrix, sparse.csc_matrix, np.asarray)):
            path = Path(folder) / f"{number}.h5ad"
            _annotated(layout(counts), counts).write_h5ad(path, compression="gzip" if number == 1 else None)
            files.append(path.read_bytes())
    return tuple(files)


def _annotated(matrix: Any, counts: np.ndarray) -> AnnData:
    n_obs = len(counts)
    adata = anndata.AnnData(
        X=matrix,
        obs=pd.DataFrame(
            {
                "kind": pd.Categorical([f"k{number % 2}" for number in range(n_obs)]),
                "depth": counts.sum(1),
                "flag": pd.array([True, None] * (n_obs // 2), dtype="boolean"),
            },
            index=[f"cell{number}" for number in range(n_obs)],
        ),
        var=pd.DataFrame(
            {"length": range(_N_GENES)}, index=[f"gene{number}" for number in range(_N_GENES)]
        ),
    )
    adata.layers["counts"] = sparse.csr_matrix(counts)
    adata.layers["dense"] = counts.copy()
    adata.obsm["X_pca"] = counts[:, :3].copy()
    adata.obsm["sparse"] = sparse.csr_matrix(counts[:, :4])
    adata.obsp["distances"] = sparse.csr_matrix(np.eye(n_obs))
    adata.varm["loadings"] = np.ones((_N_GENES, 2))
    adata.uns["note"] = {"a": 1, "b": "text", "c": np.arange(3)}
    adata.raw = adata.copy()
    return adata


@functools.cache
def model() -> DiffAug:
    """Load the model that rows are embedded with."""
    return DiffAug.load(MODEL, device="cpu")


def h5ad_case(rng: np.random.Generator, folder: Path) -> None:
    """Change a file, read it, judge it and embed it."""
    path = folder / "x.h5ad"
    content = one_of(rng, base_files())
    if rng.random() < 0.5:
        path.write_bytes(mutated(content, rng))
    else:
        path.write_bytes(content)
        _change_structure(path, rng)
    adata = io.read(path)
    check(adata)
    _embed(adata)


def _change_structure(path: Path, rng: np.random.Generator) -> None:
    """Make one or two changes through h5py; those that do not apply to what was drawn are left out."""
    for _ in range(int(rng.integers(1, 3))):
        with h5py.File(path, "r+") as file:
            try:
                one_of(rng, CHANGES)(file, rng)
            except (KeyError, ValueError, TypeError, OSError, RuntimeError, OverflowError, AttributeError):
                continue


def check(adata: AnnData) -> None:
    """Refuse what cannot be of an AnnData, above all sparse matrices that break the rules."""
    for where, matrix, shape in _matrices(adata):
        if tuple(matrix.shape[: len(shape)]) != shape:
            msg = f"{where} has the shape {matrix.shape}, expected {shape}"
            raise SilentlyWrongError(msg)
        if sparse.issparse(matrix):
            check_sparse(matrix, where)


def _matrices(adata: AnnData) -> Iterator[tuple[str, Any, tuple[int, ...]]]:
    n_obs, n_vars = adata.shape
    if adata.X is not None:
        yield "X", adata.X, (n_obs, n_vars)
    for name, value in adata.layers.items():
        yield f"layers/{name}", value, (n_obs, n_vars)
    if adata.raw is not None and adata.raw.X is not None:
        yield "raw/X", adata.raw.X, (n_obs, len(adata.raw.var))
    for part, size in (
        ("obsm", (n_obs,)),
        ("varm", (n_vars,)),
        ("obsp", (n_obs,) * 2),
        ("varp", (n_vars,) * 2),
    ):
        for name, value in getattr(adata, part).items():
            yield f"{part}/{name}", value, size


def check_sparse(matrix: Any, where: str) -> None:
    """Refuse a compressed matrix whose three arrays do not go together."""
    n_major, n_minor = matrix.shape if matrix.format == "csr" else matrix.shape[::-1]
    starts, indices, data = matrix.indptr, matrix.indices, matrix.data
    rules = {
        "indptr of another length": len(starts) == n_major + 1,
        "indptr does not start at 0": len(starts) > 0 and starts[0] == 0,
        "indptr falls": bool((np.diff(starts) >= 0).all()),
        "lengths differ": len(indices) == len(data) and len(starts) > 0 and starts[-1] == len(data),
        "index out of range": not len(indices) or (indices.min() >= 0 and indices.max() < n_minor),
        "no whole numbers": starts.dtype.kind in "iu" and indices.dtype.kind in "iu",
    }
    if broken := [rule for rule, holds in rules.items() if not holds]:
        msg = f"{where}: {', '.join(broken)}"
        raise SilentlyWrongError(msg)


def _embed(adata: AnnData) -> None:
    """Embed as `diffaug-bio embed` does; what it gives is finite."""
    tl.project(adata, model(), novelty=False)
    embedding = adata.obsm["X_diffaug"]
    if len(embedding) != adata.n_obs or not math.isfinite(float(np.abs(embedding).sum())):
        msg = "the embedding is not finite, or of another length"
        raise SilentlyWrongError(msg)
