"""Images in a benchmark: data, methods that run, those that do not fit, and what is fair."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import anndata
import numpy as np
import pytest

from diffaug_bio import benchmark, io
from diffaug_bio.benchmark import METHODS, BenchmarkData, choose_methods, read_data
from diffaug_bio.benchmark._embedders import NotApplicableError, embed
from diffaug_bio.benchmark._run import Cell
from diffaug_bio.benchmark._score import score_method
from diffaug_bio.errors import InputError
from tests.conftest import shifted_textures

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from anndata import AnnData

    from diffaug_bio import DiffAugConfig

N_OBS = 45
ROWS = np.arange(N_OBS)
SHAPES = {"grey": (12, 12, 1), "color": (12, 10, 3)}
PROBES = {"linear_probe", "knn_accuracy"}


@pytest.fixture
def config(images_config: DiffAugConfig) -> DiffAugConfig:
    """Take one epoch of each phase."""
    epochs = {"warmup_epochs": 1, "generator_epochs": 1, "encoder_epochs": 1, "min_steps": 0, "patience": 0}
    return images_config.replace(train=epochs)


def read_images(shape: tuple[int, int, int] = (12, 12, 1), *, has_split: bool = False) -> AnnData:
    """Images as a reader gives them; with a split, a row of five is for the test, and one for neither."""
    adata = anndata.AnnData(X=shifted_textures(N_OBS, shape).reshape(N_OBS, -1))
    adata.obs["label"] = [f"k{number % 3}" for number in range(N_OBS)]
    adata.uns["image_shape"] = np.array(shape)
    if has_split:
        adata.obs["split"] = np.array(["train", "train", "train", "test", "unlabeled"])[ROWS % 5]
    return adata


def make_images(shape: tuple[int, int, int] = (12, 12, 1), *, has_split: bool = False) -> BenchmarkData:
    adata = read_images(shape, has_split=has_split)
    key = "split" if has_split else None
    return BenchmarkData.from_anndata(adata, name="images", label_key="label", split_key=key)


@pytest.mark.parametrize("has_split", [False, True], ids=["folds", "split"])
@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_images_survive_the_way_through_a_file(
    tmp_path: Path, shape: tuple[int, int, int], *, has_split: bool
) -> None:
    data = make_images(shape, has_split=has_split)
    assert (data.kind, data.input_state, data.image_shape) == ("image", "image", shape)
    data.write(tmp_path / "data.h5ad")
    again = BenchmarkData.read(tmp_path / "data.h5ad")
    assert again.matrix.dtype == np.uint8
    for field in dataclasses.fields(data):
        np.testing.assert_array_equal(getattr(again, field.name), getattr(data, field.name))
    assert again.digest() == data.digest()


def test_the_digest_tells_shapes_and_pixels_apart() -> None:
    data = make_images()
    pixels = data.matrix.copy()
    pixels[3, 5] += 1
    others = [
        dataclasses.replace(data, image_shape=(9, 16, 1)),
        dataclasses.replace(data, matrix=pixels),
        dataclasses.replace(data, image_shape=(), input_state="continuous"),
        make_images(has_split=True),
    ]
    assert len({one.digest() for one in (data, *others)}) == 5
    assert dataclasses.replace(data, name="other").digest() == data.digest()


def test_another_matrix_of_images_is_benchmarked_as_features() -> None:
    adata = read_images()
    adata.obsm["X_rep"] = np.random.default_rng(0).normal(size=(N_OBS, 5)).astype(np.float32)
    data = BenchmarkData.from_anndata(adata, name="rep", label_key="label", use_rep="X_rep")
    assert (data.kind, data.image_shape, data.matrix.shape) == ("measured", (), (N_OBS, 5))


def test_images_on_the_disk_are_refused_with_the_remedy(tmp_path: Path) -> None:
    from PIL import Image

    for number, image in enumerate(shifted_textures(6, (12, 12, 1))):
        path = tmp_path / "set" / f"k{number % 2}" / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image[..., 0]).save(path)
    adata = io.read(tmp_path / "set", max_bytes=0)
    with pytest.raises(InputError, match=r"needs images in memory\. Read them smaller .*`image_size`"):
        BenchmarkData.from_anndata(adata, name="images", label_key="label")


def test_files_of_images_are_read_with_their_split(tmp_path: Path) -> None:
    images, labels = shifted_textures(N_OBS, (12, 12, 1)), ROWS % 3
    np.savez(
        tmp_path / "shapes.npz",
        x_train=images[:30],
        y_train=labels[:30],
        x_test=images[30:],
        y_test=labels[30:],
    )
    [data] = read_data([str(tmp_path / "shapes.npz")], {"label_key": ["label"]})
    assert (data.name, data.kind, data.image_shape) == ("shapes", "image", (12, 12, 1))
    assert data.split is not None
    assert list(data.split) == ["train"] * 30 + ["test"] * 15


@pytest.mark.parametrize(
    ("name", "width"),
    [
        *((name, 6) for name in ("diffaug", "no_generator", "simclr", "autoencoder", "pca", "same_label")),
        *((name, 6) for name in choose_methods(["images"])),
        ("raw", 144),
        ("front_end", 8),
    ],
)
def test_methods_embed_images(config: DiffAugConfig, name: str, width: int) -> None:
    data = make_images()
    scores = score_method(data, METHODS[name], config, seed=0, held_out=False)
    assert scores["width"] == width
    assert set(scores) >= PROBES | {"trustworthiness", "seconds"}
    assert np.isfinite(list(scores.values())).all()
    has_generator = name in {"diffaug", "hand"}
    assert ("generated_label_kept" in scores) == has_generator
    found = embed(data, METHODS[name], config, fit_rows=None, train_rows=ROWS, seed=0)
    again = embed(data, METHODS[name], config, fit_rows=None, train_rows=ROWS, seed=0)
    np.testing.assert_array_equal(found.embedding, again.embedding)


def test_hand_made_views_and_the_published_settings_are_in_effect(config: DiffAugConfig) -> None:
    found = {
        name: METHODS[name].configured(config).for_kind("image") for name in choose_methods(["images"])
    }
    assert {one.train.warmup_view for one in found.values()} == {"hand"}
    assert {name: one.train.view_strength for name, one in found.items()} == {
        "hand": 0.5,
        "hand_no_generator": 0.5,
        "hand_simclr": 1.0,
    }
    assert {name: (one.loss.name, one.loss.temperature) for name, one in found.items()} == {
        "hand": ("nt_xent", 0.2),
        "hand_no_generator": ("nt_xent", 0.2),
        "hand_simclr": ("nt_xent", 0.5),
    }


@pytest.mark.parametrize("rounds", [1, 2])
def test_with_and_without_a_generator_the_encoder_takes_the_same_number_of_steps(
    config: DiffAugConfig, rounds: int
) -> None:
    config = config.replace(train={"rounds": rounds, "batch_size": 16})
    steps = {
        name: score_method(make_images(), METHODS[name], config, seed=0, held_out=False)["encoder_steps"]
        for name in ("hand", "hand_no_generator", "hand_simclr", "diffaug", "no_generator", "autoencoder")
    }
    assert len(set(steps.values())) == 1, steps
    assert steps["hand"] > 1


def test_what_does_not_fit_is_left_out_with_a_reason_and_the_others_run(
    config: DiffAugConfig,
    make_data: Callable[..., BenchmarkData],
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    tables = dataclasses.replace(make_data("cells", n_obs=45), sequences=None)
    methods = ["pca", "mask", "cnn", "pca_onehot", "hand_no_generator", "paper_images"]
    arguments: dict[str, Any] = {"methods": methods, "n_seeds": 1, "config": config}
    with caplog.at_level("INFO", logger="diffaug_bio"):
        images = dataclasses.replace(make_images(), name="images")
        # The published networks take too long to run on images here: what is left out for tables is tested.
        result = benchmark.run([tables], tmp_path / "tables", **arguments)
        arguments["methods"] = methods[:-1]
        arguments["methods"].append("scvi")
        both = benchmark.run([images, tables], tmp_path / "both", **arguments)
    assert result.failed == both.failed == {}
    encoder = "The encoder 'resnet18' does not fit the rows: 'mlp' embeds features"
    assert result.left_out["paper_images on cells"].startswith(encoder)
    reason = dict(both.left_out)
    of_scvi = [reason.pop(name) for name in list(reason) if name.startswith("scvi")]
    assert of_scvi
    assert all(why.startswith("it needs") for why in of_scvi)  # the package, or counts
    assert set(reason) == {
        *("mask on images", "cnn on images", "pca_onehot on images"),
        *("cnn on cells", "pca_onehot on cells", "hand_no_generator on cells"),
    }
    assert "'mlp' embeds features" in reason["mask on images"]
    assert reason["cnn on images"] == reason["pca_onehot on cells"] == "it needs DNA sequences"
    assert "The view 'hand' does not apply to expression" in reason["hand_no_generator on cells"]
    for name, why in reason.items():
        assert f"{name} is left out: {why}." in caplog.messages
    cells = set(zip(both.scores["data"], both.scores["method"], strict=True))
    assert cells == {
        ("images", "pca"),
        ("images", "hand_no_generator"),
        ("cells", "pca"),
        ("cells", "mask"),
    }
    assert "hand-made views only" in (tmp_path / "both" / "summary.md").read_text()


def test_a_shared_encoder_of_images_does_not_stop_methods_without_one_on_tables(
    config: DiffAugConfig, make_data: Callable[..., BenchmarkData], tmp_path: Path
) -> None:
    shared = config.replace(encoder={"kind": "patches"}, train={"warmup_view": "hand"})
    result = benchmark.run(
        [make_images(), make_data("cells", n_obs=45)],
        tmp_path / "results",
        methods=["no_generator", "pca", "same_label"],
        n_seeds=1,
        config=shared,
    )
    assert result.failed == {}
    assert set(result.left_out) == {"no_generator on cells", "same_label on cells"}
    for reason in result.left_out.values():
        assert "The encoder 'patches' does not fit the rows" in reason
    cells = set(zip(result.scores["data"], result.scores["method"], strict=True))
    assert cells == {
        ("cells", "pca"),
        *(("images", name) for name in ("no_generator", "pca", "same_label")),
    }


def test_images_are_no_counts(config: DiffAugConfig) -> None:
    pytest.importorskip("scvi")
    with pytest.raises(NotApplicableError, match=r"it needs counts, and these are image values"):
        embed(make_images(), METHODS["scvi"], config, fit_rows=None, train_rows=ROWS, seed=0)


@pytest.mark.parametrize(
    "name",
    ["diffaug", "hand", "hand_no_generator", "raw", "pca", "front_end", "autoencoder", "same_label"],
)
def test_no_pixel_of_the_test_influences_the_fit(
    config: DiffAugConfig, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    data = make_images(has_split=True)
    assert data.split is not None
    is_test = data.split == "test"
    pixels = data.matrix.copy()
    pixels[is_test] = np.random.default_rng(0).integers(0, 256, pixels[is_test].shape)
    found = []

    def remember(*arguments: Any, **options: Any) -> Any:
        found.append(embed(*arguments, **options))
        return found[-1]

    # What is under test is which rows `score_method` hands over.
    monkeypatch.setattr("diffaug_bio.benchmark._score.embed", remember)
    for one in (data, dataclasses.replace(data, matrix=pixels)):
        scores = score_method(one, METHODS[name], config, seed=0, held_out=False)
        assert np.isfinite(list(scores.values())).all()
    before, after = (result.embedding for result in found)
    kept = data.split == "train" if METHODS[name].is_labelled else ~is_test
    np.testing.assert_array_equal(after[kept], before[kept])
    assert not np.array_equal(after[is_test], before[is_test])


def test_cells_of_images_are_told_apart_by_what_is_in_effect(config: DiffAugConfig) -> None:
    given: dict[str, Any] = {"data": "images", "path": "somewhere", "seed": 0, "held_out": False}
    given |= {"threads": 1, "digest": "d", "kind": "image"}
    names = ["diffaug", "no_generator", *choose_methods(["images"]), "pca", "paper_images"]
    keys = {name: Cell(method=name, config=config, **given).key for name in names}
    assert len(set(keys.values())) == len(names)
    # Shared settings of a view do not reach methods that have their own.
    shared = config.replace(train={"warmup_view": "pixel_noise", "view_strength": 0.3})
    assert Cell(method="hand", config=shared, **given).key == keys["hand"]
    assert Cell(method="diffaug", config=shared, **given).key != keys["diffaug"]
