"""Run the code blocks of a page, in order: `python docs/run_page.py docs/tutorials/cells.md`.

Python blocks of one page share an interpreter, bash blocks run in bash with that interpreter's programs
first on the path, and all of them run in one fresh folder and on one core. With `--figures`, pictures
that the blocks save and the page shows are copied to where the page looks for them.
`tests/docs/test_blocks.py` runs the pages by this file, with `--short`: fits train one epoch a phase, and
commands run in forks of one process. Every block runs then, but prints other numbers than the page shows.

A comment `<!-- not run: REASON -->` before a block says that it cannot run everywhere: an installation, a
cluster.
"""

from __future__ import annotations

import argparse
import os
import re
import shlex
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


def shorten_fits() -> None:
    """Let every fit of this process train one epoch a phase."""
    from diffaug_bio.core import phases

    phases.planned_epochs = lambda *_: 1


def write_short_command(folder: Path) -> None:
    """Write a program `diffaug-bio` whose fits are short."""
    lines = [
        f"#!{sys.executable}",
        "import sys",
        f"sys.path.insert(0, {str(Path(__file__).resolve().parent)!r})",
        "from run_page import shorten_fits",
        "from diffaug_bio.cli.main import main",
        "shorten_fits()",
        "main()",
    ]
    folder.mkdir()
    (folder / "diffaug-bio").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (folder / "diffaug-bio").chmod(0o755)


def plain_commands(code: str) -> list[list[str]]:
    """Split a block into the words of its commands; empty where one of them needs a shell."""
    lines = [shlex.split(line, comments=True) for line in code.replace("\\\n", " ").splitlines()]
    commands = [words for words in lines if words]
    is_plain = all(
        words[0] == "diffaug-bio" and not re.search(r"[|<>$;&*`~]", "".join(words)) for words in commands
    )
    return commands if is_plain else []


def run_forked(words: list[str]) -> None:
    """Run a command in a fork of this process, which spares it seconds of imports."""
    from diffaug_bio import runs, tl  # noqa: F401 - what every command would import
    from diffaug_bio.cli.main import main as command_line

    sys.stdout.flush()
    child = os.fork()
    if not child:
        code = 1
        try:
            sys.argv = words
            command_line()
        except SystemExit as end:
            code = int(end.code or 0)
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)
    if status := os.waitpid(child, 0)[1]:
        raise subprocess.CalledProcessError(os.waitstatus_to_exitcode(status), words)


def run_blocks(page: Path, blocks: list[Block], *, short: bool = False) -> None:
    """Run blocks in this process and folder; the first that fails raises."""
    names: dict[str, object] = {"__name__": "__main__"}
    for block in blocks:
        if block.not_run:
            continue
        where = f"{page.name}, line {block.line}"
        print(f"--- {where}", flush=True)  # noqa: T201
        if block.language == "python":
            exec(compile(block.code, where, "exec"), names)
        elif short and (commands := plain_commands(block.code)):
            for command in commands:
                run_forked(command)
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
    parser.add_argument("--short", action="store_true", help="train one epoch a phase, to test the blocks")
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
        folder = (chosen.folder or Path(temporary, "page")).resolve()
        folder.mkdir(exist_ok=True)
        if chosen.short:
            programs = Path(temporary, "programs")
            write_short_command(programs)
            os.environ["PATH"] = os.pathsep.join([str(programs), os.environ["PATH"]])
            shorten_fits()
        os.chdir(folder)
        sys.path.insert(0, "")
        run_blocks(page, blocks, short=chosen.short)
        if chosen.figures:
            take_figures(page, folder)
        os.chdir(page.parent)


if __name__ == "__main__":
    main()
