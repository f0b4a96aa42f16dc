"""Columns that look like batches or labels, and were not named."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from diffaug_bio.choose.unused import mention_unused


def make() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "donor_id": pd.Categorical([f"d{number % 4}" for number in range(100)]),
            "Cell.Type": [f"t{number % 6}" for number in range(100)],
            "orig.ident": ["one"] * 100,
            "sample_barcode": [f"b{number}" for number in range(100)],
            "batch_score": rng.normal(size=100),
            "n_genes": rng.integers(0, 5, 100),
        }
    )


def test_batches_and_labels_are_named_once_with_their_options() -> None:
    said = mention_unused(make(), used=[], has_batches=False, has_labels=False) or ""
    assert "'donor_id' (4 values)" in said
    assert "--batch-key donor_id" in said
    assert "'Cell.Type' (6 values)" in said
    assert "--label-key Cell.Type" in said
    assert "\n" not in said
    # one value, a value a row, measured, or of another name
    assert not any(name in said for name in ("orig.ident", "sample_barcode", "batch_score", "n_genes"))


def test_what_is_used_or_not_asked_for_is_not_named() -> None:
    obs = make()
    assert mention_unused(obs, used=["donor_id", "Cell.Type"], has_batches=True, has_labels=True) is None
    assert mention_unused(obs, used=[], has_batches=True, has_labels=True) is None
    said = mention_unused(obs, used=["Cell.Type"], has_batches=False, has_labels=True) or ""
    assert "label" not in said


@pytest.mark.parametrize(
    ("name", "option"),
    [
        ("batch", "--batch-key"),
        ("PatientID", "--batch-key"),
        ("sampleName", "--batch-key"),
        ("seq_run", "--batch-key"),
        ("celltype.l2", "--label-key"),
        ("CellType", "--label-key"),
        ("majority_voting", "--label-key"),
        ("leiden_res0.5", "--label-key"),
        ("tumour class", "--label-key 'tumour class'"),
    ],
)
def test_usual_names_are_known(name: str, option: str) -> None:
    obs = pd.DataFrame({name: ["a", "b"] * 10})
    assert option in (mention_unused(obs, used=[], has_batches=False, has_labels=False) or "")


@pytest.mark.parametrize("name", ["runtime", "library_size", "percent_mito", "score", "celltypist", ""])
def test_other_names_are_not(name: str) -> None:
    obs = pd.DataFrame({name: np.random.default_rng(0).normal(size=50).round(2)})
    assert mention_unused(obs, used=[], has_batches=False, has_labels=False) is None


def test_many_columns_are_counted() -> None:
    obs = pd.DataFrame({f"batch_{number}": ["a", "b"] * 10 for number in range(6)})
    said = mention_unused(obs, used=[], has_batches=False, has_labels=False) or ""
    assert "'batch_2'" in said
    assert "'batch_3'" not in said
    assert "3 more" in said
