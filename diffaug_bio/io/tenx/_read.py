"""Reading one count matrix or the samples of a run, with one kind of features and unique names."""

from __future__ import annotations

import csv
import logging
import re
import warnings
from itertools import combinations
from typing import TYPE_CHECKING

import anndata
import pandas as pd
from anndata.utils import make_index_unique

from diffaug_bio._checks import check_unique
from diffaug_bio._keys import BATCH_KEY
from diffaug_bio._wording import shorten
from diffaug_bio.errors import InputError
from diffaug_bio.io._files import open_text, reading
from diffaug_bio.io.h5ad import check_element
from diffaug_bio.io.tenx._find import CountMatrix, find_matrices, matrix_of_file
from diffaug_bio.io.tenx._hdf5 import read_tenx_hdf5
from diffaug_bio.io.tenx._text import read_tenx_text

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from anndata import AnnData

logger = logging.getLogger(__name__)

_TYPE, _IDS = "feature_types", "gene_ids"
_USUAL_TYPE = "Gene Expression"
_OPTION = "`modality_key`, `--modality-key`"
_BARCODE = re.compile(r"[ACGT]{12,}(-\d+)?")
_OF_LIBRARY = re.compile(r"[ACGT]{8,}-(\d+)")
_SHARED = 0.5  # of the barcodes of two samples; among random ones, some per cent are


def read_tenx(path: Path, *, modality_key: str | None = None, external_links: bool = False) -> AnnData:
    """Read a file or folder of Cell Ranger; several samples get a column `batch`.

    `modality_key` is a type of features, or for HDF5 of Cell Ranger 2 a genome; see
    :func:`diffaug_bio.io.read`.
    """
    matrices = _matrices(path)
    with warnings.catch_warnings():
        # Symbols that stand for several genes get a number at the end, and the log says so.
        warnings.filterwarnings("ignore", message=r".*names are not unique")
        return _read_all(matrices, path, modality_key, external_links=external_links)


def _read_all(
    matrices: list[CountMatrix], path: Path, modality_key: str | None, *, external_links: bool
) -> AnnData:
    """Read matrices, and put them into one AnnData."""
    samples = {
        matrix.sample: _read_one(matrix, modality_key, external_links=external_links) for matrix in matrices
    }
    if len(samples) == 1:
        [adata] = samples.values()
        check_unique(adata.obs_names, what="barcodes", remedy=f"They have to differ in {path}.")
        _name_libraries(adata, matrices[0].place)
    else:
        adata = _together(samples, path)
    return _with_unique_names(adata, path)


def files_read(path: Path) -> list[Path]:
    """List the files that :func:`read_tenx` reads, which may lie among many gigabytes of others."""
    if path.is_dir():
        matrices, _ = find_matrices(path)
    else:
        matrices = [_of_file(path)]
    return [file for matrix in matrices for file in matrix.files]


def _matrices(path: Path) -> list[CountMatrix]:
    """Find the matrices to read, and say which were left out."""
    if not path.is_dir():
        return [_of_file(path)]
    matrices, others = find_matrices(path)
    places = [str(matrix.place.relative_to(path)) for matrix in matrices]
    logger.info("%s: reading %s.", path, shorten(places))
    if raw := [str(matrix.place.relative_to(path)) for matrix in others if matrix.is_raw]:
        logger.info("%s: %s hold all barcodes, and are left out.", path, shorten(raw))
    return matrices


def _of_file(path: Path) -> CountMatrix:
    """Take a file as a matrix, with the names beside it if it is text."""
    if path.name.lower().endswith((".mtx", ".mtx.gz")):
        return matrix_of_file(path)
    return CountMatrix("", (path,), is_raw=False)


def _read_one(matrix: CountMatrix, modality_key: str | None, *, external_links: bool) -> AnnData:
    """Read a matrix, and choose its features."""
    if len(matrix.files) == 1:
        adata = read_tenx_hdf5(matrix.place, modality_key, external_links=external_links)
        check_element(adata.X, "matrix", matrix.place)
    else:
        adata = read_tenx_text(matrix.files)
    n_empty = int((adata.X.sum(axis=1) == 0).sum())
    if n_empty > 0.5 * adata.n_obs:
        logger.warning(
            "%s: %d of %d barcodes hold no counts. This looks like a raw matrix, with all empty droplets; "
            "read the filtered one (filtered_feature_bc_matrix) beside it.",
            matrix.place,
            n_empty,
            adata.n_obs,
        )
    elif matrix.is_raw:
        logger.warning("%s is a raw matrix by its name: empty droplets are read as cells.", matrix.place)
    if _TYPE in adata.var:
        return _choose_type(adata, modality_key, matrix.place)
    if modality_key is not None and len(matrix.files) > 1:  # of Cell Ranger 2, or another program
        msg = f"{matrix.place} has features of a single type. Leave `modality_key` (`--modality-key`) out."
        raise InputError(msg)
    return adata


def _choose_type(adata: AnnData, wanted: str | None, path: Path) -> AnnData:
    """Take one type of features: the wanted one, the only one, or gene expression."""
    types = adata.var[_TYPE].astype(str)
    counts = types.value_counts()
    found = {name.lower(): name for name in counts.index}
    if wanted is not None and wanted.lower() not in found:
        msg = f"{path} has no features of the type {wanted!r}; it holds {_told(counts)} ({_OPTION})."
        raise InputError(msg)
    if len(counts) == 1:
        return adata
    chosen = found.get((wanted or _USUAL_TYPE).lower())
    if chosen is None:
        msg = f"{path} holds features of several types: {_told(counts)}. Name one of them ({_OPTION})."
        raise InputError(msg)
    others = counts.drop(chosen)
    logger.info(
        "%s: %d features of the type %r are read; left out are %s (%s names another type).",
        path,
        counts[chosen],
        chosen,
        _told(others),
        "--modality-key",
    )
    return adata[:, (types == chosen).to_numpy()].copy()


def _told(counts: pd.Series) -> str:
    return ", ".join(f"{number} {name!r}" for name, number in counts.items())


def _together(samples: dict[str, AnnData], path: Path) -> AnnData:
    """Put samples under one another, with the features that all of them have."""
    _warn_of_same_cells(samples, path)
    by_id = all(_IDS in one.var and one.var[_IDS].is_unique for one in samples.values())
    symbols: dict[str, str] = {}
    for name, adata in samples.items():
        if by_id:
            symbols = dict(zip(adata.var[_IDS], adata.var_names, strict=True)) | symbols
            adata.var_names = adata.var[_IDS].astype(str).to_list()
        else:
            adata.var_names = make_index_unique(pd.Index(adata.var_names.astype(str)))
        check_unique(adata.obs_names, what=f"barcodes of {name!r}", remedy="They have to differ.")
        adata.obs_names = [f"{name}/{barcode}" for barcode in adata.obs_names]
    together = anndata.concat(samples, label=BATCH_KEY, join="inner", merge="same")
    sizes = {one.n_vars for one in samples.values()}
    if together.n_vars == 0:
        first = ", ".join(f"{name}: {shorten(one.var_names, limit=2)}" for name, one in samples.items())
        msg = f"The {len(samples)} samples in {path} share no feature ({first}). Name one of them."
        raise InputError(msg)
    if sizes != {together.n_vars}:
        logger.warning(
            "%s: the samples hold %d to %d features, and the %d that all of them have are read. Features "
            "that only some have are left out, as their counts elsewhere are unknown.",
            path,
            min(sizes),
            max(sizes),
            together.n_vars,
        )
    if by_id:
        together.var_names = [symbols[gene] for gene in together.var_names]
    logger.info(
        "%s: %d samples are read as one, %s. .obs[%r] names them: --batch-key %s brings them together.",
        path,
        len(samples),
        _listed((name, one.n_obs) for name, one in samples.items()),
        BATCH_KEY,
        BATCH_KEY,
    )
    return together


def _name_libraries(adata: AnnData, place: Path) -> None:
    """Add the library of each cell where `cellranger aggr` put several together: `-1`, `-2` in barcodes."""
    found = [_OF_LIBRARY.fullmatch(barcode) for barcode in adata.obs_names]
    numbers = [int(one[1]) for one in found if one]
    if len(numbers) < len(found) or len(set(numbers)) < 2:
        return
    names = _library_names(place)
    libraries = [names.get(number, str(number)) for number in numbers]
    adata.obs[BATCH_KEY] = pd.Categorical(libraries)
    logger.info(
        "%s: barcodes end in the number of one of %d libraries, which .obs[%r] names: --batch-key %s "
        "brings them together.",
        place,
        len(set(numbers)),
        BATCH_KEY,
        BATCH_KEY,
    )


def _library_names(place: Path) -> dict[int, str]:
    """Read the names of libraries in the table that `cellranger aggr` writes above the matrix."""
    for folder in list(place.parents)[:3]:
        if (table := folder / "aggregation.csv").is_file():
            with reading(table), open_text(table) as stream:
                rows = list(csv.reader(stream))[1:]
            return {number: row[0] for number, row in enumerate(rows, start=1) if row}
    return {}


def _listed(sizes: Iterable[tuple[str, int]]) -> str:
    """List samples with their numbers of cells, at most ten."""
    told = [f"{name} ({number} cells)" for name, number in sizes]
    return ", ".join(told[:10]) + (f" and {len(told) - 10} more" if len(told) > 10 else "")


def _warn_of_same_cells(samples: dict[str, AnnData], path: Path) -> None:
    """Warn where two matrices have the same barcodes: of one sample, counted in two ways."""
    barcodes = {name: set(adata.obs_names) for name, adata in samples.items()}
    for first, second in combinations(barcodes, 2):
        shared = barcodes[first] & barcodes[second]
        is_most = len(shared) > _SHARED * min(len(barcodes[first]), len(barcodes[second]))
        if is_most and all(_BARCODE.fullmatch(one) for one in list(shared)[:100]):
            logger.warning(
                "%s: %s and %s share %d barcodes. If they are two measurements of the same cells and not "
                "two samples, name one of them.",
                path,
                first,
                second,
                len(shared),
            )
            return


def _with_unique_names(adata: AnnData, path: Path) -> AnnData:
    """Give repeated symbols of genes a number, as scanpy does."""
    names = pd.Index(adata.var_names.astype(str))
    if repeated := list(dict.fromkeys(names[names.duplicated()])):
        logger.info(
            "%s: %d symbols stand for several genes (%s): the second is now called %r and so on. "
            "--var-key %s takes identifiers in their place.",
            path,
            len(repeated),
            shorten(repeated, limit=3),
            f"{repeated[0]}-1",
            _IDS,
        )
        names = make_index_unique(names)
    adata.var_names = names
    adata.var.index.name = adata.obs.index.name = None
    return adata
