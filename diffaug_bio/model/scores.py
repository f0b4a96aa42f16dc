"""Scores of an embedding beside those of PCA: a table, and a sentence on what is better."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from diffaug_bio._wording import decimals
from diffaug_bio.document import Cell, Section, Table, Text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_COMPARED = {
    "linear_probe": "linear probe",
    "knn_accuracy": "nearest neighbours",
    "linear_r2": "linear regression",
    "knn_r2": "nearest neighbours",
    "kmeans_nmi": "k-means NMI",
    "kmeans_ari": "k-means ARI",
    "leiden_nmi": "Leiden NMI",
    "leiden_ari": "Leiden ARI",
}
_SPREADS = {
    "linear_probe": "linear_probe_spread",
    "linear_macro_f1": "linear_probe_spread",
    "knn_accuracy": "knn_accuracy_spread",
    "knn_macro_f1": "knn_accuracy_spread",
    "linear_r2": "linear_r2_spread",
    "knn_r2": "knn_r2_spread",
}
_SCORES = {
    "linear_probe": ("Linear probe, accuracy", "Linear classifier trained on labels of other rows"),
    "linear_macro_f1": ("Linear probe, macro-F1", "The same with equal weight for each class"),
    "knn_accuracy": ("Nearest neighbours, accuracy", "Vote of the {n_neighbors} nearest labelled rows"),
    "knn_macro_f1": ("Nearest neighbours, macro-F1", "The same with equal weight for each class"),
    "kmeans_nmi": ("k-means, NMI", "Agreement of as many clusters as classes with the classes"),
    "kmeans_ari": ("k-means, ARI", "The same by pairs of rows; 0 is chance"),
    "leiden_nmi": ("Leiden, NMI", "Agreement of clusters of the neighbour graph with the classes"),
    "leiden_ari": ("Leiden, ARI", "The same by pairs of rows; 0 is chance"),
    "silhouette": ("Silhouette", "Distance to other classes compared with the own class, from -1 to 1"),
    "linear_r2": (
        "Linear regression, R2",
        "Ridge regression on other rows; share of the variance explained",
    ),
    "knn_r2": ("Nearest neighbours, R2", "Mean of the {n_neighbors} nearest rows that have a number"),
}
_CHANCE = {
    "classes": (
        "Chance: scores without knowing any row. Always the most frequent class (accuracy, macro-F1), or "
        "as many random clusters as classes (NMI); ARI is 0 by definition."
    ),
    "number": "Chance: R2 without knowing any row, by always guessing the mean of the other rows.",
}
_NOTEWORTHY = 0.005  # a smaller difference is level, whatever the spread


def scores_section(scores: Mapping[str, Any], *, front_end: str, explained: bool = True) -> Section:
    """Tabulate the scores (of `metrics.json`) of an embedding beside those of principal components.

    `front_end` names the front end of the data; if `explained`, each score is explained below it.
    """
    titles = {
        "embedding": "DiffAug",
        "pca": "PCA",
        "front_end": front_end,
    }
    if scores.get("front_end") == scores["pca"]:
        del titles["front_end"]
    titles = {name: title for name, title in titles.items() if name in scores}
    how = f"{scores['n_folds']}-fold cross-validation"
    if split := scores.get("split_key"):
        how = f"test rows of the column {split}"
    if group := scores.get("group_key"):
        how += f", rows of one {group} always on the same side"
    different = "classes" if scores["label_kind"] == "classes" else "different numbers"
    lead = (
        f"Frozen embeddings against the labels {scores['label_key']} ({scores['n_labels']} {different}, "
        f"{scores['n_scored']:,} rows, {how}), which were not used in the fit."
    )
    if scores["n_left_out"]:
        rare = ", or with a rare one" if scores["label_kind"] == "classes" else ""
        lead += f" Not scored: {scores['n_left_out']:,} rows without a label{rare}."
    said = [verdict(scores, name, title) for name, title in titles.items() if name != "embedding"]
    table = _table(scores, titles, explained=explained)
    return Section(key="scores", title="Scores", lead=lead, blocks=(Text(text=" ".join(said)), table))


def verdict(scores: Mapping[str, Any], other: str, title: str) -> str:
    """Say in which scores DiffAug is better, level and worse than "pca" or "front_end", called `title`."""
    said: dict[str, list[str]] = {"better by": [], "level by": [], "worse by": []}
    for key, name in _COMPARED.items():
        if key not in scores["embedding"] or key not in scores[other]:
            continue
        points = 100 * (scores["embedding"][key] - scores[other][key])
        if _is_level(scores["embedding"], scores[other], key):
            said["level by"].append(name)
        else:
            said["better by" if points > 0 else "worse by"].append(f"{name} ({points:+.1f} points)")
    parts = [f"{how} {_listed(names)}" for how, names in said.items() if names]
    return f"Compared with {title}, DiffAug is {'; '.join(parts)}."


def _is_level(first: Mapping[str, Any], second: Mapping[str, Any], key: str) -> bool:
    """Say whether two scores differ by less than half a point, or than either varies over the folds."""
    spreads = [float(one.get(_SPREADS.get(key, ""), 0.0)) for one in (first, second)]
    return bool(abs(first[key] - second[key]) <= max(_NOTEWORTHY, *spreads))


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _table(scores: Mapping[str, Any], titles: Mapping[str, str], *, explained: bool) -> Table:
    rows = []
    for key, (title, meaning) in _SCORES.items():
        values = {name: scores[name].get(key) for name in titles}
        if any(value is None for value in values.values()):
            continue
        best = max(titles, key=lambda name: values[name])
        top = [name for name in titles if _is_level(scores[name], scores[best], key)]
        if len(top) == len(titles):  # nothing stands out
            top = []
        notes = (meaning.format(n_neighbors=scores.get("n_neighbors", "nearest")),) if explained else ()
        cells = (
            Cell(text=decimals(value), notes=_spread(scores[name], key), mark="best" if name in top else "")
            for name, value in values.items()
        )
        level = scores["chance"].get(key)
        chance = Cell(text="none" if level is None else decimals(level))
        rows.append((Cell(text=title, notes=notes), *cells, chance))
    widths = (f"{title}, {scores[name]['width']} wide" for name, title in titles.items())
    front_end = titles.get("front_end")
    said = (
        "± is the standard deviation over the folds. Differences within it, or below 0.005, are level.",
        _CHANCE[scores["label_kind"]],
        *([f"{front_end}: input of the encoder, without any training."] if front_end else []),
    )
    return Table(
        caption="Scores (1 is best); bold: the best of a row, and all that are level with it",
        header=("Score", *widths, "Chance"),
        rows=tuple(rows),
        numeric=tuple(range(1, 2 + len(titles))),
        notes=said if explained else (),
    )


def _spread(scores: Mapping[str, Any], key: str) -> tuple[str, ...]:
    """Show the spread of a score that has one of its own."""
    spread = scores.get(f"{key}_spread", 0.0)
    return (f"± {spread:.3f}",) if spread else ()
