"""`tl.evaluate`: score embeddings that are there, and the rows that a model generates."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse

from diffaug_bio import metrics
from diffaug_bio._checks import check_seed
from diffaug_bio._keys import OBSM_KEY, SPLIT_ENTRY, TEST
from diffaug_bio._wording import shorten
from diffaug_bio.choose.batches import batches_of
from diffaug_bio.choose.labels import choose_labels
from diffaug_bio.choose.matrix import MatrixChoice, choose_matrix, later_choice
from diffaug_bio.choose.split import choose_split, rows_to_fit
from diffaug_bio.errors import InputError
from diffaug_bio.features import FittedImages
from diffaug_bio.matrix.sample import sample_rows
from diffaug_bio.matrix.validation import LazyMatrix

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import pandas as pd
    from anndata import AnnData
    from numpy.typing import NDArray

    from diffaug_bio.matrix.blocks import Matrix
    from diffaug_bio.model.estimator import DiffAug

_MAX_LAZY_ROWS = 2000  # images on the disk that are scored


def evaluate(
    adata: AnnData,
    label_key: str,
    *,
    use_rep: str | Sequence[str] = OBSM_KEY,
    group_key: str | None = None,
    split_key: str | None = None,
    batch_key: str | Sequence[str] | None = None,
    before_rep: str | None = None,
    random_state: int = 0,
) -> pd.DataFrame:
    """Score frozen embeddings against labels that were not used to make them.

    Parameters
    ----------
    adata
        Rows are observations; not changed.
    label_key
        Column of `.obs` with classes. Rows without a label, and of classes with fewer than five rows (with
        a split: two training rows and a test row), are left out and counted in the log.
    use_rep
        One or more names in `.obsm`.
    group_key
        Column of `.obs` with what rows belong to (a subject, a donor): rows of a group never stand on
        both sides of a split. `id:_` takes what stands before the last `_` in the observations' names.
    split_key
        Column of `.obs` with "train" and "test", the split that the data come with: probes are trained on
        the labels of the training rows, and all is scored on the test rows. Rows with another value take
        no part. Not together with `group_key`.
    batch_key
        Column of `.obs` with batches that ought to be mixed, or several, of which each combination is a
        batch (a sequence, or with commas): adds the scores of integration.
    before_rep
        Name in `.obsm` of the same rows before batches were brought together, such as "X_pca": adds
        `pcr_comparison` to these.
    random_state
        Seed of folds and clusters.

    Returns
    -------
    A row for each embedding, a column for each score; :func:`diffaug_bio.metrics.evaluate` and, with
    batches, :func:`diffaug_bio.metrics.integration` explain them.

    Raises
    ------
    InputError
        If a key is missing, labels, groups, split or batches cannot be used, there are groups and a split,
        or `before_rep` is given without batches.

    Examples
    --------
    >>> import diffaug_bio as db, scanpy as sc
    >>> adata = sc.datasets.pbmc68k_reduced()
    >>> table = db.tl.evaluate(adata, "bulk_labels", use_rep="X_pca")
    >>> bool(table.loc["X_pca", "linear_probe"] > 0.7)
    True
    """
    import pandas as pd

    check_seed(random_state)
    if before_rep is not None and batch_key is None:
        msg = (
            f"`before_rep` {before_rep!r} serves scores of batches. Name the column of batches "
            "(`batch_key`), or leave it out."
        )
        raise InputError(msg)
    names = [use_rep] if isinstance(use_rep, str) else list(use_rep)
    for name in [*names, *([] if before_rep is None else [before_rep])]:
        if name not in adata.obsm:
            msg = (
                f"There is no {name!r} in `.obsm`; it holds {shorten(adata.obsm) or 'nothing'}. "
                "`diffaug_bio.tl.embed` makes 'X_diffaug'."
            )
            raise InputError(msg)
    labels = choose_labels(adata, label_key, group_key, split_key=split_key)
    batches = None if batch_key is None else batches_of(adata, batch_key)
    before = None if before_rep is None else _rows_of(adata, before_rep)
    tested = np.flatnonzero(labels.scored)
    if labels.splits is not None:
        tested = tested[np.unique(np.concatenate([test for _, test in labels.splits]))]
    rows = {}
    for name in names:
        embedding = _rows_of(adata, name)
        rows[name] = metrics.evaluate(
            embedding[labels.scored],
            labels.names[labels.scored],
            groups=None if labels.groups is None else labels.groups[labels.scored],
            splits=labels.splits,
            random_state=random_state,
        )
        if batches is not None:
            rows[name] |= metrics.integration(
                embedding[tested],
                batches[tested],
                labels.names[tested],
                before=None if before is None else before[tested],
                random_state=random_state,
            )
    return pd.DataFrame.from_dict(rows, orient="index")


def _rows_of(adata: AnnData, name: str) -> NDArray[np.float32]:
    """Take an entry of `.obsm` as an array, whose values are all there."""
    matrix, _ = choose_matrix(adata, MatrixChoice(use_rep=name))
    rows = np.asarray(matrix.toarray() if sparse.issparse(matrix) else matrix, np.float32)
    if not np.isfinite(rows).all():
        msg = f"`.obsm[{name!r}]` holds missing or infinite values, which cannot be scored."
        raise InputError(msg)
    return rows


def evaluate_generated(
    adata: AnnData,
    model: DiffAug,
    *,
    label_key: str | None = None,
    choice: MatrixChoice | None = None,
    random_state: int = 0,
) -> dict[str, float]:
    """Generate a row from each row that the model was fitted on, and score what comes out.

    Parameters
    ----------
    adata
        The data that the model was fitted on, in the same order: rows that were held out while training
        are told from the others by it. Of data with a split, the rows that are no test rows are taken, by
        the column that the model was fitted with. Not changed.
    model
        Fitted with a generator.
    label_key
        Column of `.obs`, to see whether generated rows keep the label of their source.
    choice
        Which matrix; the one that the model was fitted on if left out.
    random_state
        Seed of the noise and of what is sampled.

    Returns
    -------
    The scores of :func:`diffaug_bio.metrics.generated_quality`, in the space that the networks see.

    Raises
    ------
    InputError
        If the model has no generator, its split is not there, or labels cannot be scored.
    """
    choice = later_choice(adata, choice or MatrixChoice(), model)
    split_key = model.source_.get(SPLIT_ENTRY)
    split = choose_split(adata, split_key)
    matrix, names = choose_matrix(rows_to_fit(adata, split), choice, model=model)
    labels = None if label_key is None else choose_labels(adata, label_key, None, split_key=split_key)
    fitted = slice(None) if split is None else split != TEST
    return score_generated(
        model,
        matrix,
        labels=None if labels is None else labels.names[fitted],
        scored=None if labels is None else labels.scored[fitted],
        feature_names=names,
        seed=random_state,
    )


def score_generated(
    model: DiffAug,
    matrix: Matrix,
    *,
    labels: NDArray[np.str_] | None,
    scored: NDArray[np.bool_] | None,
    feature_names: Sequence[str] | None = None,
    held_out: NDArray[np.int64] | None = None,
    seed: int,
) -> dict[str, float]:
    """Do what :func:`evaluate_generated` does, on the matrix that the model was fitted on.

    Parameters
    ----------
    model
        Fitted with a generator.
    matrix
        The training matrix. Shape: `(n_obs, n_vars)`.
    labels, scored
        Labels, and the rows to score by them; all rows where left out. Shape: `(n_obs,)`.
    feature_names
        Names of the columns.
    held_out
        Row numbers that the training held out, where these are not all rows that it was given.
    seed
        Seed of the noise and of what is sampled.
    """
    from diffaug_bio.core.batches import split_rows

    n_rows = matrix.shape[0]
    fraction = model.config_.train.validation_fraction
    if held_out is None:
        held_out = split_rows(n_rows, fraction, seed=model.random_state)[1].numpy()
    kept = np.arange(n_rows) if scored is None else np.flatnonzero(scored)
    if isinstance(matrix, LazyMatrix):  # or all would be read into memory
        kept = kept[sample_rows(len(kept), _MAX_LAZY_ROWS, seed=seed)]
        labels = None if labels is None else labels[kept]
        held_out = np.flatnonzero(np.isin(kept, held_out))
        matrix, kept = matrix[kept], np.arange(len(kept))
    rows, generated = model.generate_rows(matrix, random_state=seed, feature_names=feature_names)
    sources = matrix[kept] if model.features_.state in {"sequence", "image"} else None

    scale = scale_of(model)
    return metrics.generated_quality(
        rows[kept] * scale,
        generated[kept] * scale,
        embed=latents_of(model, sources, scale=scale, seed=seed),
        held_out=np.flatnonzero(np.isin(kept, held_out)),
        labels=None if labels is None else labels[kept],
        random_state=seed,
    )


def scale_of(model: DiffAug) -> NDArray[np.float32]:
    """Factors of codes with which their distances are those of what they stand for."""
    if isinstance(model.features_, FittedImages) and model.config_.generator.backbone == "mlp":
        return model.features_.spread  # distances of images are those of pixels
    return np.ones(1, np.float32)


def latents_of(
    model: DiffAug, sources: Matrix | None, *, scale: NDArray[np.float32], seed: int
) -> Callable[[NDArray[np.float32]], NDArray[np.float32]]:
    """Make the function that embeds codes of rows, changed or not.

    Parameters
    ----------
    model
        Fitted with a generator.
    sources
        The rows, of letters and pixels. Shape: `(n_obs, n_vars)`.
    scale
        By which codes were multiplied.
    seed
        Seed of the letters.
    """

    def embed(codes: NDArray[np.float32]) -> NDArray[np.float32]:
        # A code becomes letters or pixels by changes to its source: of its own code, the source itself.
        return model.encode_rows(model.decode_rows(codes / scale, sources, random_state=seed))

    return embed
