"""Hand-made views: how much they change, and what they leave alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from torch import Tensor

from diffaug_bio.core import views

if TYPE_CHECKING:
    from collections.abc import Callable

    View = Callable[[Tensor, torch.Generator], Tensor]

SHAPE = (400, 50)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def rows(seed: int = 0) -> Tensor:
    return 2.0 + torch.randn(SHAPE, generator=seeded(seed))


VIEWS: list[View] = [
    lambda x, generator: views.gaussian(x, strength=0.5, generator=generator),
    lambda x, generator: views.feature_mask(x, strength=0.5, generator=generator),
    lambda x, generator: views.neighbor_mix(x, rows(1), strength=0.5, generator=generator),
    lambda x, generator: views.feature_swap(x, strength=0.5, generator=generator),
    lambda x, generator: views.inner_swap(x, strength=0.5, generator=generator),
]
each_view = pytest.mark.parametrize(
    "view", VIEWS, ids=["gaussian", "feature_mask", "neighbor_mix", "feature_swap", "inner_swap"]
)


@each_view
def test_views_change_no_argument_and_no_global_random_state(view: View) -> None:
    x = rows()
    torch_state, numpy_state = torch.get_rng_state(), np.random.get_state()  # noqa: NPY002
    view(x, seeded())
    assert torch.equal(x, rows())
    assert torch.equal(torch.get_rng_state(), torch_state)
    np.testing.assert_equal(np.random.get_state(), numpy_state)  # noqa: NPY002


@each_view
def test_a_seed_fixes_a_view(view: View) -> None:
    assert torch.equal(view(rows(), seeded(1)), view(rows(), seeded(1)))
    assert not torch.equal(view(rows(), seeded(1)), view(rows(), seeded(2)))


@pytest.mark.parametrize("strength", [0.1, 0.5, 2.0], ids="strength-{}".format)
def test_gaussian_adds_noise_of_the_given_deviation(strength: float) -> None:
    noise = views.gaussian(rows(), strength=strength, generator=seeded()) - rows()
    # 20 000 draws: the deviation is known to 0.5 percent, the mean to 0.7 percent of it.
    assert float(noise.std()) == pytest.approx(strength, rel=0.03)
    assert float(noise.mean()) == pytest.approx(0.0, abs=0.03 * strength)


@pytest.mark.parametrize("strength", [0.0, 0.2, 0.7, 1.0], ids="strength-{}".format)
def test_feature_mask_sets_a_share_to_zero_and_leaves_the_rest(strength: float) -> None:
    x = rows()
    masked = views.feature_mask(x, strength=strength, generator=seeded())
    gone = masked == 0
    # A share of 20 000 draws has a standard error below 0.004.
    assert float(gone.float().mean()) == pytest.approx(strength, abs=0.015)
    assert torch.equal(masked[~gone], x[~gone])


@pytest.mark.parametrize("strength", [0.3, 1.0], ids="strength-{}".format)
def test_neighbor_mix_stays_on_the_segment_to_the_neighbor(strength: float) -> None:
    x, neighbors = rows(), rows(1)
    moved = views.neighbor_mix(x, neighbors, strength=strength, generator=seeded())
    way = neighbors - x
    share = ((moved - x) * way).sum(1) / way.square().sum(1)
    torch.testing.assert_close(moved, x + share[:, None] * way, rtol=1e-4, atol=1e-5)
    assert float(share.min()) >= -1e-6
    assert float(share.max()) <= strength + 1e-6
    # Shares are uniform: 400 of them have their mean within 0.05 of the middle at three standard errors.
    assert float(share.mean()) == pytest.approx(strength / 2, abs=0.05)


def test_neighbor_noise_has_the_covariance_of_neighbors_around_a_row() -> None:
    x = torch.zeros((4000, 2))
    shape = torch.tensor([[2.0, 0.0], [0.3, 0.1]])
    first, second = (torch.randn((4000, 2), generator=seeded(seed)) @ shape for seed in (1, 2))
    noise = views.neighbor_noise(x, first, second, strength=0.5)
    # Variances of 4000 draws have a standard error of two percent.
    torch.testing.assert_close(noise.T.cov(), 0.25 * shape.T @ shape, rtol=0.08, atol=1e-3)


def test_neighbor_noise_grows_with_strength_and_vanishes_between_equal_neighbors() -> None:
    x, first, second = rows(), rows(1), rows(2)
    assert torch.equal(views.neighbor_noise(x, first, first, strength=1.0), x)
    once = views.neighbor_noise(x, first, second, strength=1.0) - x
    twice = views.neighbor_noise(x, first, second, strength=2.0) - x
    torch.testing.assert_close(twice, 2 * once, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("strength", [0.0, 0.2, 0.7, 1.0], ids="strength-{}".format)
def test_feature_swap_takes_a_share_of_entries_from_other_rows_of_the_column(strength: float) -> None:
    # Each value is the number of its row, plus a part that names its column.
    n_rows, n_columns = SHAPE
    x = torch.arange(n_rows)[:, None] + torch.arange(n_columns) / 128
    swapped = views.feature_swap(x, strength=strength, generator=seeded())
    assert torch.equal(swapped % 1, x % 1)
    source = swapped.floor().long()
    assert torch.equal(swapped, x.gather(0, source))
    moved = swapped != x
    # One in 400 entries draws its own row; a share of 20 000 draws has a standard error below 0.004.
    assert float(moved.float().mean()) == pytest.approx(strength * (1 - 1 / n_rows), abs=0.015)
    if strength > 0:
        # The rows of a row's entries are drawn one by one, and evenly.
        assert float(source[moved].float().mean()) == pytest.approx((n_rows - 1) / 2, abs=10)
        assert all(len(row[chosen].unique()) > 1 for row, chosen in zip(source, moved, strict=True))


@pytest.mark.parametrize("n_columns", [1, 2, 5, 10, 50])
@pytest.mark.parametrize("strength", [0.0, 0.1, 0.2, 0.5, 1.0], ids="strength-{}".format)
def test_inner_swap_moves_exactly_the_chosen_entries_within_their_row(
    strength: float, n_columns: int
) -> None:
    x = rows()[:, :n_columns]
    swapped = views.inner_swap(x, strength=strength, generator=seeded())
    assert torch.equal(swapped.sort(1).values, x.sort(1).values)
    n_chosen = min(n_columns, max(2, round(strength * n_columns))) if strength else 0
    n_moved = (swapped != x).sum(1)  # no two values of a row are the same
    assert n_moved.tolist() == [n_chosen if n_chosen > 1 else 0] * len(x)


def test_inner_swap_chooses_other_entries_in_each_row_and_all_alike() -> None:
    moved = views.inner_swap(rows(), strength=0.2, generator=seeded()) != rows()
    assert len({tuple(row) for row in moved.tolist()}) > 390
    # 400 draws of a share of 0.2: a standard error of 0.02 in each column.
    assert float((moved.float().mean(0) - 0.2).abs().max()) < 0.08


@pytest.mark.parametrize("name", ["feature_swap", "inner_swap"])
def test_swaps_of_a_single_row_leave_its_values(name: str) -> None:
    x = rows()[:1]
    swapped = getattr(views, name)(x, strength=1.0, generator=seeded())
    assert torch.equal(swapped.sort(1).values, x.sort(1).values)
    assert torch.equal(swapped, x) == (name == "feature_swap")
