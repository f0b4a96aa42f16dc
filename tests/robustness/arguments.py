"""Cases of command lines: the real commands with options that are odd, missing, or at odds."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import io
import logging
import shutil
import signal
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import torch

from diffaug_bio.cli.main import group, main
from diffaug_bio.errors import InputError
from tests.robustness.h5ad import MODEL, base_files
from tests.robustness.harness import SilentlyWrongError, UnclearError, UnforeseenError, is_clear
from tests.robustness.mutate import one_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np

_TINY = """
[features]
n_components = 3
[encoder]
n_latent = 3
hidden = [4]
projector_hidden = [4]
n_projection = 2
[generator]
width = 4
n_blocks = 1
n_steps = 5
n_sampling_steps = 2
[train]
warmup_epochs = 1
generator_epochs = 1
encoder_epochs = 1
min_steps = 1
"""
_COMMANDS = (
    *("fit", "embed", "embed", "transfer", "transfer", "augment", "augment", "evaluate", "evaluate"),
    "info",
)
_SELDOM = (
    ("report",),
    ("benchmark",),
    ("recipes", "show"),
    ("recipes", "list"),
    ("recipes", "fetch"),
    ("x",),
    (),
)
_NUMBERS = (
    "1",
    "2",
    "3",
    "0",
    "-1",
    "100000",
    "100000000",
    "1" + "0" * 20,
    "1.5",
    "x",
    "",
    "9" * 500,
    "nan",
    "1e3",
)
_FLOATS = ("1", "0.5", "0", "-1", "1e300", "1e400", "nan", "inf", "x", "")
_TEXTS = (
    "label",
    "kind",
    "X_pca",
    "counts",
    "length",
    "",
    "x",
    "\x1b[31m",
    "a\nb",
    "ä",
    "-",
    "--",
    "\udcff",
    "x" * 500,
)
_PATHS = (
    *(
        "data/cells.csv",
        "data/cells.h5ad",
        "data/cells.h5ad",
        "data/dna.fa",
        "data/model",
        "run",
        "run/model",
    ),
    *(
        "data/tiny.toml",
        "data/empty.csv",
        "data/broken.h5ad",
        "data",
        "nothing.csv",
        "data/M\udcfcller.csv",
        "/dev/null",
    ),
    *("recipe:x", "recipe:", "", ".", "a\nb.csv", "data/cells.csv/x", "x" * 300, "\x1b[31m.csv", "-"),
)
_OUTPUTS = (
    *(
        "out",
        "out",
        "out",
        "new/out",
        "run",
        "data",
        "data/cells.csv",
        "data/model",
        "run/model",
        "taken",
        "file.txt",
    ),
    *("", ".", "/proc/x", "out.h5ad", "out.csv", "o\udcfft", "a\nb", "x" * 300, "file.txt/out", "link"),
)
_DATA = {"embed": "data/cells.h5ad", "transfer": "data/cells.h5ad", "augment": "data/cells.h5ad"}


@functools.cache
def _base() -> Path:
    """Make the files that commands read, and a run folder, once for all cases of this process."""
    folder = Path(tempfile.mkdtemp(dir=Path.cwd()))
    data = folder / "data"
    data.mkdir()
    (data / "cells.h5ad").write_bytes(base_files()[0])
    rows = [f"s{number},c{number % 2},{number},{number**2 % 7},{number % 5}" for number in range(14)]
    (data / "cells.csv").write_text("\n".join(["id,label,f0,f1,f2", *rows]))
    shutil.copy(data / "cells.csv", data / "M\udcfcller.csv")
    (data / "dna.fa").write_text("".join(f">s{number}\n{'ACGT' * (3 + number)}\n" for number in range(9)))
    (data / "empty.csv").touch()
    (data / "broken.h5ad").write_bytes(base_files()[0][:3000])
    (data / "tiny.toml").write_text(_TINY)
    shutil.copytree(MODEL, data / "model")
    with contextlib.chdir(folder):
        fit = ("fit", "data/cells.h5ad", "-o", "run", "--config", "data/tiny.toml", "--no-report")
        if (ended := _call(*fit))[0] != 0:
            msg = f"The run folder of all cases was not made: {ended}"
            raise RuntimeError(msg)
    return folder


def arguments_case(rng: np.random.Generator, folder: Path) -> None:
    """Call a command as it was drawn; it ends in order, and nobody's files are changed."""
    shutil.copytree(_base(), folder, dirs_exist_ok=True)
    (folder / "taken").mkdir()
    (folder / "taken" / "labels.csv").write_text("mine")
    (folder / "file.txt").write_text("mine")
    (folder / "link").symlink_to("taken")
    before = _digests(folder)
    call = _drawn(rng)
    with contextlib.chdir(folder):
        code, output = _call(*call)
    if before != (after := _digests(folder)):
        lost = sorted(name for name, digest in before.items() if after.get(name) != digest)
        msg = f"{call} changed {lost or sorted(set(after) - set(before))}"
        raise SilentlyWrongError(msg)
    if left := [path.name for path in folder.rglob(".diffaug-bio.*")]:
        msg = f"{call} left {left}"
        raise SilentlyWrongError(msg)
    _judge(call, code, output)


def _digests(folder: Path) -> dict[str, str]:
    """Tell what the files are that no command may change."""
    kept = [folder / "file.txt", *(folder / "taken").rglob("*"), *(folder / "data").rglob("*")]
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in kept
        if path.is_file()
    }


def _judge(call: tuple[str, ...], code: object, output: str) -> None:
    """Refuse an exit code that means nothing, a traceback, and an error that is no sentence."""
    lines = output.strip().splitlines()
    last = lines[-1] if lines else ""
    if code not in {0, 1, 2} or "Traceback" in output:
        msg = f"{call} ended in {code}: {output[-300:]!r}"
        raise UnforeseenError(msg)
    if code == 0 or not call:  # without a command it shows its help
        return
    if "nexpected error" in last or last.lower().startswith("error: unexpected"):
        msg = f"{call}: {last}"
        raise UnforeseenError(msg)
    message = output[output.rindex("Error:") :].strip() if "Error:" in output else ""
    if not is_clear(message):
        msg = f"{call}: {output[-300:]!r}"
        raise UnclearError(msg)
    raise InputError(message)


def _call(*arguments: str) -> tuple[object, str]:
    """Call the command line in this process, and put the log, signals and threads back."""
    logger = logging.getLogger("diffaug_bio")
    handlers, on_stop = list(logger.handlers), signal.getsignal(signal.SIGTERM)
    before, sys.argv = sys.argv, ["diffaug-bio", *arguments]
    said = io.StringIO()
    try:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(said):
            main()
    except SystemExit as ended:
        return ended.code, said.getvalue()
    finally:
        sys.argv = before
        logger.handlers[:] = handlers
        signal.signal(signal.SIGTERM, on_stop)
        torch.set_num_threads(1)
    return None, said.getvalue()


def _drawn(rng: np.random.Generator) -> tuple[str, ...]:
    """Draw a command and its options."""
    words = (one_of(rng, _COMMANDS),) if rng.random() < 0.9 else one_of(rng, _SELDOM)
    command: click.Command | None = group
    for word in words:
        command = (
            command.get_command(click.Context(group), word) if isinstance(command, click.Group) else None
        )
    if command is None:
        return (*words, one_of(rng, ("", "--help", "-x", "\udcff")))
    call = list(words)
    for parameter in command.params:
        call += _of_parameter(parameter, words[0] if words else "", rng)
    if words[:1] == ("fit",):
        call += ["--no-report", *(["--config", "data/tiny.toml"] if "--config" not in call else [])]
    if words[:1] == ("benchmark",):
        call += ["--methods", one_of(rng, ("x", "pca,x", ""))]
    if rng.random() < 0.05:
        call.insert(
            int(rng.integers(len(call) + 1)),
            one_of(rng, ("--debugg", "--", "-", "--force=1", "\0x", "extra")),
        )
    return tuple(call)


def _of_parameter(parameter: click.Parameter, command: str, rng: np.random.Generator) -> Iterator[str]:
    """Draw an option: mostly left out or usual if it has to be there, now and then odd."""
    name = str(parameter.name)
    if isinstance(parameter, click.Argument):
        yield one_of(rng, _PATHS) if rng.random() < 0.4 else _usual(name, command)
        return
    if rng.random() > (0.97 if parameter.required or name == "output" else 0.08):
        return
    yield one_of(rng, parameter.opts)
    if isinstance(parameter, click.Option) and parameter.is_flag:
        return
    is_usual = parameter.required or name == "output"
    yield _usual(name, command) if is_usual and rng.random() < 0.7 else _value(name, parameter.type, rng)


def _usual(name: str, command: str) -> str:
    """Give what is right for a parameter that has to be there."""
    usual = {
        "model": "data/model",
        "reference": "data/cells.h5ad",
        "output": "out",
        "name": "x",
        "run": "run",
    }
    if command in {"info"}:
        return "run/model"
    if command == "evaluate" and name == "data":
        return "run"
    if command == "augment" and name == "output":
        return "out.h5ad"
    return "kind" if "label" in name else usual.get(name, _DATA.get(command, "data/cells.csv"))


def _value(name: str, kind: Any, rng: np.random.Generator) -> str:  # noqa: PLR0911
    """Draw a value of a type, now and then one of another type."""
    if rng.random() < 0.1:
        return str(one_of(rng, _TEXTS + _NUMBERS))
    if name == "output":
        return str(one_of(rng, _OUTPUTS))
    if name == "device":
        return str(one_of(rng, ("cpu", "cpu", "auto", "cuda", "cuda:99", "meta", "x", "", "mps", "cpu:0")))
    if name == "threads":
        return str(one_of(rng, ("1", "2", "0", "-1", "1" + "0" * 20, "x", "")))
    if isinstance(kind, click.Choice):
        return str(one_of(rng, (*map(str, kind.choices), "x")))
    if isinstance(kind, click.Path) or name in {"data", "reference", "model", "config"}:
        return str(one_of(rng, _PATHS))
    if isinstance(kind, click.types.IntParamType):
        return str(one_of(rng, _NUMBERS))
    if isinstance(kind, click.types.FloatParamType):
        return str(one_of(rng, _FLOATS))
    if name == "k":
        return str(one_of(rng, ("4", "3,4", "0", "9", "99", "4,4", ",", "4,", "-1", "x", "9" * 500)))
    return str(one_of(rng, _TEXTS))
