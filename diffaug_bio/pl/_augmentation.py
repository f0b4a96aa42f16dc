"""`pl.augmentation`: generated rows beside the rows that they were generated from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, get_args

import numpy as np

from diffaug_bio._checks import check_anndata, check_count, check_seed
from diffaug_bio.choose.matrix import choose_matrix, later_choice
from diffaug_bio.config.kinds import STATES, drawings
from diffaug_bio.errors import InputError
from diffaug_bio.matrix.sample import sample_rows
from diffaug_bio.model.source import MatrixChoice
from diffaug_bio.pl._generated import generate
from diffaug_bio.pl._grid import draw_grid
from diffaug_bio.pl._logo import draw_logos
from diffaug_bio.pl._output import finish
from diffaug_bio.pl._similarity import draw_similarities
from diffaug_bio.pl._style import new_figure
from diffaug_bio.pl._views import view_similarities
from diffaug_bio.pl._violins import draw_violins
from diffaug_bio.pl._words import draw_words

if TYPE_CHECKING:
    from collections.abc import Sequence
    from os import PathLike

    from anndata import AnnData
    from matplotlib.axes import Axes

    from diffaug_bio.model.estimator import DiffAug
    from diffaug_bio.pl._output import Save

AugmentationKind = Literal["auto", "violin", "grid", "logo", "kmers", "similarity"]

_N_SHOWN = {"violin": 8, "kmers": 20, "grid": 8, "logo": 100, "similarity": 1}


def augmentation(
    adata: AnnData,
    model: DiffAug | str | PathLike[str],
    *,
    kind: AugmentationKind = "auto",
    var_names: Sequence[str] | None = None,
    n_shown: int | None = None,
    n_obs: int = 1000,
    n_views: int = 3,
    strength: float | None = None,
    guidance: float | None = None,
    random_state: int = 0,
    title: str | None = None,
    show: bool | None = None,
    save: Save = None,
) -> Axes | list[Axes] | None:
    """Draw generated rows beside the originals, as figures 3 and 5 of arXiv:2309.07909 do.

    Parameters
    ----------
    adata
        Annotated data with the features that the model was fitted on; not changed.
    model
        A fitted model with a generator, or its folder.
    kind
        - `"violin"`: distributions of features; counts and library-size normalised values as `log1p`;
        - `"grid"`: original images above generated ones;
        - `"logo"`: sequence logos of original and generated sequences;
        - `"kmers"`: mean frequencies of k-mers;
        - `"similarity"`: histograms of the cosine similarity, in latent space centred on its mean, of each
          row to views of it: a generated row, mixup with another row, a fifth of the features taken from
          another row, and of images crops, of sequences mutations of a fifth.

        `"auto"` takes the first that suits the data.
    var_names
        Features of the violins, or k-mers. By default those with the widest range (5th to 95th percentile,
        without a look at labels), or the most frequent k-mers.
    n_shown
        Largest number of features (by default 8), k-mers (20), images (8) or positions (100). Of longer
        sequences, the stretch with most information is shown.
    n_obs
        Largest number of rows to generate from, drawn at random.
    n_views
        Images generated from each image.
    strength, guidance
        See :func:`diffaug_bio.tl.augment`. Not for `"similarity"`, which shows the training's views.
    random_state
        Seed of the sample and of the generated rows.
    title
        Title of the figure.
    show, save
        Show and save the figure, as in :func:`diffaug_bio.pl.embedding`.

    Returns
    -------
    The axes: a list for violins (one a feature) and logos (original, generated), else a single one; None if
    the figure was shown.

    Raises
    ------
    CheckpointError
        If the model folder cannot be used.
    InputError
        If the model has no generator, or the data or `kind` do not suit it.

    Examples
    --------
    >>> model = diffaug_bio.tl.fit(adata)  # doctest: +SKIP
    >>> diffaug_bio.pl.augmentation(adata, model)  # doctest: +SKIP
    """
    from diffaug_bio.model.codes import check_generator
    from diffaug_bio.model.given import model_of

    check_anndata(adata)
    check_seed(random_state)
    for name, count in (("n_obs", n_obs), ("n_views", n_views)):
        check_count(name, count)
    if n_shown is not None:
        check_count("n_shown", n_shown)
    model = model_of(model)
    check_generator(exists=model.has_generator)
    chosen = _kind_of(adata, model, kind)
    most = _N_SHOWN[chosen] if n_shown is None else n_shown
    _check_var_names(chosen, var_names)
    if chosen == "similarity" and (strength is not None or guidance is not None):
        msg = "kind='similarity' shows the views of the training: leave `strength` and `guidance` out."
        raise InputError(msg)
    sample = adata[sample_rows(adata.n_obs, most if chosen == "grid" else n_obs, seed=random_state)]
    with new_figure() as figure:
        if chosen == "similarity":
            matrix, names = choose_matrix(sample, later_choice(sample, MatrixChoice(), model), model=model)
            matrix = matrix[np.arange(matrix.shape[0])]  # reads images that are on the disk
            similar = view_similarities(model, matrix, feature_names=names, seed=random_state)
            axes = draw_similarities(figure, similar)
        else:
            pair = generate(
                sample,
                model,
                n_views=n_views if chosen == "grid" else 1,
                strength=strength,
                guidance=guidance,
                seed=random_state,
            )
            if chosen == "grid":
                axes = draw_grid(figure, pair)
            elif chosen == "logo":
                axes = draw_logos(figure, pair, most=most)
            elif chosen == "kmers":
                axes = draw_words(figure, pair, var_names=var_names, most=most)
            else:
                axes = draw_violins(figure, pair, var_names=var_names, most=most)
        if title is not None:
            figure.suptitle(title, parse_math=True)
        shown = finish(axes, name=f"augmentation_{chosen}", show=show, save=save, owned=True)
    if shown is None:
        return None
    return shown[0] if len(shown) == 1 and chosen != "violin" else shown


def _kind_of(adata: AnnData, model: DiffAug, kind: str) -> str:
    """Choose a kind of figure that suits the model, and refuse one that does not."""
    if kind not in get_args(AugmentationKind):
        msg = f"`kind` is {kind!r}; choose one of {', '.join(get_args(AugmentationKind))}."
        raise InputError(msg)
    choice = later_choice(adata, MatrixChoice(), model)
    state = model.features_.state
    suited = drawings(state, counts_words=choice.kmers is not None)
    if kind in {"auto", "similarity"}:
        return suited[0] if kind == "auto" else kind
    if kind not in suited:
        msg = (
            f"kind={kind!r} does not suit a model fitted on {STATES[state].noun}. Choose "
            f"{' or '.join(map(repr, (*suited, 'similarity')))}, or leave `kind` out."
        )
        raise InputError(msg)
    return kind


def _check_var_names(kind: str, var_names: Sequence[str] | None) -> None:
    if var_names is None:
        return
    if kind not in {"violin", "kmers"} or isinstance(var_names, str) or len(var_names) == 0:
        msg = (
            f"`var_names` must be a list of features for kind='violin' or of k-mers for kind='kmers', got "
            f"{var_names!r} for {kind!r}. Give such a list, or leave it out."
        )
        raise InputError(msg)
