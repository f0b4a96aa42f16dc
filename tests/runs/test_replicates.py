"""`runs`: rows that are replicates by their names."""

from __future__ import annotations

from diffaug_bio.runs._fit import look_like_replicates


def test_names_that_share_what_stands_before_the_last_underscore_are_replicates() -> None:
    assert look_like_replicates(f"mouse_{mouse}_{number}" for mouse in range(6) for number in range(3))
    assert not look_like_replicates(f"cell_{number}" for number in range(50))
    assert not look_like_replicates(f"AAAC{number}_1" for number in range(50))
    assert not look_like_replicates(f"cell{number}" for number in range(50))
    assert not look_like_replicates([])
