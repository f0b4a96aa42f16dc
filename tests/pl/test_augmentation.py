"""What a model generates is drawn beside its sources, in a way that suits what it was fitted on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from scipy import sparse

import diffaug_bio as db
from diffaug_bio.errors import InputError
from diffaug_bio.pl._logo import _best_start, _heights
from diffaug_bio.pp import encode_tokens

if TYPE_CHECKING:
    from pathlib import Path

    from matplotlib.collections import Collection
    from numpy.typing import NDArray

    from diffaug_bio.config import DiffAugConfig
    from tests.pl.conftest import Fitted


def drawn(fitted: Fitted, **choice: Any) -> list[Axes]:
    """Draw a view of the data, see that it stays one, and give the panels."""
    view = fitted.adata[:80]
    columns = list(view.obs)
    axes = db.pl.augmentation(view, fitted.model, **choice)
    assert view.is_view
    assert list(view.obs) == columns
    assert axes is not None
    return [axes] if isinstance(axes, Axes) else axes


def outline_of(violin: Collection) -> NDArray[np.float64]:
    """Corners of half a violin."""
    return np.asarray(violin.get_paths()[0].vertices)


def names_of(ax: Axes) -> list[str]:
    """Names in the legend of the figure."""
    figure = ax.get_figure(root=True)
    assert figure is not None
    [legend] = figure.legends
    return [text.get_text() for text in legend.get_texts()]


def test_counts_are_violins_of_the_genes_that_spread_most(cells: Fitted) -> None:
    axes = drawn(cells, n_shown=5)
    values = np.log1p(cells.adata.X.toarray()[:80])
    spread = np.subtract(*np.percentile(values, [95, 5], axis=0))
    expected = np.argsort(-spread, kind="stable")[:5]
    assert [ax.get_title() for ax in axes] == [f"gene{number}" for number in expected]
    assert names_of(axes[0]) == ["original", "generated"]
    figure = axes[0].get_figure(root=True)
    assert figure is not None
    assert figure.get_supylabel() == "log1p(counts)"
    original, generated = axes[0].collections
    assert outline_of(original)[:, 1].max() == pytest.approx(values[:, expected[0]].max())
    made = db.tl.augment(cells.adata[:80], cells.model)
    top = np.log1p(made.X[:, [expected[0]]].toarray()).max()
    assert outline_of(generated)[:, 1].max() == pytest.approx(top)


def test_named_genes_are_drawn_in_their_order_and_the_seed_decides(cells: Fitted) -> None:
    axes = drawn(cells, var_names=["gene7", "gene2"], title="two genes")
    assert [ax.get_title() for ax in axes] == ["gene7", "gene2"]
    shapes = [
        outline_of(drawn(cells, var_names=["gene7"], random_state=seed)[0].collections[1])
        for seed in (0, 0, 1)
    ]
    assert np.array_equal(shapes[0], shapes[1])
    assert not np.array_equal(shapes[0], shapes[2])


def test_measured_values_with_gaps_and_constants_are_drawn_in_their_units(
    tiny_config: DiffAugConfig,
) -> None:
    rng = np.random.default_rng(0)
    values = rng.normal(size=(60, 12)).astype(np.float32) * 100
    values[::3, 0] = np.nan
    values[:, 1] = 7
    model = db.DiffAug(tiny_config, device="cpu").fit(values)
    adata = db.io.from_sequences(["ACGTA"] * 60)[:, :12].copy()
    adata.X = values
    del adata.uns["kmers"], adata.obs["sequence"]
    names = list(adata.var_names[:3])
    axes = db.pl.augmentation(adata, model, var_names=names)
    assert isinstance(axes, list)
    assert [ax.get_title() for ax in axes] == names
    assert axes[2].get_ylim()[1] > 100
    assert db.pl.augmentation(adata, model) is not None


def test_letters_are_logos_of_one_scale(letters: Fitted) -> None:
    axes = drawn(letters)
    assert [ax.get_title(loc="left") for ax in axes] == ["original", "generated"]
    assert axes[0].get_ylim() == axes[1].get_ylim()
    [original] = axes[0].collections
    tops = [path.get_extents() for path in original.get_paths()]
    highest = max(tops, key=lambda box: box.y1)
    assert 11 <= (highest.x0 + highest.x1) / 2 <= 14  # where all sequences have TATA, from 1
    assert highest.y1 == pytest.approx(2.0, abs=0.05)
    stretch = drawn(letters, n_shown=10)[1]
    low, high = stretch.get_xlim()
    assert low <= 11
    assert high >= 14
    assert stretch.get_xlabel() == "Position in the sequence (of 40)"


def test_letters_are_as_high_as_they_tell() -> None:
    heights = _heights(encode_tokens(["AC", "AG", "AT", "AN"]))
    correction = 3 / (2 * np.log(2) * np.array([4, 3]))
    assert heights[0].tolist() == pytest.approx([2 - correction[0], 0, 0, 0])
    assert heights[1].sum() == 0.0  # three letters, thrice one: log2(4 / 3) is less than the correction
    assert _heights(encode_tokens(["N", "N"])).tolist() == [[0, 0, 0, 0]]
    assert _best_start(np.array([0.0, 1, 3, 2, 0]), 2) == 2
    assert _best_start(np.array([0.0, 1, 3]), 5) == 0


@pytest.mark.parametrize("name", ["letters", "words"])
def test_words_are_bars_of_their_mean_frequencies(name: str, request: pytest.FixtureRequest) -> None:
    fitted: Fitted = request.getfixturevalue(name)
    [ax] = drawn(fitted, kind="kmers", n_shown=6)
    means = np.asarray(fitted.adata[:80].X.mean(0)).ravel()
    order = np.argsort(-means, kind="stable")[:6]
    assert [tick.get_text() for tick in ax.get_xticklabels()] == list(fitted.adata.var_names[order])
    original, _ = ax.containers
    assert [bar.get_height() for bar in original] == pytest.approx(means[order])
    [named] = drawn(fitted, kind="kmers", var_names=["ACGT", "TATA"])
    assert [tick.get_text() for tick in named.get_xticklabels()] == ["ACGT", "TATA"]


def test_images_stand_above_those_generated_from_them(images: Fitted) -> None:
    [ax] = drawn(images, n_shown=4, n_views=2)
    assert len(ax.images) == 4 * 3
    assert [tick.get_text() for tick in ax.get_yticklabels()] == ["original", "generated"]
    shown = np.array([image.get_array() for image in ax.images[:4]]).reshape(4, -1)
    pixels = np.asarray(images.adata[:80].X)
    assert all((pixels == one).all(1).any() for one in shown)
    assert {np.asarray(image.get_array()).shape for image in ax.images} == {(12, 16)}
    view = images.adata[np.array([(pixels == one).all(1).argmax() for one in shown])]
    made = np.asarray(db.tl.augment(view, images.model, n_views=2).X)
    assert np.array_equal(np.array([image.get_array() for image in ax.images[4:]]).reshape(8, -1), made)


@pytest.mark.parametrize(
    ("name", "views"),
    [
        ("cells", ["generated", "mixup", "feature swap"]),
        ("letters", ["generated", "mixup", "feature swap", "mutation"]),
        ("images", ["generated", "mixup", "feature swap", "crop"]),
    ],
)
def test_similarities_have_a_histogram_a_view(
    name: str, views: list[str], request: pytest.FixtureRequest
) -> None:
    fitted: Fitted = request.getfixturevalue(name)
    [ax] = drawn(fitted, kind="similarity")
    assert [label.split(",")[0] for label in names_of(ax)] == views
    scores = db.tl.evaluate_generated(fitted.adata, fitted.model)
    whole = db.pl.augmentation(fitted.adata, fitted.model, kind="similarity")
    assert isinstance(whole, Axes)
    assert names_of(whole)[0] == f"generated, mean {scores['cosine_generated']:.2f}"
    heights = [patch.get_xy()[:, 1].max() for patch in ax.patches]  # type: ignore[attr-defined]
    assert 0 < max(heights) <= 1


def test_rows_are_a_sample(cells: Fitted) -> None:
    axes = [drawn(cells, n_obs=60, var_names=["gene1"])[0] for _ in range(2)]
    first, second = (outline_of(ax.collections[0]) for ax in axes)
    everything = outline_of(drawn(cells, var_names=["gene1"])[0].collections[0])
    assert np.array_equal(first, second)
    assert not np.array_equal(first, everything)


def test_models_are_read_from_their_folder_and_figures_saved(cells: Fitted, tmp_path: Path) -> None:
    cells.model.save(tmp_path / "model")
    db.pl.augmentation(cells.adata, tmp_path / "model", save=tmp_path / "figure.pdf")
    assert (tmp_path / "figure.pdf").read_bytes().startswith(b"%PDF")


@pytest.mark.parametrize(
    ("name", "choice", "message"),
    [
        ("cells", {"kind": "grid"}, "grid.*violin"),
        ("letters", {"kind": "violin"}, "letters.*'logo' or 'kmers' or 'similarity'"),
        ("cells", {"kind": "bars"}, "bars.*violin"),
        ("cells", {"var_names": ["CD3E"]}, "CD3E.*gene0"),
        ("cells", {"var_names": []}, "`var_names`"),
        ("images", {"var_names": ["gene1"]}, "`var_names`.*gene1"),
        ("cells", {"n_obs": 0}, "`n_obs`"),
        ("cells", {"n_shown": 1.5}, "`n_shown`"),
        ("cells", {"strength": 2.0}, "`strength`"),
        ("cells", {"kind": "similarity", "n_obs": 1}, "2 rows.*1"),
        ("images", {"kind": "similarity", "n_obs": 1}, "2 rows.*1"),
        ("cells", {"kind": "similarity", "strength": 0.3}, "`strength` and `guidance`"),
    ],
)
def test_what_cannot_be_drawn_is_refused_with_a_remedy(
    name: str, choice: dict[str, Any], message: str, request: pytest.FixtureRequest
) -> None:
    fitted: Fitted = request.getfixturevalue(name)
    with pytest.raises(InputError, match=message):
        db.pl.augmentation(fitted.adata, fitted.model, **choice)
    assert not plt.get_fignums()


def test_a_model_without_a_generator_is_refused(cells: Fitted, tiny_config: DiffAugConfig) -> None:
    config = tiny_config.replace(train={"rounds": 0})
    model = db.DiffAug(config, device="cpu").fit(sparse.csr_matrix(cells.adata.X))
    for kind in ("auto", "similarity"):
        with pytest.raises(InputError, match="no generator"):
            db.pl.augmentation(cells.adata, model, kind=kind)


def test_what_is_no_anndata_or_no_model_is_refused(cells: Fitted) -> None:
    with pytest.raises(InputError, match="Expected an AnnData"):
        db.pl.augmentation(cells.adata.obs, "no folder")
    with pytest.raises(InputError, match="`model` has to be a fitted `DiffAug`"):
        db.pl.augmentation(cells.adata, 3)  # type: ignore[arg-type]
