"""Sample of the rows of a run folder, for its report."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from diffaug_bio._checks import check_held
from diffaug_bio._keys import BATCH_ENTRY, OBSM_KEY, SPLIT_KEY
from diffaug_bio.choose.matrix import choose_matrix
from diffaug_bio.config.kinds import decided
from diffaug_bio.errors import InputError
from diffaug_bio.model.source import MatrixChoice
from diffaug_bio.output.json_files import METRICS, RUN, read_json
from diffaug_bio.report._rows import read_sample
from diffaug_bio.report.page import Neighbors, lay_out, nearest

if TYPE_CHECKING:
    from pathlib import Path

    from anndata import AnnData
    from numpy.typing import NDArray

    from diffaug_bio.matrix.blocks import Matrix
    from diffaug_bio.model.estimator import DiffAug

MOST_ROWS = 3000  # in pictures and tables: the page stays small, and the layout takes seconds
_BATCH = "batch"
_ROWS_PER_CLASS = 5
_NEEDED_OF_RUN = (
    *("command", "data.input_state", "seed", "seconds", "peak_memory_mb", "threads"),
    *("device", "precision", "platform", "versions", "diffaug_bio"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Method:
    """Embedding of the sampled rows, with its width, nearest neighbours among them, and layout."""

    title: str
    width: int
    points: NDArray[np.float32]
    """Layout in two dimensions, `(n_sampled, 2)`."""
    neighbors: Neighbors


@dataclass(frozen=True, slots=True, kw_only=True)
class RunData:
    """Sampled rows of a run, with its record (`run.json`), scores (`metrics.json`) and model on the CPU."""

    record: dict[str, Any]
    scores: dict[str, Any] | None
    model: DiffAug
    adata: AnnData
    """Sampled rows: training matrix, annotations and embedding."""
    rows: NDArray[np.int64]
    """Numbers of the sampled rows in the run, `(n_sampled,)`."""
    n_obs: int
    """Number of rows of the run, sampled or not."""
    fitted: NDArray[np.bool_]
    """Mask of the sampled rows that were fitted, `(n_sampled,)`: all without a split."""
    held_out: NDArray[np.bool_]
    """Mask of the sampled rows that were held out in training, `(n_sampled,)`."""
    label_key: str | None
    batch_key: str | None
    methods: tuple[Method, ...]
    """DiffAug, and PCA."""

    @property
    def is_sample(self) -> bool:
        """True if the run has more rows than the sample."""
        return len(self.rows) < self.n_obs

    @property
    def seed(self) -> int:
        """Seed of the run and of all random choices of its report."""
        return int(self.record["seed"])

    @property
    def number_key(self) -> str | None:
        """Column with labels that were scored as one number; None if they were classes."""
        scores = self.scores or {}
        return scores.get("label_key") if scores.get("label_kind") == "number" else None

    def labels(self, key: str | None) -> NDArray[np.object_] | None:
        """Return a column as text, with None for missing values; None without a key, or for a number."""
        if key is None or key == self.number_key:
            return None
        column = self.adata.obs[key]
        return np.array(
            [None if gone else str(one) for one, gone in zip(column, column.isna(), strict=True)]
        )

    def label_candidates(self) -> list[str]:
        """List columns of text with few different values, which may be labels."""
        from pandas.api.types import is_numeric_dtype

        found = []
        for key in self.adata.obs.columns.drop([SPLIT_KEY, _BATCH], errors="ignore"):
            column = self.adata.obs[key]
            if not is_numeric_dtype(column) and 2 <= column.nunique() <= len(column) / _ROWS_PER_CLASS:
                found.append(str(key))
        return found

    def matrix(self) -> tuple[Matrix, list[str] | None]:
        """Return the sampled rows of the training matrix, and the names of its columns."""
        return choose_matrix(self.adata, MatrixChoice.from_dict(self.model.source_), model=self.model)


def read_run(folder: Path, *, label_key: str | None, batch_key: str | None) -> RunData:
    """Read a run folder, and lay out a sample of its rows; raise InputError if it is not that of a fit."""
    import pandas as pd
    from natsort import natsorted

    from diffaug_bio.model.estimator import DiffAug

    record = read_json(folder / RUN, needed=_NEEDED_OF_RUN)
    if record is None or record["command"] != "fit" or not (folder / "embedded.h5ad").is_file():
        msg = (
            f"{folder} is not the folder of a fit: a report needs the run.json, embedded.h5ad and model/ "
            "that `diffaug-bio fit` writes, or the benchmark.json and results.csv of `benchmark`."
        )
        raise InputError(msg)
    model = DiffAug.load(folder, device="cpu")
    scores = read_json(folder / METRICS)
    seed = int(record["seed"])
    sample = read_sample(folder / "embedded.h5ad", model, most=MOST_ROWS, seed=seed)
    found = RunData(
        record=record,
        scores=scores,
        model=model,
        adata=sample.adata,
        rows=sample.rows,
        n_obs=len(sample.fitted),
        fitted=sample.fitted[sample.rows],
        held_out=_held_out(model, sample.fitted)[sample.rows],
        label_key=_column(
            sample.adata, label_key or record["data"].get("label_key"), what="label", scores=scores
        ),
        batch_key=_column(sample.adata, batch_key or _usual_batches(sample.adata, record), what="batch"),
        methods=(),
    )
    if found.batch_key == found.label_key:
        found = replace(found, batch_key=None)
    for key in (found.label_key, found.batch_key):
        if (names := found.labels(key)) is not None and key is not None:
            known = natsorted({name for name in names if name is not None})
            # Numbers that are classes would be drawn on a scale.
            found.adata.obs[key] = pd.Categorical(pd.Series(names, dtype=object), categories=known)
    if (number := found.number_key) is not None and number == found.label_key:
        found.adata.obs[number] = pd.to_numeric(found.adata.obs[number].astype(object))
    return replace(found, methods=_methods(found))


def _usual_batches(adata: AnnData, record: dict[str, Any]) -> str | None:
    """Name the column of the batches that the fit corrected, or a column named "batch"."""
    names = (record["data"].get(BATCH_ENTRY), _BATCH)
    return next((name for name in names if name in adata.obs), None)


def _methods(run: RunData) -> tuple[Method, ...]:
    """Lay out the embedding, and as many principal components of the same rows."""
    embedding = np.asarray(run.adata.obsm[OBSM_KEY], np.float32)
    matrix, _ = run.matrix()
    fitted = matrix if run.fitted.all() else matrix[np.flatnonzero(run.fitted)]
    width = decided(run.model.config_.encoder.n_latent)
    components = run.model.features_.baseline(fitted, matrix, width=width, seed=run.seed)
    methods = []
    for title, rows in (("DiffAug", embedding), ("PCA", np.asarray(components, np.float32))):
        neighbors = nearest(rows)
        points = lay_out(rows, neighbors, seed=run.seed)
        methods.append(Method(title=title, width=rows.shape[1], points=points, neighbors=neighbors))
    return tuple(methods)


def _column(
    adata: AnnData, key: str | None, *, what: str, scores: dict[str, Any] | None = None
) -> str | None:
    """Check that a column exists, and that labels, unless scored as a number, differ less than rows."""
    if key is None:
        return None
    check_held(key, adata.obs, what=f"{what} column", where="`.obs`")
    is_number = scores is not None and scores["label_kind"] == "number" and scores["label_key"] == key
    if what == "label" and not is_number and adata.n_obs > 1 and adata.obs[key].nunique() == adata.n_obs:
        msg = (
            f"The column {key!r} has a different value in each of {adata.n_obs:,} rows. Choose a column of "
            "classes as labels."
        )
        raise InputError(msg)
    return key


def _held_out(model: DiffAug, fitted: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Find the fitted rows of a run that were held out in training."""
    from diffaug_bio.core.batches import split_rows

    numbers = np.flatnonzero(fitted)
    fraction = model.config_.train.validation_fraction
    held_out = np.zeros(len(fitted), bool)
    held_out[numbers[split_rows(len(numbers), fraction, seed=model.random_state)[1].numpy()]] = True
    return held_out
