"""Batches of training rows, and of rows to generate."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from diffaug_bio._wording import shorten
from diffaug_bio.errors import InputError
from diffaug_bio.mapping.partners import find_partners

if TYPE_CHECKING:
    from collections.abc import Sequence

    import torch
    from numpy.typing import NDArray

    from diffaug_bio.config import DiffAugConfig
    from diffaug_bio.core.integration import Batches
    from diffaug_bio.features import Fitted


class Targets(NamedTuple):
    """Batches of rows by name; None where the model knows no batch of the row."""

    own: Sequence[str | None]
    """Batch that each row was measured in. Shape: `(n_obs,)`."""
    asked: Sequence[str | None]
    """Batch to generate each row in. Shape: `(n_obs,)`."""


class KnownBatches(NamedTuple):
    """Batches of the training rows."""

    names: list[str]
    """Names of the batches, sorted."""
    number: NDArray[np.int64]
    """Number of each row's batch. Shape: `(n_obs,)`."""


def known_batches(batches: Sequence[str], n_obs: int) -> KnownBatches:
    """Check the batches of training rows, and number them."""
    given = np.asarray(batches, dtype=np.str_)
    if given.shape != (n_obs,):
        held = f"{len(given)} values" if given.ndim == 1 else f"values of shape {given.shape}"
        msg = f"`batches` holds {held} for {n_obs} rows; give one for each row."
        raise InputError(msg)
    names, number = np.unique(given, return_inverse=True)
    if len(names) < 2:
        msg = (
            f"All {n_obs} rows are of one batch, {str(names[0])!r}; there is nothing to bring together. "
            "Leave the batches out."
        )
        raise InputError(msg)
    return KnownBatches([str(name) for name in names], number.astype(np.int64))


def check_has_components(features: Fitted) -> None:
    """Refuse batches of rows without principal components of features, which bring batches together."""
    if not features.unites_batches:
        msg = (
            "Batches are brought together by principal components of features. Sequences, images and "
            "features without a front end have none: leave the batches out."
        )
        raise InputError(msg)


def batches_of_rows(
    known: KnownBatches,
    scores: NDArray[np.float32] | None,
    config: DiffAugConfig,
    *,
    seed: int,
    device: torch.device,
) -> Batches:
    """Find partners of each training row in other batches, by principal components, for the trainer."""
    import torch

    from diffaug_bio.core.integration import Batches

    if scores is None:
        msg = "Batches are brought together by principal components, and there are none."
        raise ValueError(msg)
    settings = config.batches
    partners = find_partners(
        scores,
        np.asarray(known.names)[known.number],
        n_neighbors=settings.n_neighbors,
        n_partners=settings.n_partners,
        seed=seed,
    )
    number, rows, confidence, shift = (
        torch.from_numpy(part).to(device) for part in (known.number, *partners)
    )
    return Batches(settings, number, rows, confidence, shift)


def batch_numbers(
    batch: str | Sequence[str | None] | None, config: DiffAugConfig, n_obs: int
) -> torch.Tensor | None:
    """Find the numbers of batches to generate in, -1 for none, by one name for all rows or one for each.

    Raises an `InputError` if the model was fitted without batches or without that one, or the number of
    names is wrong.
    """
    import torch

    if batch is None:
        return None
    names = config.batches.names
    if not names:
        msg = (
            "The model was fitted without batches, and cannot generate rows in one. Fit it with "
            "`batch_key` (`--batch-key`)."
        )
        raise InputError(msg)
    asked = [batch] * n_obs if isinstance(batch, str) else list(batch)
    if len(asked) != n_obs:
        msg = f"`batch` holds {len(asked)} names for {n_obs} rows; give one, or one for each row."
        raise InputError(msg)
    number: dict[str | None, int] = {name: place for place, name in enumerate(names)} | {None: -1}
    if unknown := [name for name in asked if name not in number]:
        msg = f"The model knows no batch {str(unknown[0])!r}. It was fitted on {shorten(names)}."
        raise InputError(msg)
    return torch.tensor([number[name] for name in asked], dtype=torch.long)
