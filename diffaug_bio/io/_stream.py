"""What plain and gzipped text files share: telling them apart, and wording what goes wrong."""

from __future__ import annotations

import gzip
import zlib
from contextlib import contextmanager
from typing import TYPE_CHECKING

from diffaug_bio.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def is_gzipped(path: Path) -> bool:
    """Whether a file is gzipped, by its content."""
    with path.open("rb") as stream:
        return stream.read(2) == b"\x1f\x8b"


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turn what may go wrong while the block reads a file into sentences.

    Raises
    ------
    InputError
        If the file is cut off, not text, or may not be read.
    """
    try:
        yield
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        msg = f"{path} is not a complete gzip file: {error}. Copy or download it again."
        raise InputError(msg) from error
    except UnicodeDecodeError as error:
        msg = f"{path} is not a UTF-8 text file: {error.reason} at byte {error.start}."
        raise InputError(msg) from error
    except PermissionError as error:
        msg = f"{path} cannot be read: permission denied."
        raise InputError(msg) from error
