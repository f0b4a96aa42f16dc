"""Colours of classes differ for all kinds of vision."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.colors import to_rgb

from diffaug_bio.pl._palette import _oklab, class_colors


@pytest.mark.parametrize(("n_classes", "least"), [(7, 0.07), (12, 0.07), (20, 0.05), (40, 0.03)])
def test_colors_differ_with_normal_and_dichromatic_vision(n_classes: int, least: float) -> None:
    # A just noticeable difference is about 0.02 in OKLab.
    seen = _oklab(np.array([to_rgb(color) for color in class_colors(n_classes)]))
    for vision in seen:
        distances = np.linalg.norm(vision[:, None] - vision[None], axis=2)
        assert distances[~np.eye(n_classes, dtype=bool)].min() > least


def test_two_hundred_colors_are_all_different_and_start_with_the_same() -> None:
    assert len(set(class_colors(200))) == 200
    assert class_colors(200)[:20] == class_colors(20)
    assert class_colors(2) == ("#0072B2", "#E69F00")
    assert class_colors(0) == ()


def test_white_and_grey_are_where_they_belong() -> None:
    lightness, *color = np.moveaxis(_oklab(np.array([[1.0, 1.0, 1.0], [0.5, 0.5, 0.5]])), -1, 0)
    assert lightness[:, 0] == pytest.approx(1.0, abs=1e-3)
    assert np.abs(color).max() < 5e-3
