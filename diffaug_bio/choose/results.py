"""An embedding in an AnnData: written with a record of what made it, and read back."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np

from diffaug_bio import __version__
from diffaug_bio._keys import BATCH_ENTRY, OBSM_KEY, SPLIT_ENTRY, umap_key, uns_key

if TYPE_CHECKING:
    import pandas as pd
    from anndata import AnnData
    from numpy.typing import NDArray

    from diffaug_bio.mapping import Correction, Novelty
    from diffaug_bio.model.estimator import DiffAug
    from diffaug_bio.model.source import MatrixChoice

_NOVELTY = ("distance", "denoising", "density")


def clear_embedding(adata: AnnData, key_added: str) -> None:
    """Remove an embedding with its record, its scores of novelty and its UMAP coordinates."""
    for name in _NOVELTY:
        if (column := f"{uns_key(key_added)}_{name}") in adata.obs:
            del adata.obs[column]
    for key in (key_added, umap_key(key_added)):
        if key in adata.obsm:
            del adata.obsm[key]
            adata.uns.pop(uns_key(key), None)


def write_embedding(
    adata: AnnData,
    embedding: NDArray[np.float32],
    *,
    key_added: str,
    model: DiffAug,
    choice: MatrixChoice,
    correct: Correction = "none",
) -> None:
    """Put an embedding into `.obsm` and a record of it into `.uns`, in types that h5ad can hold.

    Novelty and UMAP of an earlier embedding of this name are removed. A value that is not finite, as a
    correction may leave it, is an error.
    """
    import torch

    from diffaug_bio.core.finite import finite_rows
    from diffaug_bio.model.folder import columns_of

    finite_rows(torch.as_tensor(embedding), what="embedding")
    clear_embedding(adata, key_added)
    adata.obsm[key_added] = embedding
    adata.uns[uns_key(key_added)] = {
        "version": __version__,
        "params": json.dumps(
            {
                "config": model.config_.to_dict(),
                "seed": int(model.random_state),
                **choice.to_dict(),
                SPLIT_ENTRY: model.source_.get(SPLIT_ENTRY),
                BATCH_ENTRY: model.source_.get(BATCH_ENTRY),
                "correct": correct,
            }
        ),
        "history": {
            name: np.array([np.nan if value is None else value for value in values])
            for name, values in columns_of(model.history_).items()
        },
    }


def write_novelty(adata: AnnData, found: Novelty, *, key_added: str) -> None:
    """Put scores of novelty into `.obs`, in columns such as `diffaug_distance`."""
    for name, scores in novelty_table(adata, found).items():
        adata.obs[f"{uns_key(key_added)}_{name}"] = scores


def novelty_table(adata: AnnData, found: Novelty) -> pd.DataFrame:
    """Give scores of novelty as a table, without the denoiser's error where there is no generator."""
    import pandas as pd

    columns = {name: getattr(found, name) for name in _NOVELTY}
    return pd.DataFrame(
        {name: scores for name, scores in columns.items() if scores is not None}, index=adata.obs_names
    )


def origin_of(adata: AnnData, use_rep: str = OBSM_KEY) -> tuple[Any, ...] | None:
    """Identify the model that made an embedding by configuration, seed and losses; None if not recorded."""
    held = adata.uns.get(uns_key(use_rep))
    try:
        params, losses = json.loads(held["params"]), np.asarray(held["history"]["loss"], np.float64)
        return json.dumps(params["config"], sort_keys=True), params["seed"], losses.tobytes()
    except (KeyError, TypeError, ValueError):  # of something else, or not there
        return None


def same_model(one: AnnData, other: AnnData, use_rep: str = OBSM_KEY) -> bool | None:
    """Tell whether one model made two embeddings; None if one of them has no record."""
    first, second = origin_of(one, use_rep), origin_of(other, use_rep)
    return None if first is None or second is None else first == second
