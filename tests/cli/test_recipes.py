"""`diffaug-bio recipes`."""

from __future__ import annotations

import json
import signal
import sys
from typing import TYPE_CHECKING

import pytest

from diffaug_bio import datasets
from diffaug_bio.cli.main import main

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(autouse=True)
def _signals_are_put_back() -> Iterator[None]:
    on_stop = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, on_stop)


def call(arguments: list[str], monkeypatch: pytest.MonkeyPatch) -> object:
    """Call the command line in this process and return its exit code."""
    monkeypatch.setattr(sys, "argv", ["diffaug-bio", "recipes", *arguments])
    with pytest.raises(SystemExit, match=r"^[0-9]$") as caught:
        main()
    return caught.value.code


def test_every_recipe_is_listed_with_its_title(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call([], monkeypatch) == 0
    printed = capsys.readouterr()
    lines = [f"{name}  {datasets.load_recipe(name).title}" for name in datasets.recipe_names()]
    assert printed.out.splitlines() == lines
    assert printed.err == ""


def test_json_holds_the_same(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(["--json"], monkeypatch) == 0
    expected = {name: datasets.load_recipe(name).title for name in datasets.recipe_names()}
    assert json.loads(capsys.readouterr().out) == expected
