"""What a configuration leaves to the data: views, encoders, denoisers and projections by kind of rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, get_args

import pytest

from diffaug_bio.config import DiffAugConfig, EncoderKind, FeatureView, ImageView, SequenceView
from diffaug_bio.config.kinds import decided
from diffaug_bio.errors import InputError

if TYPE_CHECKING:
    from diffaug_bio.config import DataKind


@pytest.mark.parametrize(
    ("kind", "other", "view", "strength", "n_components", "n_latent"),
    [
        ("expression", "measured", "gaussian", 0.5, 50, 128),
        ("measured", "expression", "neighbor_noise", 1.0, 128, 256),
        ("words", "measured", "gaussian", 0.5, 128, 256),
    ],
    ids=["expression", "measured", "words"],
)
def test_what_is_left_to_the_data_is_decided(
    kind: DataKind, other: DataKind, view: str, strength: float, n_components: int, n_latent: int
) -> None:
    config = DiffAugConfig().for_kind(kind)
    assert (config.train.warmup_view, config.train.view_strength) == (view, strength)
    assert (config.features.n_components, config.encoder.n_latent) == (n_components, n_latent)
    assert config.encoder.n_kept(n_components) == n_components
    assert (config.encoder.kind, config.encoder.linear_path) == ("mlp", "kept")
    assert (config.generator.width, config.generator.noising) == (256, 0.5)
    assert config.generator.whitening == ("none" if kind == "expression" else "half")
    assert (config.loss.projection, config.loss.name) == ("free", "soft_contrastive")
    assert config.loss.temperature == 0.5
    assert config.for_kind(other) == config


def test_what_sequences_leave_to_the_data_is_decided() -> None:
    config = DiffAugConfig().for_kind("sequence")
    assert (config.train.warmup_view, config.train.view_strength) == ("mutation", 0.2)
    assert (config.features.n_components, config.encoder.kind) == (256, "cnn")
    assert config.encoder.linear_path == "kept"
    assert config.generator.noising == 0.4
    assert config.generator.width == 256
    assert (config.loss.projection, config.loss.name) == ("free", "soft_contrastive")
    assert config.for_kind("sequence") == config


@pytest.mark.parametrize(("backbone", "width"), [("mlp", 256), ("unet", 32)])
def test_what_images_leave_to_the_data_is_decided(backbone: str, width: int) -> None:
    config = DiffAugConfig().replace(generator={"backbone": backbone}).for_kind("image")
    assert (config.train.warmup_view, config.train.view_strength) == ("patch_mask", 0.15)
    assert (config.features.n_components, config.encoder.kind) == (256, "patches")
    assert config.encoder.linear_path == "kept"
    assert (config.generator.width, config.generator.noising) == (width, 0.3)
    assert config.loss.projection == "sphere"
    assert (config.loss.name, config.loss.temperature) == ("nt_xent", 0.2)
    assert config.for_kind("image") == config


def test_the_published_preset_of_images_holds_for_images_alone() -> None:
    config = DiffAugConfig.preset("paper-images")
    resolved = config.for_kind("image")
    assert (resolved.encoder.kind, resolved.generator.backbone) == ("resnet18", "unet")
    assert (resolved.generator.width, resolved.loss.projection) == (128, "free")
    assert (resolved.train.warmup_view, resolved.train.view_strength) == ("hand", 1.0)
    published, of_features = config.to_dict(), DiffAugConfig.preset("paper").to_dict()
    assert published["loss"] == of_features["loss"]
    assert {key for key, value in published["train"].items() if value != of_features["train"][key]} == {
        "warmup_view"
    }
    with pytest.raises(InputError, match="encoder 'resnet18' does not fit the rows"):
        config.for_kind("measured")


@pytest.mark.parametrize("kind", ["expression", "measured", "words", "sequence", "image"])
@pytest.mark.parametrize("noising", [0.7, 1.0])
def test_noising_that_was_set_holds(kind: DataKind, noising: float) -> None:
    config = DiffAugConfig().replace(generator={"noising": noising})
    assert config.for_kind(kind).generator.noising == noising


def test_a_loss_of_images_that_was_set_keeps_its_temperature() -> None:
    config = DiffAugConfig().replace(loss={"name": "nt_xent", "temperature": 0.7})
    assert config.for_kind("image").loss.temperature == 0.7


@pytest.mark.parametrize("kind", ["expression", "measured", "words"])
@pytest.mark.parametrize("view", get_args(FeatureView))
def test_every_view_of_features_has_a_usual_strength_that_it_accepts(view: str, kind: DataKind) -> None:
    config = DiffAugConfig().replace(train={"warmup_view": view})
    strength = decided(config.for_kind(kind).train.view_strength)
    assert 0 < strength <= 1
    assert config.for_kind("expression").train.view_strength == strength
    with pytest.raises(
        InputError, match=rf"'{view}' does not apply to sequences; take 'auto' or .*'shift'"
    ):
        config.for_kind("sequence")
    if view not in get_args(ImageView):
        with pytest.raises(
            InputError, match=rf"'{view}' does not apply to images; take 'auto' or .*'patch_mask'"
        ):
            config.for_kind("image")


@pytest.mark.parametrize("view", get_args(SequenceView))
def test_every_view_of_sequences_has_a_usual_strength_that_it_accepts(view: str) -> None:
    config = DiffAugConfig().replace(train={"warmup_view": view})
    assert 0 < decided(config.for_kind("sequence").train.view_strength) <= 1
    with pytest.raises(InputError, match=rf"'{view}' does not apply to expression; .*'feature_mask'"):
        config.for_kind("expression")
    with pytest.raises(InputError, match=rf"'{view}' does not apply to features; .*'neighbor_mix'"):
        config.for_kind("measured")
    with pytest.raises(InputError, match=rf"'{view}' does not apply to images; .*'hand'"):
        config.for_kind("image")


@pytest.mark.parametrize("view", get_args(ImageView))
def test_every_view_of_images_has_a_usual_strength_that_it_accepts(view: str) -> None:
    config = DiffAugConfig().replace(train={"warmup_view": view})
    assert 0 < decided(config.for_kind("image").train.view_strength) <= 1
    with pytest.raises(InputError, match=rf"'{view}' does not apply to sequences; .*'mutation'"):
        config.for_kind("sequence")
    if view not in get_args(FeatureView):
        with pytest.raises(InputError, match=rf"'{view}' does not apply to features; .*'neighbor_mix'"):
            config.for_kind("measured")


SUITABLE = {
    "expression": {"auto", "mlp"},
    "measured": {"auto", "mlp"},
    "sequence": {"auto", "cnn"},
    "image": {"auto", "patches", "convnet", "resnet18"},
}


@pytest.mark.parametrize(
    ("encoder", "kind"),
    [(encoder, kind) for kind, suitable in SUITABLE.items() for encoder in sorted(suitable)],
)
def test_an_encoder_of_these_rows_is_kept(encoder: str, kind: DataKind) -> None:
    config = DiffAugConfig().replace(encoder={"kind": encoder})
    assert config.for_kind(kind).encoder.kind in SUITABLE[kind] - {"auto"}
    assert encoder in {"auto", config.for_kind(kind).encoder.kind}


@pytest.mark.parametrize(
    ("encoder", "kind"),
    [
        (encoder, kind)
        for kind, suitable in SUITABLE.items()
        for encoder in get_args(EncoderKind)
        if encoder not in suitable
    ],
)
def test_an_encoder_of_other_rows_is_refused(encoder: str, kind: DataKind) -> None:
    config = DiffAugConfig().replace(encoder={"kind": encoder})
    with pytest.raises(
        InputError,
        match=rf"encoder '{encoder}' does not fit .* 'mlp' embeds features, 'cnn' letters of sequences",
    ):
        config.for_kind(kind)


def test_what_was_set_is_not_decided_anew() -> None:
    given: dict[str, dict[str, object]] = {
        "features": {"n_components": 7},
        "encoder": {"kind": "mlp", "linear_path": "learned", "n_latent": 5},
        "generator": {"width": 9, "noising": 0.9, "whitening": "full"},
        "loss": {"name": "info_nce", "projection": "free"},
        "train": {"warmup_view": "neighbor_mix", "view_strength": 0.3},
    }
    config = DiffAugConfig().replace(**given)
    assert config.for_kind("expression") == config


@pytest.mark.parametrize("projection", ["free", "sphere"])
@pytest.mark.parametrize("kind", SUITABLE)
def test_a_projection_that_was_set_holds_for_all_rows(kind: DataKind, projection: str) -> None:
    config = DiffAugConfig().replace(loss={"projection": projection})
    assert config.for_kind(kind).loss.projection == projection


@pytest.mark.parametrize("kind", ["expression", "measured", "words", "sequence"])
def test_a_u_net_is_for_images(kind: DataKind) -> None:
    config = DiffAugConfig().replace(generator={"backbone": "unet"})
    with pytest.raises(InputError, match=r"denoiser 'unet' is for images, and these rows are .*Take 'mlp'"):
        config.for_kind(kind)


# Name: kind of rows, what was set, and the linear path that "auto" is.
AUTO: dict[str, tuple[DataKind, dict[str, dict[str, Any]], str]] = {
    "expression": ("expression", {}, "kept"),
    "measured": ("measured", {}, "kept"),
    "letters": ("sequence", {}, "kept"),
    "patches": ("image", {}, "kept"),
    "expression-in-full": ("expression", {"features": {"front_end": "none"}}, "learned"),
    "measured-in-full": ("measured", {"features": {"front_end": "none"}}, "learned"),
    "convnet": ("image", {"encoder": {"kind": "convnet"}}, "learned"),
    "resnet18": ("image", {"encoder": {"kind": "resnet18"}}, "learned"),
}


@pytest.mark.parametrize(("kind", "given", "expected"), AUTO.values(), ids=AUTO)
def test_components_are_kept_where_the_encoder_sees_some(
    kind: DataKind, given: dict[str, dict[str, Any]], expected: str
) -> None:
    config = DiffAugConfig().replace(**given)
    assert config.encoder.linear_path == "auto"
    resolved = config.for_kind(kind)
    assert resolved.encoder.linear_path == expected
    assert resolved.for_kind(kind) == resolved
    half = 64 if kind == "expression" else 128
    assert resolved.encoder.n_kept(50) == (50 if expected == "kept" else 0)
    assert resolved.encoder.n_kept(256) == (half if expected == "kept" else 0)


@pytest.mark.parametrize("path", ["kept", "learned", "none"])
@pytest.mark.parametrize(("kind", "given", "usual"), AUTO.values(), ids=AUTO)
def test_a_linear_path_that_was_set_holds_or_is_refused(
    kind: DataKind, given: dict[str, dict[str, Any]], usual: str, path: str
) -> None:
    config = DiffAugConfig().replace(**given)
    config = config.replace(encoder={"linear_path": path})
    if path == "kept" and usual != "kept":
        with pytest.raises(
            InputError,
            match=r"`linear_path` 'kept' keeps principal components .* Take 'auto' or 'learned'",
        ):
            config.for_kind(kind)
        return
    assert config.for_kind(kind).encoder.linear_path == path


@pytest.mark.parametrize("kind", ["expression", "measured", "words"])
def test_usual_presets_keep_components_and_the_published_one_has_no_linear_path(kind: DataKind) -> None:
    for name, path in {"quick": "kept", "default": "kept", "paper": "none"}.items():
        preset: Any = name
        assert DiffAugConfig.preset(preset).for_kind(kind).encoder.linear_path == path


@pytest.mark.parametrize("kind", ["cells", "", None, ["image"]])
def test_a_kind_that_is_none_is_refused(kind: Any) -> None:
    with pytest.raises(InputError, match=r"no kind of data .*expression, measured, words, sequence, image"):
        DiffAugConfig().for_kind(kind)
