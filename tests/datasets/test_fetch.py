"""Files come whole and checked, from a server, a folder or by hand; nothing partial is taken for a file."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import signal
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from diffaug_bio import datasets
from diffaug_bio.datasets._download import Progress, ResumingDownload
from diffaug_bio.errors import DownloadError, RecipeError

if TYPE_CHECKING:
    from .conftest import Server

TABLE = ("id,a,b,label\n" + "".join(f"row{i},{i},{i * i},{'xy'[i % 2]}\n" for i in range(5000))).encode()
SHA256 = hashlib.sha256(TABLE).hexdigest()


def write_recipe(folder: Path, source: str, more: str = "") -> str:
    """Write a recipe with one source, and return what it is called."""
    folder.mkdir(parents=True, exist_ok=True)
    start = 'title = "Mine"\nmodality = "table"\nlabel_key = "label"\n'
    (folder / "mine.toml").write_text(f"{start}[[sources]]\n{source}\n{more}", encoding="utf-8")
    return str(folder / "mine.toml")


@pytest.fixture
def remote(tmp_path: Path, server: Server) -> str:
    """Recipe of a table on the server, its hash known."""
    server.files["/t.csv"] = TABLE
    return write_recipe(tmp_path / "r", f'file = "t.csv"\nurl = "{server.url}/t.csv"\nsha256 = "{SHA256}"')


@pytest.fixture
def unchecked(tmp_path: Path, server: Server) -> str:
    """Recipe of a table on the server whose hash nobody knows."""
    server.files["/t.csv"] = TABLE
    return write_recipe(tmp_path / "r", f'file = "t.csv"\nurl = "{server.url}/t.csv"')


def files_in(cache: Path) -> set[str]:
    """Names of all files but the lock."""
    return {path.name for path in cache.rglob("*") if path.is_file() and path.name != ".lock"}


def folder_of(name: str) -> Path:
    return datasets.Store.of(datasets.load_recipe(name), None).folder


def test_a_file_comes_once(remote: str, server: Server, cache: Path) -> None:
    recipe = datasets.load_recipe(remote)
    assert not datasets.is_here(recipe)
    assert datasets.load(remote).shape == (5000, 2)
    assert datasets.load(remote).shape == (5000, 2)
    assert server.asked == [("/t.csv", None)]
    assert files_in(cache) == {"t.csv", "record.json"}
    assert datasets.is_here(recipe)
    assert datasets.fingerprint(remote)["t.csv"] == {"bytes": len(TABLE), "sha256": SHA256}


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


def test_a_later_call_goes_on_too(remote: str, server: Server, cache: Path) -> None:
    server.cuts = [30_000]
    server.statuses = []
    with pytest.raises(KeyboardInterrupt):
        datasets.fetch(remote, on_progress=_interrupt)
    assert files_in(cache) == {"t.csv.part", "t.csv.part.json"}
    assert not datasets.is_here(datasets.load_recipe(remote))
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
    assert not datasets.is_here(datasets.load_recipe(remote))
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
    with pytest.raises(DownloadError, match=r"cannot be downloaded: .*\nRecipe 'mine' lacks 't\.csv'"):
        datasets.fetch(unchecked)
    assert len(server.asked) == 3
    assert files_in(cache) == (set() if etag is None else {"t.csv.part", "t.csv.part.json"})


def test_a_partial_file_that_is_whole_is_taken(remote: str, server: Server, cache: Path) -> None:
    part = folder_of(remote) / "partial" / "t.csv.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(TABLE)
    note = {"url": f"{server.url}/t.csv", "validator": server.etag}
    part.with_name("t.csv.part.json").write_text(json.dumps(note))
    assert datasets.fetch(remote).find().read_bytes() == TABLE
    assert files_in(cache) == {"t.csv", "record.json"}


def test_a_partial_file_that_is_too_long_is_dropped(remote: str, server: Server) -> None:
    part = folder_of(remote) / "partial" / "t.csv.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(TABLE + b"more")
    note = {"url": f"{server.url}/t.csv", "validator": server.etag}
    part.with_name("t.csv.part.json").write_text(json.dumps(note))
    assert datasets.fetch(remote).find().read_bytes() == TABLE


def test_a_wrong_checksum_is_refused_and_removed(remote: str, server: Server, cache: Path) -> None:
    server.files["/t.csv"] = TABLE.replace(b"x", b"z")
    with pytest.raises(DownloadError, match=rf"gave a file whose SHA-256 is not {SHA256}.*it was removed"):
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
    with pytest.raises(
        DownloadError, match=rf"gives? .*{size}|gave {len(TABLE)} bytes where .* says {size}"
    ):
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


def test_several_files_need_a_path(tmp_path: Path) -> None:
    source = 'file = "a.csv"\n[[sources]]\nfile = "b.csv"'
    name = write_recipe(tmp_path, source)
    for letter in "ab":
        (tmp_path / f"{letter}.csv").write_bytes(TABLE)
    with pytest.raises(RecipeError, match=r'There are 2 sources; say .*\[loader\] path = "a\.csv"'):
        datasets.load(name)
    with pytest.raises(RecipeError, match=r"There is no 'c\.csv' among the files .* 'a\.csv', 'b\.csv'"):
        datasets.load(write_recipe(tmp_path, source, '[loader]\nname = "read"\npath = "c.csv"'))
    assert (
        datasets.load(write_recipe(tmp_path, source, '[loader]\nname = "read"\npath = "b.csv"')).n_obs
        == 5000
    )


def test_a_missing_file_says_what_to_put_where(remote: str, server: Server, cache: Path) -> None:
    del server.files["/t.csv"]
    with pytest.raises(DownloadError, match=r"the server answered 404 Not Found") as caught:
        datasets.fetch(remote)
    text = str(caught.value)
    assert f"t.csv: {server.url}/t.csv" in text
    assert f"run `diffaug-bio recipes fetch {remote} --from FOLDER`" in text
    assert str(folder_of(remote) / "files") in text
    assert files_in(cache) == set()


def test_a_busy_server_is_asked_again(remote: str, server: Server) -> None:
    server.statuses = [503]
    assert datasets.fetch(remote).find().read_bytes() == TABLE


def test_without_network_the_message_says_what_to_put_where(tmp_path: Path, cache: Path) -> None:
    name = write_recipe(tmp_path, 'file = "t.csv"\nurl = "http://127.0.0.1:9/t.csv"')
    download = ResumingDownload(part=tmp_path / "t.part", is_checked=True, wait=0.0)
    with pytest.raises(DownloadError, match=r"t\.csv cannot be downloaded: the server cannot be reached\."):
        download("http://127.0.0.1:9/t.csv", tmp_path / "t.csv", None)
    with pytest.raises(
        DownloadError, match=r"cannot be reached\.\nRecipe 'mine' lacks 't\.csv'\. Get\n  t\.csv"
    ):
        datasets.load(name)
    assert files_in(cache) == set()


def test_progress_is_told(remote: str) -> None:
    told: list[Progress] = []
    datasets.fetch(remote, on_progress=told.append)
    assert told[-1] == Progress(file="t.csv", done=len(TABLE), total=len(TABLE))


def test_force_fetches_again(remote: str, server: Server) -> None:
    datasets.fetch(remote)
    datasets.fetch(remote, force=True)
    assert len(server.asked) == 2


def test_a_file_that_was_shortened_is_noticed(remote: str) -> None:
    path = datasets.fetch(remote).find()
    path.write_bytes(TABLE[:100])
    with pytest.raises(
        RecipeError, match=rf"has 100 bytes where {len(TABLE)} came\. Fetch it again: .*--force"
    ):
        datasets.load(remote)


def test_verify_knows_what_was_noted_when_the_file_came(unchecked: str, server: Server) -> None:
    with pytest.raises(RecipeError, match=r"are not all in .*Run `diffaug-bio recipes fetch"):
        datasets.verify(unchecked)
    path = datasets.fetch(unchecked).find()
    assert all(finding.is_good for finding in datasets.verify(unchecked))
    path.write_bytes(TABLE.replace(b"x", b"z"))
    [finding] = datasets.verify(unchecked)
    assert not finding.is_good
    assert finding.detail.endswith(f"noted when it came ({server.url}/t.csv) says {SHA256}")


def test_a_recipe_that_says_another_hash_now_is_noticed(unchecked: str, tmp_path: Path) -> None:
    datasets.fetch(unchecked)
    recipe = Path(unchecked)
    recipe.write_text(recipe.read_text() + f'sha256 = "{"0" * 64}"\n')
    with pytest.raises(RecipeError, match=rf"its SHA-256 is {SHA256}, the recipe says 000"):
        datasets.load(unchecked)


BY_HAND = 'file = "deep/t.csv"\nby_hand = "Ask the authors."'


@pytest.mark.parametrize("place", ["deep/t.csv", "t.csv"])
def test_files_are_taken_from_a_folder(tmp_path: Path, place: str) -> None:
    name = write_recipe(tmp_path / "r", BY_HAND)
    (tmp_path / "mine" / place).parent.mkdir(parents=True)
    (tmp_path / "mine" / place).write_bytes(TABLE)
    assert datasets.load(name, from_path=tmp_path / "mine").shape == (5000, 2)
    (tmp_path / "mine" / place).unlink()
    assert datasets.load(name).shape == (5000, 2)  # it is in the cache now


def test_the_only_file_may_have_any_name(tmp_path: Path) -> None:
    (tmp_path / "download(1)").write_bytes(TABLE)
    name = write_recipe(tmp_path / "r", BY_HAND)
    assert datasets.load(name, from_path=tmp_path / "download(1)").shape == (5000, 2)


def test_a_file_put_into_the_cache_is_looked_at(tmp_path: Path) -> None:
    name = write_recipe(tmp_path / "r", f'{BY_HAND}\nsha256 = "{SHA256}"')
    path = folder_of(name) / "files" / "deep" / "t.csv"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"something else")
    with pytest.raises(RecipeError, match=r"t\.csv is not the file that the recipe means"):
        datasets.load(name)
    path.write_bytes(TABLE)
    assert datasets.load(name).shape == (5000, 2)


def test_what_people_have_to_do_is_said(tmp_path: Path) -> None:
    name = write_recipe(tmp_path / "r", BY_HAND)
    with pytest.raises(
        RecipeError, match=r"lacks 'deep/t\.csv'\. Get\n  deep/t\.csv: Ask the authors\.\nand run"
    ):
        datasets.load(name)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("nowhere", "There is no file or folder"),
        ("empty", r"holds no file of recipe 'mine'; it needs 'deep/t"),
    ],
)
def test_a_wrong_place_is_named(tmp_path: Path, given: str, message: str) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(RecipeError, match=message):
        datasets.load(write_recipe(tmp_path / "r", BY_HAND), from_path=tmp_path / given)


def test_a_wrong_file_is_not_copied(tmp_path: Path, cache: Path) -> None:
    (tmp_path / "t.csv").write_bytes(b"something else")
    with pytest.raises(RecipeError, match=r"t\.csv is not the file that the recipe means: its SHA-256 is"):
        datasets.load(
            write_recipe(tmp_path / "r", f'{BY_HAND}\nsha256 = "{SHA256}"'), from_path=tmp_path / "t.csv"
        )
    assert files_in(cache) == set()


def test_a_file_of_other_content_is_taken_on_purpose(tmp_path: Path) -> None:
    name = write_recipe(tmp_path / "r", f'{BY_HAND}\nsha256 = "{SHA256}"\nsize = {len(TABLE)}')
    part = TABLE[: TABLE.index(b"row100,")]
    (tmp_path / "t.csv").write_bytes(part)
    with pytest.raises(
        RecipeError, match=r"bytes where the recipe says .* `--unchecked` takes it on purpose"
    ):
        datasets.load(name, from_path=tmp_path / "t.csv")
    assert datasets.load(name, from_path=tmp_path / "t.csv", checked=False).n_obs == 100
    assert datasets.load(name).n_obs == 100
    [finding] = datasets.verify(name)
    assert not finding.is_good
    with pytest.raises(RecipeError, match=r"bytes where the recipe says"):
        datasets.load(name, from_path=tmp_path / "t.csv")


def test_a_folder_is_taken_whole(tmp_path: Path) -> None:
    source = 'file = "classes"\nby_hand = "Ask."'
    name = write_recipe(tmp_path / "r", source)
    for label in ("one", "two"):
        path = tmp_path / "given" / "classes" / f"{label}.fa"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f">a\n{'ACGT' * 5}\n>b\n{'AACC' * 5}\n")
    for given in (tmp_path / "given", tmp_path / "given" / "classes"):
        assert datasets.load(name, from_path=given, cache=tmp_path / given.name).n_obs == 4


def test_an_archive_is_fetched_unpacked_and_read(tmp_path: Path, server: Server) -> None:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        member = tarfile.TarInfo("set/t.csv")
        member.size = len(TABLE)
        archive.addfile(member, io.BytesIO(TABLE))
    server.files["/set.tar.gz"] = packed.getvalue()
    source = f'file = "set.tar.gz"\nurl = "{server.url}/set.tar.gz"\nunpack = true'
    name = write_recipe(tmp_path / "r", source, '[loader]\nname = "read"\npath = "set/t.csv"')
    assert datasets.load(name).shape == (5000, 2)
    assert datasets.load(name).shape == (5000, 2)
    assert len(server.asked) == 1


def test_an_unsafe_archive_is_refused_again_and_again(tmp_path: Path, server: Server, cache: Path) -> None:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("../evil"), io.BytesIO())
    server.files["/set.tar"] = packed.getvalue()
    name = write_recipe(tmp_path / "r", f'file = "set.tar"\nurl = "{server.url}/set.tar"\nunpack = true')
    for _ in range(2):
        with pytest.raises(RecipeError, match=r"its member '\.\./evil' would lie outside"):
            datasets.load(name)
    assert files_in(cache) == {"set.tar", "record.json"}


def test_an_archive_beside_a_recipe_is_unpacked(tmp_path: Path) -> None:
    name = write_recipe(tmp_path / "r", 'file = "t.csv.gz"\nunpack = true')
    (tmp_path / "r" / "t.csv.gz").write_bytes(gzip.compress(TABLE))
    assert datasets.load(name).shape == (5000, 2)
    (tmp_path / "r" / "t.csv.gz").write_bytes(gzip.compress(TABLE[: TABLE.index(b"row100,")]))
    assert datasets.load(name).shape == (100, 2)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_cache_that_cannot_be_written_is_named(remote: str, tmp_path: Path) -> None:
    (tmp_path / "fixed").mkdir(mode=0o500)
    with pytest.raises(RecipeError, match=r"Cannot write to .*Let DIFFAUG_BIO_CACHE name another folder"):
        datasets.fetch(remote, cache=tmp_path / "fixed")


def test_a_file_where_the_cache_should_be_is_named(remote: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(RecipeError, match=r"Cannot write to .*Let DIFFAUG_BIO_CACHE name another"):
        datasets.fetch(remote, cache=tmp_path / "file")


def test_a_damaged_record_is_named(remote: str) -> None:
    datasets.fetch(remote)
    (folder_of(remote) / "record.json").write_text("{")
    with pytest.raises(RecipeError, match=r"record\.json is damaged; remove it"):
        datasets.load(remote)
    (folder_of(remote) / "record.json").unlink()
    assert datasets.load(remote).n_obs == 5000


def test_the_default_cache_is_the_folder_of_the_system(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DIFFAUG_BIO_CACHE")
    assert datasets.cache_folder().name == "diffaug-bio"
