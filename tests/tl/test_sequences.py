"""`tl.embed` and `tl.project` on DNA: letters or counted words, and new sequences through a saved model."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from diffaug_bio import DiffAug, io, tl
from diffaug_bio.errors import InputError
from diffaug_bio.features import FittedSequences
from diffaug_bio.model.source import MatrixChoice
from diffaug_bio.pp import KmerEncoding, encode_tokens
from tests.conftest import clustered_dna

if TYPE_CHECKING:
    from pathlib import Path

    from anndata import AnnData

    from diffaug_bio import DiffAugConfig

LENGTH = 40


def fasta(path: Path, letters: list[str]) -> AnnData:
    """Write sequences to a FASTA file and read it."""
    path.write_text("".join(f">s{n} kind=k{n % 3}\n{one}\n" for n, one in enumerate(letters)))
    return io.read(path)


@pytest.fixture
def equal(tmp_path: Path) -> AnnData:
    """Sequences of one length."""
    return fasta(tmp_path / "equal.fa", clustered_dna())


@pytest.fixture
def unequal(tmp_path: Path) -> AnnData:
    """Sequences of different lengths."""
    return fasta(tmp_path / "unequal.fa", clustered_dna(unequal=True))


@pytest.fixture
def config(letters_config: DiffAugConfig) -> DiffAugConfig:
    """Leave the encoder to the data."""
    return letters_config.replace(encoder={"kind": "auto"})


def of_kind(config: DiffAugConfig, kind: str) -> DiffAugConfig:
    return config.replace(encoder={"kind": kind})


def params_of(adata: AnnData) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(adata.uns["diffaug"]["params"])
    return found


def test_letters_are_embedded_where_all_lengths_are_equal(
    equal: AnnData, config: DiffAugConfig, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, logger="diffaug_bio"):
        tl.embed(equal, config=config, device="cpu")
    assert "The sequences are of one length: the encoder is 'cnn', on their letters." in caplog.messages
    expected = DiffAug(of_kind(config, "cnn"), device="cpu").fit_transform(
        encode_tokens(list(equal.obs["sequence"]))
    )
    np.testing.assert_array_equal(equal.obsm["X_diffaug"], expected)
    params = params_of(equal)
    assert params["sequences"] is True
    assert params["kmers"] is None
    assert params["config"]["encoder"]["kind"] == "cnn"
    assert params["config"]["features"]["input_state"] == "sequence"


def test_declared_words_are_embedded_where_letters_would_do(
    equal: AnnData, config: DiffAugConfig, caplog: pytest.LogCaptureFixture
) -> None:
    declared = config.replace(features={"input_state": "words"})
    with caplog.at_level(logging.INFO, logger="diffaug_bio"):
        tl.embed(equal, config=declared, device="cpu")
    told = "The sequences are declared as counted words: the encoder is 'mlp', on counted words."
    assert told in caplog.messages
    expected = DiffAug(declared, device="cpu").fit_transform(equal.X)
    np.testing.assert_array_equal(equal.obsm["X_diffaug"], expected)
    assert params_of(equal)["config"]["train"]["warmup_view"] == "gaussian"


def test_words_and_letters_at_once_are_refused(equal: AnnData, config: DiffAugConfig) -> None:
    declared = config.replace(features={"input_state": "words"})
    with pytest.raises(
        InputError, match=r"'words' says that words are counted, and the encoder of letters"
    ):
        tl.embed(equal, config=of_kind(declared, "cnn"), device="cpu")


def test_words_are_embedded_where_lengths_differ(
    unequal: AnnData, config: DiffAugConfig, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, logger="diffaug_bio"):
        tl.embed(unequal, config=config, device="cpu")
    assert (
        "The sequences are of different lengths: the encoder is 'mlp', on counted words." in caplog.messages
    )
    declared = config.replace(features={"input_state": "words"})
    expected = DiffAug(declared, device="cpu").fit_transform(unequal.X)
    np.testing.assert_array_equal(unequal.obsm["X_diffaug"], expected)
    params = params_of(unequal)
    assert params["sequences"] is False
    assert params["kmers"] == {"k": [4], "canonical": False, "relative": True, "n_bins": 1}
    assert params["config"]["encoder"]["kind"] == "mlp"


@pytest.mark.parametrize("kind", ["mlp", "cnn"])
@pytest.mark.parametrize("lengths", ["equal", "unequal"])
def test_a_forced_encoder_wins(
    request: pytest.FixtureRequest,
    config: DiffAugConfig,
    caplog: pytest.LogCaptureFixture,
    lengths: str,
    kind: str,
) -> None:
    adata = request.getfixturevalue(lengths)
    with caplog.at_level(logging.INFO, logger="diffaug_bio"):
        model = tl.fit(adata, config=of_kind(config, kind), device="cpu")
    assert not [message for message in caplog.messages if "the encoder is" in message]
    assert isinstance(model.features_, FittedSequences) == (kind == "cnn")
    assert model.n_features_in_ == (LENGTH if kind == "cnn" else 256)
    assert params_of(adata)["sequences"] == (kind == "cnn")
    assert adata.obsm["X_diffaug"].shape == (90, 6)


def test_letters_can_be_chosen_by_their_encoder(unequal: AnnData, config: DiffAugConfig) -> None:
    model = tl.fit(unequal, config=of_kind(config, "cnn"), device="cpu")
    assert isinstance(model.features_, FittedSequences)


def test_another_matrix_of_sequences_is_embedded_as_features(equal: AnnData, config: DiffAugConfig) -> None:
    equal.obsm["X_rep"] = np.random.default_rng(0).normal(size=(90, 5)).astype(np.float32)
    model = tl.fit(equal, config=config, use_rep="X_rep", device="cpu")
    assert model.config_.encoder.kind == "mlp"
    assert model.n_features_in_ == 5


@pytest.mark.parametrize("kind", ["mlp", "cnn"])
def test_new_sequences_go_through_a_saved_model(
    equal: AnnData, config: DiffAugConfig, tmp_path: Path, kind: str
) -> None:
    model = tl.fit(equal, config=of_kind(config, kind), device="cpu")
    model.save(tmp_path / "model")
    new = fasta(tmp_path / "new.fa", clustered_dna(20, LENGTH, seed=1))
    tl.project(new, tmp_path / "model", device="cpu")
    letters = list(new.obs["sequence"])
    matrix = encode_tokens(letters) if kind == "cnn" else KmerEncoding().encode(letters)[0]
    np.testing.assert_allclose(new.obsm["X_diffaug"], model.transform(matrix), rtol=0, atol=1e-6)
    assert params_of(new) == params_of(equal)
    # The training data get the embedding that they have.
    embedding = equal.obsm["X_diffaug"].copy()
    tl.project(equal, tmp_path / "model", device="cpu")
    np.testing.assert_allclose(equal.obsm["X_diffaug"], embedding, rtol=0, atol=1e-6)


def test_models_of_sequences_work_after_a_way_through_h5ad(
    equal: AnnData, config: DiffAugConfig, tmp_path: Path
) -> None:
    equal.write_h5ad(tmp_path / "equal.h5ad")
    again = io.read(tmp_path / "equal.h5ad")
    for adata in (equal, again):
        tl.embed(adata, config=config, device="cpu")
    np.testing.assert_array_equal(again.obsm["X_diffaug"], equal.obsm["X_diffaug"])
    again.write_h5ad(tmp_path / "embedded.h5ad")


@pytest.mark.parametrize(
    "kmers",
    [KmerEncoding(k=(3,)), KmerEncoding(k=(4,), relative=False), KmerEncoding(canonical=True)],
    ids=["shorter", "counts", "canonical"],
)
def test_words_are_counted_anew_the_way_of_the_model(
    unequal: AnnData, config: DiffAugConfig, kmers: KmerEncoding
) -> None:
    model = tl.fit(unequal, config=config, device="cpu")
    letters = clustered_dna(20, LENGTH, seed=1)
    expected, new = io.from_sequences(letters), io.from_sequences(letters, kmers=kmers)
    before = new.X.copy()
    for adata in (expected, new):
        tl.project(adata, model)
    np.testing.assert_array_equal(new.obsm["X_diffaug"], expected.obsm["X_diffaug"])
    np.testing.assert_array_equal(new.X.toarray(), before.toarray())


def test_counted_words_without_letters_are_projected_as_they_are(
    unequal: AnnData, config: DiffAugConfig
) -> None:
    model = tl.fit(unequal, config=config, device="cpu")
    embedding = unequal.obsm["X_diffaug"].copy()
    del unequal.obs["sequence"]
    tl.project(unequal, model)
    np.testing.assert_array_equal(unequal.obsm["X_diffaug"], embedding)


def test_longer_sequences_are_cut_with_a_warning_and_shorter_ones_are_not(
    equal: AnnData, config: DiffAugConfig, caplog: pytest.LogCaptureFixture
) -> None:
    model = tl.fit(equal, config=config, device="cpu")
    letters = clustered_dna(20, LENGTH, seed=1)
    longer = io.from_sequences([one + "ACGT" * (n % 2) for n, one in enumerate(letters)])
    exact = io.from_sequences(letters)
    with caplog.at_level(logging.WARNING, logger="diffaug_bio"):
        tl.project(exact, model)
        assert not caplog.messages
        tl.project(longer, model)
    assert caplog.messages == [
        "10 sequences are longer than the 40 letters of the model: their ends are left out."
    ]
    np.testing.assert_array_equal(longer.obsm["X_diffaug"], exact.obsm["X_diffaug"])
    shorter = io.from_sequences([one[:30] for one in letters])
    caplog.clear()
    tl.project(shorter, model)
    assert not caplog.messages
    assert np.isfinite(shorter.obsm["X_diffaug"]).all()


def test_data_without_letters_do_not_go_through_a_model_of_letters(
    equal: AnnData, counts: AnnData, config: DiffAugConfig
) -> None:
    model = tl.fit(equal, config=config, device="cpu")
    with pytest.raises(
        InputError, match=r"reads sequences, and these data have none in .* but columns 'cluster'"
    ):
        tl.project(counts, model)
    assert not counts.obsm
    del counts.obs["cluster"]
    with pytest.raises(InputError, match=r"but columns none\. Read a FASTA file, or use"):
        tl.project(counts, model)


@pytest.mark.parametrize("layer", [None, "other"])
def test_letters_that_are_not_there_are_an_error(
    counts: AnnData, letters_config: DiffAugConfig, layer: str | None
) -> None:
    counts.layers["other"] = counts.X.copy()
    with pytest.raises(InputError, match=r"reads .*sequences, and these data have none in `\.obs\['seq"):
        tl.fit(counts, config=letters_config, layer=layer, device="cpu")
    assert not counts.obsm


def test_letters_cannot_be_chosen_beside_another_matrix() -> None:
    with pytest.raises(
        InputError, match=r"at most one of `layer`, `use_rep`, `use_raw`, `sequences` and `images`"
    ):
        MatrixChoice(sequences=True, layer="counts")


@pytest.mark.parametrize(
    "choice",
    [
        MatrixChoice(),
        MatrixChoice(layer="counts"),
        MatrixChoice(sequences=True),
        MatrixChoice(kmers=KmerEncoding(k=(3, 4), n_bins=2)),
    ],
    ids=["x", "layer", "letters", "words"],
)
def test_a_choice_survives_the_way_through_json(choice: MatrixChoice) -> None:
    assert MatrixChoice.from_dict(json.loads(json.dumps(choice.to_dict()))) == choice


def test_a_choice_of_an_older_model_is_read() -> None:
    older = {"layer": None, "use_rep": "X_pca", "use_raw": False}
    assert MatrixChoice.from_dict(older) == MatrixChoice(use_rep="X_pca")
    assert MatrixChoice.from_dict({}) == MatrixChoice()
    with pytest.raises(InputError, match=r"the model: unknown key kmers\.words"):
        MatrixChoice.from_dict({"kmers": {"words": [3]}})


@pytest.mark.parametrize("kind", ["mlp", "cnn"])
def test_generated_sequences_are_evaluated(equal: AnnData, config: DiffAugConfig, kind: str) -> None:
    model = tl.fit(equal, config=of_kind(config, kind), device="cpu")
    scores = tl.evaluate_generated(equal, model, label_key="kind")
    assert scores
    assert all(np.isfinite(value) for value in scores.values())


@pytest.mark.parametrize("kind", ["cnn", "mlp"])
def test_rows_without_letters_are_named(unequal: AnnData, config: DiffAugConfig, kind: str) -> None:
    model = tl.fit(unequal, config=of_kind(config, kind), device="cpu")
    unequal.obs["sequence"] = unequal.obs["sequence"].astype(object)
    unequal.obs.loc["s3", "sequence"] = None
    del unequal.uns["kmers"]  # words are counted anew
    with pytest.raises(InputError, match=r"1 rows have no letters in .*, the first 's3'. Leave them out"):
        tl.project(unequal, model)


def test_letters_of_a_protein_are_refused(equal: AnnData, config: DiffAugConfig) -> None:
    equal.obs["sequence"] = equal.obs["sequence"].astype(object)
    equal.obs.loc["s5", "sequence"] = "MKVLAAGIVGLPLLE"
    with pytest.raises(InputError, match=r"`.obs\['sequence'\]` of 's5' looks like a protein"):
        tl.embed(equal, config=of_kind(config, "cnn"), device="cpu")


def test_reads_and_long_sequences_are_embedded_by_their_words(
    equal: AnnData, config: DiffAugConfig, caplog: pytest.LogCaptureFixture
) -> None:
    long = io.from_sequences([one * 13 for one in clustered_dna()])
    equal.obs["mean_quality"] = 30.0
    for adata, reason in ((equal, "are reads with qualities"), (long, "are of more than 512 letters")):
        caplog.clear()
        with caplog.at_level(logging.INFO):
            tl.embed(adata, config=config, device="cpu")
        assert f"The sequences {reason}: the encoder is 'mlp', on counted words." in caplog.messages


def test_letters_are_refused_beyond_what_the_decoder_holds(config: DiffAugConfig) -> None:
    adata = io.from_sequences(["ACGT" * 5001, "ACGA" * 30, "TTGA" * 30])
    with pytest.raises(InputError, match=r"reads up to 20000 letters, and the longest sequence has 20004"):
        tl.embed(adata, config=of_kind(config, "cnn"), device="cpu")
