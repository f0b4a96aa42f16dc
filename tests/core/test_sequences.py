"""Letters as tensors: words against their counts elsewhere, views, the other strand, the way back."""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from diffaug_bio.core import sequences
from diffaug_bio.core.sequences import END, N_BASES, OTHER
from diffaug_bio.pp import KmerEncoding, decode_tokens, encode_tokens

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    View = Callable[..., Tensor]

unhurried = settings(deadline=None)  # of a busy machine
some_sequences = st.lists(st.text("ACGTNacgtun", max_size=20), min_size=1, max_size=5)
VIEWS: dict[str, View] = {
    "mutation": sequences.mutation,
    "base_mask": sequences.base_mask,
    "shift": sequences.shift,
    "either_strand": sequences.either_strand,
}
each_view = pytest.mark.parametrize("view", VIEWS.values(), ids=VIEWS)
COMPLEMENTS = str.maketrans("ACGTN", "TGCAN")


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def tokens_of(letters: list[str], *, length: int | None = None) -> Tensor:
    return torch.from_numpy(encode_tokens(letters, length=length))


def random_tokens(n_rows: int = 400, length: int = 50, *, seed: int = 0) -> Tensor:
    """Sequences of all lengths up to `length`, with a tenth of N."""
    rng = np.random.default_rng(seed)
    lengths = rng.integers(0, length + 1, n_rows)
    lengths[0] = length
    shares = [0.3, 0.2, 0.2, 0.2, 0.1]
    return tokens_of(["".join(rng.choice(list("ACGTN"), n, p=shares)) for n in lengths])


def bases(n_rows: int = 400, length: int = 50) -> Tensor:
    """Sequences of one length without any N."""
    drawn = torch.randint(N_BASES, (n_rows, length), generator=seeded())
    return drawn.to(torch.uint8)


def letters_of(tokens: Tensor) -> list[str]:
    return decode_tokens(tokens.numpy())


@unhurried
@given(letters=some_sequences, k=st.integers(1, 4), n_bins=st.integers(1, 12))
def test_spectra_are_the_shares_of_words_that_preprocessing_counts(
    letters: list[str], k: int, n_bins: int
) -> None:
    expected = KmerEncoding(k=(k,), n_bins=n_bins).encode(letters)[0].toarray()
    found = sequences.spectra(tokens_of(letters), [(k, n_bins)])
    assert found.dtype == torch.float32
    # A share is one division of two small whole numbers, in either precision.
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-6, atol=0)


@unhurried
@given(letters=some_sequences, n_more=st.integers(0, 7))
def test_spectra_of_levels_stand_side_by_side_whatever_the_padding(letters: list[str], n_more: int) -> None:
    tokens = tokens_of(letters)
    padded = tokens_of(letters, length=max(1, tokens.shape[1] + n_more))
    levels = ((4, 1), (3, 8), (1, 20))
    expected = torch.cat([sequences.spectra(tokens, [level]) for level in levels], 1)
    assert torch.equal(sequences.spectra(padded, levels), expected)


def test_spectra_of_sequences_without_words_are_zero() -> None:
    found = sequences.spectra(tokens_of(["NNNNN", "AC", "", "ACNGT"]), [(3, 2)])
    assert found.shape == (4, 2 * 64)
    assert not found.any()


def test_letters_are_counted_and_written_as_four_numbers() -> None:
    tokens = tokens_of(["ACGTN", "TN", ""])
    assert sequences.lengths(tokens).tolist() == [[5], [2], [0]]
    expected = [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1], [0, 0, 0, 0]]
    assert sequences.one_hot(tokens)[0].tolist() == expected
    assert sequences.one_hot(tokens)[1:].sum() == 1


def test_the_front_end_is_a_linear_map_of_the_spectra_even_under_autocast() -> None:
    tokens, levels = random_tokens(30), ((2, 1), (1, 10))
    weight, bias = torch.randn((56, 3), generator=seeded()), torch.randn(3, generator=seeded(1))
    front_end = sequences.SpectralFrontEnd(levels, weight, bias)
    expected = sequences.spectra(tokens, levels) @ weight + bias
    torch.testing.assert_close(front_end(tokens), expected)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(front_end(tokens), front_end(tokens))
        torch.testing.assert_close(front_end(tokens), expected)
    assert front_end.n_components == 3
    assert not front_end.state_dict()  # saved with the preprocessing


def odds(n_rows: int, length: int, *, seed: int, spread: float = 2.0) -> Tensor:
    """Probabilities of the four bases, the same in all rows."""
    logits = spread * torch.randn((1, length, N_BASES), generator=seeded(seed))
    return logits.softmax(2).expand(n_rows, -1, -1)


def drawn_from(probabilities: Tensor) -> Tensor:
    flat = torch.multinomial(probabilities.flatten(0, 1), 1, generator=seeded(7))
    return flat.reshape(probabilities.shape[:2]).to(torch.uint8)


# With a spread of 200 some odds are so small that they are 0 in float32.
@pytest.mark.parametrize("spread", [0.0, 2.0, 200.0], ids="spread-{}".format)
def test_unchanged_odds_leave_the_letters(spread: float) -> None:
    tokens = random_tokens()
    same = odds(len(tokens), tokens.shape[1], seed=0, spread=spread)
    found = sequences.recombine(tokens, same, same.clone(), generator=seeded())
    assert torch.equal(found, tokens)
    assert found.dtype == torch.uint8


def test_letters_drawn_from_some_odds_become_draws_from_others() -> None:
    n_rows = 20_000
    before, after = (odds(n_rows, 6, seed=seed) for seed in (0, 1))
    tokens = drawn_from(before)
    found = sequences.recombine(tokens, before, after, generator=seeded())
    for values, expected in [(tokens, before), (found, after)]:
        shares = sequences.one_hot(values).mean(0)
        # A share of 20 000 draws has a standard error of at most 0.0036; this is four of it.
        torch.testing.assert_close(shares, expected[0], rtol=0, atol=0.015)
    # No coupling keeps more letters than the overlap of the two distributions.
    overlap = torch.minimum(before[0], after[0]).sum(1)
    torch.testing.assert_close((found == tokens).float().mean(0), overlap, rtol=0, atol=0.015)


def test_a_letter_without_odds_is_replaced_and_one_of_rising_odds_kept() -> None:
    before = torch.full((1, 3, N_BASES), 0.25).expand(500, -1, -1)
    after = torch.tensor([0.5, 0.25, 0.25, 0.0]).expand(500, 3, -1)
    tokens = torch.tensor([[0, 1, 3]], dtype=torch.uint8).expand(500, -1)
    found = sequences.recombine(tokens, before, after, generator=seeded())
    assert (found == torch.tensor([0, 1, 0])).all()  # only A has gained


def test_other_letters_and_ends_are_never_recombined() -> None:
    tokens = random_tokens()
    before, after = (odds(len(tokens), tokens.shape[1], seed=seed, spread=9.0) for seed in (0, 1))
    found = sequences.recombine(tokens, before, after, generator=seeded())
    is_base = tokens < N_BASES
    assert torch.equal(found[~is_base], tokens[~is_base])
    assert (found[is_base] < N_BASES).all()
    assert not torch.equal(found, tokens)


@pytest.mark.parametrize("strength", [0.0, 0.2, 1.0], ids="strength-{}".format)
def test_mutation_changes_a_share_of_the_bases_to_any_other(strength: float) -> None:
    tokens = bases()
    found = sequences.mutation(tokens, strength=strength, generator=seeded())
    changed = found != tokens
    # A share of 20 000 draws has a standard error below 0.004.
    assert float(changed.float().mean()) == pytest.approx(strength, abs=0.015)
    if strength == 1.0:
        assert changed.all()
        steps = (found.int() - tokens.int()) % N_BASES
        assert (torch.bincount(steps.flatten(), minlength=4)[1:] / steps.numel()).tolist() == pytest.approx(
            [1 / 3] * 3, abs=0.015
        )


@pytest.mark.parametrize("strength", [0.0, 0.2, 1.0], ids="strength-{}".format)
def test_base_mask_hides_a_share_of_the_bases_as_other_letters(strength: float) -> None:
    tokens = bases()
    found = sequences.base_mask(tokens, strength=strength, generator=seeded())
    hidden = found == OTHER
    assert float(hidden.float().mean()) == pytest.approx(strength, abs=0.015)  # as for mutations
    assert torch.equal(found[~hidden], tokens[~hidden])


@pytest.mark.parametrize("view", [sequences.mutation, sequences.base_mask], ids=["mutation", "base_mask"])
def test_views_of_bases_leave_other_letters_and_ends(view: View) -> None:
    tokens = random_tokens()
    found = view(tokens, strength=1.0, generator=seeded())
    assert torch.equal(found[tokens >= N_BASES], tokens[tokens >= N_BASES])
    assert (found != tokens)[tokens < N_BASES].all()


def moved_slowly(letters: str, offset: int) -> str:
    places = range(offset, offset + len(letters))
    return "".join(letters[place] if 0 <= place < len(letters) else "N" for place in places)


@pytest.mark.parametrize("strength", [0.0, 0.1, 1.0], ids="strength-{}".format)
def test_shift_moves_within_a_share_of_the_own_length(strength: float) -> None:
    tokens = random_tokens()
    found = sequences.shift(tokens, strength=strength, generator=seeded())
    assert torch.equal(found == END, tokens == END)
    for letters, moved in zip(letters_of(tokens), letters_of(found), strict=True):
        furthest = math.floor(strength * len(letters) + 0.5)
        assert moved in {moved_slowly(letters, offset) for offset in range(-furthest, furthest + 1)}
    assert torch.equal(found, tokens) == (strength == 0.0)


def test_shift_goes_to_either_side_and_as_far_as_it_may() -> None:
    tokens = torch.arange(N_BASES, dtype=torch.uint8).repeat(2000, 5)  # (2000, 20)
    found = sequences.shift(tokens, strength=0.2, generator=seeded())
    n_left = (found[:, -4:] == OTHER).sum(1)
    n_right = (found[:, :4] == OTHER).sum(1)
    assert set(n_left.tolist()) == set(n_right.tolist()) == {0, 1, 2, 3, 4}
    assert not (n_left * n_right).any()
    # Offsets are uniform up to 4, and rounded: above a half, seven of sixteen. Four standard errors.
    assert float((n_left > 0).float().mean()) == pytest.approx(7 / 16, abs=0.045)


@unhurried
@given(some_sequences)
def test_the_other_strand_is_that_of_the_string_and_twice_the_sequence_itself(letters: list[str]) -> None:
    tokens = tokens_of(letters)
    turned = sequences.reverse_complement(tokens)
    assert turned.dtype == torch.uint8
    assert letters_of(turned) == [one.translate(COMPLEMENTS)[::-1] for one in letters_of(tokens)]
    assert torch.equal(sequences.reverse_complement(turned), tokens)


def test_either_strand_turns_a_share_of_the_sequences_whole() -> None:
    tokens = bases(2000)
    found = sequences.either_strand(tokens, strength=0.3, generator=seeded())
    turned = (found == sequences.reverse_complement(tokens)).all(1)
    assert (turned | (found == tokens).all(1)).all()
    assert float(turned.float().mean()) == pytest.approx(0.3, abs=0.04)  # four standard errors of 2000


@each_view
def test_views_change_no_argument_and_no_global_random_state(view: View) -> None:
    tokens = random_tokens()
    state = torch.get_rng_state()
    found = view(tokens, strength=0.5, generator=seeded())
    assert torch.equal(tokens, random_tokens())
    assert torch.equal(torch.get_rng_state(), state)
    assert (found.dtype, found.shape) == (torch.uint8, tokens.shape)
    assert torch.equal(sequences.lengths(found), sequences.lengths(tokens))


@pytest.mark.parametrize(
    "draw",
    [
        *(partial(view, random_tokens(), strength=0.5) for view in VIEWS.values()),
        partial(
            sequences.recombine,
            random_tokens(),
            odds(400, 50, seed=0),
            odds(400, 50, seed=1),
        ),
    ],
    ids=[*VIEWS, "recombine"],
)
def test_a_seed_fixes_what_is_drawn(draw: Callable[..., Tensor]) -> None:
    assert torch.equal(draw(generator=seeded(1)), draw(generator=seeded(1)))
    assert not torch.equal(draw(generator=seeded(1)), draw(generator=seeded(2)))


@each_view
def test_views_take_sequences_without_letters(view: View) -> None:
    tokens = tokens_of(["", "A", "N"])
    for strength in (0.0, 1.0):
        found = view(tokens, strength=strength, generator=seeded())
        assert torch.equal(found == END, tokens == END)


def test_the_decoder_gives_logits_of_four_bases_at_every_position() -> None:
    with torch.device("meta"):
        logits = sequences.SequenceDecoder(7, 30, width=16)(torch.empty(5, 7))
    assert logits.shape == (5, 30, N_BASES)
