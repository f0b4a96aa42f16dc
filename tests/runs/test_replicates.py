"""`runs`: rows that are replicates by their names."""

from __future__ import annotations

from diffaug_bio.runs._fit import look_like_replicates


def test_names_that_share_what_stands_before_the_last_underscore_are_replicates() -> None:
    assert look_like_replicates(f"mouse_{mouse}_{number}" for mouse in range(6) for number in range(3))
    assert not look_like_replicates(f"cell_{number}" for number in range(50))
    assert not look_like_replicates(f"AAAC{number}_1" for number in range(50))
    assert not look_like_replicates(f"cell{number}" for number in range(50))
    assert not look_like_replicates([])


def test_names_of_cells_are_no_replicates() -> None:
    assert not look_like_replicates(f"donor{donor}_{number}" for donor in range(6) for number in range(500))
    assert not look_like_replicates(f"AAACCTGAGCGT{letter}_{n}" for letter in "ACGTAA" for n in range(2))
    assert not look_like_replicates(f"s{sample}_AAACCT{n:05b}" for sample in range(6) for n in range(9))
    assert not look_like_replicates(f"plate{plate}_A{well:02d}" for plate in range(6) for well in range(12))
    assert look_like_replicates(f"p{patient}_rep{number}" for patient in range(6) for number in (1, 2, 3))
