"""Kill commands at random moments, and look at what they leave.

    python -m tests.robustness.kills --kills 100

After each kill, whatever has its final name is whole: the output is absent, that of the run before, or
that of this run. After the next run it is whole and new, and no stage is left. Exit code 1 otherwise.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import multiprocessing
import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import anndata
import click
import numpy as np
import pandas as pd
from scipy import sparse

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]

SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
_IMPORTED = (
    "torch",
    "scanpy",
    "sklearn.linear_model",
    "igraph",
    "diffaug_bio.cli.main",
    "diffaug_bio.runs",
)
_LAST_OF_ALL = 120.0  # seconds after which a process that was told to end counts as hanging
_CONFIG = """
[encoder]
n_latent = 4
hidden = [8]
projector_hidden = [8]
n_projection = 4
[generator]
width = 8
n_blocks = 1
n_steps = 20
n_sampling_steps = 3
[train]
warmup_epochs = 2
generator_epochs = 2
encoder_epochs = 2
min_steps = 2
"""


class Command(NamedTuple):
    """A command, and what it writes."""

    name: str
    arguments: tuple[str, ...]
    output: str


COMMANDS = (
    Command("fit", ("fit", "cells.h5ad", "--config", "tiny.toml", "--label-key", "kind"), "out"),
    Command("embed", ("embed", "cells.h5ad", "--model", "run/model"), "out"),
    Command("transfer", ("transfer", "cells.h5ad", "--model", "run", "--label-key", "kind"), "out"),
    Command("augment", ("augment", "cells.h5ad", "--model", "run/model"), "out.h5ad"),
)


class Killed(NamedTuple):
    """One kill, and what was found after it and after the next run."""

    number: int
    command: str
    signal: str
    after: str
    """Seconds from the start, and whether there was an output of an earlier run."""
    found: str
    """The output after the kill: absent, whole, or in the middle of being replaced."""
    wrong: str
    """What should not be; empty if all is well."""


def prepare(folder: Path) -> None:
    """Write data, and fit the model that other commands use."""
    rng = np.random.default_rng(0)
    rates = rng.gamma(1.0, 1.0, size=(3, 30))
    matrix = rng.poisson(rates[np.arange(60) % 3]).astype(np.float32)
    obs = pd.DataFrame(
        {"kind": [f"k{number % 3}" for number in range(60)]}, index=[f"c{number}" for number in range(60)]
    )
    var = pd.DataFrame(index=[f"g{number}" for number in range(30)])
    anndata.AnnData(X=sparse.csr_matrix(matrix), obs=obs, var=var).write_h5ad(folder / "cells.h5ad")
    (folder / "tiny.toml").write_text(_CONFIG, encoding="utf-8")
    fit = ("fit", "cells.h5ad", "--config", "tiny.toml", "--label-key", "kind", "--no-report", "-o", "run")
    run = _Process(folder, fit, fresh=False)
    if run.wait() != 0:
        msg = f"The model was not made: {run.said}"
        raise RuntimeError(msg)


def kill_some(folder: Path, n_kills: int, *, seed: int = 0, reports: bool = True) -> Iterator[Killed]:
    """Kill commands, each followed by a run that ends.

    Parameters
    ----------
    folder
        What :func:`prepare` filled.
    n_kills
        How many.
    seed
        Of the moments.
    reports
        Whether every other fit draws its report.
    """
    draw = random.Random(seed)
    seconds: dict[str, float] = {}
    for number in range(n_kills):
        command = COMMANDS[number % len(COMMANDS)]
        sent = SIGNALS[(number // len(COMMANDS) + number) % len(SIGNALS)]
        arguments = command.arguments
        if command.name == "fit" and not (reports and number % 8 == 0):
            arguments += ("--no-report",)
        place = folder / f"place-{command.name}"
        place.mkdir(exist_ok=True)
        output = place / command.output
        call = (*arguments, "-o", str(output), "--force", "--threads", "1")
        had_output = output.exists()
        before = _contents(output)
        fresh = number % 5 == 4  # then a signal may come during imports, too
        # Half of them late, where files get their names.
        share = draw.uniform(0.0, 1.0) if draw.random() < 0.5 else draw.uniform(0.8, 1.05)
        moment = share * seconds.get(command.name, 1.0) + fresh * draw.uniform(0.0, 4.0)
        process = _Process(folder, call, fresh=fresh)
        ended = _end(process, sent, moment)
        found, wrong = _state(output, before)
        has_traceback = "Traceback" in process.said and sent != signal.SIGKILL
        said = f"a traceback: {process.said[-300:]!r}" if has_traceback else ""
        start = time.monotonic()
        again = _Process(folder, call, fresh=False)
        left = _after_next(place, output, again.wait(), again.said)
        seconds[command.name] = time.monotonic() - start
        wrong = "; ".join(filter(None, (wrong, said, ended, left)))
        when = f"{moment:.2f} s, {'over an earlier output' if had_output else 'into nothing'}"
        yield Killed(number, command.name, sent.name, when, found, wrong)


class _Process:
    """A command in a child: forked from a process that has imported all, or started as a user would."""

    def __init__(self, folder: Path, arguments: tuple[str, ...], *, fresh: bool) -> None:
        self._said = folder / "said.txt"
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(list(_IMPORTED))
        self._child = context.Process(target=_run, args=(folder, arguments, self._said, fresh))
        self._child.start()

    def wait(self, seconds: float | None = None) -> int | None:
        """Wait for the end, and give the exit code; None if it goes on."""
        self._child.join(seconds)
        return self._child.exitcode

    def send(self, sent: int) -> None:
        """Send a signal."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self._child.pid or 0, sent)

    @property
    def said(self) -> str:
        """What came to standard error."""
        return self._said.read_text(encoding="utf-8", errors="replace") if self._said.exists() else ""


def _run(folder: Path, arguments: tuple[str, ...], said: Path, fresh: bool) -> None:  # noqa: FBT001
    """Run a command in a child."""
    os.chdir(folder)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    os.dup2(os.open(said, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), 2)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell may start jobs that ignore it
    if fresh:
        os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
        os.execv(sys.executable, [sys.executable, "-m", "diffaug_bio.cli", *arguments])
    from diffaug_bio.cli.main import main as command_line

    sys.argv = ["diffaug-bio", *arguments]
    command_line()


def _end(process: _Process, sent: signal.Signals, moment: float) -> str:
    """Send a signal at a moment; says what was wrong with the end."""
    code = process.wait(moment)
    if code is not None:
        return "" if code == 0 else f"exit {code} without a signal: {process.said[-300:]!r}"
    process.send(sent)
    code = process.wait(_LAST_OF_ALL)
    if code is None:
        process.send(signal.SIGKILL)
        process.wait()
        return f"{sent.name} did not end it"
    # A signal that comes before the command line is there ends it as it ends any process.
    expected = {0, -sent} if sent == signal.SIGKILL else {0, 128 + sent, -sent}
    return "" if code in expected else f"exit {code} after {sent.name}: {process.said[-300:]!r}"


def _contents(output: Path) -> dict[str, str]:
    """Hash what has its final name; hidden files are not looked at."""
    files = [output] if output.is_file() else [path for path in output.rglob("*") if path.is_file()]
    return {
        str(path.relative_to(output.parent)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in files
        if not any(part.startswith(".diffaug-bio.") for part in path.parts)
    }


def _state(output: Path, before: dict[str, str]) -> tuple[str, str]:
    """Say what an output is after a kill, and what is wrong with it."""
    now = _contents(output)
    if not now and not before:
        return "absent", ""
    if now == before:
        return "as before", ""
    if list(output.glob(".diffaug-bio.*/journal.json")):
        return "being replaced", ""
    wrong = _not_whole(output)
    return ("new" if not wrong else "broken"), wrong


def _not_whole(output: Path) -> str:
    """Say in what an output is not what its own record says; of a single file, what reading it says."""
    if output.is_file():
        try:
            return "" if anndata.read_h5ad(output).n_obs == 60 else "another number of rows"
        except Exception as error:  # noqa: BLE001 - whatever it is, the file is not whole
            return f"cannot be read: {error}"
    if not output.exists():
        return "what was there is gone"
    try:
        record: dict[str, Any] = json.loads((output / "files.json").read_text(encoding="utf-8"))["files"]
    except (OSError, ValueError, KeyError) as error:
        return f"no record: {error!r}"
    found = {name.partition("/")[2]: digest for name, digest in _contents(output).items()}
    listed = {name: entry["sha256"] for name, entry in record.items()}
    others = {name for name in set(found) | set(listed) if found.get(name) != listed.get(name)}
    return f"not as recorded: {sorted(others)}" if (others := others - {"files.json"}) else ""


def _after_next(place: Path, output: Path, code: int | None, said: str) -> str:
    """Say what is wrong after a run that was left alone."""
    left = [path.name for path in place.rglob(".diffaug-bio.*")]
    faults = (
        f"the next run ended in {code}: {said[-300:]!r}" if code != 0 else "",
        f"after the next run: {broken}" if (broken := _not_whole(output)) else "",
        f"left: {left}" if left else "",
    )
    return "; ".join(filter(None, faults))


def main() -> int:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--kills", type=int, default=100, help="how many [100]")
    parser.add_argument("--seed", type=int, default=0, help="of the moments [0]")
    options = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"
    outcomes: Counter[tuple[str, str]] = Counter()
    n_wrong = 0
    with tempfile.TemporaryDirectory(prefix="kills.") as folder:
        prepare(Path(folder))
        for killed in kill_some(Path(folder), options.kills, seed=options.seed):
            outcomes[killed.signal, killed.found] += 1
            n_wrong += bool(killed.wrong)
            click.echo(" | ".join(map(str, killed)))
    for (name, found), count in sorted(outcomes.items()):
        click.echo(f"{name}, output {found}: {count}")
    click.echo(f"{options.kills} kills, {n_wrong} wrong")
    return int(n_wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
