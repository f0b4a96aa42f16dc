"""Messages of errors can be shown anywhere, whatever a file put into them."""

from __future__ import annotations

import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diffaug_bio.errors import CheckpointError, DiffAugError, InputError

ANY_TEXT = st.text(st.characters(), max_size=3000)


@given(ANY_TEXT)
def test_any_message_is_one_printable_line_of_a_sane_length(text: str) -> None:
    message = str(InputError(text))
    assert message.isprintable()
    assert len(message) <= 1500
    message.encode()


@pytest.mark.parametrize("kind", [DiffAugError, InputError, CheckpointError])
def test_a_sentence_stays_as_it_is(kind: type[DiffAugError]) -> None:
    sentence = "Müller.csv, Spalte 'Größe': write a number."
    assert str(kind(sentence)) == sentence
    assert str(pickle.loads(pickle.dumps(kind(sentence)))) == sentence


def test_control_characters_are_shown_and_long_messages_keep_their_end() -> None:
    assert str(InputError("a\nb\x1b[31m")) == r"a\nb\x1b[31m"
    message = str(InputError("x" * 5000 + " Copy it again."))
    assert message.startswith("xxx")
    assert message.endswith("x Copy it again.")
