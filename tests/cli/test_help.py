"""Help, and what is misspelt: every option is explained, every example can be called."""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING

import click
import pytest

from diffaug_bio.cli.main import group

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.cli.conftest import Result

CONTEXT = click.Context(group)
COMMANDS = {name: group.get_command(CONTEXT, name) for name in group.list_commands(CONTEXT)}
LEANING = ("Of", "What", "Whether", "Which", "That", "Its", "As", "How", "By", "Where")


def all_options() -> list[tuple[str, click.Option]]:
    found = []
    for name, command in COMMANDS.items():
        assert command is not None
        parts = command.commands.values() if isinstance(command, click.Group) else [command]
        found += [
            (name, option) for part in parts for option in part.params if isinstance(option, click.Option)
        ]
    return found


def test_every_option_is_explained_by_a_text_that_stands_alone() -> None:
    texts = {f"{name} {option.opts[-1]}": option.help or "" for name, option in all_options()}
    assert len(texts) > 80
    assert [key for key, text in texts.items() if not text or text.split()[0] in LEANING] == []


@pytest.mark.parametrize("name", COMMANDS)
def test_every_example_can_be_called(name: str, call: Callable[..., Result]) -> None:
    command = COMMANDS[name]
    assert command is not None
    shown = call(name, "--help")
    assert (shown.code, shown.err) == (0, "")
    examples = re.findall(r"^ +diffaug-bio (.*)$", command.epilog or "", flags=re.MULTILINE)
    assert examples
    for example in examples:
        assert " ".join(example.split()) in " ".join(shown.out.split())
        called, *words = shlex.split(example, comments=True)
        called_command = COMMANDS[called]
        assert called_command is not None
        called_command.make_context(called, words)


def test_the_most_used_options_come_first_and_others_under_headings(call: Callable[..., Result]) -> None:
    shown = call("fit", "--help").out
    headings = re.findall(r"^(\w.*):$", shown, flags=re.MULTILINE)
    assert headings == [
        "Options",
        "Input",
        "Columns of a table",
        "DNA",
        "Model",
        "Splits and scores",
        "Machine",
        "Output",
    ]
    first = shown.split("Options:")[1].split("Input:")[0]
    names = re.findall(r"^  (?:-., )?--([\w-]+)", first, flags=re.MULTILINE)
    assert names == ["output", "config", "label-key", "batch-key", "seed", "force", "help"]


@pytest.mark.parametrize(
    ("words", "near"),
    [
        (["fot", "cells.h5ad"], "'fit'"),
        (["fit", "cells.h5ad", "--label_key", "kind"], "--label-key"),
        (["recipes", "fetsch", "pbmc68k"], "'fetch'"),
        (["zebra"], "fit, embed, transfer"),
    ],
    ids=["command", "option", "recipes", "nothing like it"],
)
def test_what_is_misspelt_is_answered_with_what_is_near(
    words: list[str], near: str, call: Callable[..., Result]
) -> None:
    result = call(*words)
    assert (result.code, result.out) == (2, "")
    assert near in result.err.splitlines()[-1]
