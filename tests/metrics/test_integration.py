"""Scores of batches brought together, beside those of scib-metrics."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from diffaug_bio import metrics
from diffaug_bio.errors import InputError
from diffaug_bio.metrics._isolated import isolated_labels

if TYPE_CHECKING:
    from types import ModuleType

    from numpy.typing import NDArray

    Rows = tuple[NDArray[np.float32], NDArray[np.str_], NDArray[np.str_]]

FIXTURES = Path(__file__).parents[1] / "fixtures"
RECORDED = json.loads((FIXTURES / "integration.json").read_text(encoding="utf-8"))
MIXING = {"graph_connectivity", "silhouette_batch", "ilisi", "kbet", "pcr_comparison"}
LABELS = {
    "clisi",
    "silhouette_label",
    "best_of_grid_nmi",
    "best_of_grid_ari",
    "isolated_silhouette",
    "isolated_f1",
}
BY_CLUSTERS = {"best_of_grid_nmi", "best_of_grid_ari", "isolated_f1"}  # of another graph than scib-metrics'
TOTALS = {"batch_mixing", "bio_conservation", "integration_total"}


@pytest.fixture(scope="module")
def recorder() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_integration", FIXTURES / "make_integration.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def two_batches(distance: float, *, apart: float = 0.0, n_obs: int = 240, seed: int = 0) -> Rows:
    """Three labels `distance` apart, and two batches of one size, `apart` in another direction."""
    rng = np.random.default_rng(seed)
    label, batch = np.arange(n_obs) % 3, np.arange(n_obs) // 3 % 2
    rows = rng.normal(size=(n_obs, 4))
    rows[:, :3] += distance * np.eye(3)[label]
    rows[:, 3] += apart * batch
    return (
        rows.astype(np.float32),
        np.array(["one", "two"])[batch],
        np.array(["a", "b", "c"])[label],
    )


@pytest.mark.parametrize("shift", list(RECORDED["shifts"]))
def test_scores_are_those_that_scib_metrics_gave(shift: str, recorder: ModuleType) -> None:
    base, batches, labels = (np.array(RECORDED[name]) for name in ("base", "batches", "labels"))
    before, after = recorder.shifted(base, batches, float(shift))
    found = metrics.integration(after, batches, labels, before=before)
    expected = RECORDED["shifts"][shift]
    assert expected.keys() == (MIXING | LABELS) - BY_CLUSTERS
    # It computes in single precision.
    assert {name: found[name] for name in expected} == pytest.approx(expected, abs=1e-5)


def test_scores_are_those_of_scib_metrics_where_it_is_there(recorder: ModuleType) -> None:
    pytest.importorskip("scib_metrics")
    data = recorder.make_rows()
    assert data == {name: RECORDED[name] for name in data}
    base, batches, labels = (np.array(data[name]) for name in ("base", "batches", "labels"))
    before, after = recorder.shifted(base, batches, 0.8)
    again = recorder.scores_of_scib(before, after, batches, labels)
    assert again == pytest.approx(RECORDED["shifts"]["0.8"], abs=1e-5)


def test_batches_that_are_mixed_and_labels_that_are_apart_score_nearly_one() -> None:
    rows, batches, labels = two_batches(20.0)
    before = rows + 9 * (batches == "two")[:, None]
    scores = metrics.integration(rows, batches, labels, before=before)
    assert scores.keys() == MIXING | LABELS | TOTALS | {"batch_knn_accuracy", "batch_chance"}
    assert min(scores[name] for name in (MIXING | LABELS | TOTALS) - {"isolated_silhouette"}) > 0.85
    assert scores["batch_chance"] == 0.5
    assert scores["batch_knn_accuracy"] == pytest.approx(0.5, abs=0.1)


def test_batches_that_are_apart_score_nearly_nothing_and_labels_that_are_mixed_little() -> None:
    rows, batches, labels = two_batches(0.0, apart=1000.0)
    scores = metrics.integration(rows, batches, labels, before=rows)
    assert scores["batch_knn_accuracy"] == 1.0
    expected = {"ilisi": 0.0, "kbet": 0.0, "pcr_comparison": 0.0, "silhouette_batch": 0.0}
    assert {name: scores[name] for name in expected} == pytest.approx(expected, abs=0.01)
    # Half of a label at most hangs together where batches are apart.
    assert scores["graph_connectivity"] <= 0.5
    found = {
        name: scores[name] for name in ("clisi", "silhouette_label", "best_of_grid_nmi", "best_of_grid_ari")
    }
    assert found["silhouette_label"] == pytest.approx(0.5, abs=0.01)
    assert found["clisi"] < 0.2
    assert found["best_of_grid_nmi"] == pytest.approx(0, abs=0.05)
    assert found["best_of_grid_ari"] == pytest.approx(0, abs=0.05)


def test_totals_are_means_and_scibs_weights() -> None:
    rows, batches, labels = two_batches(3.0, apart=1.0)
    scores = metrics.integration(rows, batches, labels)
    mixing = np.mean([scores[name] for name in MIXING - {"pcr_comparison"}])
    conserved = np.mean([scores[name] for name in LABELS])
    assert scores["batch_mixing"] == pytest.approx(mixing)
    assert scores["bio_conservation"] == pytest.approx(conserved)
    assert scores["integration_total"] == pytest.approx(0.4 * mixing + 0.6 * conserved)
    with_before = metrics.integration(rows, batches, labels, before=rows)
    assert with_before["pcr_comparison"] == 0.0
    assert with_before["batch_mixing"] == pytest.approx(0.8 * mixing)


def test_the_order_of_rows_and_the_names_of_batches_change_nothing() -> None:
    rows, batches, labels = two_batches(4.0, apart=1.0)
    scores = metrics.integration(rows, batches, labels, before=rows[:, :2])
    order = np.random.default_rng(1).permutation(len(rows))
    renamed = np.where(batches == "one", "z", "y")
    again = metrics.integration(
        rows[order], renamed[order], labels[order], before=rows[order][:, :2], random_state=0
    )
    # Leiden draws rows, and so depends on the order a little.
    by_clusters = BY_CLUSTERS | {"bio_conservation", "integration_total"}
    for name, value in scores.items():
        assert again[name] == pytest.approx(value, abs=0.05 if name in by_clusters else 1e-6), name


def test_moving_turning_and_scaling_an_embedding_changes_nothing() -> None:
    rows, batches, labels = two_batches(4.0, apart=1.0)
    turn, _ = np.linalg.qr(np.random.default_rng(1).normal(size=(4, 4)))
    moved = 10 * rows.astype(np.float64) @ turn + 3
    scores = metrics.integration(rows, batches, labels, before=rows[:, :2])
    again = metrics.integration(moved, batches, labels, before=rows[:, :2])
    assert again == pytest.approx(scores, abs=1e-4)


def test_an_isolated_label_is_found_where_its_rows_are_kept_apart() -> None:
    rows, batches, labels = two_batches(8.0)
    batches[labels == "c"] = "one"
    assert isolated_labels(batches, labels).tolist() == ["c"]
    apart = metrics.integration(rows, batches, labels)
    assert apart["isolated_f1"] == 1.0
    assert apart["isolated_silhouette"] > 0.75
    rows[labels == "c", :3] = rows[labels == "b", :3][np.random.default_rng(0).permutation(80)]
    merged = metrics.integration(rows, batches, labels)
    assert merged["isolated_f1"] < 0.75
    assert merged["isolated_silhouette"] == pytest.approx(0.5, abs=0.02)


def test_batches_of_other_labels_do_not_count_against_mixing() -> None:
    rows, batches, labels = two_batches(30.0, n_obs=600)
    rng = np.random.default_rng(0)
    batches = np.where(
        rng.random(600) < np.select([labels == "a", labels == "b"], [0.9, 0.5], 0.1), "x", "y"
    )
    scores = metrics.integration(rows, batches, labels)
    assert scores["kbet"] > 0.85
    assert scores["batch_chance"] == pytest.approx((0.9 + 0.5 + 0.9) / 3, abs=0.05)
    assert scores["batch_knn_accuracy"] == pytest.approx(scores["batch_chance"], abs=0.05)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"batches": "one"}, r"all rows are of one batch, 'one'\. Choose a column that tells two or more"),
        ({"labels": "a"}, r"all rows are of one label, 'a'\. Choose a column"),
        (
            {"batches": "by label"},
            r"no label of eleven rows or more occurs in two batches, and in fewer",
        ),
        (
            {"batches": "each"},
            r"no label of eleven rows or more occurs in two batches, and in fewer than it",
        ),
        ({"batches": "few"}, r"There are 3 batches for 240 rows; give one for each row"),
        ({"before": np.zeros((5, 2))}, r"There are 5 rows before for 240 rows"),
    ],
    ids=["one batch", "one label", "confounded", "each alone", "batches", "before"],
)
def test_what_cannot_be_scored_is_said(change: dict[str, Any], message: str) -> None:
    rows, batches, labels = two_batches(4.0)
    given = {
        "one": np.full(240, "one"),
        "a": np.full(240, "a"),
        "by label": labels.copy(),
        "each": np.arange(240).astype(str),
        "few": batches[:3],
    }
    change = {
        name: given.get(value, value) if isinstance(value, str) else value for name, value in change.items()
    }
    with pytest.raises(InputError, match=message):
        metrics.integration(rows, **{"batches": batches, "labels": labels, **change})
