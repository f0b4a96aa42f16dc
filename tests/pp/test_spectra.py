"""Counting in blocks: what is cut, and what is not kept in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from diffaug_bio import pp
from diffaug_bio.pp import _spectra

if TYPE_CHECKING:
    from scipy import sparse

ENCODINGS = [
    pp.KmerEncoding(k=(5,), relative=False),
    pp.KmerEncoding(k=(8,), canonical=True),
    pp.KmerEncoding(k=(1, 3, 4), n_bins=7),
    pp.KmerEncoding(k=(2,), relative=False, canonical=True, n_bins=30),
]


def random_sequences(lengths: list[int]) -> list[str]:
    rng = np.random.default_rng(0)
    letters = np.array(list("ACGTACGTACGTN"))
    return ["".join(rng.choice(letters, length)) for length in lengths]


def assert_same(found: sparse.csr_matrix, expected: sparse.csr_matrix) -> None:
    for name in ("indptr", "indices", "data"):
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))


@pytest.mark.parametrize("block_letters", [1, 2, 9, 64, 250])
@pytest.mark.parametrize("encoding", ENCODINGS, ids=str)
def test_blocks_do_not_change_the_result(
    encoding: pp.KmerEncoding, block_letters: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    sequences = random_sequences([0, 3, 40, 7, 7, 0, 0, 260, 1, 2, 31, 32, 33, 0])
    expected, _ = encoding.encode(sequences)
    monkeypatch.setattr(_spectra, "_BLOCK_LETTERS", block_letters)
    assert_same(encoding.encode(sequences)[0], expected)


@pytest.mark.parametrize("encoding", ENCODINGS, ids=str)
def test_keys_that_run_out_end_a_block(encoding: pp.KmerEncoding, monkeypatch: pytest.MonkeyPatch) -> None:
    sequences = random_sequences([10, 0, 20, 30, 5, 5, 0])
    expected, names = encoding.encode(sequences)
    monkeypatch.setattr(_spectra, "_MAX_KEY", 2 * len(names) + 1)
    assert_same(encoding.encode(sequences)[0], expected)


@pytest.mark.parametrize("encoding", ENCODINGS, ids=str)
def test_many_sequences_are_counted_as_each_alone(encoding: pp.KmerEncoding) -> None:
    lengths = [*range(0, 300, 2), 140_000, 5, 2**17 - 1, 2**17, 2**17 + 1, 300_000, 70_000, 70_000]
    sequences = random_sequences(lengths)
    together, _ = encoding.encode(sequences)
    for row in (0, 1, 100, *range(149, len(lengths))):
        assert_same(together[row], encoding.encode([sequences[row]])[0])


def test_the_result_keeps_no_memory_for_entries_it_might_have_had() -> None:
    counts, _ = pp.encode_kmers(["A" * 1000] * 50, k=8)
    assert counts.nnz == 50
    for array in (counts.data, counts.indices):
        assert array.base is None or array.base.size == 50
    assert (counts.indices.dtype, counts.indptr.dtype) == (np.int32, np.int32)
