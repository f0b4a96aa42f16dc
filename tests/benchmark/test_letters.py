"""Methods on letters of DNA in a benchmark: a cell that runs, one that cannot, and what is fair."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from diffaug_bio import benchmark, io
from diffaug_bio.benchmark import METHODS, BenchmarkData, choose_methods
from diffaug_bio.benchmark._embedders import NotApplicableError, embed
from diffaug_bio.benchmark._run import Cell
from diffaug_bio.benchmark._score import score_method
from diffaug_bio.errors import InputError
from diffaug_bio.pp import encode_tokens
from tests.conftest import clustered_dna

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    from diffaug_bio import DiffAugConfig

ROWS = np.arange(90)


@pytest.fixture
def config(tiny_config: DiffAugConfig) -> DiffAugConfig:
    """Make convolutions and decoder small as well; the method chooses the encoder."""
    return tiny_config.replace(train={"patience": 0})


def dna(*, unequal: bool = False) -> BenchmarkData:
    """Sequences as a file of DNA gives them, labelled by cluster."""
    adata = io.from_sequences(clustered_dna(unequal=unequal))
    adata.obs["kind"] = [f"k{number % 3}" for number in range(90)]
    return BenchmarkData.from_anndata(adata, name="dna", label_key="kind")


def without_letters() -> BenchmarkData:
    return dataclasses.replace(dna(), name="words", sequences=None)


def test_a_cell_on_letters_runs_and_data_without_sequences_are_left_out(
    config: DiffAugConfig, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("INFO", logger="diffaug_bio"):
        result = benchmark.run(
            [dna(), without_letters()],
            tmp_path / "results",
            methods=["cnn", "pca"],
            n_seeds=1,
            config=config,
        )
    assert result.failed == {}
    assert result.left_out == {"cnn on words": "it needs DNA sequences"}
    assert "cnn on words is left out: it needs DNA sequences." in caplog.messages
    cells = set(zip(result.scores["data"], result.scores["method"], strict=True))
    assert cells == {("dna", "cnn"), ("dna", "pca"), ("words", "pca")}
    scores = result.scores[result.scores["method"] == "cnn"].set_index("metric")["value"]
    assert scores["linear_probe"] > 0.6  # of three classes
    assert scores["width"] == 6
    assert {"generated_label_kept", "trustworthiness", "encoder_steps"} <= set(scores.index)
    assert np.isfinite(scores).all()
    assert "DiffAug on letters (CNN)" in (tmp_path / "results" / "summary.md").read_text()
    again = benchmark.run(
        [dna(), without_letters()], tmp_path / "results", methods=["cnn"], n_seeds=1, config=config
    )
    assert again.left_out == result.left_out
    assert list(again.scores["value"]) == list(scores)


def test_encoders_of_words_and_of_letters_take_the_same_number_of_steps(config: DiffAugConfig) -> None:
    steps = {
        name: score_method(dna(), METHODS[name], config, seed=0, held_out=True)["encoder_steps"]
        for name in ("diffaug", "cnn", "cnn_shift")
    }
    assert steps["cnn"] == steps["diffaug"] == steps["cnn_shift"] > 0


@pytest.mark.parametrize("name", choose_methods(["letters"]))
def test_every_method_on_letters_embeds(config: DiffAugConfig, name: str) -> None:
    data = dna(unequal=True)
    found = embed(data, METHODS[name], config, fit_rows=None, train_rows=ROWS, seed=0)
    assert found.embedding.shape == (90, 6)
    assert np.isfinite(found.embedding).all()
    assert found.model is not None
    assert found.model.has_generator == (name == "cnn")
    assert found.features is None  # all methods are held against the same features, when they are scored
    np.testing.assert_array_equal(found.matrix, encode_tokens(clustered_dna(unequal=True)))
    with pytest.raises(NotApplicableError, match="it needs DNA sequences"):
        embed(without_letters(), METHODS[name], config, fit_rows=None, train_rows=ROWS, seed=0)


def test_a_longer_sequence_among_test_rows_changes_nothing_of_the_fit(config: DiffAugConfig) -> None:
    train, test = ROWS[::2], ROWS[1::2]

    def embedding_of(data: BenchmarkData) -> NDArray[np.float32]:
        found = embed(data, METHODS["cnn"], config, fit_rows=train, train_rows=train, seed=0)
        return found.embedding

    letters = clustered_dna()
    longer = [one + "ACGT" * (number % 2) for number, one in enumerate(letters)]
    changed = dataclasses.replace(dna(), sequences=np.array(longer))
    expected = embedding_of(dna())
    np.testing.assert_array_equal(embedding_of(changed)[train], expected[train])
    # What is beyond the longest fitted sequence is left out.
    np.testing.assert_array_equal(embedding_of(changed)[test], expected[test])


def test_data_become_tokens_of_their_sequences() -> None:
    data = dna(unequal=True)
    tokens = data.of_letters()
    np.testing.assert_array_equal(tokens.matrix, encode_tokens(clustered_dna(unequal=True)))
    assert (data.kind, tokens.kind) == ("words", "sequence")
    assert tokens.labels is data.labels
    shortest = np.flatnonzero(np.char.str_len(data.sequences) == 34)  # type: ignore[arg-type]
    assert data.of_letters(shortest).matrix.shape == (90, 34)
    with pytest.raises(InputError, match="it needs DNA sequences"):
        without_letters().of_letters()


def cell(config: DiffAugConfig, **changes: Any) -> Cell:
    given: dict[str, Any] = {
        "data": "dna",
        "path": "somewhere",
        "method": "cnn",
        "seed": 0,
        "config": config,
        "held_out": False,
        "threads": 1,
        "digest": "d",
        "kind": "words",
    }
    return Cell(**{**given, **changes})


def test_a_cell_on_letters_is_told_apart_by_what_is_in_effect(config: DiffAugConfig) -> None:
    key = cell(config).key
    decoder = config.replace(train={"bank_size": 2})
    assert cell(decoder).key != key
    # Of expression, too, letters are letters: nothing else of the kind of data is in effect.
    told_apart = {cell(config, method=name).key for name in choose_methods(["letters"])}
    assert len(told_apart) == len(choose_methods(["letters"]))
    assert cell(config, method="diffaug").key not in told_apart


def test_shared_settings_of_views_do_not_reach_methods_on_letters(
    config: DiffAugConfig, make_data: Callable[..., BenchmarkData]
) -> None:
    shared = config.replace(train={"warmup_view": "gaussian", "view_strength": 0.3})
    assert cell(shared).key == cell(config).key
    data = make_data()  # counts, with a sequence for each row
    embed(data, METHODS["cnn"], shared, fit_rows=None, train_rows=np.arange(60), seed=0)
