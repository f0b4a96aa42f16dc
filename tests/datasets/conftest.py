"""A real server on this machine, a folder for files, and recipes of a table."""

from __future__ import annotations

import contextlib
import hashlib
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest

from diffaug_bio import datasets
from diffaug_bio.datasets.files import Store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


TABLE = ("id,a,b,label\n" + "".join(f"row{i},{i},{i * i},{'xy'[i % 2]}\n" for i in range(5000))).encode()
SHA256 = hashlib.sha256(TABLE).hexdigest()


@dataclass
class Server:
    """What the server gives, how it misbehaves, and what it was asked."""

    url: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    etag: str | None = '"first"'
    last_modified: str | None = None
    answers_ranges: bool = True
    sends_length: bool = True
    most_sent: int | None = None
    """Most bytes of a part."""
    unasked: int | None = None
    """Status, 206 or 416, of every answer to a request of the whole file."""
    shift: int = 0
    """By how much later the parts begin than was asked for."""
    cuts: list[int] = field(default_factory=list)
    """Bytes after which the next answers break off."""
    statuses: list[int] = field(default_factory=list)
    """Errors that the next answers are."""
    asked: list[tuple[str, str | None]] = field(default_factory=list)
    """Paths and ranges."""


@pytest.fixture
def server() -> Iterator[Server]:
    """Serve bytes from memory, whole or in parts."""
    state = Server()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            asked = self.headers["Range"]
            state.asked.append((self.path, asked))
            content = state.files.get(self.path)
            if state.statuses or content is None:
                self.send_error(state.statuses.pop(0) if state.statuses else 404)
                return
            start = self._start(asked)
            start += state.shift if start else 0
            unasked = None if asked else state.unasked
            if start >= len(content) or unasked == 416:
                self.send_response(416)
                self.send_header("Content-Range", f"bytes */{0 if unasked else len(content)}")
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            end = min(len(content), start + state.most_sent) if start and state.most_sent else len(content)
            self.send_response(206 if start or unasked else 200)
            if start or unasked:
                self.send_header("Content-Range", f"bytes {start}-{end - 1}/{len(content)}")
            if state.sends_length:
                self.send_header("Content-Length", str(end - start))
            else:
                self.send_header("Connection", "close")
            for name, value in (("ETag", state.etag), ("Last-Modified", state.last_modified)):
                if value:
                    self.send_header(name, value)
            self.end_headers()
            rest = content[start:end]
            if state.cuts:
                self.wfile.write(rest[: state.cuts.pop(0)])
                self.wfile.flush()
                self.close_connection = True
                self.connection.close()
                return
            self.wfile.write(rest)

        def _start(self, asked: str | None) -> int:
            """Where to begin: a part is given only of the content that the client has begun with."""
            known = self.headers["If-Range"]
            if (
                asked is None
                or not state.answers_ranges
                or known not in {None, state.etag, state.last_modified}
            ):
                return 0
            return int(asked.removeprefix("bytes=").removesuffix("-"))

        def log_message(self, *_: Any) -> None:
            pass

        def handle(self) -> None:
            with contextlib.suppress(OSError, ValueError):  # the connection that was cut
                super().handle()

    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    httpd.daemon_threads = True
    state.url = f"http://127.0.0.1:{httpd.server_address[1]}"
    thread = threading.Thread(target=httpd.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield state
    httpd.shutdown()
    httpd.server_close()
    thread.join()


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Keep files of tests out of the user's cache."""
    monkeypatch.setenv("DIFFAUG_BIO_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


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
    return Store.of(datasets.load_recipe(name)).folder
