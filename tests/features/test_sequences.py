"""Fitted front end of sequences: the same in numpy and torch, weights of levels, and a sample of many."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from diffaug_bio.config import DiffAugConfig, FeatureConfig
from diffaug_bio.core.inputs import SequenceInput
from diffaug_bio.errors import InputError
from diffaug_bio.features import FittedSequences, fit_sequences, from_record
from diffaug_bio.features._sequences import encode_spectra, levels_of
from diffaug_bio.pp import encode_tokens
from tests.conftest import clustered_dna
from tests.features.conftest import share_of_subspace

TOKENS = encode_tokens(clustered_dna(120, 50, unequal=True))
SMALL = FeatureConfig(n_components=6)


def fit(tokens: np.ndarray = TOKENS, *, n_components: int | None = 6, seed: int = 0) -> FittedSequences:
    return fit_sequences(tokens, FeatureConfig(n_components=n_components), seed=seed)


def random_tokens(n_obs: int, length: int, *, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 4, (n_obs, length)).astype(np.uint8)


@pytest.mark.parametrize(
    "later",
    [
        TOKENS,
        encode_tokens(clustered_dna(40, 50, seed=1)),
        encode_tokens(["N" * 50, "A", "ACGTNACG", "", "T" * 50], length=50),
    ],
    ids=["fitted", "later", "odd"],
)
def test_components_are_those_that_the_networks_see(later: np.ndarray) -> None:
    features = fit()
    source = features.inputs(DiffAugConfig())
    assert isinstance(source, SequenceInput)
    expected = features.project(later)
    assert expected.shape == (len(later), 6)
    assert expected.dtype == np.float32
    # One map of spectra against a standardisation and a map: float32 sums of some 1000 columns.
    np.testing.assert_allclose(
        source.front_end(torch.from_numpy(later)).numpy(), expected, rtol=0, atol=1e-4
    )


def test_components_are_centred_uncorrelated_and_of_about_unit_variance() -> None:
    components = fit().project(TOKENS)
    np.testing.assert_allclose(components.mean(0), 0, atol=1e-4)
    covariance = np.cov(components.T, bias=True)
    np.testing.assert_allclose(covariance, np.diag(np.diag(covariance)), atol=1e-3)
    assert np.mean(np.diag(covariance)) == pytest.approx(1, rel=1e-3)


@pytest.mark.parametrize(
    ("length", "expected"),
    [
        (1, ((4, 1), (3, 8), (1, 1))),
        (60, ((4, 1), (3, 8), (1, 60))),
        (256, ((4, 1), (3, 8), (1, 256))),
        (1000, ((4, 1), (3, 8), (1, 256))),
    ],
    ids="length-{}".format,
)
def test_single_letters_are_told_apart_by_position_up_to_256(
    length: int, expected: tuple[tuple[int, int], ...]
) -> None:
    assert levels_of(length) == expected


def test_every_level_has_the_same_total_variance() -> None:
    tokens = random_tokens(300, 120)
    features = fit(tokens)
    widths = [n_bins * 4**k for k, n_bins in features.levels]
    assert widths == [256, 512, 480]
    assert len(features.spectra.selected) == sum(widths)  # all columns vary
    standardised = features.dense_rows(tokens)
    of_levels = np.split(standardised, np.cumsum(widths)[:-1], axis=1)
    for values in of_levels:
        assert values.var(0).sum() == pytest.approx(1, rel=1e-3)
    assert np.abs(standardised.mean(0)).max() < 1e-4


def test_columns_that_never_vary_are_dropped_and_nothing_is_lost() -> None:
    tokens = TOKENS.copy()
    tokens[:, :5] = [0, 1, 2, 3, 0]
    features = fit(tokens)
    matrix = encode_spectra(tokens, features.levels).toarray()
    varying = np.flatnonzero(np.ptp(matrix, axis=0) > 0)
    np.testing.assert_array_equal(features.spectra.selected, varying)
    assert np.isfinite(features.project(tokens)).all()
    assert (features.spectra.std > 0).all()


@pytest.mark.parametrize("row", ["ACGTACGTTA", "NNNNNNNNNN", "AC"], ids=["same", "all-N", "short"])
def test_sequences_that_are_all_alike_are_refused(row: str) -> None:
    tokens = encode_tokens([row] * 20, length=10)
    with pytest.raises(InputError, match=r"All sequences hold the same words.* Give different sequences\."):
        fit(tokens)


def test_there_are_as_many_components_as_there_can_be() -> None:
    assert fit(TOKENS[:10], n_components=None).components.shape[1] == 9
    assert fit(random_tokens(260, 40), n_components=None).components.shape[1] == 256


def test_of_too_many_sequences_a_sample_is_fitted(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = fit()
    monkeypatch.setattr("diffaug_bio.features._sequences._FITTED_ROWS", 60)
    first, again, other = fit(seed=0), fit(seed=0), fit(seed=1)
    np.testing.assert_array_equal(first.components, again.components)
    np.testing.assert_array_equal(first.spectra.mean, again.spectra.mean)
    assert first.spectra.mean.shape != other.spectra.mean.shape or not np.allclose(
        first.spectra.mean, other.spectra.mean
    )
    assert len(whole.spectra.mean) >= len(first.spectra.mean)
    # Sixty rows, each once.
    means = encode_spectra(TOKENS, whole.levels)[:, first.spectra.selected].toarray()
    chosen = np.sort(np.random.default_rng(0).choice(120, 60, replace=False))
    np.testing.assert_allclose(first.spectra.mean, means[chosen].mean(0), rtol=1e-5)
    assert first.project(TOKENS).shape == (120, 6)


def test_as_many_sequences_as_are_fitted_are_fitted_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = fit()
    monkeypatch.setattr("diffaug_bio.features._sequences._FITTED_ROWS", 120)
    np.testing.assert_array_equal(fit(seed=5).components, whole.components)


def test_fitted_sequences_survive_the_way_through_a_record() -> None:
    features = fit()
    plain, arrays = features.record()
    others = {"encoder.weight": np.zeros(3)}
    rebuilt = from_record(json.loads(json.dumps(plain)), {**arrays, **others})
    assert isinstance(rebuilt, FittedSequences)
    assert (rebuilt.n_vars, rebuilt.n_features, rebuilt.levels) == (50, 50, features.levels)
    assert rebuilt.state == "sequence"
    for name in ("selected", "mean", "std", "center", "components"):
        np.testing.assert_array_equal(getattr(rebuilt.spectra, name), getattr(features.spectra, name))
    np.testing.assert_array_equal(rebuilt.project(TOKENS), features.project(TOKENS))


def test_fitted_features_survive_the_way_through_a_record() -> None:
    spectra = fit().spectra
    plain, arrays = spectra.record()
    rebuilt = from_record(plain, arrays)
    assert rebuilt.record()[0] == plain
    with pytest.raises(KeyError, match="components"):
        from_record(plain, {name: array for name, array in arrays.items() if "components" not in name})


def test_a_record_of_sequences_within_sequences_is_refused() -> None:
    plain, arrays = fit().record()
    with pytest.raises(TypeError, match="levels"):
        from_record({**plain, "spectra": plain}, arrays)


def test_more_components_span_those_that_were_there() -> None:
    features = fit()
    wider = features.widened(TOKENS, 20, seed=0)
    assert wider.components.shape[1] == 20
    assert features.widened(TOKENS, 6, seed=0).components is features.components
    assert share_of_subspace(wider.components[:, :6], features.components) == pytest.approx(1, abs=1e-4)
    assert wider.levels == features.levels


def test_the_linear_map_holds_zeros_where_columns_were_dropped() -> None:
    features = fit()
    weight, bias = features.linear_map()
    n_columns = features.spectra.n_vars
    assert weight.shape == (n_columns, 6)
    assert bias.shape == (6,)
    assert weight.dtype == bias.dtype == np.float32
    dropped = np.setdiff1d(np.arange(n_columns), features.spectra.selected)
    assert not weight[dropped].any()
    # A change of the fitted centre is a change of the offset alone.
    moved = replace(features, spectra=replace(features.spectra, center=features.spectra.center + 1))
    np.testing.assert_allclose(
        bias - moved.linear_map()[1], features.components.sum(0), rtol=1e-3, atol=1e-4
    )
