"""Rows of a row's kind in other batches."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from diffaug_bio.errors import InputError
from diffaug_bio.mapping.partners import find_partners

if TYPE_CHECKING:
    from numpy.typing import NDArray

N_COMPONENTS = 6


class Made(NamedTuple):
    """Rows of kinds in batches."""

    scores: NDArray[np.float32]
    batches: NDArray[np.str_]
    kinds: NDArray[np.int64]


def made(sizes: dict[str, tuple[int, ...]], *, effect: float = 1.0, seed: int = 0) -> Made:
    """Rows of kinds far apart, as many as `sizes` says; each batch is moved by a vector of its own."""
    rng = np.random.default_rng(seed)
    n_kinds = len(next(iter(sizes.values())))
    centers = rng.normal(0, 1, (n_kinds, N_COMPONENTS))
    centers *= 8 / np.linalg.norm(centers, axis=1, keepdims=True)
    parts = []
    for name, numbers in sizes.items():
        moved = effect * rng.normal(0, 1, N_COMPONENTS)
        kinds = np.repeat(np.arange(n_kinds), numbers)
        scores = centers[kinds] + moved + rng.normal(0, 1, (len(kinds), N_COMPONENTS))
        parts.append(Made(scores.astype(np.float32), np.full(len(kinds), name), kinds))
    return Made(*(np.concatenate(part) for part in zip(*parts, strict=True)))


@pytest.fixture(scope="module")
def shared() -> Made:
    """Three kinds in three batches, of which the last lacks the third kind and has one of its own."""
    return made({"a": (60, 50, 40, 0), "b": (40, 60, 50, 0), "c": (60, 40, 0, 50)})


def test_partners_are_of_the_same_kind_and_of_another_batch(shared: Made) -> None:
    found = find_partners(shared.scores, shared.batches)
    sure = found.confidence > 0.5
    assert sure[shared.kinds < 3].mean() > 0.95
    partners = found.rows[sure]
    assert (shared.kinds[partners] == shared.kinds[sure][:, None]).mean() > 0.98
    assert (shared.batches[partners] != shared.batches[sure][:, None]).all()


def test_a_row_in_one_of_three_batches_gets_partners_of_both_others(shared: Made) -> None:
    found = find_partners(shared.scores, shared.batches)
    in_all = (shared.kinds < 2) & (shared.batches == "a")
    for other in ("b", "c"):
        assert (shared.batches[found.rows[in_all]] == other).mean() > 0.25
    # The third kind is in one other batch only.
    in_two = (shared.kinds == 2) & (shared.batches == "a")
    assert (shared.batches[found.rows[in_two]] == "b").mean() > 0.95


def test_a_kind_that_is_in_one_batch_only_is_left_alone(shared: Made) -> None:
    found = find_partners(shared.scores, shared.batches)
    alone = np.flatnonzero(shared.kinds == 3)
    assert (found.confidence[alone] == 0).all()
    assert (found.rows[alone] == alone[:, None]).all()
    assert (found.shift[alone] == 0).all()


def test_the_shift_is_what_parts_the_batches() -> None:
    data = made({"a": (100, 100), "b": (100, 100)}, effect=1.5)
    found = find_partners(data.scores, data.batches)
    means = {
        (name, kind): data.scores[(data.batches == name) & (data.kinds == kind)].mean(0)
        for name in ("a", "b")
        for kind in (0, 1)
    }
    for (name, kind), here in means.items():
        rows = (data.batches == name) & (data.kinds == kind)
        parted = means["b" if name == "a" else "a", kind] - here
        # Of each row, not on average only: what tells rows of a kind apart is averaged out.
        away = np.linalg.norm(found.shift[rows] - parted, axis=1)
        assert np.median(away) < 0.4 * np.linalg.norm(parted)


def test_batches_of_the_same_rows_are_hardly_shifted() -> None:
    data = made({"a": (150, 100), "b": (150, 100)}, effect=0.0)
    found = find_partners(data.scores, data.batches)
    assert (found.confidence > 0.9).mean() > 0.95
    assert np.abs(found.shift).mean() < 0.35


def test_batches_of_few_rows_are_left_as_they_are_and_named(caplog: pytest.LogCaptureFixture) -> None:
    data = made({"a": (60, 60), "b": (60, 60), "tiny": (5, 5)})
    found = find_partners(data.scores, data.batches)
    assert "Batches of fewer than 11 rows are left as they are: tiny." in caplog.text
    few = np.flatnonzero(data.batches == "tiny")
    assert (found.confidence[few] == 0).all()
    assert (found.rows[few] == few[:, None]).all()
    assert not np.isin(found.rows[data.batches != "tiny"], few).any()
    assert (found.confidence[data.batches != "tiny"] > 0.5).mean() > 0.95


def test_with_small_batches_only_nobody_has_a_partner(caplog: pytest.LogCaptureFixture) -> None:
    data = made({"a": (5, 5), "b": (4, 5)})
    found = find_partners(data.scores, data.batches)
    assert "left as they are: a, b." in caplog.text
    assert (found.rows == np.arange(19)[:, None]).all()
    assert not found.confidence.any()


def test_the_same_seed_gives_the_same_and_another_one_other_partners(shared: Made) -> None:
    first, again, other = (find_partners(shared.scores, shared.batches, seed=seed) for seed in (3, 3, 4))
    for one, two in zip(first, again, strict=True):
        np.testing.assert_array_equal(one, two)
    assert (first.rows != other.rows).any()
    # As many rows as are landmarks here: what is known of them does not depend on the seed.
    np.testing.assert_array_equal(first.confidence, other.confidence)


def test_rows_in_another_order_have_the_same_confidence_and_shift(shared: Made) -> None:
    order = np.random.default_rng(0).permutation(len(shared.scores))
    found = find_partners(shared.scores, shared.batches)
    turned = find_partners(shared.scores[order], shared.batches[order])
    # Ties in distance between float32 may fall otherwise for a few rows.
    assert (np.abs(turned.confidence - found.confidence[order]) < 1e-3).mean() > 0.98
    sure = found.confidence[order] > 0.5
    kinds = shared.kinds[order]
    assert (kinds[turned.rows[sure]] == kinds[sure][:, None]).mean() > 0.98


def test_names_of_batches_mean_nothing(shared: Made) -> None:
    found = find_partners(shared.scores, shared.batches)
    renamed = find_partners(shared.scores, np.char.add("run ", shared.batches))
    for one, two in zip(found, renamed, strict=True):
        np.testing.assert_array_equal(one, two)


def test_beyond_the_landmarks_rows_still_find_their_kind() -> None:
    data = made({"a": (1500, 1000, 0), "b": (1000, 1000, 500)})  # 2500 rows, of which 2000 are landmarks
    found = find_partners(data.scores, data.batches)
    sure = found.confidence > 0.5
    assert sure[data.kinds < 2].mean() > 0.98
    assert (data.kinds[found.rows[sure]] == data.kinds[sure][:, None]).mean() > 0.99
    assert (found.confidence[data.kinds == 2] == 0).mean() > 0.98
    # Partners are landmarks, of which there are 2000 in a batch of 2500 rows.
    for name in ("a", "b"):
        partners = np.unique(found.rows[sure & (data.batches != name)])
        assert len(partners) <= 2000


@settings(max_examples=15, deadline=None, derandomize=True)
@given(
    sizes=st.lists(st.tuples(st.integers(0, 25), st.integers(0, 25)), min_size=2, max_size=4),
    n_partners=st.integers(1, 5),
    n_neighbors=st.integers(1, 30),
    seed=st.integers(0, 2**16),
)
def test_whatever_the_batches_shapes_ranges_and_own_rows_hold(
    sizes: list[tuple[int, int]], n_partners: int, n_neighbors: int, seed: int
) -> None:
    data = made({f"b{number}": size for number, size in enumerate(sizes)}, seed=seed)
    if len(np.unique(data.batches)) < 2:
        return
    found = find_partners(
        data.scores, data.batches, n_neighbors=n_neighbors, n_partners=n_partners, seed=seed
    )
    n_obs = len(data.scores)
    assert found.rows.shape == (n_obs, n_partners)
    assert found.shift.shape == data.scores.shape
    assert found.confidence.dtype == found.shift.dtype == np.float32
    assert np.isfinite(found.shift).all()
    assert ((found.confidence >= 0) & (found.confidence <= 1)).all()
    own = (found.rows == np.arange(n_obs)[:, None]).all(1)
    other = (data.batches[found.rows] != data.batches[:, None]).all(1)
    np.testing.assert_array_equal(own, found.confidence == 0)
    np.testing.assert_array_equal(other, found.confidence > 0)


def test_what_cannot_be_brought_together_is_an_error(shared: Made) -> None:
    with pytest.raises(InputError, match=r"There are 3 batches for 450 rows; give one for each row"):
        find_partners(shared.scores, shared.batches[:3])
    with pytest.raises(InputError, match=r"All 150 rows are of one batch, 'a'\. Leave the batches out"):
        find_partners(shared.scores[:150], shared.batches[:150])
