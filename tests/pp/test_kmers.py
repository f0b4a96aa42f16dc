"""Words of k letters against a slow loop, and one-hot letters."""

from __future__ import annotations

from collections import Counter
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from diffaug_bio import pp
from diffaug_bio.errors import InputError

COMPLEMENT = str.maketrans("ACGT", "TGCA")
any_letters = st.text("ACGTNRacgtu-", max_size=40)
dna = st.text("ACGT", max_size=40)
word_lengths = st.integers(1, 8)
unhurried = settings(deadline=None)  # 65536 names at k = 8 take long on a busy machine


def reverse_complement(sequence: str) -> str:
    return sequence[::-1].translate(COMPLEMENT)


def count_slowly(sequence: str, k: int, *, canonical: bool) -> Counter[str]:
    sequence = sequence.upper().replace("U", "T")
    words = [sequence[start : start + k] for start in range(len(sequence) - k + 1)]
    words = [word for word in words if set(word) <= set("ACGT")]
    return Counter(min(word, reverse_complement(word)) if canonical else word for word in words)


def count(sequence: str, k: int, *, canonical: bool = False) -> Counter[str]:
    counts, words = pp.encode_kmers([sequence], k=k, canonical=canonical, relative=False)
    row = counts.toarray()[0]
    return Counter({words[column]: int(row[column]) for column in np.flatnonzero(row)})


@unhurried
@given(sequences=st.lists(any_letters, max_size=6), k=word_lengths, canonical=st.booleans())
def test_counts_are_those_of_a_loop(*, sequences: list[str], k: int, canonical: bool) -> None:
    counts, words = pp.encode_kmers(sequences, k=k, canonical=canonical, relative=False)
    assert counts.shape == (len(sequences), len(words))
    entries = counts.tocoo()
    found: list[Counter[str]] = [Counter() for _ in sequences]
    for row, column, value in zip(entries.row, entries.col, entries.data, strict=True):
        found[row][words[column]] = int(value)
    assert found == [count_slowly(sequence, k, canonical=canonical) for sequence in sequences]


@unhurried
@given(sequences=st.lists(any_letters, min_size=1, max_size=6), k=word_lengths, canonical=st.booleans())
def test_relative_rows_sum_to_one_or_stay_zero(*, sequences: list[str], k: int, canonical: bool) -> None:
    counts, _ = pp.encode_kmers(sequences, k=k, canonical=canonical, relative=False)
    shares, _ = pp.encode_kmers(sequences, k=k, canonical=canonical)
    totals = np.asarray(counts.sum(1))
    expected = counts.toarray() / np.maximum(totals, 1)
    # Division in float64, then one rounding to float32.
    np.testing.assert_allclose(shares.toarray(), expected, rtol=1e-7)
    np.testing.assert_allclose(shares.sum(1), np.minimum(totals, 1), rtol=1e-5)


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


def test_many_sequences_are_counted_as_each_alone() -> None:
    rng = np.random.default_rng(0)
    letters = np.array(list("ACGTN"))
    lengths = [*rng.integers(0, 300, 200), 1_200_000, 5, 900_000, 900_000]
    sequences = ["".join(rng.choice(letters, length)) for length in lengths]
    together, _ = pp.encode_kmers(sequences, k=5, relative=False)
    for row in (0, 1, 100, 199, 200, 201, 202, 203):
        alone, _ = pp.encode_kmers([sequences[row]], k=5, relative=False)
        np.testing.assert_array_equal(together[row].toarray(), alone.toarray())


def test_no_sequences_give_no_rows() -> None:
    assert pp.encode_kmers([])[0].shape == (0, 256)
    assert pp.encode_onehot([])[0].shape == (0, 0)


def test_letters_outside_of_ascii_are_other_letters() -> None:
    assert count("ACßÄGT", 2) == Counter({"AC": 1, "GT": 1})


@pytest.mark.parametrize("k", [0, 9, -1, 2.0, "4", True, None])
def test_k_out_of_range_is_an_error(k: object) -> None:
    with pytest.raises(InputError, match=r"`k` has to be a whole number from 1 to 8, got"):
        pp.encode_kmers(["ACGT"], k=k)  # type: ignore[arg-type]


@pytest.mark.parametrize("encode", [pp.encode_kmers, pp.encode_onehot], ids=["words", "one-hot"])
def test_what_is_no_list_of_strings_is_an_error(encode: object) -> None:
    assert callable(encode)
    with pytest.raises(InputError, match=r"several sequences, got one string"):
        encode("ACGT")
    with pytest.raises(InputError, match=r"Sequence number 2 is not a string, but nan"):
        encode(["ACGT", float("nan")])


def test_one_hot_letters_stand_at_their_positions() -> None:
    sequences = ["ACGT", "nntu", "A-CN"]
    matrix, names = pp.encode_onehot(sequences)
    expected = [
        [float(letter == base) for letter in sequence.upper().replace("U", "T") for base in "ACGT"]
        for sequence in sequences
    ]
    np.testing.assert_array_equal(matrix, expected)
    assert matrix.dtype == np.uint8
    assert names == [f"{position}_{base}" for position in (1, 2, 3, 4) for base in "ACGT"]


def test_one_hot_letters_of_unequal_lengths_are_an_error() -> None:
    with pytest.raises(InputError, match=r"number 1 has 4 letters, number 3 has 3\. Cut them alike"):
        pp.encode_onehot(["ACGT", "ACGT", "ACG"])


def test_input_state_of_one_hot_letters_is_continuous() -> None:
    assert pp.detect_state(pp.encode_onehot(["ACGT", "TTTT", "GCGC"])[0]) == "continuous"
