"""The methods of a benchmark are data: each a valid configuration, each ablation one change."""

from __future__ import annotations

import dataclasses
from typing import get_args

import pytest

from diffaug_bio.benchmark import METHODS, Method, choose_methods
from diffaug_bio.benchmark._methods import DEFAULT_GROUPS, missing_extra
from diffaug_bio.config import DiffAugConfig, SequenceView
from diffaug_bio.errors import InputError


def test_titles_tell_methods_apart() -> None:
    titles = [method.title for method in METHODS.values()]
    assert len(set(titles)) == len(titles)
    assert not [title for title in titles if "|" in title]  # they stand in Markdown tables


@pytest.mark.parametrize("name", METHODS)
def test_what_a_method_changes_is_a_valid_configuration(name: str) -> None:
    default = DiffAugConfig()
    changed = default.replace(**METHODS[name].changes)
    assert (changed != default) == bool(METHODS[name].changes)


@pytest.mark.parametrize(
    "name", [name for name, method in METHODS.items() if method.group in {"ablations", "method"}]
)
def test_an_ablation_changes_one_setting(name: str) -> None:
    changed = DiffAugConfig().replace(**METHODS[name].changes).to_dict()
    different = [
        (section, key)
        for section, values in DiffAugConfig().to_dict().items()
        for key, value in values.items()
        if changed[section][key] != value
    ]
    assert len(different) == (METHODS[name].group == "ablations")
    assert METHODS[name].preset is None


@pytest.mark.parametrize(
    "name", [name for name, method in METHODS.items() if method.group in {"views", "more_views", "peers"}]
)
def test_views_and_peers_have_no_generator(name: str) -> None:
    assert METHODS[name].changes["train"]["generated_views"] == "none"


def test_methods_on_letters_are_one_with_a_generator_and_one_for_each_view() -> None:
    chosen = choose_methods(["letters"])
    assert all(method.changes["encoder"] == {"kind": "cnn"} for method in chosen.values())
    with_generator = [
        name for name, method in chosen.items() if method.changes["train"]["generated_views"] != "none"
    ]
    assert with_generator == ["cnn"]
    views = {method.changes["train"]["warmup_view"] for name, method in chosen.items() if name != "cnn"}
    assert views == set(get_args(SequenceView))
    assert chosen["cnn"].changes["train"]["warmup_view"] == "auto"


def test_no_two_methods_are_the_same() -> None:
    made_of = [str({**dataclasses.asdict(method), "title": "", "group": ""}) for method in METHODS.values()]
    assert len(set(made_of)) == len(METHODS)


def test_only_the_reference_sees_labels() -> None:
    assert [name for name, method in METHODS.items() if method.is_labelled] == ["same_label"]


def test_default_is_the_method_and_what_it_is_compared_with() -> None:
    chosen = choose_methods(["default"])
    assert {method.group for method in chosen.values()} == set(DEFAULT_GROUPS)
    assert "diffaug" in chosen
    assert not {"paper", "scvi", "rounds_2", "feature_swap", "cnn"} & set(chosen)


def test_methods_come_once_and_in_the_order_of_the_table() -> None:
    assert list(choose_methods(["pca", "baselines", "diffaug", "pca"])) == [
        "diffaug",
        "raw",
        "pca",
        "front_end",
        "pca_onehot",
    ]


def test_an_unknown_method_is_an_error_that_lists_methods_and_groups() -> None:
    with pytest.raises(
        InputError,
        match=r"no method 'umap'\. Methods are .*, paper_images; .* ablations, .* images, letters, ",
    ):
        choose_methods(["pca", "umap"])


def test_a_missing_package_is_named_with_the_extra_that_brings_it() -> None:
    method = Method(title="other", group="extra", needs="no_such_package")
    assert missing_extra(method) == (
        'it needs the package no_such_package: pip install "diffaug-bio[eval]"'
    )
    assert missing_extra(dataclasses.replace(method, needs="numpy")) is None
    assert missing_extra(METHODS["diffaug"]) is None
