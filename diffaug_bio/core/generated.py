"""Generate from rows with a trained model, and measure how well it restores them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from diffaug_bio.config.tables import is_number, replaced
from diffaug_bio.core.finite import finite_rows
from diffaug_bio.core.generation import code_rows, conditions_of, decode, generate
from diffaug_bio.core.integration import batch_codes
from diffaug_bio.core.runtime import eval_mode, seeded_generator
from diffaug_bio.core.state import blocks, encode
from diffaug_bio.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor, nn

    from diffaug_bio.config import DiffAugConfig
    from diffaug_bio.core.batches import Rows
    from diffaug_bio.core.state import TrainState

_NOISINGS = (0.3, 0.5)  # shares of the noise schedule
_N_DRAWS = 2  # of noise at each share


def sampling_settings(*, strength: float | None, guidance: float | None) -> dict[str, float]:
    """Check the settings of sampling; returns those that are not None, named as in `GeneratorConfig`.

    Raises InputError unless the strength is above 0 and at most 1, and the guidance is finite.
    """
    asked: dict[str, float] = {}
    if strength is not None:
        if not is_number(strength) or not 0 < strength <= 1:
            msg = f"`strength` must be a share of the noise schedule, above 0 up to 1, got {strength!r}."
            raise InputError(msg)
        asked["noising"] = float(strength)
    if guidance is not None:
        if not is_number(guidance):
            msg = f"`guidance` must be a number (1 for none, more to exaggerate), got {guidance!r}."
            raise InputError(msg)
        asked["guidance"] = float(guidance)
    return asked


def sampling_config(
    config: DiffAugConfig, *, strength: float | None, guidance: float | None
) -> DiffAugConfig:
    """Set strength and guidance in a configuration; None keeps the settings of the training."""
    asked = sampling_settings(strength=strength, guidance=guidance)
    return replaced(config, {"generator": asked}, source="`strength` and `guidance`")


def embedded(encoder: nn.Module, rows: Rows) -> Tensor:
    """Embed rows, on their device; raises InputError if a value is not finite."""
    return finite_rows(encode(encoder.to(rows.device), rows), what="embedding")


def generated_codes(
    state: TrainState, rows: Rows, config: DiffAugConfig, *, seed: int, batch: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Generate a code from each row; returns the rows' own codes, then the generated ones.

    Both are `(n_rows, n_codes)`. Moves the state to the rows' device. `batch`, `(n_rows,)`, is the number
    of the batch to generate each row in, -1 for none. Raises InputError if one of them is not finite.
    """
    state = state.to(rows.device)
    codes = code_rows(state, rows)
    generated = generate(
        state,
        codes,
        conditions_of(state, embedded(state.encoder, rows), config),
        config,
        generator=seeded_generator(seed, rows.device, "generate_rows"),
        condition_stream=seeded_generator(seed, rows.device, "conditions"),
        batch=None if batch is None else batch.to(rows.device),
    )
    every = torch.arange(rows.shape[0], device=rows.device)
    return codes.take(every), finite_rows(generated, what="generated code")


def decoded_rows(state: TrainState, codes: NDArray[np.float32], rows: Rows, *, seed: int) -> Tensor:
    """Decode codes generated from `rows`, on their device; `seed` is for the bases that are drawn."""
    held = torch.from_numpy(np.ascontiguousarray(codes, np.float32)).to(rows.device)
    held = finite_rows(held, what="code")
    return decode(
        state.to(rows.device), held, rows, generator=seeded_generator(seed, rows.device, "letters")
    )


def encode_with_errors(state: TrainState, rows: Rows, config: DiffAugConfig) -> tuple[Tensor, Tensor]:
    """Embed rows, and measure the denoiser's errors; `(n_rows, n_latent)` and `(n_rows,)`.

    Moves the state to the rows' device. Rows are read once, which saves time if they are image files.
    """
    state = state.to(rows.device)
    cpu = torch.device("cpu")  # noise is drawn there, for the same results on every device
    shape = (len(_NOISINGS), _N_DRAWS, len(state.limits))
    noises = torch.randn(shape, generator=seeded_generator(0, cpu, "novelty")).to(rows.device)
    embeddings, errors = [], []
    with eval_mode(state.encoder):
        for block in blocks(rows):
            x = rows.take(block)
            embeddings.append(state.encoder(x))
            errors.append(denoising_errors(state, x, embeddings[-1], config, noises=noises))
    y = finite_rows(torch.cat(embeddings), what="embedding")
    return y, finite_rows(torch.cat(errors), what="denoiser's error")


def denoising_errors(
    state: TrainState, x: Tensor, y: Tensor, config: DiffAugConfig, *, noises: Tensor
) -> Tensor:
    """Measure how well the denoiser restores each row's code, given the row's own condition; `(batch,)`.

    Codes are noised to two shares of the schedule, twice each, and restored in one step; squared errors are
    averaged over all. `noises`, `(2, 2, n_codes)`, is the same for every row, so that a row's error does
    not depend on other rows. `y` is the embedding of `x`.
    """
    diffusion, denoiser = state.diffusion, state.averaged_denoiser
    errors = torch.zeros(len(x), device=x.device)
    with eval_mode(denoiser, state.codec):
        x0, condition = state.codec.encode(x) / state.code_scale, conditions_of(state, y, config)
        condition = torch.cat([condition, batch_codes(None, config.batches, len(x), x.device)], 1)
        for noising, draws in zip(_NOISINGS, noises, strict=True):
            step = diffusion.sampling_steps(1, noising=noising)[0]
            t = torch.full((len(x),), step, device=x.device)
            for noise in draws:
                x_t = diffusion.add_noise(x0, t, noise.expand_as(x0))
                restored, _ = diffusion.denoise(x_t, t, denoiser(x_t, t, condition))
                errors += (restored - x0).square().mean(1)
    return errors / (len(_NOISINGS) * _N_DRAWS)
