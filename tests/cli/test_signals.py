"""Signals end a run cleanly, and a second one at once."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="signals differ")

TAKEN = "from diffaug_bio.cli._signals import Interruption\ntaken = Interruption()\ntaken.install()\n"
READY = "print('ready', flush=True)\n"
CLEANING = (
    f"import time\n{TAKEN}"
    f"try:\n    {READY}    time.sleep(60)\n"
    "except KeyboardInterrupt:\n"
    "    print('cleaning', flush=True)\n    time.sleep(0.3)\n    print('clean')\n"
)
# An endless loop in C that holds the interpreter, as HDF5 has one on a damaged file.
LOOP = f"import collections, itertools\n{TAKEN}{READY}collections.deque(itertools.repeat(0), maxlen=0)"
SWALLOWED = (
    f"import time\n{TAKEN}"
    "class Deaf:\n"
    "    def __del__(self):\n"
    f"        {READY}"
    "        time.sleep(60)\n"
    "import sys\nsys.unraisablehook = lambda _: None\n"
    "deaf = Deaf()\n"
    "del deaf\n"  # what is raised there is ignored
    "try:\n    taken.check()\nexcept KeyboardInterrupt:\n    print(taken.exit_code)\n"
)


@pytest.fixture
def started() -> Iterator[list[subprocess.Popen[str]]]:
    """Processes that are ended with the test."""
    processes: list[subprocess.Popen[str]] = []
    yield processes
    for process in processes:
        process.kill()
        process.communicate()


def start(started: list[subprocess.Popen[str]], code: str) -> subprocess.Popen[str]:
    """Start a program and wait until it is ready."""
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    started.append(process)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def test_a_second_signal_kills_code_in_c_that_holds_the_interpreter(
    started: list[subprocess.Popen[str]],
) -> None:
    process = start(started, LOOP)
    time.sleep(0.3)  # until it is in the loop
    process.send_signal(signal.SIGTERM)
    time.sleep(1.2)
    assert process.poll() is None  # no handler in Python can run there
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=30) == -signal.SIGKILL


def test_a_signal_that_comes_twice_at_once_counts_once(started: list[subprocess.Popen[str]]) -> None:
    process = start(started, CLEANING)
    process.send_signal(signal.SIGTERM)
    assert process.stdout is not None
    assert process.stdout.readline() == "cleaning\n"
    process.send_signal(signal.SIGTERM)  # as `timeout` does
    assert process.communicate(timeout=30)[0] == "clean\n"
    assert process.returncode == 0


def test_what_is_swallowed_is_raised_again(started: list[subprocess.Popen[str]]) -> None:
    process = start(started, SWALLOWED)
    process.send_signal(signal.SIGINT)
    assert process.communicate(timeout=30)[0] == "130\n"


def test_the_watcher_ends_with_the_program_and_holds_no_pipe(
    started: list[subprocess.Popen[str]],
) -> None:
    process = start(started, f"import os\n{TAKEN}{READY}print(taken._watcher[0], flush=True)\nos._exit(0)")
    out = process.communicate(timeout=30)[0]  # ends only when all who hold the pipe have ended
    state = ["ps", "-o", "stat=", "-p", out.strip()]
    for _ in range(100):
        if subprocess.run(state, capture_output=True, text=True, check=False).stdout.strip()[:1] in "Z":
            return  # gone, or dead
        time.sleep(0.05)
    pytest.fail("the watcher is still there")


@pytest.mark.parametrize(
    ("number", "code", "module"), [(signal.SIGTERM, 143, "numpy"), (signal.SIGINT, 130, "torch")]
)
def test_a_signal_during_imports_ends_in_a_line(
    tmp_path: Path, number: signal.Signals, code: int, module: str
) -> None:
    command = [sys.executable, "-X", "importtime", "-m", "diffaug_bio.cli", "fit", "recipe:pbmc68k"]
    process = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    next(line for line in process.stderr if module in line)
    process.send_signal(number)
    err = process.communicate(timeout=60)[1]
    assert process.returncode == code
    assert "Interrupted; nothing was written." in err.splitlines()
    assert "warm-up" not in err
    assert "Traceback" not in err
    assert list(tmp_path.iterdir()) == []


def test_ignored_signals_stay_ignored() -> None:
    code = (
        f"import signal\nsignal.signal(signal.SIGHUP, signal.SIG_IGN)\n{TAKEN}"
        "print(signal.getsignal(signal.SIGHUP) == signal.SIG_IGN)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout == "True\n"
