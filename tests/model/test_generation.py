"""Rows that a fitted model generates, and their embedding."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from sklearn.exceptions import NotFittedError

from diffaug_bio import DiffAug
from diffaug_bio.config.kinds import decided
from diffaug_bio.errors import InputError
from diffaug_bio.model.codes import embed_held, generate_codes

if TYPE_CHECKING:
    from anndata import AnnData

    from diffaug_bio import DiffAugConfig


def test_generated_rows_stand_beside_the_preprocessed_ones(counts: AnnData, fitted: DiffAug) -> None:
    originals, generated = generate_codes(fitted, counts.X)
    assert originals.shape == generated.shape == (120, fitted.features_.n_features) == (120, 8)
    assert originals.dtype == generated.dtype == np.float32
    assert np.isfinite(generated).all()
    np.testing.assert_array_equal(originals, fitted.features_.project(counts.X))
    # Nothing lies beyond the range of the training rows.
    assert (np.abs(generated) <= np.abs(originals).max(0)).all()
    assert not np.isclose(generated, originals).all(1).any()


def test_a_seed_fixes_the_generated_rows(counts: AnnData, fitted: DiffAug) -> None:
    first, again, other = (generate_codes(fitted, counts.X, random_state=seed)[1] for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert not np.isclose(first, other).all(1).any()


def test_generating_leaves_global_random_states_and_the_model_alone(
    counts: AnnData, fitted: DiffAug
) -> None:
    before = fitted.transform(counts.X)
    state = torch.get_rng_state()
    generate_codes(fitted, counts.X)
    assert torch.equal(torch.get_rng_state(), state)
    np.testing.assert_array_equal(fitted.transform(counts.X), before)


def test_rows_without_front_end_are_the_standardised_features(
    counts: AnnData, tiny_config: DiffAugConfig
) -> None:
    config = tiny_config.replace(features={"front_end": "none"})
    model = DiffAug(config, device="cpu").fit(counts.X)
    originals, generated = generate_codes(model, counts.X[:7])
    assert originals.shape == generated.shape == (7, model.features_.n_features)
    np.testing.assert_array_equal(originals, model.features_.dense_rows(counts.X[:7]))


def test_embedding_of_preprocessed_rows_is_that_of_transform(counts: AnnData, fitted: DiffAug) -> None:
    originals, generated = generate_codes(fitted, counts.X)
    embedding = embed_held(fitted, originals)
    assert embedding.dtype == np.float32
    np.testing.assert_allclose(embedding, fitted.transform(counts.X), rtol=0, atol=1e-5)
    assert embed_held(fitted, generated).shape == (120, 6)


def test_rows_of_any_layout_and_type_are_embedded(counts: AnnData, fitted: DiffAug) -> None:
    originals, _ = generate_codes(fitted, counts.X)
    expected = embed_held(fitted, originals)
    for rows in (np.asfortranarray(originals), originals.astype(np.float64)):
        np.testing.assert_array_equal(embed_held(fitted, rows), expected)
    np.testing.assert_array_equal(embed_held(fitted, originals[::2]), embed_held(fitted, originals)[::2])


def test_features_of_generated_rows_are_matched_by_name(counts: AnnData, fitted: DiffAug) -> None:
    names = list(counts.var_names)
    found = generate_codes(fitted, counts.X[:, ::-1], feature_names=names[::-1])
    for rows, expected in zip(found, generate_codes(fitted, counts.X), strict=True):
        np.testing.assert_allclose(rows, expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    "train", [{"rounds": 0}, {"generated_views": "none"}], ids=["no-rounds", "hand-made-views"]
)
def test_a_model_without_generator_names_the_remedy(
    counts: AnnData, tiny_config: DiffAugConfig, train: dict[str, Any]
) -> None:
    model = DiffAug(tiny_config.replace(train=train), device="cpu").fit(counts.X)
    with pytest.raises(InputError, match=r"has no generator.*`rounds = 0`.*Fit one with a generator"):
        generate_codes(model, counts.X)
    # It embeds all the same.
    rows = model.features_.project(counts.X)
    np.testing.assert_allclose(embed_held(model, rows), model.transform(counts.X), rtol=0, atol=1e-5)


@pytest.mark.parametrize("method", ["transform", "augment"])
def test_what_needs_a_fit_says_so(method: str) -> None:
    with pytest.raises(NotFittedError, match=r"Call `fit` first"):
        getattr(DiffAug(), method)(np.zeros((3, 4), np.float32))


@pytest.mark.parametrize("seed", [None, -1, 2**64, 1.5])
def test_seeds_that_are_none_are_an_error(counts: AnnData, fitted: DiffAug, seed: Any) -> None:
    with pytest.raises(InputError, match="random_state"):
        generate_codes(fitted, counts.X, random_state=seed)


def test_another_number_of_features_is_an_error(counts: AnnData, fitted: DiffAug) -> None:
    with pytest.raises(InputError, match=r"X has 39 features, but DiffAug is expecting 40 features"):
        generate_codes(fitted, counts.X[:, :39])


@pytest.mark.parametrize("strength", [True, np.True_, 0, 1.5, float("nan"), "0.3"], ids=repr)
def test_a_strength_that_is_none_is_refused_by_its_name(
    fitted: DiffAug, counts: AnnData, strength: Any
) -> None:
    with pytest.raises(InputError, match="`strength`"):
        generate_codes(fitted, counts.X, strength=strength)


@pytest.mark.parametrize("guidance", [True, float("inf"), "2"], ids=repr)
def test_a_guidance_that_is_none_is_refused_by_its_name(
    fitted: DiffAug, counts: AnnData, guidance: Any
) -> None:
    with pytest.raises(InputError, match="`guidance`"):
        generate_codes(fitted, counts.X, guidance=guidance)


def test_numbers_of_numpy_are_strengths_and_guidances(fitted: DiffAug, counts: AnnData) -> None:
    expected = generate_codes(fitted, counts.X, strength=0.5, guidance=2.0)[1]
    values: dict[str, Any] = {"strength": np.float32(0.5), "guidance": np.int64(2)}
    found = generate_codes(fitted, counts.X, **values)[1]
    np.testing.assert_array_equal(found, expected)


def test_a_strength_that_is_left_out_is_that_of_the_training(fitted: DiffAug, counts: AnnData) -> None:
    trained = decided(fitted.config_.generator.noising)
    expected = generate_codes(fitted, counts.X, strength=trained)[1]
    np.testing.assert_array_equal(generate_codes(fitted, counts.X)[1], expected)
    assert not np.array_equal(generate_codes(fitted, counts.X, strength=trained / 2)[1], expected)
