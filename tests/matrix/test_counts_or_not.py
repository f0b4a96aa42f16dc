"""Counts are told from what only looks like them, and counted fractions from others."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from diffaug_bio.errors import InputError
from diffaug_bio.matrix.state import check_like_training, find_state
from diffaug_bio.matrix.summary import summarise

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from diffaug_bio.matrix.state import Finding

    Floats = NDArray[np.float64]
    Random = np.random.Generator


def find(matrix: Floats) -> Finding:
    """Find the state of a matrix, the same in both containers."""
    finding = find_state(matrix, summarise(matrix))
    rows = sparse.csr_matrix(matrix)
    assert find_state(rows, summarise(rows)) == finding
    return finding


def cells(rng: Random, n_obs: int = 150, n_vars: int = 400, *, rate: float = 0.5) -> Floats:
    """Draw counts of cells: genes and depths differ, and genes vary among cells."""
    depths = rng.lognormal(0, 0.6, (n_obs, 1))
    rates = rng.gamma(1.0, rate, n_vars) * rng.gamma(2.0, 0.5, (n_obs, n_vars)) * depths
    counts = rng.poisson(rates).astype(np.float64)
    counts[:, 0] += 1  # no row without anything
    return counts


def shared(counts: Floats, rng: Random) -> Floats:
    """Share some reads of a third of the genes with the next gene, as EM does."""
    columns = np.arange(0, counts.shape[1] - 1, 3)
    moved = counts[:, columns] * rng.random((len(counts), len(columns)))
    moved[rng.random(moved.shape) < 0.5] = 0
    out = counts.copy()
    out[:, columns] -= moved
    out[:, columns + 1] += moved
    return out


def cleaned(counts: Floats, rng: Random) -> Floats:
    """Subtract a tenth of every row as background, as SoupX does."""
    profile = counts.sum(0) / counts.sum()
    return np.asarray(np.maximum(counts - 0.1 * counts.sum(1, keepdims=True) * profile, 0))


def there_and_back(counts: Floats, rng: Random) -> Floats:
    """Normalise and log counts, and undo both, in float32."""
    totals = counts.sum(1, keepdims=True).astype(np.float32)
    logged = np.log1p(counts.astype(np.float32) / totals * np.float32(1e4))
    return np.asarray(np.expm1(logged) * totals / np.float32(1e4))


def adt(rng: Random) -> Floats:
    """Draw counts of 25 proteins, of which hardly one is 0."""
    rates = rng.lognormal(0, 0.5, (300, 1)) * rng.lognormal(3, 1.2, 25)
    rates = rates * np.where(rng.random((300, 25)) < 0.25, 15, 1)
    return np.asarray(rng.negative_binomial(5, 1 / (1 + rates / 5)), float)


def bulk(rng: Random) -> Floats:
    """Draw counts of 500 genes in bulk, none of them small."""
    rates = rng.lognormal(0, 0.3, (60, 1)) * (50 + rng.lognormal(5, 1.5, 500))
    return np.asarray(rng.negative_binomial(20, 1 / (1 + rates / 20)), float)


def taxa(rng: Random) -> Floats:
    """Draw counts of 200 taxa."""
    shares = rng.dirichlet(rng.lognormal(-2, 2, 200), 80)
    return np.array([rng.multinomial(int(rng.lognormal(9, 0.6)), row) for row in shares], float)


def rarefied(rng: Random) -> Floats:
    """Draw counts of 200 taxa, 5000 in each sample."""
    return np.array(
        [rng.multinomial(5000, row) for row in rng.dirichlet(rng.lognormal(-2, 2, 200), 80)], float
    )


def full_length(rng: Random) -> Floats:
    """Draw reads of single cells in which every molecule gave some ten."""
    molecules = rng.poisson(rng.lognormal(0, 0.4, (150, 1)) * rng.lognormal(-1, 1.5, 800))
    return rng.poisson(molecules * rng.lognormal(2, 0.8, molecules.shape)).astype(float)


def panel(rng: Random) -> Floats:
    """Draw counts of a panel of 33 genes."""
    return cells(rng, 200, 33, rate=2.0)


def peaks(rng: Random) -> Floats:
    """Draw fragments of open chromatin, 4 at most."""
    rates = rng.gamma(0.3, 0.3, 1500) * rng.lognormal(0, 0.5, (200, 1))
    return np.minimum(rng.poisson(rates), 4).astype(float)


COUNTS = [cells, panel, adt, bulk, taxa, rarefied, full_length, peaks]


@pytest.mark.parametrize("make", COUNTS)
def test_counts_of_every_kind_are_counts(make: Callable[[Random], Floats]) -> None:
    finding = find(make(np.random.default_rng(0)))
    assert (finding.state, finding.remark) == ("counts", "")


def clinical(rng: Random) -> Floats:
    """Make ages, sexes, grades and values of a laboratory."""
    columns = [
        rng.integers(20, 90, 200),
        rng.integers(0, 2, 200),
        rng.integers(1, 5, 200),
        rng.normal(246, 52, 200),
        rng.normal(131, 17, 200),
        rng.poisson(3, 200),
    ]
    return np.rint(np.column_stack(columns))


def laboratory(rng: Random) -> Floats:
    """Make values of a laboratory, all larger than 0."""
    usual = [(246, 52), (250, 60), (7000, 2000), (54, 9), (131, 17), (149, 23), (100, 20)] * 2
    return np.rint(np.column_stack([rng.normal(mean, spread, 150) for mean, spread in usual])).clip(1)


def answers(rng: Random) -> Floats:
    """Make answers from 1 to 5 to 20 questions."""
    return rng.integers(1, 6, (150, 20)).astype(float)


def genotypes(rng: Random) -> Floats:
    """Draw 0, 1 or 2 copies of 300 alleles."""
    return rng.binomial(2, rng.random(300) * 0.5, (150, 300)).astype(float)


def levels_of_grey(rng: Random) -> Floats:
    """Draw pixels from 0 to 16, many of them saturated."""
    return np.rint(rng.normal(8, 9, (150, 64))).clip(0, 16)


def few(rng: Random) -> Floats:
    """Make three measurements."""
    return np.rint(np.exp(rng.normal(4, 0.7, (40, 3)) + rng.normal(0, 0.5, (40, 1)))) + 1


def intensities(rng: Random) -> Floats:
    """Draw intensities of 60 peaks, with zeros for what was not detected."""
    values = np.exp(rng.normal(14, 2, 60) + rng.normal(0, 1, (120, 60)))
    return np.rint(np.where(rng.random(values.shape) < 0.2, 0, values))


def wines(rng: Random) -> Floats:
    """Take measurements of wines in whole units; many go together, and scales differ a thousandfold."""
    from sklearn.datasets import load_wine

    return np.asarray(np.rint(load_wine().data * 100), float)


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (wines, "no sequencing depth"),
        (clinical, "vary by less"),
        (laboratory, "no sequencing depth"),
        (answers, "vary by less"),
        (genotypes, "vary by less"),
        (levels_of_grey, "16"),
        (few, "3 columns"),
        (intensities, "no sequencing depth"),
    ],
)
def test_whole_numbers_that_were_measured_are_no_counts(
    make: Callable[[Random], Floats], reason: str
) -> None:
    finding = find(make(np.random.default_rng(0)))
    assert finding.state == "continuous"
    assert reason in finding.remark
    assert "--input-state" in finding.remark


def test_zeros_of_intensities_are_warned_of() -> None:
    finding = find(intensities(np.random.default_rng(0)))
    assert finding.is_doubtful
    assert "60 of the columns" in finding.remark
    assert "nan" in finding.remark
    with_fractions = find(np.log2(intensities(np.random.default_rng(0)) + 1) + 0.0123)
    assert with_fractions.state == "continuous"


@pytest.mark.parametrize("make", [clinical, answers, laboratory])
def test_zeros_among_their_like_are_not_warned_of(make: Callable[[Random], Floats]) -> None:
    assert "Zeros" not in find(make(np.random.default_rng(0))).remark


def test_blanks_of_intensities_are_missing_values_not_an_error_of_counts() -> None:
    values = intensities(np.random.default_rng(0))
    values[values == 0] = np.nan
    assert find(values).state == "continuous"
    counts = cells(np.random.default_rng(0))
    counts[3, 4] = np.nan
    with pytest.raises(InputError, match=r"counts.*1 of them are missing"):
        find(counts)


def test_tables_of_fractions_codes_and_blanks_are_measured() -> None:
    rng = np.random.default_rng(0)
    codes = [rng.integers(0, 2, 200), rng.integers(0, 3, 200), rng.integers(0, 2, 200)]
    table = np.column_stack([*codes, rng.gamma(2, 1.5, 200).round(1), rng.normal(250, 50, 200).round()])
    assert find(table).state == "continuous"
    assert "vary by less" in find(table).remark
    table[rng.random(table.shape) < 0.05] = np.nan
    assert find(table).state == "continuous"


def test_values_that_tell_nothing_are_said_to() -> None:
    rng = np.random.default_rng(0)
    values = rng.random((60, 20)) * (rng.random((60, 20)) < 0.6)
    finding = find(values)
    assert (finding.state, finding.is_told) == ("lognormalized", False)
    assert "--input-state" in finding.remark


@pytest.mark.parametrize("make", [cells, panel], ids=["cells", "panel"])
@pytest.mark.parametrize("change", [shared, cleaned], ids=["shared", "cleaned"])
def test_counts_with_fractions_are_counts(
    make: Callable[[Random], Floats], change: Callable[[Floats, Random], Floats]
) -> None:
    rng = np.random.default_rng(1)
    finding = find(change(make(rng), rng))
    assert finding.state == "counts"
    assert "--input-state" in finding.remark
    # whole numbers among the values leave no doubt
    assert finding.is_doubtful == (change is cleaned)


def test_counts_whole_but_for_rounding_are_counts_and_nothing_is_said() -> None:
    rng = np.random.default_rng(2)
    for counts in (cells(rng), panel(rng)):
        matrix = there_and_back(counts, rng)
        assert not np.array_equal(matrix, np.rint(matrix))
        assert find(matrix) == find(counts)


@given(
    seed=st.integers(0, 2**32 - 1),
    size=st.sampled_from([1.0, 100.0, 1e4, 1e6]),
    n_vars=st.integers(60, 300),
    is_part=st.booleans(),
)
@settings(max_examples=25, deadline=None)
def test_normalised_counts_are_found_at_every_library_size_and_of_some_genes(
    seed: int, size: float, n_vars: int, *, is_part: bool
) -> None:
    rng = np.random.default_rng(seed)
    counts = cells(rng, 60, n_vars)
    assert find(counts).state == "counts"
    rates = counts / counts.sum(1, keepdims=True) * size
    part = np.sort(np.argsort(-counts.var(0))[: n_vars // 3]) if is_part else np.arange(n_vars)
    part = part[(counts[:, part] == 0).mean(0) > 0.3] if is_part else part
    assert find(rates[:, part].astype(np.float32)).state == "normalized"
    if size > 1:
        for log in (np.log1p, lambda values: np.log2(values + 1), lambda values: np.log10(values + 1)):
            assert find(log(rates[:, part]).astype(np.float32)).state == "lognormalized"


@given(seed=st.integers(0, 2**32 - 1), rows=st.permutations(range(40)))
@settings(max_examples=15, deadline=None)
def test_the_order_of_rows_and_columns_does_not_matter(seed: int, rows: list[int]) -> None:
    rng = np.random.default_rng(seed)
    matrix = shared(cells(rng, 40, 40), rng)
    assert find(matrix[rows][:, rng.permutation(40)]).state == find(matrix).state


@given(seed=st.integers(0, 2**32 - 1), counts=st.booleans())
@settings(max_examples=15, deadline=None)
def test_errors_of_rounding_change_nothing(seed: int, *, counts: bool) -> None:
    rng = np.random.default_rng(seed)
    matrix = cells(rng, 40, 40) if counts else rng.integers(1, 6, (40, 20)).astype(float)
    noisy = matrix + (matrix > 0) * rng.uniform(-9e-4, 9e-4, matrix.shape)
    assert find(noisy).state == find(matrix).state


@pytest.mark.parametrize("decimals", [1, 2, 3])
def test_measured_values_with_few_decimals_are_not_taken_for_units(decimals: int) -> None:
    values = np.round(np.random.default_rng(0).gamma(1.5, 2.0, (100, 30)), decimals)
    values[:, ::4] = np.round(values[:, ::4] * (np.random.default_rng(1).random((100, 8)) < 0.8), decimals)
    assert find(values).state == "continuous"


def test_wide_and_long_matrices_are_judged_by_some_of_their_rows() -> None:
    rng = np.random.default_rng(3)
    long = cleaned(cells(rng, 3000, 40), rng)
    assert find(long).state == "counts"
    wide = sparse.random(120, 60_000, density=0.01, random_state=0, format="csr")
    wide.data = rng.poisson(0.7, wide.nnz) + 1.0
    assert find_state(wide, summarise(wide)).state == "counts"


@pytest.mark.parametrize("n_obs", [1, 2, 5, 100])
def test_a_model_of_counts_takes_counts_with_fractions_and_without(
    n_obs: int, caplog: pytest.LogCaptureFixture
) -> None:
    rng = np.random.default_rng(4)
    counts = cells(rng)
    with caplog.at_level(logging.WARNING):
        for matrix in (counts, shared(counts, rng), cleaned(counts, rng), there_and_back(counts, rng)):
            part = matrix[:n_obs]
            check_like_training(part, summarise(part), state="counts", detected=True)
    assert caplog.messages == []


@pytest.mark.parametrize("n_obs", [1, 100])
def test_a_model_of_counts_warns_of_logged_ones(n_obs: int, caplog: pytest.LogCaptureFixture) -> None:
    counts = cells(np.random.default_rng(5))
    logged = np.log1p(counts / counts.sum(1, keepdims=True) * 1e4)[:n_obs]
    with caplog.at_level(logging.WARNING):
        check_like_training(logged, summarise(logged), state="counts", detected=True)
    assert "log-normalised" in caplog.text


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("n_obs", [12, 25, 60])
def test_columns_of_few_rows_tell_together(seed: int, n_obs: int) -> None:
    rng = np.random.default_rng(seed)
    answers = rng.integers(1, 6, (n_obs, 40)).astype(float)
    genotypes = rng.binomial(2, 0.3, (n_obs, 500)).astype(float)
    for matrix in (answers, genotypes):
        finding = find(matrix)
        assert finding.state == "continuous"
        assert "'counts'" in finding.remark
    assert find(cells(rng, n_obs)).state == "counts"
    assert find(rng.poisson(rng.gamma(1, 5, 300), (n_obs, 300)).astype(float)).state == "counts"
