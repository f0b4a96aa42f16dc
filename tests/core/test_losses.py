"""The losses against slow loops, their invariances, and the limit of lemma 2.1."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from diffaug_bio.core.losses import (
    info_nce,
    log_t_similarity,
    soft_contrastive_loss,
    squared_distances,
    t_similarity,
)

DEGREES = [
    pytest.param(100.0, 10.0, id="soft"),
    pytest.param(math.inf, 10.0, id="hard"),
    pytest.param(100.0, 0.01, id="published-degrees"),
]


def batch(seed: int, n_rows: int = 7) -> tuple[Tensor, Tensor, Tensor]:
    """Embeddings, and projections of two views that resemble each other."""
    generator = torch.Generator().manual_seed(seed)
    y = torch.randn((n_rows, 5), generator=generator)
    z = torch.randn((n_rows, 3), generator=generator)
    return y, z, z + 0.3 * torch.randn((n_rows, 3), generator=generator)


def kappa(a: Tensor, b: Tensor, degrees: float) -> float:
    """Student-t similarity of two rows in double precision."""
    distance = float((a.double() - b.double()).square().sum())
    return float((1 + distance / degrees) ** (-(degrees + 1) / 2))


def loop_soft_contrastive(
    y: Tensor, z: Tensor, z_positive: Tensor, degrees_y: float, degrees_z: float
) -> float:
    total = 0.0
    for i in range(len(z)):
        for j in range(len(z)):
            q = kappa(z[i], z_positive[j], degrees_z)
            if i == j:
                total -= math.log(q)
                continue
            p = 0.0 if math.isinf(degrees_y) else kappa(y[i], y[j], degrees_y)
            total -= p * math.log(q) + (1 - p) * math.log(1 - q)
    return total / len(z)


def loop_info_nce(z: Tensor, z_positive: Tensor, temperature: float) -> float:
    def cosine(a: Tensor, b: Tensor) -> float:
        return float(a.double() @ b.double() / (a.double().norm() * b.double().norm()))

    total = 0.0
    n = len(z)
    for first, second in ((z, z_positive), (z_positive, z)):
        for i in range(n):
            scores = [math.exp(cosine(first[i], second[j]) / temperature) for j in range(n)]
            total -= math.log(scores[i] / sum(scores))
    return total / (2 * n)


@pytest.mark.parametrize(("degrees_y", "degrees_z"), DEGREES)
def test_soft_contrastive_loss_equals_a_loop_over_pairs(degrees_y: float, degrees_z: float) -> None:
    y, z, z_positive = batch(0)
    loss = soft_contrastive_loss(y, z, z_positive, degrees_y=degrees_y, degrees_z=degrees_z)
    # Float32 against doubles: distances of the product form keep about six digits.
    assert float(loss) == pytest.approx(
        loop_soft_contrastive(y, z, z_positive, degrees_y, degrees_z), rel=1e-5
    )


@pytest.mark.parametrize("temperature", [0.1, 0.5, 2.0], ids="temperature-{}".format)
def test_info_nce_equals_a_loop_over_pairs(temperature: float) -> None:
    _, z, z_positive = batch(1)
    loss = info_nce(z, z_positive, temperature=temperature)
    assert float(loss) == pytest.approx(loop_info_nce(z, z_positive, temperature), rel=1e-5)


@pytest.mark.parametrize("degrees", [0.01, 1.0, 10.0, 100.0], ids="degrees-{}".format)
def test_similarity_equals_its_formula(degrees: float) -> None:
    distances = torch.tensor([0.0, 1e-3, 0.5, 1.0, 7.0, 100.0])
    expected = (1 + distances.double() / degrees) ** (-(degrees + 1) / 2)
    found = t_similarity(distances, degrees=degrees)
    # Large degrees raise to a power of 50, which multiplies the rounding of the logarithm.
    torch.testing.assert_close(found.double(), expected, rtol=1e-5, atol=1e-7)
    torch.testing.assert_close(log_t_similarity(distances, degrees=degrees).exp(), found)


def test_similarity_with_many_degrees_is_gaussian() -> None:
    distances = torch.linspace(0, 9, 10)
    # At 1e4 degrees log1p(d^2 / nu) differs from d^2 / nu by d^4 / (4 nu), at most 2e-3 here.
    torch.testing.assert_close(
        t_similarity(distances, degrees=1e4), torch.exp(-distances / 2), rtol=3e-3, atol=0
    )


def test_similarity_of_coinciding_rows_is_one() -> None:
    assert t_similarity(torch.zeros(3), degrees=0.01).tolist() == [1.0, 1.0, 1.0]


def test_squared_distances_equal_cdist_and_are_never_negative() -> None:
    y, _, _ = batch(2, n_rows=20)
    found = squared_distances(1e3 + y, 1e3 + y)
    assert float(found.min()) >= 0
    torch.testing.assert_close(
        squared_distances(y, y[:4]), torch.cdist(y, y[:4]).square(), rtol=1e-4, atol=1e-5
    )


@settings(max_examples=15, deadline=None, derandomize=True)
@given(seed=st.integers(0, 10_000), n_rows=st.integers(2, 12))
def test_losses_of_permuted_rows_are_the_same(seed: int, n_rows: int) -> None:
    y, z, z_positive = batch(seed, n_rows)
    order = torch.randperm(n_rows, generator=torch.Generator().manual_seed(seed))
    for degrees_y in (100.0, math.inf):
        first = soft_contrastive_loss(y, z, z_positive, degrees_y=degrees_y, degrees_z=10.0)
        second = soft_contrastive_loss(
            y[order], z[order], z_positive[order], degrees_y=degrees_y, degrees_z=10.0
        )
        torch.testing.assert_close(first, second, rtol=1e-4, atol=1e-5)
    first = info_nce(z, z_positive, temperature=0.5)
    second = info_nce(z[order], z_positive[order], temperature=0.5)
    torch.testing.assert_close(first, second, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("degrees_y", [100.0, math.inf], ids=["soft", "hard"])
def test_no_gradient_flows_through_the_targets(degrees_y: float) -> None:
    y, z, z_positive = batch(3)
    y.requires_grad_()
    z.requires_grad_()
    loss = soft_contrastive_loss(y, z, z_positive, degrees_y=degrees_y, degrees_z=10.0)
    to_y, to_z = torch.autograd.grad(loss, [y, z], allow_unused=True)
    assert to_y is None
    assert float(to_z.abs().sum()) > 0


def test_gradient_equals_finite_differences() -> None:
    y, z, z_positive = batch(4, n_rows=4)
    z.requires_grad_()
    (gradient,) = torch.autograd.grad(
        soft_contrastive_loss(y, z, z_positive, degrees_y=100.0, degrees_z=10.0), [z]
    )
    step = 1e-4
    for i, j in [(0, 0), (1, 2), (3, 1)]:
        shift = torch.zeros_like(z)
        shift[i, j] = step
        above = loop_soft_contrastive(y, (z + shift).detach(), z_positive, 100.0, 10.0)
        below = loop_soft_contrastive(y, (z - shift).detach(), z_positive, 100.0, 10.0)
        # z + shift is rounded to float32, so the step of 1e-4 is known to about 1e-3.
        assert float(gradient[i, j]) == pytest.approx((above - below) / (2 * step), rel=5e-3)


def test_loss_of_a_batch_of_one_raises() -> None:
    y, z, z_positive = batch(5, n_rows=1)
    with pytest.raises(ValueError, match=r"2 rows.*got 1"):
        soft_contrastive_loss(y, z, z_positive, degrees_y=100.0, degrees_z=10.0)
    with pytest.raises(ValueError, match=r"2 rows.*got 1"):
        info_nce(z, z_positive, temperature=0.5)


@pytest.mark.parametrize(("degrees_y", "degrees_z"), DEGREES)
def test_coinciding_rows_give_a_finite_loss_and_gradient(degrees_y: float, degrees_z: float) -> None:
    y, z, z_positive = batch(6)
    y[1], z[1] = y[0], z[0]
    z_positive[0] = z_positive[1] = z[0]  # both the matched and an unmatched pair at distance 0
    z.requires_grad_()
    z_positive.requires_grad_()
    loss = soft_contrastive_loss(y, z, z_positive, degrees_y=degrees_y, degrees_z=degrees_z)
    gradients = torch.autograd.grad(loss, [z, z_positive])
    assert loss.isfinite()
    assert all(bool(gradient.isfinite().all()) for gradient in gradients)


def test_rows_of_zeros_give_a_finite_info_nce_and_gradient() -> None:
    _, z, z_positive = batch(7)
    z[0] = 0
    z.requires_grad_()
    loss = info_nce(z, z_positive, temperature=0.5)
    (gradient,) = torch.autograd.grad(loss, [z])
    assert loss.isfinite()
    assert gradient.isfinite().all()


def test_losses_of_half_precision_rows_are_float32() -> None:
    y, z, z_positive = (tensor.bfloat16() for tensor in batch(8))
    soft = soft_contrastive_loss(y, z, z_positive, degrees_y=100.0, degrees_z=10.0)
    expected = loop_soft_contrastive(y, z, z_positive, 100.0, 10.0)
    assert soft.dtype == info_nce(z, z_positive, temperature=0.5).dtype == torch.float32
    assert float(soft) == pytest.approx(expected, rel=1e-5)


def test_hard_loss_approaches_the_contrastive_loss_as_pairs_separate() -> None:
    """Lemma 2.1: per row `-log Q+ - sum log(1 - Q-)` against `-log Q+ + log(Q+ + sum Q-)`."""
    n_rows, degrees = 4, 10.0
    y = torch.zeros((n_rows, 2))
    differences = []
    for spread, gap in [(2.0, 0.5), (4.0, 0.1), (8.0, 0.02), (16.0, 0.004)]:
        z = spread * torch.eye(n_rows)
        z_positive = z + gap * torch.eye(n_rows).roll(1, 0)
        ours = soft_contrastive_loss(y, z, z_positive, degrees_y=math.inf, degrees_z=degrees)
        contrastive = 0.0
        for i in range(n_rows):
            q = [kappa(z[i], z_positive[j], degrees) for j in range(n_rows)]
            contrastive += (-math.log(q[i]) + math.log(sum(q))) / n_rows
        differences.append(abs(float(ours) - contrastive))
    assert differences == sorted(differences, reverse=True)
    assert len(set(differences)) == len(differences)
    assert differences[0] > 0.1
    assert differences[-1] < 1e-4
