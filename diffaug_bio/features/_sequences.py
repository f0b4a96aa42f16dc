"""Fitted preprocessing of sequences: principal components of words at several resolutions."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from scipy import sparse

from diffaug_bio.config.kinds import decided
from diffaug_bio.errors import InputError
from diffaug_bio.features._axes import widened, with_components
from diffaug_bio.features._protocol import Record
from diffaug_bio.features._standardised import Standardised, check_inner, inner
from diffaug_bio.features.records import (
    CONFIG,
    COUNT,
    STATE,
    TABLE,
    ArrayRule,
    Field,
    check_equal,
    check_fields,
    is_count,
)
from diffaug_bio.matrix.blocks import row_blocks
from diffaug_bio.matrix.sample import sample_rows
from diffaug_bio.matrix.validation import as_tokens, check_shape, check_size
from diffaug_bio.pp import KmerEncoding, decode_tokens

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import torch
    from numpy.typing import NDArray

    from diffaug_bio.config import DiffAugConfig, FeatureConfig, InputState
    from diffaug_bio.core.batches import Rows
    from diffaug_bio.core.inputs import Input
    from diffaug_bio.matrix.blocks import Matrix

    Columns = NDArray[np.int64] | None
    Floats = NDArray[np.float32]

_FINEST_BINS = 256  # single letters are told apart by position in sequences of up to as many
_FITTED_ROWS = 20_000  # more change the components by less than another sample would
_MUTATED = 0.2  # share of letters substituted in a hand-made view, as many as features are swapped
_LEVELS = Field(
    "a list of pairs of whole numbers",
    lambda value: (
        isinstance(value, list)
        and all(isinstance(pair, list) and len(pair) == 2 and all(map(is_count, pair)) for pair in value)
    ),
)
_PLAIN_FIELDS = {"state": STATE, "n_vars": COUNT, "levels": _LEVELS, "spectra": TABLE}


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
    spectra: Standardised
    """Standardisation of the spectra, and their principal axes."""

    used: ClassVar[None] = None
    estimates_missing: ClassVar[bool] = False
    unites_batches: ClassVar[bool] = False
    is_decoded: ClassVar[bool] = True

    @property
    def n_features(self) -> int:
        """Width of the rows that the encoder sees: tokens."""
        return self.n_vars

    @property
    def components(self) -> Floats:
        """Principal axes of the spectra. Shape: `(n_columns, n_components)`."""
        return self.spectra.components

    @classmethod
    def fit(
        cls, matrix: Matrix, config: DiffAugConfig, *, seed: int, feature_names: Sequence[str] | None
    ) -> tuple[FittedSequences, DiffAugConfig]:
        """Learn the principal axes of words, and decide the settings that are left to the data."""
        config = config.for_kind("sequence")
        check_size(matrix)
        return fit_sequences(as_tokens(matrix), config.features, seed=seed), config

    def project(self, matrix: Matrix, columns: Columns = None) -> Floats:
        """Map rows of tokens to components; shape `(n_obs, n_components)`."""
        tokens = matrix if columns is None else as_tokens(matrix, columns)
        out = np.empty((len(tokens), self.components.shape[1]), np.float32)
        for rows, block in row_blocks(tokens):
            out[rows] = self.spectra.project(encode_spectra(block, self.levels))
        return out

    def dense_rows(self, block: Matrix, columns: Columns = None) -> Floats:
        """Spectra, standardised; shape `(n_obs, n_selected)`."""
        tokens = block if columns is None else as_tokens(block, columns)
        return self.spectra.dense_rows(encode_spectra(tokens, self.levels))

    def scores(self, matrix: Matrix, *, for_neighbors: bool) -> None:
        """Return None: networks read letters, and no view of letters has neighbours."""

    def check_later(
        self, matrix: Matrix, columns: Columns, *, feature_names: Sequence[str] | None, is_detected: bool
    ) -> None:
        """Leave it to :meth:`rows`, which reads tokens only."""

    def rows(
        self, matrix: Matrix, device: torch.device, *, columns: Columns = None, scores: Floats | None = None
    ) -> Rows:
        """Hold tokens on the device."""
        import torch

        from diffaug_bio.core.batches import DenseRows

        return DenseRows(torch.from_numpy(as_tokens(matrix, columns)).to(device))

    def held(self, rows: NDArray[np.generic], device: torch.device) -> Rows:
        """Hold tokens. Shape: `(n_obs, n_vars)`."""
        check_shape(rows, (len(rows), self.n_vars), what="rows")
        return self.rows(rows, device)

    def inputs(self, config: DiffAugConfig) -> Input:
        """Describe a sequence to the networks, with the front end that turns letters into components."""
        import torch

        from diffaug_bio.core.inputs import SequenceInput
        from diffaug_bio.core.sequences import SpectralFrontEnd

        weight, bias = (torch.from_numpy(part) for part in self.linear_map())
        return SequenceInput(self.n_vars, SpectralFrontEnd(self.levels, weight, bias))

    def code_scale(self, config: DiffAugConfig) -> Floats:
        """Return 1: codes are components."""
        return np.ones(1, np.float32)

    def inverse(self, columns: Columns) -> None:
        """Return None: the model decodes letters itself."""

    def hand_made(self, matrix: Matrix, *, seed: int) -> tuple[str, NDArray[np.generic]]:
        """Substitute a fifth of the letters."""
        import torch

        from diffaug_bio.core.sequences import mutation

        generator = torch.Generator().manual_seed(seed)
        tokens = torch.from_numpy(np.array(matrix, np.uint8))
        return "cosine_mutation", mutation(tokens, strength=_MUTATED, generator=generator).numpy()

    def baseline(
        self, fitted: Matrix, matrix: Matrix, *, width: int, seed: int, known: Floats | None = None
    ) -> Floats:
        """Compute principal components of the words; shape `(n_obs, width)`."""
        return self.widened(fitted, width, seed=seed).project(matrix)[:, :width]

    def record(self) -> Record:
        """Split into plain values and arrays."""
        plain, arrays = self.spectra.record()
        levels = [list(level) for level in self.levels]
        kept = {"state": self.state, "n_vars": self.n_vars, "levels": levels, "spectra": plain}
        return Record(kept, arrays)

    @classmethod
    def check_record(cls, plain: Mapping[str, Any], config: DiffAugConfig, where: str) -> int:
        """Check the plain values, and return the number of positions."""
        check_fields(plain, _PLAIN_FIELDS, CONFIG, where)
        n_vars = int(plain["n_vars"])
        levels = levels_of(n_vars)
        check_equal(plain, {"levels": [list(level) for level in levels]}, where)
        n_columns = sum(n_bins * 4**k for k, n_bins in levels)
        check_inner(plain["spectra"], n_columns, f"{where}.spectra")
        return n_vars

    @classmethod
    def rules(cls, plain: Mapping[str, Any], arrays: Mapping[str, Any]) -> dict[str, ArrayRule]:
        """List the rules of the arrays, given plain values that are right."""
        return Standardised.rules(plain["spectra"], arrays, is_inner=True)

    @classmethod
    def from_record(cls, plain: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> Self:
        """Rebuild what :meth:`record` split; other arrays may be among them."""
        levels = tuple((k, n_bins) for k, n_bins in plain["levels"])
        spectra = Standardised.from_record(plain["spectra"], arrays)
        return cls(n_vars=plain["n_vars"], levels=levels, spectra=spectra)

    def linear_map(self) -> tuple[Floats, Floats]:
        """Map from all spectra to components: weight `(n_columns, n_components)` and offset."""
        fitted = self.spectra
        weight = np.zeros((fitted.n_vars, fitted.components.shape[1]), np.float32)
        weight[fitted.selected] = fitted.components / fitted.std[:, None]
        bias = -(fitted.mean / fitted.std + fitted.center) @ fitted.components
        return weight, bias.astype(np.float32)

    def widened(self, tokens: NDArray[np.uint8], width: int, *, seed: int) -> Self:
        """Copy with more components."""
        matrix = encode_spectra(tokens[sample_rows(len(tokens), _FITTED_ROWS, seed=seed)], self.levels)
        return replace(self, spectra=widened(self.spectra, matrix, width, seed=seed))


def fit_sequences(tokens: NDArray[np.uint8], config: FeatureConfig, *, seed: int) -> FittedSequences:
    """Fit the front end to rows of tokens; of more than 20,000, `seed` draws those that are looked at.

    Raises an `InputError` if all sequences are alike.
    """
    levels = levels_of(tokens.shape[1])
    matrix = encode_spectra(tokens[sample_rows(len(tokens), _FITTED_ROWS, seed=seed)], levels)
    # A variance would not tell: rounding leaves that of a constant column just above 0, or below.
    varying = np.flatnonzero((matrix.max(0) != matrix.min(0)).toarray())
    if len(varying) == 0:
        msg = "All sequences hold the same words: there is nothing to learn. Give different sequences."
        raise InputError(msg)
    mean = np.asarray(matrix.mean(0, dtype=np.float64)).ravel()[varying]
    squares = np.asarray(matrix.multiply(matrix).mean(0, dtype=np.float64)).ravel()[varying]
    widths = np.concatenate([np.full(n_bins * 4**k, n_bins * 4**k) for k, n_bins in levels])[varying]
    std = np.sqrt(np.maximum(squares - mean**2, 1e-12) * widths)
    unfitted = inner(matrix.shape[1], varying, mean.astype(np.float32), std.astype(np.float32))
    n_components = decided(config.resolved("sequence").n_components)
    spectra = with_components(unfitted, matrix, n_components=n_components, seed=seed)
    return FittedSequences(n_vars=tokens.shape[1], levels=levels, spectra=spectra)


def levels_of(length: int) -> tuple[tuple[int, int], ...]:
    """Resolutions of the pyramid: letters of a word, and bins of position."""
    return ((4, 1), (3, 8), (1, min(length, _FINEST_BINS)))


def encode_spectra(tokens: NDArray[np.uint8], levels: tuple[tuple[int, int], ...]) -> Matrix:
    """Count words at each resolution, as the front end of the networks does; CSR of float32."""
    sequences = decode_tokens(tokens)
    parts = [KmerEncoding(k=(k,), n_bins=n_bins).encode(sequences)[0] for k, n_bins in levels]
    return sparse.hstack(parts, format="csr", dtype=np.float32)
