"""One-hot letters."""

from __future__ import annotations

import numpy as np
import pytest

from diffaug_bio import pp
from diffaug_bio.errors import InputError


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
    with pytest.raises(InputError, match=r"1 has 4 letters.* 3 has 3"):
        pp.encode_onehot(["ACGT", "ACGT", "ACG"])


def test_input_state_of_one_hot_letters_is_continuous() -> None:
    assert pp.detect_state(pp.encode_onehot(["ACGT", "TTTT", "GCGC"])[0]) == "continuous"


def test_no_sequences_give_no_rows() -> None:
    assert pp.encode_onehot([])[0].shape == (0, 0)
