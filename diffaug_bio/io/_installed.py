"""The packages that read some formats, which not everybody has."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from diffaug_bio.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path


def check_installed(path: Path, package: str, extra: str) -> None:
    """Raise an `InputError` with the command that installs a package, if it is missing."""
    try:
        import_module(package)
    except ImportError as error:
        msg = (
            f"Reading {path} needs the package {package!r}, which is not installed. Run: "
            f'pip install "diffaug-bio[{extra}]"'
        )
        raise InputError(msg) from error
