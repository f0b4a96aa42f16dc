"""Errors that diffaug-bio raises."""

from __future__ import annotations

_LONGEST = 1500  # characters of a message; names and values in it may come from a damaged file
_AT_THE_END = 400  # characters kept at the end of a longer message, which says what to do


class DiffAugError(Exception):
    """Base class of all errors of diffaug-bio; the message is one line, written for the user."""

    def __str__(self) -> str:
        """Return the message with control characters escaped: they may come from a damaged file."""
        message = "".join(
            letter if letter.isprintable() else letter.encode("unicode_escape").decode("ascii")
            for letter in super().__str__()
        )
        if len(message) <= _LONGEST:
            return message
        return f"{message[: _LONGEST - _AT_THE_END - 5]} ... {message[-_AT_THE_END:]}"


class InputError(DiffAugError, ValueError):
    """Error of data, a path or a setting; the message says what to do."""


class CheckpointError(DiffAugError, ValueError):
    """Error of a model folder that is incomplete, damaged, or of an unknown format."""


class RecipeError(DiffAugError, ValueError):
    """Error of a data recipe that is unknown, or does not fit the files found."""


class DownloadError(RecipeError):
    """Error of a download that a recipe asks for."""


class TrainingError(DiffAugError, RuntimeError):
    """Error of a training that diverged."""
