"""Downloads that continue where they were cut."""

from __future__ import annotations

import logging
import os
import re
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn

from diffaug_bio.errors import DownloadError

if TYPE_CHECKING:
    from collections.abc import Callable
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
    """State of the download of a file, in bytes."""

    file: str
    done: int
    total: int | None
    """Size of the whole file, if the server says so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Download:
    """Download of a file, which continues a partial file if the server still has the same content."""

    url: str
    part: Path
    """Partial file. A note beside it holds the address, and the name that the server gave the content."""
    size: int | None = None
    """Size in bytes that the file must have, if known."""
    is_checked: bool = False
    """True if a hash is checked afterwards: a partial file of unnamed content is then continued, too."""
    on_progress: Callable[[Progress], None] | None = None
    """Called as bytes arrive; if left out, a line is logged every ten seconds."""
    wait: float = 0.5
    """Seconds before the second try; each further one waits twice as long."""

    def run(self) -> None:
        """Download until the partial file is complete; its note is then removed.

        Gives up if the server cannot be reached, refuses, breaks off three times without progress, or the
        file has another size than it should.
        """
        try:
            self._complete()
            if self.size is not None and self._done() != self.size:
                self._refuse(self._done())
        except BaseException:
            if not (self._noted()[1] or self.is_checked):
                self.drop()  # nothing would tell whether the rest belongs to the same content
            raise
        self._note.unlink()

    def drop(self) -> None:
        """Remove the partial file."""
        self.part.unlink(missing_ok=True)
        self._note.unlink(missing_ok=True)

    @property
    def _note(self) -> Path:
        return self.part.with_name(f"{self.part.name}.txt")

    def _done(self) -> int:
        return self.part.stat().st_size if self.part.exists() else 0

    def _noted(self) -> tuple[str, str]:
        """Return the address of the partial file, and the name of its content."""
        # A damaged note names no content that the server has; a header could not hold replaced characters.
        text = self._note.read_text(encoding="utf-8", errors="ignore") if self._note.exists() else ""
        url, _, content = text.partition("\n")
        return url, content

    def _refuse(self, n_bytes: int) -> NoReturn:
        """Refuse a file of another size than the recipe says, and remove it."""
        self.drop()
        msg = f"{self.url} has {n_bytes} bytes where the recipe says {self.size}; the file was removed."
        raise DownloadError(msg)

    def _complete(self) -> None:
        """Try until the file is complete; only tries without progress are counted."""
        import requests
        from urllib3.exceptions import HTTPError

        tries, furthest = 0, self._done()
        while True:
            try:
                self._try_once()
            except (requests.RequestException, HTTPError, _CutError) as error:
                tries = 1 if self._done() > furthest else tries + 1
                furthest = max(furthest, self._done())
                if tries >= _N_TRIES:
                    msg = f"{self.url} cannot be downloaded: {_reason(error)}."
                    raise DownloadError(msg) from error
                logger.info("%s is not complete (%s); trying again.", self.url, _reason(error))
                time.sleep(self.wait * 2 ** (tries - 1))
            else:
                return

    def _try_once(self) -> None:
        """Request the missing bytes, and append them."""
        import requests

        # The file as it lies on the server: sizes and hashes are those of the file itself.
        headers = {"Accept-Encoding": "identity"}
        url, content = self._noted()
        start = self._done() if url == self.url and (content or self.is_checked) else 0
        if start:
            headers |= {"Range": f"bytes={start}-"} | ({"If-Range": content} if content else {})
        with requests.get(self.url, headers=headers, stream=True, timeout=(10, 60)) as response:
            code = response.status_code
            place = response.headers.get("Content-Range", "")
            if code == _RANGE_NOT_SATISFIABLE and start > 0 and place == f"bytes */{start}":
                return  # the file is complete
            part = _RANGE.fullmatch(place) if code == _PARTIAL_CONTENT and start > 0 else None
            is_rest = part is not None and int(part[1]) == start
            if code == _RANGE_NOT_SATISFIABLE or (code == _PARTIAL_CONTENT and not is_rest):
                self.drop()
                msg = "the server sent another part than was asked for"
                raise _CutError(msg)
            if code >= _SERVER_ERROR or code == _TOO_MANY_REQUESTS:
                msg = f"the server answered {code} {response.reason}"
                raise _CutError(msg)
            if code >= _BAD_REQUEST:
                msg = f"{self.url} cannot be downloaded: the server answered {code} {response.reason}."
                raise DownloadError(msg)
            # Content-Length is that of the part, which may end before the file does.
            length = response.headers.get("Content-Length", "") if part is None else part[2]
            total = int(length) if length.isdigit() else None
            if part is None:
                start = 0
                self.part.unlink(missing_ok=True)  # a note must not name the content of older bytes
                self.part.parent.mkdir(parents=True, exist_ok=True)
                self._note.write_text(f"{self.url}\n{_content_name(response)}", encoding="utf-8")
            if self.size is not None and total is not None and total != self.size:
                self._refuse(total)
            self._append(response, start, total)

    def _append(self, response: requests.Response, start: int, total: int | None) -> None:
        """Write what arrives to the partial file, from a position on."""
        last, done = time.monotonic(), start
        with self.part.open("r+b" if start else "wb") as stream:
            stream.seek(start)
            # Bytes as they lie on the server; `iter_content` would decompress some of them.
            for chunk in response.raw.stream(_CHUNK, decode_content=False):
                stream.write(chunk)
                done += len(chunk)
                if self.size is not None and done > self.size:
                    self._refuse(done)
                progress = Progress(file=self.part.name.removesuffix(".part"), done=done, total=total)
                if self.on_progress is not None:
                    self.on_progress(progress)
                elif time.monotonic() - last >= _SECONDS_BETWEEN_LINES:
                    last = time.monotonic()
                    whole = "" if total is None else f" of {total / 1e6:.0f}"
                    logger.info("%s: %.0f%s MB", progress.file, done / 1e6, whole)
            stream.flush()
            os.fsync(stream.fileno())  # on the disk before it gets its name
        if total is not None and done < total:
            msg = f"it broke off after {done} of {total} bytes"
            raise _CutError(msg)


class _CutError(Exception):
    """Problem for which the request is repeated."""


def _content_name(response: requests.Response) -> str:
    """Return the strong `ETag` or the date of the content, or nothing if the server cannot send parts."""
    etag = str(response.headers.get("ETag", ""))
    if response.headers.get("Accept-Ranges", "").lower() == "none":
        return ""
    return etag if etag and not etag.startswith("W/") else str(response.headers.get("Last-Modified", ""))


def _reason(error: BaseException) -> str:
    """Word the reason why a request failed."""
    import requests

    reasons = {
        _CutError: str(error),
        requests.Timeout: "the server does not answer",
        requests.exceptions.SSLError: "the certificate of the server is not valid",
        requests.ConnectionError: "the server cannot be reached",
        requests.RequestException: f"the request failed ({type(error).__name__})",
    }
    return next(
        (text for kind, text in reasons.items() if isinstance(error, kind)), "the connection broke off"
    )
