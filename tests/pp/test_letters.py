"""Letters as numbers, and what all encodings of sequences refuse."""

from __future__ import annotations

import pytest

from diffaug_bio import pp
from diffaug_bio.errors import InputError
from diffaug_bio.pp._letters import OTHER, letter_codes

ENCODINGS = [pp.encode_kmers, pp.encode_onehot, pp.encode_tokens, pp.KmerEncoding().encode]
NAMES = ["words", "one-hot", "tokens", "settings"]


def test_every_letter_has_one_code() -> None:
    assert letter_codes("ACGTUacgtu").tolist() == [0, 1, 2, 3, 3] * 2
    assert set(letter_codes("NRYKMSWBDHV-*. \n\0\r1Xnx?@").tolist()) == {OTHER}


def test_a_letter_outside_of_ascii_is_one_other_letter() -> None:
    assert letter_codes("AßÄ\N{DNA DOUBLE HELIX}\ud800C").tolist() == [0, OTHER, OTHER, OTHER, OTHER, 1]


@pytest.mark.parametrize("encode", ENCODINGS, ids=NAMES)
def test_what_is_no_list_of_strings_is_an_error(encode: object) -> None:
    assert callable(encode)
    with pytest.raises(InputError, match="one string"):
        encode("ACGT")
    with pytest.raises(InputError, match=r"Sequence 2 .*nan"):
        encode(["ACGT", float("nan")])


@pytest.mark.parametrize("encode", ENCODINGS, ids=NAMES)
def test_any_iterable_of_strings_will_do(encode: object) -> None:
    assert callable(encode)
    encode(letters for letters in ("ACGT", "TTTT"))
    encode(("ACGT", "TTTT"))
