"""What `tl.augment` generates rows with: the model, how far to go, and data that are prepared once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Self

import numpy as np

from diffaug_bio.config.kinds import decided
from diffaug_bio.matrix.validation import check_generator

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from diffaug_bio.choose.targets import Targets
    from diffaug_bio.config import DiffAugConfig
    from diffaug_bio.core.batches import Rows
    from diffaug_bio.matrix.blocks import Matrix
    from diffaug_bio.model.estimator import DiffAug

_MAX_STRENGTH = 0.5  # without one that is asked for: what comes from noise alone strays from rare classes
N_DRAWS = 4  # of noise, over which it is averaged what parts batches


class Generated(NamedTuple):
    """Codes of rows and of what is made from them. Shape of both: `(n_rows, n_codes)`."""

    sources: NDArray[np.float32]
    codes: NDArray[np.float32]


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
        from diffaug_bio.core.generated import sampling_config
        from diffaug_bio.core.runtime import resolve_device
        from diffaug_bio.model.rows import prepared_rows

        check_generator(exists=model.has_generator)
        if strength is None:
            strength = min(decided(model.config_.generator.noising), _MAX_STRENGTH)
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
        return decided(self.config.generator.noising)

    def generate(self, numbers: NDArray[np.int64], *, seed: int) -> Generated:
        """Generate from rows of the matrix, by their numbers, each in its own batch if that is known."""
        return self._generated(self._rows(numbers), self._own(numbers), self.config, seed=seed)

    def generate_there(self, numbers: NDArray[np.int64], *, seed: int) -> Generated:
        """Do the same in the batch that is asked for, from where the rows would lie in it.

        Rows that are half noise still show where they come from: they are moved before noise is put on.
        """
        import torch

        from diffaug_bio.core.batches import DenseRows

        if self.targets.asked == self.targets.own:
            return self.generate(numbers, seed=seed)
        codes, moved = self.move(numbers)
        start = DenseRows(torch.from_numpy(moved).to(self.rows.device))
        return Generated(codes, self._generated(start, self._asked(numbers), self.config, seed=seed).codes)

    def move(self, numbers: NDArray[np.int64], *, n_draws: int = N_DRAWS, seed: int = 0) -> Generated:
        """Find where rows of features would lie in the batch that is asked for.

        The change is what parts rows that are generated in either batch from the same noise and nothing
        else, averaged over draws of it. Rows of that batch stay where they are.
        """
        from diffaug_bio.core.generated import sampling_config

        rows, config = self._rows(numbers), sampling_config(self.config, strength=1.0, guidance=None)
        changes, sources = np.zeros(0, np.float32), np.zeros(0, np.float32)
        for draw in range(n_draws):
            number = (seed + draw) % 2**32
            sources, there = self._generated(rows, self._asked(numbers), config, seed=number)
            _, here = self._generated(rows, self._own(numbers), config, seed=number)
            changes = there - here if draw == 0 else changes + (there - here)
        return Generated(sources, sources + changes / np.float32(n_draws))

    def _own(self, numbers: NDArray[np.int64]) -> list[str | None]:
        return [self.targets.own[number] for number in numbers]

    def _asked(self, numbers: NDArray[np.int64]) -> list[str | None]:
        return [self.targets.asked[number] for number in numbers]

    def _rows(self, numbers: NDArray[np.int64]) -> Rows:
        """Rows of the matrix as the networks take them."""
        import torch

        from diffaug_bio.core.batches import PickedRows

        if np.array_equal(numbers, self.numbers):
            return self.rows
        places = np.searchsorted(self.numbers, numbers)
        return PickedRows(self.rows, torch.from_numpy(places).to(self.rows.device))

    def _generated(
        self, rows: Rows, batches: list[str | None], config: DiffAugConfig, *, seed: int
    ) -> Generated:
        """Generate from rows in batches, by their names, of models that know some."""
        from diffaug_bio.core.generated import generated_codes
        from diffaug_bio.model.batches import batch_numbers

        number = batch_numbers(batches, config, rows.shape[0]) if config.batches.names else None
        found = generated_codes(self.model.state_, rows, config, seed=seed, batch=number)
        return Generated(*(codes.cpu().numpy() for codes in found))


def picked(matrix: Matrix, numbers: NDArray[np.int64]) -> Matrix:
    """Rows of a matrix. All in order need no copy, and images that stay on the disk stay there."""
    return matrix if np.array_equal(numbers, np.arange(matrix.shape[0])) else matrix[numbers]
