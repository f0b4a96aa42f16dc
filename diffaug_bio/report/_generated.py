"""What the generator of a run makes: scores that say what is good, and pictures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, cast

import numpy as np

from diffaug_bio.config.kinds import drawings
from diffaug_bio.document import Cell, Pictures, Section, Table, Text
from diffaug_bio.matrix.sample import sample_rows
from diffaug_bio.report.page import drawn

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from diffaug_bio.document import Picture
    from diffaug_bio.model.description import ModelDescription
    from diffaug_bio.report._data import RunData

_MOST_ROWS = 1000  # to generate from
_LEAST_ROWS = 12
_MOST_CALLS = {"mlp": 100_000, "unet": 3000}  # of the denoiser, by rows: about a minute on two cores
_FEW_LABELS = 50  # fewer labelled rows say nothing of whether labels are kept
_SCORES = {
    "label_kept": ("Label kept", "that of real rows, {label_kept_real}"),
    "cosine_generated": ("Similarity of meaning", "high, below 1"),
    "source_distance": ("Distance to the source", "about 1"),
    "ks_mean": ("Distribution of features", "0"),
    "real_or_generated": ("Told from real rows", "0.5"),
    "memorised": ("Memorised", "0, of new samples"),
}
_MEANINGS = {
    "label_kept": """Share of generated rows whose nearest real rows, without their source, have the
        source's label. The same share of real rows is what to hold it against: generated rows are not
        expected to do better.""",
    "cosine_generated": """Mean cosine similarity of source and generated row in the embedding, less the
        mean of all rows. A mixup with another row has {cosine_mixup}, a row with a fifth of its features
        from another {cosine_feature_swap}.""",
    "source_distance": """In units of the distance from the source to the nearest other row: 0 would be
        copies.""",
    "ks_mean": """Kolmogorov-Smirnov distance of real and generated values, mean over features as the
        generator sees them; the largest is {ks_max}.""",
    "real_or_generated": """Accuracy of a classifier (gradient boosting) trained to tell generated rows from
        real ones.""",
    "memorised": """Share of generated rows nearer to a training row, their source included, than any row is
        that was held out while training. High is expected where rows are meant to stay near their source,
        as positives are; rows that are to stand for new samples should have it low.""",
}
_LABEL_MARGIN = 0.03  # a share of labels kept that is less below that of real rows is called as large
_HARD, _EASY = 0.6, 0.8  # accuracy of telling generated rows from real ones
_NEAR = 0.5  # share of rows near a training row that is called high
_Drawing = Literal["violin", "kmers", "logo", "grid", "similarity"]
_CAPTIONS: Mapping[str, str] = {
    "violin": "Real values on the left of each violin, generated ones on the right.",
    "kmers": "How often words occur in real and in generated sequences.",
    "logo": "What the positions of real and of generated sequences say, and by which letters.",
    "grid": "In the first row originals, below each of them what is generated from it.",
}


def generated_section(run: RunData, model: ModelDescription) -> Section:
    """Score and draw rows that the generator makes, or say that there is none.

    Parameters
    ----------
    run
        The run.
    model
        Its model.
    """
    if not run.model.has_generator:
        return Section(
            key="generated",
            title="Generated rows",
            lead="This model was fitted without a generator, so there is nothing to show here.",
        )
    fitted = np.flatnonzero(run.fitted)
    rows = fitted[sample_rows(len(fitted), _affordable_rows(run), seed=run.seed)]
    scores = _scores(run, rows)
    counts_words = model.source.get("kmers") is not None
    drawing = cast("_Drawing", drawings(model.input_state, counts_words=counts_words)[0])
    pictures = [
        _picture(
            run,
            rows,
            drawing,
            alt=f"{drawing.capitalize()} of real and generated rows.",
            caption=_CAPTIONS[drawing],
        ),
        _picture(
            run,
            rows,
            "similarity",
            alt="Cosine similarity in the embedding of rows and views of them.",
            caption="How like its source a view is in the embedding: generated, and made by hand.",
        ),
    ]
    return Section(
        key="generated",
        title="Generated rows",
        lead=(
            f"One row generated from each of {len(rows):,} rows that were fitted. The encoder learns from "
            "such pairs; a good one is another row of the same meaning, no copy and no noise."
        ),
        blocks=(
            Text(text=verdict(scores)),
            _table(scores),
            *(Pictures(pictures=(picture,)) for picture in pictures),
        ),
    )


def _affordable_rows(run: RunData) -> int:
    """Rows to generate from, fewer where each takes many steps of a large network."""
    settings = run.model.config_.generator
    affordable = _MOST_CALLS[settings.backbone] // settings.n_sampling_steps
    return max(_LEAST_ROWS, min(_MOST_ROWS, affordable))


def verdict(scores: Mapping[str, float]) -> str:
    """Say in a sentence what the scores of generated rows amount to.

    Parameters
    ----------
    scores
        As :func:`diffaug_bio.tl.evaluate_generated` gives them.
    """
    said = []
    if "label_kept" in scores:
        kept, real = scores["label_kept"], scores["label_kept_real"]
        how = "as often as" if kept >= real - _LABEL_MARGIN else "less often than"
        said.append(f"keep the label of their source {how} real rows agree on it ({kept:.2f}, {real:.2f})")
    told = scores["real_or_generated"]
    how = "hardly ever" if told < _HARD else "mostly" if told >= _EASY else "often"
    said.append(f"can {how} be told from real rows ({told:.2f}; 0.5 is guessing)")
    if "memorised" in scores:
        near = scores["memorised"]
        what = (
            "stay near the rows that they come from, as positives should, and are no new samples"
            if near >= _NEAR
            else "are mostly not copies of fitted rows"
        )
        said.append(f"{what} (memorised: {near:.2f})")
    listed = said[0] if len(said) == 1 else f"{', '.join(said[:-1])}, and {said[-1]}"
    return f"Generated rows {listed}."


def _scores(run: RunData, rows: NDArray[np.int64]) -> dict[str, float]:
    """Score one generated row of each of some rows."""
    from diffaug_bio.model.quality import score_generated

    matrix, names = run.matrix()
    labels = run.labels(run.label_key)
    scored = None if labels is None else np.array([one is not None for one in labels[rows]])
    if scored is not None and scored.sum() < min(_FEW_LABELS, len(rows)):
        labels = scored = None
    return score_generated(
        run.model,
        matrix[rows],
        labels=None if labels is None else labels[rows].astype(np.str_),
        scored=scored,
        feature_names=names,
        held_out=np.flatnonzero(run.held_out[rows]),
        seed=run.seed,
    )


def _table(scores: Mapping[str, float]) -> Table:
    words = {name: f"{value:.2f}" for name, value in scores.items()}
    return Table(
        caption="Quality of generated rows, in the space that the generator works in",
        header=("Score", "Value", "Ideal", "What it says"),
        rows=tuple(
            (
                Cell(text=title),
                Cell(text=words[name]),
                Cell(text=ideal.format(**words)),
                Cell(text=" ".join(_MEANINGS[name].split()).format(**words)),
            )
            for name, (title, ideal) in _SCORES.items()
            if name in scores
        ),
        numeric=(1,),
        notes=(
            "Of a sample; diffaug-bio evaluate RUN scores all rows.",
            "Rows of a sample lie further apart, so that more count as memorised here.",
        ),
    )


def _picture(run: RunData, rows: NDArray[np.int64], kind: _Drawing, *, alt: str, caption: str) -> Picture:
    return drawn(f"generated-{kind}", _drawing(run, rows, kind), alt=alt, caption=caption)


def _drawing(run: RunData, rows: NDArray[np.int64], kind: _Drawing) -> Callable[[], Figure]:
    def draw() -> Figure:
        from diffaug_bio import pl

        axes = pl.augmentation(
            run.adata[rows], run.model, kind=kind, random_state=run.seed, show=False, save=False
        )
        first = axes[0] if isinstance(axes, list) else axes
        return cast("Figure", cast("Axes", first).figure)

    return draw
