"""Tokens against a slow loop, and the way back."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from diffaug_bio import pp
from diffaug_bio.errors import InputError
from diffaug_bio.matrix import blocks as _blocks

any_letters = st.text("ACGTNRacgtu-ß\n\0", max_size=20)
unhurried = settings(deadline=None)  # of a busy machine


def tokens_slowly(sequence: str, length: int) -> list[int]:
    codes = {"A": 0, "C": 1, "G": 2, "T": 3, "U": 3}
    tokens = [codes.get(letter.upper(), 4) for letter in sequence][:length]
    return tokens + [5] * (length - len(tokens))


@unhurried
@given(sequences=st.lists(any_letters, max_size=6), length=st.none() | st.integers(1, 25))
def test_tokens_are_those_of_a_loop(sequences: list[str], length: int | None) -> None:
    tokens = pp.encode_tokens(sequences, length=length)
    width = max(map(len, sequences), default=0) if length is None else length
    assert tokens.tolist() == [tokens_slowly(sequence, width) for sequence in sequences]
    assert tokens.shape == (len(sequences), width)
    assert tokens.dtype == np.uint8


@unhurried
@given(st.lists(any_letters, max_size=6))
def test_letters_come_back_from_tokens(sequences: list[str]) -> None:
    expected = [
        "".join(letter if letter in "ACGT" else "N" for letter in sequence.upper().replace("U", "T"))
        for sequence in (sequence.replace("ß", "-") for sequence in sequences)  # "ß".upper() is "SS"
    ]
    assert pp.decode_tokens(pp.encode_tokens(sequences)) == expected


@unhurried
@given(st.lists(any_letters, max_size=6), st.integers(1, 25))
def test_tokens_come_back_from_letters(sequences: list[str], length: int) -> None:
    tokens = pp.encode_tokens(sequences, length=length)
    again = pp.encode_tokens(pp.decode_tokens(tokens), length=length)
    np.testing.assert_array_equal(again, tokens)


def test_a_longer_sequence_loses_its_end() -> None:
    assert pp.decode_tokens(pp.encode_tokens(["ACGTT", "GG"], length=3)) == ["ACG", "GG"]


def test_blocks_of_rows_do_not_change_the_result(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    lengths = rng.integers(0, 40, 50)
    sequences = ["".join(rng.choice(list("ACGTN"), length)) for length in lengths]
    whole = pp.encode_tokens(sequences)
    monkeypatch.setattr(_blocks, "_BLOCK_ROWS", 7)
    np.testing.assert_array_equal(pp.encode_tokens(sequences), whole)
    assert pp.decode_tokens(whole) == sequences


@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.int64])
def test_tokens_of_any_whole_type_are_read(dtype: type[np.integer]) -> None:
    assert pp.decode_tokens(np.array([[0, 4, 5], [3, 2, 1]], dtype)) == ["AN", "TGC"]


def test_nothing_follows_the_end_of_a_sequence() -> None:
    assert pp.decode_tokens(np.array([[0, 5, 1, 2], [5, 0, 0, 0]])) == ["A", ""]


def test_no_sequences_and_no_letters_are_read() -> None:
    assert pp.encode_tokens([]).shape == (0, 0)
    assert pp.encode_tokens([], length=3).shape == (0, 3)
    assert pp.encode_tokens(["", ""]).shape == (2, 0)
    assert pp.decode_tokens(np.zeros((2, 0), np.uint8)) == ["", ""]
    assert pp.decode_tokens(np.zeros((0, 3), np.uint8)) == []


@pytest.mark.parametrize("length", [0, -1, 2.0, "4", True])
def test_a_length_that_is_none_is_an_error(length: object) -> None:
    with pytest.raises(InputError, match="`length`"):
        pp.encode_tokens(["ACGT"], length=length)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("tokens", "message"),
    [
        (np.zeros(3, np.uint8), r"matrix.*uint8.*\(3,\)"),
        (np.zeros((2, 2)), "whole numbers.*float64"),
        (np.array([[0, 6]]), "0 to 5.*0 to 6"),
        (np.array([[-1, 4]]), "0 to 5.*-1 to 4"),
        (np.array([[260]]), "0 to 5.*260 to 260"),
    ],
    ids=["one row", "not whole", "too large", "negative", "beyond a byte"],
)
def test_what_are_no_tokens_is_an_error(tokens: np.ndarray, message: str) -> None:
    with pytest.raises(InputError, match=message):
        pp.decode_tokens(tokens)
