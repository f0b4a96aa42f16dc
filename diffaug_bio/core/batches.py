"""Sources of training batches: rows held on the device, or read from the host batch by batch."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import torch
from torch import Tensor

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import numpy as np
    from numpy.typing import NDArray


class Rows(Protocol):
    """Table from which any rows can be taken as a tensor."""

    @property
    def shape(self) -> tuple[int, int]:
        """Number of rows and of features."""
        ...

    @property
    def device(self) -> torch.device:
        """Device of the rows that are taken."""
        ...

    def take(self, indices: Tensor) -> Tensor:
        """Take rows by number (on `device`): `(len(indices), n_features)`, float32, or uint8 tokens."""
        ...


@dataclass(frozen=True, slots=True)
class DenseRows:
    """Rows that fit on the device: no copy between host and device in the inner loop."""

    values: Tensor

    @property
    def shape(self) -> tuple[int, int]:
        """Number of rows and of features."""
        return self.values.shape[0], self.values.shape[1]

    @property
    def device(self) -> torch.device:
        """Device of the rows."""
        return self.values.device

    def take(self, indices: Tensor) -> Tensor:
        """Take rows by number; shape `(len(indices), n_features)`."""
        return self.values[indices]


@dataclass(frozen=True, slots=True)
class HostRows:
    """Rows made on the host on request, so that a sparse matrix is never densified as a whole."""

    read: Callable[[NDArray[np.int64]], NDArray[np.float32 | np.uint8]]
    shape: tuple[int, int]
    device: torch.device

    def take(self, indices: Tensor) -> Tensor:
        """Take rows by number; shape `(len(indices), n_features)`."""
        return torch.from_numpy(self.read(indices.cpu().numpy())).to(self.device)


@dataclass(frozen=True, slots=True)
class PixelRows:
    """Images kept as bytes (a quarter of the memory) and taken as numbers in [0, 1]."""

    kept: Rows

    @property
    def shape(self) -> tuple[int, int]:
        """Number of images, and of values in each."""
        return self.kept.shape

    @property
    def device(self) -> torch.device:
        """Device of the rows that are taken."""
        return self.kept.device

    def take(self, indices: Tensor) -> Tensor:
        """Take rows by number; shape `(len(indices), n_values)`."""
        return self.kept.take(indices).float().div_(255)


@dataclass(frozen=True, slots=True)
class CodedRows:
    """Codes computed on request."""

    encode: Callable[[Tensor], Tensor]
    rows: Rows
    n_codes: int

    @property
    def shape(self) -> tuple[int, int]:
        """Number of rows, and of values in a code."""
        return self.rows.shape[0], self.n_codes

    @property
    def device(self) -> torch.device:
        """Device of the codes that are taken."""
        return self.rows.device

    def take(self, indices: Tensor) -> Tensor:
        """Take codes by number of the row; shape `(len(indices), n_codes)`."""
        return self.encode(self.rows.take(indices))


@dataclass(frozen=True, slots=True)
class PickedRows:
    """Subset of other rows; no others are made."""

    rows: Rows
    picked: Tensor
    """Numbers of the rows, on their device."""

    @property
    def shape(self) -> tuple[int, int]:
        """Number of picked rows, and of features."""
        return len(self.picked), self.rows.shape[1]

    @property
    def device(self) -> torch.device:
        """Device of the rows that are taken."""
        return self.rows.device

    def take(self, indices: Tensor) -> Tensor:
        """Take rows by number among the picked; shape `(len(indices), n_features)`."""
        return self.rows.take(self.picked[indices])


def iterate_batches(indices: Tensor, batch_size: int, *, generator: torch.Generator) -> Iterator[Tensor]:
    """Yield shuffled batches of row numbers; a last batch of at most half the size is left out.

    Fewer rows than `batch_size` make one batch.
    """
    order = torch.randperm(len(indices), generator=generator, device=indices.device)
    shuffled = indices[order]
    for start in range(0, n_batches(len(indices), batch_size) * batch_size, batch_size):
        yield shuffled[start : start + batch_size]


def n_batches(n_rows: int, batch_size: int) -> int:
    """Count the batches that :func:`iterate_batches` yields."""
    return max(1, math.ceil(n_rows / batch_size - 0.5))


def split_rows(n_rows: int, validation_fraction: float, *, seed: int) -> tuple[Tensor, Tensor]:
    """Split row numbers into training and held-out ones, both sorted.

    At most 5000 rows are held out, as more do not sharpen the loss; none where they would be fewer than 10,
    too few for a contrastive loss.
    """
    n_held_out = min(int(n_rows * validation_fraction), 5000)
    if n_held_out < 10:
        return torch.arange(n_rows), torch.arange(0)
    order = torch.randperm(n_rows, generator=torch.Generator().manual_seed(seed))
    return order[n_held_out:].sort().values, order[:n_held_out].sort().values
