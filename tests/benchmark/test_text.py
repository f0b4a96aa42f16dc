"""Results of a benchmark as tables, and as Markdown."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from diffaug_bio.benchmark import METHODS, BenchmarkResult, overview, report, sections
from diffaug_bio.document import Table

if TYPE_CHECKING:
    from collections.abc import Callable

    import pandas as pd

MAIN = ["linear_probe", "knn_accuracy", "kmeans_nmi", "leiden_nmi"]


@pytest.fixture
def scores(make_scores: Callable[..., pd.DataFrame]) -> pd.DataFrame:
    """Seven data sets, two seeds; `pca_onehot` ran on one of them; generated rows of two."""
    by_data = {
        f"d{i}": {
            "diffaug": [0.80, 0.82],
            "mask": [0.75, 0.77],
            "no_generator": [0.805, 0.815],
            "same_label": [0.95, 0.97],
            **({"pca_onehot": [0.4, 0.4]} if i == 0 else {}),
        }
        for i in range(7)
    }
    generated = {"d0": {"diffaug": [0.5, 0.7]}, "d3": {"diffaug": [0.2, 0.2]}}
    return make_scores(
        {
            **dict.fromkeys(MAIN, by_data),
            "generated_label_kept": generated,
            "generated_memorised": {"d0": {"diffaug": [0.0, 0.0]}},
            "generated_unheard_of": generated,
        }
    )


def tables_of(text: str) -> list[list[list[str]]]:
    """Cells of the tables of a Markdown text."""
    blocks: list[list[str]] = [[]]
    for line in text.splitlines():
        if line.startswith("|"):
            blocks[-1].append(line)
        elif blocks[-1]:
            blocks.append([])
    return [
        [[cell.strip() for cell in line[1:-1].split("|")] for line in block] for block in blocks if block
    ]


def test_tables_are_well_formed(scores: pd.DataFrame) -> None:
    text = report(BenchmarkResult(scores=scores))
    tables = tables_of(text)
    assert len(tables) == 1 + 2 + 7 + 1  # overview, gains, data sets, generated rows
    for table in tables:
        assert len(table) > 2
        assert {len(line) for line in table} == {len(table[0])}
        assert all(set(cell) == {"-"} for cell in table[1])
        assert all(cell for cell in table[0])
    for block in text.split("\n\n"):
        lines = block.splitlines()
        assert len({len(line) for line in lines if line.startswith("|")}) <= 1  # columns are aligned
        assert len({line.startswith("|") for line in lines}) == 1
    assert text.startswith("# Benchmark\n\n## Overview\n\n")
    assert text.endswith("|\n")


def test_the_overview_gives_means_ranks_and_the_test(scores: pd.DataFrame) -> None:
    text = overview(BenchmarkResult(scores=scores))
    assert text.startswith("Data sets: 7, seeds: 2. ")
    [[header, _, *rows]] = tables_of(text)
    assert len(header) == 7
    assert [row[0] for row in rows] == [
        *(METHODS[name].title for name in ("same_label", "diffaug", "no_generator", "mask")),
        "PCA of one-hot sequences (1 of 7 data sets)",
    ]
    by_title = {row[0]: row[1:] for row in rows}
    assert by_title["DiffAug"] == ["**81.0** (rank 1.5)"] * 4 + ["", ""]
    assert by_title["mask 20 %"] == ["76.0 (rank 3.0)"] * 4 + ["7-0", "0.016"]
    assert by_title[METHODS["same_label"].title] == ["96.0"] * 4 + ["", ""]
    assert by_title["PCA of one-hot sequences (1 of 7 data sets)"] == ["40.0"] * 4 + ["1-0", ""]


def test_the_summary_says_where_the_generator_helps(scores: pd.DataFrame) -> None:
    text = report(BenchmarkResult(scores=scores))
    against_mask, against_none = tables_of(text)[1:3]
    assert text.index("DiffAug minus mask 20 %") < text.index("DiffAug minus DiffAug without")
    assert against_mask[2] == ["d0", *["+5.0 (helps)"] * 4]
    assert against_mask[-1] == ["Mean", *["+5.00"] * 4]
    assert against_none[2][1].endswith("(no difference)")
    assert "76.0 ± 1.4" in text


def test_the_summary_shows_the_quality_of_generated_rows(scores: pd.DataFrame) -> None:
    header, _, ideal, *rows = tables_of(report(BenchmarkResult(scores=scores)))[-1]
    assert [row[0] for row in rows] == ["d0", "d3"]
    assert [row[header.index("Label kept")] for row in rows] == ["0.60", "0.20"]
    assert [row[header.index("Memorised")] for row in rows] == ["0.00", ""]
    assert ideal[header.index("Told apart")] == "0.5"


def test_chance_is_the_last_row_of_every_table_of_scores(make_scores: Callable[..., pd.DataFrame]) -> None:
    scores = {metric: {"a": {"diffaug": [0.8, 0.8], "pca": [0.7, 0.7]}} for metric in MAIN}
    levels = {f"chance_{metric}": {"a": {"diffaug": [0.3, 0.3]}} for metric in MAIN}
    overview_table, data_table = tables_of(report(BenchmarkResult(scores=make_scores(scores | levels))))
    assert overview_table[-1] == ["Chance, without knowing any row", *["30.0"] * 4, "", ""]
    assert data_table[-1] == ["Chance, without knowing any row", *["30.0"] * 4]


def test_data_with_a_number_as_label_have_tables_of_their_own(
    make_scores: Callable[..., pd.DataFrame],
) -> None:
    values = {"diffaug": [0.6, 0.7], "pca": [0.5, 0.5], "no_generator": [0.6, 0.6]}
    classes = {metric: {"cells": values} for metric in MAIN}
    numbers = {metric: {"clinic": values} for metric in ("linear_r2", "knn_r2")}
    text = report(BenchmarkResult(scores=make_scores(classes | numbers)))
    assert text.index("## Overview") < text.index("## Data with a number as label") < text.index("## Gains")
    headers = [table[0] for table in tables_of(text)]
    assert [len(header) for header in headers] == [7, 5, 5, 3, 5, 3]
    assert headers[1][1:3] == ["Linear regression, R2", "Nearest neighbours, R2"]
    alone = report(BenchmarkResult(scores=make_scores(numbers)))
    assert alone.startswith("# Benchmark\n\n## Overview\n\nData sets: 1")
    assert "number of data sets on which the linear regression of DiffAug" in alone


def test_what_is_missing_is_listed_with_the_reason(scores: pd.DataFrame) -> None:
    left_out, failed = {"scvi": "it needs scvi"}, {"byol on d1, seed 0": "ValueError: a|b"}
    text = report(BenchmarkResult(scores=scores, left_out=left_out, failed=failed))
    assert "scvi was left out: it needs scvi\n" in text
    assert text.endswith("byol on d1, seed 0 failed: ValueError: a\\|b\n")
    assert "left out" not in report(BenchmarkResult(scores=scores))


def test_a_summary_without_diffaug_has_no_gains(scores: pd.DataFrame) -> None:
    without = scores[scores["method"] != "diffaug"]
    text = report(BenchmarkResult(scores=without))
    assert "enerated" not in text
    assert len(tables_of(text)) == 1 + 7


def test_rows_of_data_sets_are_told_and_a_single_seed_is_never_bold(scores: pd.DataFrame) -> None:
    one = scores[(scores["seed"] == 0) & (scores["data"] == "d0")]
    first, *others = sections(BenchmarkResult(scores=one), n_obs={"d0": 1234})
    tables = [block for part in (first, *others) for block in part.blocks if isinstance(block, Table)]
    assert not any(cell.mark for table in tables for row in table.rows for cell in row)
    assert "d0, 1,234 rows" in [table.caption for table in tables]
