"""Errors of this package that a caller may want to catch."""

from __future__ import annotations


class DiffAugError(Exception):
    """Base of all errors below; its message is written for the user."""


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
