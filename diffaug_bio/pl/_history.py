"""`pl.history`: losses of a fit by phase and round."""

from __future__ import annotations

from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from diffaug_bio._checks import check_anndata
from diffaug_bio._keys import uns_key
from diffaug_bio._wording import shorten
from diffaug_bio.errors import InputError
from diffaug_bio.pl._output import finish
from diffaug_bio.pl._style import MADE, REAL, new_figure

if TYPE_CHECKING:
    import pandas as pd
    from anndata import AnnData
    from matplotlib.axes import Axes

    from diffaug_bio.model.estimator import DiffAug
    from diffaug_bio.pl._output import Save

_NAMES = {"warm_up": "Warm-up", "decoder": "Decoder", "generator": "Generator", "encoder": "Encoder"}
_FEW_ROUNDS, _MOST_NUMBERS = 3, 8  # rounds named "round 1" up to 3, numbered above, at most 8 numbers
_COLUMNS = ("phase", "round", "epoch", "loss", "held_out_loss")


def history(
    adata_or_model: AnnData | DiffAug | str | PathLike[str],
    *,
    key: str = "diffaug",
    title: str | None = None,
    show: bool | None = None,
    save: Save = None,
) -> list[Axes] | None:
    """Draw the training and held-out losses of a fit, a panel for each phase.

    Rounds follow each other in a panel. A ring marks the lowest held-out loss of each round: the weights of
    that epoch are kept (of the last epoch for the encoder if it uses BYOL or batches).

    Parameters
    ----------
    adata_or_model
        Annotated data with results of :func:`diffaug_bio.tl.embed`, a fitted model, or its folder.
    key
        Name in `.uns` of the annotated data, with or without a leading `X_`.
    title
        Title of the figure.
    show, save
        See :func:`diffaug_bio.pl.embedding`.

    Returns
    -------
    The axes of the phases in order, or None if the figure was shown.

    Raises
    ------
    InputError
        If there are no losses, or the argument is none of these.

    Examples
    --------
    >>> diffaug_bio.pl.history(adata)  # doctest: +SKIP
    """
    losses = _losses(adata_or_model, key)
    phases = list(dict.fromkeys(losses["phase"]))
    with new_figure(1.6 + 2.45 * len(phases), 2.6) as figure:
        axes = list(figure.subplots(1, len(phases), squeeze=False)[0])
        for ax, phase in zip(axes, phases, strict=True):
            _draw_phase(ax, losses[losses["phase"] == phase])
            ax.set_title(_NAMES.get(phase, phase))
        axes[0].set_ylabel("Loss")
        handles, labels = axes[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside right center")
        if title is not None:
            figure.suptitle(title, parse_math=True)
        return finish(axes, name="history", show=show, save=save, owned=True)


def _losses(source: AnnData | DiffAug | str | PathLike[str], key: str) -> pd.DataFrame:
    """Find the losses of all epochs."""
    import pandas as pd

    from diffaug_bio.model.estimator import DiffAug
    from diffaug_bio.model.folder import columns_of

    if isinstance(source, str | PathLike):
        source = DiffAug.load(Path(source), device="cpu")
    if isinstance(source, DiffAug):
        if not hasattr(source, "history_"):
            msg = "This model is not fitted yet. Call `fit` first, or load one with `DiffAug.load`."
            raise InputError(msg)
        columns: Any = columns_of(source.history_)
    else:
        check_anndata(source)
        held = source.uns.get(uns_key(key))
        columns = held.get("history", {}) if hasattr(held, "get") else {}
        if not columns:
            msg = (
                f"There are no losses in `.uns[{uns_key(key)!r}]['history']`; `.uns` holds "
                f"{shorten(source.uns) or 'nothing'}. Run `diffaug_bio.tl.embed(adata)` first, or name the "
                "embedding as `key`."
            )
            raise InputError(msg)
    table = pd.DataFrame({name: columns[name] for name in _COLUMNS if name in columns})
    if table.empty or len(table.columns) < len(_COLUMNS):
        msg = f"The history needs the columns {shorten(_COLUMNS)} and one row or more. Fit again."
        raise InputError(msg)
    return table.astype({"loss": float, "held_out_loss": float})


def _draw_phase(ax: Axes, losses: pd.DataFrame) -> None:
    """Draw the rounds of a phase one after the other, separated by lines."""
    from matplotlib.ticker import MaxNLocator

    start, rounds = 0, losses.groupby("round", sort=True)
    step = -(-len(rounds) // _MOST_NUMBERS)
    for number, (_, part) in enumerate(rounds):
        epochs = start + part["epoch"].to_numpy(dtype=np.int64)
        first = number == 0
        if not first:
            ax.axvline(start + 0.5, linestyle=":", linewidth=0.8, color="0.6", zorder=0)
        marker = "o" if len(epochs) == 1 else None
        ax.plot(epochs, part["loss"], color=REAL, marker=marker, label="training" if first else None)
        held_out = part["held_out_loss"].to_numpy(dtype=float)
        if np.isfinite(held_out).any():
            ax.plot(
                epochs,
                held_out,
                color=MADE,
                marker=marker,
                linestyle="--",
                label="held out" if first else None,
            )
            best = int(np.nanargmin(held_out))
            ax.plot(
                epochs[best],
                held_out[best],
                linestyle="none",
                marker="o",
                markersize=6,
                markerfacecolor="none",
                markeredgecolor=MADE,
                label="best epoch" if first else None,
            )
        if len(rounds) > 1 and number % step == 0:
            ax.annotate(
                f"round {number + 1}" if len(rounds) <= _FEW_ROUNDS else str(number + 1),
                (float(epochs.mean()), 1.0),
                xycoords=("data", "axes fraction"),
                ha="center",
                va="top",
                fontsize="x-small",
            )
        start = int(epochs[-1])
    ax.margins(y=0.12)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=5))
    ax.set_xlabel("Epoch" if len(rounds) <= _FEW_ROUNDS else f"Epoch (numbers above: {len(rounds)} rounds)")
