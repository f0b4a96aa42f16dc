"""Features in rows: recognising such a table, and telling facts about features from observations."""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from diffaug_bio._wording import cut, shorten
from diffaug_bio.errors import InputError
from diffaug_bio.io.table._column_names import names_cells, names_genes, tells_of_genes
from diffaug_bio.io.table._numbers import look_at

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

logger = logging.getLogger(__name__)

_GENE = re.compile(
    r"ENS[A-Z]{0,4}[GTP]\d{6,}(?:\.\d+)?(?:_.*)?|AT[1-5MC]G\d{5}|Y[A-P][LR]\d{3}[WC](?:-[A-Z])?|FBgn\d{7}|"
    r"WBGene\d{8}|(?:[NX][MRP]|NC)_\d{5,}(?:\.\d+)?|ILMN_\d+|\d+(?:_[sxa])?_at|chr[\dXYM]{1,2}[:_-]\d+[-_]\d+|"
    r"[\dXYM]{1,2}:\d+-\d+|(?:hsa|mmu|rno)-(?:miR|let|mir)-\S+|MIMAT\d{7}|cg\d{8}|rs\d{3,}"
)
"""Names of genes, transcripts, probes and intervals that nothing else has."""
_SYMBOLS = frozenset(
    {"ACTB", "GAPDH", "TP53", "MYC", "EGFR", "CD3D", "CD3E", "CD4", "CD8A", "CD19", "CD79A", "MS4A1", "LYZ"}
    | {"NKG7", "GNLY", "PPBP", "MALAT1", "B2M", "HLA-A", "HLA-B", "HLA-DRA", "MT-CO1", "MT-CO2", "MT-ND1"}
    | {"RPL3", "RPS3", "RPLP0", "EEF1A1", "TMSB4X", "FTH1", "FTL", "VIM", "KRT18", "EPCAM", "PTPRC", "A1BG"}
    | {"STAT1", "JUN", "FOS", "BRCA1", "KRAS", "PTEN", "ISG15", "TUBB", "HSP90AA1", "CDK1", "MKI67", "UBC"}
    | {"NOC2L", "SAMD11", "KLHL17", "DDX11L1", "WASH7P", "MIR1302-10", "FAM138A", "OR4F5", "XKR4", "SOX17"}
)
"""Symbols that nearly every table of human or mouse genes holds one or more of, in any case."""
_N_SYMBOLS = 3  # so many are no accident
_CELL = re.compile(
    r"(?:.*[_:.#-])?[ACGTN]{10,}(?:[-_.]\S+)?|GS[ME]\d{4,}(?:\D.*)?|[SED]RR\d{5,}(?:\D.*)?|TCGA[-.]\w\w[-.]\w{4}.*"
)
"""Names of cells and samples that no feature has: barcodes, and accessions of archives."""
_MOST, _NEARLY_ALL = 0.5, 0.9
_N_LOOKED_AT = 2000


def warn_of_genes_in_rows(
    row_names: Sequence[str], column_names: Sequence[str], *, id_name: str | None, source: str
) -> None:
    """Log a warning if rows look like genes or other features, or columns like cells or samples."""
    reasons = []
    if id_name is not None and names_genes(id_name):
        reasons.append(f"the first column is named {id_name!r}")
    if row_names and _are_genes(row_names):
        reasons.append(f"rows are named like genes ({shorten(row_names, limit=2)})")
    if column_names and _share(_CELL, column_names) > _MOST:
        reasons.append(f"columns are named like cells or samples ({shorten(column_names, limit=2)})")
    if reasons:
        logger.warning(
            "%s: %s. Rows are taken for observations, and columns for features. If genes are in rows, "
            "read it with `--transpose` (`transpose=True`).",
            source,
            ", and ".join(reasons),
        )


def warn_of_genes_in_columns(frame: pd.DataFrame, *, id_name: str | None, source: str) -> None:
    """Log a warning if a table that is transposed has genes in columns, so that cells become features."""
    reasons = []
    names = [str(name) for name in frame.columns]
    if names and _are_genes(names):
        reasons.append(f"columns are named like genes ({shorten(names, limit=2)})")
    if len(frame) and _share(_CELL, list(frame.index)) > _MOST:
        reasons.append(f"rows are named like cells or samples ({shorten(frame.index, limit=2)})")
    if reasons:  # the name alone says little: tables of archives have "sample" above genes
        if id_name is not None and names_cells(id_name):
            reasons.insert(0, f"the first column is named {id_name!r}")
        logger.warning(
            "%s: %s, but the table is transposed: columns are taken for observations. If rows are "
            "observations, leave `--transpose` (`transpose`) out.",
            source,
            ", and ".join(reasons),
        )


def facts_about_features(frame: pd.DataFrame, path: Path, said: Sequence[str] = ()) -> list[str]:
    """List the columns that tell something of each feature, and are no observations: `Length`, text."""
    told = [name for name in frame.columns if name in said or tells_of_genes(name)]
    others = frame.drop(columns=told)
    texts = {name: _holds_text(others[name]) for name in others.columns if _is_written(others[name])}
    # Rows of labels put text into every observation, and a fact is text in the other rows, too.
    mixed = [share for share in texts.values() if share.mean() <= _NEARLY_ALL]
    n_mixed = others.shape[1] - len(texts) + len(mixed)
    is_label = np.sum(mixed, axis=0) > _MOST * n_mixed if mixed else np.zeros(len(frame), bool)
    written = (name for name in texts if look_at(others[name][~is_label]).kind == "text")
    found = sorted({*told, *written}, key=list(frame.columns).index)
    if len(found) == frame.shape[1]:
        what = f"only columns about them: {shorten(found)}" if found else "no other column"
        msg = f"{path}, transposed, has features in rows and {what}. There are no observations in columns."
        raise InputError(msg)
    if found:
        logger.info(
            "%s: columns %s tell of the features: they are kept in `.var`, and are no observations.",
            path.name,
            ", ".join(repr(cut(str(name))) for name in found),
        )
    return found


def _is_written(column: pd.Series) -> bool:
    """Return True for a column that is not of numbers alone."""
    return not pd.api.types.is_numeric_dtype(column)


def _holds_text(column: pd.Series) -> NDArray[np.bool_]:
    """Mark values that are neither missing nor numbers."""
    present = column.notna() & (column.astype(str).str.strip() != "")
    return np.asarray(present & pd.to_numeric(column, errors="coerce").isna(), bool)


def facts_frame(frame: pd.DataFrame) -> pd.DataFrame:
    """Return columns about features as `.var` holds them: numbers where all are, else text."""
    facts = frame.copy()
    for name in facts.columns:
        if pd.api.types.is_numeric_dtype(facts[name]):
            continue
        look = look_at(facts[name])
        texts = facts[name].astype(object).where(facts[name].notna(), "").map(str)
        facts[name] = look.values if look.kind == "numbers" else texts
    facts.columns = facts.columns.astype(str)
    return facts


def _are_genes(names: Sequence[str]) -> bool:
    """Return True if most names are those of genes, or several well-known symbols are among them."""
    if _share(_GENE, names) > _MOST:
        return True
    return len(_SYMBOLS & {str(name).upper() for name in names}) >= _N_SYMBOLS


def _share(pattern: re.Pattern[str], names: Sequence[str]) -> float:
    """Return the share of names that are like a pattern, of some thousand at most."""
    step = max(1, len(names) // _N_LOOKED_AT)
    seen = [str(name) for name in names[::step]]
    return sum(pattern.fullmatch(name) is not None for name in seen) / max(1, len(seen))
