"""Original rows and rows generated from them, in the units of the data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse

from diffaug_bio._keys import SEQUENCE_KEY
from diffaug_bio._wording import shorten
from diffaug_bio.choose.matrix import choose_matrix, later_choice
from diffaug_bio.config.kinds import STATES
from diffaug_bio.errors import InputError
from diffaug_bio.model.source import MatrixChoice
from diffaug_bio.tl import augment

if TYPE_CHECKING:
    from collections.abc import Sequence

    from anndata import AnnData
    from numpy.typing import NDArray

    from diffaug_bio.matrix.blocks import Matrix
    from diffaug_bio.model.estimator import DiffAug


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """Original and generated rows with the same features."""

    real: Matrix
    """Shape: `(n_obs, n_vars)`."""
    made: Matrix
    """Generated rows, view by view. Shape: `(n_views * n_obs, n_vars)`."""
    names: list[str]
    """Names of the features; empty for pixels."""
    state: str
    """Kind of values, such as "counts" or "words"."""
    letters: tuple[list[str], list[str]] | None
    """Original and generated sequences, if there are any."""
    image_shape: tuple[int, ...]

    def columns(self, numbers: Sequence[int] | NDArray[np.integer]) -> tuple[NDArray[np.floating], ...]:
        """Take the dense values of some features; counts and normalised expression as `log1p`."""
        found = []
        for matrix in (self.real, self.made):
            part = matrix[:, np.asarray(numbers)]
            dense = np.asarray(part.toarray() if sparse.issparse(part) else part, np.float64)
            found.append(np.log1p(np.maximum(dense, 0)) if not STATES[self.state].is_logged else dense)
        return tuple(found)

    def numbers_of(self, names: Sequence[str]) -> list[int]:
        """Find features by their names; refuse names that are missing."""
        known = {name: number for number, name in enumerate(self.names)}
        if missing := [str(name) for name in names if str(name) not in known]:
            msg = f"The data have no features {shorten(missing)}; they have {shorten(self.names)}."
            raise InputError(msg)
        return [known[str(name)] for name in names]

    @property
    def unit(self) -> str:
        """Unit of the values, for an axis."""
        return STATES[self.state].unit


def generate(
    sample: AnnData,
    model: DiffAug,
    *,
    n_views: int,
    strength: float | None,
    guidance: float | None,
    seed: int,
) -> Pair:
    """Generate rows from a sample; settings as for :func:`diffaug_bio.tl.augment`."""
    made = augment(sample, model, n_views=n_views, strength=strength, guidance=guidance, random_state=seed)
    state = model.features_.state
    if state == "sequence":
        found = [list(map(str, part.obs[SEQUENCE_KEY])) for part in (sample, made)]
        return Pair(
            real=_words(sample, made),
            made=made.X,
            names=list(made.var_names),
            state="words",
            letters=(found[0], found[1]),
            image_shape=(),
        )
    choice = later_choice(sample, MatrixChoice(), model)
    real, names = choose_matrix(sample, choice, model=model)
    real = real[np.arange(real.shape[0])]  # reads images that are on the disk
    return Pair(
        real=real,
        made=made.X,
        names=list(names or []),
        state=state,
        letters=None,
        image_shape=tuple(getattr(model.features_, "image_shape", ())),
    )


def _words(sample: AnnData, made: AnnData) -> Matrix:
    """Count the k-mers of the originals as those of the generated sequences were counted."""
    from diffaug_bio.pp import KmerEncoding

    kmers = KmerEncoding.from_dict(made.uns["kmers"], source="`.uns`")
    return kmers.encode(list(map(str, sample.obs[SEQUENCE_KEY])))[0]
