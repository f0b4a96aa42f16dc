"""Networks of a fit: making them, and turning them into arrays and back."""

from __future__ import annotations

import copy
import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

import torch
from torch import Tensor, nn

from diffaug_bio.config.kinds import decided
from diffaug_bio.core.diffusion import GaussianDiffusion
from diffaug_bio.core.encoders import Projector
from diffaug_bio.core.runtime import eval_mode, seeded_initialisation
from diffaug_bio.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray

    from diffaug_bio.config import DiffAugConfig
    from diffaug_bio.core.batches import Rows
    from diffaug_bio.core.inputs import AnyCodec, Input
    from diffaug_bio.core.phases import EpochEnd

_BLOCK_ROWS, _BLOCK_VALUES = 8192, 2**20  # embedded or generated at once, to limit memory
_MOST_WEIGHTS = 10**9  # 4 GB, and four times that in training
_SAVED = ("encoder", "projector", "denoiser", "codec")  # networks; prefixes of their weights' names


@dataclass(slots=True)
class TrainState:
    """Networks, and numbers that belong to them; training changes it in place."""

    encoder: nn.Module
    projector: Projector
    denoiser: nn.Module
    averaged_denoiser: nn.Module
    codec: AnyCodec
    diffusion: GaussianDiffusion
    condition_mean: Tensor
    condition_std: Tensor
    limits: Tensor
    """Largest absolute value of each part of a code; generated codes are cut off there `(n_codes,)`."""
    code_scale: Tensor
    """Divisor of each part of a code before noise is added `(n_codes,)`."""
    history: list[EpochEnd] = field(default_factory=list)

    @property
    def n_kept(self) -> int:
        """Number of first columns of the embedding that are principal components of the row."""
        return self.projector.n_kept

    def to(self, device: torch.device) -> Self:
        """Move all to a device, in place, and return the state."""
        networks = (self.encoder, self.projector, self.denoiser, self.averaged_denoiser)
        for module in (*networks, self.codec, self.diffusion):
            module.to(device)
        self.condition_mean = self.condition_mean.to(device)
        self.condition_std = self.condition_std.to(device)
        self.limits = self.limits.to(device)
        self.code_scale = self.code_scale.to(device)
        return self


def build(config: DiffAugConfig, source: Input, *, seed: int, device: torch.device) -> TrainState:
    """Make networks with reproducible weights, drawn on the CPU: a seed means the same everywhere."""
    with seeded_initialisation(seed):
        encoder, projector, denoiser, codec = _networks(config, source)
    n_condition = _n_condition(config, source)
    diffusion = GaussianDiffusion(
        schedule=config.generator.schedule,
        n_steps=config.generator.n_steps,
        prediction=config.generator.prediction,
    )
    return TrainState(
        encoder=encoder.to(device),
        projector=projector.to(device),
        denoiser=denoiser.to(device),
        averaged_denoiser=copy.deepcopy(denoiser).to(device).requires_grad_(requires_grad=False),
        codec=codec.to(device),
        diffusion=diffusion.to(device),
        condition_mean=torch.zeros(n_condition, device=device),
        condition_std=torch.ones(n_condition, device=device),
        limits=torch.full((source.n_codes,), math.inf, device=device),
        code_scale=torch.ones(source.n_codes, device=device),
    )


def _networks(config: DiffAugConfig, source: Input) -> tuple[nn.Module, Projector, nn.Module, AnyCodec]:
    """Make encoder, projector, denoiser and codec; the order decides what a seed gives."""
    encoder = source.encoder(config.encoder)
    projector = Projector(config.encoder, config.encoder.n_kept(source.n_components))
    n_condition = _n_condition(config, source) + len(config.batches.names)
    return encoder, projector, source.denoiser(n_condition, config.generator), source.codec()


def _n_condition(config: DiffAugConfig, source: Input) -> int:
    """Compute the width of the generator's condition, without the batch's code."""
    widths = config.encoder
    n_kept = widths.n_kept(source.n_components)
    return (
        widths.n_compared(n_kept)
        if config.generator.condition == "z"
        else decided(widths.n_latent) - n_kept
    )


def encode(encoder: nn.Module, rows: Rows) -> Tensor:
    """Embed all rows in float32, block by block; `(n_rows, n_latent)` on the rows' device."""
    with eval_mode(encoder):
        return torch.cat([encoder(rows.take(block)) for block in blocks(rows)])


def blocks(rows: Rows) -> tuple[Tensor, ...]:
    """Split the numbers of all rows into parts to embed or generate at once."""
    every = torch.arange(rows.shape[0], device=rows.device)
    return torch.split(every, max(1, min(_BLOCK_ROWS, _BLOCK_VALUES // rows.shape[1])))


def to_arrays(state: TrainState) -> dict[str, NDArray[np.generic]]:
    """Collect the arrays to save, by name; the averaged denoiser stands for both."""
    arrays = {
        f"{name}.{key}": value
        for name, module in _saved_networks(state).items()
        for key, value in module.state_dict().items()
    }
    arrays["condition.mean"] = state.condition_mean
    arrays["condition.std"] = state.condition_std
    arrays["limits"] = state.limits
    arrays["code_scale"] = state.code_scale
    return {key: value.cpu().numpy() for key, value in arrays.items()}


def expected_arrays(config: DiffAugConfig, source: Input) -> dict[str, tuple[tuple[int, ...], torch.dtype]]:
    """List shape and type of the arrays of :func:`to_arrays`, without making them."""
    with torch.device("meta"):  # tensors without values, whatever their size
        networks = dict(zip(_SAVED, _networks(config, source), strict=True))
    expected = {
        f"{name}.{key}": (tuple(value.shape), value.dtype)
        for name, module in networks.items()
        for key, value in module.state_dict().items()
    }
    width, n_codes = _n_condition(config, source), source.n_codes
    sizes = {"condition.mean": width, "condition.std": width, "limits": n_codes, "code_scale": n_codes}
    return expected | {name: ((size,), torch.float32) for name, size in sizes.items()}


def check_size(config: DiffAugConfig, source: Input) -> None:
    """Raise InputError for networks of more than a billion weights, before they are made."""
    n_weights = sum(math.prod(shape) for shape, _ in expected_arrays(config, source).values())
    if n_weights > _MOST_WEIGHTS:
        msg = (
            f"The networks of this configuration have {n_weights} weights, more than {_MOST_WEIGHTS}. Take "
            "narrower or fewer layers (`hidden`, `projector_hidden`, `width`, `n_blocks`)."
        )
        raise InputError(msg)


def from_arrays(
    config: DiffAugConfig, source: Input, arrays: Mapping[str, NDArray[np.generic]]
) -> TrainState:
    """Rebuild networks on the CPU from the arrays of :func:`to_arrays`; others are ignored.

    Shapes must be those of :func:`expected_arrays`.
    """
    cpu = torch.device("cpu")
    state = build(config, source, seed=0, device=cpu)
    for name, module in _saved_networks(state).items():
        weights = {
            key.removeprefix(f"{name}."): torch.from_numpy(value)
            for key, value in arrays.items()
            if key.startswith(f"{name}.")
        }
        module.load_state_dict(weights)
    state.denoiser.load_state_dict(state.averaged_denoiser.state_dict())
    state.condition_mean = torch.from_numpy(arrays["condition.mean"])
    state.condition_std = torch.from_numpy(arrays["condition.std"])
    state.limits = torch.from_numpy(arrays["limits"])
    state.code_scale = torch.from_numpy(arrays["code_scale"])
    return state


def _saved_networks(state: TrainState) -> dict[str, nn.Module]:
    """Collect the networks to save, by the prefix of their weights' names."""
    networks = (state.encoder, state.projector, state.averaged_denoiser, state.codec)
    return dict(zip(_SAVED, networks, strict=True))
