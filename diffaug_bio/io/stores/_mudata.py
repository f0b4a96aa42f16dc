"""One modality of a MuData file (.h5mu), which holds an AnnData for each."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pandas as pd
from anndata.io import read_elem

from diffaug_bio._wording import shorten
from diffaug_bio.errors import InputError
from diffaug_bio.io.h5ad import check_element, open_h5ad
from diffaug_bio.io.stores._group import read_group

if TYPE_CHECKING:
    from pathlib import Path

    from anndata import AnnData

logger = logging.getLogger(__name__)

_USUAL = "rna"
_OPTION = "`modality_key`, `--modality-key`"


def read_mudata(path: Path, *, modality_key: str | None = None, external_links: bool = False) -> AnnData:
    """Read a modality, with the annotations that the file has of all its cells.

    Without `modality_key` the modality `rna` is read, or the only one.
    """
    with open_h5ad(path, ["mod", "obs"], external_links=external_links) as file:
        names = list(file["mod"])
        chosen = _choose(names, modality_key, path)
        adata = read_group(file["mod"][chosen], path)
        shared = check_element(read_elem(file["obs"]), "obs", path)
    if others := [name for name in names if name != chosen]:
        logger.info("%s: the modality %r is read, not %s (--modality-key).", path, chosen, shorten(others))
    return _with_shared(adata, shared, chosen, path)


def _choose(names: list[str], wanted: str | None, path: Path) -> str:
    if wanted is not None and wanted not in names:
        msg = f"{path} has no modality {wanted!r}; it holds {shorten(names) or 'none'} ({_OPTION})."
        raise InputError(msg)
    if wanted is None and _USUAL not in names and len(names) != 1:
        found = f"holds {shorten(names)}, and none is called {_USUAL!r}" if names else "holds no modality"
        msg = f"{path} {found}. Name one ({_OPTION})."
        raise InputError(msg)
    return wanted or (_USUAL if _USUAL in names else names[0])


def _with_shared(adata: AnnData, shared: object, chosen: str, path: Path) -> AnnData:
    """Add columns of all cells that the modality lacks, by the names of the cells."""
    if not isinstance(shared, pd.DataFrame) or not shared.index.is_unique:
        return adata
    if not adata.obs_names.isin(shared.index).all():  # modalities of different cells
        return adata
    rows = shared.loc[adata.obs_names]
    # `rna:n_genes` repeats the column `n_genes` of the modality.
    names = {name: str(name).removeprefix(f"{chosen}:") for name in rows}
    added = {own: rows[name].to_numpy() for name, own in names.items() if own not in adata.obs}
    values = {own: rows[name].array for name, own in names.items() if own in added}
    if values:
        logger.info("%s: columns %s come from the annotations of all cells.", path, shorten(values))
    adata.obs = adata.obs.assign(
        **{name: pd.Series(one, index=adata.obs_names) for name, one in values.items()}
    )
    return adata
