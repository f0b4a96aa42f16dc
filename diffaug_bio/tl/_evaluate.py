"""`tl.evaluate`: score embeddings that are there, and the rows that a model generates."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse

from diffaug_bio import metrics
from diffaug_bio._checks import check_anndata, check_held, check_seed
from diffaug_bio._keys import CHANCE, OBSM_KEY, SPLIT_ENTRY, TEST
from diffaug_bio.choose.batches import batches_of
from diffaug_bio.choose.labels import choose_labels
from diffaug_bio.choose.matrix import choose_matrix, later_choice
from diffaug_bio.choose.split import choose_split, rows_to_fit
from diffaug_bio.errors import InputError
from diffaug_bio.model.source import MatrixChoice

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd
    from anndata import AnnData
    from numpy.typing import NDArray

    from diffaug_bio.config import LabelKind
    from diffaug_bio.model.estimator import DiffAug

logger = logging.getLogger(__name__)


def evaluate(
    adata: AnnData,
    label_key: str,
    *,
    use_rep: str | Sequence[str] = OBSM_KEY,
    group_key: str | None = None,
    split_key: str | None = None,
    batch_key: str | Sequence[str] | None = None,
    before_rep: str | None = None,
    label_kind: LabelKind = "auto",
    random_state: int = 0,
) -> pd.DataFrame:
    """Score frozen embeddings against labels that were not used to make them.

    Parameters
    ----------
    adata
        Rows are observations; not changed.
    label_key
        Column of `.obs` with classes, or with a number such as age. Rows without a label, and of classes
        with fewer than five rows (with a split: two training rows and a test row), are left out and counted
        in the log.
    use_rep
        One or more names in `.obsm`.
    group_key
        Column of `.obs` with groups (subjects, donors): rows of a group are never on both sides of a split.
        `id:_` groups observations by the part of their name before the last `_`.
    split_key
        Column of `.obs` with "train" and "test": classifiers are trained on the training rows, and all
        scores are those of the test rows; rows with another value take no part. Not with `group_key`.
    batch_key
        Column of `.obs` with batches that should mix, or several columns (a sequence, or with commas), of
        which each combination is a batch: adds the scores of integration.
    before_rep
        Name in `.obsm` of the same rows before batches were brought together, such as "X_pca": adds
        `pcr_comparison` to these.
    label_kind
        What labels are scored as: `"classes"`, or one `"number"` by R2. `"auto"` takes numbers of many
        different values as one number, and says so in the log.
    random_state
        Seed of folds and clusters.

    Returns
    -------
    A row for each embedding, a column for each score; :func:`diffaug_bio.metrics.evaluate` and, with
    batches, :func:`diffaug_bio.metrics.integration` explain them. The last row, `chance`, has what a guess
    scores that knows no row (:func:`diffaug_bio.metrics.chance`), nan where that has no meaning.

    Raises
    ------
    InputError
        If a key is missing, labels, groups, split or batches cannot be used, there are groups and a split,
        `before_rep` is given without batches, or batches are given and labels are a number.

    Examples
    --------
    >>> import diffaug_bio as db, scanpy as sc
    >>> adata = sc.datasets.pbmc68k_reduced()
    >>> table = db.tl.evaluate(adata, "bulk_labels", use_rep="X_pca")
    >>> bool(table.loc["X_pca", "linear_probe"] > 0.7)
    True
    """
    import pandas as pd

    check_anndata(adata)
    check_seed(random_state)
    if before_rep is not None and batch_key is None:
        msg = (
            f"`before_rep` {before_rep!r} serves scores of batches. Name the column of batches "
            "(`batch_key`), or leave it out."
        )
        raise InputError(msg)
    names = [use_rep] if isinstance(use_rep, str) else list(use_rep)
    for name in [*names, *([] if before_rep is None else [before_rep])]:
        remedy = f"`diffaug_bio.tl.embed` makes {OBSM_KEY!r}."
        check_held(name, adata.obsm, what="embedding", where="`.obsm`", remedy=remedy)
    labels = choose_labels(adata, label_key, group_key, split_key=split_key, label_kind=label_kind)
    if batch_key is not None and labels.kind == "number":
        msg = (
            f"Scores of batches compare them within classes, and {label_key!r} is a number. Name a column "
            "of classes, leave the batches out (`batch_key`, `--batch-key`), or set `label_kind` "
            "(`--label-kind`) to classes."
        )
        raise InputError(msg)
    batches = None if batch_key is None else batches_of(adata, batch_key)
    before = None if before_rep is None else _rows_of(adata, before_rep)
    tested = np.flatnonzero(labels.scored)
    if labels.splits is not None:
        tested = tested[np.unique(np.concatenate([test for _, test in labels.splits]))]
    groups = None if labels.groups is None else labels.groups[labels.scored]
    rows = {}
    for name in names:
        embedding = _rows_of(adata, name)
        rows[name] = metrics.evaluate(
            embedding[labels.scored],
            labels.values[labels.scored],
            groups=groups,
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
    guess = metrics.chance(
        labels.values[labels.scored], groups=groups, splits=labels.splits, random_state=random_state
    )
    table = pd.DataFrame.from_dict(rows, orient="index")
    return pd.concat([table, pd.DataFrame(guess, index=[CHANCE])])


def _rows_of(adata: AnnData, name: str) -> NDArray[np.float32]:
    """Take an entry of `.obsm` as a dense array, and refuse missing values."""
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
    layer: str | None = None,
    use_rep: str | None = None,
    use_raw: bool = False,
    var_key: str | None = None,
    label_kind: LabelKind = "auto",
    random_state: int = 0,
) -> dict[str, float]:
    """Generate a row from each row that the model was fitted on, and score the generated rows.

    Parameters
    ----------
    adata
        The data that the model was fitted on, in the same order, so that held-out rows are known; not
        changed. With a split, test rows are left out, by the column that the model was fitted with.
    model
        Fitted with a generator.
    label_key
        Column of `.obs`, to see whether generated rows keep the class of their source; a number is not
        compared.
    layer, use_rep, use_raw, var_key
        The matrix and the names of its features, as in :func:`diffaug_bio.tl.project`; by default those
        that the model was fitted on.
    label_kind
        What labels are, as in :func:`evaluate`.
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
    from diffaug_bio.model.quality import score_generated

    check_anndata(adata)
    check_seed(random_state)
    asked = MatrixChoice(layer=layer, use_rep=use_rep, use_raw=use_raw, var_key=var_key)
    choice = later_choice(adata, asked, model)
    split_key = model.source_.get(SPLIT_ENTRY)
    split = choose_split(adata, split_key)
    matrix, names = choose_matrix(rows_to_fit(adata, split), choice, model=model)
    labels = None
    if label_key is not None:
        labels = choose_labels(adata, label_key, None, split_key=split_key, label_kind=label_kind)
    if labels is not None and labels.kind == "number":
        logger.info("Generated rows are not compared with %r, which is a number.", label_key)
        labels = None
    fitted = slice(None) if split is None else split != TEST
    return score_generated(
        model,
        matrix,
        labels=None if labels is None else labels.names[fitted],
        scored=None if labels is None else labels.scored[fitted],
        feature_names=names,
        seed=random_state,
    )
