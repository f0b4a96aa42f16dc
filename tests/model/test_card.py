"""Card of a model folder: its content for each kind of data, and names from data that stay text."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import yaml

from diffaug_bio import DiffAug, DiffAugConfig
from diffaug_bio.errors import InputError
from diffaug_bio.model.about import Run
from diffaug_bio.model.card import NOT_STATED, model_card
from diffaug_bio.model.folder import describe_model
from tests.conftest import shifted_textures
from tests.document.test_document import HOSTILE, kinds_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from diffaug_bio.model.description import ModelDescription


def front_matter(card: str) -> dict[str, Any]:
    assert card.startswith("---\n")
    table = yaml.safe_load(card.split("---\n")[1])
    assert isinstance(table, dict)
    return table


def skeleton(card: str) -> list[str]:
    return kinds_of(card.split("---\n", 2)[2])


@pytest.fixture
def described(fitted: DiffAug, tmp_path: Path) -> ModelDescription:
    fitted.save(tmp_path / "described")
    return describe_model(tmp_path / "described")


@pytest.fixture
def card_of(fitted: DiffAug, tmp_path: Path) -> Callable[..., str]:
    """Save a model under any conditions, and return its card."""

    def write(model: DiffAug = fitted, **options: Any) -> str:
        model.save(tmp_path / "model", overwrite=True, **options)
        return (tmp_path / "model" / "README.md").read_text(encoding="utf-8")

    return write


def run_with(name: str) -> Run:
    """Make a run whose every text is a name of the user's."""
    keys = ("data", "label_key", "group_key", "split_key", "layer", "reference", "sha256")
    values = {"linear_probe": 1.0, "knn_accuracy": 1.0, "kmeans_nmi": 1.0, "kmeans_ari": 1.0}
    row, about = {"width": 6, **values}, {"label_key": name, "label_kind": "classes", "chance": values}
    counts = {"n_labels": 3, "n_scored": 120, "n_left_out": 2, "n_folds": 5}
    return Run(
        {
            "diffaug_bio": "0.1.0",
            "data": {**dict.fromkeys(keys, name), "n_obs": 120},
            "seed": 0,
            "threads": 1,
            "device": "cpu",
            "precision": "float32",
            "seconds": {"fit": 1.0},
            "peak_memory_mb": None,
            "versions": {"python": "3.11", "torch": "2"},
            "platform": name,
        },
        {**about, **counts, "embedding": row, "pca": row},
    )


def test_a_card_says_what_the_model_is(card_of: Callable[..., str]) -> None:
    card = card_of()
    assert front_matter(card)["library_name"] == "diffaug-bio"
    assert {"diffaug-bio", "single-cell"} <= set(front_matter(card)["tags"])
    for words in (
        "| Features | 40 |",
        "gene0, gene1, gene2, gene3, gene4, ... |",
        "diffaug-bio embed new.h5ad --model MODEL",
        "diffaug-bio augment new.h5ad",
        'db.tl.project(adata, "MODEL")',
        "matched by name",
        "seed 0",
        "n_latent = 6",
    ):
        assert words in card
    assert "## Scores" not in card


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (None, {"license": "unknown"}),
        ("CC-BY-4.0", {"license": "cc-by-4.0"}),
        ('ours: "strict" | no', {"license": "other", "license_name": 'ours: "strict" | no'}),
        ("a\n---\nb: c", {"license": "other", "license_name": "a --- b: c"}),
    ],
    ids=["none", "SPDX", "other", "lines"],
)
def test_the_licence_is_stated_or_to_be_filled_in(
    described: ModelDescription, given: str | None, expected: dict[str, str]
) -> None:
    card = model_card(described, model_license=given, run=None)
    found = front_matter(card)
    assert {key: found[key] for key in found if key.startswith("license")} == expected
    assert (NOT_STATED in card) == (given is None)


def test_a_model_without_generator_or_names_says_so(
    card_of: Callable[..., str], tiny_config: DiffAugConfig
) -> None:
    values = np.random.default_rng(0).normal(5, 1, (40, 6))
    card = card_of(DiffAug(tiny_config.replace(train={"rounds": 0}), device="cpu").fit(values))
    assert "no generator" in card
    assert "diffaug-bio augment new" not in card
    assert "same order" in card
    assert "embed new.csv" in card
    assert "tabular" in front_matter(card)["tags"]


def test_a_model_of_images_names_their_shape(
    card_of: Callable[..., str], images_config: DiffAugConfig
) -> None:
    card = card_of(DiffAug(images_config, device="cpu").fit(shifted_textures(20)))
    assert "16 x 16 x 1" in card
    assert "16 x 16 pixels, grey" in card
    assert "matched by name" not in card


@pytest.mark.parametrize("name", [*HOSTILE, "---\nlicense: mit\n---"])
def test_names_do_not_break_the_card(described: ModelDescription, name: str) -> None:
    plain, card = (
        model_card(
            dataclasses.replace(described, feature_names=[words, *(described.feature_names or ())[1:]]),
            model_license=None,
            run=run_with(words),
        )
        for words in ("cells", name)
    )
    card.encode("utf-8")
    assert all(letter.isprintable() or letter == "\n" for letter in card)
    assert front_matter(card) == front_matter(plain)
    assert skeleton(card) == skeleton(plain)


def test_no_folder_of_the_machine_is_named(described: ModelDescription) -> None:
    for path in ("/home/me/secret/cells.h5ad", "C:\\secret\\cells.h5ad", "secret/cells.h5ad/"):
        card = model_card(described, model_license=None, run=run_with(path))
        assert "# DiffAug model of cells.h5ad" in card
        assert "fit cells.h5ad" in card
        assert "--reference cells.h5ad" in card


def test_saving_again_writes_the_card_anew_unless_it_was_changed(
    card_of: Callable[..., str], tmp_path: Path
) -> None:
    first = card_of()
    assert card_of() == first
    (tmp_path / "model" / "README.md").write_text("changed by hand")
    with pytest.raises(InputError, match=r"README\.md"):
        card_of()
    assert (tmp_path / "model" / "README.md").read_text() == "changed by hand"
