"""Folders that are written whole or not at all."""

from __future__ import annotations

import json
import os
import shutil
import stat
from pathlib import Path

import pytest

from diffaug_bio.errors import InputError
from diffaug_bio.output.files import staged_file, staged_folder, write_json


def write_own(target: Path, text: str, *, overwrite: bool = False) -> None:
    with staged_folder(target, overwrite=overwrite) as stage:
        (stage / "a.txt").write_text(text)
        (stage / "inner").mkdir()
        (stage / "inner" / "b.txt").write_text(text)


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def fail_in(target: Path, *, overwrite: bool) -> None:
    with staged_folder(target, overwrite=overwrite) as stage:
        (stage / "a.txt").write_text("new")
        message = "the middle of the work"
        raise RuntimeError(message)


def test_new_folder_is_written_with_its_parents(tmp_path: Path) -> None:
    target = tmp_path / "one" / "two" / "run"
    write_own(target, "text")
    assert names_in(target) == ["a.txt", "files.json", "inner"]
    assert (target / "inner" / "b.txt").read_text() == "text"
    assert names_in(target.parent) == ["run"]


def test_target_is_not_there_before_the_end(tmp_path: Path) -> None:
    target = tmp_path / "run"
    with staged_folder(target, overwrite=False) as stage:
        assert not target.exists()
        assert tmp_path in stage.parents
    assert target.is_dir()


def test_empty_folder_is_used(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    write_own(tmp_path / "run", "text")
    assert names_in(tmp_path) == ["run"]


def test_failure_leaves_nothing_behind(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="middle of the work"):
        fail_in(tmp_path / "run", overwrite=False)
    assert names_in(tmp_path) == []


def test_interruption_leaves_nothing_behind(tmp_path: Path) -> None:
    with (
        pytest.raises(KeyboardInterrupt, match="stop"),
        staged_folder(tmp_path / "run", overwrite=False),
    ):
        raise KeyboardInterrupt("stop")  # noqa: EM101
    assert names_in(tmp_path) == []


def test_failure_leaves_what_was_there_as_it_was(tmp_path: Path) -> None:
    write_own(tmp_path / "run", "old")
    with pytest.raises(RuntimeError, match="middle of the work"):
        fail_in(tmp_path / "run", overwrite=True)
    assert names_in(tmp_path) == ["run"]
    assert (tmp_path / "run" / "a.txt").read_text() == "old"
    assert (tmp_path / "run" / "inner" / "b.txt").read_text() == "old"


def test_own_content_is_replaced_only_when_told_to(tmp_path: Path) -> None:
    write_own(tmp_path / "run", "old")
    with pytest.raises(InputError, match=r"exists.*--force"):
        write_own(tmp_path / "run", "new")
    assert (tmp_path / "run" / "a.txt").read_text() == "old"
    write_own(tmp_path / "run", "new", overwrite=True)
    assert (tmp_path / "run" / "a.txt").read_text() == "new"
    assert names_in(tmp_path) == ["run"]


def test_replacing_leaves_no_file_of_the_old_content(tmp_path: Path) -> None:
    write_own(tmp_path / "run", "old")
    with staged_folder(tmp_path / "run", overwrite=True) as stage:
        (stage / "c.txt").write_text("new")
    assert names_in(tmp_path / "run") == ["c.txt", "files.json"]


@pytest.mark.parametrize("overwrite", [False, True], ids=["without overwrite", "with overwrite"])
def test_foreign_content_is_never_replaced(tmp_path: Path, overwrite: bool) -> None:  # noqa: FBT001
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "thesis.doc").write_text("years of work")
    with pytest.raises(InputError, match=r"'thesis\.doc'"):
        write_own(tmp_path / "run", "new", overwrite=overwrite)
    assert names_in(tmp_path / "run") == ["thesis.doc"]
    assert names_in(tmp_path) == ["run"]


def test_file_as_target_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "run").write_text("a file")
    with pytest.raises(InputError, match=r"exists and is not a folder"):
        write_own(tmp_path / "run", "new", overwrite=True)
    assert (tmp_path / "run").read_text() == "a file"


@pytest.mark.parametrize("depth", [1, 2])
def test_target_below_a_file_is_an_error(tmp_path: Path, depth: int) -> None:
    (tmp_path / "file").write_text("a file")
    target = tmp_path.joinpath("file", *["run"] * depth)
    with pytest.raises(InputError, match=r"write.*output folder"):
        write_own(target, "new")


def test_dangling_link_as_target_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "run").symlink_to(tmp_path / "nowhere")
    with pytest.raises(InputError, match=r"exists and is not a folder"):
        write_own(tmp_path / "run", "new")


def test_link_to_a_folder_keeps_pointing_to_it(tmp_path: Path) -> None:
    write_own(tmp_path / "real", "old")
    (tmp_path / "run").symlink_to(tmp_path / "real")
    write_own(tmp_path / "run", "new", overwrite=True)
    assert (tmp_path / "run").is_symlink()
    assert (tmp_path / "real" / "a.txt").read_text() == "new"
    assert names_in(tmp_path) == ["real", "run"]


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root writes everywhere")
def test_place_without_permission_is_found_before_any_work(tmp_path: Path) -> None:
    (tmp_path / "locked").mkdir(mode=0o500)
    with pytest.raises(InputError, match="Permission denied"):
        fail_in(tmp_path / "locked" / "run", overwrite=False)


def test_folder_has_the_permissions_of_an_ordinary_one(tmp_path: Path) -> None:
    (tmp_path / "ordinary").mkdir()
    write_own(tmp_path / "run", "text")
    modes = [stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("ordinary", "run")]
    assert modes[0] == modes[1]


def test_json_is_strict_and_keeps_text(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", {"name": "Zellgröße", "value": [1, None]})
    text = (tmp_path / "a.json").read_text(encoding="utf-8")
    assert "Zellgröße" in text
    assert json.loads(text) == {"name": "Zellgröße", "value": [1, None]}
    with pytest.raises(ValueError, match="Out of range float values"):
        write_json(tmp_path / "b.json", float("nan"))


def test_failure_leaves_no_new_parents_behind(tmp_path: Path) -> None:
    target = tmp_path / "deep" / "er" / "run"
    with (
        pytest.raises(RuntimeError, match="halfway"),
        staged_folder(target, overwrite=False),
    ):
        raise RuntimeError("halfway")  # noqa: EM101
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_replaced_stays_the_same_folder(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    before = (tmp_path / "run").stat().st_ino
    with staged_folder(tmp_path / "run", overwrite=False) as stage:
        (stage / "a").write_text("new")
    assert (tmp_path / "run").stat().st_ino == before
    assert names_in(tmp_path / "run") == ["a", "files.json"]


def test_an_interrupt_while_replacing_brings_the_old_files_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with staged_folder(tmp_path / "run", overwrite=False) as stage:
        (stage / "a").write_text("old")
        (stage / "b").write_text("old")
    rename, calls = Path.rename, []

    def interrupted(self: Path, target: Path) -> Path:
        calls.append(target)
        if len(calls) == 3:
            raise KeyboardInterrupt("between two renames")  # noqa: EM101
        return rename(self, target)

    with (  # noqa: PT012
        pytest.raises(KeyboardInterrupt, match="between two renames"),
        staged_folder(tmp_path / "run", overwrite=True) as stage,
    ):
        (stage / "a").write_text("new")
        monkeypatch.setattr(Path, "rename", interrupted)
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == ["a", "b", "files.json"]
    assert (tmp_path / "run" / "a").read_text() == "old"


LONG = "n" * 254  # a name that leaves no room for a number after it


def test_a_name_that_is_too_long_is_found_before_any_work(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="too long"), staged_file(tmp_path / LONG):
        pytest.fail("work was begun")
    for target in (tmp_path / LONG, tmp_path / (LONG * 2), tmp_path / (LONG * 2) / "run"):
        with pytest.raises(InputError, match="too long"):
            fail_in(target, overwrite=False)
    assert names_in(tmp_path) == []


def test_a_folder_where_a_file_goes_is_found_before_any_work(tmp_path: Path) -> None:
    (tmp_path / "more.csv").mkdir()
    with pytest.raises(InputError, match="is a folder"), staged_file(tmp_path / "more.csv"):
        pytest.fail("work was begun")


def test_a_folder_that_came_where_a_file_was_to_go_costs_no_work(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"more-2\.csv"), staged_file(tmp_path / "more.csv") as stage:  # noqa: PT012
        stage.write_text("whole")
        (tmp_path / "more.csv").mkdir()
    assert (tmp_path / "more-2.csv").read_text() == "whole"


@pytest.mark.parametrize("is_file", [False, True])
def test_an_output_folder_that_was_removed_meanwhile_is_an_error(tmp_path: Path, is_file: bool) -> None:  # noqa: FBT001
    home = tmp_path / "home"
    home.mkdir()
    opened = staged_file(home / "a") if is_file else staged_folder(home, overwrite=True)
    with pytest.raises(InputError, match="Cannot write to"), opened as stage:  # noqa: PT012
        (stage if is_file else stage / "a").write_text("whole")
        shutil.rmtree(home)
    assert names_in(tmp_path) == []
