"""Devices, precision, random generators and modes."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import pytest
import torch
from torch import nn

from diffaug_bio.core.runtime import (
    eval_mode,
    resolve_device,
    resolve_precision,
    seeded_generator,
    seeded_initialisation,
)
from diffaug_bio.errors import InputError

if TYPE_CHECKING:
    from diffaug_bio.core.runtime import Precision

CPU = torch.device("cpu")


@pytest.mark.parametrize(
    "name", ["gpu", "cuda:x", "cuda:-1", "cpu:0", "cpu:", "cuda:", "cuda:²", "mps:1", "CPU", ""]
)
def test_unknown_devices_are_refused(name: str) -> None:
    with pytest.raises(InputError, match=f"'{name}'.*'auto', 'cpu'"):
        resolve_device(name)


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has CUDA")
@pytest.mark.parametrize("name", ["cuda", "cuda:0"])
def test_cuda_is_refused_where_there_is_none(name: str) -> None:
    with pytest.raises(InputError, match=f"'{name}'.* 0 CUDA"):
        resolve_device(name)


def test_a_cuda_device_beyond_the_last_is_refused() -> None:
    with pytest.raises(InputError, match=r"'cuda:99'.* \d+ CUDA"):
        resolve_device("cuda:99")


@pytest.mark.skipif(torch.backends.mps.is_available(), reason="this machine has MPS")
def test_mps_is_refused_where_there_is_none() -> None:
    with pytest.raises(InputError, match="'mps'"):
        resolve_device("mps")


def test_cpu_is_always_found() -> None:
    assert resolve_device("cpu") == CPU


def test_auto_device_takes_an_accelerator_where_there_is_one() -> None:
    found = resolve_device("auto").type
    if torch.cuda.is_available():
        assert found == "cuda"
    else:
        assert found == ("mps" if torch.backends.mps.is_available() else "cpu")


@pytest.mark.gpu
def test_cuda_is_found() -> None:
    assert resolve_device("cuda").type == "cuda"
    assert resolve_device("cuda:0") == torch.device("cuda", 0)


@pytest.mark.parametrize(("name", "dtype"), [("float32", torch.float32), ("bfloat16", torch.bfloat16)])
def test_named_precision_is_taken_on_every_device(name: Precision, dtype: torch.dtype) -> None:
    assert resolve_precision(name, CPU) == dtype
    assert resolve_precision(name, torch.device("meta")) == dtype


def test_auto_precision_is_float32_where_nothing_is_known_of_the_device() -> None:
    assert resolve_precision("auto", torch.device("meta")) == torch.float32
    assert resolve_precision("auto", torch.device("mps")) == torch.float32


def test_auto_precision_is_one_of_the_two_that_can_be_named() -> None:
    assert resolve_precision("auto", CPU) in {torch.float32, torch.bfloat16}


def test_unknown_precision_is_refused() -> None:
    with pytest.raises(InputError, match=r"'float16'.*'auto', 'float32'"):
        resolve_precision(cast("Precision", "float16"), CPU)


def test_seeded_generator_leaves_the_global_state_alone() -> None:
    before = torch.get_rng_state()
    first, again, other = (torch.randn(3, generator=seeded_generator(seed, CPU)) for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert torch.equal(torch.get_rng_state(), before)


STREAMS: list[tuple[str | int, ...]] = [
    (),
    ("bank",),
    ("bank", 0),
    ("bank", 1),
    ("bank", "1"),
    ("bank", 1, "order"),
    ("warm_up", 0, "order"),
    ("warm_up", 0, "noise"),
    ("warm_up0", "order"),
]


def draws(seed: int, stream: tuple[str | int, ...]) -> tuple[float, ...]:
    return tuple(torch.rand(4, generator=seeded_generator(seed, CPU, *stream)).tolist())


def test_streams_of_any_two_names_or_seeds_differ_and_each_repeats() -> None:
    found = {(seed, stream): draws(seed, stream) for seed in (0, 1, 2**63) for stream in STREAMS}
    assert len(set(found.values())) == len(found)
    assert all(draws(*key) == values for key, values in found.items())


def test_streams_of_neighboring_seeds_are_not_correlated() -> None:
    values = torch.stack(
        [torch.randn(4000, generator=seeded_generator(seed, CPU, "noise")) for seed in range(4)]
        + [torch.randn(4000, generator=seeded_generator(0, CPU, "noise", number)) for number in range(4)]
    )
    correlations = torch.corrcoef(values) - torch.eye(len(values))
    # 4000 draws: a standard error of 0.016.
    assert float(correlations.abs().max()) < 0.07


def weights(seed: int) -> torch.Tensor:
    with seeded_initialisation(seed):
        return nn.Linear(4, 4).weight


def test_seeded_initialisation_gives_the_same_weights_whatever_the_global_state() -> None:
    first = weights(7)
    torch.randn(5)  # moves the global state
    assert torch.equal(first, weights(7))
    assert not torch.equal(first, weights(8))


def test_seeded_initialisation_puts_the_global_state_back() -> None:
    before = torch.get_rng_state()
    weights(7)
    assert torch.equal(torch.get_rng_state(), before)


def test_seeded_initialisation_puts_the_global_state_back_after_an_exception() -> None:
    before = torch.get_rng_state()
    with pytest.raises(RuntimeError, match="inside"), seeded_initialisation(7):
        raise RuntimeError("inside")  # noqa: EM101
    assert torch.equal(torch.get_rng_state(), before)


def test_eval_mode_puts_each_mode_back() -> None:
    training, evaluating = nn.Dropout(), nn.Dropout().eval()
    with eval_mode(training, evaluating):
        assert not training.training
        assert not evaluating.training
        assert not torch.is_grad_enabled()
    assert training.training
    assert not evaluating.training
    assert torch.is_grad_enabled()


def test_eval_mode_puts_modes_back_after_an_exception() -> None:
    module = nn.Sequential(nn.Dropout())
    with pytest.raises(RuntimeError, match="inside"), eval_mode(module):
        raise RuntimeError("inside")  # noqa: EM101
    assert module.training
    assert module[0].training
    assert torch.is_grad_enabled()
