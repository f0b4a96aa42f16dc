"""The code in the docs runs."""

from __future__ import annotations

import os
import re
import runpy
import shlex
import shutil
import subprocess
import sys
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, NamedTuple, TypeGuard

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
    "README.md": (2, 2),
    "docs/contributing.md": (0, 1),
    "docs/gpu.md": (1, 1),
    "docs/plots.md": (7, 0),
    "docs/quickstart.md": (4, 1),
    "docs/r.md": (0, 1),
    "docs/sharing.md": (4, 0),
    "docs/sklearn.md": (1, 0),
    "docs/transfer.md": (6, 0),
    "docs/tutorials/batches.md": (6, 0),
    "docs/tutorials/cells.md": (7, 0),
    "docs/tutorials/dna.md": (5, 0),
    "docs/tutorials/images.md": (5, 0),
    "docs/tutorials/rare_classes.md": (4, 0),
    "docs/tutorials/sharing.md": (6, 0),
    "docs/tutorials/tables.md": (6, 0),
}
# Pages that make their own files, and the figures that they show.
SELF_CONTAINED = [name for name in RUN if "tutorials" in name or "quickstart" in name]
# Pages whose blocks are read and not run, and why; tests of the features themselves cover what they show.
READ = {
    "docs/augment.md": "files of the reader's own, and the default preset three times",
    "docs/batches.md": "the default preset; the tutorial and tests/cli/test_batches.py cover it",
    "docs/benchmark.md": "nine runs of the default preset",
    "docs/dna.md": "the default preset on letters, twice",
    "docs/images.md": "CIFAR-10, STL-10",
    "docs/index.md": "the quickstart again",
    "docs/tables.md": "a file of the reader's own; tests/cli/test_schema.py covers it",
    "docs/report.md": "the files of two runs; tests/cli/test_report.py covers them",
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


class Outcome(NamedTuple):
    """How a page ran, and where."""

    process: subprocess.CompletedProcess[str]
    folder: Path


@pytest.fixture(scope="module")
def outcomes(
    request: pytest.FixtureRequest, readers_files: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Future[Outcome]]]:
    """Run the pages that tests ask for, one on each core at a time."""
    pinned = hasattr(os, "sched_getaffinity")
    free: SimpleQueue[int] = SimpleQueue()
    for core in sorted(os.sched_getaffinity(0))[:4] if pinned else [0, 1]:
        free.put(core)
    folders = {name: tmp_path_factory.mktemp("page") for name in RUN}

    def run(name: str) -> Outcome:
        if name not in SELF_CONTAINED:
            shutil.copytree(readers_files, folders[name], dirs_exist_ok=True)
        core = free.get()
        done = subprocess.run(
            [
                sys.executable,
                DOCS / "run_page.py",
                PAGES[name],
                "--folder",
                folders[name],
                f"--core={core}",
                *([] if request.config.getoption("--slow") else ["--short"]),
            ],
            capture_output=True,
            text=True,
            encoding="utf-8",
            check=False,
        )
        free.put(core)
        return Outcome(done, folders[name])

    asked = [str(item.callspec.params["name"]) for item in request.session.items if is_run_of_a_page(item)]
    with ThreadPoolExecutor(free.qsize()) as pool:
        yield {name: pool.submit(run, name) for name in asked}
        pool.shutdown(cancel_futures=True)


def is_run_of_a_page(item: pytest.Item) -> TypeGuard[pytest.Function]:
    return isinstance(item, pytest.Function) and item.function is test_blocks_run_in_order_in_a_fresh_folder


@pytest.mark.parametrize("name", [name for name, (n_run, _) in RUN.items() if n_run])
def test_blocks_run_in_order_in_a_fresh_folder(name: str, outcomes: dict[str, Future[Outcome]]) -> None:
    page, (done, folder) = PAGES[name], outcomes[name].result()
    assert done.returncode == 0, f"{done.stdout[-2000:]}\n{done.stderr[-4000:]}"
    assert done.stdout.count(f"--- {page.name}, line ") == RUN[name][0]
    if name in SELF_CONTAINED:
        shown = re.findall(r"\]\((figures/\w+\.png)\)", page.read_text(encoding="utf-8"))
        assert shown != []
        assert [figure for figure in shown if not (page.parent / figure).is_file()] == []
        assert [figure for figure in shown if not (folder / Path(figure).name).is_file()] == []


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
