"""Names of features: the very same, without versions, without regard to case, and never ambiguous."""

from __future__ import annotations

import logging

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from diffaug_bio.errors import InputError
from diffaug_bio.features import align_features
from diffaug_bio.features._align import match_names

# Few letters, so that names collide in every step.
NAMES = st.lists(
    st.one_of(
        st.text("aAbB", min_size=1, max_size=2),
        st.builds("ENSG{}{}".format, st.sampled_from("12"), st.sampled_from(["", ".1", ".2"])),
        st.sampled_from(["ensg1", "RP11.1", "RP11", "rp11.1"]),
    ),
    unique=True,
    min_size=1,
    max_size=12,
)


@pytest.mark.parametrize(
    ("name", "known"),
    [
        ("ENSG00000141510.18", "ENSG00000141510"),
        ("ENSG00000141510", "ENSG00000141510.18"),
        ("ENSMUSG00000059552.14", "ENSMUSG00000059552.8"),
        ("ENST00000269305.9", "ENST00000269305"),
        ("ENSP00000269305.4", "ENSP00000269305"),
    ],
)
def test_versions_of_ensembl_ids_do_not_matter(name: str, known: str) -> None:
    match = match_names(["x", name], ["y", known])
    assert match.columns.tolist() == [-1, 1]
    assert match.n_versions == 1
    assert not match.recased


@pytest.mark.parametrize(
    ("name", "known"),
    [
        ("RP11-34P13.7", "RP11-34P13"),
        ("AC000001.1", "AC000001.2"),
        ("HLA-DRB1", "HLA-DRB5"),
        ("ENSG00000002586.20_PAR_Y", "ENSG00000002586.20"),
        ("ENSG.1", "ENSG.2"),
        ("MYENSG00000141510.1", "MYENSG00000141510.2"),
    ],
)
def test_what_is_no_version_is_part_of_the_name(name: str, known: str) -> None:
    assert match_names([name], [known]).columns.tolist() == [-1]


def test_the_very_name_goes_before_all_others() -> None:
    match = match_names(["ENSG1.2", "actb", "ENSG1", "ACTB"], ["ENSG1", "ACTB"])
    assert match.columns.tolist() == [2, 3]


@pytest.mark.parametrize(
    ("names", "known"),
    [
        (["ENSG1.1", "ENSG1.2"], ["ENSG1"]),
        (["ENSG1.3"], ["ENSG1.1", "ENSG1.2"]),
        (["Actb", "actb"], ["ACTB"]),
        (["Actb"], ["ACTB", "actb"]),
        (["ENSG1.1", "ENSG1.2"], ["ENSG1.1", "ENSG1.3"]),
    ],
)
def test_what_is_ambiguous_is_not_matched(names: list[str], known: list[str]) -> None:
    found = match_names(names, known).columns
    exact = [names.index(name) if name in names else -1 for name in known]
    assert found.tolist() == exact


def test_case_is_matched_last_and_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    names = ["Actb", "Cd3e", "Ms4a1", "Gapdh", "ENSG1.7", "same"]
    known = ["ACTB", "CD3E", "MS4A1", "GAPDH", "ENSG1.8", "same"]
    with caplog.at_level(logging.INFO, logger="diffaug_bio"):
        assert align_features(names, known).tolist() == [0, 1, 2, 3, 4, 5]
    assert "1 features were matched without the versions of their ids." in caplog.text
    warned = [record.message for record in caplog.records if record.levelno == logging.WARNING]
    expected = (
        "4 features were matched although their case differs: Actb -> ACTB, Cd3e -> CD3E, "
        "Ms4a1 -> MS4A1 and 1 more. If these data are of another species than the model's, equal letters "
        "do not make a gene the same."
    )
    assert warned == [expected]


def test_species_are_no_matter_of_measured_columns(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, logger="diffaug_bio"):
        assert align_features(["Age", "bmi"], ["age", "bmi"], is_expression=False).tolist() == [0, 1]
    assert "Age -> age" in caplog.text
    assert "species" not in caplog.text
    assert all(record.levelno == logging.INFO for record in caplog.records)


def test_repeated_names_are_an_error() -> None:
    with pytest.raises(InputError, match=r"1 feature names of the data occur more than once: 'a'\. Make"):
        align_features(["a", "b", "a"], ["a"])


def test_too_few_names_are_an_error_with_examples_of_both() -> None:
    with pytest.raises(
        InputError, match=r"Only 0 of the 2 .* model knows 'a', 'b', the data hold 'x': do the kinds"
    ):
        align_features(["x"], ["a", "b"])


@given(names=NAMES, known=NAMES)
@settings(max_examples=300, deadline=None)
def test_matches_are_unambiguous(names: list[str], known: list[str]) -> None:
    match = match_names(names, known)
    used = match.columns[match.columns >= 0]
    assert len(used) == len(set(used.tolist()))
    for feature, name in enumerate(known):
        column = match.columns[feature]
        if name in names:
            assert names[column] == name
        elif column >= 0:
            found, same = names[column].lower(), name.lower()
            stripped = [text.split(".")[0] if text.startswith("ensg") else text for text in (found, same)]
            assert stripped[0] == stripped[1]


@given(names=NAMES, known=NAMES, data=st.data())
@settings(max_examples=100, deadline=None)
def test_the_order_of_names_does_not_matter(
    names: list[str], known: list[str], data: st.DataObject
) -> None:
    order = data.draw(st.permutations(range(len(names))))
    shuffled = [names[column] for column in order]
    expected, found = match_names(names, known).columns, match_names(shuffled, known).columns
    assert [names[c] if c >= 0 else None for c in expected] == [
        shuffled[c] if c >= 0 else None for c in found
    ]


@given(names=NAMES)
@settings(max_examples=50, deadline=None)
def test_the_same_names_are_all_found(names: list[str]) -> None:
    np.testing.assert_array_equal(match_names(names, names).columns, np.arange(len(names)))
