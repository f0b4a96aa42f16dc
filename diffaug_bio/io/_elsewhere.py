"""Files that other programs read, and how each becomes one that is read here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from diffaug_bio.io._files import bare_name

if TYPE_CHECKING:
    from pathlib import Path

_BY_SCANPY = "Convert it in Python: `import scanpy; scanpy.read({name!r}).write({to!r})`"
_SEURAT = (
    "Convert it in R, where OBJECT is `readRDS({name!r})`: `anndataR::write_h5ad(OBJECT, {to!r})`, or save "
    'it with `SeuratDisk::SaveH5Seurat` and `Convert(..., dest = "h5ad")`'
)
_EXCEL = "Save it as .xlsx, or as text (.csv), in the program that wrote it"
_REMEDIES = {
    (".soft", ".mtx.bz2", ".data"): _BY_SCANPY,
    (".rds", ".rda", ".rdata", ".robj", ".h5seurat"): _SEURAT,
    (".xls", ".xlsb", ".ods"): _EXCEL,
    (".fcs",): "Convert it in Python: `import readfcs; readfcs.read({name!r}).write({to!r})`",
    (".pkl", ".pickle", ".joblib"): (
        "Such a file runs what its writer wants when it is read. If you trust it, load it in Python, and "
        "write a table (.csv) or `anndata.AnnData(X, obs, var).write({to!r})`"
    ),
    (".npy", ".mat", ".rdb", ".sav", ".dta", ".sas7bdat"): (
        "Load it in the program that wrote it, and write a table with names of rows and columns (.csv)"
    ),
    (".cloupe", ".bam", ".cram", ".sam", ".fragments.tsv"): (
        "It holds no counts that could be embedded; with Cell Ranger, name filtered_feature_bc_matrix.h5"
    ),
    (".vcf", ".bcf", ".gff", ".gff3", ".gtf"): (
        "It holds places in a genome. Sequences are cut from intervals in a .bed file (`--reference`)"
    ),
}
"""Endings, and the sentence for each, in which `name` is the file and `to` an .h5ad file."""


def how_to_convert(path: Path) -> str | None:
    """Say how a file of another program becomes one that is read here; None for unknown endings."""
    bare = bare_name(path)
    for endings, remedy in _REMEDIES.items():
        ending = next((one for one in endings if bare.endswith(one)), None)
        if ending is not None:
            to = f"{path.name[: bare.rindex(ending)]}.h5ad"
            return f"{path} is not read as it is. {remedy.format(name=path.name, to=to)}."
    return None
