"""Drawing counts whose rates change, so that they stay counts of the same library size and spread."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.floating]

_N_BALANCINGS = 20  # rounds in which totals of features and of rows are brought together
_MAX_DISPERSION = 1000.0
_SLACK = 0.05  # of the variance of counts: by how much generated ones may exceed it
_N_BISECTIONS, _MIN_POWER = 7, 0.3  # for the powers of rates that vary too much
_MIN_DISPERSION = 1e-3  # which is as good as none
_MOST_ADDED = 2.0
_EXPLAINED = 0.98  # share of Poisson noise below which a feature's own quantiles are used
FEW_ROWS = 50  # rows: from fewer, what is learned would be of these very rows, and copies of them come out


@dataclass(frozen=True, slots=True, kw_only=True)
class CountNoise:
    """How counts vary around the rates that components give.

    Rates are reconstructed expression times a gain for each feature, scaled so that every row keeps its
    total, or gets the one that its components say. Gains make the mean of each feature that of the real
    counts: one for reconstructed real rows, one for generated rows, whose logarithm is off by other
    amounts.
    """

    gain_before: Floats
    """Gains of reconstructed real rows. Shape: `(n,)`."""
    gain_after: Floats
    """Gains of generated rows. Shape: `(n,)`."""
    power: Floats
    """Power of expression, below 1 where generated rates vary more than real counts. Shape: `(n,)`."""
    added: Floats
    """Factor of what is added where rates rise, making up for losses where they fall. Shape: `(n,)`."""
    noise: Floats
    """Share of Poisson noise in the counts that components do not explain, 0 to 1. Shape: `(n,)`."""
    dispersion_before: Floats
    """Variance of the gamma-distributed factor by which rates of real rows are off. Shape: `(n,)`."""
    dispersion_after: Floats
    """The same for generated rows, so that counts drawn anew vary as real ones do. Shape: `(n,)`."""
    explained: NDArray[np.int64]
    """Numbers of features of which components explain more than Poisson noise would leave."""
    quantiles: tuple[Floats, Floats, Floats]
    """Sorted rates of real and generated rows, and counts, of `explained`; each `(n_obs, n_explained)`."""

    @classmethod
    def fit(cls, counts: Floats, before: Floats, after: Floats, *, totals: Floats | None = None) -> Self:
        """Learn gains and noise; of fewer than 50 rows one gain only, and noise is taken as Poisson.

        `counts` are those of real rows, `before` and `after` the expression expected by their components
        and by generated ones, all of shape `(n_obs, n)`; `totals`, `(n_obs, 1)`, those of the generated
        rows.
        """
        held = counts.sum(1, keepdims=True)
        totals = held if totals is None else totals
        gain_before, rates = _balanced(counts, before, held)
        if len(counts) < FEW_ROWS:
            return cls._poisson(gain_before)
        noise = np.clip(np.square(counts - rates).sum(0) / np.maximum(rates.sum(0), 1e-9), 0.0, 1.0)
        # Beside the Poisson noise of what is drawn.
        variance = np.maximum(counts.var(0) - counts.mean(0), 0.0)
        power = _powers(_balanced(counts, after, totals)[1], variance, slack=_SLACK * counts.var(0))
        # Both to one power, so that a row whose components stay as they are keeps its counts.
        gain_before, rates = _balanced(counts, _powered(before, power), held)
        gain_after, generated = _balanced(counts, _powered(after, power), totals)
        excess = np.square(counts - rates).sum(0) - rates.sum(0)
        dispersion_before = _dispersion(excess, np.square(rates).sum(0))
        lost = (counts * np.maximum(1 - generated / rates, 0.0)).sum(0)
        factors = (1 / dispersion_before + counts) / (1 / dispersion_before + rates)
        gained = (factors * np.maximum(generated - rates, 0.0)).sum(0)
        explained = np.flatnonzero(noise < _EXPLAINED)
        quantiles = (
            np.sort(rates[:, explained].astype(np.float32), axis=0),
            np.sort(generated[:, explained].astype(np.float32), axis=0),
            np.sort(counts[:, explained], axis=0),
        )
        return cls(
            gain_before=gain_before,
            gain_after=gain_after,
            power=power,
            noise=noise,
            added=np.clip((lost + 1) / (gained + 1), 0.0, _MOST_ADDED),
            dispersion_before=dispersion_before,
            dispersion_after=_dispersion(variance - generated.var(0), np.square(generated).mean(0)),
            explained=explained,
            quantiles=quantiles,
        )

    @classmethod
    def _poisson(cls, gain: Floats) -> Self:
        """Make noise that is Poisson, with the same gains for real and generated rows."""
        nothing = np.zeros((0, 0), np.float32)
        return cls(
            gain_before=gain,
            gain_after=gain,
            power=np.ones(len(gain)),
            added=np.ones(len(gain)),
            noise=np.ones(len(gain)),
            dispersion_before=np.full(len(gain), _MIN_DISPERSION),
            dispersion_after=np.full(len(gain), _MIN_DISPERSION),
            explained=np.zeros(0, np.int64),
            quantiles=(nothing, nothing, nothing),
        )

    def draw(
        self,
        counts: Floats,
        before: Floats,
        after: Floats,
        *,
        redraw: float,
        generator: np.random.Generator,
        totals: Floats | None = None,
    ) -> Floats:
        """Draw counts at the new rates, coupled to the old ones; arguments as for :meth:`fit`.

        A count `x` at rate `a` whose rate becomes `b` is thinned, `Binomial(x, b / a)`, where that is
        lower, and added to, `Poisson(f (b - a))`, where it is higher: a count whose rate does not change
        stays as it is. Rates are off by a factor `f` with a gamma distribution of mean 1 and variance
        `d`; what is known of it by the count, `Gamma(1 / d + x, 1 / d + a)`, stays with it. So a Poisson
        count becomes one, and a negative binomial count does. A share `redraw` of the counts is drawn
        anew. Counts that components explain move by as much as the quantile of their rate does.
        """
        held = counts.sum(1, keepdims=True)
        old = _scaled(_powered(before, self.power) * self.gain_before, held)
        new = _scaled(_powered(after, self.power) * self.gain_after, held if totals is None else totals)
        anew = generator.random(counts.shape) < redraw
        kept = generator.binomial(counts.astype(np.int64), np.minimum(1.0, new / old))
        kept = np.where(anew, 0, kept)
        mean = np.where(anew, new, self.added * np.maximum(new - old, 0.0))
        shape = np.where(anew, 1 / self.dispersion_after, 1 / self.dispersion_before + counts)
        rate = np.where(anew, 1 / self.dispersion_after, 1 / self.dispersion_before + old)
        drawn = kept + generator.poisson(mean * generator.gamma(shape) / rate)
        rounding, chance = generator.random((2, len(new), len(self.explained)))
        for place, feature in enumerate(self.explained):
            rates, made, values = (part[:, place] for part in self.quantiles)
            then = np.floor(np.interp(old[:, feature], rates, values) + rounding[:, place])
            now = np.floor(np.interp(new[:, feature], made, values) + rounding[:, place])
            moved = np.maximum(counts[:, feature] + now - then, 0)
            mapped = np.where(anew[:, feature], now, moved)
            is_noise = chance[:, place] < self.noise[feature]
            drawn[:, feature] = np.where(is_noise, drawn[:, feature], mapped)
        drawn[counts.sum(1) == 0] = 0  # quantiles know of no rows without any counts
        return drawn.astype(np.float32)


def _powers(rates: Floats, variance: Floats, *, slack: Floats) -> Floats:
    """Find powers below 1 for rates whose variance exceeds this by more than the slack; means stay."""
    power = np.ones(rates.shape[1])
    wide = np.flatnonzero(rates.var(0) > variance + slack)
    logged, mean = np.log(rates[:, wide]), rates[:, wide].mean(0)
    low, high = np.full(len(wide), _MIN_POWER), np.ones(len(wide))
    for _ in range(_N_BISECTIONS):
        middle = (low + high) / 2
        tried = np.exp(logged * middle)
        is_wide = (tried * (mean / tried.mean(0))).var(0) > variance[wide]
        low, high = np.where(is_wide, low, middle), np.where(is_wide, middle, high)
    power[wide] = low
    return power


def _powered(expression: Floats, power: Floats) -> Floats:
    """Take each feature to its power."""
    powered = expression.copy()
    changed = np.flatnonzero(power < 1)
    powered[:, changed] = np.maximum(expression[:, changed], 1e-9) ** power[changed]
    return powered


def _dispersion(excess: Floats, squares: Floats) -> Floats:
    """Variance of the factor of rates whose squares are given, which explains an excess of variance."""
    return np.clip(excess / np.maximum(squares, 1e-9), _MIN_DISPERSION, _MAX_DISPERSION)


def _balanced(counts: Floats, expression: Floats, totals: Floats) -> tuple[Floats, Floats]:
    """Gains that give features the totals of the counts and rows the given ones; rates that follow."""
    wanted = counts.sum(0) + 1
    held, gain = expression.astype(np.float64), np.ones(counts.shape[1])
    for _ in range(_N_BALANCINGS):
        # Sums of rates by products with vectors: the rates themselves are made once, at the end.
        rows = totals[:, 0] / np.maximum(held @ gain, 1e-9)
        # A count more on either side: features that are never seen keep a gain.
        gain *= wanted / (gain * (rows @ held) + 1)
    return gain, _scaled(expression * gain, totals)


def _scaled(expression: Floats, totals: Floats) -> Floats:
    """Rates in proportion to the expression of each row, with a total `(n_obs, 1)`; never quite 0."""
    raised: Floats = expression + 1e-9
    scaled: Floats = raised * (totals / np.maximum(raised.sum(1, keepdims=True), 1e-9)) + 1e-9
    return scaled
