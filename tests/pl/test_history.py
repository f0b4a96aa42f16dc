"""Losses are drawn by phase and round."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anndata
import numpy as np
import pytest

import diffaug_bio as db
from diffaug_bio.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path

    from anndata import AnnData
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    from tests.pl.conftest import Fitted


def with_history(**columns: list[Any]) -> AnnData:
    """Data without rows of values, but with losses."""
    table = {name: np.array(values) for name, values in columns.items()}
    return anndata.AnnData(np.zeros((2, 1)), uns={"diffaug": {"history": table}})


def line(ax: Axes, label: str) -> NDArray[np.float64]:
    """Points of the line with a label."""
    [found] = [line for line in ax.lines if line.get_label() == label]
    return np.asarray(found.get_xydata())


def test_every_phase_has_a_panel_with_the_losses_that_training_reported(cells: Fitted) -> None:
    axes = db.pl.history(cells.adata)
    assert axes is not None
    assert [ax.get_title() for ax in axes] == ["Warm-up", "Generator", "Encoder"]
    events = [event for event in cells.model.history_ if event.phase == "generator" and event.round == 1]
    assert line(axes[1], "training").tolist() == [[event.epoch, event.loss] for event in events]
    assert line(axes[1], "held out").tolist() == [[event.epoch, event.held_out_loss] for event in events]
    best = min(events, key=lambda event: event.held_out_loss)
    assert line(axes[1], "best epoch").tolist() == [[best.epoch, best.held_out_loss]]


def test_a_model_its_folder_and_the_data_give_the_same_figure(cells: Fitted, tmp_path: Path) -> None:
    cells.model.save(tmp_path / "model")
    figures = [
        db.pl.history(one) for one in (cells.adata, cells.model, tmp_path / "model", cells.adata[:9])
    ]
    for axes in figures:
        assert axes is not None
        assert figures[0] is not None
        assert np.array_equal(line(axes[2], "training"), line(figures[0][2], "training"))


def test_rounds_follow_each_other_with_a_line_between_them() -> None:
    adata = with_history(
        phase=["warm_up"] + ["encoder"] * 4,
        round=[0, 1, 1, 2, 2],
        epoch=[1, 1, 2, 1, 2],
        loss=[3.0, 2.0, 1.0, 1.5, 0.5],
        held_out_loss=[3.0, 2.0, 2.5, 1.0, 2.0],
    )
    axes = db.pl.history(adata, title="two rounds")
    assert axes is not None
    places = [np.asarray(line.get_xydata()).tolist() for line in axes[1].lines]
    assert [[1, 2.0], [2, 1.0]] in places
    assert [[3, 1.5], [4, 0.5]] in places
    assert [[1, 2.0]] in places  # the best epoch of either round
    assert [[3, 1.0]] in places
    assert [line.get_xdata()[0] for line in axes[1].lines if line.get_linestyle() == ":"] == [2.5]  # type: ignore[index]
    assert [text.get_text() for text in axes[1].texts] == ["round 1", "round 2"]
    assert not axes[0].texts


def test_without_held_out_rows_only_training_is_drawn() -> None:
    nan = float("nan")
    adata = with_history(
        phase=["warm_up"] * 2, round=[0, 0], epoch=[1, 2], loss=[2.0, 1.0], held_out_loss=[nan, nan]
    )
    axes = db.pl.history(adata)
    assert axes is not None
    assert [line.get_label() for line in axes[0].lines] == ["training"]


def test_other_names_are_found_and_missing_ones_refused(cells: Fitted) -> None:
    adata = cells.adata.copy()
    adata.uns["other"] = adata.uns.pop("diffaug")
    assert db.pl.history(adata, key="X_other") is not None
    with pytest.raises(InputError, match=r"'diffaug'.*'other'.*tl\.embed"):
        db.pl.history(adata)
    with pytest.raises(InputError, match="'phase'"):
        db.pl.history(with_history(loss=[1.0]))
    with pytest.raises(InputError, match="not fitted"):
        db.pl.history(db.DiffAug())
    for other in (adata.obs, 3, None):
        with pytest.raises(InputError, match="Expected an AnnData"):
            db.pl.history(other)
