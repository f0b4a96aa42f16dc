"""Sentences that a page says about scores: what is better, level and worse."""

from __future__ import annotations

from typing import Any

import pytest

from diffaug_bio.core.phases import EpochEnd
from diffaug_bio.document import Messages, Table, Text
from diffaug_bio.report import _generated as _report_generated
from diffaug_bio.report import _scores as _report_scores
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
        "n_labels": 3,
        "n_scored": 100,
        "n_left_out": 0,
        "n_folds": 5,
        "embedding": scores_of(0.952, 0.861, 0.5),
        "pca": scores_of(0.94, 0.80, 0.6),
        "front_end": scores_of(0.90, 0.861, 0.5, width=300),
    }


def test_a_verdict_tells_what_is_better_level_and_worse_clusters_included() -> None:
    assert _report_scores.verdict(metrics_of(), "pca", "PCA") == (
        "Beside PCA, DiffAug is better by nearest neighbors (+6.1 points); level by linear probe; "
        "worse by k-means NMI (-10.0 points) and Leiden ARI (-10.0 points)."
    )
    assert _report_scores.verdict(metrics_of(), "front_end", "Patches alone") == (
        "Beside Patches alone, DiffAug is better by linear probe (+5.2 points); level by nearest "
        "neighbors, k-means NMI and Leiden ARI."
    )


def test_bold_is_what_others_are_beyond_the_spread_of() -> None:
    section = _report_scores.scores_section(
        metrics_of(), label_key="cell_type", candidates=(), is_image=True
    )
    said, table = section.blocks
    assert isinstance(said, Text)
    assert said.text.count("Beside") == 2
    assert isinstance(table, Table)
    marks = {row[0].text: [cell.mark for cell in row[1:]] for row in table.rows}
    assert marks["Linear probe, accuracy"] == ["best", "best", ""]
    assert marks["Nearest neighbors, accuracy"] == ["best", "", "best"]
    assert marks["k-means, NMI"] == ["", "best", ""]
    assert table.header[3] == "Patches alone, 300 wide"
    level = metrics_of() | {"pca": scores_of(0.951, 0.862, 0.5), "front_end": scores_of(0.95, 0.86, 0.5)}
    section = _report_scores.scores_section(level, label_key=None, candidates=(), is_image=False)
    table = section.blocks[1]
    assert isinstance(table, Table)
    assert {cell.mark for row in table.rows for cell in row} == {""}


def test_scores_of_other_labels_than_the_page_shows_say_so() -> None:
    section = _report_scores.scores_section(metrics_of(), label_key="stim", candidates=(), is_image=False)
    note = section.blocks[0]
    assert isinstance(note, Messages)
    assert "are for cell_type" in note.messages[0][1]
    assert "`diffaug-bio evaluate RUN --label-key stim` scores that" in note.messages[0][1]


@pytest.mark.parametrize(
    ("label_key", "candidates", "expected"),
    [
        ("label", (), "`diffaug-bio evaluate RUN --label-key label`"),
        (None, ("label", "site"), "Columns that may be labels: label, site."),
        (None, (), "name their column with --label-key"),
    ],
    ids=["page has labels", "columns", "none"],
)
def test_without_scores_a_page_says_how_to_get_some(
    label_key: str | None, candidates: tuple[str, ...], expected: str
) -> None:
    section = _report_scores.scores_section(
        None, label_key=label_key, candidates=candidates, is_image=False
    )
    assert expected in section.lead
    assert ("There were no labels" in section.lead) == (label_key is None)


def test_generated_rows_get_a_sentence() -> None:
    scores = {"label_kept": 0.92, "label_kept_real": 0.93, "real_or_generated": 0.85, "memorised": 0.9}
    assert _report_generated.verdict(scores) == (
        "Generated rows keep the label of their source as often as real rows agree on it (0.92, 0.93), can "
        "mostly be told from real rows (0.85; 0.5 is guessing), and stay near the rows that they come "
        "from, as positives should, and are no new samples (memorised: 0.90)."
    )
    assert _report_generated.verdict({"real_or_generated": 0.52}) == (
        "Generated rows can hardly ever be told from real rows (0.52; 0.5 is guessing)."
    )
    assert "less often than" in _report_generated.verdict(scores | {"label_kept": 0.6})
    assert "mostly not copies" in _report_generated.verdict(scores | {"memorised": 0.1})


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
