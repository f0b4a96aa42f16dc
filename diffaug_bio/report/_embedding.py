"""Sections with the embedding in pictures, and with nearest neighbours, both beside PCA."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from diffaug_bio._keys import BATCH_ENTRY, SEQUENCE_KEY
from diffaug_bio.document import Cell, Image, Pictures, Section, Table, one_line
from diffaug_bio.report.page import drawn, thumbnail

if TYPE_CHECKING:
    from collections.abc import Callable

    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from diffaug_bio.report._data import Method, RunData

_BASIS = "X_umap_report"
_SIDE = 4.5  # inches of a panel
_N_QUERIES = 6
_N_SHOWN = 5
_N_LETTERS = 13
_LONGEST = 28


def embedding_section(run: RunData) -> Section:
    """Draw the embedding beside principal components, coloured by labels and by batches."""
    keys = [(key, what) for key, what in ((run.label_key, "label"), (run.batch_key, "batch")) if key]
    blocks = [
        _pictures(run, key, title=f"By {what}" if key == what else f"By {what}: {key}", name=what)
        for key, what in keys
    ]
    shown = f"{len(run.rows):,} of {run.n_obs:,} rows, drawn at random" if run.is_sample else "All rows"
    return Section(
        key="embedding",
        title="Embedding",
        lead=(
            f"{shown}, laid out by UMAP from all {run.methods[0].width} columns of the embedding, beside "
            f"{run.methods[1].width} principal components. Separate groups are separate in the embedding, "
            f"too; distances between groups and their sizes mean little.{_uncorrected(run)}"
        ),
        blocks=tuple(blocks) or (_pictures(run, None, title="", name="plain"),),
    )


def _uncorrected(run: RunData) -> str:
    """Say that the batches in the pictures were not corrected, if that is so."""
    if run.batch_key is None or run.batch_key == run.record["data"].get(BATCH_ENTRY):
        return ""
    return f" The fit did not correct for {run.batch_key}."


def neighbors_section(run: RunData) -> Section:
    """List the nearest neighbours of some rows, by the embedding and by PCA."""
    labels = run.labels(run.label_key)
    queries = _queries(labels, len(run.rows))
    cells = _Cells(run, labels, queries)
    rows = []
    for query in queries:
        for number, method in enumerate(run.methods):
            head = [cells.of(query, n_rows=len(run.methods))] if number == 0 else []
            found = zip(method.neighbors.rows[query], method.neighbors.distances[query], strict=True)
            near = [cells.of(row, source=query, distance=far) for row, far in list(found)[:_N_SHOWN]]
            rows.append((*head, Cell(text=method.title), *near, *[Cell(text="")] * (_N_SHOWN - len(near))))
    among = f"{len(run.rows):,} rows drawn at random" if run.is_sample else "all rows"
    lead = f"The {_N_SHOWN} nearest neighbours of some rows among {among}, by Euclidean distance."
    if labels is not None:
        shares = [(method.title, _agreement(method, labels)) for method in run.methods]
        said = ", ".join(f"{share:.1%} by {title}" for title, share in shares if share is not None)
        if said:
            said += f", {_chance(labels):.1%} by chance"
            lead += f" Share of labelled neighbours with the same {run.label_key}, over all rows: {said}."
    places = ("Nearest", *(f"{number}." for number in range(2, _N_SHOWN + 1)))
    return Section(
        key="neighbors",
        title="Nearest neighbours",
        lead=lead,
        blocks=(
            Table(
                caption="Names and distances"
                if labels is None
                else "Names, classes and distances; neighbours of the same class are tinted",
                header=("Row", "By", *places),
                rows=tuple(rows),
            ),
        ),
    )


def _pictures(run: RunData, key: str | None, *, title: str, name: str) -> Pictures:
    """Draw the layouts of both methods side by side, with one legend as text."""
    legend: dict[str, str] = {}
    by = "in one colour" if key is None else f"coloured by {key}"
    pictures = tuple(
        drawn(
            f"{name}-{number}",
            _drawing(run, method, key, legend),
            alt=f"Scatter plot of {len(run.rows):,} rows, laid out by UMAP of {method.title}, {by}.",
            caption="",
        )
        for number, method in enumerate(run.methods)
    )
    return Pictures(
        title=title, pictures=pictures, legend=tuple((color, label) for label, color in legend.items())
    )


def _drawing(run: RunData, method: Method, key: str | None, legend: dict[str, str]) -> Callable[[], Figure]:
    """Make the function that draws a layout and fills the legend with the colours."""

    def draw() -> Figure:
        import matplotlib.pyplot as plt
        from matplotlib.colors import to_hex

        from diffaug_bio import pl

        run.adata.obsm[_BASIS] = method.points
        figure = plt.figure(figsize=(_SIDE, _SIDE))
        ax = figure.subplots()
        pl.embedding(
            run.adata,
            basis=_BASIS,
            color=key,
            title=f"{method.title}, {method.width} wide",
            ax=ax,
            random_state=run.seed,
            show=False,
            save=False,
        )
        del run.adata.obsm[_BASIS]
        if (held := ax.get_legend()) is not None:
            for handle, text in zip(held.legend_handles, held.get_texts(), strict=True):
                legend[text.get_text()] = to_hex(plt.getp(handle, "facecolor")[0])
            held.remove()
        return figure

    return draw


def _queries(labels: NDArray[np.object_] | None, n_rows: int) -> NDArray[np.int64]:
    """Choose rows to show: the first of each class in turn, large classes first, or evenly spaced rows."""
    if labels is not None and len(known := np.flatnonzero([one is not None for one in labels])):
        names, codes, counts = np.unique(
            labels[known].astype(np.str_), return_inverse=True, return_counts=True
        )
        # Order by the number of earlier rows of the class, then by the size of the class.
        turns = np.zeros(len(known), np.int64)
        for code in range(len(names)):
            turns[codes == code] = np.arange(counts[code])
        order = np.lexsort((codes, -counts[codes], turns))[:_N_QUERIES]
        return np.sort(known[order]).astype(np.int64)
    return np.unique(np.linspace(0, n_rows - 1, _N_QUERIES).astype(np.int64))


def _agreement(method: Method, labels: NDArray[np.object_]) -> float | None:
    """Compute the share of neighbours with the label of their row, over all pairs that have labels."""
    known = np.array([one is not None for one in labels])
    near = method.neighbors.rows[known][:, :_N_SHOWN]
    if not (is_pair := known[near]).any():
        return None
    return float(np.mean((labels[near] == labels[known][:, None])[is_pair]))


def _chance(labels: NDArray[np.object_]) -> float:
    """Compute how often two different rows that have labels have the same one."""
    known = [one for one in labels if one is not None]
    counts = np.unique(np.array(known, np.str_), return_counts=True)[1].astype(float)
    n_pairs = len(known) * (len(known) - 1)
    return float((counts * (counts - 1)).sum() / n_pairs)


class _Cells:
    """Cells that show rows: name, class, distance, and an image or the first letters."""

    def __init__(
        self, run: RunData, labels: NDArray[np.object_] | None, queries: NDArray[np.int64]
    ) -> None:
        self._names = run.adata.obs_names.astype(str)
        self._labels = labels
        self._letters = run.adata.obs.get(SEQUENCE_KEY)
        self._images = _images(run, queries)

    def of(
        self, row: int, *, source: int | None = None, distance: float | None = None, n_rows: int = 1
    ) -> Cell:
        label = None if self._labels is None else self._labels[row]
        name = one_line(self._names[row], limit=_LONGEST)
        notes = [] if label is None else [one_line(label, limit=_LONGEST)]
        if distance is not None:
            notes.append(f"{distance:.3g}")
        if self._letters is not None:
            notes.append(one_line(str(self._letters.iloc[row]), limit=_N_LETTERS))
        is_same = source is not None and label is not None and label == self._labels[source]  # type: ignore[index]
        return Cell(
            text=name,
            notes=tuple(notes),
            image=self._images.get(int(row)),
            mark="same" if is_same else "",
            is_code=True,
            n_rows=n_rows,
        )


def _images(run: RunData, queries: NDArray[np.int64]) -> dict[int, Image]:
    """Make thumbnails of the rows that are shown, if rows are images."""
    if not run.model.config_.features.image_shape:
        return {}
    near = [method.neighbors.rows[queries, :_N_SHOWN].ravel() for method in run.methods]
    rows = np.unique(np.concatenate([queries, *near]))
    pixels = np.asarray(run.matrix()[0][rows], np.uint8)
    shape = run.model.config_.features.image_shape
    names = run.adata.obs_names.astype(str)
    return {
        int(row): thumbnail(image.reshape(shape), alt=f"Image of {names[row]}")
        for row, image in zip(rows, pixels, strict=True)
    }
