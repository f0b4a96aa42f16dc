"""Downloads that go on where they were cut."""

from __future__ import annotations

import json
import logging
import os
import re
import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from diffaug_bio.errors import DownloadError
from diffaug_bio.output.files import write_json

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import requests

logger = logging.getLogger(__name__)

_CHUNK = 2**20
_N_TRIES = 3
_SECONDS_BETWEEN_LINES = 10.0
_PARTIAL_CONTENT, _BAD_REQUEST, _RANGE_NOT_SATISFIABLE = 206, 400, 416
_TOO_MANY_REQUESTS, _SERVER_ERROR = 429, 500
_RANGE = re.compile(r"bytes (\d+)-\d+/(\d+|\*)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far the download of a file is."""

    file: str
    """Name of the file."""
    done: int
    """Bytes that are here."""
    total: int | None
    """Bytes of the whole file, if the server says so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Partial:
    """What is known of a partial file: it may be completed only by the same content."""

    url: str
    validator: str
    """What names this content: a strong `ETag`, or the time of the last change."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ResumingDownload:
    """A downloader for pooch: goes on with a partial file where that is safe, and tries again when cut."""

    part: Path
    """The partial file; what is known of it stands in a file beside it."""
    is_checked: bool
    """Whether a hash is known: then a partial file is kept even if the server does not name its content."""
    size: int | None = None
    """Bytes that the file has to have, if known."""
    on_progress: Callable[[Progress], None] | None = None
    """Called as bytes come; without it a line is logged now and then."""
    wait: float = 0.5
    """Seconds before the second try; each further one waits twice as long."""

    def __call__(self, url: str, output_file: str | os.PathLike[str], pooch: object) -> None:
        """Download, and put the whole file at `output_file`.

        Raises
        ------
        DownloadError
            If the server cannot be reached, refuses, breaks off again and again, or the file has another
            size than it should.
        """
        try:
            self._fetch(url)
        except BaseException:
            self._drop_useless()
            raise
        found = self.part.stat().st_size
        if self.size is not None and found != self.size:
            self._drop()
            msg = f"{url} gave {found} bytes where the recipe says {self.size}; it was removed."
            raise DownloadError(msg)
        _sync(self.part)
        self.part.replace(output_file)
        self._note.unlink(missing_ok=True)

    @property
    def _note(self) -> Path:
        return self.part.with_name(f"{self.part.name}.json")

    def _fetch(self, url: str) -> None:
        """Try until the partial file is whole; a try that came further than all before is not counted."""
        import requests
        from urllib3.exceptions import HTTPError

        tries, furthest = 0, self._size()
        while True:
            try:
                self._try_once(url)
            except (requests.RequestException, HTTPError, _CutError) as error:
                tries = 1 if self._size() > furthest else tries + 1
                furthest = max(furthest, self._size())
                if tries >= _N_TRIES:
                    msg = f"{url} cannot be downloaded: {_reason(error)}."
                    raise DownloadError(msg) from error
                self._drop_useless()
                logger.info("%s did not come whole (%s); trying again.", url, _reason(error))
                time.sleep(self.wait * 2 ** (tries - 1))
            else:
                return

    def _try_once(self, url: str) -> None:
        """Ask for what is missing, and write it."""
        import requests

        # As it lies on the server: sizes and hashes are those of the file itself.
        headers = {"Accept-Encoding": "identity"}
        partial, start = self._partial(), self._size()
        if start and partial is not None and partial.url == url:
            headers["Range"] = f"bytes={start}-"
            if partial.validator:
                headers["If-Range"] = partial.validator
        else:
            start = 0
        with requests.get(url, headers=headers, stream=True, timeout=(10, 60)) as response:
            code = response.status_code
            if code == _RANGE_NOT_SATISFIABLE and start:
                if response.headers.get("Content-Range") == f"bytes */{start}":
                    return  # it is whole
                self._drop()
                msg = "the file on the server has changed"
                raise _CutError(msg)
            if code >= _SERVER_ERROR or code == _TOO_MANY_REQUESTS:
                msg = f"the server answered {code} {response.reason}"
                raise _CutError(msg)
            if code >= _BAD_REQUEST:
                msg = f"{url} cannot be downloaded: the server answered {code} {response.reason}."
                raise DownloadError(msg)
            if code != _PARTIAL_CONTENT:
                start = 0
            total = self._start_part(url, response, start)
            self._write(response, start, total)

    def _start_part(self, url: str, response: requests.Response, start: int) -> int | None:
        """Make the partial file ready to be written from a place on, and return the size of the whole."""
        if start:
            found = _RANGE.fullmatch(response.headers.get("Content-Range", ""))
            if found is None or int(found[1]) != start:
                self._drop()
                msg = "the server sent another part than was asked for"
                raise _CutError(msg)
            return None if found[2] == "*" else int(found[2])
        length = response.headers.get("Content-Length", "")
        if self.size is not None and length.isdigit() and int(length) != self.size:
            msg = f"{url} has {length} bytes where the recipe says {self.size}."
            raise DownloadError(msg)
        self._drop()
        self.part.parent.mkdir(parents=True, exist_ok=True)
        write_json(self._note, asdict(_Partial(url=url, validator=_validator(response))))
        self.part.touch()
        return int(length) if length.isdigit() else None

    def _write(self, response: requests.Response, start: int, total: int | None) -> None:
        """Append what comes to the partial file."""
        report = self.on_progress or _LogLines()
        done = start
        with self.part.open("r+b") as stream:
            stream.seek(start)
            for chunk in _chunks(response):
                stream.write(chunk)
                done += len(chunk)
                if self.size is not None and done > self.size:
                    msg = f"{response.url} gives more than the {self.size} bytes that the recipe says."
                    raise DownloadError(msg)
                report(Progress(file=self.part.name.removesuffix(".part"), done=done, total=total))
        if total is not None and done < total:
            msg = f"it broke off after {done} of {total} bytes"
            raise _CutError(msg)

    def _size(self) -> int:
        """Bytes of the partial file."""
        return self.part.stat().st_size if self.part.exists() else 0

    def _partial(self) -> _Partial | None:
        """Read what is known of the partial file."""
        try:
            return _Partial(**json.loads(self._note.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return None

    def _drop_useless(self) -> None:
        """Remove a partial file that could not be completed safely."""
        partial = self._partial()
        is_whole_content_known = partial is not None and (partial.validator or self.is_checked)
        if not is_whole_content_known or not self._size():
            self._drop()

    def _drop(self) -> None:
        """Remove the partial file and what is known of it."""
        self.part.unlink(missing_ok=True)
        self._note.unlink(missing_ok=True)


class _CutError(Exception):
    """A try that may be repeated."""


class _LogLines:
    """Logs a line now and then."""

    def __init__(self) -> None:
        self._last = time.monotonic()

    def __call__(self, progress: Progress) -> None:
        now = time.monotonic()
        if now - self._last >= _SECONDS_BETWEEN_LINES:
            self._last = now
            whole = "" if progress.total is None else f" of {progress.total / 1e6:.0f}"
            logger.info("%s: %.0f%s MB", progress.file, progress.done / 1e6, whole)


def _chunks(response: requests.Response) -> Iterator[bytes]:
    """Bytes as they lie on the server; `iter_content` would unpack what it takes for compressed."""
    yield from response.raw.stream(_CHUNK, decode_content=False)


def _validator(response: requests.Response) -> str:
    """Name the content of a response, or give nothing if the server cannot send parts."""
    if response.headers.get("Accept-Ranges", "").lower() == "none":
        return ""
    etag = str(response.headers.get("ETag", ""))
    if etag and not etag.startswith("W/"):
        return etag
    return str(response.headers.get("Last-Modified", ""))


def _reason(error: BaseException) -> str:
    """Say in a few words why a try failed."""
    import requests

    if isinstance(error, requests.exceptions.Timeout):
        return "the server does not answer"
    if isinstance(error, requests.exceptions.SSLError):
        return "the certificate of the server is not valid"
    if isinstance(error, _CutError):
        return str(error)
    if isinstance(error, requests.exceptions.ConnectionError):
        return "the server cannot be reached"
    if isinstance(error, requests.exceptions.RequestException):
        return f"the request failed ({type(error).__name__})"
    return "the connection broke off"


def _sync(path: Path) -> None:
    """Make sure that a file is on the disk before it gets its name."""
    with path.open("rb+") as stream:
        os.fsync(stream.fileno())
