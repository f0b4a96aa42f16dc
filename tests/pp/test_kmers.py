"""Words of k letters against a slow loop."""

from __future__ import annotations

from collections import Counter
from itertools import product
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from diffaug_bio import pp
from diffaug_bio.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

COMPLEMENT = str.maketrans("ACGT", "TGCA")
any_letters = st.text("ACGTNRacgtu-", max_size=40)
dna = st.text("ACGT", max_size=40)
word_lengths = st.integers(1, 8)
several_lengths = st.sets(st.integers(1, 6), min_size=1, max_size=3).map(lambda k: tuple(sorted(k)))
numbers_of_bins = st.integers(1, 9)
unhurried = settings(deadline=None)  # 65536 names at k = 8 take long on a busy machine


def reverse_complement(sequence: str) -> str:
    return sequence[::-1].translate(COMPLEMENT)


def count_slowly(sequence: str, k: int, *, canonical: bool, n_bins: int = 1) -> Counter[str]:
    sequence = sequence.upper().replace("U", "T")
    found: Counter[str] = Counter()
    n_starts = len(sequence) - k + 1
    for start in range(n_starts):
        word = sequence[start : start + k]
        if not set(word) <= set("ACGT"):
            continue
        word = min(word, reverse_complement(word)) if canonical else word
        found[word if n_bins == 1 else f"{word}@{start * n_bins // n_starts + 1}/{n_bins}"] += 1
    return found


def counts_of(matrix: sparse.csr_matrix, names: list[str]) -> list[Counter[str]]:
    """What the rows of a matrix of counts hold, by the names of the columns."""
    assert matrix.shape[1] == len(names) == len(set(names))
    entries = matrix.tocoo()
    found: list[Counter[str]] = [Counter() for _ in range(matrix.shape[0])]
    for row, column, value in zip(entries.row, entries.col, entries.data, strict=True):
        found[row][names[column]] = int(value)
    return found


def count(sequence: str, k: int, *, canonical: bool = False) -> Counter[str]:
    return counts_of(*pp.encode_kmers([sequence], k=k, canonical=canonical, relative=False))[0]


@unhurried
@given(sequences=st.lists(any_letters, max_size=6), k=word_lengths, canonical=st.booleans())
def test_counts_are_those_of_a_loop(*, sequences: list[str], k: int, canonical: bool) -> None:
    found = counts_of(*pp.encode_kmers(sequences, k=k, canonical=canonical, relative=False))
    assert found == [count_slowly(sequence, k, canonical=canonical) for sequence in sequences]


@unhurried
@given(
    sequences=st.lists(any_letters, max_size=6),
    k=several_lengths,
    canonical=st.booleans(),
    n_bins=numbers_of_bins,
)
def test_counts_of_several_lengths_in_bins_are_those_of_a_loop(
    *, sequences: list[str], k: tuple[int, ...], canonical: bool, n_bins: int
) -> None:
    encoded = pp.encode_kmers(sequences, k=k, canonical=canonical, relative=False, n_bins=n_bins)
    singles = [
        [count_slowly(sequence, one, canonical=canonical, n_bins=n_bins) for one in k]
        for sequence in sequences
    ]
    assert counts_of(*encoded) == [sum(counters, Counter()) for counters in singles]


@unhurried
@given(
    sequences=st.lists(any_letters, min_size=1, max_size=6),
    k=several_lengths,
    canonical=st.booleans(),
    n_bins=numbers_of_bins,
)
def test_relative_counts_sum_to_one_in_each_bin_or_stay_zero(
    *, sequences: list[str], k: tuple[int, ...], canonical: bool, n_bins: int
) -> None:
    counts, names = pp.encode_kmers(sequences, k=k, canonical=canonical, relative=False, n_bins=n_bins)
    shares, _ = pp.encode_kmers(sequences, k=k, canonical=canonical, n_bins=n_bins)
    groups = [(len(name.partition("@")[0]), name.partition("@")[2]) for name in names]
    assert len(set(groups)) == len(k) * n_bins
    for group in set(groups):
        columns = np.flatnonzero([other == group for other in groups])
        in_group = counts[:, columns].toarray()
        totals = in_group.sum(1, keepdims=True)
        # Division in float64, then one rounding to float32.
        expected = in_group / np.maximum(totals, 1)
        np.testing.assert_allclose(shares[:, columns].toarray(), expected, rtol=1e-7)
        np.testing.assert_allclose(expected.sum(1), np.minimum(totals[:, 0], 1), rtol=1e-5)


@unhurried
@given(sequences=st.lists(any_letters, max_size=4), k=several_lengths, n_bins=numbers_of_bins)
def test_counts_of_all_bins_together_are_those_without_bins(
    sequences: list[str], k: tuple[int, ...], n_bins: int
) -> None:
    binned = counts_of(*pp.encode_kmers(sequences, k=k, relative=False, n_bins=n_bins))
    together: list[Counter[str]] = [Counter() for _ in sequences]
    for row, counts in enumerate(binned):
        for name, value in counts.items():
            together[row][name.partition("@")[0]] += value
    assert together == counts_of(*pp.encode_kmers(sequences, k=k, relative=False))


@unhurried
@given(
    sequences=st.lists(any_letters, min_size=1, max_size=4),
    k=several_lengths,
    relative=st.booleans(),
    n_bins=numbers_of_bins,
)
def test_several_lengths_are_the_single_ones_side_by_side(
    *, sequences: list[str], k: tuple[int, ...], relative: bool, n_bins: int
) -> None:
    matrix, names = pp.encode_kmers(sequences, k=k, relative=relative, n_bins=n_bins)
    singles = [pp.encode_kmers(sequences, k=one, relative=relative, n_bins=n_bins) for one in k]
    np.testing.assert_array_equal(matrix.toarray(), np.hstack([single.toarray() for single, _ in singles]))
    assert names == [name for _, words in singles for name in words]


@unhurried
@given(dna, word_lengths)
def test_counts_sum_to_the_number_of_windows(sequence: str, k: int) -> None:
    assert count(sequence, k).total() == max(0, len(sequence) - k + 1)


@unhurried
@given(dna, word_lengths)
def test_a_sequence_and_its_reverse_complement_have_the_same_canonical_counts(
    sequence: str, k: int
) -> None:
    other = reverse_complement(sequence)
    assert count(sequence, k, canonical=True) == count(other, k, canonical=True)


@unhurried
@given(dna, dna, word_lengths)
def test_counts_of_two_sequences_joined_by_an_unknown_letter_add_up(
    first: str, second: str, k: int
) -> None:
    assert count(f"{first}N{second}", k) == count(first, k) + count(second, k)


@unhurried
@given(dna, dna, word_lengths)
def test_concatenation_adds_only_words_across_the_joint(first: str, second: str, k: int) -> None:
    across = (first[len(first) - k + 1 :] if len(first) >= k else first) + second[: k - 1]
    assert count(first + second, k) == count(first, k) + count(second, k) + count(across, k)


@pytest.mark.parametrize("k", range(1, 9))
def test_words_are_all_in_lexicographic_order(k: int) -> None:
    _, words = pp.encode_kmers(["A"], k=k)
    assert words == sorted("".join(letters) for letters in product("ACGT", repeat=k))


@pytest.mark.parametrize("k", range(1, 9))
def test_canonical_words_are_the_smaller_of_each_pair_in_order(k: int) -> None:
    _, words = pp.encode_kmers(["A"], k=k, canonical=True)
    everything = ("".join(letters) for letters in product("ACGT", repeat=k))
    assert words == sorted({min(word, reverse_complement(word)) for word in everything})
    # Even lengths have words that are their own reverse complement.
    assert len(words) == (4**k + (4 ** (k // 2) if k % 2 == 0 else 0)) // 2


def test_result_is_sorted_csr_of_float32() -> None:
    counts, _ = pp.encode_kmers(["TTTTACGT", "ACG"], k=2)
    assert sparse.issparse(counts)
    assert (counts.format, counts.dtype, counts.has_canonical_format) == ("csr", np.float32, True)


def test_names_are_ordered_by_length_then_bin_then_word() -> None:
    _, names = pp.encode_kmers(["A"], k=(1, 2), canonical=True, n_bins=2)
    pairs = ["AA", "AC", "AG", "AT", "CA", "CC", "CG", "GA", "GC", "TA"]
    assert names == [
        *("A@1/2", "C@1/2", "A@2/2", "C@2/2"),
        *(f"{pair}@{number}/2" for number in (1, 2) for pair in pairs),
    ]


def test_words_are_in_the_bin_in_which_they_start() -> None:
    found = counts_of(*pp.encode_kmers(["AACCGGTT"], k=2, relative=False, n_bins=3))[0]  # seven starts
    assert found == Counter(
        {
            "AA@1/3": 1,
            "AC@1/3": 1,
            "CC@1/3": 1,
            "CG@2/3": 1,
            "GG@2/3": 1,
            "GT@3/3": 1,
            "TT@3/3": 1,
        }
    )


def test_more_bins_than_words_leave_some_empty() -> None:
    assert counts_of(*pp.encode_kmers(["ACG"], k=2, relative=False, n_bins=4))[0] == Counter(
        {"AC@1/4": 1, "CG@3/4": 1}
    )


@pytest.mark.parametrize("k", [[2, 3], (2, 3), range(2, 4), np.array([2, 3])], ids=type)
def test_several_lengths_may_be_of_any_kind_of_list(k: Sequence[int]) -> None:
    matrix, names = pp.encode_kmers(["ACGTA"], k=k)
    expected, words = pp.encode_kmers(["ACGTA"], k=(2, 3))
    np.testing.assert_array_equal(matrix.toarray(), expected.toarray())
    assert names == words


def test_no_sequences_give_no_rows() -> None:
    assert pp.encode_kmers([])[0].shape == (0, 256)
    assert pp.encode_kmers([], k=(1, 2), n_bins=3)[0].shape == (0, 60)
    assert pp.encode_kmers(["", ""])[0].shape == (2, 256)


def test_letters_outside_of_ascii_are_other_letters() -> None:
    assert count("ACßÄGT", 2) == Counter({"AC": 1, "GT": 1})


@pytest.mark.parametrize("k", [0, 9, -1, 2.0, "4", True, None])
def test_k_out_of_range_is_an_error(k: object) -> None:
    with pytest.raises(InputError, match=r"`k` .*1 to 8"):
        pp.encode_kmers(["ACGT"], k=k)  # type: ignore[arg-type]
