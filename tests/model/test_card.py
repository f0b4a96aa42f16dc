"""The card of a model folder: what it says, and that no name in the data breaks it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import yaml
from markdown_it import MarkdownIt

from diffaug_bio import DiffAug, DiffAugConfig
from diffaug_bio.errors import InputError
from diffaug_bio.model.card import NOT_STATED, Run, base_name, escaped, model_card, one_line
from diffaug_bio.model.folder import describe_model
from tests.conftest import shifted_textures

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from anndata import AnnData

HOSTILE = [
    "a | b | c",
    "x\n\n# title\n---\n",
    "<script>alert(1)</script>",
    "`code` **bold** _it_ [link](http://x) ![image](y)",
    "\x1b[31mred\x00\u2028\ud800",
    "\\",
    "tail\\|",
    "---\nlicense: mit\n---",
    '"quoted": yes # no',
    "{{ x }} {% y %} &lt; $z$ ~~s~~",
    "http://x.example www.x.example",
]
TABLES = MarkdownIt().enable("table")


def front_matter(card: str) -> dict[str, Any]:
    assert card.startswith("---\n")
    table = yaml.safe_load(card.split("---\n")[1])
    assert isinstance(table, dict)
    return table


def kinds_of(card: str) -> list[str]:
    """Kinds of all elements in order, those within lines too."""
    tokens = TABLES.parse(card.split("---\n", 2)[2])
    return [part.type for token in tokens for part in (token, *(token.children or ()))]


@pytest.fixture
def card_of(fitted: DiffAug, tmp_path: Path) -> Callable[..., str]:
    """Save a model under any conditions, and give its card."""

    def write(model: DiffAug = fitted, **options: Any) -> str:
        model.save(tmp_path / "model", overwrite=True, **options)
        return (tmp_path / "model" / "README.md").read_text(encoding="utf-8")

    return write


def record_with(name: str) -> Run:
    """Make a run whose every text is a name of the user's."""
    data = dict.fromkeys(
        ("data", "label_key", "group_key", "split_key", "layer", "reference", "sha256"), name
    )
    row = {"width": 6, "linear_probe": 1.0, "knn_accuracy": 1.0, "kmeans_nmi": 1.0, "kmeans_ari": 1.0}
    return Run(
        {
            "data": {**data, "n_obs": 120},
            "seed": 0,
            "threads": 1,
            "device": "cpu",
            "precision": "float32",
            "versions": {"python": "3.11", "torch": "2"},
        },
        {"label_key": name, "n_labels": 3, "n_scored": 120, "n_folds": 5, "embedding": row, "pca": row},
    )


def test_a_card_says_what_the_model_is(card_of: Callable[..., str]) -> None:
    card = card_of()
    assert front_matter(card)["library_name"] == "diffaug-bio"
    assert {"diffaug-bio", "single-cell"} <= set(front_matter(card)["tags"])
    for words in (
        "| features | 40 |",
        "gene0, gene1, gene2, gene3, gene4 |",
        "| values | counts |",
        "diffaug-bio embed new.h5ad --model MODEL",
        "diffaug-bio augment new.h5ad",
        'db.tl.project(adata, "MODEL")',
        "Features are matched by name",
        "with the seed 0",
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
    card_of: Callable[..., str], given: str | None, expected: dict[str, str]
) -> None:
    card = card_of(model_license=given)
    found = front_matter(card)
    assert {key: found[key] for key in found if key.startswith("license")} == expected
    assert (NOT_STATED in card) == (given is None)


def test_a_model_without_generator_or_names_says_so(
    card_of: Callable[..., str], tiny_config: DiffAugConfig
) -> None:
    config = tiny_config.replace(train={"rounds": 0})
    values = np.random.default_rng(0).normal(5, 1, (40, 6))
    card = card_of(DiffAug(config, device="cpu").fit(values))
    assert "it has no generator" in card
    assert "diffaug-bio augment new" not in card
    assert "the same ones in the same order" in card
    assert "embed new.csv" in card
    assert "tabular" in front_matter(card)["tags"]


def test_a_model_of_images_names_their_shape(
    card_of: Callable[..., str], images_config: DiffAugConfig
) -> None:
    card = card_of(DiffAug(images_config, device="cpu").fit(shifted_textures(20)))
    assert "16 x 16 x 1" in card
    assert "images of 16 x 16 pixels, grey" in card
    assert "matched by name" not in card


@pytest.mark.parametrize("name", HOSTILE)
def test_names_of_features_do_not_break_the_card(
    card_of: Callable[..., str], counts: AnnData, tiny_config: DiffAugConfig, name: str
) -> None:
    names = ["gene", *(f"gene{number}" for number in range(1, 40))]
    plain = card_of(DiffAug(tiny_config, device="cpu").fit(counts.X, feature_names=names))
    names[0] = name.encode("utf-8", "replace").decode()  # JSON of a model holds valid text alone
    card = card_of(DiffAug(tiny_config, device="cpu").fit(counts.X, feature_names=names))
    assert front_matter(card) == front_matter(plain)
    assert skeleton(card) == skeleton(plain)


ADDRESSES = [
    "http://evil.example/x?a=1",
    "https://evil.example.",
    "see HTTPS://evil.example:80/a_b",
    "www.evil.example/x",
    "(WWW.evil.example)",
    "x,ftp://evil.example",
]


@pytest.mark.parametrize("text", ADDRESSES)
def test_addresses_are_shown_and_no_links(text: str) -> None:
    # Some renderers look for addresses in the source, others in what stands between escapes.
    assert not re.search(r"://|www\.", escaped(text), re.IGNORECASE)
    inline = MarkdownIt().parse(escaped(text))[1]
    parts = inline.children or []
    assert {part.type for part in parts} == {"text"}
    assert "".join(part.content for part in parts) == text


def test_addresses_among_the_names_are_no_links(
    card_of: Callable[..., str], counts: AnnData, tiny_config: DiffAugConfig
) -> None:
    names = ["http://evil.example", "www.evil.example", *(f"gene{number}" for number in range(2, 40))]
    card = card_of(DiffAug(tiny_config, device="cpu").fit(counts.X, feature_names=names))
    assert "http://evil" not in card
    assert "www.evil" not in card


@pytest.mark.parametrize("name", HOSTILE)
def test_names_in_a_run_do_not_break_the_card(fitted: DiffAug, tmp_path: Path, name: str) -> None:
    fitted.save(tmp_path / "model")
    described = describe_model(tmp_path / "model")
    plain, card = (
        model_card(described, model_license=None, run=record_with(words)) for words in ("cells.h5ad", name)
    )
    card.encode("utf-8")
    assert all(letter.isprintable() or letter == "\n" for letter in card)
    assert front_matter(card) == front_matter(plain)
    assert skeleton(card) == skeleton(plain)


def skeleton(card: str) -> list[str]:
    """Elements without text, of which escapes are a kind of their own, and breaks of it."""
    return [kind for kind in kinds_of(card) if kind not in {"text", "text_special"}]


def test_no_folder_of_the_machine_is_named(fitted: DiffAug, tmp_path: Path) -> None:
    fitted.save(tmp_path / "model")
    described = describe_model(tmp_path / "model")
    for path in ("/home/me/secret/cells.h5ad", "C:\\secret\\cells.h5ad", "secret/cells.h5ad/"):
        card = model_card(described, model_license=None, run=record_with(path))
        assert "# DiffAug model of cells.h5ad" in card
        assert "fit cells.h5ad" in card
        assert "--reference cells.h5ad" in card


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/a/b.csv", "b.csv"),
        ("b.csv", "b.csv"),
        ("a\\b.csv", "b.csv"),
        ("/a/b/", "b"),
        ("recipe:x", "recipe:x"),
    ],
)
def test_the_last_part_of_a_path_is_its_name(path: str, name: str) -> None:
    assert base_name(path) == name


def test_text_is_one_printable_line() -> None:
    assert one_line("a\r\n\tb\x00c\x1b") == "a b c"
    assert len(one_line("x" * 1000)) == 200
    assert escaped("a|b`c`") == "a\\|b\\`c\\`"


def test_saving_again_writes_the_card_anew_unless_it_was_changed(
    card_of: Callable[..., str], tmp_path: Path
) -> None:
    first = card_of()
    assert card_of() == first
    (tmp_path / "model" / "README.md").write_text("changed by hand")
    with pytest.raises(InputError, match=r"changed since: 'README\.md'"):
        card_of()
    assert (tmp_path / "model" / "README.md").read_text() == "changed by hand"
