"""What `tl.augment` generates rows with: the model, how far to go, and data that are prepared once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np

from diffaug_bio._validation import check_generator

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from diffaug_bio._blocks import Matrix
    from diffaug_bio.config import DiffAugConfig
    from diffaug_bio.core.batches import Rows
    from diffaug_bio.estimator import DiffAug
    from diffaug_bio.tl._targets import Targets

_MAX_STRENGTH = 0.5  # without one that is asked for: what comes from noise alone strays from rare classes


@dataclass(frozen=True, slots=True)
class Sampling:
    """Generates rows from some of a matrix, which is matched with the model and projected once."""

    model: DiffAug
    config: DiffAugConfig
    """The model's, with the strength and guidance that are used."""
    numbers: NDArray[np.int64]
    """Rows of the matrix that are prepared, in order."""
    rows: Rows
    """Those rows as the networks take them."""
    targets: Targets
    """Batches of all rows of the matrix."""

    @classmethod
    def of(
        cls,
        model: DiffAug,
        matrix: Matrix,
        names: list[str] | None,
        *,
        numbers: NDArray[np.int64],
        strength: float | None,
        guidance: float | None,
        targets: Targets,
    ) -> Self:
        """Prepare rows, and take what the model was trained with where nothing is asked for.

        Parameters
        ----------
        model
            A fitted model.
        matrix, names
            The data, and the names of their features.
        numbers
            Rows that are generated from, each once and in order.
        strength, guidance
            As for :func:`diffaug_bio.tl.augment`.
        targets
            Batches of all rows of the matrix.

        Raises
        ------
        InputError
            If the model has no generator, or the data do not fit it.
        """
        from diffaug_bio._rows import prepared_rows
        from diffaug_bio.core.generated import sampling_config
        from diffaug_bio.core.runtime import resolve_device

        check_generator(exists=model.has_generator)
        if strength is None:
            strength = min(model.config_.generator.noising, _MAX_STRENGTH)
        rows = prepared_rows(
            model.features_,
            picked(matrix, numbers),
            model.config_,
            feature_names=names,
            training_names=getattr(model, "feature_names_in_", None),
            device=resolve_device(model.device),
        )
        config = sampling_config(model.config_, strength=strength, guidance=guidance)
        return cls(model, config, numbers, rows, targets)

    @property
    def strength(self) -> float:
        """Share of the noise schedule to which codes are noised."""
        return self.config.generator.noising

    def generate(
        self, numbers: NDArray[np.int64], *, seed: int, in_own: bool = False
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Codes of rows of the matrix, by their numbers, and what is generated from them.

        In the batches that are asked for, or in those of the rows themselves, with the same noise.
        """
        import torch

        from diffaug_bio._batches import batch_numbers
        from diffaug_bio.core.batches import PickedRows
        from diffaug_bio.core.generated import generated_codes

        rows = self.rows
        if not np.array_equal(numbers, self.numbers):
            places = np.searchsorted(self.numbers, numbers)
            rows = PickedRows(rows, torch.from_numpy(places).to(rows.device))
        batch = None
        if self.config.batches.names:
            names = self.targets.own if in_own else self.targets.asked
            batch = batch_numbers([names[number] for number in numbers], self.config, len(numbers))
        codes, generated = generated_codes(self.model.state_, rows, self.config, seed=seed, batch=batch)
        return codes.cpu().numpy(), generated.cpu().numpy()


def picked(matrix: Matrix, numbers: NDArray[np.int64]) -> Matrix:
    """Rows of a matrix. All in order need no copy, and images that stay on the disk stay there."""
    return matrix if np.array_equal(numbers, np.arange(matrix.shape[0])) else matrix[numbers]
