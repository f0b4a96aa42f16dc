"""`tl.transfer_labels`: labels of a reference for new observations in the same embedding."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, get_args

import numpy as np

from diffaug_bio._checks import check_anndata, check_count, check_held
from diffaug_bio._keys import OBSM_KEY, UNASSIGNED, confidence_key, transferred_key
from diffaug_bio.choose.results import origin_of, same_model
from diffaug_bio.errors import InputError
from diffaug_bio.mapping import neighbor_vote
from diffaug_bio.mapping.vote import VoteMetric

if TYPE_CHECKING:
    from anndata import AnnData
    from numpy.typing import NDArray

logger = logging.getLogger(__name__)

_GREY = "#bdbdbd"


def transfer_labels(
    query: AnnData,
    reference: AnnData,
    label_key: str,
    *,
    use_rep: str = OBSM_KEY,
    n_neighbors: int = 15,
    metric: VoteMetric = "cosine",
    min_confidence: float = 0.5,
    key_added: str | None = None,
    copy: bool = False,
) -> AnnData | None:
    """Label observations by their nearest labelled neighbours in an embedding.

    Neighbours vote, weighted by distance; see :func:`diffaug_bio.mapping.neighbor_vote`. The confidence is
    the winning label's share of the votes: how much the neighbours agree, not how near they are. A type
    that the reference lacks gets the label of the nearest type, often with high confidence.

    Parameters
    ----------
    query
        Observations to label, with an embedding. Nothing but the fields below is changed.
    reference
        Labelled observations in the same embedding: those that a model was fitted on, where `query` was
        embedded with it by :func:`diffaug_bio.tl.project`. Not changed.
    label_key
        Column of `reference.obs`. Rows without a label are left out; their number is logged.
    use_rep
        Name of the embedding in both `.obsm`.
    n_neighbors
        Number of neighbours that vote.
    metric
        "cosine", which ignores the length of embeddings, or "euclidean".
    min_confidence
        Observations with less confidence become "unassigned".
    key_added
        Column of `query.obs`; by default `label_key` with `"_transferred"`, so that present labels stay.
    copy
        If True, return a changed copy.

    Returns
    -------
    `None`, or the changed copy. Sets:

    `query.obs[key_added]` : categorical
        The categories of the reference, whose colours are copied to `.uns`, then "unassigned".
    `query.obs[key_added + "_confidence"]` : float32
        From 0 to 1.

    Raises
    ------
    InputError
        If the embedding or labels are missing, the embeddings are of different widths or models, or a
        setting is out of range.

    Examples
    --------
    >>> import diffaug_bio as db
    >>> model = db.tl.fit(atlas)  # doctest: +SKIP
    >>> db.tl.project(cells, model)  # doctest: +SKIP
    >>> db.tl.transfer_labels(cells, atlas, "cell_type")  # doctest: +SKIP
    >>> cells.obs["cell_type_transferred"].value_counts()  # doctest: +SKIP
    """
    import pandas as pd

    check_anndata(query)
    check_anndata(reference)
    _check_settings(n_neighbors, metric, min_confidence)
    categories, codes = _labels_of(reference, label_key)
    known = _embedding_of(reference, use_rep, whose="reference")
    unknown = _embedding_of(query, use_rep, whose="query")
    _check_same_embedding(query, reference, use_rep, known.shape[1], unknown.shape[1])
    if metric == "cosine" and known.shape[1] == 1:
        msg = f"`.obsm[{use_rep!r}]` has one column, which has no directions. Pass metric='euclidean'."
        raise InputError(msg)
    labelled = codes >= 0
    if n_left_out := int((~labelled).sum()):
        logger.info("%d of %d reference rows have no label and are left out.", n_left_out, len(codes))
    if (n_labelled := int(labelled.sum())) < n_neighbors:
        logger.warning("There are only %d labelled reference rows, all of which vote.", n_labelled)
    found, confidence = neighbor_vote(
        unknown,
        known[labelled],
        codes[labelled],
        n_labels=len(categories),
        n_neighbors=n_neighbors,
        metric=metric,
    )
    names = categories if UNASSIGNED in categories else [*categories, UNASSIGNED]
    found[confidence < min_confidence] = names.index(UNASSIGNED)
    query = query.copy() if copy else query
    key = transferred_key(label_key) if key_added is None else key_added
    query.obs[key] = pd.Categorical.from_codes(found, categories=pd.Index(names, dtype=object))
    query.obs[confidence_key(key)] = confidence
    _take_colors(query, reference, label_key, key, n_categories=len(categories))
    n_unassigned = int((found == names.index(UNASSIGNED)).sum())
    logger.info("%d of %d rows are unassigned.", n_unassigned, query.n_obs)
    return query if copy else None


def _labels_of(reference: AnnData, label_key: str) -> tuple[list[str], NDArray[np.int64]]:
    """List the labels, and give the number of each row's label, -1 for none.

    Labels are compared as text: the categories 1 and "1" are one.
    """
    import pandas as pd

    check_held(label_key, reference.obs, what="label column", where="`.obs` of the reference")
    column = reference.obs[label_key]
    if not isinstance(column.dtype, pd.CategoricalDtype):
        column = column.astype(object).map(str, na_action="ignore").astype("category")
    codes = np.asarray(column.cat.codes, dtype=np.int64)
    if not (codes >= 0).any():
        msg = f"No row of the reference has a label in `.obs[{label_key!r}]`. Name another column."
        raise InputError(msg)
    texts = [str(name) for name in column.cat.categories]
    names = list(dict.fromkeys(texts))
    number = {name: code for code, name in enumerate(names)}
    return names, np.array([*(number[text] for text in texts), -1])[codes]  # -1 is the last, too


def _embedding_of(adata: AnnData, use_rep: str, *, whose: str) -> NDArray[np.float32]:
    remedy = "`diffaug_bio.tl.project` embeds it with a fitted model."
    check_held(use_rep, adata.obsm, what="embedding", where=f"`.obsm` of the {whose}", remedy=remedy)
    embedding = np.asarray(adata.obsm[use_rep], dtype=np.float32)
    if not np.isfinite(embedding).all():
        msg = f"`.obsm[{use_rep!r}]` of the {whose} holds missing or infinite values. Leave these rows out."
        raise InputError(msg)
    return embedding


def _check_same_embedding(
    query: AnnData, reference: AnnData, use_rep: str, n_reference: int, n_query: int
) -> None:
    """Refuse two different embeddings, between which distances mean nothing."""
    remedy = "Embed both with one model (`diffaug_bio.tl.project`)."
    if n_query != n_reference:
        msg = (
            f"`.obsm[{use_rep!r}]` has {n_query} columns in the query and {n_reference} in the reference: "
            f"they are different embeddings. {remedy}"
        )
        raise InputError(msg)
    if (is_same := same_model(query, reference, use_rep)) is False:
        msg = f"`.obsm[{use_rep!r}]` of query and reference were made by different models. {remedy}"
        raise InputError(msg)
    if is_same is None and (origin_of(query, use_rep) or origin_of(reference, use_rep)):
        logger.warning(
            "It cannot be told whether one model embedded both: only one `.uns` names its model."
        )


def _check_settings(n_neighbors: int, metric: str, min_confidence: float) -> None:
    check_count("n_neighbors", n_neighbors)
    if metric not in get_args(VoteMetric):
        msg = f"`metric` has to be 'cosine' or 'euclidean', got {metric!r}."
        raise InputError(msg)
    if not 0 <= min_confidence <= 1:
        msg = f"`min_confidence` has to be a number from 0 to 1, got {min_confidence!r}."
        raise InputError(msg)


def _take_colors(
    query: AnnData, reference: AnnData, label_key: str, key: str, *, n_categories: int
) -> None:
    """Copy the colours of the reference's labels, with grey for unassigned rows."""
    colors = reference.uns.get(f"{label_key}_colors")
    query.uns.pop(f"{key}_colors", None)  # of what stood there before
    if colors is not None and len(colors) == n_categories:
        n_more = len(query.obs[key].cat.categories) - n_categories
        query.uns[f"{key}_colors"] = [*map(str, colors), *[_GREY] * n_more]
