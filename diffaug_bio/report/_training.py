"""Section about the training of a run: its losses, and the weights that were kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

from diffaug_bio.document import Pictures, Section
from diffaug_bio.report.page import drawn

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.figure import Figure

    from diffaug_bio.core.phases import EpochEnd
    from diffaug_bio.model.estimator import DiffAug


def training_section(model: DiffAug) -> Section:
    """Draw the losses, and say if the encoder phase added little."""

    def draw() -> Figure:
        import matplotlib.pyplot as plt

        from diffaug_bio import pl

        pl.history(model, show=False)
        return plt.gcf()

    lead = (
        "Losses by phase and round; losses of different phases do not compare. If the training loss falls "
        "while the held-out loss rises, the network overfits."
    )
    keeps_best = model.config_.keeps_best and model.config_.train.validation_fraction > 0
    lead += " Weights of the best epoch are kept." if keeps_best else " The encoder keeps its last weights."
    if keeps_best and kept_first_epoch(model.history_):
        lead += (
            " Here the first epoch of the encoder phase was the best: the embedding is nearly that of the "
            "warm-up, and generated positives changed little."
        )
    return Section(
        key="training",
        title="Training",
        lead=lead,
        blocks=(
            Pictures(
                pictures=(
                    drawn(
                        "history",
                        draw,
                        alt="Line plots of training and held-out loss by epoch, a panel for each phase.",
                        caption="",
                    ),
                )
            ),
        ),
    )


def kept_first_epoch(history: Sequence[EpochEnd]) -> bool:
    """Say if each round of the encoder phase, of several epochs, was best in its first epoch."""
    rounds: dict[int, list[float]] = {}
    for event in history:
        if event.phase == "encoder":
            rounds.setdefault(event.round, []).append(event.held_out_loss)
    return bool(rounds) and all(len(losses) > 1 and losses[0] == min(losses) for losses in rounds.values())
