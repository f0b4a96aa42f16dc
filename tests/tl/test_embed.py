"""`tl.embed` on AnnData."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import anndata
import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from diffaug_bio import DiffAug, tl
from diffaug_bio.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from anndata import AnnData
    from numpy.typing import NDArray

    from diffaug_bio import DiffAugConfig


def embedding_of(adata: AnnData, config: DiffAugConfig, **arguments: Any) -> NDArray[np.float32]:
    """Embed a copy and return the embedding alone."""
    changed = tl.embed(adata, config=config, device="cpu", copy=True, **arguments)
    assert changed is not None
    found: NDArray[np.float32] = changed.obsm["X_diffaug"]
    return found


def test_embedding_and_what_made_it_are_written(counts: AnnData, tiny_config: DiffAugConfig) -> None:
    assert tl.embed(counts, config=tiny_config, device="cpu") is None
    embedding = counts.obsm["X_diffaug"]
    assert embedding.shape == (120, 6)
    assert embedding.dtype == np.float32
    assert np.isfinite(embedding).all()
    record = counts.uns["diffaug"]
    assert set(record) == {"params", "version", "history"}
    params = json.loads(record["params"])
    assert params["config"] == tiny_config.for_kind("expression").to_dict()
    assert params["seed"] == 0
    assert {len(column) for column in record["history"].values()} == {len(record["history"]["loss"])}


def test_nothing_else_is_changed(counts: AnnData, tiny_config: DiffAugConfig) -> None:
    before = counts.copy()
    tl.embed(counts, config=tiny_config, device="cpu")
    assert sparse.issparse(counts.X)
    np.testing.assert_array_equal(counts.X.data, before.X.data)
    np.testing.assert_array_equal(counts.X.indices, before.X.indices)
    pd.testing.assert_frame_equal(counts.obs, before.obs)
    pd.testing.assert_frame_equal(counts.var, before.var)
    assert list(counts.obsm) == ["X_diffaug"]
    assert list(counts.uns) == ["diffaug"]
    assert not counts.layers


def test_the_embedding_is_that_of_the_estimator(counts: AnnData, tiny_config: DiffAugConfig) -> None:
    model = DiffAug(tiny_config, device="cpu", random_state=4).fit(counts.X)
    found = embedding_of(counts, tiny_config, random_state=4)
    np.testing.assert_array_equal(found, model.transform(counts.X))


def test_whole_numbers_of_numpy_are_widths(counts: AnnData, tiny_config: DiffAugConfig) -> None:
    width: Any = np.int64(5)
    assert embedding_of(counts, tiny_config, n_latent=width).shape == (120, 5)


@pytest.mark.parametrize(
    ("key", "uns_key"), [("X_mine", "mine"), ("mine", "mine")], ids=["with X_", "without X_"]
)
def test_key_added_names_both_places(
    counts: AnnData, tiny_config: DiffAugConfig, key: str, uns_key: str
) -> None:
    tl.embed(counts, config=tiny_config, device="cpu", key_added=key)
    assert list(counts.obsm) == [key]
    assert list(counts.uns) == [uns_key]


def test_copy_leaves_the_original_alone(counts: AnnData, tiny_config: DiffAugConfig) -> None:
    changed = tl.embed(counts, config=tiny_config, device="cpu", copy=True)
    assert changed is not None
    assert "X_diffaug" in changed.obsm
    assert not counts.obsm
    assert not counts.uns


def test_a_layer_is_embedded_in_place_of_x(counts: AnnData, tiny_config: DiffAugConfig) -> None:
    expected = embedding_of(counts, tiny_config)
    counts.layers["counts"] = counts.X.copy()
    counts.X = np.random.default_rng(0).normal(size=counts.shape)
    np.testing.assert_array_equal(embedding_of(counts, tiny_config, layer="counts"), expected)


def test_a_layer_is_embedded_where_there_is_no_x(counts: AnnData, tiny_config: DiffAugConfig) -> None:
    adata = anndata.AnnData(obs=counts.obs, var=counts.var, layers={"counts": counts.X})
    np.testing.assert_array_equal(
        embedding_of(adata, tiny_config, layer="counts"), embedding_of(counts, tiny_config)
    )
    with pytest.raises(InputError, match=r"has no `\.X`; name a layer, of which it has 'counts'"):
        tl.embed(adata, config=tiny_config)


def test_raw_is_embedded_in_place_of_x(counts: AnnData, tiny_config: DiffAugConfig) -> None:
    expected = embedding_of(counts, tiny_config)
    counts.raw = counts.copy()
    smaller = counts[:, :10].copy()
    np.testing.assert_array_equal(embedding_of(smaller, tiny_config, use_raw=True), expected)


@pytest.mark.parametrize("kind", ["array", "sparse", "frame"])
def test_a_representation_is_embedded_as_it_is(
    counts: AnnData, tiny_config: DiffAugConfig, kind: str
) -> None:
    values = np.random.default_rng(0).normal(3, 2, size=(120, 9)).astype(np.float32)
    counts.obsm["X_rep"] = {
        "array": values,
        "sparse": sparse.csr_matrix(values),
        "frame": pd.DataFrame(values, index=counts.obs_names, columns=[f"d{i}" for i in range(9)]),
    }[kind]
    found = embedding_of(counts, tiny_config, use_rep="X_rep")
    config = tiny_config.replace(features={"input_state": "representation"})
    np.testing.assert_array_equal(found, DiffAug(config, device="cpu").fit(values).transform(values))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"layer": "raw"}, r"'raw' in `\.layers`.*'counts', 'logged'"),
        ({"use_rep": "X_umap"}, r"'X_umap' in `\.obsm`.*'X_pca'"),
        ({"use_raw": True}, r"no `\.raw` in this AnnData; leave `use_raw` out"),
        (
            {"layer": "counts", "use_rep": "X_pca"},
            r"at most one of `layer`, `use_rep`, `use_raw`, `sequences` and `images`",
        ),
        (
            {"layer": "counts", "use_raw": True},
            r"at most one of `layer`, `use_rep`, `use_raw`, `sequences` and `images`",
        ),
    ],
    ids=["layer", "representation", "raw", "layer and representation", "layer and raw"],
)
def test_a_matrix_that_is_not_there_is_an_error(
    counts: AnnData, tiny_config: DiffAugConfig, arguments: dict[str, Any], message: str
) -> None:
    counts.layers["counts"] = counts.X
    counts.layers["logged"] = counts.X.log1p()
    counts.obsm["X_pca"] = np.ones((120, 3))
    with pytest.raises(InputError, match=message):
        tl.embed(counts, config=tiny_config, **arguments)
    assert list(counts.obsm) == ["X_pca"]


@pytest.mark.parametrize("arguments", [{"layer": "a"}, {"use_rep": "a"}], ids=["layer", "representation"])
def test_an_empty_place_is_said_to_hold_nothing(
    counts: AnnData, tiny_config: DiffAugConfig, arguments: dict[str, Any]
) -> None:
    with pytest.raises(InputError, match=r"holds nothing"):
        tl.embed(counts, config=tiny_config, **arguments)


@pytest.mark.filterwarnings("ignore::anndata.ImplicitModificationWarning")
def test_a_view_is_embedded_and_its_parent_left_alone(counts: AnnData, tiny_config: DiffAugConfig) -> None:
    view = counts[:50]
    tl.embed(view, config=tiny_config, device="cpu")
    assert view.obsm["X_diffaug"].shape == (50, 6)
    assert not counts.obsm
    assert not counts.uns
    expected = embedding_of(counts[:50].copy(), tiny_config)
    np.testing.assert_array_equal(view.obsm["X_diffaug"], expected)


@pytest.mark.parametrize(
    "container", [sparse.csc_matrix, sparse.csr_array, np.asarray], ids=["csc", "csr array", "dense"]
)
def test_the_container_of_x_does_not_matter(
    counts: AnnData, tiny_config: DiffAugConfig, container: type
) -> None:
    other = anndata.AnnData(X=container(counts.X.toarray()), obs=counts.obs, var=counts.var)
    np.testing.assert_array_equal(embedding_of(other, tiny_config), embedding_of(counts, tiny_config))
    assert isinstance(other.X, np.ndarray if container is np.asarray else container)


def test_what_is_written_survives_an_h5ad_file(
    counts: AnnData, tiny_config: DiffAugConfig, tmp_path: Path
) -> None:
    tl.embed(counts, config=tiny_config, device="cpu")
    counts.write_h5ad(tmp_path / "cells.h5ad")
    adata = anndata.read_h5ad(tmp_path / "cells.h5ad")
    np.testing.assert_array_equal(adata.obsm["X_diffaug"], counts.obsm["X_diffaug"])
    assert adata.uns["diffaug"]["params"] == counts.uns["diffaug"]["params"]
    assert adata.uns["diffaug"]["version"] == counts.uns["diffaug"]["version"]
    for name, column in counts.uns["diffaug"]["history"].items():
        np.testing.assert_array_equal(adata.uns["diffaug"]["history"][name], column)


@pytest.mark.parametrize("n_latent", [1, 3, 60])
def test_n_latent_wins_over_the_configuration(
    counts: AnnData, tiny_config: DiffAugConfig, n_latent: int
) -> None:
    assert embedding_of(counts, tiny_config, n_latent=n_latent).shape == (120, n_latent)


def test_a_negative_n_latent_is_an_error(counts: AnnData, tiny_config: DiffAugConfig) -> None:
    with pytest.raises(InputError, match=r"`n_latent` has to be at least 1, got -1"):
        tl.embed(counts, config=tiny_config, n_latent=-1)


def test_the_width_is_left_to_the_data(counts: AnnData, tiny_config: DiffAugConfig) -> None:
    config = tiny_config.replace(encoder={"n_latent": None})
    assert embedding_of(counts, config, n_latent=None).shape == (120, 128)
    measured = anndata.AnnData(np.random.default_rng(0).normal(5, 1, (60, 9)).astype(np.float32))
    assert embedding_of(measured, config, n_latent=None).shape == (60, 256)


def test_a_toml_file_is_a_configuration(
    counts: AnnData, tiny_config: DiffAugConfig, tmp_path: Path
) -> None:
    lines = []
    for section, values in tiny_config.to_dict().items():
        lines.append(f"[{section}]")
        lines += [f"{key} = {json.dumps(value)}" for key, value in values.items() if value is not None]
    (tmp_path / "tiny.toml").write_text("\n".join(lines))
    expected = embedding_of(counts, tiny_config)
    for path in (tmp_path / "tiny.toml", str(tmp_path / "tiny.toml")):
        found = tl.embed(counts, config=path, device="cpu", copy=True)
        assert found is not None
        np.testing.assert_array_equal(found.obsm["X_diffaug"], expected)


def test_a_configuration_file_that_is_not_there_is_an_error(counts: AnnData, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nowhere\.toml cannot be read"):
        tl.embed(counts, config=tmp_path / "nowhere.toml")


def test_an_unknown_preset_is_an_error(counts: AnnData) -> None:
    with pytest.raises(InputError, match="fast"):
        tl.embed(counts, config="fast")


@pytest.mark.parametrize(
    ("wrong", "remedy"),
    [
        (pd.DataFrame({"a": [1.0, 2.0, 3.0]}), "AnnData.*DataFrame.*DiffAug"),
        (np.zeros((3, 2)), "AnnData.*ndarray.*DiffAug"),
        ("cells.h5ad", r"AnnData.*io\.read"),
    ],
    ids=["data frame", "array", "path"],
)
@pytest.mark.parametrize("function", [tl.embed, tl.fit, tl.evaluate_generated, tl.project, tl.augment])
def test_what_is_no_anndata_is_refused_with_a_remedy(
    function: Callable[..., object], wrong: object, remedy: str
) -> None:
    arguments = () if function in {tl.embed, tl.fit} else ("nowhere",)
    with pytest.raises(InputError, match=remedy):
        function(wrong, *arguments)


def test_a_fit_returns_the_model_of_the_embedding(counts: AnnData, tiny_config: DiffAugConfig) -> None:
    other = counts.copy()
    model = tl.fit(counts, config=tiny_config, device="cpu")
    tl.embed(other, config=tiny_config, device="cpu")
    np.testing.assert_array_equal(counts.obsm["X_diffaug"], other.obsm["X_diffaug"])
    np.testing.assert_array_equal(counts.obsm["X_diffaug"], model.transform(counts.X))


def test_backed_data_are_an_error_that_says_what_to_do(
    counts: AnnData, tiny_config: DiffAugConfig, tmp_path: Path
) -> None:
    counts.write_h5ad(tmp_path / "cells.h5ad")
    backed = anndata.read_h5ad(tmp_path / "cells.h5ad", backed="r")
    with pytest.raises(InputError, match=r"backed by a file.*adata\.to_memory\(\)"):
        tl.embed(backed, config=tiny_config)
    backed.file.close()


@pytest.mark.filterwarnings("ignore:Variable names are not unique:UserWarning")
def test_repeated_gene_names_are_numbered_and_told(
    counts: AnnData, tiny_config: DiffAugConfig, caplog: pytest.LogCaptureFixture
) -> None:
    expected = embedding_of(counts, tiny_config)
    names = list(counts.var_names)
    counts.var_names = ["gene1", *names[1:]]
    np.testing.assert_array_equal(embedding_of(counts, tiny_config), expected)
    assert "1 feature names occur more than once and are numbered: 'gene1'" in caplog.text
    assert list(counts.var_names) == ["gene1", *names[1:]]


def test_embedding_twice_replaces_the_first(counts: AnnData, tiny_config: DiffAugConfig) -> None:
    tl.embed(counts, config=tiny_config, device="cpu")
    tl.embed(counts, config=tiny_config, device="cpu", n_latent=3, random_state=1)
    assert counts.obsm["X_diffaug"].shape == (120, 3)
    assert json.loads(counts.uns["diffaug"]["params"])["seed"] == 1
