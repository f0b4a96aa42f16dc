"""Devices, precision and random generators, each resolved once and passed down."""

from __future__ import annotations

import contextlib
import hashlib
import re
from typing import TYPE_CHECKING, Literal

import torch
from torch import nn

from diffaug_bio.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator

Precision = Literal["auto", "float32", "bfloat16"]


def resolve_device(name: str) -> torch.device:
    """Find a device by its name; raises InputError if it is unknown or missing on this machine.

    `"auto"` takes CUDA, else Apple's MPS, else the CPU.
    """
    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    if re.fullmatch(r"cpu|mps|cuda(:[0-9]+)?", name) is None:
        msg = f"Unknown device {name!r}; choose 'auto', 'cpu', 'cuda', 'cuda:N' or 'mps'."
        raise InputError(msg)
    kind, _, index = name.partition(":")
    if kind == "mps" and not torch.backends.mps.is_available():
        msg = "This machine has no device 'mps'. Use 'auto' or 'cpu'."
        raise InputError(msg)
    if kind == "cuda":
        count = torch.cuda.device_count() if torch.cuda.is_available() else 0
        if count <= int(index or 0):
            msg = (
                f"There is no device {name!r}: PyTorch {torch.__version__} finds {count} CUDA devices. Use "
                "'auto' or 'cpu', or install a CUDA build of PyTorch."
            )
            raise InputError(msg)
    return torch.device(name)


def resolve_precision(precision: Precision, device: torch.device) -> torch.dtype:
    """Find the type of numbers in matrix products.

    `"auto"` takes bfloat16 if the hardware supports it: CUDA from Ampere on, and CPUs with AMX or
    AVX512-bf16. Elsewhere bfloat16 is emulated, and many times slower than float32.
    """
    if precision not in {"auto", "float32", "bfloat16"}:
        msg = f"Unknown precision {precision!r}; choose 'auto', 'float32' or 'bfloat16'."
        raise InputError(msg)
    if precision != "auto":
        return torch.bfloat16 if precision == "bfloat16" else torch.float32
    if device.type == "cuda":
        native = torch.cuda.is_bf16_supported(including_emulation=False)
    elif device.type == "cpu":
        capabilities = torch.cpu.get_capabilities()
        native = any(capabilities.get(name, False) for name in ("amx_bf16", "amx_tile", "avx512_bf16"))
    else:
        native = False
    return torch.bfloat16 if native else torch.float32


def seeded_generator(seed: int, device: torch.device, *stream: str | int) -> torch.Generator:
    """Make a random generator on a device, without the global random state.

    `stream` names the use. Each use has its own random numbers, so that a setting of one phase does not
    change those of another.
    """
    digest = hashlib.blake2b(repr((int(seed), *stream)).encode(), digest_size=8).digest()
    return torch.Generator(device).manual_seed(int.from_bytes(digest, "little") >> 1)


@contextlib.contextmanager
def seeded_initialisation(seed: int) -> Iterator[None]:
    """Initialise weights reproducibly, on the CPU, and restore the global random state afterwards."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        yield


@contextlib.contextmanager
def eval_mode(*modules: nn.Module) -> Iterator[None]:
    """Switch modules to evaluation without gradients, and restore their modes afterwards."""
    modes = [module.training for module in modules]
    for module in modules:
        module.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        for module, mode in zip(modules, modes, strict=True):
            module.train(mode)
