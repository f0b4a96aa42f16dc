"""Sentences that a page says about scores: what is better, level and worse."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from diffaug_bio.core.phases import EpochEnd
from diffaug_bio.document import Table, Text
from diffaug_bio.model.scores import scores_section, verdict
from diffaug_bio.report import _embedding, _generated
from diffaug_bio.report._training import kept_first_epoch


def scores_of(probe: float, knn: float, clusters: float, *, width: int = 50) -> dict[str, Any]:
    return {
        "width": width,
        "linear_probe": probe,
        "linear_probe_spread": 0.02,
        "knn_accuracy": knn,
        "knn_accuracy_spread": 0.001,
        "kmeans_nmi": clusters,
        "leiden_ari": clusters,
    }


def metrics_of() -> dict[str, Any]:
    return {
        "label_key": "cell_type",
        "label_kind": "classes",
        "chance": {"linear_probe": 0.5, "knn_accuracy": 0.5, "kmeans_nmi": 0.01, "leiden_ari": 0.0},
        "n_labels": 3,
        "n_scored": 100,
        "n_left_out": 0,
        "n_folds": 5,
        "embedding": scores_of(0.952, 0.861, 0.5),
        "pca": scores_of(0.94, 0.80, 0.6),
        "front_end": scores_of(0.90, 0.861, 0.5, width=300),
    }


def test_a_verdict_tells_what_is_better_level_and_worse_clusters_included() -> None:
    better, level, worse = verdict(metrics_of(), "pca", "PCA").split("; ")
    assert "nearest neighbours (+6.1 points)" in better
    assert "linear probe" in level
    assert "k-means NMI (-10.0 points) and Leiden ARI (-10.0 points)" in worse
    better, level = verdict(metrics_of(), "front_end", "Patches alone").split("; ")
    assert "Patches alone" in better
    assert "linear probe (+5.2 points)" in better
    assert "k-means NMI and Leiden ARI" in level


def test_bold_is_what_others_are_beyond_the_spread_of() -> None:
    said, table = scores_section(metrics_of(), front_end="Patches alone").blocks
    assert isinstance(said, Text)
    assert said.text.count("Compared with") == 2
    assert isinstance(table, Table)
    marks = {row[0].text: [cell.mark for cell in row[1:-1]] for row in table.rows}
    assert marks["Linear probe, accuracy"] == ["best", "best", ""]
    assert marks["Nearest neighbours, accuracy"] == ["best", "", "best"]
    assert marks["k-means, NMI"] == ["", "best", ""]
    assert table.header[3:] == ("Patches alone, 300 wide", "Chance")
    assert [row[-1].text for row in table.rows] == ["0.500", "0.500", "0.010", "0.000"]
    assert any(note.startswith("Chance: ") and "most frequent class" in note for note in table.notes)
    level = metrics_of() | {"pca": scores_of(0.951, 0.862, 0.5), "front_end": scores_of(0.95, 0.86, 0.5)}
    table = scores_section(level, front_end="PCA as given to the networks").blocks[1]
    assert isinstance(table, Table)
    assert {cell.mark for row in table.rows for cell in row} == {""}


def test_a_number_has_scores_of_its_own() -> None:
    scores = {"linear_r2": 0.61, "linear_r2_spread": 0.01, "knn_r2": 0.35, "knn_r2_spread": 0.02}
    rows = {name: {"width": 50, **scores} for name in ("embedding", "pca", "front_end")}
    rows["pca"]["linear_r2"] = 0.55
    number = {
        "label_kind": "number",
        "label_key": "age",
        "chance": {"linear_r2": -0.0004, "knn_r2": -0.0004},
    }
    section = scores_section(metrics_of() | rows | number, front_end="Patches alone")
    said, table = section.blocks
    assert "age (3 different numbers" in section.lead
    assert isinstance(said, Text)
    assert "linear regression (+6.0 points)" in said.text
    assert isinstance(table, Table)
    assert [row[0].text for row in table.rows] == ["Linear regression, R2", "Nearest neighbours, R2"]
    assert [row[-1].text for row in table.rows] == ["0.000", "0.000"]
    assert any("guessing the mean" in note for note in table.notes)


def test_neighbours_of_one_class_have_a_chance_level() -> None:
    labels = np.array(["a", "a", "b", None], dtype=object)
    assert _embedding._chance(labels) == pytest.approx(1 / 3)  # of three pairs one is of one class


def test_generated_rows_get_a_sentence() -> None:
    scores = {"label_kept": 0.92, "label_kept_real": 0.93, "real_or_generated": 0.85, "memorised": 0.9}
    said = _generated.verdict(scores)
    for words in ("as often as", "(0.92, 0.93)", "mostly be told", "0.85", "near their source", "0.90"):
        assert words in said
    assert "hardly ever" in _generated.verdict({"real_or_generated": 0.52})
    assert "less often than" in _generated.verdict(scores | {"label_kept": 0.6})
    assert "no copies" in _generated.verdict(scores | {"memorised": 0.1})


def epochs(*losses: float, round_: int = 1) -> list[EpochEnd]:
    return [
        EpochEnd(
            phase="encoder",
            round=round_,
            epoch=number,
            n_epochs=len(losses),
            loss=1.0,
            held_out_loss=loss,
            seconds=0.0,
            progress=1.0,
            ends_phase=number == len(losses),
        )
        for number, loss in enumerate(losses, start=1)
    ]


def test_an_encoder_phase_that_was_best_at_once_is_noticed() -> None:
    assert kept_first_epoch(epochs(1.0, 2.0, 3.0))
    assert not kept_first_epoch(epochs(2.0, 1.0))
    assert not kept_first_epoch(epochs(1.0, 2.0) + epochs(2.0, 1.0, round_=2))
    assert not kept_first_epoch(epochs(1.0))
    assert not kept_first_epoch(epochs(float("nan"), float("nan")))
    assert not kept_first_epoch([])
