"""Configurations: presets, tables, files, and what is refused."""

from __future__ import annotations

import json
from dataclasses import FrozenInstanceError, fields
from typing import TYPE_CHECKING, Any, get_args

import numpy as np
import pytest

from diffaug_bio.config import (
    BatchConfig,
    DiffAugConfig,
    EncoderConfig,
    FeatureConfig,
    GeneratorConfig,
    LossConfig,
    TrainConfig,
    resolve_config,
)
from diffaug_bio.config._config import Preset
from diffaug_bio.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path

PRESETS = get_args(Preset)
README = "preset = 'quick'\n[encoder]\nn_latent = 64\nhidden = [32, 16]\n[train]\nlearning_rate = 1\n"


def write_toml(folder: Path, text: str) -> Path:
    path = folder / "config.toml"
    path.write_text(text)
    return path


@pytest.mark.parametrize("name", PRESETS)
def test_preset_survives_the_way_through_json(name: Any) -> None:
    config = DiffAugConfig.preset(name)
    table = json.loads(json.dumps(config.to_dict(), allow_nan=False))
    assert DiffAugConfig.from_dict(table, source="test") == config


def test_presets_differ_and_default_is_the_default() -> None:
    configs = [DiffAugConfig.preset(name) for name in PRESETS]
    assert PRESETS == ("quick", "default", "paper", "paper-images")
    assert configs[1] == DiffAugConfig()
    assert len({json.dumps(config.to_dict()) for config in configs}) == 4
    assert configs[0].train.warmup_epochs < configs[1].train.warmup_epochs


def test_paper_preset_holds_the_published_numbers() -> None:
    config = DiffAugConfig.preset("paper")
    assert config.encoder.hidden == (500, 500, 500)
    assert config.encoder.n_latent == 50
    assert config.encoder.linear_path == "none"
    assert config.encoder.n_projection == 2
    assert config.generator.n_steps == 1000
    assert config.generator.n_sampling_steps == 1000
    assert config.generator.schedule == "linear"
    assert config.generator.prediction == "noise"
    assert config.generator.sampler == "ddpm"
    assert config.loss.name == "soft_contrastive"
    assert config.loss.degrees_y == 100.0
    assert config.loss.degrees_z == 0.01
    assert config.loss.projection == "free"
    assert config.train.warmup_view == "neighbor_mix"
    epochs = (config.train.warmup_epochs, config.train.generator_epochs, config.train.encoder_epochs)
    assert epochs == (400, 400, 400)
    assert config.train.batch_size == 500
    assert config.train.patience == 0
    assert config.features.front_end == "none"


def test_unknown_preset_lists_the_known_ones() -> None:
    with pytest.raises(InputError, match=r"no preset 'fast'.* quick, default, paper, paper-images"):
        DiffAugConfig.preset("fast")  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"'quik' .*'quick'"):
        resolve_config("quik")


def test_a_configuration_is_a_name_a_file_a_table_or_an_object(tmp_path: Path) -> None:
    quick = DiffAugConfig.preset("quick")
    wide = quick.replace(encoder={"n_latent": 64})
    path = write_toml(tmp_path, "preset = 'quick'\nencoder.n_latent = 64")
    assert resolve_config(None) == DiffAugConfig()
    assert resolve_config("quick") == quick
    for given in (path, str(path), {"preset": "quick", "encoder": {"n_latent": 64}}, wide):
        assert resolve_config(given) == wide
    assert resolve_config("quick", n_latent=64) == resolve_config(quick, n_latent=np.int64(64)) == wide  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (7, r"`config` .* preset, .* TOML file, a dict or a DiffAugConfig; got 7 \(int\)"),
        ("none.toml", r"none\.toml cannot be read.* TOML file, or .* preset: quick, default, "),
        (".", r"cannot be read: Is a directory"),
        ("", r"no preset ''"),
        ({"preset": "huge"}, r"no preset 'huge'"),
        ({"preset": 1}, r"no preset 1"),
        ({"net": {}}, r"`config`: unknown key net"),
        ({1: {}}, r"unknown key '1'"),
    ],
    ids=[
        "number",
        "missing file",
        "folder",
        "nothing",
        "preset",
        "number of a preset",
        "key",
        "number key",
    ],
)
def test_what_is_no_configuration_is_named_with_what_is_one(given: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        resolve_config(given)


def test_toml_changes_what_it_names_and_keeps_the_rest_of_its_preset(tmp_path: Path) -> None:
    config = DiffAugConfig.from_toml(write_toml(tmp_path, README))
    quick = DiffAugConfig.preset("quick")
    assert config.encoder == EncoderConfig(n_latent=64, hidden=(32, 16))
    assert config.train.warmup_epochs == quick.train.warmup_epochs
    assert config.train.learning_rate == 1.0
    assert isinstance(config.train.learning_rate, float)
    assert config.generator == quick.generator


def test_empty_toml_is_the_default(tmp_path: Path) -> None:
    assert DiffAugConfig.from_toml(str(write_toml(tmp_path, ""))) == DiffAugConfig()


@pytest.mark.parametrize(
    "content", [b"[encoder\n", b"encoder = = 3", b"\xff\xfe\x00"], ids=["bracket", "sign", "not UTF-8"]
)
def test_what_is_not_toml_is_an_error(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "config.toml").write_bytes(content)
    with pytest.raises(InputError, match=r"config\.toml is not a TOML file"):
        DiffAugConfig.from_toml(tmp_path / "config.toml")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"a = " + b"[" * 2000 + b"]" * 2000, r"nested too deeply"),
        (b"[encoder]\nn_latent = " + b"1" * 5000, r"holds a number of thousands of digits"),
        (b"[encoder]\nn_latent = 0x" + b"f" * 5000, r"`n_latent` has to be at most 4096, got a whole num"),
        (b"[encoder]\nn_latent = 1\nn_latent = 2", r"is not a TOML file: Cannot overwrite a value"),
        (b"[loss]\nradius = 0x" + b"f" * 500, r"`loss\.radius` has to be a number, got 114813069527425"),
        (b"[loss]\nradius = 1e400", r"`loss\.radius` has to be a number, got inf"),
        (b"[encoder]\nhidden = " + b"[" * 300 + b"]" * 300, r"`encoder\.hidden` has to be a list of whole"),
        (b"a" * 5000 + b" = 1", r"unknown key a{60,}"),
        (b"#" * 10**6 + b"\n", r"is larger than 1000000 bytes"),
    ],
    ids=["deep", "digits", "hexadecimal", "twice", "large", "overflow", "lists", "key", "size"],
)
def test_absurd_toml_is_an_error_of_one_line(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "config.toml").write_bytes(content)
    with pytest.raises(InputError, match=message) as caught:
        DiffAugConfig.from_toml(tmp_path / "config.toml")
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400


def test_what_is_no_file_is_an_error(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "none.toml"):
        with pytest.raises(InputError, match=r"The configuration .* cannot be read: "):
            DiffAugConfig.from_toml(path)


SECTIONS = (BatchConfig, EncoderConfig, FeatureConfig, GeneratorConfig, LossConfig, TrainConfig)
NUMBERS = [
    (section, entry.name)
    for section in SECTIONS
    for entry in fields(section)
    if entry.type in {"int", "float", "int | None", "float | None"}
]


@pytest.mark.parametrize(("section", "name"), NUMBERS, ids=lambda value: getattr(value, "__name__", value))
def test_every_number_has_bounds_and_a_type(section: Any, name: str) -> None:
    for value in (10**20, -(10**20), 10**5000, float("inf"), float("nan"), True, "1", [1]):
        with pytest.raises(InputError, match=rf"`{name}`|`n_sampling_steps`") as caught:
            section(**{name: value})
        assert len(str(caught.value)) < 300


def test_every_preset_is_within_the_bounds_and_so_is_what_is_resolved() -> None:
    for name in PRESETS:
        kinds: list[Any] = ["image"] if name == "paper-images" else ["expression", "measured", "words"]
        for kind in kinds:
            decided = DiffAugConfig.preset(name).for_kind(kind)
            assert decided.for_kind(kind) == decided


def test_numbers_of_numpy_become_those_of_python() -> None:
    encoder = EncoderConfig(n_latent=np.int64(3), hidden=[np.int32(4)])  # type: ignore[arg-type]
    assert json.dumps([encoder.n_latent, *encoder.hidden]) == "[3, 4]"
    assert json.dumps(LossConfig(radius=np.float32(2)).radius) == "2.0"  # type: ignore[arg-type]
    assert encoder == EncoderConfig(n_latent=3, hidden=(4,))


@pytest.mark.parametrize("hidden", [(8,) * 33, (16385,), "88", (8.0,), (True,)])
def test_layers_are_of_a_sane_number_and_width(hidden: Any) -> None:
    with pytest.raises(InputError, match=r"`hidden` (holds widths|has to be a list)"):
        EncoderConfig(hidden=hidden)


def test_toml_with_an_unknown_preset_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no preset 'huge'"):
        DiffAugConfig.from_toml(write_toml(tmp_path, "preset = 'huge'"))


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (
            {"net": {}},
            r"test: unknown key net; keys are batches, encoder, features, generator, loss, train",
        ),
        (
            {"encoder": {"width": 3}},
            r"test: unknown key encoder\.width; keys of \[encoder\] are hidden, kind, lin",
        ),
        ({"encoder": 3}, r"`encoder` has to be a table \[encoder\], got 3"),
        ({"encoder": {"n_latent": "64"}}, r"`encoder\.n_latent` has to be a whole number, got '64'"),
        ({"encoder": {"n_latent": True}}, r"`encoder\.n_latent` has to be a whole number, got True"),
        ({"encoder": {"n_latent": 6.0}}, r"`encoder\.n_latent` has to be a whole number, got 6\.0"),
        (
            {"encoder": {"linear_path": True}},
            r"`encoder\.linear_path` has to be one of 'auto', 'kept', 'learned', 'none', got True",
        ),
        (
            {"encoder": {"strand_symmetric": 1}},
            r"`encoder\.strand_symmetric` has to be true or false, got 1",
        ),
        ({"encoder": {"hidden": 64}}, r"`encoder\.hidden` has to be a list of whole numbers, got 64"),
        ({"encoder": {"hidden": [64.0]}}, r"`encoder\.hidden` has to be a list of whole numbers"),
        ({"encoder": {"hidden": [True]}}, r"`encoder\.hidden` has to be a list of whole numbers"),
        ({"train": {"learning_rate": True}}, r"`train\.learning_rate` has to be a number, got True"),
        ({"train": {"learning_rate": "1e-3"}}, r"`train\.learning_rate` has to be a number"),
        ({"train": {"learning_rate": float("nan")}}, r"`train\.learning_rate` has to be a number, got nan"),
        ({"train": {"weight_decay": float("inf")}}, r"`train\.weight_decay` has to be a number, got inf"),
        ({"loss": {"name": "triplet"}}, r"`loss\.name` has to be one of 'auto', 'soft_contrastive', 'hard"),
        (
            {"generator": {"condition": "x"}},
            r"`generator\.condition` has to be one of 'y', 'z', 'none', got 'x'",
        ),
        ({"generator": {"noising": True}}, r"`generator\.noising` has to be a number, got True"),
        (
            {"train": {"generated_views": "two"}},
            r"`train\.generated_views` has to be one of 'one', 'both', 'none', got 'two'",
        ),
        ({"train": {"bank_size": 1.5}}, r"`train\.bank_size` has to be a whole number, got 1\.5"),
        ({"train": {"warmup_view": "swap"}}, r"`train\.warmup_view` has to be one of 'auto', 'neigh"),
        ({"features": {"front_end": None}}, r"`features\.front_end` has to be one of 'pca', 'none'"),
    ],
    ids=lambda value: json.dumps(value) if isinstance(value, dict) else "",
)
def test_wrong_tables_are_named(table: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        DiffAugConfig.from_table(table, source="test")


def test_values_out_of_range_are_named_with_file_and_section(tmp_path: Path) -> None:
    path = tmp_path / "settings.toml"
    path.write_text("[encoder]\nn_latent = -3\n")
    with pytest.raises(
        InputError, match=r"settings\.toml: \[encoder\] `n_latent` has to be at least 1, got -3"
    ):
        DiffAugConfig.from_toml(path)


@pytest.mark.parametrize(
    ("section", "values", "message"),
    [
        (FeatureConfig, {"target_sum": -1.0}, r"`target_sum` has to be above 0"),
        (
            FeatureConfig,
            {"totals": "raw"},
            r"`totals` has to be one of 'normalized', 'kept', got 'raw'",
        ),
        (EncoderConfig, {"linear_path": "x"}, r"`linear_path` has to be one of 'auto', 'kept', 'learned',"),
        (GeneratorConfig, {"whitening": True}, r"`whitening` has to be one of 'auto', .* got True"),
        (LossConfig, {"name": "triplet"}, r"`name` has to be one of 'auto', 'soft_contrastive', 'hard"),
        (TrainConfig, {"warmup_view": ""}, r"`warmup_view` has to be one of 'auto', .* got ''"),
        (FeatureConfig, {"max_value": -1.0}, r"`max_value` has to be above 0"),
        (FeatureConfig, {"n_components": -1}, r"`n_components` has to be at least 1"),
        (FeatureConfig, {"n_top_features": -1}, r"`n_top_features` has to be at least 0"),
        (EncoderConfig, {"n_latent": 0}, r"`n_latent` has to be at least 1"),
        (EncoderConfig, {"n_projection": -2}, r"`n_projection` has to be at least 0"),
        (EncoderConfig, {"hidden": (8, 0)}, r"`hidden` holds widths of layers, each at least 1"),
        (EncoderConfig, {"projector_hidden": (0,)}, r"`projector_hidden` holds widths of layers"),
        (GeneratorConfig, {"width": -1}, r"`width` has to be at least 1, got -1"),
        (GeneratorConfig, {"n_blocks": 0}, r"`n_blocks` has to be above 0"),
        (GeneratorConfig, {"n_steps": 5}, r"`n_sampling_steps` is 15, more than the 5 steps"),
        (GeneratorConfig, {"ema_decay": -0.1}, r"`ema_decay` is a share in \[0, 1\)"),
        (GeneratorConfig, {"condition_noise": -0.1}, r"`condition_noise` has to be at least 0, got -0\.1"),
        (GeneratorConfig, {"noising": -0.5}, r"`noising` has to be above 0, got -0\.5"),
        (GeneratorConfig, {"noising": 1.01}, r"`noising` has to be at most 1, got 1\.01"),
        (GeneratorConfig, {"noising": float("nan")}, r"`noising` has to be above 0, got nan"),
        (LossConfig, {"degrees_y": 0.0}, r"`degrees_y` has to be above 0"),
        (LossConfig, {"degrees_z": float("nan")}, r"`degrees_z` has to be above 0, got nan"),
        (LossConfig, {"temperature": 0.0}, r"`temperature` has to be above 0"),
        (LossConfig, {"radius": 0.0}, r"`radius` has to be above 0, got 0\.0"),
        (TrainConfig, {"learning_rate": 0.0}, r"`learning_rate` has to be above 0"),
        (TrainConfig, {"view_strength": -0.1}, r"`view_strength` has to be above 0"),
        (TrainConfig, {"n_neighbors": 0}, r"`n_neighbors` has to be at least 2"),
        (TrainConfig, {"rounds": -1}, r"`rounds` has to be at least 0"),
        (TrainConfig, {"warmup_epochs": 0}, r"`warmup_epochs` has to be at least 1"),
        (TrainConfig, {"encoder_epochs": 0}, r"`encoder_epochs` has to be at least 1"),
        (TrainConfig, {"batch_size": 1}, r"`batch_size` has to be at least 2"),
        (TrainConfig, {"bank_size": 0}, r"`bank_size` has to be at least 1, got 0"),
        (TrainConfig, {"validation_fraction": 1.0}, r"`validation_fraction` is a share in \[0, 1\)"),
        (TrainConfig, {"generated_fraction": 1.1}, r"`generated_fraction` is a share from 0 to 1"),
        (
            TrainConfig,
            {"warmup_view": "feature_mask", "view_strength": 1.5},
            r"`view_strength` of 'feature_mask' is a share of at most 1, got 1\.5",
        ),
        (
            TrainConfig,
            {"warmup_view": "feature_swap", "view_strength": 1.5},
            r"`view_strength` of 'feature_swap' is a share of at most 1, got 1\.5",
        ),
        (
            TrainConfig,
            {"warmup_view": "inner_swap", "view_strength": 2.0},
            r"`view_strength` of 'inner_swap' is a share of at most 1, got 2\.0",
        ),
    ],
    ids=lambda value: json.dumps(value) if isinstance(value, dict) else getattr(value, "__name__", ""),
)
def test_values_out_of_range_are_named(section: type, values: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        section(**values)


def test_values_out_of_range_are_refused_in_files_too(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"`batch_size` has to be at least 2, got 1"):
        DiffAugConfig.from_toml(write_toml(tmp_path, "[train]\nbatch_size = 1\n"))


@pytest.mark.parametrize("changes", [{}, {"encoder": {"hidden": [8]}, "train": {"rounds": 2}}])
@pytest.mark.parametrize("name", PRESETS)
def test_a_configuration_is_shown_as_a_line_that_makes_it(name: Any, changes: dict[str, Any]) -> None:
    config = DiffAugConfig.preset(name).replace(**changes)
    assert "\n" not in repr(config)
    assert eval(repr(config)) == config
    assert repr(DiffAugConfig()) == "DiffAugConfig.preset('default')"


def test_configurations_cannot_be_changed() -> None:
    config = DiffAugConfig()
    with pytest.raises(FrozenInstanceError, match="cannot assign to field 'n_latent'"):
        config.encoder.n_latent = 3  # type: ignore[misc]


def test_updating_leaves_the_original_alone() -> None:
    config = DiffAugConfig()
    changed = config.replace(encoder={"n_latent": 3})
    assert (config.encoder.n_latent, changed.encoder.n_latent) == (None, 3)


@pytest.mark.parametrize(
    ("state", "shape"),
    [
        ("image", []),
        ("image", [8, 8]),
        ("image", [8, 8, 2]),
        ("image", [0, 8, 1]),
        ("image", [8, 8, 1, 1]),
        ("auto", [8, 8, 1]),
        ("counts", [8, 8, 3]),
    ],
    ids=["no-shape", "two", "two-channels", "no-height", "four", "not-declared", "counts"],
)
def test_images_and_their_shape_are_declared_together(state: str, shape: list[int]) -> None:
    table = {"features": {"input_state": state, "image_shape": shape}}
    with pytest.raises(InputError, match=r"`image_shape` holds height, width and channels .* got \("):
        DiffAugConfig().replace(**table)


@pytest.mark.parametrize("channels", [1, 3])
def test_the_shape_of_images_survives_the_way_through_json(channels: int) -> None:
    table = {"features": {"input_state": "image", "image_shape": [9, 11, channels]}}
    config = DiffAugConfig().replace(**table)
    assert config.features.image_shape == (9, 11, channels)
    again = json.loads(json.dumps(config.to_dict(), allow_nan=False))
    assert DiffAugConfig.from_dict(again, source="test") == config
