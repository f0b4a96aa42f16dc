"""Counts whose rates change."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as st_numpy

from diffaug_bio.features._counts import CountNoise

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.floating]

N_OBS, N_GENES = 600, 80


def planted(kind: Literal["poisson", "negative-binomial"], n_obs: int = N_OBS) -> tuple[Floats, Floats]:
    """Counts of three kinds of cells with different library sizes, and their expression."""
    rng = np.random.default_rng(0)
    genes = rng.gamma(0.7, 6.0, N_GENES) + 0.2
    expression = (rng.gamma(2.0, 0.5, (3, N_GENES)) * genes)[np.arange(n_obs) % 3]
    rates = expression * rng.lognormal(0, 0.3, (n_obs, 1))
    if kind == "negative-binomial":
        rates = rates * rng.gamma(2.0, 0.5, rates.shape)  # a dispersion of 0.5
    return rng.poisson(rates).astype(np.float32), expression.astype(np.float32)


def poisson_noise(n_genes: int) -> CountNoise:
    """Nothing to correct, and nothing but Poisson noise."""
    nothing = np.zeros((0, 0))
    return CountNoise(
        gain_before=np.ones(n_genes),
        gain_after=np.ones(n_genes),
        noise=np.ones(n_genes),
        power=np.ones(n_genes),
        added=np.ones(n_genes),
        dispersion_before=np.full(n_genes, 1e-3),
        dispersion_after=np.full(n_genes, 1e-3),
        explained=np.zeros(0, np.int64),
        quantiles=(nothing, nothing, nothing),
    )


def draw(
    noise: CountNoise, counts: Floats, before: Floats, after: Floats, *, redraw: float = 0.5, seed: int = 1
) -> Floats:
    generator = np.random.default_rng(seed)
    return noise.draw(counts, before, after, redraw=redraw, generator=generator)


def test_counts_whose_rates_do_not_change_stay_as_they_are() -> None:
    counts, expression = planted("negative-binomial")
    found = draw(poisson_noise(N_GENES), counts, expression, expression, redraw=0)
    np.testing.assert_array_equal(found, counts)


@pytest.mark.parametrize("kind", ["poisson", "negative-binomial"])
def test_what_was_learned_leaves_counts_whose_components_stay(
    kind: Literal["poisson", "negative-binomial"],
) -> None:
    counts, expression = planted(kind)
    rng = np.random.default_rng(8)
    # Components that tell too much of some genes, noise included, and too little of others.
    told = expression + rng.random(N_GENES) * np.maximum(counts - expression, -0.9 * expression)
    for after in (told, told[rng.permutation(N_OBS)]):
        noise = CountNoise.fit(counts, told, after)
        assert len(noise.explained) > 0
        assert (noise.power < 1).any()
        if after is told:
            np.testing.assert_array_equal(draw(noise, counts, told, told, redraw=0), counts)


def test_as_many_are_drawn_anew_as_is_asked_for() -> None:
    # Of counts of some 1000, what is drawn anew is nearly always another number.
    counts = np.random.default_rng(0).poisson(1000, (200, 30)).astype(np.float32)
    rates = np.full(counts.shape, 1000.0)
    found = draw(poisson_noise(30), counts, rates, rates, redraw=0.3)
    assert abs((found != counts).mean() - 0.3) < 0.03


@pytest.mark.parametrize("redraw", [0.0, 0.5, 1.0])
def test_poisson_counts_at_new_rates_are_poisson_counts(redraw: float) -> None:
    rng = np.random.default_rng(0)
    before, after = np.array([[9.0, 4.0, 1.0, 6.0]]), np.array([[3.0, 9.0, 2.0, 6.0]])
    sources = np.repeat(before, 20_000, axis=0)
    counts = rng.poisson(sources).astype(np.float32)
    # The total of a row is kept: where it is many, dividing by it changes nothing but noise.
    counts[:, 3] = rng.poisson(6.0, len(counts)) + 980
    sources[:, 3], new = 986.0, np.repeat(after, 20_000, axis=0)
    new[:, 3] = 986.0
    found = draw(poisson_noise(4), counts, sources, new, redraw=redraw)
    np.testing.assert_allclose(found[:, :3].mean(0), after[0, :3], rtol=0.03)
    np.testing.assert_allclose(found[:, :3].var(0), after[0, :3], rtol=0.06)


@pytest.mark.parametrize("redraw", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("kind", ["poisson", "negative-binomial"])
def test_generated_counts_are_spread_like_real_ones(
    kind: Literal["poisson", "negative-binomial"], redraw: float
) -> None:
    counts, expression = planted(kind)
    # Each becomes another cell: as a whole, they stay what they were.
    after = expression[np.random.default_rng(3).permutation(N_OBS)]
    found = draw(CountNoise.fit(counts, expression, after), counts, expression, after, redraw=redraw)
    np.testing.assert_allclose(found.mean(0), counts.mean(0), rtol=0.2, atol=0.1)
    np.testing.assert_allclose((found == 0).mean(0), (counts == 0).mean(0), rtol=0, atol=0.12)
    ratio = (found.var(0) + 0.1) / (counts.var(0) + 0.1)
    assert 0.8 < np.median(ratio) < 1.25
    assert (ratio > 0.4).all()
    assert (ratio < 2.5).all()


@pytest.mark.parametrize("redraw", [0.0, 1.0])
def test_rows_keep_their_totals_within_poisson_noise(redraw: float) -> None:
    counts, expression = planted("poisson")
    after = expression[np.random.default_rng(3).permutation(N_OBS)]
    found = draw(CountNoise.fit(counts, expression, after), counts, expression, after, redraw=redraw)
    totals = counts.sum(1)
    away = (found.sum(1) - totals) / np.sqrt(totals)
    # Thinning and adding, or drawing anew, is Poisson noise of at most the total.
    assert abs(away.mean()) < 0.3
    assert away.std() < 1.5


def test_gains_make_the_means_of_features_those_of_the_counts() -> None:
    counts, expression = planted("poisson")
    wrong = np.random.default_rng(5).lognormal(0, 1, N_GENES)
    noise = CountNoise.fit(counts, expression * wrong, expression / wrong)
    plain = noise.power == 1  # others are rates to another power, whose gains say nothing here
    assert plain.mean() > 0.7
    for gain, one in ((noise.gain_before, wrong), (noise.gain_after, 1 / wrong)):
        off = (gain * one)[plain]
        np.testing.assert_allclose(off / np.median(off), 1, rtol=0.35)


def test_a_dispersion_that_was_planted_is_found() -> None:
    counts, expression = planted("negative-binomial")
    noise = CountNoise.fit(counts, expression, expression)
    frequent = counts.mean(0) > 2
    assert 0.35 < np.median(noise.dispersion_after[frequent]) < 0.65
    counts, expression = planted("poisson")
    assert np.median(CountNoise.fit(counts, expression, expression).dispersion_after) < 0.05


def test_rates_that_vary_too_much_are_tempered_to_the_variance_of_real_counts() -> None:
    counts, expression = planted("poisson")
    wild = expression * np.random.default_rng(6).lognormal(0, 1.0, expression.shape)
    noise = CountNoise.fit(counts, expression, wild)
    assert (noise.power < 1).mean() > 0.8
    found = draw(noise, counts, expression, wild, redraw=1)
    ratio = (found.var(0) + 0.1) / (counts.var(0) + 0.1)
    assert 0.8 < np.median(ratio) < 1.2
    np.testing.assert_allclose(found.mean(0), counts.mean(0), rtol=0.25, atol=0.15)


def test_what_is_added_makes_up_for_what_is_lost_where_components_tell_nothing() -> None:
    counts, expression = planted("poisson")
    rng = np.random.default_rng(7)
    before, after = (expression[rng.permutation(N_OBS)] for _ in range(2))
    noise = CountNoise.fit(counts, before, after)
    found = draw(noise, counts, before, after, redraw=0)
    np.testing.assert_allclose(found.sum(), counts.sum(), rtol=0.05)


def test_features_that_components_explain_follow_their_quantiles() -> None:
    counts, _ = planted("poisson")
    noise = CountNoise.fit(counts, counts + 0.01, counts + 0.01)
    assert len(noise.explained) == N_GENES
    found = draw(noise, counts, counts + 0.01, counts + 0.01, redraw=0)
    # What decides the rate decides the count, but for a count where ranks are shared.
    assert (found == counts).mean() > 0.8
    for gene in range(N_GENES):
        assert np.corrcoef(found[:, gene], counts[:, gene])[0, 1] > 0.85


@pytest.mark.parametrize("n_obs", [1, 2, 10])
def test_a_few_rows_do_not_come_out_as_copies(n_obs: int) -> None:
    counts, expression = planted("poisson", n_obs)
    noise = CountNoise.fit(counts, expression, expression[::-1])
    assert len(noise.explained) == 0
    np.testing.assert_array_equal(noise.gain_before, noise.gain_after)
    found = draw(noise, counts, expression, expression)
    assert 0.1 < (found != counts).mean() < 0.6
    assert not (found == counts).all(1).any()


def test_features_and_rows_without_counts_get_none() -> None:
    counts, expression = planted("poisson")
    counts[:, 7], counts[11] = 0, 0
    noise = CountNoise.fit(counts, expression, expression[::-1])
    found = draw(noise, counts, expression, expression[::-1])
    assert found[:, 7].sum() < N_OBS / 50
    assert found[11].sum() == 0
    assert np.isfinite(found).all()


def test_no_features_at_all_are_no_error() -> None:
    nothing = np.zeros((60, 0), np.float32)
    assert draw(CountNoise.fit(nothing, nothing, nothing), nothing, nothing, nothing).shape == (60, 0)


def test_a_seed_fixes_what_is_drawn() -> None:
    counts, expression = planted("negative-binomial")
    noise = CountNoise.fit(counts, expression, expression[::-1])
    first, again, other = (draw(noise, counts, expression, expression[::-1], seed=s) for s in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


@st.composite
def rows(draw_one: st.DrawFn) -> tuple[Floats, Floats, Floats]:
    shape = draw_one(st.tuples(st.sampled_from([1, 3, 55]), st.integers(1, 5)))
    numbers = st_numpy.arrays(np.float32, shape, elements=st.integers(0, 300).map(float))
    positive = st_numpy.arrays(np.float32, shape, elements=st.floats(0, 1e6, width=32))
    return draw_one(numbers), draw_one(positive), draw_one(positive)


@given(rows(), st.floats(0, 1))
@settings(max_examples=60, deadline=None)
def test_whatever_the_rates_counts_are_whole_and_not_negative(
    given_rows: tuple[Floats, Floats, Floats], redraw: float
) -> None:
    counts, before, after = given_rows
    found = draw(CountNoise.fit(counts, before, after), counts, before, after, redraw=redraw)
    assert found.shape == counts.shape
    assert found.dtype == np.float32
    assert (found >= 0).all()
    np.testing.assert_array_equal(found, np.rint(found))
    assert found[counts.sum(1) == 0].sum() == 0
