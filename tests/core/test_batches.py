"""Batches of row numbers, the held-out split, and the kinds of rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from diffaug_bio.core.batches import (
    CodedRows,
    DenseRows,
    HostRows,
    PickedRows,
    PixelRows,
    iterate_batches,
    n_batches,
    split_rows,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

CPU = torch.device("cpu")


def batches(n_rows: int, batch_size: int, seed: int) -> list[list[int]]:
    generator = torch.Generator().manual_seed(seed)
    indices = 10 + torch.arange(n_rows)
    return [batch.tolist() for batch in iterate_batches(indices, batch_size, generator=generator)]


@settings(max_examples=60, deadline=None, derandomize=True)
@given(n_rows=st.integers(1, 200), batch_size=st.integers(2, 60), seed=st.integers(0, 100))
def test_batches_show_each_row_at_most_once(n_rows: int, batch_size: int, seed: int) -> None:
    found = batches(n_rows, batch_size, seed)
    shown = [index for batch in found for index in batch]
    assert len(found) == n_batches(n_rows, batch_size)
    assert len(shown) == len(set(shown))
    assert set(shown) <= set(range(10, 10 + n_rows))
    assert all(len(batch) == batch_size for batch in found[:-1])
    assert 0 < len(found[-1]) <= batch_size
    assert n_rows - len(shown) <= batch_size / 2


@settings(max_examples=20, deadline=None, derandomize=True)
@given(n_rows=st.integers(30, 200), batch_size=st.integers(2, 60), seed=st.integers(0, 100))
def test_a_seed_fixes_the_order_of_batches(n_rows: int, batch_size: int, seed: int) -> None:
    assert batches(n_rows, batch_size, seed) == batches(n_rows, batch_size, seed)
    assert batches(n_rows, batch_size, seed) != batches(n_rows, batch_size, seed + 1)


def test_every_epoch_has_another_order() -> None:
    generator = torch.Generator().manual_seed(0)
    first, second = (
        torch.cat(list(iterate_batches(torch.arange(64), 16, generator=generator))) for _ in range(2)
    )
    assert not torch.equal(first, second)
    assert torch.equal(first.sort().values, second.sort().values)


@pytest.mark.parametrize(
    ("n_rows", "expected"), [(1, 1), (40, 1), (100, 1), (149, 1), (151, 2), (200, 2), (1049, 10)]
)
def test_number_of_batches_is_rounded_and_at_least_one(n_rows: int, expected: int) -> None:
    assert n_batches(n_rows, 100) == expected


@settings(max_examples=30, deadline=None, derandomize=True)
@given(n_rows=st.integers(0, 400), fraction=st.floats(0, 0.9), seed=st.integers(0, 100))
def test_split_is_disjoint_and_complete(n_rows: int, fraction: float, seed: int) -> None:
    train, held_out = split_rows(n_rows, fraction, seed=seed)
    assert sorted(train.tolist() + held_out.tolist()) == list(range(n_rows))
    assert train.tolist() == sorted(train.tolist())
    assert held_out.tolist() == sorted(held_out.tolist())
    assert len(held_out) == 0 or len(held_out) == int(n_rows * fraction) >= 10


@pytest.mark.parametrize(("n_rows", "expected"), [(99, 0), (100, 10), (60_000, 5000)])
def test_split_holds_out_between_ten_and_five_thousand_rows_or_none(n_rows: int, expected: int) -> None:
    assert len(split_rows(n_rows, 0.1, seed=0)[1]) == expected


def test_a_seed_fixes_the_split() -> None:
    first, again, other = (split_rows(500, 0.2, seed=seed)[1].tolist() for seed in (3, 3, 4))
    assert first == again != other


def test_host_rows_and_dense_rows_give_the_same_values() -> None:
    matrix = sparse.random_array((50, 8), density=0.3, format="csr", dtype=np.float32, rng=0)

    def read(indices: NDArray[np.int64]) -> NDArray[np.float32]:
        rows: NDArray[np.float32] = matrix[indices].toarray()
        return rows

    host = HostRows(read, shape=(50, 8), device=CPU)
    dense = DenseRows(torch.from_numpy(matrix.toarray()))
    indices = torch.tensor([4, 0, 49, 4])
    assert host.shape == dense.shape == (50, 8)
    assert host.device == dense.device == CPU
    assert host.take(indices).dtype == torch.float32
    assert torch.equal(host.take(indices), dense.take(indices))


@pytest.mark.parametrize("where", ["device", "host"])
def test_pixels_are_kept_as_bytes_and_taken_as_fractions(where: str) -> None:
    matrix = np.arange(256, dtype=np.uint8).reshape(16, 16)
    host = HostRows(matrix.__getitem__, shape=(16, 16), device=CPU)
    rows = PixelRows(host if where == "host" else DenseRows(torch.from_numpy(matrix)))
    assert rows.shape == (16, 16)
    assert rows.device == CPU
    indices = torch.tensor([15, 0, 15, 3])
    taken = rows.take(indices)
    assert taken.dtype == torch.float32
    assert torch.equal(taken, torch.from_numpy(matrix[indices.numpy()]).float() / 255)
    assert (float(taken.min()), float(taken.max())) == (0.0, 1.0)
    # What was taken is the caller's own.
    taken.zero_()
    assert matrix.any()
    assert torch.equal(rows.take(indices)[1], torch.arange(16) / 255)


def test_codes_are_made_of_the_rows_that_are_asked_for() -> None:
    seen: list[int] = []

    def encode(x: torch.Tensor) -> torch.Tensor:
        seen.append(len(x))
        return x[:, :2] * 10

    values = torch.arange(12.0).view(4, 3)
    codes = CodedRows(encode, DenseRows(values), 2)
    assert codes.shape == (4, 2)
    assert codes.device == CPU
    assert seen == []
    assert torch.equal(codes.take(torch.tensor([3, 1])), values[[3, 1], :2] * 10)
    assert seen == [2]


def test_of_picked_rows_only_those_are_read() -> None:
    read: list[int] = []

    def rows_at(indices: NDArray[np.int64]) -> NDArray[np.float32]:
        read.extend(indices.tolist())
        return np.repeat(indices[:, None], 2, axis=1).astype(np.float32)

    rows = PickedRows(HostRows(rows_at, (9, 2), CPU), torch.tensor([7, 3, 5]))
    assert rows.shape == (3, 2)
    assert rows.device == CPU
    assert rows.take(torch.tensor([2, 0])).tolist() == [[5, 5], [7, 7]]
    assert read == [5, 7]
