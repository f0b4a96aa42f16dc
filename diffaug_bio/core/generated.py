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
    """Check the settings of sampling, and name them as the configuration does.

    Returns
    -------
    `noising` and `guidance` of :class:`~diffaug_bio.config.GeneratorConfig`, without what is None.

    Raises
    ------
    InputError
        If the strength is not above 0 and at most 1, or the guidance is not a finite number.
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
    """Set strength and guidance in a configuration; None keeps the settings of the training.

    Raises
    ------
    InputError
        See :func:`sampling_settings`.
    """
    asked = sampling_settings(strength=strength, guidance=guidance)
    return replaced(config, {"generator": asked}, source="`strength` and `guidance`")


def embedded(encoder: nn.Module, rows: Rows) -> Tensor:
    """Embed rows as :func:`~diffaug_bio.core.state.encode` does, and refuse what is not finite.

    Raises
    ------
    InputError
        If a value is not finite.
    """
    return finite_rows(encode(encoder.to(rows.device), rows), what="embedding")


def generated_codes(
    state: TrainState, rows: Rows, config: DiffAugConfig, *, seed: int, batch: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Generate a code from each row.

    Parameters
    ----------
    state
        The trained networks; moved to the rows' device.
    rows
        Rows to generate from.
    config
        Configuration, whose `generator` sets how to sample.
    seed
        Seed of the noise.
    batch
        Number of the batch to generate each row in, -1 for none; none if left out. Shape: `(n_rows,)`.

    Returns
    -------
    Codes of the rows, and the codes generated from them. Shape of both: `(n_rows, n_codes)`.

    Raises
    ------
    InputError
        If an embedding or a generated code is not finite.
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
    """Turn codes into rows; see :func:`diffaug_bio.core.generation.decode`.

    Parameters
    ----------
    state
        The trained networks; moved to the rows' device.
    codes
        Codes to decode. Shape: `(n_rows, n_codes)`.
    rows
        Rows that the codes were generated from.
    seed
        Seed of the bases that are drawn.
    """
    held = torch.from_numpy(np.ascontiguousarray(codes, np.float32)).to(rows.device)
    held = finite_rows(held, what="code")
    return decode(
        state.to(rows.device), held, rows, generator=seeded_generator(seed, rows.device, "letters")
    )


def encode_with_errors(state: TrainState, rows: Rows, config: DiffAugConfig) -> tuple[Tensor, Tensor]:
    """Embed rows as :func:`~diffaug_bio.core.state.encode` does, and measure the denoiser's errors.

    Rows are read once, which saves time if they are image files.

    Parameters
    ----------
    state
        The trained networks; moved to the rows' device.
    rows
        Rows to embed.
    config
        Configuration, whose `generator` sets the condition.

    Returns
    -------
    Embeddings, and the errors of :func:`denoising_errors`. Shapes: `(n_rows, n_latent)` and `(n_rows,)`.
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
    """Measure how well the denoiser restores the code of each row, given the row's own condition.

    Codes are noised to two shares of the schedule (:meth:`GaussianDiffusion.add_noise`), twice each, and
    restored in one step (:meth:`GaussianDiffusion.denoise`). The noise is the same for every row, so that a
    row's error does not depend on other rows.

    Parameters
    ----------
    state
        The trained networks.
    x
        Rows as the encoder takes them. Shape: `(batch, n_features)`.
    y
        Embeddings of the rows. Shape: `(batch, n_latent)`.
    config
        Configuration, whose `generator` sets the condition.
    noises
        Draws of noise for each share. Shape: `(2, 2, n_codes)`.

    Returns
    -------
    Mean squared errors over all values of a code and all draws. Shape: `(batch,)`.
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
