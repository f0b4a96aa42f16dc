"""Rows and sequences of three clusters, configurations that train in a moment, and single phases."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import pytest
import torch
from torch import Tensor, nn

from diffaug_bio.config import DiffAugConfig, FeatureConfig
from diffaug_bio.core.batches import DenseRows, split_rows
from diffaug_bio.core.generation import code_rows, feature_limits, feature_scale
from diffaug_bio.core.inputs import FeatureInput, ImageInput, SequenceInput
from diffaug_bio.core.objectives import Objective, build_objective
from diffaug_bio.core.phases import Fit
from diffaug_bio.core.sequences import END, OTHER
from diffaug_bio.core.state import TrainState, build
from diffaug_bio.core.trainer import train
from diffaug_bio.features import fit_images, fit_sequences
from tests.conftest import shifted_textures

if TYPE_CHECKING:
    from collections.abc import Callable

    from diffaug_bio.core.batches import Rows
    from diffaug_bio.core.inputs import Input
    from diffaug_bio.core.phases import EpochEnd
    from diffaug_bio.core.sequences import SpectralFrontEnd

N_ROWS, N_FEATURES = 110, 12
LENGTH = 30  # of the longest sequence
CPU = torch.device("cpu")
FEATURES = FeatureInput(N_FEATURES)


@pytest.fixture
def tiny_config(tiny_config: DiffAugConfig) -> DiffAugConfig:
    """Take a view that needs no neighbors, so that most tests need none, and keep components as usual.

    Rows are generated from pure noise, where nothing but the condition tells of the source.
    """
    view = {"warmup_view": "gaussian", "view_strength": 0.5}
    return changed(tiny_config, train=view, encoder={"linear_path": "kept"}, generator={"noising": 1.0})


@pytest.fixture
def letters_config(letters_config: DiffAugConfig) -> DiffAugConfig:
    """Take a view of letters."""
    view = {"warmup_view": "mutation", "view_strength": 0.2}
    return changed(letters_config, train=view, generator={"noising": 1.0})


@pytest.fixture
def images_config(images_config: DiffAugConfig) -> DiffAugConfig:
    """Take a view of images."""
    view = {"warmup_view": "patch_mask", "view_strength": 0.3}
    return changed(images_config, train=view, generator={"noising": 1.0})


def clustered_rows(n_rows: int = N_ROWS) -> Tensor:
    """Rows of three clusters, with columns of about unit variance."""
    generator = torch.Generator().manual_seed(0)
    centers = torch.randn((3, N_FEATURES), generator=generator)
    return centers[torch.arange(n_rows) % 3] + 0.5 * torch.randn((n_rows, N_FEATURES), generator=generator)


def clustered_tokens(n_rows: int = N_ROWS, *, sharpness: float = 2.0) -> Tensor:
    """Sequences of three clusters, each with shares of bases of its own at every position.

    Some are shorter than others, and some letters are N.
    """
    generator = torch.Generator().manual_seed(0)
    shares = (sharpness * torch.randn((3, LENGTH, 4), generator=generator)).softmax(2)
    cluster = torch.arange(n_rows) % 3
    drawn = torch.multinomial(shares[cluster].flatten(0, 1), 1, generator=generator)
    tokens = drawn.reshape(n_rows, LENGTH).to(torch.uint8)
    tokens[torch.rand(tokens.shape, generator=generator) < 0.03] = OTHER
    tokens[torch.arange(LENGTH) >= LENGTH - torch.arange(n_rows)[:, None] % 7] = END
    return tokens


def letters_for(tokens: Tensor, n_components: int = 8) -> SequenceInput:
    """Say what rows of tokens are, with the front end fitted as an estimator does."""
    features = fit_sequences(tokens.cpu().numpy(), FeatureConfig(n_components=n_components), seed=0)
    source = features.inputs(DiffAugConfig())
    assert isinstance(source, SequenceInput)
    return source


def front_end_for(tokens: Tensor, n_components: int = 8) -> SpectralFrontEnd:
    """Fit the front end as an estimator does."""
    return letters_for(tokens, n_components).front_end


def images_for(
    shape: tuple[int, int, int] = (9, 8, 1), n_components: int = 8, *, backbone: str = "mlp"
) -> tuple[ImageInput, Tensor]:
    """Say what rows of pixels are, as an estimator does, and give some, as bytes."""
    pixels = shifted_textures(40, shape).reshape(40, -1)
    features = fit_images(pixels, shape, FeatureConfig(n_components=n_components), seed=0)
    source = features.inputs(changed(DiffAugConfig(), generator={"backbone": backbone}))
    assert isinstance(source, ImageInput)
    return source, torch.from_numpy(pixels)


def values_of(rows: Rows) -> Tensor:
    """Take all rows at once."""
    return rows.take(torch.arange(rows.shape[0], device=rows.device))


def nearest(values: Tensor) -> Tensor:
    """Row numbers of the three nearest other rows."""
    return torch.cdist(values, values).topk(4, largest=False).indices[:, 1:]


def changed(config: DiffAugConfig, **sections: dict[str, Any]) -> DiffAugConfig:
    """Put other values into a configuration."""
    return config.replace(**sections)


def trained(
    config: DiffAugConfig,
    *,
    rows: Rows | None = None,
    neighbors: Tensor | None = None,
    seed: int = 0,
    precision: torch.dtype = torch.float32,
    callbacks: tuple[Callable[[EpochEnd], None], ...] = (),
    source: Input = FEATURES,
) -> TrainState:
    """Run `train` with the defaults of these tests."""
    return train(
        DenseRows(clustered_rows()) if rows is None else rows,
        config,
        source,
        neighbors=neighbors,
        seed=seed,
        precision=precision,
        callbacks=callbacks,
    )


def trained_on_letters(
    config: DiffAugConfig, *, tokens: Tensor | None = None, **settings: Any
) -> TrainState:
    """Run `train` on sequences."""
    tokens = clustered_tokens() if tokens is None else tokens
    return trained(config, rows=DenseRows(tokens), source=letters_for(tokens), **settings)


def fit_and_state(
    config: DiffAugConfig,
    *,
    values: Tensor | None = None,
    rows: Rows | None = None,
    seed: int = 0,
    source: Input = FEATURES,
) -> tuple[Fit, TrainState]:
    """Prepare single phases as `train` does."""
    if rows is None:
        rows = DenseRows(clustered_rows() if values is None else values)
    train_rows, held_out_rows = split_rows(rows.shape[0], config.train.validation_fraction, seed=seed)
    fit = Fit(
        on_step=lambda: None,
        config=config,
        source=source,
        rows=rows,
        neighbors=None,
        train_rows=train_rows,
        held_out_rows=held_out_rows,
        seed=seed,
        precision=torch.float32,
        callbacks=(),
    )
    state = build(config, source, seed=seed, device=CPU)
    codes = code_rows(state, fit.rows)
    state.limits = feature_limits(codes)
    state.code_scale = feature_scale(codes, config.generator.whitening)
    return fit, state


def objective_of(fit: Fit, state: TrainState) -> Objective:
    """Make the configured objective as `train` does."""
    return build_objective(
        fit.config,
        state.encoder,
        state.projector,
        state.codec,
        n_codes=len(state.limits),
        seed=fit.seed,
        autocast=fit.autocast,
    )


def snapshot(*modules: nn.Module) -> list[dict[str, Tensor]]:
    """Copy all weights and buffers."""
    return [copy.deepcopy(module.state_dict()) for module in modules]


def same(first: list[dict[str, Tensor]], second: list[dict[str, Tensor]]) -> bool:
    """Whether two snapshots agree bit for bit."""
    return all(torch.equal(a[name], b[name]) for a, b in zip(first, second, strict=True) for name in a | b)


def networks(state: TrainState) -> list[dict[str, Tensor]]:
    """Copy the weights of all networks."""
    return snapshot(state.encoder, state.projector, state.denoiser, state.averaged_denoiser)


def without_seconds(history: list[EpochEnd]) -> list[tuple[object, ...]]:
    """What of a history the same fit repeats."""
    return [(event.phase, event.round, event.epoch, event.loss, event.held_out_loss) for event in history]
