"""`DiffAug` with batches: counts of four kinds of cells that two or three batches measure differently."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from scipy import sparse
from sklearn.neighbors import KNeighborsClassifier

from diffaug_bio import DiffAug, DiffAugConfig
from diffaug_bio.errors import InputError
from diffaug_bio.metrics._batch_accuracy import batch_accuracy
from diffaug_bio.metrics._nearest import find_neighbors
from diffaug_bio.model.codes import generate_codes
from tests.conftest import clustered_dna, shifted_textures

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

N_GENES, N_KINDS = 60, 4
NAMES = [f"gene{number}" for number in range(N_GENES)]
SMALL: dict[str, dict[str, Any]] = {
    "features": {"n_components": 15},
    "encoder": {"n_latent": 16, "hidden": [48], "projector_hidden": [32], "n_projection": 16},
    "generator": {"width": 64, "n_blocks": 1, "n_steps": 100, "n_sampling_steps": 8, "ema_decay": 0.99},
    "train": {"warmup_epochs": 20, "generator_epochs": 120, "encoder_epochs": 20, "batch_size": 64},
}


def cells_of(batch: str, kinds: NDArray[np.int64], *, seed: int = 0) -> sparse.csr_matrix:
    """Counts of cells; each batch sees every gene more or less often."""
    profiles = np.random.default_rng(1).gamma(0.7, 4.0, (N_KINDS, N_GENES))
    seen = np.random.default_rng([2, ord(batch)]).lognormal(0, 0.7, N_GENES)
    rng = np.random.default_rng([seed, ord(batch)])
    rates = profiles[kinds] * seen * rng.lognormal(0, 0.3, (len(kinds), 1))
    return sparse.csr_matrix(rng.poisson(rates).astype(np.float32))


@pytest.fixture(scope="module")
def kinds() -> NDArray[np.int64]:
    """Of 160 cells of batch a, which lacks the last kind, and 160 of batch b."""
    return np.concatenate([np.arange(160) % 3, np.arange(160) % 4])


@pytest.fixture(scope="module")
def batches() -> NDArray[np.str_]:
    return np.repeat(["a", "b"], 160)


@pytest.fixture(scope="module")
def cells(kinds: NDArray[np.int64]) -> sparse.csr_matrix:
    return sparse.vstack([cells_of("a", kinds[:160]), cells_of("b", kinds[160:])], format="csr")


def model_of(seed: int = 0, **sections: Any) -> DiffAug:
    config = DiffAugConfig().replace(**(SMALL | sections))
    return DiffAug(config, random_state=seed, device="cpu", precision="float32")


@pytest.fixture(scope="module")
def model(cells: sparse.csr_matrix, batches: NDArray[np.str_]) -> DiffAug:
    """Fitted with batches."""
    return model_of().fit(cells, feature_names=NAMES, batches=batches.tolist())


@pytest.fixture(scope="module")
def without(cells: sparse.csr_matrix) -> DiffAug:
    """The same, and nothing said of batches."""
    return model_of().fit(cells, feature_names=NAMES)


def transferred(rows: NDArray[np.float32], kinds: NDArray[np.int64], batches: NDArray[np.str_]) -> float:
    """Share of the cells of batch a whose kind the nearest cells of batch b tell."""
    here = batches == "a"
    return float(KNeighborsClassifier(5).fit(rows[~here], kinds[~here]).score(rows[here], kinds[here]))


def told_by_neighbors(rows: NDArray[np.float32], batches: NDArray[np.str_]) -> float:
    """Share of rows whose batch their neighbors tell."""
    same_label = np.full(len(rows), "cell")
    return batch_accuracy(find_neighbors(rows, 12), batches, same_label)["batch_knn_accuracy"]


def test_batches_are_mixed_and_kinds_kept(
    cells: sparse.csr_matrix,
    kinds: NDArray[np.int64],
    batches: NDArray[np.str_],
    model: DiffAug,
    without: DiffAug,
) -> None:
    together, apart = model.transform(cells), without.transform(cells)
    in_both = kinds < 3
    told, told_before = (told_by_neighbors(rows[in_both], batches[in_both]) for rows in (together, apart))
    assert told_before > 0.9  # of a half that is chance
    assert told < 0.7
    assert transferred(together, kinds, batches) > 0.97
    assert KNeighborsClassifier(5).fit(together, kinds).score(together, kinds) > 0.97


def test_a_kind_of_one_batch_stays_apart(
    cells: sparse.csr_matrix, kinds: NDArray[np.int64], model: DiffAug
) -> None:
    rows = model.transform(cells)
    near = KNeighborsClassifier(6).fit(rows, kinds).kneighbors(rows[kinds == 3], return_distance=False)
    assert (kinds[near[:, 1:]] == 3).mean() > 0.95


def test_the_same_seed_gives_the_same_bits(
    cells: sparse.csr_matrix, batches: NDArray[np.str_], kinds: NDArray[np.int64]
) -> None:
    short: dict[str, Any] = {
        "train": {**SMALL["train"], "warmup_epochs": 2, "generator_epochs": 2, "encoder_epochs": 2}
    }
    first, again, other = (
        model_of(seed, **short).fit(cells, batches=batches.tolist()).transform(cells) for seed in (0, 0, 1)
    )
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()
    # What a batch is called says nothing.
    renamed = np.char.add("run_", batches).tolist()
    np.testing.assert_array_equal(model_of(0, **short).fit(cells, batches=renamed).transform(cells), first)


def test_a_model_with_batches_is_saved_and_read(
    cells: sparse.csr_matrix, model: DiffAug, tmp_path: Path
) -> None:
    model.save(tmp_path / "model")
    loaded = DiffAug.load(tmp_path / "model", device="cpu")
    assert loaded.config_ == model.config_
    assert loaded.config_.batches.names == ("a", "b")
    assert loaded.config_.encoder.n_projection == 0
    np.testing.assert_array_equal(loaded.transform(cells), model.transform(cells))
    for name in (None, "b"):
        for found, expected in zip(
            generate_codes(loaded, cells, batch=name), generate_codes(model, cells, batch=name), strict=True
        ):
            np.testing.assert_array_equal(found, expected)


def test_rows_of_a_new_batch_are_embedded_beside_their_kind(
    cells: sparse.csr_matrix, kinds: NDArray[np.int64], model: DiffAug
) -> None:
    later = np.arange(90) % N_KINDS
    rows = model.transform(cells_of("c", later), feature_names=NAMES)
    vote = KNeighborsClassifier(5).fit(model.transform(cells), kinds)
    assert vote.score(rows, later) > 0.9


def test_rows_generated_in_a_batch_lie_among_its_rows(
    cells: sparse.csr_matrix, kinds: NDArray[np.int64], batches: NDArray[np.str_], model: DiffAug
) -> None:
    in_both = kinds < 3
    shares = {}
    for name in ("a", "b"):
        sources, made = generate_codes(model, cells, batch=name)
        for other in ("a", "b"):
            rows = in_both & (batches == other)
            near = KNeighborsClassifier(10).fit(sources, batches)
            found = near.kneighbors(made[rows], return_distance=False)
            shares[other, name] = float((batches[found] == "b").mean())
        # Made of either batch, they are of the kind of their source.
        vote = KNeighborsClassifier(10).fit(sources, kinds)
        assert vote.score(made[in_both], kinds[in_both]) > 0.95
    assert min(shares["a", "b"], shares["b", "b"]) > 0.8
    assert max(shares["a", "a"], shares["b", "a"]) < 0.2


def test_each_row_can_be_generated_in_a_batch_of_its_own(
    cells: sparse.csr_matrix, batches: NDArray[np.str_], model: DiffAug
) -> None:
    in_a, in_b, in_none = (generate_codes(model, cells, batch=name)[1] for name in ("a", "b", None))
    asked = [None, *batches[1:].tolist()]
    found = generate_codes(model, cells, batch=asked)[1]
    np.testing.assert_allclose(found[1:160], in_a[1:160], rtol=0, atol=1e-4)
    np.testing.assert_allclose(found[160:], in_b[160:], rtol=0, atol=1e-4)
    np.testing.assert_allclose(found[0], in_none[0], rtol=0, atol=1e-4)


def test_fits_without_batches_know_of_none_whatever_the_configuration_names(
    cells: sparse.csr_matrix, without: DiffAug
) -> None:
    assert without.config_.batches.names == ()
    assert without.config_.encoder.n_projection == 16
    again = model_of(batches={"names": ["x", "y"]}).fit(cells, feature_names=NAMES)
    assert again.config_ == without.config_
    np.testing.assert_array_equal(again.transform(cells), without.transform(cells))


def test_how_many_rows_have_their_like_is_said(
    cells: sparse.csr_matrix, batches: NDArray[np.str_], caplog: pytest.LogCaptureFixture
) -> None:
    short: dict[str, Any] = {"train": {**SMALL["train"], "rounds": 0, "warmup_epochs": 1}}
    with caplog.at_level(logging.INFO, logger="diffaug_bio"):
        model_of(**short).fit(cells, batches=batches.tolist())
    assert "2 batches: " in caplog.text
    assert "% of the rows" in caplog.text


@pytest.mark.parametrize(
    ("batches", "message"),
    [
        (["a"] * 320, r"All 320 rows are of one batch, 'a'; there is nothing to bring together"),
        (["a", "b"], r"`batches` holds 2 values for 320 rows; give one for each row"),
    ],
    ids=["one batch", "wrong length"],
)
def test_batches_that_do_not_fit_are_refused(
    cells: sparse.csr_matrix, batches: list[str], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        model_of().fit(cells, batches=batches)


@pytest.mark.parametrize(
    ("batch", "message"),
    [
        ("c", r"The model knows no batch 'c'\. It was fitted on 'a', 'b'\."),
        (["a"] * 319 + ["c"], r"knows no batch 'c'"),
        (["a", "b"], r"`batch` holds 2 names for 320 rows; give one, or one for each row"),
    ],
    ids=["unknown", "one unknown", "wrong length"],
)
def test_a_batch_that_the_model_does_not_know_is_refused(
    cells: sparse.csr_matrix, model: DiffAug, batch: Any, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        generate_codes(model, cells, batch=batch)


def test_a_model_without_batches_generates_in_none(cells: sparse.csr_matrix, without: DiffAug) -> None:
    with pytest.raises(InputError, match=r"fitted without batches.*Fit it with `batch_key`"):
        generate_codes(without, cells, batch="a")


def test_what_has_no_principal_components_has_no_batches(cells: sparse.csr_matrix) -> None:
    message = (
        r"brought together by principal components of features\. Sequences, images and features without"
    )
    images = shifted_textures(20)
    with pytest.raises(InputError, match=message):
        model_of().fit(images, batches=["a", "b"] * 10)
    plain = model_of(features={"front_end": "none"})
    with pytest.raises(InputError, match=message):
        plain.fit(cells, batches=["a", "b"] * 160)
    tokens = np.array(
        [[" ACGT".index(x) - 1 if x in "ACGT" else 0 for x in one] for one in clustered_dna(20)]
    )
    letters = model_of(features={"input_state": "sequence"}, encoder={"kind": "cnn"})
    with pytest.raises(InputError, match=message):
        letters.fit(tokens.astype(np.uint8), batches=["a", "b"] * 10)
