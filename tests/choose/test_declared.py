"""States that are declared, and that the data contradict."""

from __future__ import annotations

import pytest

from diffaug_bio import io
from diffaug_bio.choose.matrix import declare, resolve_choice
from diffaug_bio.config import DiffAugConfig
from diffaug_bio.errors import InputError
from diffaug_bio.model.source import MatrixChoice


def test_letters_cannot_be_declared_as_values() -> None:
    adata = io.from_sequences(["ACGTACGT", "TTGTACGA", "ACGGACGT", "TTTTACGA"])
    config = DiffAugConfig().replace(features={"input_state": "counts"})
    choice = resolve_choice(adata, MatrixChoice(), config)
    with pytest.raises(InputError, match=r"letters of sequences.*--input-state.*'counts'.*--k 4"):
        declare(config, adata, choice)
    words = config.replace(encoder={"kind": "mlp"})
    choice = resolve_choice(adata, MatrixChoice(), words)
    assert declare(words, adata, choice).features.input_state == "counts"
