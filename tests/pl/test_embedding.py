"""Embeddings are drawn whatever the data hold, and the data stay as they are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anndata
import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.colors import same_color, to_hex, to_rgb

import diffaug_bio as db
from diffaug_bio.errors import InputError
from diffaug_bio.pl._style import CLASS_COLORS

if TYPE_CHECKING:
    from pathlib import Path

    from anndata import AnnData
    from numpy.typing import NDArray


def drawn(adata: AnnData, **choice: Any) -> Axes:
    """Draw a single panel."""
    ax = db.pl.embedding(adata, **choice)
    assert isinstance(ax, Axes)
    return ax


def dots(ax: Axes) -> NDArray[np.float64]:
    """Coordinates of the dots of a panel, in the order of drawing."""
    return np.asarray(ax.collections[0].get_offsets())


def legend_of(ax: Axes) -> dict[str, str]:
    """Labels of a legend and their colours."""
    legend = ax.get_legend()
    assert legend is not None
    colors = [to_hex(handle.get_facecolor()[0]) for handle in legend.legend_handles]  # type: ignore[union-attr]
    return dict(zip([text.get_text() for text in legend.get_texts()], colors, strict=True))


def contents(adata: AnnData) -> dict[str, Any]:
    """Names of all that an AnnData holds, and the types of its columns."""
    return {
        "obs": dict(adata.obs.dtypes.astype(str)),
        **{name: sorted(getattr(adata, name)) for name in ("uns", "obsm", "obsp")},
    }


def test_all_rows_are_drawn_in_a_random_order_that_the_seed_decides(points: AnnData) -> None:
    expected = points.obsm["X_umap_diffaug"]
    first, again, other = (dots(drawn(points, color="kind", random_state=seed)) for seed in (0, 0, 1))
    assert np.allclose(first[np.lexsort(first.T)], expected[np.lexsort(expected.T)])
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    assert not np.array_equal(first, expected)


@pytest.mark.parametrize(
    "color", ["kind", "text", "some", "flag", "one", "nothing", "number", "gaps", "whole", "gene0", None]
)
@pytest.mark.parametrize("density", [False, True], ids=["dots", "density"])
def test_anything_colors_a_view_and_changes_nothing(
    points: AnnData,
    color: str | None,
    density: bool,  # noqa: FBT001
) -> None:
    view = points[:100]
    before, of_all = contents(view), contents(points)
    ax = drawn(view, color=color, density=density)
    assert ax.get_title() == (color or "")
    assert len(ax.images) == int(density)
    assert view.is_view
    assert contents(view) == before
    assert contents(points) == of_all


def test_a_basis_of_two_columns_needs_no_umap_and_no_prefix(points: AnnData) -> None:
    flat = points.copy()
    flat.obsm["X_pca"] = flat.obsm["X_diffaug"][:, 2:4]
    ax = drawn(flat, basis="pca")
    assert sorted(map(tuple, dots(ax))) == sorted(map(tuple, flat.obsm["X_pca"].astype(float)))
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("PC1", "PC2")


def test_rows_without_finite_coordinates_are_left_out_and_counted(points: AnnData) -> None:
    holed = points.copy()
    holed.obsm["X_umap_diffaug"][:20] = np.nan
    ax = drawn(holed, color="kind")
    assert len(dots(ax)) == 100
    assert ax.get_title() == "kind\n100 of 120 rows"


def test_several_colors_get_a_panel_each(points: AnnData) -> None:
    axes = db.pl.embedding(points, color=["kind", "gene0", None, "flag"], ncols=2, title=list("abcd"))
    assert isinstance(axes, list)
    assert [ax.get_title() for ax in axes] == list("abcd")
    one = db.pl.embedding(points, color=["kind"])
    assert isinstance(one, list)
    assert len(one) == 1


def test_legends_name_the_classes_that_are_drawn_and_missing_values(points: AnnData) -> None:
    assert list(legend_of(drawn(points, color="some"))) == ["c0", "c1", "c2", "NA"]
    assert list(legend_of(drawn(points, color="nothing"))) == ["NA"]
    assert list(legend_of(drawn(points, color="flag"))) == ["False", "True"]
    assert drawn(points, color="kind", legend_loc=None).get_legend() is None
    rare = points.copy()
    rare.obs["kind"] = pd.Categorical(["rare", *["a", "b"] * 59, "a"])
    rare.obs["mixed"] = pd.Categorical(["NA", 1, "1", None] * 30)
    rare.obsm["X_umap_diffaug"][0] = np.nan
    assert list(legend_of(drawn(rare, color="kind"))) == ["a", "b"]
    assert [text.get_text() for text in drawn(rare, color="kind", legend_loc="on data").texts] == ["a", "b"]
    assert len(legend_of(drawn(rare, color="mixed"))) == 3


def test_of_two_hundred_classes_the_largest_are_listed_inside_the_figure() -> None:
    many = anndata.AnnData(
        obs=pd.DataFrame(
            {"type": [f"type {number % 200}" for number in range(1000)] + ["type 77"] * 50},
            index=[str(number) for number in range(1050)],
        ),
        obsm={"X_diffaug": np.random.default_rng(0).normal(size=(1050, 2))},
    )
    ax = drawn(many, color="type")
    labels = list(legend_of(ax))
    assert len(labels) == 40
    assert "type 77" in labels
    assert labels[-1] == "161 smaller classes"
    figure, legend = ax.get_figure(root=True), ax.get_legend()
    assert figure is not None
    assert legend is not None
    figure.draw_without_rendering()
    assert legend.get_window_extent().y0 >= 0
    assert legend.get_window_extent().x1 <= figure.bbox.x1 + 1


def test_names_with_signs_of_mathtext_are_drawn_as_they_are(points: AnnData, figures: Path) -> None:
    signs = points.copy()
    signs.obs["$x_{$"] = pd.Categorical(["$a_{$", "b"] * 60)
    _, panel = plt.subplots()
    for choice in ({}, {"legend_loc": "on data"}, {"ax": panel}):
        db.pl.embedding(signs, color="$x_{$", save=figures / "signs.png", **choice)
    assert drawn(points, color="kind", title="$R^2$").title.get_parse_math()


def test_colors_that_scanpy_keeps_stay_with_their_classes(points: AnnData) -> None:
    kept = points.copy()
    kept.uns["kind_colors"] = ["#111111", "#222222", "#333333"]
    assert legend_of(drawn(kept, color="kind"))["c1"] == "#222222"
    part = kept[kept.obs["kind"] != "c0"]
    assert legend_of(drawn(part, color="kind")) == {"c1": "#222222", "c2": "#333333"}
    for unusable in (np.ones(12), ["no color", "#222222", "#333333"]):
        kept.uns["kind_colors"] = unusable
        assert legend_of(drawn(kept, color="kind"))["c0"] == to_hex(CLASS_COLORS[0])


@pytest.mark.parametrize(
    "palette",
    [["red", "lime", "blue"], {"c2": "blue", "c0": "red", "c1": "lime"}, "hsv"],
    ids=["list", "by class", "colormap"],
)
def test_a_palette_is_taken(points: AnnData, palette: Any) -> None:
    found = list(legend_of(drawn(points, color="kind", palette=palette)).values())
    if palette == "hsv":
        assert found == [to_hex(one) for one in mpl.colormaps["hsv"]([0.0, 0.5, 1.0])]
    else:
        assert found == ["#ff0000", "#00ff00", "#0000ff"]


def test_genes_come_from_raw_the_matrix_or_a_layer_as_in_scanpy(points: AnnData) -> None:
    def shown(color: str, **choice: Any) -> NDArray[np.float64]:
        return np.asarray(drawn(points, color=color, sort_order=False, **choice).collections[0].get_array())

    assert np.array_equal(shown("gene0", layer="double"), 2 * shown("gene0"))
    assert np.array_equal(shown("gene3", use_raw=False), shown("Z", gene_symbols="symbol", use_raw=False))


def test_limits_of_colors_are_numbers_or_percentiles(points: AnnData) -> None:
    ax = drawn(points, color="number", vmin="p10", vmax=1.5)
    assert ax.collections[0].get_clim() == pytest.approx((np.percentile(points.obs["number"], 10), 1.5))


def test_density_has_the_mean_color_of_a_place_and_its_logarithm() -> None:
    coordinates = np.repeat([[0.0, 0.0], [1.0, 1.0]], [6, 2], axis=0)
    few = anndata.AnnData(
        obs=pd.DataFrame({"kind": pd.Categorical(list("aaabbbbb"))}, index=list("01234567")),
        obsm={"X_diffaug": coordinates},
    )
    ax = drawn(few, color="kind", density=True, palette=["#ff0000", "#0000ff"])
    picture = np.asarray(ax.images[0].get_array())
    seen = picture[picture[..., 3] > 0]
    assert np.allclose(seen[:, :3], [[0.5, 0, 0.5], to_rgb("#0000ff")])
    assert seen[0, 3] == pytest.approx(1.0, abs=0.01)
    assert 0.35 < seen[1, 3] < seen[0, 3]


def test_of_more_than_a_hundred_thousand_rows_the_density_is_drawn() -> None:
    n_rows = 100_002
    adata = anndata.AnnData(
        obs=pd.DataFrame(
            {"kind": pd.Categorical(list("abc") * (n_rows // 3))}, index=np.arange(n_rows).astype(str)
        ),
        obsm={"X_umap_diffaug": np.random.default_rng(0).normal(size=(n_rows, 2)).astype(np.float32)},
    )
    ax = drawn(adata, color="kind")
    assert len(ax.images) == 1
    assert list(legend_of(ax)) == list("abc")


@pytest.mark.parametrize(
    ("choice", "named"),
    [
        ({"basis": "X_other"}, "X_other.*X_diffaug"),
        ({"color": "knd"}, "knd.*kind"),
        ({"color": "gene0", "layer": "half"}, "half.*double"),
        ({"color": "gene0", "layer": "double", "use_raw": True}, "use_raw"),
        ({"color": "kind", "palette": ["red"]}, "'c1', 'c2'"),
        ({"color": "kind", "palette": {"c0": "red"}}, "'c1', 'c2'"),
        ({"color": "kind", "palette": ["red", "reddish", "blue"]}, "'c1'"),
        ({"color": ["kind", "flag"], "title": "one"}, "2 panels.*1"),
        ({"color": []}, "0 panels"),
        ({"max_obs": 0}, "max_obs"),
        ({"random_state": -1}, "random_state"),
    ],
)
def test_what_cannot_be_drawn_is_refused(points: AnnData, choice: dict[str, Any], named: str) -> None:
    with pytest.raises(InputError, match=named):
        db.pl.embedding(points, **choice)
    assert not plt.get_fignums()


def test_a_figure_that_cannot_be_drawn_is_closed(points: AnnData) -> None:
    with pytest.raises(ValueError, match="nope"):
        db.pl.embedding(points, color="number", cmap="nope")
    assert not plt.get_fignums()


def test_a_given_panel_is_drawn_into_and_stays_open(points: AnnData, figures: Path) -> None:
    _, panel = plt.subplots()
    assert db.pl.embedding(points, color="kind", ax=panel, save=figures / "one.png") is panel
    assert plt.get_fignums()
    with pytest.raises(InputError, match="2 panels"):
        db.pl.embedding(points, color=["kind", "flag"], ax=panel)


def test_text_has_the_color_that_the_user_configured(points: AnnData) -> None:
    with mpl.rc_context({"text.color": "#eeeeee", "axes.edgecolor": "#aaaaaa"}):
        ax = drawn(points, color="kind")
    legend = ax.get_legend()
    assert legend is not None
    assert same_color(ax.title.get_color(), "#eeeeee")
    assert all(same_color(text.get_color(), "#eeeeee") for text in legend.get_texts())
    assert same_color(ax.spines["left"].get_edgecolor(), "#aaaaaa")


def as_seen(colors: NDArray[np.float64]) -> NDArray[np.float64]:
    """OKLab (Ottosson 2020) of sRGB colours `(n, 3)` by normal, deuteranopic and protanopic vision.

    Machado, Oliveira & Fernandes (2009), severity 1. Shape: `(3, n, 3)`.
    """
    visions = [
        np.eye(3).tolist(),
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.01182, 0.04294, 0.968881]],
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    ]
    cones = [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
    lab = [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
    linear = np.where(colors <= 0.04045, colors / 12.92, ((colors + 0.055) / 1.055) ** 2.4)
    seen = np.clip(np.einsum("vij,nj->vni", visions, linear), 0, 1)
    return np.asarray(np.cbrt(seen @ np.transpose(cones)) @ np.transpose(lab))


@pytest.mark.parametrize(("n_classes", "least"), [(7, 0.07), (12, 0.07), (20, 0.05), (40, 0.03)])
def test_colors_of_classes_differ_for_all_kinds_of_vision(n_classes: int, least: float) -> None:
    # A just noticeable difference is about 0.02 in OKLab.
    for vision in as_seen(np.array([to_rgb(color) for color in CLASS_COLORS[:n_classes]])):
        distances = np.linalg.norm(vision[:, None] - vision[None], axis=2)
        assert distances[~np.eye(n_classes, dtype=bool)].min() > least
