"""Data with a split of their own: nothing is fitted on test rows, and they are what is scored."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest

from diffaug_bio import DiffAug, metrics, tl
from diffaug_bio.choose.split import choose_split, resolve_split_key
from diffaug_bio.errors import InputError
from diffaug_bio.model.quality import score_generated
from diffaug_bio.model.source import MatrixChoice

if TYPE_CHECKING:
    from pathlib import Path

    from anndata import AnnData
    from numpy.typing import NDArray

    from diffaug_bio import DiffAugConfig

PARTS = np.array((["train"] * 3 + ["test"] + ["validation"]) * 24)
TRAIN, TEST = np.flatnonzero(PARTS == "train"), np.flatnonzero(PARTS == "test")
FITTED = np.flatnonzero(PARTS != "test")


@pytest.fixture
def parted(counts: AnnData) -> AnnData:
    """`counts` with 72 rows to train on, 24 to test and 24 of another kind."""
    counts.obs["split"] = pd.Categorical(PARTS)
    return counts


def wild(adata: AnnData, rows: NDArray[np.int64]) -> AnnData:
    """Change values, labels and order of some rows, and make one of them an outlier."""
    changed = adata.copy()
    dense = changed.X.toarray()
    dense[rows] = dense[rows][::-1, ::-1]
    dense[rows[0]] = 10_000
    changed.X = type(adata.X)(dense)
    labels = changed.obs["cluster"].to_numpy(dtype=object)
    labels[rows] = "c0"
    changed.obs["cluster"] = pd.Categorical(labels)
    return changed


def weights(model: DiffAug) -> dict[str, NDArray[np.generic]]:
    return dict(model.record().arrays)


def test_test_rows_change_neither_the_model_nor_the_embedding_of_other_rows(
    parted: AnnData, tiny_config: DiffAugConfig
) -> None:
    changed = wild(parted, TEST)
    models = [
        tl.fit(adata, config=tiny_config, split_key="split", device="cpu") for adata in (parted, changed)
    ]
    first, second = map(weights, models)  # preprocessing and networks, the generator's too
    assert set(first) == set(second)
    for name, values in first.items():
        np.testing.assert_array_equal(second[name], values, err_msg=name)
    assert models[0].record().preprocessing == models[1].record().preprocessing
    found, other = (adata.obsm["X_diffaug"] for adata in (parted, changed))
    np.testing.assert_array_equal(other[FITTED], found[FITTED])
    assert not np.array_equal(other[TEST], found[TEST])


@pytest.mark.parametrize("rows", [TRAIN, np.flatnonzero(PARTS == "validation")], ids=["train", "other"])
def test_all_other_rows_are_fitted(
    parted: AnnData, tiny_config: DiffAugConfig, rows: NDArray[np.int64]
) -> None:
    first, second = (
        weights(tl.fit(adata, config=tiny_config, split_key="split", device="cpu"))
        for adata in (parted, wild(parted, rows))
    )
    assert any(not np.array_equal(first[name], second[name]) for name in first)


def test_the_fit_is_that_of_the_other_rows_alone(parted: AnnData, tiny_config: DiffAugConfig) -> None:
    alone = DiffAug(tiny_config, device="cpu").fit(parted.X[FITTED])
    tl.embed(parted, config=tiny_config, split_key="split", device="cpu")
    assert parted.obsm["X_diffaug"].shape == (120, 6)
    np.testing.assert_array_equal(parted.obsm["X_diffaug"], alone.transform(parted.X))
    assert list(parted.obs["split"]) == list(PARTS)


@pytest.mark.parametrize("place", ["layer", "use_rep", "use_raw"])
def test_every_matrix_can_be_fitted_by_a_split(
    parted: AnnData, tiny_config: DiffAugConfig, place: str
) -> None:
    expected = tl.embed(parted, config=tiny_config, split_key="split", device="cpu", copy=True)
    assert expected is not None
    parted.layers["counts"], parted.raw = parted.X.copy(), parted.copy()
    parted.obsm["X_dense"] = parted.X.toarray()
    parted.X = None
    given: dict[str, Any] = {"layer": "counts", "use_rep": "X_dense", "use_raw": True}
    tl.embed(parted, config=tiny_config, split_key="split", device="cpu", **{place: given[place]})
    found = parted.obsm["X_diffaug"]
    assert found.shape == (120, 6)
    if place != "use_rep":  # a representation is taken as it is
        np.testing.assert_array_equal(found, expected.obsm["X_diffaug"])


def test_lengths_of_test_sequences_decide_nothing(
    letters_config: DiffAugConfig, caplog: pytest.LogCaptureFixture
) -> None:
    from diffaug_bio import io
    from tests.conftest import clustered_dna

    config = letters_config.replace(encoder={"kind": "auto"})
    letters = clustered_dna()
    obs = pd.DataFrame({"split": (["train"] * 4 + ["test"]) * 18}, index=[f"s{n}" for n in range(90)])
    same = io.from_sequences(letters, obs=obs, names=list(obs.index))
    longer = [one + "ACGTTGCA" * (n % 5 == 4) for n, one in enumerate(letters)]
    different = io.from_sequences(longer, obs=obs, names=list(obs.index))
    with caplog.at_level(logging.INFO, logger="diffaug_bio"):
        models = [
            tl.fit(adata, config=config, split_key="split", device="cpu") for adata in (same, different)
        ]
    assert (
        caplog.messages.count("The sequences are of one length: the encoder is 'cnn', on their letters.")
        == 2
    )
    assert (
        "18 sequences are longer than the 40 letters of the model: their ends are left out."
        in caplog.messages
    )
    assert [model.n_features_in_ for model in models] == [40, 40]
    np.testing.assert_array_equal(different.obsm["X_diffaug"], same.obsm["X_diffaug"])


def test_probes_are_trained_on_training_rows_and_scored_on_test_rows(parted: AnnData) -> None:
    rng = np.random.default_rng(0)
    parted.obsm["X_noise"] = rng.normal(size=(120, 5)).astype(np.float32)
    table = tl.evaluate(parted, "cluster", use_rep="X_noise", split_key="split")
    labels = np.asarray(parted.obs["cluster"].astype(str), np.str_)
    expected = metrics.evaluate(parted.obsm["X_noise"], labels, splits=[(TRAIN, TEST)])
    assert table.loc["X_noise"].to_dict() == expected
    assert expected["linear_probe_spread"] == 0
    # Rows of neither kind take no part.
    others = np.flatnonzero(PARTS == "validation")
    parted.obsm["X_noise"][others] = 1e6
    parted.obs["cluster"] = parted.obs["cluster"].where(PARTS != "validation")
    again = tl.evaluate(parted, "cluster", use_rep="X_noise", split_key="split")
    pd.testing.assert_frame_equal(again, table, check_exact=True)
    assert not tl.evaluate(parted[FITTED[:90]], "cluster", use_rep="X_noise").equals(table)


def test_a_class_needs_two_training_rows_and_a_test_row(
    parted: AnnData, caplog: pytest.LogCaptureFixture
) -> None:
    labels = parted.obs["cluster"].to_numpy(dtype=object)
    labels[TRAIN[:3]], labels[TEST[:1]] = "few", "few"
    labels[TRAIN[3:5]], labels[TEST[1]] = "enough", "enough"
    labels[TRAIN[0]], labels[TRAIN[1]] = "one", "one"  # "one" has no test row, "few" one training row
    labels[TRAIN[-1]] = None
    parted.obs["kind"] = labels
    parted.obsm["X_dense"] = parted.X.toarray()
    with caplog.at_level(logging.INFO, logger="diffaug_bio"):
        table = tl.evaluate(parted, "kind", use_rep="X_dense", split_key="split")
    assert np.isfinite(table.loc["X_dense"].to_numpy()).all()
    missing, rare = caplog.messages
    assert missing == "1 rows without a label in 'kind' are not scored."
    assert rare.startswith("4 rows are not scored: their class in 'kind' has fewer than 2 training rows")
    assert rare.endswith(" or no test row ('few', 'one').")


def test_the_smallest_split_can_be_scored(parted: AnnData) -> None:
    small = parted[[0, 1, 40, 41, 3, 43]].copy()
    small.obs["split"] = ["train"] * 4 + ["test"] * 2
    small.obsm["X_dense"] = small.X.toarray()
    table = tl.evaluate(small, "cluster", use_rep="X_dense", split_key="split")
    assert np.isfinite(table.loc["X_dense"].to_numpy()).all()
    with pytest.raises(InputError, match=r"none occurs at least 5 times"):
        tl.evaluate(small, "cluster", use_rep="X_dense")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (None, r"no split column 'part' in `\.obs`; it holds 'cluster', 'split'"),
        (["train"] * 120, r"'part' has no row 'test'; it holds 'train'\. A split needs 'train' and 'test'"),
        (["Train", "test"] * 60, r"'part' has no row 'train'; it holds 'Train', 'test'"),
        ([0, 1] * 60, r"'part' has no row 'train' and no row 'test'; it holds '0', '1'"),
        (
            ["train", "test", None] * 40,
            r"40 rows have no value in .* 'part', the first 'cell2'",
        ),
    ],
    ids=["no column", "no test", "no train", "numbers", "missing"],
)
@pytest.mark.parametrize("categorical", [False, True], ids=["text", "categories"])
def test_a_split_that_cannot_be_used_is_an_error(
    parted: AnnData,
    tiny_config: DiffAugConfig,
    values: list[object] | None,
    message: str,
    *,
    categorical: bool,
) -> None:
    if values is not None:
        parted.obs["part"] = pd.Categorical(values) if categorical else pd.Series(values, parted.obs_names)
    parted.obsm["X_dense"] = parted.X.toarray()
    with pytest.raises(InputError, match=message):
        tl.embed(parted, config=tiny_config, split_key="part", device="cpu")
    with pytest.raises(InputError, match=message):
        tl.evaluate(parted, "cluster", use_rep="X_dense", split_key="part")


def test_groups_and_a_split_are_an_error_that_names_both(parted: AnnData) -> None:
    parted.obsm["X_dense"] = parted.X.toarray()
    with pytest.raises(InputError, match=r"`group_key` 'donor' and `split_key` 'split' .* Give one"):
        tl.evaluate(parted, "cluster", use_rep="X_dense", group_key="donor", split_key="split")


@pytest.mark.parametrize(
    ("asked", "column", "group_key", "expected"),
    [
        ("auto", PARTS, None, "split"),
        ("auto", PARTS, "donor", None),
        ("auto", np.array(["train"] * 120), None, None),
        ("auto", np.arange(120) % 2, None, None),
        ("auto", None, None, None),
        ("none", PARTS, None, None),
        (None, PARTS, None, None),
        ("split", PARTS, None, "split"),
    ],
    ids=["there", "groups", "train only", "numbers", "no column", "none", "None", "named"],
)
def test_the_split_of_the_data_is_found_and_said(
    counts: AnnData,
    caplog: pytest.LogCaptureFixture,
    asked: str | None,
    column: NDArray[np.generic] | None,
    group_key: str | None,
    expected: str | None,
) -> None:
    if column is not None:
        counts.obs["split"] = column
    with caplog.at_level(logging.INFO, logger="diffaug_bio"):
        assert resolve_split_key(counts, asked, group_key=group_key) == expected
    used = (
        "The own split of the data (column 'split') is used: 72 rows to train on, 24 to test, 24 to fit "
        "that are neither (`split_key` 'none' uses all rows alike)."
    )
    unused = (
        "The own split of the data (column 'split') is not used: rows of a group are kept together instead."
    )
    assert caplog.messages == [used] * (expected is not None) + [unused] * (group_key is not None)


def test_without_a_key_there_is_no_split(parted: AnnData, tiny_config: DiffAugConfig) -> None:
    assert choose_split(parted, None) is None
    model = tl.fit(parted, config=tiny_config, device="cpu")
    assert model.source_["split_key"] is None
    np.testing.assert_array_equal(
        parted.obsm["X_diffaug"], DiffAug(tiny_config, device="cpu").fit_transform(parted.X)
    )


def test_generated_rows_are_scored_on_the_rows_that_were_fitted(
    parted: AnnData, tiny_config: DiffAugConfig, tmp_path: Path
) -> None:
    # A fifth of the 96 rows is held out while training, and told by position: enough to see copies by.
    config = tiny_config.replace(train={"validation_fraction": 0.2})
    model = tl.fit(parted, config=config, split_key="split", device="cpu")
    found = tl.evaluate_generated(parted, model, label_key="cluster")
    assert "memorised" in found
    labels = np.asarray(parted.obs["cluster"].astype(str), np.str_)
    expected = score_generated(
        model, parted.X[FITTED], labels=labels[FITTED], scored=PARTS[FITTED] == "train", seed=0
    )
    assert found == expected
    changed = wild(parted, TEST)
    changed.obs["cluster"] = parted.obs["cluster"]
    assert tl.evaluate_generated(changed, model, label_key="cluster") == found
    model.save(tmp_path / "model")
    loaded = DiffAug.load(tmp_path / "model", device="cpu")
    assert loaded.source_ == model.source_
    assert tl.evaluate_generated(parted, loaded, label_key="cluster") == pytest.approx(found)
    del parted.obs["split"]
    with pytest.raises(InputError, match=r"no split column 'split' in `\.obs`"):
        tl.evaluate_generated(parted, loaded)


def test_a_model_of_an_older_version_was_fitted_on_all_rows(
    parted: AnnData, tiny_config: DiffAugConfig
) -> None:
    model = tl.fit(parted, config=tiny_config, device="cpu")
    expected = tl.evaluate_generated(parted, model)
    del model.source_["split_key"]
    assert tl.evaluate_generated(parted, model) == expected
    tl.project(parted, model)
    assert MatrixChoice.from_dict(model.source_) == MatrixChoice()


def test_new_data_need_no_split(parted: AnnData, tiny_config: DiffAugConfig) -> None:
    model = tl.fit(parted, config=tiny_config, split_key="split", device="cpu")
    new = parted[:50].copy()
    del new.obs["split"]
    tl.project(new, model)
    # As for all rows, but for the rounding of another batch.
    np.testing.assert_allclose(new.obsm["X_diffaug"], parted.obsm["X_diffaug"][:50], rtol=1e-4, atol=1e-5)
