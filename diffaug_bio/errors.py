"""Errors of this package that a caller may want to catch."""

from __future__ import annotations

_LONGEST = 1500  # letters of a message; names and values in it may come from a damaged file
_AT_THE_END = 400  # of a longer one, where it says what to do


class DiffAugError(Exception):
    """Base of all errors below; its message is written for the user, on one line."""

    def __str__(self) -> str:
        """Return the message; what a file put into it can neither break the line nor steer a terminal."""
        message = "".join(
            letter if letter.isprintable() else letter.encode("unicode_escape").decode("ascii")
            for letter in super().__str__()
        )
        if len(message) <= _LONGEST:
            return message
        return f"{message[: _LONGEST - _AT_THE_END - 5]} ... {message[-_AT_THE_END:]}"


class InputError(DiffAugError, ValueError):
    """The data, a path or a setting cannot be used; the message says how to mend it."""


class CheckpointError(DiffAugError, ValueError):
    """A model folder is incomplete, damaged, or of a format that this version does not know."""


class RecipeError(DiffAugError, ValueError):
    """A data recipe is unknown, or what it names is not what was found."""


class DownloadError(RecipeError):
    """A file of a recipe cannot be downloaded."""


class TrainingError(DiffAugError, RuntimeError):
    """Training diverged."""
