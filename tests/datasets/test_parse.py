"""What a recipe may hold; errors name file and key."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING

import numpy as np
import pytest

from diffaug_bio.datasets import recipe as recipes
from diffaug_bio.datasets._parse import parse_recipe
from diffaug_bio.datasets.loaders import LOADERS, call_loader, keyword_hints, takes_files
from diffaug_bio.datasets.recipe import Files
from diffaug_bio.datasets.steps import STEPS
from diffaug_bio.errors import RecipeError

if TYPE_CHECKING:
    from pathlib import Path

START = 'title = "T"\nmodality = "table"\n'
SOURCE = '[[sources]]\nfile = "a.csv"\nurl = "https://example.org/a.csv"\n'


def parse(text: str) -> recipes.Recipe:
    return parse_recipe(text, name="mine", file="mine.toml")


def test_every_key_arrives() -> None:
    recipe = parse(
        START
        + 'label_key = "label"\nbatch_key = "batch"\ngroup_key = "id:_"\npreset = "quick"\n'
        + 'licence = "L"\ncitation = "C"\npaper = "P"\nnotes = "N"\n'
        + SOURCE
        + f'size = 3\nsha256 = "{"0a" * 32}"\nunpack = true\nmax_unpacked = 9\n'
        + '[loader]\nname = "read"\npath = "a"\nobs_columns = ["b", "c"]\n'
        + '[[steps]]\nname = "drop_small_classes"\nkey = "label"\nmin_obs = 5\n'
        + '[expect]\nn_obs = 3\nn_vars = 2\nn_labels = 2\nfixed = ["n_vars"]\n'
        + '[[published]]\nmethod = "M"\nscore = "S"\nvalue = 90\nwhere = "W"\n'
    )
    assert recipe == recipes.Recipe(
        name="mine",
        title="T",
        modality="table",
        label_key="label",
        batch_key="batch",
        group_key="id:_",
        preset="quick",
        licence="L",
        citation="C",
        paper="P",
        notes="N",
        sources=(
            recipes.Source(
                file="a.csv",
                url="https://example.org/a.csv",
                size=3,
                sha256="0a" * 32,
                unpack=True,
                max_unpacked=9,
            ),
        ),
        loader=recipes.Call(name="read", parameters={"path": "a", "obs_columns": ("b", "c")}),
        steps=(recipes.Call(name="drop_small_classes", parameters={"key": "label", "min_obs": 5}),),
        expect=recipes.Expected(n_obs=3, n_vars=2, n_labels=2, fixed=("n_vars",)),
        published=(recipes.Published(method="M", score="S", value=90.0, where="W"),),
    )


STEP = f"{START}{SOURCE}[[steps]]\n"
WRONG = {
    "no TOML": ("title =", r"mine\.toml is not a TOML file: "),
    "no title": ('modality = "dna"', r"mine\.toml: the key `title` is missing"),
    "unknown key": (
        f'{START}licens = "x"\n{SOURCE}',
        r"unknown key `licens`\. Did you mean 'licence'\? Known are title",
    ),
    "name of its own": (f'{START}name = "x"\n{SOURCE}', r"mine\.toml: unknown key `name`"),
    "unknown modality": (
        'title = "T"\nmodality = "cells"',
        r"`modality` has to be one of 'table', 'dna', 'im",
    ),
    "empty text": (f'{START}citation = " "\n{SOURCE}', r"`citation` has to be text, got ' '"),
    "text is a number": (f"{START}notes = 1\n{SOURCE}", r"`notes` has to be text, got 1"),
    "no sources": (START, r"the loader 'read' takes \[\[sources\]\]"),
    "sources of a package": (
        f'{START}{SOURCE}[loader]\nname = "scanpy"\ndataset = "x"',
        r"the loader 'scanpy' takes no \[\[sources\]\]",
    ),
    "sources are one table": (
        f'{START}[sources]\nfile = "a"',
        r"`sources` has to be a list of tables \[\[sources\]\]",
    ),
    "unknown key of a source": (
        f"{START}{SOURCE}md5 = 'x'",
        r"unknown key `sources\[1\]\.md5`",
    ),
    "source without a file": (
        f"{START}[[sources]]\nurl = 'https://a'",
        r"key `sources\[1\]\.file` is missing",
    ),
    "source from nowhere": (f"{START}[[sources]]\nfile = 'a'", r"`sources\[1\]` needs `url`, or `by_hand`"),
    "source from two places": (f"{START}{SOURCE}by_hand = 'ask'", r"has both `url` and `by_hand`"),
    "the same source twice": (START + SOURCE * 2, r"`sources\[2\]\.file` is there twice"),
    "source outside": (
        START + SOURCE.replace("a.csv", "../a.csv", 1),
        r"`sources\[1\]\.file` has to be a name inside the folder",
    ),
    "absolute source": (START + SOURCE.replace("a.csv", "/a.csv", 1), r"file` has to be a name inside"),
    "file as address": (START + SOURCE.replace("https:", "file:"), r"url` has to start with https://"),
    "wrong hash": (f"{START}{SOURCE}sha256 = 'abc'", r"sha256` has to be 64 small hexadecimal digits"),
    "no size": (f"{START}{SOURCE}size = 0", r"size` has to be at least 1, got 0"),
    "loader without a name": (
        f"{START}{SOURCE}[loader]\npath = 'a'",
        r"`loader` has to be a table with the n",
    ),
    "unknown loader": (
        f"{START}{SOURCE}[loader]\nname = 'red'",
        r"`loader\.name` 'red' is no loader\. Did you mean 'read'",
    ),
    "unknown key of a loader": (
        f"{START}{SOURCE}[loader]\nname = 'read'\nmodalty = 'h5ad'",
        r"unknown key `loader\.modalty`\. Did you mean 'modality'",
    ),
    "wrong value for a loader": (
        f"{START}{SOURCE}[loader]\nname = 'read'\nimage_size = 'big'",
        r"`loader\.image_size` has to be a whole number, got 'big'",
    ),
    "wrong list for a loader": (
        f"{START}{SOURCE}[loader]\nname = 'read'\nobs_columns = ['a', 1]",
        r"`loader\.obs_columns\[2\]` has to be text, got 1",
    ),
    "no list for a loader": (
        f"{START}{SOURCE}[loader]\nname = 'read'\nobs_columns = 'a'",
        r"`loader\.obs_columns` has to be a list, got 'a'",
    ),
    "unknown step": (
        f"{STEP}name = 'drop_smal_classes'",
        r"`steps\[1\]\.name` 'drop_smal_classes' is no preparation step\. Did you mean 'drop_sm",
    ),
    "unknown key of a step": (
        f"{STEP}name = 'drop_small_classes'\nkey = 'a'\nmin_ops = 3",
        r"unknown key `steps\[1\]\.min_ops`\. Did you mean 'min_obs'",
    ),
    "missing key of a step": (
        f"{STEP}name = 'drop_small_classes'\nkey = 'a'",
        r"the key `steps\[1\]\.min_obs` is missing",
    ),
    "true is no number": (
        f"{STEP}name = 'drop_small_classes'\nkey = 'a'\nmin_obs = true",
        r"`steps\[1\]\.min_obs` has to be a whole number, got True",
    ),
    "steps are one table": (f"{START}{SOURCE}[steps]\nname = 'x'", r"`steps` has to be a list of tables"),
    "expect is a list": (f"{START}expect = 3\n{SOURCE}", r"`expect` has to be a table \[expect\], got 3"),
    "fixed without a number": (
        f"{START}{SOURCE}[expect]\nfixed = ['n_vars']",
        r"`expect` has no n_vars, which `fixed` names",
    ),
    "unknown number fixed": (
        f"{START}{SOURCE}[expect]\nfixed = ['n']",
        r"`expect\.fixed\[1\]` has to be one of",
    ),
    "published without a value": (
        f"{START}{SOURCE}[[published]]\nmethod='a'\nscore='b'\nwhere='c'",
        r"the key `published\[1\]\.value` is missing",
    ),
    "endless figure": (
        f"{START}{SOURCE}[[published]]\nmethod='a'\nscore='b'\nwhere='c'\nvalue=inf",
        r"`published\[1\]\.value` has to be a number, got inf",
    ),
    "groups and a split": (
        f'{START}group_key = "a"\nsplit_key = "b"\n{SOURCE}',
        r"`split_key` and `group_key` are both given",
    ),
}


@pytest.mark.parametrize(("text", "message"), WRONG.values(), ids=WRONG.keys())
def test_mistakes_are_named_with_file_and_key(text: str, message: str) -> None:
    with pytest.raises(RecipeError, match=message) as caught:
        parse(text)
    assert str(caught.value).startswith("mine.toml")


CALLS = {**LOADERS, **STEPS}


@pytest.mark.parametrize("name", CALLS)
def test_keywords_of_loaders_and_steps_can_be_checked(name: str) -> None:
    hints, parameters = keyword_hints(CALLS[name]), inspect.signature(CALLS[name]).parameters
    assert set(hints) <= set(parameters)
    assert all(
        entry.kind is entry.KEYWORD_ONLY
        for key, entry in parameters.items()
        if key not in {"adata", "path", "values"}
    )
    assert takes_files(hints.get("path", str)) == ("path" in hints)
    assert CALLS[name].__doc__


def test_files_that_readers_take_are_found_by_name(tmp_path: Path) -> None:
    for name in ("x.npy", "y.npy"):
        np.save(tmp_path / name, np.eye(2) if name == "x.npy" else np.arange(2))
    files = Files(names=("x.npy", "y.npy"), roots=(tmp_path,))
    call = recipes.Call(name="arrays", parameters={"values": ("x.npy",), "labels": ("y.npy",)})
    assert list(call_loader(call, files).obs["label"]) == ["0", "1"]


@pytest.mark.parametrize("key", ["external_links", "kmers", "max_bytes"])
def test_a_recipe_may_not_follow_links_to_other_files(key: str) -> None:
    with pytest.raises(RecipeError, match=key):
        parse(f"{START}{SOURCE}[loader]\nname = 'read'\n{key} = true")
