"""Scores that a fit adds to its folder: of the embedding, and of principal components."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from diffaug_bio import metrics
from diffaug_bio._keys import OBSM_KEY, TEST
from diffaug_bio.choose.matrix import choose_matrix
from diffaug_bio.config.kinds import decided
from diffaug_bio.metrics.labels import N_FOLDS
from diffaug_bio.metrics.probes import N_NEIGHBORS
from diffaug_bio.metrics.scores import NUMBER_STEPS, STEPS
from diffaug_bio.model.source import MatrixChoice

if TYPE_CHECKING:
    from collections.abc import Callable

    from anndata import AnnData
    from numpy.typing import NDArray

    from diffaug_bio.choose.labels import Labels
    from diffaug_bio.model.estimator import DiffAug

_NAMES = {"embedding": "DiffAug", "pca": "PCA", "front_end": "what the networks saw"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoringStep:
    """A step of scoring, as a callback gets it before the step, when `done` of `total` steps are over."""

    scored: str
    """Name of the rows that are scored, such as `"PCA"`."""
    step: str
    """Name of the step, one of :data:`diffaug_bio.metrics.scores.STEPS`."""
    done: int
    total: int

    @property
    def is_first(self) -> bool:
        """True at the first step of an embedding or of components."""
        return self.step == STEPS[0]


def score_fit(
    adata: AnnData,
    model: DiffAug,
    labels: Labels,
    components: NDArray[np.float32] | None,
    *,
    seed: int,
    on_score: Callable[[ScoringStep], None] | None = None,
) -> dict[str, Any]:
    """Score the embedding, as many principal components, and the components that the networks saw.

    Those components are computed if None; `on_score` is called before every step.
    """
    matrix, _ = choose_matrix(adata, MatrixChoice.from_dict(model.source_), model=model)
    fitted = matrix if labels.split is None else matrix[labels.split != TEST]
    n_latent = decided(model.config_.encoder.n_latent)
    scored = labels.scored
    rows: dict[str, Callable[[], NDArray[np.float32]]] = {
        "embedding": lambda: adata.obsm[OBSM_KEY],
        "pca": lambda: model.features_.baseline(
            fitted, matrix, width=n_latent, seed=seed, known=components
        ),
        "front_end": lambda: model.features_.project(matrix) if components is None else components,
    }
    steps = STEPS if labels.kind == "classes" else NUMBER_STEPS
    n_steps, done = len(rows) * len(steps), 0
    groups = None if labels.groups is None else labels.groups[scored]
    found: dict[str, Any] = {
        "label_kind": labels.kind,
        "n_scored": int(scored.sum()),
        "n_left_out": int((~scored).sum()),
        "n_labels": len(np.unique(labels.names[scored])),
        "n_folds": N_FOLDS if labels.splits is None else 1,
        "n_neighbors": N_NEIGHBORS,
        "chance": metrics.chance(
            labels.values[scored], groups=groups, splits=labels.splits, random_state=seed
        ),
    }
    before: NDArray[np.float32] | None = None
    for name, make in rows.items():

        def begin(step: str, name: str = name) -> None:
            nonlocal done
            if on_score is not None:
                on_score(ScoringStep(scored=_NAMES[name], step=step, done=done, total=n_steps))
            done += 1

        embedding = make()
        if before is not None and np.array_equal(embedding, before):  # the networks saw as many components
            for step in steps:
                begin(step)
            found[name] = dict(found["pca"])
            continue
        scores = metrics.evaluate(
            embedding[scored],
            labels.values[scored],
            groups=groups,
            splits=labels.splits,
            random_state=seed,
            on_step=begin,
        )
        found[name] = {"width": embedding.shape[1], **scores}
        before = embedding
    return found
