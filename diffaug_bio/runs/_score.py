"""Scores that a fit adds to what it has written, beside those of principal components."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from diffaug_bio import metrics
from diffaug_bio._keys import OBSM_KEY, TEST
from diffaug_bio.choose.matrix import MatrixChoice, choose_matrix
from diffaug_bio.config.kinds import decided
from diffaug_bio.features import plain_components
from diffaug_bio.metrics.labels import N_FOLDS
from diffaug_bio.metrics.probes import N_NEIGHBORS
from diffaug_bio.metrics.scores import STEPS

if TYPE_CHECKING:
    from collections.abc import Callable

    from anndata import AnnData
    from numpy.typing import NDArray

    from diffaug_bio.choose.labels import Labels
    from diffaug_bio.model.estimator import DiffAug

_NAMES = {"embedding": "DiffAug", "pca": "PCA", "front_end": "what the networks saw"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoringStep:
    """What a callback is told before every step of scoring."""

    scored: str
    """What is scored."""
    step: str
    """What is done, one of :data:`diffaug_bio.metrics.scores.STEPS`."""
    done: int
    """Steps that are done."""
    total: int
    """Steps that are planned."""

    @property
    def is_first(self) -> bool:
        """Whether something else is scored from here on."""
        return self.step == STEPS[0]


def score_fit(
    adata: AnnData,
    model: DiffAug,
    labels: Labels,
    *,
    seed: int,
    on_score: Callable[[ScoringStep], None] | None = None,
) -> dict[str, Any]:
    """Score the embedding, as many principal components, and those the networks saw.

    Parameters
    ----------
    adata
        The data, with the embedding.
    model
        Fitted to them.
    labels
        Labels, and the rows to score.
    seed
        Seed of folds and clusters.
    on_score
        Called before every step.
    """
    matrix, _ = choose_matrix(adata, MatrixChoice.from_dict(model.source_), model=model)
    fitted = matrix if labels.split is None else matrix[labels.split != TEST]
    n_latent = decided(model.config_.encoder.n_latent)
    scored = labels.scored
    rows: dict[str, Callable[[], NDArray[np.float32]]] = {
        "embedding": lambda: adata.obsm[OBSM_KEY],
        "pca": lambda: plain_components(model.features_, fitted, matrix, width=n_latent, seed=seed),
        "front_end": lambda: model.features_.project(matrix),
    }
    n_steps, done = len(rows) * len(STEPS), 0
    found: dict[str, Any] = {
        "n_scored": int(scored.sum()),
        "n_left_out": int((~scored).sum()),
        "n_labels": len(np.unique(labels.names[scored])),
        "n_folds": N_FOLDS if labels.splits is None else 1,
        "n_neighbors": N_NEIGHBORS,
    }
    for name, make in rows.items():

        def begin(step: str, name: str = name) -> None:
            nonlocal done
            if on_score is not None:
                on_score(ScoringStep(scored=_NAMES[name], step=step, done=done, total=n_steps))
            done += 1

        embedding = make()
        scores = metrics.evaluate(
            embedding[scored],
            labels.names[scored],
            groups=None if labels.groups is None else labels.groups[scored],
            splits=labels.splits,
            random_state=seed,
            on_step=begin,
        )
        found[name] = {"width": embedding.shape[1], **scores}
    return found
