"""Similarities row by row are those whose means are scored."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from diffaug_bio import tl
from diffaug_bio.model.estimator import DiffAug
from diffaug_bio.pl._views import view_similarities

if TYPE_CHECKING:
    from anndata import AnnData

    from diffaug_bio.config import DiffAugConfig


def test_means_are_the_scores_of_generated_rows(counts: AnnData, fitted: DiffAug) -> None:
    names = list(counts.var_names)
    similar = view_similarities(fitted, counts.X, feature_names=names, seed=3)
    scores = tl.evaluate_generated(counts, fitted, random_state=3)
    assert set(similar) == {"cosine_generated", "cosine_mixup", "cosine_feature_swap"}
    for name, values in similar.items():
        assert values.shape == (counts.n_obs,)
        assert values.mean() == pytest.approx(scores[name], abs=1e-6)


def test_letters_that_mutate_are_compared_too(letters_config: DiffAugConfig) -> None:
    tokens = np.random.default_rng(0).integers(0, 4, size=(60, 30)).astype(np.uint8)
    config = letters_config.replace(features={"input_state": "sequence"})
    model = DiffAug(config, device="cpu").fit(tokens)
    first, again, other = (
        view_similarities(model, tokens, feature_names=None, seed=seed)["cosine_mutation"]
        for seed in (0, 0, 1)
    )
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    assert np.all(np.abs(first) <= 1 + 1e-9)
    assert first.mean() < 1 - 1e-4
