"""Files come whole and checked, from a folder, by hand or kept from before; nothing partial is taken."""

from __future__ import annotations

import gzip
import io
import os
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from diffaug_bio import datasets
from diffaug_bio.datasets.download import Download
from diffaug_bio.datasets.files import cache_folder
from diffaug_bio.errors import DownloadError, RecipeError

from .conftest import SHA256, TABLE, files_in, folder_of, write_recipe

if TYPE_CHECKING:
    from .conftest import Server


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
    assert f"t.csv ({server.url}/t.csv)" in text
    assert f"run `diffaug-bio recipes fetch {remote} --from FOLDER`" in text
    assert str(folder_of(remote) / "files") in text
    assert files_in(cache) == set()


def test_without_network_the_message_says_what_to_put_where(tmp_path: Path, cache: Path) -> None:
    name = write_recipe(tmp_path, 'file = "t.csv"\nurl = "http://127.0.0.1:9/t.csv"')
    download = Download(url="http://127.0.0.1:9/t.csv", part=tmp_path / "t.part", wait=0.0)
    with pytest.raises(DownloadError, match=r"t\.csv cannot be downloaded: the server cannot be reached\."):
        download.run()
    with pytest.raises(
        DownloadError, match=r"cannot be reached\. Recipe 'mine' lacks 't\.csv'\. Get t\.csv"
    ):
        datasets.load(name)
    assert files_in(cache) == set()


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
    with pytest.raises(RecipeError, match=rf"SHA-256 {SHA256} where the recipe says 000"):
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
    with pytest.raises(RecipeError, match=r"t\.csv has the SHA-256"):
        datasets.load(name)
    path.write_bytes(TABLE)
    assert datasets.load(name).shape == (5000, 2)


def test_what_people_have_to_do_is_said(tmp_path: Path) -> None:
    name = write_recipe(tmp_path / "r", BY_HAND)
    with pytest.raises(
        RecipeError, match=r"lacks 'deep/t\.csv'\. Get deep/t\.csv \(Ask the authors\), and run"
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
    with pytest.raises(RecipeError, match=r"t\.csv has the SHA-256"):
        datasets.load(
            write_recipe(tmp_path / "r", f'{BY_HAND}\nsha256 = "{SHA256}"'), from_path=tmp_path / "t.csv"
        )
    assert files_in(cache) == set()


def test_a_file_of_other_content_is_taken_on_purpose(tmp_path: Path) -> None:
    name = write_recipe(tmp_path / "r", f'{BY_HAND}\nsha256 = "{SHA256}"\nsize = {len(TABLE)}')
    part = TABLE[: TABLE.index(b"row100,")]
    (tmp_path / "t.csv").write_bytes(part)
    with pytest.raises(RecipeError, match=r"bytes where the recipe says .*`--unchecked`"):
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
    with pytest.raises(RecipeError, match=r"Cannot write to .*DIFFAUG_BIO_CACHE"):
        datasets.fetch(remote, cache=tmp_path / "fixed")


def test_a_file_where_the_cache_should_be_is_named(remote: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(RecipeError, match=r"Cannot write to .*DIFFAUG_BIO_CACHE"):
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
    assert cache_folder().name == "diffaug-bio"
