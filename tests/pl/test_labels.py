"""Labels are moved apart."""

from __future__ import annotations

import numpy as np

from diffaug_bio.pl._labels import separated


def test_boxes_that_overlap_are_moved_apart_and_others_stay() -> None:
    centers = np.array([[0.0, 0.0], [1.0, 1.0], [0.0, 0.0], [100.0, 0.0]])
    sizes = np.tile([10.0, 4.0], (4, 1))
    heights = separated(centers, sizes)
    assert heights[3] == 0.0
    assert np.diff(np.sort(heights[:3])).min() > 3
    assert heights[1] == heights[:3].max()
    assert abs(heights[:3].mean() - centers[:3, 1].mean()) < 1e-9
