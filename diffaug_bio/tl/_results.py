"""Writing an embedding into an AnnData."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np

from diffaug_bio import __version__
from diffaug_bio._keys import BATCH_ENTRY, SPLIT_ENTRY, umap_key, uns_key

if TYPE_CHECKING:
    from anndata import AnnData
    from numpy.typing import NDArray

    from diffaug_bio.choose.matrix import MatrixChoice
    from diffaug_bio.mapping import Correction, Novelty
    from diffaug_bio.model.estimator import DiffAug

NOVELTY_COLUMNS = ("distance", "denoising", "density")


def write_embedding(
    adata: AnnData,
    embedding: NDArray[np.float32],
    *,
    key_added: str,
    model: DiffAug,
    choice: MatrixChoice,
    correct: Correction = "none",
) -> None:
    """Put an embedding into `.obsm` and what made it into `.uns`, in types that h5ad can hold.

    Novelty and UMAP coordinates of an embedding that stood there before are removed.

    Parameters
    ----------
    adata
        Changed in place.
    embedding
        Shape: `(n_obs, n_latent)`.
    key_added
        Name in `.obsm`; without a leading `X_` in `.uns`.
    model
        The fitted model.
    choice
        Which matrix was embedded.
    correct
        How it was corrected.

    Raises
    ------
    InputError
        If a value is not finite, as a correction may leave it.
    """
    import torch

    from diffaug_bio.core.finite import finite_rows
    from diffaug_bio.model.folder import columns_of

    finite_rows(torch.as_tensor(embedding), what="embedding")
    adata.obsm[key_added] = embedding
    for name in NOVELTY_COLUMNS:
        if (column := _novelty_column(key_added, name)) in adata.obs:
            del adata.obs[column]
    if (old := umap_key(key_added)) in adata.obsm:  # of another embedding
        del adata.obsm[old]
        adata.uns.pop(uns_key(old), None)
    config = model.record().config.to_dict()
    columns = columns_of(model.history_)
    adata.uns[uns_key(key_added)] = {
        "version": __version__,
        "params": json.dumps(
            {
                "config": config,
                "seed": model.random_state,
                **choice.to_dict(),
                SPLIT_ENTRY: model.source_.get(SPLIT_ENTRY),
                BATCH_ENTRY: model.source_.get(BATCH_ENTRY),
                "correct": correct,
            }
        ),
        "history": {name: _column(values) for name, values in columns.items()},
    }


def write_novelty(adata: AnnData, found: Novelty, *, key_added: str) -> None:
    """Put the scores of an embedding into `.obs`; a model without generator has no `denoising`."""
    for name in NOVELTY_COLUMNS:
        if (scores := getattr(found, name)) is not None:
            adata.obs[_novelty_column(key_added, name)] = scores


def _novelty_column(key_added: str, name: str) -> str:
    return f"{uns_key(key_added)}_{name}"


def _column(values: list[object]) -> NDArray[np.generic]:
    """One column of the history as an array; a missing loss becomes nan."""
    return np.array([np.nan if value is None else value for value in values])
