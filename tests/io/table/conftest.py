"""Tables that tests write, and what the log says about them."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest

from diffaug_bio import io

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from anndata import AnnData


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Write text to a file, and return its path."""

    def write_text(text: str, name: str = "table.csv") -> Path:
        path = tmp_path / name
        path.write_bytes(text.encode())
        return path

    return write_text


@pytest.fixture
def read(write: Callable[..., Path], caplog: pytest.LogCaptureFixture) -> Callable[..., AnnData]:
    """Read a table of some text, with the log at INFO."""

    def read_text(text: str, name: str = "table.csv", **options: object) -> AnnData:
        caplog.clear()
        with caplog.at_level(logging.INFO, logger="diffaug_bio"):
            return io.read(write(text, name), **options)  # type: ignore[arg-type]

    return read_text


@pytest.fixture
def warned(caplog: pytest.LogCaptureFixture) -> Callable[[], str]:
    """Return all warnings of the log as one text."""

    def text() -> str:
        return "\n".join(
            record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING
        )

    return text
