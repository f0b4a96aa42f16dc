"""Embeddings are drawn whatever the data hold, and the data stay as they are."""

from __future__ import annotations

import logging
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import anndata
import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.colors import same_color, to_hex, to_rgb
from scipy import sparse

import diffaug_bio as db
from diffaug_bio.errors import InputError
from diffaug_bio.pl._palette import class_colors

if TYPE_CHECKING:
    from pathlib import Path

    from anndata import AnnData
    from numpy.typing import NDArray


def contents(adata: AnnData) -> dict[str, Any]:
    """Names of all that an AnnData holds, and the types of its columns."""
    return {
        "obs": dict(adata.obs.dtypes.astype(str)),
        "uns": sorted(adata.uns),
        "obsm": sorted(adata.obsm),
        "obsp": sorted(adata.obsp),
    }


def dots(ax: Axes | list[Axes] | None) -> NDArray[np.float64]:
    """Coordinates of the dots of a panel, in the order of drawing."""
    assert isinstance(ax, Axes)
    [collection] = ax.collections
    return np.asarray(collection.get_offsets())


def legend_of(ax: Axes | list[Axes] | None) -> dict[str, str]:
    """Labels of a legend and their colours."""
    assert isinstance(ax, Axes)
    legend = ax.get_legend()
    assert legend is not None
    handles = [handle.get_color() for handle in legend.legend_handles]  # type: ignore[union-attr]
    texts = [text.get_text() for text in legend.get_texts()]
    return {text: to_hex(color) for text, color in zip(texts, handles, strict=True) if color != "none"}


def test_all_rows_are_drawn_at_the_coordinates_that_are_there(points: AnnData) -> None:
    drawn = dots(db.pl.embedding(points, color="kind"))
    assert len(drawn) == 120
    expected = points.obsm["X_umap_diffaug"]
    assert np.allclose(drawn[np.lexsort(drawn.T)], expected[np.lexsort(expected.T)])


def test_rows_of_classes_are_drawn_in_a_random_order_that_the_seed_decides(points: AnnData) -> None:
    first, again, other = (
        dots(db.pl.embedding(points, color="kind", random_state=seed)) for seed in (0, 0, 1)
    )
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    assert not np.array_equal(first, points.obsm["X_umap_diffaug"])


@pytest.mark.parametrize(
    "color",
    ["kind", "text", "some", "flag", "one", "nothing", "number", "gaps", "whole", "gene0", "gene3", None],
)
@pytest.mark.parametrize("density", [False, True], ids=["dots", "density"])
def test_anything_colors_a_view_and_changes_nothing(
    points: AnnData,
    color: str | None,
    density: bool,  # noqa: FBT001
) -> None:
    view = points[:100]
    before, of_all = contents(view), contents(points)
    ax = db.pl.embedding(view, color=color, density=density)
    assert isinstance(ax, Axes)
    assert ax.get_title() == (color or "")
    assert view.is_view
    assert contents(view) == before
    assert contents(points) == of_all


def test_umap_for_the_moment_leaves_a_view_a_view(points: AnnData) -> None:
    bare = points.copy()
    del bare.obsm["X_umap_diffaug"]
    view = bare[:60]
    before = contents(view)
    assert len(dots(db.pl.embedding(view, color="text"))) == 60
    assert view.is_view
    assert contents(view) == before


def test_of_many_rows_a_sample_is_laid_out_which_title_and_log_say(
    points: AnnData, caplog: pytest.LogCaptureFixture
) -> None:
    bare = points.copy()
    del bare.obsm["X_umap_diffaug"]
    with caplog.at_level(logging.INFO, logger="diffaug_bio"):
        ax = db.pl.embedding(bare, color="kind", max_obs=50)
    assert len(dots(ax)) == 50
    assert isinstance(ax, Axes)
    assert ax.get_title() == "kind\n(50 of 120 rows)"
    assert "UMAP of 50 of 120 rows" in caplog.text
    assert "tl.umap(adata, use_rep='X_diffaug')" in caplog.text


def test_a_basis_of_two_columns_needs_no_umap_and_no_prefix(points: AnnData) -> None:
    flat = points.copy()
    flat.obsm["X_pca"] = flat.obsm["X_diffaug"][:, 2:4]
    ax = db.pl.embedding(flat, basis="pca")
    assert isinstance(ax, Axes)
    assert sorted(map(tuple, dots(ax))) == sorted(map(tuple, flat.obsm["X_pca"].astype(float)))
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("PC1", "PC2")


def test_rows_without_finite_coordinates_are_left_out_and_counted(points: AnnData) -> None:
    holed = points.copy()
    holed.obsm["X_umap_diffaug"][:20] = np.nan
    ax = db.pl.embedding(holed, color="kind")
    assert len(dots(ax)) == 100
    assert isinstance(ax, Axes)
    assert "100 of 120 rows" in ax.get_title()


def test_several_colors_get_a_panel_each(points: AnnData) -> None:
    axes = db.pl.embedding(points, color=["kind", "gene0", None, "flag"], ncols=2, title=list("abcd"))
    assert isinstance(axes, list)
    assert [ax.get_title() for ax in axes] == list("abcd")
    one = db.pl.embedding(points, color=["kind"])
    assert isinstance(one, list)
    assert len(one) == 1


def test_classes_without_a_value_are_named_in_the_legend(points: AnnData) -> None:
    assert list(legend_of(db.pl.embedding(points, color="some"))) == ["c0", "c1", "c2", "NA"]
    assert list(legend_of(db.pl.embedding(points, color="nothing"))) == ["NA"]
    assert list(legend_of(db.pl.embedding(points, color="flag"))) == ["False", "True"]
    ax = db.pl.embedding(points, color="kind", legend_loc=None)
    assert isinstance(ax, Axes)
    assert ax.get_legend() is None


def test_of_two_hundred_classes_the_largest_are_listed(points: AnnData) -> None:
    many = anndata.AnnData(
        obs=pd.DataFrame(
            {"type": [f"type {number % 200}" for number in range(1000)] + ["type 7"] * 50},
            index=[str(number) for number in range(1050)],
        ),
        obsm={"X_diffaug": np.random.default_rng(0).normal(size=(1050, 2))},
    )
    ax = db.pl.embedding(many, color="type")
    assert isinstance(ax, Axes)
    legend = ax.get_legend()
    assert legend is not None
    labels = [text.get_text() for text in legend.get_texts()]
    assert len(labels) == 40
    assert "type 7" in labels
    assert labels[-1] == "161 smaller classes"
    figure = ax.get_figure(root=True)
    assert figure is not None
    figure.draw_without_rendering()
    assert legend.get_window_extent().y0 >= 0
    assert legend.get_window_extent().x1 <= figure.bbox.x1 + 1


def test_a_class_named_na_stands_beside_rows_without_a_class(points: AnnData) -> None:
    named = points.copy()
    named.obs["some"] = pd.Categorical(["NA", "x", None] * 40)
    found = legend_of(db.pl.embedding(named, color="some"))
    assert list(found) == ["NA", "x", "without a class"]
    assert len(set(found.values())) == 3


def test_a_number_and_its_text_are_two_classes(points: AnnData) -> None:
    mixed = points.copy()
    mixed.obs["some"] = pd.Categorical([1, "1"] * 60, categories=[1, "1"])
    ax = db.pl.embedding(mixed, color="some")
    assert isinstance(ax, Axes)
    legend = ax.get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == ["1", "1"]


def test_a_class_of_which_no_row_is_drawn_is_not_named(points: AnnData) -> None:
    rare = points.copy()
    rare.obs["kind"] = pd.Categorical(["rare", *["a", "b"] * 59, "a"])
    rare.obsm["X_umap_diffaug"][0] = np.nan
    assert list(legend_of(db.pl.embedding(rare, color="kind"))) == ["a", "b"]
    ax = db.pl.embedding(rare, color="kind", legend_loc="on data")
    assert isinstance(ax, Axes)
    assert [text.get_text() for text in ax.texts] == ["a", "b"]


def test_names_with_signs_of_mathtext_are_drawn_as_they_are(points: AnnData, figures: Path) -> None:
    signs = points.copy()
    signs.obs["$x_{$"] = pd.Categorical(["$a_{$", "b"] * 60)
    _, panel = plt.subplots()
    for choice in ({}, {"legend_loc": "on data"}, {"ax": panel}):
        db.pl.embedding(signs, color="$x_{$", save=figures / "signs.png", **choice)
    ax = db.pl.embedding(points, color="kind", title="$R^2$")
    assert isinstance(ax, Axes)
    assert ax.title.get_parse_math()


def test_sparse_coordinates_and_embeddings_are_drawn_as_dense_ones_are(points: AnnData) -> None:
    for kept in (points.obsm["X_umap_diffaug"], points.obsm["X_diffaug"]):
        dense = anndata.AnnData(obs=points.obs, obsm={"X_one": kept})
        thin = anndata.AnnData(obs=points.obs, obsm={"X_one": sparse.csr_matrix(kept)})
        first, second = (
            dots(db.pl.embedding(one, basis="one", color="kind", max_obs=50)) for one in (dense, thin)
        )
        assert np.array_equal(first, second)


def test_names_on_the_data_stand_apart(points: AnnData) -> None:
    close = points.copy()
    close.obsm["X_umap_diffaug"] = np.random.default_rng(0).normal(size=(120, 2))
    ax = db.pl.embedding(close, color="kind", legend_loc="on data")
    assert isinstance(ax, Axes)
    figure = ax.get_figure(root=True)
    assert figure is not None
    figure.draw_without_rendering()
    boxes = sorted((text.get_window_extent() for text in ax.texts), key=lambda box: box.y0)
    assert [text.get_text() for text in ax.texts] == ["c0", "c1", "c2"]
    assert all(low.y0 + 0.8 * low.height < high.y0 for low, high in pairwise(boxes))


def test_colors_that_scanpy_keeps_stay_with_their_classes(points: AnnData) -> None:
    kept = points.copy()
    kept.uns["kind_colors"] = ["#111111", "#222222", "#333333"]
    assert legend_of(db.pl.embedding(kept, color="kind"))["c1"] == "#222222"
    assert legend_of(db.pl.embedding(kept[kept.obs["kind"] != "c0"], color="kind")) == {
        "c1": "#222222",
        "c2": "#333333",
    }
    kept.uns["kind_colors"] = mpl.colormaps["tab10"](range(3))  # red, green, blue and opacity of each
    assert legend_of(db.pl.embedding(kept, color="kind"))["c1"] == to_hex(mpl.colormaps["tab10"](1))
    kept.uns["kind_colors"] = np.ones(12)
    assert legend_of(db.pl.embedding(kept, color="kind"))["c0"] == to_hex(class_colors(3)[0])
    kept.uns["kind_colors"] = ["no color", "#222222", "#333333"]
    assert legend_of(db.pl.embedding(kept, color="kind"))["c0"] == to_hex(class_colors(3)[0])


@pytest.mark.parametrize(
    "palette",
    [["red", "lime", "blue"], {"c2": "blue", "c0": "red", "c1": "lime"}],
    ids=["list", "by class"],
)
def test_a_palette_is_taken(points: AnnData, palette: Any) -> None:
    found = legend_of(db.pl.embedding(points, color="kind", palette=palette))
    assert found == {"c0": "#ff0000", "c1": "#00ff00", "c2": "#0000ff"}


def test_a_palette_may_be_a_colormap_of_matplotlib(points: AnnData) -> None:
    found = legend_of(db.pl.embedding(points, color="kind", palette="tab20"))
    assert list(found.values()) == [to_hex(mpl.colormaps["tab20"](number)) for number in range(3)]


def test_genes_come_from_raw_the_matrix_or_a_layer_as_in_scanpy(points: AnnData) -> None:
    def shown(color: str, **choice: Any) -> NDArray[np.float64]:
        ax = db.pl.embedding(points, color=color, sort_order=False, **choice)
        assert isinstance(ax, Axes)
        return np.asarray(ax.collections[0].get_array())

    assert np.array_equal(shown("gene0", layer="double"), 2 * shown("gene0"))
    assert np.array_equal(shown("gene3"), shown("Z", gene_symbols="symbol", use_raw=False))


def test_limits_of_colors_are_numbers_or_percentiles(points: AnnData) -> None:
    ax = db.pl.embedding(points, color="number", vmin="p10", vmax=1.5)
    assert isinstance(ax, Axes)
    assert ax.collections[0].get_clim() == pytest.approx((np.percentile(points.obs["number"], 10), 1.5))


def test_density_has_the_mean_color_of_a_place_and_its_logarithm(points: AnnData) -> None:
    coordinates = np.repeat([[0.0, 0.0], [1.0, 1.0]], [6, 2], axis=0)
    kinds = pd.Categorical(["a"] * 3 + ["b"] * 3 + ["b", None])
    few = anndata.AnnData(
        obs=pd.DataFrame({"kind": kinds}, index=[str(number) for number in range(8)]),
        obsm={"X_diffaug": coordinates},
    )
    ax = db.pl.embedding(few, color="kind", density=True, palette=["#ff0000", "#0000ff"])
    assert isinstance(ax, Axes)
    assert not ax.collections
    picture = np.asarray(ax.images[0].get_array())
    seen = picture[picture[..., 3] > 0]
    assert np.allclose(
        seen[:, :3], [[0.5, 0, 0.5], to_rgb("#0000ff")]
    )  # the row without a class tints none
    assert seen[0, 3] == pytest.approx(1.0, abs=0.01)
    assert 0.35 < seen[1, 3] < seen[0, 3]


def test_a_million_rows_are_a_picture() -> None:
    rng = np.random.default_rng(0)
    label = rng.integers(3, size=1_000_000)
    adata = anndata.AnnData(
        obs=pd.DataFrame(
            {"kind": pd.Categorical.from_codes(label, pd.Index(list("abc")))},
            index=pd.RangeIndex(len(label)).astype(str),
        ),
        obsm={"X_umap_diffaug": rng.normal(size=(len(label), 2)).astype(np.float32)},
    )
    ax = db.pl.embedding(adata, color="kind")
    assert isinstance(ax, Axes)
    assert len(ax.images) == 1
    assert not ax.collections
    assert list(legend_of(ax)) == list("abc")


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        (
            {"basis": "X_other"},
            r"no 'X_other' in `\.obsm`; it holds 'X_diffaug'.*tl\.embed\(adata\)` first",
        ),
        ({"color": "knd"}, r"`color` 'knd' is neither a column of `\.obs`, which holds 'kind'.*nor a gene"),
        ({"color": "gene0", "layer": "half"}, r"no layer 'half'; `\.layers` holds 'double'"),
        (
            {"color": "gene0", "layer": "double", "use_raw": True},
            "`use_raw` takes genes from `.raw`, but a layer",
        ),
        ({"color": "kind", "palette": ["red"]}, "`palette` has 1 colours for 3 classes"),
        ({"color": "kind", "palette": {"c0": "red"}}, "`palette` has no colour for 'c1', 'c2'"),
        ({"color": "kind", "palette": "okabe"}, "no colormap 'okabe'"),
        (
            {"color": "kind", "palette": ["red", "reddish", "blue"]},
            "'reddish', which matplotlib does not know",
        ),
        (
            {"color": "number", "vmax": "high"},
            "`vmax` is a number, or a percentile such as 'p99'; got 'high'",
        ),
        ({"color": "number", "cmap": "nope"}, "`cmap` is 'nope', which matplotlib does not know"),
        ({"na_color": "nope"}, "`na_color` is 'nope'"),
        ({"size": 0}, "`size` is the area of a dot, above 0; got 0"),
        ({"alpha": 7}, "`alpha` is an opacity from 0 to 1; got 7"),
        ({"legend_loc": "upper left"}, "`legend_loc` is 'upper left'; choose one of auto"),
        ({"color": ["kind", "flag"], "title": "one"}, "`title` has 1 titles for 2 panels"),
        ({"max_obs": 0}, "`max_obs` has to be a whole number"),
        ({"random_state": -1}, "`random_state` has to be"),
    ],
    ids=lambda value: "" if isinstance(value, str) else "-".join(map(str, value)),
)
def test_what_cannot_be_drawn_is_refused_with_a_remedy(
    points: AnnData, choice: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        db.pl.embedding(points, **choice)
    assert not plt.get_fignums()


def test_a_given_panel_is_drawn_into_and_stays_open(points: AnnData, figures: Path) -> None:
    _, panel = plt.subplots()
    assert db.pl.embedding(points, color="kind", ax=panel, save=figures / "one.png") is panel
    assert plt.get_fignums()
    with pytest.raises(InputError, match="`ax` holds one panel, and `color` names 2"):
        db.pl.embedding(points, color=["kind", "flag"], ax=panel)


def test_text_has_the_color_that_the_user_configured(points: AnnData) -> None:
    with mpl.rc_context({"text.color": "#eeeeee", "axes.edgecolor": "#aaaaaa"}):
        ax = db.pl.embedding(points, color="kind")
    assert isinstance(ax, Axes)
    legend = ax.get_legend()
    assert legend is not None
    assert same_color(ax.title.get_color(), "#eeeeee")
    assert all(same_color(text.get_color(), "#eeeeee") for text in legend.get_texts())
    assert same_color(ax.spines["left"].get_edgecolor(), "#aaaaaa")


def test_a_class_has_one_color_whether_text_or_categories_say_it(points: AnnData) -> None:
    names = np.array(["CD4", "CD8", "CD14"])[np.arange(points.n_obs) % 3]
    points = points.copy()
    points.obs["text"], points.obs["categories"] = names, pd.Categorical(names)
    points.obs["chosen"] = pd.Categorical(names, categories=["CD8", "CD14", "CD4"])
    axes = db.pl.embedding(points, color=["text", "categories", "chosen"], show=False)
    assert isinstance(axes, list)
    found = [legend_of(ax) for ax in axes]
    assert list(found[0]) == ["CD4", "CD8", "CD14"]
    assert found[0] == found[1]
    assert list(found[2]) == ["CD8", "CD14", "CD4"]
