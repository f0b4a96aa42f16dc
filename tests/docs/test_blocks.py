"""The code in the docs runs."""

from __future__ import annotations

import re
import runpy
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import pytest

from diffaug_bio.cli.main import group

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
PAGES = {str(path.relative_to(ROOT)): path for path in sorted([ROOT / "README.md", *DOCS.rglob("*.md")])}

# Blocks of a page that run, and those marked as not run.
RUN = {
    "README.md": (3, 3),
    "docs/contributing.md": (0, 1),
    "docs/gpu.md": (1, 1),
    "docs/plots.md": (7, 0),
    "docs/quickstart.md": (4, 1),
    "docs/r.md": (0, 1),
    "docs/sharing.md": (4, 0),
    "docs/sklearn.md": (1, 0),
    "docs/transfer.md": (6, 0),
    "docs/tutorials/cells.md": (7, 0),
    "docs/tutorials/dna.md": (5, 0),
    "docs/tutorials/images.md": (5, 0),
    "docs/tutorials/rare_classes.md": (4, 0),
    "docs/tutorials/sharing.md": (6, 0),
    "docs/tutorials/tables.md": (6, 0),
}
MAKE_THEIR_FIGURES = [name for name in RUN if "tutorials" in name or "quickstart" in name]
# Pages whose blocks are read and not run, and why; tests of the features themselves cover what they show.
READ = {
    "docs/augment.md": "files of the reader's own, and the default preset three times",
    "docs/benchmark.md": "nine runs of the default preset",
    "docs/dna.md": "the default preset on letters, twice",
    "docs/images.md": "CIFAR-10, STL-10",
    "docs/index.md": "the quickstart again",
    "docs/recipes.md": "tests/datasets/test_docs.py runs them",
}
# What may stay marked as not run.
REASONS = r"an installation.*|\.ci/run runs it word for word|needs SLURM|the counts come from R"


def test_no_page_with_code_is_left_out(run_page: dict[str, Any]) -> None:
    with_code = {name for name, path in PAGES.items() if run_page["read_blocks"](path)}
    assert with_code == set(RUN) | set(READ)


@pytest.mark.parametrize("name", RUN)
def test_blocks_are_counted_and_few_are_not_run(name: str, run_page: dict[str, Any]) -> None:
    blocks = run_page["read_blocks"](PAGES[name])
    reasons = [block.not_run for block in blocks if block.not_run]
    assert (len(blocks) - len(reasons), len(reasons)) == RUN[name]
    assert [reason for reason in reasons if not re.fullmatch(REASONS, reason)] == []


@pytest.mark.parametrize("name", [name for name, (n_run, _) in RUN.items() if n_run])
def test_blocks_run_in_order_in_a_fresh_folder(name: str, tmp_path: Path, readers_files: Path) -> None:
    page = PAGES[name]
    if "tutorials" not in page.parts:  # these make their own files
        shutil.copytree(readers_files, tmp_path, dirs_exist_ok=True)
    done = subprocess.run(
        [sys.executable, DOCS / "run_page.py", page, "--folder", tmp_path],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout[-2000:]}\n{done.stderr[-4000:]}"
    assert done.stdout.count(f"--- {page.name}, line ") == RUN[name][0]
    if name in MAKE_THEIR_FIGURES:
        shown = re.findall(r"\]\((figures/\w+\.png)\)", page.read_text(encoding="utf-8"))
        assert shown != []
        assert [figure for figure in shown if not (page.parent / figure).is_file()] == []
        assert [figure for figure in shown if not (tmp_path / Path(figure).name).is_file()] == []


@pytest.mark.parametrize("name", READ)
def test_blocks_that_are_not_run_are_python(name: str, run_page: dict[str, Any]) -> None:
    for block in run_page["read_blocks"](PAGES[name]):
        if block.language == "python":
            compile(block.code, name, "exec")


def commands() -> Iterator[tuple[str, str]]:
    """All calls of `diffaug-bio` on all pages, in blocks of either kind, on one line each."""
    for name, path in PAGES.items():
        text = path.read_text(encoding="utf-8").replace("\\\n", " ")
        for line in re.findall(r"^ *diffaug-bio (.+)$", text, flags=re.MULTILINE):
            call = re.split(r" #| >|  +#", line)[0]
            if not re.search(r"[\[|]|\bCOMMAND\b", call):  # not the synopsis of a command
                yield name, call


def test_commands_are_found() -> None:
    assert len(list(commands())) > 60


@pytest.mark.parametrize(("name", "call"), sorted(set(commands())))
def test_commands_and_options_that_are_shown_exist(name: str, call: str) -> None:
    command: click.Command = group
    words = shlex.split(call)
    while isinstance(command, click.Group):
        context = click.Context(command)
        if not words and command.invoke_without_command:
            return
        found = command.get_command(context, words.pop(0))
        assert found is not None, f"{name}: diffaug-bio {call}"
        command = found
    context = click.Context(command)
    values, _, _ = command.make_parser(context).parse_args(words)
    for parameter in command.params:
        if isinstance(parameter.type, click.Choice) and isinstance(values.get(str(parameter.name)), str):
            parameter.type_cast_value(context, values[str(parameter.name)])


def test_the_runner_stops_at_a_block_that_fails_and_says_which(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("```python\nx = 1\n```\n\n```python\nassert x == 2\n```\n", encoding="utf-8")
    done = subprocess.run(
        [sys.executable, DOCS / "run_page.py", page], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert 'File "page.md, line 6"' in done.stderr
    page.write_text("```bash\nfalse\ntrue\n```\n", encoding="utf-8")
    done = subprocess.run(
        [sys.executable, DOCS / "run_page.py", page], capture_output=True, text=True, check=False
    )
    assert "CalledProcessError" in done.stderr


def test_a_comment_marks_the_block_after_it_and_no_other(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "<!-- not run: a reason -->\n<!-- another -->\n```bash\nexit 1\n```\n\n```python\npass\n```\n",
        encoding="utf-8",
    )
    blocks = runpy.run_path(str(DOCS / "run_page.py"))["read_blocks"](page)
    assert [(block.language, block.line, block.not_run) for block in blocks] == [
        ("bash", 4, "a reason"),
        ("python", 8, ""),
    ]
