"""What may be replaced: files that a record of ours lists, as they were written, and no others."""

from __future__ import annotations

import errno
import json
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from diffaug_bio import report
from diffaug_bio.errors import InputError
from diffaug_bio.output.digest import digest
from diffaug_bio.output.files import added_files, staged_file, staged_folder
from diffaug_bio.output.ownership import (
    RECORD_FILE,
    Written,
    folder_of_ours,
    not_ours,
    read_record,
    write_record,
)

if TYPE_CHECKING:
    from collections.abc import Callable

FILES = {"embedding.csv": "1,2", "run.json": "{}", "model/config.json": "{}", "model/README.md": "card"}


def fill(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


def write_run(target: Path, files: dict[str, str] = FILES, *, overwrite: bool = False) -> None:
    with staged_folder(target, overwrite=overwrite) as stage:
        fill(stage, files)
        if (stage / "model").is_dir():
            write_record(stage / "model")


def add(folder: Path, files: dict[str, str], *, force: bool = False) -> None:
    with added_files(folder, force=force) as stage:
        fill(stage, files)


def contents(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.fixture
def run(tmp_path: Path) -> Path:
    write_run(tmp_path / "run")
    return tmp_path / "run"


def test_the_record_lists_every_file_but_itself_with_size_and_hash(run: Path) -> None:
    record = json.loads((run / RECORD_FILE).read_text())
    assert record["written_by"].startswith("diffaug-bio ")
    assert set(record["files"]) == set(contents(run)) - {RECORD_FILE}
    assert record["files"]["embedding.csv"]["bytes"] == 3
    assert "model/files.json" in record["files"]


@pytest.mark.parametrize("name", ["labels.csv", "metrics.json", "report.html", "model/anything", ".hidden"])
def test_a_file_of_the_user_is_never_deleted_whatever_its_name(run: Path, name: str) -> None:
    fill(run, {name: "years of work"})
    before = contents(run)
    with pytest.raises(InputError, match=rf"did not write.*'{name}'.*Choose another output folder"):
        write_run(run, overwrite=True)
    assert contents(run) == before


@pytest.mark.parametrize("text", ["3,4", "1,2,3"], ids=["same size", "other size"])
def test_a_file_that_was_changed_is_the_users(run: Path, text: str) -> None:
    (run / "embedding.csv").write_text(text)
    with pytest.raises(InputError, match=r"changed since: 'embedding\.csv'"):
        write_run(run, overwrite=True)
    assert (run / "embedding.csv").read_text() == text


def test_files_without_a_record_are_the_users_whatever_their_names(tmp_path: Path) -> None:
    fill(tmp_path / "run", FILES)
    with pytest.raises(InputError, match="did not write"):
        write_run(tmp_path / "run", overwrite=True)
    assert (tmp_path / "run" / "model" / "README.md").read_text() == "card"


@pytest.mark.parametrize(
    "record", ["", "[]", "{}", '{"written_by": "me", "files": {}}', '{"written_by": "diffaug-bio 1"}', "\0"]
)
def test_a_record_that_is_not_ours_proves_nothing(tmp_path: Path, record: str) -> None:
    fill(tmp_path / "run", {RECORD_FILE: record, "labels.csv": "mine"})
    assert not_ours(tmp_path / "run") == [RECORD_FILE, "labels.csv"]
    with pytest.raises(InputError, match=r"files\.json"):
        write_run(tmp_path / "run", overwrite=True)


@pytest.mark.parametrize(
    "name", ["../precious.txt", "/precious.txt", "model/../../precious.txt", "./a", "", "\0"]
)
def test_a_record_that_names_files_elsewhere_proves_nothing(tmp_path: Path, name: str) -> None:
    (tmp_path / "precious.txt").write_text("years of work")
    name = str(tmp_path / "precious.txt") if name.startswith("/") else name
    write_run(tmp_path / "run")
    record = read_record(tmp_path / "run") or {}
    write_record(tmp_path / "run", {**record, name: Written(*digest(tmp_path / "precious.txt"))})
    before = contents(tmp_path)
    with pytest.raises(InputError, match="did not write"):
        write_run(tmp_path / "run", overwrite=True)
    assert contents(tmp_path) == before


@pytest.mark.parametrize("entry", [Written("3", "0"), Written(3, None)])  # type: ignore[arg-type]
def test_a_record_of_other_types_proves_nothing(run: Path, entry: Written) -> None:
    write_record(run, {"embedding.csv": entry})
    assert read_record(run) is None


def test_a_record_moves_only_files_that_are_in_the_folder(run: Path, tmp_path: Path) -> None:
    record = read_record(run) or {}
    more = dict.fromkeys((RECORD_FILE, "gone", "embedding.csv/under"), record["run.json"])
    write_record(run, {**record, **more})
    write_run(run, {"a": "new"}, overwrite=True)
    assert set(contents(tmp_path)) == {"run/a", f"run/{RECORD_FILE}"}


def test_nothing_is_added_through_a_link_that_leads_elsewhere(run: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (run / "figures").symlink_to(tmp_path / "elsewhere")
    for force in (False, True):
        with pytest.raises(InputError, match=r"figures/a\.png"):
            add(run, {"figures/a.png": "new"}, force=force)
    assert contents(tmp_path / "elsewhere") == {}


def test_a_link_in_the_place_of_a_file_or_folder_is_the_users(run: Path, tmp_path: Path) -> None:
    shutil.move(run / "model", tmp_path / "elsewhere")
    (run / "model").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(InputError, match="'model'"):
        write_run(run, overwrite=True)
    assert (tmp_path / "elsewhere" / "README.md").read_text() == "card"


def test_a_file_that_the_user_removed_is_no_hindrance(run: Path) -> None:
    (run / "embedding.csv").unlink()
    write_run(run, {"run.json": "new"}, overwrite=True)
    assert set(contents(run)) == {"run.json", RECORD_FILE}
    assert not (run / "model").exists()


def test_a_model_that_is_copied_out_of_its_run_proves_itself(run: Path, tmp_path: Path) -> None:
    shutil.copytree(run / "model", tmp_path / "copy")
    write_run(tmp_path / "copy", {"config.json": "new"}, overwrite=True)
    assert set(contents(tmp_path / "copy")) == {"config.json", RECORD_FILE}


def test_files_are_added_and_replaced_and_the_records_know(run: Path) -> None:
    add(run, {"metrics.json": "1", "model/README.md": "a longer card"})
    add(run, {"metrics.json": "2"})
    assert (run / "metrics.json").read_text() == "2"
    assert (run / "model" / "README.md").read_text() == "a longer card"
    assert not_ours(run) == not_ours(run / "model") == []
    assert set(read_record(run) or {}) == set(contents(run)) - {RECORD_FILE}
    write_run(run, overwrite=True)
    assert set(contents(run)) == {*FILES, RECORD_FILE, "model/files.json"}


def test_adding_never_replaces_a_file_of_the_user_unless_told_to(run: Path) -> None:
    fill(run, {"report.html": "mine", "run.json": "changed"})
    for name in ("report.html", "run.json"):
        before = contents(run)
        with pytest.raises(InputError, match=name):
            add(run, {name: "new", "more.txt": "new"})
        assert contents(run) == before
    add(run, {"report.html": "new"}, force=True)
    assert (run / "report.html").read_text() == "new"
    assert not_ours(run) == ["run.json"]


def test_a_folder_without_a_record_gets_files_only_with_force(run: Path) -> None:
    add(run, {"report.html": "old"})
    (run / RECORD_FILE).unlink()
    with pytest.raises(InputError, match=r"did not write .*'report\.html'.*`--force`"):
        report.write_report(run)
    add(run, {"report.html": "new"}, force=True)
    assert (run / "report.html").read_text() == "new"


def test_adding_that_fails_changes_nothing(run: Path) -> None:
    before = contents(run)
    with pytest.raises(RuntimeError, match="halfway"), added_files(run) as stage:  # noqa: PT012
        fill(stage, {"run.json": "new"})
        raise RuntimeError("halfway")  # noqa: EM101
    assert contents(run) == before
    assert sorted(path.name for path in run.iterdir()) == [
        "embedding.csv",
        RECORD_FILE,
        "model",
        "run.json",
    ]


def test_the_folder_around_a_file_is_found_through_links(run: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(run / "model")
    assert folder_of_ours(run / "new.csv") == run
    assert folder_of_ours(tmp_path / "link" / "new.csv") == run / "model"
    assert folder_of_ours(tmp_path / "new.csv") is None


NAMES = st.sampled_from(["a", "b.csv", "model/a", "model/c", "deep/er/x", "Zellgröße", "not utf-8 \udcff"])
TREES = st.dictionaries(NAMES, st.text(max_size=3), max_size=5)


@given(written=TREES, changes=TREES)
@settings(max_examples=20, deadline=None)
def test_exactly_the_files_that_were_added_or_changed_stand_in_the_way(
    tmp_path_factory: pytest.TempPathFactory, written: dict[str, str], changes: dict[str, str]
) -> None:
    target = tmp_path_factory.mktemp("any") / "run"
    write_run(target, written)
    fill(target, changes)
    theirs = sorted(name for name, text in changes.items() if written.get(name) != text)
    assert not_ours(target) == theirs
    before = contents(target)
    if theirs:
        with pytest.raises(InputError):
            write_run(target, {}, overwrite=True)
        assert contents(target) == before
    else:
        write_run(target, {"new": "new"}, overwrite=True)
        assert set(contents(target)) == {"new", RECORD_FILE}


def test_of_two_runs_into_a_new_folder_the_later_is_kept_beside_it(tmp_path: Path) -> None:
    target = tmp_path / "run"
    with (  # noqa: PT012
        pytest.raises(InputError, match=r"run was written or changed .* is in .*run-2"),
        staged_folder(target, overwrite=True) as stage,
    ):
        fill(stage, {"a": "later"})
        write_run(target, {"a": "earlier"})
    assert (target / "a").read_text() == "earlier"
    assert (tmp_path / "run-2" / "a").read_text() == "later"
    assert not_ours(tmp_path / "run-2") == []
    assert sorted(path.name for path in tmp_path.iterdir()) == ["run", "run-2"]


@pytest.mark.parametrize("overwrite", [False, True])
def test_of_two_runs_into_one_folder_the_later_replaces_nothing(tmp_path: Path, overwrite: bool) -> None:  # noqa: FBT001
    target = tmp_path / "run"
    if overwrite:
        write_run(target, {"a": "old"})
    else:
        target.mkdir()
    (tmp_path / "run-2").write_text("taken")
    with (  # noqa: PT012
        pytest.raises(InputError, match=r"is in .*run-3"),
        staged_folder(target, overwrite=overwrite) as stage,
    ):
        fill(stage, {"a": "later"})
        write_run(target, {"a": "earlier"}, overwrite=overwrite)
    assert contents(target)["a"] == b"earlier"
    assert contents(tmp_path / "run-3")["a"] == b"later"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["run", "run-2", "run-3"]
    assert sorted(path.name for path in target.iterdir()) == ["a", RECORD_FILE]


def test_a_file_that_the_user_adds_during_a_run_is_kept(tmp_path: Path) -> None:
    target = tmp_path / "run"
    write_run(target)
    with pytest.raises(InputError, match="run-2"), staged_folder(target, overwrite=True) as stage:  # noqa: PT012
        fill(stage, {"a": "later"})
        fill(target, {"notes.txt": "mine"})
    assert (target / "notes.txt").read_text() == "mine"
    assert (tmp_path / "run-2" / "a").read_text() == "later"


@pytest.mark.parametrize("name", ["more.csv", "more.fa.gz", "more"])
def test_of_two_runs_into_a_file_the_later_is_kept_beside_it(tmp_path: Path, name: str) -> None:
    target, kept = tmp_path / name, tmp_path / name.replace("more", "more-2")
    with pytest.raises(InputError, match=kept.name), staged_file(target, overwrite=False) as stage:  # noqa: PT012
        stage.write_text("later")
        target.write_text("earlier")
    assert (target.read_text(), kept.read_text()) == ("earlier", "later")
    assert set(tmp_path.iterdir()) == {target, kept}
    with staged_file(target) as stage:
        stage.write_text("new")
    assert target.read_text() == "new"


def refusing(move: Callable[..., object], home: Path) -> Callable[..., object]:
    """Make a move fail as one into a folder on another disk does."""

    def moved(source: Path, name: Path) -> object:
        if name.parent == home:
            raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))
        return move(source, name)

    return moved


@pytest.mark.parametrize("is_folder", [True, False])
def test_what_cannot_be_kept_beside_a_mount_point_is_kept_on_its_own_file_system(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    is_folder: bool,  # noqa: FBT001
) -> None:
    if is_folder:  # a mount point itself
        target = tmp_path / "disk"
        opened = staged_folder(target, overwrite=True)
        target.mkdir()
    else:  # a link that leads to a file on another disk, which came meanwhile
        target = tmp_path / "here" / "more.csv"
        opened = staged_file(target, overwrite=False)
        target.parent.mkdir()
    for owner, name in ((Path, "rename"), (os, "link")):
        monkeypatch.setattr(owner, name, refusing(getattr(owner, name), tmp_path))
    with pytest.raises(InputError, match=r"-2"), opened as stage:  # noqa: PT012
        if is_folder:
            fill(stage, {"a": "later"})
            fill(target, {"notes.txt": "mine"})
        else:
            stage.write_text("later")
            fill(tmp_path, {"disk.csv": "mine"})
            target.symlink_to(tmp_path / "disk.csv")
    kept = target / "disk-2" / "a" if is_folder else target.parent / "more-2.csv"
    assert kept.read_text() == "later"
    assert not list(target.parent.glob(".*")) + list(tmp_path.glob("*/.*"))
