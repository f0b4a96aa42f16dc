"""`diffaug-bio` on images: fit, embed, augment and evaluate, and what is wrong with files and calls."""

from __future__ import annotations

import json
import os
import pickle
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anndata
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from diffaug_bio import io
from tests.cli.test_evaluate import OPTIONS, write_toml
from tests.conftest import shifted_textures
from tests.io.images.test_cifar import Harmful, make_batch, write_cifar10

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from diffaug_bio import DiffAugConfig
    from tests.cli.conftest import Result

N_OBS, SIDE = 30, 12
KINDS = np.array(["across", "checks", "down"])
EPOCHS = {"warmup_epochs": 1, "generator_epochs": 1, "encoder_epochs": 1, "min_steps": 0}


def save_npz(path: Path, images: NDArray[np.uint8]) -> Path:
    np.savez(path, images=images, labels=KINDS[np.arange(len(images)) % 3])
    return path


def save_folder(folder: Path, images: NDArray[np.uint8], *, parts: tuple[str, ...] = ("train",)) -> Path:
    """Write PNG files into folders of their textures, within those of splits."""
    for number, image in enumerate(images):
        path = folder / parts[number % len(parts)] / KINDS[number % 3] / f"{number:02}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image[..., 0] if image.shape[2] == 1 else image).save(path)
    return folder


@pytest.fixture
def place(tmp_path: Path, images_config: DiffAugConfig) -> Path:
    """A folder with a configuration, and grey images as `images.npz` and in color as `set`."""
    write_toml(tmp_path / "tiny.toml", images_config.replace(train=EPOCHS))
    save_npz(tmp_path / "images.npz", shifted_textures(N_OBS, (SIDE, SIDE, 1)))
    # Every second class has images for the test.
    parts = ("train", "train", "train", "train", "test")
    save_folder(tmp_path / "set", shifted_textures(N_OBS, (SIDE, SIDE, 3)), parts=parts)
    return tmp_path


@pytest.fixture
def fit(place: Path, call: Callable[..., Result]) -> Callable[..., Result]:
    """Call `fit` on something in the folder."""

    def run(data: str, *options: object, output: str = "run") -> Result:
        config = ["--config", place / "tiny.toml", *OPTIONS]
        return call("fit", place / data, "-o", place / output, "--no-report", *config, *options)

    return run


def read_json(*parts: Path | str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(Path(*parts).read_text(encoding="utf-8"))
    return found


def read_embedding(folder: Path) -> pd.DataFrame:
    return pd.read_csv(folder / "embedding.csv", index_col=0)


def fails(result: Result, *messages: str) -> None:
    """Look at exit code and streams."""
    assert (result.code, result.out) == (1, "")
    assert "Traceback" not in result.err
    lines = result.err.splitlines()
    assert [line for line in lines if line.startswith("Error: ")] == lines[-1:]
    for message in messages:
        assert message in lines[-1]


def test_the_command_fits_embeds_and_generates(place: Path, call: Callable[..., Result]) -> None:
    def command(name: str, *arguments: object) -> str:
        result = call(name, place / "images.npz", *arguments, *OPTIONS)
        assert result.code == 0, result.err
        return result.out

    options = ["--config", place / "tiny.toml", "--label-key", "label"]
    printed = command("fit", "-o", place / "run", "--no-report", *options)
    assert printed.startswith(f"{N_OBS} rows embedded; see ")
    assert "DiffAug, 6 wide" in printed
    assert "Patches alone" in printed
    command("embed", "--model", place / "run", "-o", place / "new")
    # Rounding differs between batches of another size.
    pd.testing.assert_frame_equal(read_embedding(place / "new"), read_embedding(place / "run"), atol=1e-5)
    command("augment", "--model", place / "run", "-o", place / "more.npz", "--n-views", 2)
    assert io.read(place / "more.npz").shape == (2 * N_OBS, SIDE**2)


def test_a_file_of_images_is_fitted_and_recorded(place: Path, fit: Callable[..., Result]) -> None:
    result = fit("images.npz", "--label-key", "label")
    assert result.code == 0, result.err
    assert f"{N_OBS} images of {SIDE} x {SIDE} pixels, grey, 3 classes." in result.err
    assert f"Input: {N_OBS} images of {SIDE} x {SIDE} pixels, grey." in result.err
    run = read_json(place, "run", "run.json")
    assert run["data"]["images"] is True
    assert run["data"]["input_state"] == "image"
    assert run["data"]["n_vars"] == SIDE**2
    assert run["config"]["features"]["image_shape"] == [SIDE, SIDE, 1]
    assert run["config"]["encoder"]["kind"] == "patches"
    assert run["config"]["train"]["warmup_view"] == "patch_mask"
    scores = read_json(place, "run", "metrics.json")
    for name in ("embedding", "pca", "front_end"):
        assert np.isfinite(list(scores[name].values())).all()
    embedded = anndata.read_h5ad(place / "run" / "embedded.h5ad")
    assert embedded.X.dtype == np.uint8
    np.testing.assert_array_equal(embedded.X, io.read(place / "images.npz").X)
    np.testing.assert_array_equal(
        embedded.obsm["X_diffaug"], read_embedding(place / "run").to_numpy(np.float32)
    )


def test_the_split_of_folders_is_used_and_recorded(place: Path, fit: Callable[..., Result]) -> None:
    result = fit("set", "--label-key", "label")
    assert result.code == 0, result.err
    assert "(column 'split') is used: 24 rows to train on, 6 to test" in result.err
    data = read_json(place, "run", "run.json")["data"]
    assert data["split_key"] == "split"
    assert data["sha256"]
    metrics = read_json(place, "run", "metrics.json")
    assert (metrics["split_key"], metrics["n_folds"], metrics["n_scored"]) == ("split", 1, N_OBS)
    assert len(read_embedding(place / "run")) == N_OBS
    # With other images to test with, the same is fitted.
    for path in (place / "set" / "test").rglob("*.png"):
        Image.fromarray(shifted_textures(1, (SIDE, SIDE, 3), seed=9)[0]).save(path)
    assert fit("set", "--label-key", "label", output="again").code == 0
    first, second = (place / name / "model" for name in ("run", "again"))
    for name in ("weights.safetensors", "config.json"):
        assert (first / name).read_bytes() == (second / name).read_bytes(), name
    # Without it, others are.
    assert fit("set", "--split-key", "none", output="whole").code == 0
    assert read_json(place, "whole", "run.json")["data"]["split_key"] is None
    weights = [
        (folder / "weights.safetensors").read_bytes() for folder in (first, place / "whole" / "model")
    ]
    assert weights[0] != weights[1]


def test_new_images_are_embedded(
    place: Path, fit: Callable[..., Result], call: Callable[..., Result]
) -> None:
    assert fit("images.npz").code == 0
    save_npz(place / "new.npz", shifted_textures(5, (SIDE, SIDE, 1), seed=1))
    options = ["--model", place / "run", "-o", place / "new", *OPTIONS]
    result = call("embed", place / "new.npz", *options)
    assert result.out.startswith("5 rows embedded")
    assert np.isfinite(read_embedding(place / "new").to_numpy()).all()
    assert read_json(place, "new", "run.json")["data"]["images"] is True
    # `embedded.h5ad` holds images too.
    options = ["--model", place / "run", "-o", place / "again", *OPTIONS]
    result = call("embed", place / "new" / "embedded.h5ad", *options)
    assert result.code == 0, result.err


@pytest.fixture
def generate(place: Path, fit: Callable[..., Result], call: Callable[..., Result]) -> Callable[..., Result]:
    """Fit to something in the folder, and call `augment` on it."""

    def run(data: str, output: str, *options: object) -> Result:
        if not (place / "run").exists():
            assert fit(data).code == 0
        arguments = ["--model", place / "run", "-o", place / output, *OPTIONS, *options]
        return call("augment", place / data, *arguments)

    return run


@pytest.mark.parametrize("data", ["images.npz", "set"])
def test_generated_images_come_into_every_file(
    place: Path, generate: Callable[..., Result], data: str
) -> None:
    source = io.read(place / data)
    names = [f"{name}-generated-{seed}" for seed in (3, 4) for name in source.obs_names]
    for output in ("more.npz", "MORE.H5AD", "grid.png"):
        result = generate(data, output, "--n-views", 2, "--seed", 3)
        n_rows = 2 * (10 if output == "grid.png" else N_OBS)
        assert (result.code, result.out) == (0, f"{n_rows} rows generated; see {place / output}.\n")
    h5ad, npz = anndata.read_h5ad(place / "MORE.H5AD"), io.read(place / "more.npz")
    assert list(h5ad.obs_names) == names
    assert list(h5ad.obs["source"]) == list(source.obs_names) * 2
    assert list(h5ad.obs["label"]) == list(source.obs["label"]) * 2
    assert list(npz.obs["label"]) == list(source.obs["label"]) * 2
    np.testing.assert_array_equal(npz.X, h5ad.X)
    assert (h5ad.X[:N_OBS] != source.X).any(1).all()
    # Ten of them, evenly spaced, each pixel a square of 8 x 8; beside them two views.
    shape = tuple(source.uns["image_shape"])
    with Image.open(place / "grid.png") as image:
        picture = np.asarray(image).reshape(image.height, image.width, -1)
    assert picture.shape == (10 * 100 - 4, 3 * 96 + 12 + 4, shape[2])
    numbers = np.linspace(0, N_OBS - 1, 10).astype(int)
    shown = picture[:, :96].reshape(-1, 96, shape[2])
    for place_of, number in enumerate(numbers):
        top = place_of * 100
        np.testing.assert_array_equal(shown[top : top + 96 : 8, ::8].ravel(), source.X[number])
    first = picture[:96:8, 108:204:8].ravel()
    # The noise of a row depends on how many there are, its source does not: no more than that is the same.
    assert (first != source.X[0]).any()


def test_a_grid_of_few_images_shows_all(
    place: Path, generate: Callable[..., Result], call: Callable[..., Result]
) -> None:
    assert generate("images.npz", "grid.png", "--json").code == 0
    save_npz(place / "few.npz", shifted_textures(3, (SIDE, SIDE, 1), seed=1))
    arguments = ["--model", place / "run", "-o", place / "few.png", *OPTIONS]
    assert call("augment", place / "few.npz", *arguments).out.startswith("3 rows generated; see ")
    with Image.open(place / "few.png") as image:
        assert (image.width, image.height) == (2 * 96 + 12, 3 * 100 - 4)


def test_the_same_seed_gives_the_same_bytes(place: Path, generate: Callable[..., Result]) -> None:
    for ending in ("npz", "png"):
        for name, seed in (("one", 1), ("two", 1), ("three", 2)):
            assert generate("images.npz", f"{name}.{ending}", "--seed", seed).code == 0
        one, two, three = ((place / f"{name}.{ending}").read_bytes() for name in ("one", "two", "three"))
        assert one == two
        assert one != three


@pytest.mark.parametrize("data", ["images.npz", "set"])
def test_a_run_is_evaluated_with_its_generator(
    place: Path, fit: Callable[..., Result], call: Callable[..., Result], data: str
) -> None:
    assert fit(data, "--label-key", "label").code == 0
    result = call("evaluate", place / "run", "--json", *OPTIONS)
    assert result.code == 0, result.err
    printed = json.loads(result.out)
    expected = read_json(place, "run", "metrics.json")["embedding"]
    del expected["width"]
    assert printed["scores"] == {"X_diffaug": expected}
    assert {"label_kept", "source_distance"} <= set(printed["generated"])
    assert np.isfinite(list(printed["generated"].values())).all()


def test_image_files_are_resized_and_bad_ones_left_out(
    place: Path, fit: Callable[..., Result], call: Callable[..., Result]
) -> None:
    for number, side in enumerate((14, 20, 16)):
        image = shifted_textures(1, (side, side + number, 3), seed=number)[0]
        Image.fromarray(image).save(place / "set" / "train" / "down" / f"other{number}.png")
    (place / "set" / "train" / "down" / "bad.png").write_bytes(b"no picture")
    fails(fit("set", "--image-size", 12), "bad.png", "`skip_bad`")
    fails(fit("set", "--skip-bad"), "12 x 12", "`image_size`")
    assert not (place / "run").exists()
    result = fit("set", "--image-size", 10, "--skip-bad")
    assert result.code == 0, result.err
    assert "bad.png" in result.err
    run = read_json(place, "run", "run.json")
    assert (run["data"]["image_size"], run["data"]["skip_bad"]) == (10, True)
    assert run["data"]["n_obs"] == N_OBS + 3
    assert run["config"]["features"]["image_shape"] == [10, 10, 3]
    # A model takes images of its size, and says which.
    arguments = ["--model", place / "run", "-o", place / "new", *OPTIONS, "--skip-bad"]
    fails(
        call("embed", place / "set", *arguments, "--image-size", 12),
        "The model was fitted on images of 10 x 10 pixels, in color, and these are of 12 x 12",
        "`image_size` 10",
    )
    assert call("embed", place / "set", *arguments, "--image-size", 10).code == 0
    arguments[3] = place / "more.npz"
    assert call("augment", place / "set", *arguments, "--image-size", 10).code == 0
    assert list(io.read(place / "more.npz").uns["image_shape"]) == [10, 10, 3]


@pytest.mark.parametrize("encoder", ["patches", "convnet", "resnet18"])
def test_encoder_and_view_are_those_asked_for(
    place: Path, fit: Callable[..., Result], call: Callable[..., Result], encoder: str
) -> None:
    result = fit("images.npz", "--encoder", encoder, "--warmup-view", "hand")
    assert result.code == 0, result.err
    config = read_json(place, "run", "run.json")["config"]
    assert (config["encoder"]["kind"], config["train"]["warmup_view"]) == (encoder, "hand")
    options = ["--model", place / "run", "-o", place / "new", *OPTIONS]
    assert call("embed", place / "images.npz", *options).code == 0
    pd.testing.assert_frame_equal(read_embedding(place / "new"), read_embedding(place / "run"), atol=1e-5)


def test_what_does_not_suit_images_is_said(place: Path, fit: Callable[..., Result]) -> None:
    result = fit("images.npz", "--warmup-view", "blur")
    assert result.code == 2
    assert all(name in result.err for name in ("'blur'", "'patch_mask'", "'hand'"))
    fails(fit("images.npz", "--warmup-view", "gaussian"), "does not apply to images; take 'auto' or one of")
    fails(fit("images.npz", "--encoder", "mlp"), "The encoder 'mlp' does not fit the rows", "'patches'")
    fails(fit("images.npz", "--encoder", "cnn"), "The encoder 'cnn' does not fit the rows", "'patches'")
    fails(fit("images.npz", "--k", 3), "images.npz", "`kmers`")
    fails(fit("images.npz", "--image-size", 8), "images.npz", "`image_size`")
    fails(fit("images.npz", "--skip-bad"), "images.npz", "`skip_bad`")
    fails(fit("images.npz", "--transpose"), "images.npz", "`transpose`")
    fails(fit("images.npz", "--layer", "other"), "no layer 'other'")
    assert fit("images.npz", "--image-size", 0).code == 2
    assert fit("images.npz", "--encoder", "vit").code == 2
    assert not (place / "run").exists()


def test_what_is_for_images_is_refused_for_tables(
    place: Path, fit: Callable[..., Result], call: Callable[..., Result]
) -> None:
    frame = pd.DataFrame(np.random.default_rng(0).normal(5, 1, (30, 6)).round(3)).add_prefix("protein")
    frame.to_csv(place / "table.csv", index_label="id")
    fails(fit("table.csv", "--encoder", "resnet18"), "does not fit the rows: 'mlp' embeds features")
    fails(fit("table.csv", "--warmup-view", "hand"), "The view 'hand' does not apply to features")
    published = ["--config", "paper-images", "-o", place / "run", *OPTIONS]
    fails(call("fit", place / "table.csv", *published), "The encoder 'resnet18' does not fit the rows")
    fails(fit("table.csv", "--image-size", 8), "table.csv", "`image_size`")
    assert not (place / "run").exists()
    assert fit("table.csv").code == 0
    for ending in ("png", "npz"):
        output = place / f"more.{ending}"
        result = call("augment", place / "table.csv", "--model", place / "run", "-o", output, *OPTIONS)
        fails(
            result,
            f"generates features, not images, which more.{ending} would hold. Write .h5ad or .csv.",
        )
        assert not output.exists()
    result = call("embed", place / "images.npz", "--model", place / "run", "-o", place / "new", *OPTIONS)
    fails(result, "features")
    assert not (place / "new").exists()


@pytest.mark.parametrize("output", ["more.fa", "more.fasta.gz"])
def test_images_are_no_letters(place: Path, generate: Callable[..., Result], output: str) -> None:
    fails(
        generate("images.npz", output),
        f"The model generates images, not letters, which {output} would hold. Write .npz, .png or .h5ad.",
    )
    assert not (place / output).exists()


def test_a_picture_is_not_replaced_unless_asked_for(place: Path, generate: Callable[..., Result]) -> None:
    assert generate("images.npz", "grid.png").code == 0
    before = (place / "grid.png").read_bytes()
    fails(generate("images.npz", "grid.png", "--seed", 1), "grid.png exists already", "--force")
    assert (place / "grid.png").read_bytes() == before
    assert generate("images.npz", "grid.png", "--seed", 1, "--force").code == 0
    assert (place / "grid.png").read_bytes() != before
    fails(generate("images.npz", "no/grid.png"), "There is no folder")
    fails(generate("images.npz", "grid.jpg"), "no known ending", ".png")


def break_picture(place: Path) -> Path:
    path = place / "set" / "train" / "down" / "02.png"
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    return place / "set"


def mix_sizes(place: Path) -> Path:
    Image.new("RGB", (9, 8)).save(place / "set" / "train" / "down" / "02.png")
    return place / "set"


def make_empty(place: Path) -> Path:
    (place / "nothing").mkdir()
    return place / "nothing"


def cut_npz(place: Path) -> Path:
    content = (place / "images.npz").read_bytes()
    (place / "images.npz").write_bytes(content[: len(content) // 2])
    return place / "images.npz"


def save_objects(place: Path) -> Path:
    images = np.empty(4, dtype=object)
    np.savez(place / "images.npz", images=images)
    return place / "images.npz"


def save_tiny(place: Path) -> Path:
    return save_npz(place / "images.npz", np.random.default_rng(0).integers(0, 9, (9, 4, 4), np.uint8))


def save_alike(place: Path) -> Path:
    return save_npz(place / "images.npz", np.zeros((9, 12, 12), np.uint8))


BROKEN: dict[str, tuple[Callable[[Path], Path], tuple[str, ...]]] = {
    "cut picture": (break_picture, ("02.png", "`skip_bad`")),
    "mixed sizes": (mix_sizes, ("8 x 9", "12 x 12", "`image_size`")),
    "empty folder": (make_empty, ("nothing",)),
    "cut npz": (cut_npz, ("images.npz is cut off or damaged",)),
    "objects": (save_objects, ("images.npz", "holds Python objects, which are not read")),
    "small": (save_tiny, ("4 x 4 pixels, and at least 8 a side",)),
    "alike": (save_alike, ("All images are alike",)),
}


@pytest.mark.parametrize(("damage", "messages"), BROKEN.values(), ids=BROKEN.keys())
def test_what_is_wrong_with_images_is_said_and_nothing_is_left(
    place: Path, fit: Callable[..., Result], damage: Callable[[Path], Path], messages: tuple[str, ...]
) -> None:
    path = damage(place)
    before = sorted(place.rglob("*"))
    fails(fit(path.name), *messages)
    assert sorted(place.rglob("*")) == before


def test_a_folder_of_cifar_runs_nothing(place: Path, fit: Callable[..., Result]) -> None:
    folder = place / "cifar-10-batches-py"
    write_cifar10(folder)
    content = {b"more": Harmful(os.system, f"touch {place / 'trace'}"), **make_batch()}
    (folder / "data_batch_2").write_bytes(pickle.dumps(content, protocol=2))
    before = sorted(place.rglob("*"))
    fails(fit(folder.name), "data_batch_2 wants to run", "system", "Nothing was run")
    assert sorted(place.rglob("*")) == before
