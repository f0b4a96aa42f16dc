"""Arithmetic and memory of the preset paper-images, counted and not timed, for a GPU of a given speed.

    python tests/benchmarks/paper_images.py --teraflops 200

Runs one training step of encoder and U-Net forward and backward on two images, on the CPU, counts
floating-point operations and the bytes that are kept for the backward pass, and scales both to batches of
500. Kept values are counted in float32 and halved, as under bfloat16. Steps per second are those of a GPU
that sustains the given speed: an estimate, not a measurement.
"""

from __future__ import annotations

import argparse
import math
import sys
from functools import partial
from typing import TYPE_CHECKING

import torch
from torch.utils.flop_counter import FlopCounterMode

from diffaug_bio.config import DiffAugConfig
from diffaug_bio.config.kinds import decided
from diffaug_bio.core.image_encoders import ResNet18
from diffaug_bio.core.images import ImageShape
from diffaug_bio.core.unet import UNetDenoiser

if TYPE_CHECKING:
    from collections.abc import Callable

SETS = {
    "CIFAR-10/100": (ImageShape(32, 32, 3), 50_000),
    "Tiny-ImageNet": (ImageShape(64, 64, 3), 100_000),
    "STL-10": (ImageShape(96, 96, 3), 105_000),
}
N_COUNTED = 2


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--teraflops", type=float, default=200.0, help="what the GPU sustains in bfloat16")
    speed = 1e12 * parser.parse_args().teraflops
    config = DiffAugConfig.preset("paper-images").for_kind("image")
    batch, train = config.train.batch_size, config.train
    columns = [
        "data",
        "encoder-step",
        "steps/s",
        "memory",
        "U-Net-step",
        "steps/s",
        "memory",
        "positives",
        "whole-fit",
    ]
    n_latent, width = decided(config.encoder.n_latent), decided(config.generator.width)
    lines = [f"| {' | '.join(columns)} |", "|---" * len(columns) + "|"]
    for name, (shape, n_images) in SETS.items():
        encoder = ResNet18(shape, n_latent)
        x = torch.rand(N_COUNTED, shape.n_values)
        flops, kept, _ = _counted(partial(encoder, x))
        flops, kept = 2 * batch * flops, 2 * batch * kept  # both views
        unet = UNetDenoiser(shape, n_latent, width=width, n_blocks=config.generator.n_blocks)
        t, condition = torch.zeros(N_COUNTED), torch.rand(N_COUNTED, n_latent)
        unet_flops, unet_kept, forward = _counted(partial(unet, x, t, condition))
        positives = n_images * config.generator.n_sampling_steps * forward / speed
        n_steps = math.ceil(0.9 * n_images / batch)
        seconds = n_steps * (
            (train.warmup_epochs + train.encoder_epochs) * flops / speed
            + train.generator_epochs * batch * unet_flops / speed
        )
        lines.append(
            f"| {name} | {flops / 1e12:.1f} TFLOP | {speed / flops:.0f} | {kept / 2e9:.0f} GB "
            f"| {batch * unet_flops / 1e12:.1f} TFLOP | {speed / batch / unet_flops:.0f} "
            f"| {batch * unet_kept / 2e9:.0f} GB | {positives / 3600:.1f} h "
            f"| {(seconds + positives) / 3600:.1f} h |"
        )
    sys.stdout.write("\n".join(lines) + "\n")


def _counted(run: Callable[[], torch.Tensor]) -> tuple[float, float, float]:
    """Operations forward and backward, bytes kept between them, and operations forward, an image."""
    kept: dict[int, int] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        if not isinstance(tensor, torch.nn.Parameter):
            kept[tensor.data_ptr()] = tensor.numel() * tensor.element_size()
        return tensor

    with FlopCounterMode(display=False) as counter:
        with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
            out = run()
        forward = counter.get_total_flops()
        out.sum().backward()  # type: ignore[no-untyped-call]
    return counter.get_total_flops() / N_COUNTED, sum(kept.values()) / N_COUNTED, forward / N_COUNTED


if __name__ == "__main__":
    main()
