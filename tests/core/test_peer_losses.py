"""The losses of the peers against slow loops, their invariances and minima."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from diffaug_bio.core.losses import byol, nt_xent, vicreg

if TYPE_CHECKING:
    from collections.abc import Callable

LOSSES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "nt_xent": lambda a, b: nt_xent(a, b, temperature=0.5),
    "byol": byol,
    "vicreg": vicreg,
}
each_loss = pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES)


def views(seed: int, n_rows: int = 7, n_columns: int = 3) -> tuple[Tensor, Tensor]:
    """Projections of two views that resemble each other."""
    generator = torch.Generator().manual_seed(seed)
    z = torch.randn((n_rows, n_columns), generator=generator)
    return z, z + 0.3 * torch.randn(z.shape, generator=generator)


def cosine(a: Tensor, b: Tensor) -> float:
    return float(a.double() @ b.double() / (a.double().norm() * b.double().norm()))


def loop_nt_xent(z: Tensor, z_positive: Tensor, temperature: float) -> float:
    rows, n = [*z, *z_positive], len(z)
    total = 0.0
    for i in range(2 * n):
        scores = {j: math.exp(cosine(rows[i], rows[j]) / temperature) for j in range(2 * n) if j != i}
        total -= math.log(scores[(i + n) % (2 * n)] / sum(scores.values()))
    return total / (2 * n)


def loop_byol(predicted: Tensor, target: Tensor) -> float:
    total = 0.0
    for a, b in zip(predicted.double(), target.double(), strict=True):
        total += float((a / a.norm() - b / b.norm()).square().sum())
    return total / len(predicted)


def loop_vicreg(z: Tensor, z_positive: Tensor) -> float:
    """Equations 1 to 6 of Bardes et al., with the halved variance terms of their code."""
    n, d = z.shape
    invariance = sum(float((z[i].double() - z_positive[i].double()).square().sum()) for i in range(n))
    variance = covariance = 0.0
    for view in (z.double(), z_positive.double()):
        mean = [sum(float(view[i, j]) for i in range(n)) / n for j in range(d)]
        for j in range(d):
            for k in range(d):
                products = [(float(view[i, j]) - mean[j]) * (float(view[i, k]) - mean[k]) for i in range(n)]
                c = sum(products) / (n - 1)
                if j == k:
                    variance += 0.5 * max(0.0, 1.0 - math.sqrt(c + 1e-4)) / d
                else:
                    covariance += c**2 / d
    return 25.0 * invariance / (n * d) + 25.0 * variance + covariance


@pytest.mark.parametrize("temperature", [0.1, 0.5, 2.0], ids="temperature-{}".format)
def test_nt_xent_equals_a_loop_over_pairs(temperature: float) -> None:
    z, z_positive = views(0)
    found = float(nt_xent(z, z_positive, temperature=temperature))
    assert found == pytest.approx(loop_nt_xent(z, z_positive, temperature), rel=1e-5)


def test_byol_equals_a_loop_over_rows() -> None:
    predicted, target = views(1)
    assert float(byol(predicted, target)) == pytest.approx(loop_byol(predicted, target), rel=1e-5)


@pytest.mark.parametrize("scale", [0.3, 1.0, 4.0], ids="scale-{}".format)
def test_vicreg_equals_a_loop_over_columns(scale: float) -> None:
    z, z_positive = (scale * view for view in views(2))
    assert float(vicreg(z, z_positive)) == pytest.approx(loop_vicreg(z, z_positive), rel=1e-5)


@each_loss
@settings(max_examples=10, deadline=None, derandomize=True)
@given(seed=st.integers(0, 10_000), n_rows=st.integers(2, 12))
def test_losses_of_permuted_rows_are_the_same(
    loss: Callable[[Tensor, Tensor], Tensor], seed: int, n_rows: int
) -> None:
    z, z_positive = views(seed, n_rows)
    order = torch.randperm(n_rows, generator=torch.Generator().manual_seed(seed))
    # Sums in another order differ in the last digits.
    torch.testing.assert_close(loss(z[order], z_positive[order]), loss(z, z_positive), rtol=1e-4, atol=1e-5)
    if n_rows > 2:  # two rows that trade places are the two views traded
        assert not torch.isclose(loss(z, z_positive.roll(1, 0)), loss(z, z_positive), rtol=1e-4)


@each_loss
def test_losses_do_not_tell_the_views_apart(loss: Callable[[Tensor, Tensor], Tensor]) -> None:
    z, z_positive = views(3)
    torch.testing.assert_close(loss(z, z_positive), loss(z_positive, z))


@pytest.mark.parametrize("name", ["nt_xent", "byol"])
def test_losses_of_cosines_do_not_depend_on_the_size_of_rows(name: str) -> None:
    z, z_positive = views(4)
    sizes = torch.linspace(0.1, 50, len(z))[:, None]
    torch.testing.assert_close(LOSSES[name](sizes * z, 3.0 * z_positive), LOSSES[name](z, z_positive))


def test_nt_xent_and_vicreg_need_another_row() -> None:
    z, z_positive = views(5, n_rows=1)
    with pytest.raises(ValueError, match=r"2 rows.*got 1"):
        nt_xent(z, z_positive, temperature=0.5)
    with pytest.raises(ValueError, match=r"2 rows.*got 1"):
        vicreg(z, z_positive)


def test_nt_xent_of_equal_rows_is_the_number_of_others() -> None:
    rows = torch.ones(6, 3)
    assert float(nt_xent(rows, rows, temperature=0.5)) == pytest.approx(math.log(11), rel=1e-6)


def test_byol_runs_from_zero_for_equal_to_four_for_opposite_directions() -> None:
    z, _ = views(6)
    assert float(byol(z, 2 * z)) == pytest.approx(0.0, abs=1e-6)
    assert float(byol(z, -z)) == pytest.approx(4.0, abs=1e-6)


def test_vicreg_is_lowest_for_equal_views_without_correlation_of_unit_variance() -> None:
    whitened = math.sqrt(7) * torch.linalg.qr(centered(8, 4)).Q  # variance of each column: 1
    torch.testing.assert_close(whitened.T.cov(), torch.eye(4), rtol=0, atol=1e-5)
    assert float(vicreg(whitened, whitened)) == pytest.approx(0.0, abs=1e-6)
    assert float(vicreg(3.0 * whitened, 3.0 * whitened)) == pytest.approx(0.0, abs=1e-4)
    assert float(vicreg(whitened, whitened + 0.1)) == pytest.approx(25 * 0.01, rel=1e-3)
    assert float(vicreg(0.5 * whitened, 0.5 * whitened)) == pytest.approx(12.5, rel=1e-3)
    assert float(vicreg(whitened[:, [0, 0]], whitened[:, [0, 0]])) == pytest.approx(2.0, rel=1e-3)


def centered(n_rows: int, n_columns: int) -> Tensor:
    z, _ = views(7, n_rows, n_columns)
    return z - z.mean(0)


@each_loss
@pytest.mark.parametrize("case", ["random", "equal views", "equal rows", "rows of zeros"])
def test_loss_and_gradients_are_finite(loss: Callable[[Tensor, Tensor], Tensor], case: str) -> None:
    z, z_positive = views(8)
    if case == "equal views":
        z_positive = z.clone()
    elif case == "equal rows":
        z = z_positive = torch.ones(7, 3)
    elif case == "rows of zeros":
        z, z_positive = torch.zeros(7, 3), torch.zeros(7, 3)
    z, z_positive = z.clone().requires_grad_(), z_positive.clone().requires_grad_()
    value = loss(z, z_positive)
    gradients = torch.autograd.grad(value, [z, z_positive])
    assert value.isfinite()
    assert all(bool(gradient.isfinite().all()) for gradient in gradients)
    if case == "random":
        assert all(bool(gradient.any()) for gradient in gradients)


@each_loss
def test_a_step_down_the_gradient_lowers_the_loss(loss: Callable[[Tensor, Tensor], Tensor]) -> None:
    z, z_positive = views(9)
    z.requires_grad_()
    value = loss(z, z_positive)
    (gradient,) = torch.autograd.grad(value, [z])
    moved = (z - 1e-2 * gradient).detach()
    assert float(loss(moved, z_positive)) < float(value.detach())


@each_loss
def test_losses_of_half_precision_rows_are_float32(loss: Callable[[Tensor, Tensor], Tensor]) -> None:
    z, z_positive = (view.bfloat16() for view in views(10))
    found = loss(z, z_positive)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, loss(z.float(), z_positive.float()), rtol=1e-5, atol=1e-6)
