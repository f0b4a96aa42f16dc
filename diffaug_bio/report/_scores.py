"""Scores of a run beside those of PCA, as a table that says what is good."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from diffaug_bio.document import Block, Cell, Messages, Section, Table, Text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_COMPARED = {
    "linear_probe": "linear probe",
    "knn_accuracy": "nearest neighbors",
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
}
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
_LEVEL = (
    "After ±: the standard deviation over the folds. A difference within it, or below half a point "
    "(0.005), is called level."
)
_NOTEWORTHY = 0.005  # a smaller difference is called none, whatever the spread


def scores_section(
    scores: Mapping[str, Any] | None,
    *,
    label_key: str | None,
    candidates: Sequence[str],
    is_image: bool,
) -> Section:
    """Show the scores of `metrics.json`, or say how to get some.

    Parameters
    ----------
    scores
        What `metrics.json` holds; None without labels.
    label_key
        The labels that the rest of the page is about.
    candidates
        Columns that may be labels, to name where there are no scores.
    is_image
        Whether rows are images, whose front end is another than that of other data.
    """
    if scores is None:
        return Section(key="scores", title="Scores", lead=_without_scores(label_key, candidates))
    titles = {
        "embedding": "DiffAug",
        "pca": "PCA",
        "front_end": "Patches alone" if is_image else "PCA as given to the networks",
    }
    if _is_pca(scores):
        del titles["front_end"]
    titles = {name: title for name, title in titles.items() if name in scores}
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
    blocks: list[Block] = []
    if label_key not in {None, scores["label_key"]}:
        other = (
            f"These scores, and those at the top of the page, are for {scores['label_key']}, which the fit "
            f"was scored by; the rest of the page shows {label_key}. `diffaug-bio evaluate RUN --label-key "
            f"{label_key}` scores that."
        )
        blocks.append(Messages(messages=(("warning", other),)))
    said = [verdict(scores, "pca", "PCA")]
    if "front_end" in titles:
        said.append(verdict(scores, "front_end", titles["front_end"]))
    blocks += [Text(text=" ".join(said)), _table(scores, titles)]
    return Section(
        key="scores",
        title="Scores",
        lead=(
            f"The frozen embedding against the classes in the column {scores['label_key']} "
            f"({scores['n_labels']} classes, {scores['n_scored']:,} rows, {how}), beside principal "
            f"components of the same rows.{left_out}"
        ),
        blocks=tuple(blocks),
    )


def verdict(scores: Mapping[str, Any], other: str, title: str) -> str:
    """Say plainly in what DiffAug is better, level and worse.

    Parameters
    ----------
    scores
        What `metrics.json` holds.
    other
        What to compare with: `"pca"` or `"front_end"`.
    title
        Its name.
    """
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
    return f"Beside {title}, DiffAug is {'; '.join(parts)}."


def _without_scores(label_key: str | None, candidates: Sequence[str]) -> str:
    """Say how to get scores."""
    if label_key is not None:
        return (
            "There are no scores of this fit: it was given no labels, or was interrupted while it was "
            f"scored. `diffaug-bio evaluate RUN --label-key {label_key}` prints scores of the embedding as "
            "it is; `diffaug-bio fit` with the same option puts them on this page."
        )
    said = (
        "There were no labels to score the embedding against. Where you have some, name their column with "
        "--label-key: they are only compared with the result, and never used in the fit."
    )
    if candidates:
        said += f" Columns that may be labels: {', '.join(candidates)}."
    return said


def _is_level(first: Mapping[str, Any], second: Mapping[str, Any], key: str) -> bool:
    """Whether two scores differ by less than half a point, or than either varies over the folds."""
    spreads = [float(one.get(_SPREADS.get(key, ""), 0.0)) for one in (first, second)]
    return bool(abs(first[key] - second[key]) <= max(_NOTEWORTHY, *spreads))


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _table(scores: Mapping[str, Any], titles: Mapping[str, str]) -> Table:
    rows = []
    for key, (title, meaning) in _SCORES.items():
        values = {name: scores[name].get(key) for name in titles}
        if any(value is None for value in values.values()):
            continue
        best = max(titles, key=lambda name: values[name])
        top = [name for name in titles if _is_level(scores[name], scores[best], key)]
        if len(top) == len(titles):  # nothing stands out
            top = []
        rows.append(
            (
                Cell(text=title, notes=(meaning.format(n_neighbors=scores.get("n_neighbors", "nearest")),)),
                *(
                    Cell(
                        text=f"{value:.3f}",
                        notes=_spread(scores[name], key),
                        mark="best" if name in top else "",
                    )
                    for name, value in values.items()
                ),
            )
        )
    header = (
        "Score (1 is best)",
        *(f"{title}, {scores[name]['width']} wide" for name, title in titles.items()),
    )
    notes = [_LEVEL]
    if "front_end" in titles:
        notes.append(f"{titles['front_end']}: what the encoder starts from, a fixed front end.")
    return Table(
        caption="Bold: the best of a row and what is level with it; nothing where all are level",
        header=header,
        rows=tuple(rows),
        numeric=tuple(range(1, len(header))),
        notes=tuple(notes),
    )


def _spread(scores: Mapping[str, Any], key: str) -> tuple[str, ...]:
    spread = scores.get(_SPREADS[key], 0.0) if key in {"linear_probe", "knn_accuracy"} else 0.0
    return (f"± {spread:.3f}",) if spread else ()


def _is_pca(scores: Mapping[str, Any]) -> bool:
    """Whether the networks saw just as many components."""
    return bool(scores.get("front_end") == scores["pca"])
