"""What comes from a server is whole and checked; a download that is cut goes on."""

from __future__ import annotations

import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from diffaug_bio import datasets
from diffaug_bio.datasets._load import recipe_fingerprint
from diffaug_bio.datasets.download import Download, Progress
from diffaug_bio.datasets.files import is_here
from diffaug_bio.errors import DownloadError

from .conftest import SHA256, TABLE, files_in, folder_of, write_recipe

if TYPE_CHECKING:
    from pathlib import Path

    from .conftest import Server


def test_a_file_comes_once(remote: str, server: Server, cache: Path) -> None:
    recipe = datasets.load_recipe(remote)
    assert not is_here(recipe)
    assert datasets.load(remote).shape == (5000, 2)
    assert datasets.load(remote).shape == (5000, 2)
    assert server.asked == [("/t.csv", None)]
    assert files_in(cache) == {"t.csv", "record.json"}
    assert is_here(recipe)
    assert recipe_fingerprint(remote)["t.csv"] == {"bytes": len(TABLE), "sha256": SHA256}


@pytest.mark.parametrize("name", ["remote", "unchecked"])
def test_a_download_that_is_cut_goes_on_where_it_was(
    name: str, request: pytest.FixtureRequest, server: Server, cache: Path
) -> None:
    server.cuts = [30_000, 20_000]
    recipe = request.getfixturevalue(name)
    files = datasets.fetch(recipe)
    assert [asked for _, asked in server.asked] == [None, "bytes=30000-", "bytes=50000-"]
    assert files.find().read_bytes() == TABLE
    assert files_in(cache) == {"t.csv", "record.json"}


@pytest.mark.parametrize("size", [None, len(TABLE)])
def test_a_server_that_sends_less_than_was_asked_for_is_asked_for_the_rest(
    tmp_path: Path, server: Server, size: int | None
) -> None:
    server.files["/t.csv"], server.cuts, server.most_sent = TABLE, [30_000], 45_000
    more = "" if size is None else f"size = {size}"
    recipe = write_recipe(tmp_path, f'file = "t.csv"\nurl = "{server.url}/t.csv"\n{more}')
    told: list[Progress] = []
    assert datasets.fetch(recipe, on_progress=told.append).find().read_bytes() == TABLE
    assert [asked for _, asked in server.asked] == [None, "bytes=30000-", "bytes=75000-"]
    assert {progress.total for progress in told} == {len(TABLE)}


def test_a_hash_is_enough_to_go_on(remote: str, server: Server, cache: Path) -> None:
    server.etag, server.cuts = None, [30_000]
    assert datasets.fetch(remote).find().read_bytes() == TABLE
    assert [asked for _, asked in server.asked] == [None, "bytes=30000-"]
    assert files_in(cache) == {"t.csv", "record.json"}


def test_a_hash_refuses_a_file_that_changed_meanwhile(remote: str, server: Server, cache: Path) -> None:
    server.etag = None
    with pytest.raises(KeyboardInterrupt):
        datasets.fetch(remote, on_progress=_interrupt)
    assert files_in(cache) == {"t.csv.part", "t.csv.part.txt"}
    server.files["/t.csv"] = TABLE.replace(b"x", b"z") + b"more"
    with pytest.raises(DownloadError, match=r"SHA-256"):
        datasets.fetch(remote)
    assert files_in(cache) == set()


@pytest.mark.parametrize("status", [206, 416])
def test_a_part_that_nobody_asked_for_is_refused(
    unchecked: str, server: Server, cache: Path, status: int
) -> None:
    server.unasked = status
    with pytest.raises(DownloadError, match=r"the server sent another part than was asked for\."):
        datasets.fetch(unchecked)
    assert files_in(cache) == set()


@pytest.mark.parametrize("name", ["remote", "unchecked"])
@pytest.mark.parametrize("damage", [(b"http", b"\xff"), (b"first", b"fir\xff")])
def test_a_damaged_note_is_as_good_as_none(
    name: str, request: pytest.FixtureRequest, damage: tuple[bytes, bytes]
) -> None:
    recipe = request.getfixturevalue(name)
    with pytest.raises(KeyboardInterrupt):
        datasets.fetch(recipe, on_progress=_interrupt)
    note = folder_of(recipe) / "partial" / "t.csv.part.txt"
    note.write_bytes(note.read_bytes().replace(*damage))
    assert datasets.fetch(recipe).find().read_bytes() == TABLE


def test_old_bytes_never_lie_beside_a_new_note(
    unchecked: str, server: Server, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        datasets.fetch(unchecked, on_progress=_interrupt)
    server.etag, server.files["/t.csv"] = '"second"', TABLE.replace(b"x", b"z")
    with monkeypatch.context() as patch:
        patch.setattr(Download, "_append", killed)
        with pytest.raises(KeyboardInterrupt):
            datasets.fetch(unchecked)
    assert files_in(cache) == {"t.csv.part.txt"}
    assert datasets.fetch(unchecked).find().read_bytes() == TABLE.replace(b"x", b"z")


def test_a_later_call_goes_on_too(remote: str, server: Server, cache: Path) -> None:
    server.cuts = [30_000]
    server.statuses = []
    with pytest.raises(KeyboardInterrupt):
        datasets.fetch(remote, on_progress=_interrupt)
    assert files_in(cache) == {"t.csv.part", "t.csv.part.txt"}
    assert not is_here(datasets.load_recipe(remote))
    kept = next(cache.rglob("t.csv.part")).stat().st_size
    assert 0 < kept < len(TABLE)
    assert datasets.fetch(remote).find().read_bytes() == TABLE
    assert server.asked[-1] == ("/t.csv", f"bytes={kept}-")


def _interrupt(progress: Progress) -> None:
    raise KeyboardInterrupt


def test_a_killed_process_leaves_nothing_that_is_taken_for_a_file(
    remote: str, server: Server, cache: Path
) -> None:
    code = (
        "import os, signal, sys\n"
        "from diffaug_bio import datasets\n"
        "datasets.fetch(sys.argv[1], on_progress=lambda _: os.kill(os.getpid(), signal.SIGKILL))"
    )
    killed = subprocess.run([sys.executable, "-c", code, remote], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert not is_here(datasets.load_recipe(remote))
    assert datasets.fetch(remote).find().read_bytes() == TABLE
    assert files_in(cache) == {"t.csv", "record.json"}


def test_two_processes_fetch_a_file_once(remote: str, server: Server) -> None:
    code = "import sys\nfrom diffaug_bio import datasets\ndatasets.fetch(sys.argv[1])"
    running = [subprocess.Popen([sys.executable, "-c", code, remote]) for _ in range(2)]
    assert [process.wait() for process in running] == [0, 0]
    assert len(server.asked) == 1


def test_what_changed_on_the_server_comes_anew(unchecked: str, server: Server, cache: Path) -> None:
    server.cuts = [30_000]
    with pytest.raises(KeyboardInterrupt):
        datasets.fetch(unchecked, on_progress=_interrupt)
    server.etag, server.files["/t.csv"] = '"second"', TABLE.replace(b"x", b"z")
    assert datasets.fetch(unchecked).find().read_bytes() == TABLE.replace(b"x", b"z")


def test_nothing_partial_stays_of_a_server_that_does_not_name_its_content(
    unchecked: str, server: Server, cache: Path
) -> None:
    server.etag, server.cuts = None, [30_000]
    with pytest.raises(KeyboardInterrupt):
        datasets.fetch(unchecked, on_progress=_interrupt)
    assert files_in(cache) == set()


def test_a_server_without_parts_gives_the_whole_again(remote: str, server: Server) -> None:
    server.answers_ranges, server.cuts = False, [30_000]
    assert datasets.fetch(remote).find().read_bytes() == TABLE


@pytest.mark.parametrize("etag", [None, '"first"'])
def test_a_server_that_breaks_off_again_and_again_is_given_up(
    unchecked: str, server: Server, cache: Path, etag: str | None
) -> None:
    server.etag, server.answers_ranges, server.cuts = etag, False, [30_000] * 9
    with pytest.raises(DownloadError, match=r"cannot be downloaded: .* Recipe 'mine' lacks 't\.csv'"):
        datasets.fetch(unchecked)
    assert len(server.asked) == 3
    assert files_in(cache) == (set() if etag is None else {"t.csv.part", "t.csv.part.txt"})


def test_a_partial_file_that_is_whole_is_taken(remote: str, server: Server, cache: Path) -> None:
    part = folder_of(remote) / "partial" / "t.csv.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(TABLE)
    part.with_name("t.csv.part.txt").write_text(f"{server.url}/t.csv\n{server.etag}")
    assert datasets.fetch(remote).find().read_bytes() == TABLE
    assert files_in(cache) == {"t.csv", "record.json"}


def test_a_partial_file_that_is_too_long_is_dropped(remote: str, server: Server) -> None:
    part = folder_of(remote) / "partial" / "t.csv.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(TABLE + b"more")
    part.with_name("t.csv.part.txt").write_text(f"{server.url}/t.csv\n{server.etag}")
    assert datasets.fetch(remote).find().read_bytes() == TABLE


def test_a_wrong_checksum_is_refused_and_removed(remote: str, server: Server, cache: Path) -> None:
    server.files["/t.csv"] = TABLE.replace(b"x", b"z")
    with pytest.raises(DownloadError, match=rf"SHA-256 .* recipe says {SHA256}"):
        datasets.fetch(remote)
    assert files_in(cache) == set()


@pytest.mark.parametrize("size", [10, 10**6])
def test_a_wrong_size_is_refused(tmp_path: Path, server: Server, cache: Path, size: int) -> None:
    server.files["/t.csv"] = TABLE
    name = write_recipe(tmp_path, f'file = "t.csv"\nurl = "{server.url}/t.csv"\nsize = {size}')
    with pytest.raises(DownloadError, match=f"{len(TABLE)} bytes where the recipe says {size}"):
        datasets.fetch(name)
    assert files_in(cache) == set()


@pytest.mark.parametrize("size", [10, 10**6])
def test_a_wrong_size_that_is_not_announced_is_refused(
    tmp_path: Path, server: Server, cache: Path, size: int
) -> None:
    server.files["/t.csv"], server.sends_length = TABLE, False
    name = write_recipe(tmp_path, f'file = "t.csv"\nurl = "{server.url}/t.csv"\nsize = {size}')
    with pytest.raises(DownloadError, match=rf"bytes where the recipe says {size}"):
        datasets.fetch(name)
    assert not any(path.name == "t.csv" for path in cache.rglob("*"))


def test_a_file_of_unknown_length_comes_whole(remote: str, server: Server) -> None:
    server.sends_length = False
    told: list[Progress] = []
    assert datasets.fetch(remote, on_progress=told.append).find().read_bytes() == TABLE
    assert told[-1].total is None


def test_the_time_of_the_last_change_names_content_too(unchecked: str, server: Server) -> None:
    server.etag, server.last_modified = 'W/"weak"', "Wed, 21 Oct 2015 07:28:00 GMT"
    server.cuts = [30_000]
    assert datasets.fetch(unchecked).find().read_bytes() == TABLE
    assert [asked for _, asked in server.asked] == [None, "bytes=30000-"]


def test_another_part_than_was_asked_for_is_not_appended(unchecked: str, server: Server) -> None:
    server.cuts, server.shift = [30_000], 7
    assert datasets.fetch(unchecked).find().read_bytes() == TABLE
    assert [asked for _, asked in server.asked] == [None, "bytes=30000-", None]


def test_a_busy_server_is_asked_again(remote: str, server: Server) -> None:
    server.statuses = [503]
    assert datasets.fetch(remote).find().read_bytes() == TABLE


def test_progress_is_told(remote: str) -> None:
    told: list[Progress] = []
    datasets.fetch(remote, on_progress=told.append)
    assert told[-1] == Progress(file="t.csv", done=len(TABLE), total=len(TABLE))
