"""Scores of a run beside those of PCA, as a table that says what is good."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from diffaug_bio.report import Cell, Section, Table

if TYPE_CHECKING:
    from collections.abc import Mapping

_METHODS = {"embedding": "DiffAug", "pca": "PCA", "front_end": "Input of the networks"}
_SPREADS = {"linear_probe": "linear_probe_spread", "knn_accuracy": "knn_accuracy_spread"}
_SCORES = {
    "linear_probe": (
        "Linear probe, accuracy",
        "A linear classifier, trained on labels of other rows: does the class lie in straight directions?",
    ),
    "linear_macro_f1": (
        "Linear probe, macro-F1",
        "The same, with every class counting as much as any other.",
    ),
    "knn_accuracy": ("Nearest neighbors, accuracy", "The {n_neighbors} nearest labelled rows vote."),
    "knn_macro_f1": (
        "Nearest neighbors, macro-F1",
        "The same, with every class counting as much as any other.",
    ),
    "kmeans_nmi": (
        "k-means, NMI",
        "As many clusters as there are classes: what they share with the classes.",
    ),
    "kmeans_ari": ("k-means, ARI", "The same, by pairs of rows; 0 is chance."),
    "leiden_nmi": ("Leiden, NMI", "Clusters of the neighbor graph, found without labels."),
    "leiden_ari": ("Leiden, ARI", "The same, by pairs of rows; 0 is chance."),
    "silhouette": (
        "Silhouette of the classes",
        "From -1 to 1: how much nearer a row lies to its own class than to others.",
    ),
}
_NOTEWORTHY = 0.005  # a smaller difference of accuracies is called none


def scores_section(scores: Mapping[str, Any] | None) -> Section:
    """Show the scores of `metrics.json`, or say how to get some.

    Parameters
    ----------
    scores
        What `metrics.json` holds; None without labels.
    """
    if scores is None:
        return Section(
            key="scores",
            title="Scores",
            lead=(
                "There were no labels to score the embedding against. Where you have some, name their "
                "column with --label-key: they are only compared with the result, and never used in "
                "the fit."
            ),
        )
    methods = [
        name for name in _METHODS if name in scores and not (name == "front_end" and _is_pca(scores))
    ]
    how = f"{scores['n_folds']}-fold cross-validation"
    if scores.get("split_key"):
        how = f"the test rows of the column {scores['split_key']}"
    if scores.get("group_key"):
        how += f", rows of one {scores['group_key']} always on the same side"
    left_out = ""
    if scores["n_left_out"]:
        left_out = (
            f" {scores['n_left_out']:,} rows are not scored: they have no label, or one that too few rows "
            "have."
        )
    return Section(
        key="scores",
        title="Scores",
        lead=(
            f"The frozen embedding against the labels {scores['label_key']} ({scores['n_labels']} classes, "
            f"{scores['n_scored']:,} rows, {how}), beside principal components of the same rows. "
            f"{verdict(scores)}{left_out}"
        ),
        blocks=(_table(scores, methods),),
    )


def verdict(scores: Mapping[str, Any]) -> str:
    """Say plainly who is ahead of whom."""
    said = []
    for key, name in (("linear_probe", "linear probe"), ("knn_accuracy", "vote of neighbors")):
        ours, theirs = scores["embedding"][key], scores["pca"][key]
        points = abs(ours - theirs) * 100
        if abs(ours - theirs) < _NOTEWORTHY:
            said.append(f"the {name} sees no difference")
        else:
            said.append(
                f"the {name} is {points:.1f} points better on {'DiffAug' if ours > theirs else 'PCA'}"
            )
    first, second = said
    return f"{first[0].upper()}{first[1:]}, and {second}."


def _table(scores: Mapping[str, Any], methods: list[str]) -> Table:
    rows = []
    for key, (title, meaning) in _SCORES.items():
        values = {name: scores[name].get(key) for name in methods}
        if any(value is None for value in values.values()):
            continue
        best = max(round(float(value), 3) for value in values.values())
        rows.append(
            (
                Cell(text=title, notes=(meaning.format(n_neighbors=scores.get("n_neighbors", "nearest")),)),
                *(
                    Cell(
                        text=f"{value:.3f}",
                        notes=_spread(scores[name], key),
                        mark="best" if round(float(value), 3) == best else "",
                    )
                    for name, value in values.items()
                ),
            )
        )
    header = ("Score (1 is best)", *(f"{_METHODS[name]}, {scores[name]['width']} wide" for name in methods))
    notes = ["After ±: the standard deviation over the folds. A difference within it says little."]
    if "front_end" in methods:
        notes.append(
            "Input of the networks: what the encoder starts from, a fixed linear front end (of images, a "
            "fixed layer of learned patches)."
        )
    return Table(
        caption="Scores against the labels; the best of a row is bold",
        header=header,
        rows=tuple(rows),
        numeric=tuple(range(1, len(header))),
        notes=tuple(notes),
    )


def _spread(scores: Mapping[str, Any], key: str) -> tuple[str, ...]:
    spread = scores.get(_SPREADS.get(key, ""), 0.0)
    return (f"± {spread:.3f}",) if spread else ()


def _is_pca(scores: Mapping[str, Any]) -> bool:
    """Whether the networks saw just as many components."""
    return bool(scores["front_end"] == scores["pca"])
