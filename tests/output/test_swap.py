"""Runs that are killed: nothing is lost, and the next run removes or finishes what they left."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from diffaug_bio import report
from diffaug_bio.errors import CheckpointError, DiffAugError, InputError
from diffaug_bio.model.folder import find_model
from diffaug_bio.output.digest import digest
from diffaug_bio.output.files import added_files, check_addable, staged_file, staged_folder
from diffaug_bio.output.ownership import Written, not_ours, write_record
from diffaug_bio.output.stages import remove_abandoned, stages_in
from diffaug_bio.output.swap import sync, unfinished

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.skipif(os.name != "posix", reason="kills processes as POSIX does")

OLD = {"a": "old", "b": "old", "model/config.json": "old", "model/gone.txt": "old"}
NEW = {"a": "new", "c": "new", "model/config.json": "new"}

# A forked process for each move of a file, which dies instead of making it, until one makes all of them.
KILLED = """
import os, signal, sys
from pathlib import Path
from diffaug_bio.output.files import added_files, staged_folder

def fill(folder, files):
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)

def work(target, killed_at):
    rename, calls = Path.rename, []
    def dying(self, *names):
        calls.append(self)
        if len(calls) == killed_at:
            os.kill(os.getpid(), signal.SIGKILL)
        return rename(self, *names)
    with OPENED as stage:
        fill(stage, NEW)
        Path.rename = dying

for number in range(1, 100):
    target = Path(sys.argv[1], str(number), "run")
    with staged_folder(target, overwrite=False) as stage:
        fill(stage, OLD)
    child = os.fork()
    if not child:
        work(target, number)
        os._exit(0)
    if not os.waitpid(child, 0)[1]:
        break
"""


def kill_at_every_move(place: Path, opened: str) -> Path:
    """Make folders into which a run was killed, one for each move of a file."""
    script = KILLED.replace("OPENED", opened).replace("OLD", repr(OLD)).replace("NEW", repr(NEW))
    subprocess.run([sys.executable, "-c", script, str(place)], check=True, timeout=60)
    return place


@pytest.fixture(scope="module")
def killed_runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return kill_at_every_move(tmp_path_factory.mktemp("killed"), "staged_folder(target, overwrite=True)")


@pytest.fixture
def killed(killed_runs: Path, tmp_path: Path) -> list[Path]:
    """Folders in which a run that replaced all was killed, one for each move of a file."""
    return runs_in(shutil.copytree(killed_runs, tmp_path / "killed"))


def runs_in(place: Path) -> list[Path]:
    """Sort the folders by the move at which the run was killed; the last run was not."""
    folders = sorted((path / "run" for path in place.iterdir()), key=lambda path: int(path.parent.name))
    assert len(folders) > 6
    assert not stages_in(folders.pop())
    return folders


def texts(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): path.read_text()
        for path in folder.rglob("*")
        if path.is_file() and path.name != "files.json"
    }


def everywhere(folder: Path) -> set[tuple[str, str]]:
    """Names and contents of all files, those in stages included."""
    files = [path for path in folder.rglob("*") if path.is_file() and path.name != ".diffaug-bio.lock"]
    return {(path.name, path.read_text()) for path in files}


def start(target: Path, *, overwrite: bool) -> None:
    """Start a run that ends before it writes anything."""
    with contextlib.suppress(RuntimeError), staged_folder(target, overwrite=overwrite):
        raise RuntimeError


def test_a_run_killed_while_it_replaces_a_folder_is_finished_by_the_next(killed: list[Path]) -> None:
    states = []
    for target in killed:
        held = everywhere(target)
        assert {(name.rpartition("/")[2], text) for name, text in {**OLD}.items()} <= held
        assert {(name.rpartition("/")[2], text) for name, text in {**NEW}.items()} <= held
        was_begun = unfinished(target) is not None
        with pytest.raises(InputError, match="exists already"):
            start(target, overwrite=False)
        assert texts(target) == (NEW if was_begun else OLD)
        assert not_ours(target) == []
        assert not list(target.glob(".*"))
        states.append(was_begun)
    assert states == sorted(states)
    assert sum(states) >= len(OLD) + len(NEW)


def test_a_run_killed_while_it_adds_files_is_finished_by_the_next(tmp_path: Path) -> None:
    for target in runs_in(kill_at_every_move(tmp_path, "added_files(target)")):
        was_begun = unfinished(target) is not None
        with added_files(target):
            pass
        assert texts(target) == ({**OLD, **NEW} if was_begun else OLD)
        assert not_ours(target) == []
        assert not list(target.glob(".*"))


def test_reading_a_folder_whose_files_were_changing_places_says_so(killed: list[Path]) -> None:
    for target in filter(unfinished, killed):
        for folder in (target, target / "model"):
            with pytest.raises(CheckpointError, match=r"cut off .*`diffaug-bio report \S+run`"):
                find_model(folder)


@pytest.mark.parametrize("name", ["a", "c"])
def test_files_that_came_after_a_run_was_killed_are_kept(killed: list[Path], name: str) -> None:
    for target in filter(unfinished, killed):
        (target / name).write_text("the user's")
        held = everywhere(target)
        with pytest.raises(InputError, match=rf"'{name}'"):
            start(target, overwrite=True)
        assert (target / name).read_text() == "the user's"
        assert everywhere(target) >= {(name, text) for name, text in held if text in {"new", "the user's"}}


def test_what_was_cut_off_is_said(killed: list[Path], caplog: pytest.LogCaptureFixture) -> None:
    target = next(filter(unfinished, killed))
    start(target, overwrite=True)
    assert f"An earlier run into {target} was cut off" in caplog.text


BUSY = """
import sys, time
from pathlib import Path
from diffaug_bio.output.files import added_files, staged_file, staged_folder

target = Path(sys.argv[1])
with OPENED as stage:
    (stage / "a" if stage.is_dir() else stage).write_text("half")
    print("at work", flush=True)
    time.sleep(60)
"""


@contextlib.contextmanager
def busy(target: Path, opened: str) -> Iterator[subprocess.Popen[str]]:
    """A process in the middle of writing."""
    script = textwrap.dedent(BUSY).replace("OPENED", opened)
    with subprocess.Popen(
        [sys.executable, "-c", script, str(target)], stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "at work\n"
            yield process
        finally:
            process.kill()


def test_stages_of_dead_processes_are_removed_and_those_of_living_ones_are_not(tmp_path: Path) -> None:
    target = tmp_path / "run"
    with busy(target, "staged_folder(target, overwrite=False)") as living:
        with busy(tmp_path / "x.csv", "staged_file(target)") as dead:
            assert len(stages_in(tmp_path)) == 2
            dead.send_signal(signal.SIGKILL)
            dead.wait()
        with staged_file(tmp_path / "other.csv") as stage:
            stage.write_text("whole")
        [left] = stages_in(tmp_path)
        assert (left.new / "a").read_text() == "half"
        living.send_signal(signal.SIGKILL)
        living.wait()
    with staged_folder(target, overwrite=False) as stage:
        (stage / "a").write_text("whole")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["other.csv", "run"]


def test_a_stage_that_a_run_left_within_a_folder_is_no_content_of_it(tmp_path: Path) -> None:
    target = tmp_path / "run"
    target.mkdir()
    with busy(target, "staged_folder(target, overwrite=False)") as process:
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert stages_in(target)
    with staged_folder(target, overwrite=False) as stage:
        (stage / "a").write_text("whole")
    assert texts(target) == {"a": "whole"}
    assert not list(target.glob(".*"))


def test_a_stage_of_another_machine_is_kept_while_it_is_young(tmp_path: Path) -> None:
    with busy(tmp_path / "run", "staged_folder(target, overwrite=False)") as process:
        process.send_signal(signal.SIGKILL)
        process.wait()
    [stage] = stages_in(tmp_path)
    (stage.folder / "lock").write_bytes(b"another machine")
    with staged_file(tmp_path / "other.csv") as file:
        file.write_text("whole")
    assert stages_in(tmp_path) == [stage]
    for path in [*stage.folder.rglob("*"), stage.folder]:
        os.utime(path, (0, 0))
    with staged_file(tmp_path / "other.csv") as file:
        file.write_text("whole")
    assert stages_in(tmp_path) == []


def test_an_interrupt_at_any_move_brings_all_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rename = Path.rename
    for number in range(1, 100):
        target = tmp_path / str(number)
        with staged_folder(target, overwrite=False) as stage:
            (stage / "a").write_text("old")
            (stage / "model").mkdir()
            (stage / "model" / "b").write_text("old")
        calls: list[Path] = []

        def interrupted(self: Path, name: Path, at: int = number, calls: list[Path] = calls) -> Path:
            moved = rename(self, name)
            calls.append(self)
            if len(calls) == at:  # it was made, but nobody could note it
                raise KeyboardInterrupt
            return moved

        try:
            with staged_folder(target, overwrite=True) as stage:
                (stage / "a").write_text("new")
                monkeypatch.setattr(Path, "rename", interrupted)
        except KeyboardInterrupt:
            monkeypatch.undo()
            assert texts(target) == {"a": "old", "model/b": "old"}
            assert not_ours(target) == []
            assert not list(target.glob(".*"))
        else:
            monkeypatch.undo()
            assert texts(target) == {"a": "new"}
            assert number > 5
            return


def plant(run: Path, journal: str, *, folder: str = ".diffaug-bio.evil") -> Path:
    """Make a stage as a folder from a stranger may hold it, whose process seems to be dead."""
    stage = run / folder
    for name in ("new", "old"):
        (stage / name).mkdir(parents=True)
        (stage / name / "evil.sh").write_text("evil")
    (stage / "evil.sh").write_text("evil")
    (stage / "lock").touch()
    (stage / "journal.json").write_text(journal)
    return stage


@pytest.mark.parametrize(
    "journal",
    [
        '{"out": [], "into": ["../../evil.sh"]}',
        '{"out": [], "into": ["ABSOLUTE"]}',
        '{"out": [], "into": ["link/evil.sh"]}',
        '{"out": ["../precious.txt"], "into": []}',
        '{"out": ["link/precious.txt"], "into": []}',
        '{"out": 5, "into": []}',
        '{"out": [5], "into": []}',
        '{"into": []}',
        "[]",
        "",
        '{"out": [], "into": ["\\u0000"]}',
        "[" * 100_000,
    ],
)
def test_a_journal_from_a_stranger_moves_nothing(tmp_path: Path, journal: str) -> None:
    run = tmp_path / "run"
    (tmp_path / "precious.txt").write_text("years of work")
    with staged_folder(run, overwrite=False) as stage:
        (stage / "a").write_text("old")
    record = {"precious.txt": Written(*digest(tmp_path / "precious.txt"))}
    evil = plant(run, journal.replace("ABSOLUTE", str(tmp_path / "evil.sh")))
    write_record(evil / "old", {**record, "../precious.txt": record["precious.txt"]})
    (run / "link").symlink_to(tmp_path)
    (evil / "new" / "link").mkdir()
    (evil / "new" / "link" / "evil.sh").write_text("evil")
    before = everywhere(tmp_path)
    for _ in range(2):
        with pytest.raises(InputError, match=r"\.diffaug-bio\.evil"):
            start(run, overwrite=True)
    assert everywhere(tmp_path) == before
    assert {path.name for path in tmp_path.iterdir()} == {"run", "precious.txt"}


@pytest.mark.parametrize("place", ["new", "old"])
def test_a_stage_from_a_stranger_with_a_link_moves_nothing(tmp_path: Path, place: str) -> None:
    run = tmp_path / "run"
    with staged_folder(run, overwrite=False) as stage:
        (stage / "a").write_text("old")
    evil = plant(run, '{"out": ["a"], "into": ["precious.txt"]}')
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "precious.txt").write_text("years of work")
    shutil.rmtree(evil / place)
    (evil / place).symlink_to(tmp_path / "home")
    with pytest.raises(InputError, match=r"\.diffaug-bio\.evil"):
        start(run, overwrite=True)
    assert {path.name for path in (tmp_path / "home").iterdir()} == {"precious.txt"}
    assert (run / "a").read_text() == "old"


def test_the_remedy_for_a_folder_that_a_killed_run_left_puts_it_in_order(killed: list[Path]) -> None:
    target = next(filter(unfinished, killed))
    with pytest.raises(CheckpointError, match=rf"`diffaug-bio report {target}`"):
        find_model(target)
    with pytest.raises(DiffAugError):  # there is no run to report on
        report.write_report(target)
    assert texts(target) == NEW
    assert not unfinished(target)


OPEN = Path("/proc/self/fd")


def is_open(name: str) -> bool:
    return any(path.is_symlink() and path.readlink().name == name for path in OPEN.iterdir())


@pytest.mark.skipif(not OPEN.is_dir(), reason="looks which files are open")
def test_a_stage_is_removed_where_no_file_is_that_is_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plant(tmp_path, "")
    (tmp_path / ".diffaug-bio.evil" / "journal.json").unlink()
    unlink = os.unlink

    def as_windows_does(path: str, *, dir_fd: int | None = None) -> None:
        if is_open(str(path).rpartition("/")[2]):
            raise PermissionError
        unlink(path, dir_fd=dir_fd)

    with monkeypatch.context() as windows:
        windows.setattr(os, "name", "nt")
        windows.setattr(os, "unlink", as_windows_does)
        remove_abandoned(tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_file_is_opened_for_writing_where_only_such_ones_can_be_synced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import fcntl

    modes = []
    (tmp_path / "a").touch()
    with monkeypatch.context() as windows:
        windows.setattr(os, "name", "nt")
        windows.setattr(os, "fsync", lambda file: modes.append(fcntl.fcntl(file, fcntl.F_GETFL)))
        sync(tmp_path / "a")
        sync(tmp_path)
    assert [mode & os.O_ACCMODE for mode in modes] == [os.O_RDWR]


def test_links_in_the_place_of_stages_and_locks_are_not_followed(tmp_path: Path) -> None:
    run, home = tmp_path / "run", tmp_path / "home"
    run.mkdir()
    plant(tmp_path, "", folder="home")
    (home / "journal.json").unlink()
    (run / ".diffaug-bio.evil").symlink_to(home)
    before = everywhere(home)
    with staged_folder(run, overwrite=True) as stage:
        (stage / "a").write_text("new")
    (run / ".diffaug-bio.lock").symlink_to(tmp_path / "made")
    with pytest.raises(InputError, match="Cannot write to"):
        check_addable(run, ["a"])
    assert everywhere(home) == before
    assert {path.name for path in tmp_path.iterdir()} == {"run", "home"}
