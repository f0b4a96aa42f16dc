"""Fitted front end of sequences: principal components of words at several resolutions."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np
from scipy import sparse

from diffaug_bio.config.kinds import decided
from diffaug_bio.errors import InputError
from diffaug_bio.features._axes import principal_axes
from diffaug_bio.features._fitted import FittedFeatures
from diffaug_bio.matrix.blocks import row_blocks
from diffaug_bio.pp import KmerEncoding, decode_tokens

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from diffaug_bio.config import FeatureConfig, InputState
    from diffaug_bio.matrix.blocks import Matrix

    Floats = NDArray[np.float32]

_FINEST_BINS = 256  # single letters are told apart by position in sequences of up to as many
_FITTED_ROWS = 20_000  # more change the components by less than another sample would


@dataclass(frozen=True, slots=True, kw_only=True)
class FittedSequences:
    """A pyramid of word spectra, from composition to single positions, and its principal components.

    Words of four letters anywhere say what a sequence is made of, words of three in eight bins roughly
    where what is, single letters in up to 256 bins exactly where; each of the three has the same weight.
    """

    state: ClassVar[InputState] = "sequence"
    front_end: ClassVar[bool] = True

    n_vars: int
    """Positions of a row of tokens."""
    levels: tuple[tuple[int, int], ...]
    """Letters of a word and bins of position, for each resolution."""
    spectra: FittedFeatures
    """What is fitted to the spectra."""

    @property
    def n_features(self) -> int:
        """Width of the rows that the encoder sees: tokens."""
        return self.n_vars

    @property
    def components(self) -> Floats:
        """Principal axes of the spectra. Shape: `(n_columns, n_components)`."""
        return self.spectra.components

    def project(self, tokens: NDArray[np.uint8]) -> Floats:
        """Map rows of tokens to components; shape `(n_obs, n_components)`."""
        out = np.empty((len(tokens), self.components.shape[1]), np.float32)
        for rows, block in row_blocks(tokens):
            out[rows] = self.spectra.project(encode_spectra(block, self.levels))
        return out

    def dense_rows(self, tokens: NDArray[np.uint8]) -> Floats:
        """Spectra, standardised; shape `(n_obs, n_selected)`."""
        return self.spectra.dense_rows(encode_spectra(tokens, self.levels))

    def linear_map(self) -> tuple[Floats, Floats]:
        """One matrix and one offset from the spectra of all columns to components.

        Returns
        -------
        Shapes: `(n_columns, n_components)` and `(n_components,)`.
        """
        fitted = self.spectra
        weight = np.zeros((fitted.n_vars, fitted.components.shape[1]), np.float32)
        weight[fitted.selected] = fitted.components / fitted.std[:, None]
        bias = -(fitted.mean / fitted.std + fitted.center) @ fitted.components
        return weight, bias.astype(np.float32)

    def widened(self, tokens: NDArray[np.uint8], width: int, *, seed: int) -> Self:
        """Refit with more components; see :meth:`FittedFeatures.widened`."""
        matrix = encode_spectra(_sampled(tokens, seed=seed), self.levels)
        return replace(self, spectra=self.spectra.widened(matrix, width, seed=seed))


def fit_sequences(tokens: NDArray[np.uint8], config: FeatureConfig, *, seed: int) -> FittedSequences:
    """Fit the front end to rows of tokens.

    Parameters
    ----------
    tokens
        As :func:`diffaug_bio.pp.encode_tokens` gives them. Shape: `(n_obs, length)`.
    config
        Its `n_components` are kept.
    seed
        Which rows are looked at where there are more than 20,000.

    Raises
    ------
    InputError
        If all sequences are alike.
    """
    levels = levels_of(tokens.shape[1])
    matrix = encode_spectra(_sampled(tokens, seed=seed), levels)
    # A variance would not tell: rounding leaves that of a constant column just above 0, or below.
    varying = np.flatnonzero((matrix.max(0) != matrix.min(0)).toarray())
    if len(varying) == 0:
        msg = "All sequences hold the same words, so there is nothing to learn. Give different sequences."
        raise InputError(msg)
    mean = np.asarray(matrix.mean(0, dtype=np.float64)).ravel()[varying]
    squares = np.asarray(matrix.multiply(matrix).mean(0, dtype=np.float64)).ravel()[varying]
    widths = np.concatenate([np.full(n_bins * 4**k, n_bins * 4**k) for k, n_bins in levels])[varying]
    std = np.sqrt(np.maximum(squares - mean**2, 1e-12) * widths)
    unfitted = FittedFeatures(
        state="continuous",
        n_vars=matrix.shape[1],
        target_sum=1.0,
        max_value=None,
        front_end=True,
        selected=varying,
        medians=np.zeros(len(varying), np.float32),
        mean=mean.astype(np.float32),
        std=std.astype(np.float32),
        center=np.zeros(len(varying), np.float32),
        components=np.zeros((len(varying), 0), np.float32),
    )
    n_components = decided(config.resolved("sequence").n_components)
    axes = principal_axes(matrix, unfitted, n_components=n_components, seed=seed)
    spectra = replace(unfitted, center=axes.center, components=axes.components)
    return FittedSequences(n_vars=tokens.shape[1], levels=levels, spectra=spectra)


def _sampled(tokens: NDArray[np.uint8], *, seed: int) -> NDArray[np.uint8]:
    """Take the rows that the front end is fitted to."""
    if len(tokens) <= _FITTED_ROWS:
        return tokens
    chosen = np.random.default_rng(seed).choice(len(tokens), _FITTED_ROWS, replace=False)
    return tokens[np.sort(chosen)]


def levels_of(length: int) -> tuple[tuple[int, int], ...]:
    """Resolutions of the pyramid: letters of a word, and bins of position."""
    return ((4, 1), (3, 8), (1, min(length, _FINEST_BINS)))


def encode_spectra(tokens: NDArray[np.uint8], levels: tuple[tuple[int, int], ...]) -> Matrix:
    """Count words at each resolution; CSR of float32, the same as the front end of the networks sees."""
    sequences = decode_tokens(tokens)
    parts = [KmerEncoding(k=(k,), n_bins=n_bins).encode(sequences)[0] for k, n_bins in levels]
    return sparse.hstack(parts, format="csr", dtype=np.float32)
