"""Embeddings that start with leading components of the front end: which columns, when, saved and read."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from diffaug_bio import DiffAug
from diffaug_bio.errors import InputError
from diffaug_bio.model.codes import generate_codes
from diffaug_bio.model.folder import describe_model
from diffaug_bio.pp import encode_tokens
from tests.conftest import clustered_dna, shifted_textures

if TYPE_CHECKING:
    from pathlib import Path

    from anndata import AnnData
    from numpy.typing import NDArray

    from diffaug_bio import DiffAugConfig

KINDS = ["cells", "table", "letters", "images"]
WIDTHS = [(1, 0), (5, 2), (6, 3), (16, 8), (19, 8)]  # n_latent and how many of eight components are kept


@pytest.fixture
def rows(request: pytest.FixtureRequest, kind: str) -> Any:
    """Rows of one kind, as an estimator takes them."""
    if kind == "cells":
        return request.getfixturevalue("counts").X
    if kind == "table":
        matrix = np.random.default_rng(0).normal(5, 2, (90, 14)) + (np.arange(90) % 3)[:, None]
        matrix[3, 4] = np.nan
        return matrix
    return encode_tokens(clustered_dna(unequal=True)) if kind == "letters" else shifted_textures(45)


@pytest.fixture
def config(request: pytest.FixtureRequest, kind: str) -> DiffAugConfig:
    """Configuration that suits the rows, with eight components and six columns."""
    name = {"letters": "letters_config", "images": "images_config"}.get(kind, "tiny_config")
    found: DiffAugConfig = request.getfixturevalue(name)
    return found


def changed(config: DiffAugConfig, **sections: dict[str, Any]) -> DiffAugConfig:
    return config.replace(**sections)


def fitted_to(rows: Any, config: DiffAugConfig, **settings: Any) -> DiffAug:
    return DiffAug(config, device="cpu", **settings).fit(rows)


def components_of(model: DiffAug, rows: Any) -> NDArray[np.float32]:
    """What the front end gives, outside of any network."""
    matrix = rows.reshape(len(rows), -1) if getattr(rows, "ndim", 2) > 2 else rows
    return model.features_.project(matrix)


def check_kept(model: DiffAug, rows: Any, n_kept: int) -> None:
    """The first columns are components, to the bit where the networks see what `project` gives."""
    embedding, components = model.transform(rows), components_of(model, rows)
    kept, expected = embedding[:, :n_kept], components[:, :n_kept]
    if model.features_.state in {"sequence", "image"}:  # whose front end runs block by block
        np.testing.assert_allclose(kept, expected, rtol=1e-5, atol=1e-5)
    else:
        np.testing.assert_array_equal(kept, expected)
    if not n_kept:  # nothing stands beside; what is learned may begin as a component
        return
    beside = range(n_kept, min(embedding.shape[1], components.shape[1]))
    assert not any(np.allclose(embedding[:, column], components[:, column], atol=0.1) for column in beside)


@pytest.mark.parametrize("kind", KINDS)
def test_an_embedding_starts_with_components_saved_and_read(
    kind: str, rows: Any, config: DiffAugConfig, tmp_path: Path
) -> None:
    model = fitted_to(rows, config)
    assert model.config_.encoder.linear_path == "kept"
    check_kept(model, rows, 3)
    model.save(tmp_path / "model")
    loaded = DiffAug.load(tmp_path / "model", device="cpu")
    assert loaded.config_ == model.config_
    assert describe_model(tmp_path / "model").config == model.config_
    saved = json.loads((tmp_path / "model" / "config.json").read_text())
    assert saved["config"]["encoder"]["linear_path"] == "kept"
    np.testing.assert_array_equal(loaded.transform(rows), model.transform(rows))
    check_kept(loaded, rows, 3)
    for found, expected in zip(generate_codes(loaded, rows), generate_codes(model, rows), strict=True):
        np.testing.assert_array_equal(found, expected)
    loaded.save(tmp_path / "again")
    for file in (tmp_path / "model").iterdir():
        assert file.read_bytes() == (tmp_path / "again" / file.name).read_bytes()


@pytest.mark.parametrize("kind", ["cells", "letters", "images"])
@pytest.mark.parametrize(("n_latent", "n_kept"), WIDTHS, ids=str)
def test_as_many_components_are_kept_as_there_are_and_at_most_half(
    kind: str, rows: Any, config: DiffAugConfig, n_latent: int, n_kept: int
) -> None:
    train = {"warmup_epochs": 1, "generator_epochs": 1, "encoder_epochs": 1, "min_steps": 1}
    model = fitted_to(rows, changed(config, encoder={"n_latent": n_latent}, train=train))
    assert model.transform(rows).shape == (rows.shape[0], n_latent)
    assert np.isfinite(model.transform(rows)).all()
    check_kept(model, rows, n_kept)
    # The generator is told the rest, and what it gives is embedded likewise.
    assert generate_codes(model, rows)[1].shape[0] == rows.shape[0]


@pytest.mark.parametrize("kind", ["cells"])
@pytest.mark.parametrize("seed", [0, 1])
def test_what_is_kept_is_no_matter_of_training(
    rows: Any, config: DiffAugConfig, kind: str, seed: int
) -> None:
    short = fitted_to(rows, config).transform(rows)
    longer = changed(config, train={"warmup_epochs": 6, "learning_rate": 1e-2}, loss={"name": "nt_xent"})
    other = fitted_to(rows, longer, random_state=seed).transform(rows)
    # Another seed turns no component round; PCA of few columns is exact.
    np.testing.assert_allclose(other[:, :3], short[:, :3], rtol=1e-4, atol=1e-4)
    assert not np.allclose(other[:, 3:], short[:, 3:], atol=0.1)


@pytest.mark.parametrize("kind", ["cells"])
def test_what_is_learned_has_about_the_variance_of_all_components(
    rows: Any, config: DiffAugConfig, kind: str
) -> None:
    model = fitted_to(rows, changed(config, train={"warmup_epochs": 40, "encoder_epochs": 20}))
    learned = model.transform(rows)[:, 3:]
    assert learned.var(0, ddof=1).sum() == pytest.approx(8.0, rel=0.4)


LEARNED: dict[str, tuple[str, dict[str, Any]]] = {
    "cells-in-full": ("cells", {"features": {"front_end": "none"}}),
    "table-in-full": ("table", {"features": {"front_end": "none"}}),
    "convnet": ("images", {"encoder": {"kind": "convnet"}}),
    "resnet18": ("images", {"encoder": {"kind": "resnet18"}}),
    "asked-for": ("cells", {"encoder": {"linear_path": "learned"}}),
}


@pytest.mark.parametrize(("kind", "given"), LEARNED.values(), ids=LEARNED)
def test_without_components_and_where_asked_for_the_path_is_learned(
    kind: str, given: dict[str, Any], rows: Any, config: DiffAugConfig
) -> None:
    train = {"warmup_epochs": 1, "generator_epochs": 1, "encoder_epochs": 1, "min_steps": 1}
    model = fitted_to(rows, changed(changed(config, **given), train=train))
    assert model.config_.encoder.linear_path == "learned"
    check_kept(model, rows, 0)


@pytest.mark.parametrize(("kind", "given"), list(LEARNED.values())[:-1], ids=list(LEARNED)[:-1])
def test_no_components_can_be_kept_where_the_encoder_sees_none(
    kind: str, given: dict[str, Any], rows: Any, config: DiffAugConfig
) -> None:
    asked = changed(changed(config, **given), encoder={"linear_path": "kept"})
    with pytest.raises(InputError, match=r"`linear_path` 'kept' .* this encoder sees none"):
        fitted_to(rows, asked)


def test_with_batches_nothing_is_kept(counts: AnnData, tiny_config: DiffAugConfig) -> None:
    batches = ["a", "b"] * (counts.n_obs // 2)
    model = DiffAug(tiny_config, device="cpu").fit(counts.X, batches=batches)
    assert model.config_.encoder.linear_path == "learned"
    check_kept(model, counts.X, 0)


def test_components_cannot_be_kept_of_batches(counts: AnnData, tiny_config: DiffAugConfig) -> None:
    config = changed(tiny_config, encoder={"linear_path": "kept"})
    with pytest.raises(
        InputError,
        match=r"'kept' .* would keep batches apart\. Leave `linear_path` out",
    ):
        DiffAug(config, device="cpu").fit(counts.X, batches=["a", "b"] * (counts.n_obs // 2))


def test_only_what_is_learned_is_the_condition_of_the_generator(
    counts: AnnData, tiny_config: DiffAugConfig, tmp_path: Path
) -> None:
    from safetensors.numpy import load_file

    for condition, width in {"y": 3, "z": 8, "none": 3}.items():
        config = changed(tiny_config, generator={"condition": condition})
        folder = tmp_path / condition
        fitted_to(counts.X, config).save(folder)
        arrays = load_file(folder / "weights.safetensors")
        assert arrays["condition.mean"].shape == arrays["condition.std"].shape == (width,)
        embeddings = [array for name, array in arrays.items() if name.endswith("embed_condition.weight")]
        assert [array.shape[1] for array in embeddings] == [width] * len(embeddings)
        assert embeddings


@pytest.mark.parametrize("kind", ["cells"])
@pytest.mark.parametrize(
    "changes",
    [
        {"loss": {"name": "byol"}},
        {"loss": {"name": "vicreg"}},
        {"loss": {"name": "reconstruction"}, "train": {"generated_views": "none"}},
        {"generator": {"condition": "z"}},
    ],
    ids=["byol", "vicreg", "reconstruction", "condition-z"],
)
@pytest.mark.parametrize("n_projection", [0, 5])
def test_every_objective_works_on_what_is_learned(
    rows: Any, config: DiffAugConfig, kind: str, changes: dict[str, Any], n_projection: int, tmp_path: Path
) -> None:
    del kind
    settings = changed(config, encoder={"n_projection": n_projection}, **changes)
    model = fitted_to(rows, settings)
    check_kept(model, rows, 3)
    model.save(tmp_path / "model")
    np.testing.assert_array_equal(DiffAug.load(tmp_path / "model").transform(rows), model.transform(rows))
