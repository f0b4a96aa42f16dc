"""`tl.project`: new observations into an embedding that is there."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from scipy import sparse

from diffaug_bio import DiffAug, tl
from diffaug_bio.choose.results import write_embedding
from diffaug_bio.errors import CheckpointError, InputError
from diffaug_bio.model.source import MatrixChoice
from diffaug_bio.tl import fit

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from anndata import AnnData

    from diffaug_bio import DiffAugConfig


def test_projecting_the_training_data_gives_their_embedding(
    counts: AnnData, tiny_config: DiffAugConfig
) -> None:
    model = fit(counts, config=tiny_config, device="cpu")
    embedding = counts.obsm["X_diffaug"].copy()
    tl.project(counts, model, key_added="X_again")
    np.testing.assert_array_equal(counts.obsm["X_again"], embedding)
    assert counts.uns["again"]["params"] == counts.uns["diffaug"]["params"]


def test_an_embedding_that_is_not_finite_is_never_written(counts: AnnData, fitted: DiffAug) -> None:
    embedding = fitted.transform(counts.X)
    embedding[3, 1] = np.nan
    with pytest.raises(InputError, match=r"not finite for 1 of \d+ rows, first for row 3"):
        write_embedding(counts, embedding, key_added="X_new", model=fitted, choice=MatrixChoice())
    assert "X_new" not in counts.obsm


def test_a_saved_model_is_projected_with_by_its_folder(
    counts: AnnData, fitted: DiffAug, tmp_path: Path
) -> None:
    fitted.save(tmp_path / "run" / "model")
    expected = fitted.transform(counts.X)
    for folder in (tmp_path / "run" / "model", str(tmp_path / "run")):
        assert tl.project(counts, folder, device="cpu") is None
        np.testing.assert_allclose(counts.obsm["X_diffaug"], expected, atol=1e-6)
        assert counts.obsm["X_diffaug"].dtype == np.float32


def test_what_made_the_embedding_is_written(counts: AnnData, fitted: DiffAug) -> None:
    tl.project(counts, fitted)
    assert set(counts.uns["diffaug"]) == {"params", "version", "history"}
    assert json.loads(counts.uns["diffaug"]["params"])["seed"] == 0


def test_copy_leaves_the_original_alone(counts: AnnData, fitted: DiffAug) -> None:
    changed = tl.project(counts, fitted, copy=True, key_added="X_new")
    assert changed is not None
    assert list(changed.obsm) == ["X_new"]
    assert not counts.obsm
    assert not counts.uns


def test_genes_are_matched_by_name(counts: AnnData, fitted: DiffAug) -> None:
    tl.project(counts, fitted)
    shuffled = counts[:, np.random.default_rng(0).permutation(40)].copy()
    tl.project(shuffled, fitted)
    np.testing.assert_array_equal(shuffled.obsm["X_diffaug"], counts.obsm["X_diffaug"])


def test_columns_in_csc_are_projected_alike(counts: AnnData, fitted: DiffAug) -> None:
    tl.project(counts, fitted)
    other = counts.copy()
    other.X = sparse.csc_matrix(counts.X)
    tl.project(other, fitted)
    np.testing.assert_array_equal(other.obsm["X_diffaug"], counts.obsm["X_diffaug"])


def test_data_are_read_from_where_the_model_was_fitted(
    counts: AnnData, tiny_config: DiffAugConfig, tmp_path: Path
) -> None:
    counts.layers["counts"] = counts.X.copy()
    counts.X = counts.X.log1p()
    model = fit(counts, config=tiny_config, layer="counts", device="cpu")
    embedding = counts.obsm["X_diffaug"].copy()
    model.save(tmp_path / "model")
    tl.project(counts, tmp_path / "model", device="cpu")
    np.testing.assert_allclose(counts.obsm["X_diffaug"], embedding, atol=1e-6)
    del counts.layers["counts"]
    with pytest.raises(InputError, match=r"no layer 'counts'"):
        tl.project(counts, model)


def test_a_layer_that_is_named_wins(counts: AnnData, fitted: DiffAug) -> None:
    counts.layers["counts"] = counts.X.copy()
    counts.X = counts.X * 0
    tl.project(counts, fitted, layer="counts")
    np.testing.assert_array_equal(counts.obsm["X_diffaug"], fitted.transform(counts.layers["counts"]))


def test_other_genes_are_an_error_and_change_nothing(counts: AnnData, fitted: DiffAug) -> None:
    counts.var_names = [f"ENSG{i}" for i in range(40)]
    with pytest.raises(InputError, match=r"do the kinds of names agree\?"):
        tl.project(counts, fitted)
    assert not counts.obsm


def test_a_folder_without_a_model_is_an_error(counts: AnnData, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"is not a model folder"):
        tl.project(counts, tmp_path)


def test_data_without_rows_are_embedded_as_such_and_are_no_sources(
    counts: AnnData, fitted: DiffAug
) -> None:
    nothing = counts[:0].copy()
    tl.project(nothing, fitted)
    assert nothing.obsm["X_diffaug"].shape == (0, 6)
    with pytest.raises(InputError, match="The data have no rows to generate from"):
        tl.augment(counts[:0].copy(), fitted)


@pytest.mark.parametrize("model", [3, None, {}], ids=["number", "nothing", "table"])
def test_what_is_neither_a_model_nor_a_folder_is_refused(counts: AnnData, model: Any) -> None:
    calls: list[Callable[[], object]] = [
        lambda: tl.project(counts, model),
        lambda: tl.augment(counts, model),
        lambda: tl.correct_expression(counts, model, batch="a"),
    ]
    for call in calls:
        with pytest.raises(InputError, match=r"`model` has to be a fitted `DiffAug`, or the path .*, got"):
            call()
