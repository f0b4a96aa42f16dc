"""Section about the rows that the diffusion model of a run generates: scores and pictures."""

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

    from diffaug_bio.model.description import ModelDescription
    from diffaug_bio.report._data import RunData

_MOST_ROWS = 1000  # to generate from
_LEAST_ROWS = 12
_MOST_CALLS = {"mlp": 100_000, "unet": 3000}  # of the denoiser, by rows: a minute on two cores
_FEW_LABELS = 50  # with fewer labelled rows, kept labels are not scored
_SCORES = {
    "label_kept": (
        "Label kept",
        "as of real rows, {label_kept_real}",
        "Share of generated rows whose nearest real rows, not counting the source, have its label.",
    ),
    "cosine_generated": (
        "Cosine similarity",
        "high, below 1",
        """Similarity of source and generated row in the embedding, after subtracting the mean embedding. To
        compare: mixing with another row {cosine_mixup}, swapping a fifth of the features
        {cosine_feature_swap}.""",
    ),
    "source_distance": (
        "Distance to the source",
        "about 1",
        "Distance in units of the distance to the nearest other row; copies have 0.",
    ),
    "ks_mean": (
        "Distribution of features",
        "0",
        """Kolmogorov-Smirnov distance of real and generated values, mean over features as the networks see
        them; the largest is {ks_max}.""",
    ),
    "real_or_generated": (
        "Told from real rows",
        "0.5",
        "Accuracy of a classifier (gradient boosting) that tells generated rows from real ones.",
    ),
    "memorised": (
        "Memorised",
        "0, of new samples",
        """Share of generated rows nearer to a training row than any row that was held out in training. High
        for positives, which stay near their source; low for rows that stand for new samples.""",
    ),
}
_LABEL_MARGIN = 0.03  # a share of labels kept that is this close to that of real rows is called as large
_HARD, _EASY = 0.6, 0.8  # accuracy of telling generated rows from real ones
_NEAR = 0.5  # share of memorised rows that is called high
_CAPTIONS = {
    "violin": "Real values on the left of each violin, generated values on the right.",
    "kmers": "Frequencies of words in real and in generated sequences.",
    "logo": "Information at the positions of real and of generated sequences.",
    "grid": "First row: originals; below each of them rows generated from it.",
}


def generated_section(run: RunData, model: ModelDescription) -> Section:
    """Score and draw rows that the diffusion model generates, or say that there is none."""
    title = "Generated rows"
    if not model.can_generate:
        lead = "This model was fitted without a generator, so there are no generated rows to show."
        return Section(key="generated", title=title, lead=lead)
    fitted = np.flatnonzero(run.fitted)
    rows = fitted[sample_rows(len(fitted), _affordable_rows(run), seed=run.seed)]
    scores = _scores(run, rows)
    drawing = drawings(model.input_state, counts_words=model.source.get("kmers") is not None)[0]
    pictures = (
        drawn(
            f"generated-{drawing}",
            _drawing(run, rows, "auto"),
            alt=f"{drawing.capitalize()} of real and generated rows.",
            caption=_CAPTIONS[drawing],
        ),
        drawn(
            "generated-similarity",
            _drawing(run, rows, "similarity"),
            alt="Cosine similarity of rows and their views in the embedding.",
            caption="Similarity of a view to its source in the embedding: generated and hand-made views.",
        ),
    )
    return Section(
        key="generated",
        title=title,
        lead=(
            f"One row generated from each of {len(rows):,} training rows. The encoder learns from such "
            "pairs: a good one looks like another measurement of the same sample, neither copy nor noise."
        ),
        blocks=(
            Text(text=verdict(scores)),
            _table(scores),
            *(Pictures(pictures=(picture,)) for picture in pictures),
        ),
    )


def _affordable_rows(run: RunData) -> int:
    """Choose the number of rows to generate from: fewer for many steps of a large network."""
    settings = run.model.config_.generator
    affordable = _MOST_CALLS[settings.backbone] // settings.n_sampling_steps
    return max(_LEAST_ROWS, min(_MOST_ROWS, affordable))


def verdict(scores: Mapping[str, float]) -> str:
    """Say in a sentence how good generated rows are."""
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
            "stay near their source, as positives should, and are no new samples"
            if near >= _NEAR
            else "are mostly no copies of training rows"
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
        caption="Quality of generated rows, in the space of the diffusion model",
        header=("Score", "Value", "Ideal", "Meaning"),
        rows=tuple(
            (
                Cell(text=title),
                Cell(text=words[name]),
                Cell(text=ideal.format(**words)),
                Cell(text=" ".join(meaning.split()).format(**words)),
            )
            for name, (title, ideal, meaning) in _SCORES.items()
            if name in scores
        ),
        numeric=(1,),
        notes=(
            "To score all rows, run: diffaug-bio evaluate RUN",
            "Rows of a sample lie further apart, so that more count as memorised here.",
        ),
    )


def _drawing(
    run: RunData, rows: NDArray[np.int64], kind: Literal["auto", "similarity"]
) -> Callable[[], Figure]:
    """Make the function that draws generated rows beside real ones."""

    def draw() -> Figure:
        from diffaug_bio import pl

        axes = pl.augmentation(
            run.adata[rows], run.model, kind=kind, random_state=run.seed, show=False, save=False
        )
        first = axes[0] if isinstance(axes, list) else axes
        return cast("Figure", cast("Axes", first).figure)

    return draw
