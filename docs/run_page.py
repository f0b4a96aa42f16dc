"""Run the code blocks of a page, in order: `python docs/run_page.py docs/tutorials/cells.md`.

Python blocks of one page share an interpreter, bash blocks run in bash with that interpreter's programs
first on the path, and all of them run in one fresh folder and on one core. With `--figures`, pictures
that the blocks save and the page shows are copied to where the page looks for them.
`tests/docs/test_blocks.py` runs the pages by this file.

A comment `<!-- not run: REASON -->` before a block says that it cannot run everywhere: an installation, a
cluster.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from markdown_it import MarkdownIt

LANGUAGES = ("bash", "python")
_NOT_RUN = re.compile(r"<!-- not run: (.+?) -->")
_FIGURE = re.compile(r"!\[[^\]]*\]\((figures/[^)]+\.png)\)")


@dataclass(frozen=True, slots=True)
class Block:
    """A block of code that readers may run."""

    language: str
    """`"bash"` or `"python"`."""
    code: str
    """What stands in it."""
    line: int
    """Of the page, where its code starts."""
    not_run: str = ""
    """Why it does not run here."""


def read_blocks(page: Path) -> list[Block]:
    """Find the blocks of a page, and why some of them are not run."""
    blocks: list[Block] = []
    reason = ""
    for token in MarkdownIt().parse(page.read_text(encoding="utf-8")):
        if token.type == "html_block":
            found = _NOT_RUN.search(token.content)
            reason = found[1] if found else reason
            continue
        if token.type == "fence" and token.info in LANGUAGES:
            line = token.map[0] + 2 if token.map else 0
            blocks.append(Block(token.info, token.content, line, reason))
        reason = ""
    return blocks


def run_blocks(page: Path, blocks: list[Block]) -> None:
    """Run blocks in this process and folder; the first that fails raises."""
    names: dict[str, object] = {"__name__": "__main__"}
    for block in blocks:
        if block.not_run:
            continue
        where = f"{page.name}, line {block.line}"
        print(f"--- {where}", flush=True)  # noqa: T201
        if block.language == "python":
            exec(compile(block.code, where, "exec"), names)
        else:
            subprocess.run(["bash", "-euo", "pipefail", "-c", block.code], check=True)


def take_figures(page: Path, folder: Path) -> None:
    """Copy the pictures that the page shows to where it looks for them."""
    for name in _FIGURE.findall(page.read_text(encoding="utf-8")):
        made = folder / Path(name).name
        if made.is_file():
            (page.parent / name).parent.mkdir(exist_ok=True)
            shutil.copyfile(made, page.parent / name)


def main() -> None:
    """Run a page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("page", type=Path)
    parser.add_argument("--folder", type=Path, help="run there and keep it, not in a temporary folder")
    parser.add_argument("--figures", action="store_true", help="copy pictures into the page's folder")
    parser.add_argument("--core", type=int, help="run on this core, where the system has a say in that")
    chosen = parser.parse_args()
    page = chosen.page.resolve()
    blocks = read_blocks(page)
    os.environ["MPLBACKEND"] = "Agg"
    os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    if hasattr(os, "sched_setaffinity"):  # the same bits on any machine, and no threads that wait
        core = min(os.sched_getaffinity(0)) if chosen.core is None else chosen.core
        os.sched_setaffinity(0, {core})
    with tempfile.TemporaryDirectory() as temporary:
        folder = (chosen.folder or Path(temporary)).resolve()
        os.chdir(folder)
        sys.path.insert(0, "")
        run_blocks(page, blocks)
        if chosen.figures:
            take_figures(page, folder)
        os.chdir(page.parent)


if __name__ == "__main__":
    main()
