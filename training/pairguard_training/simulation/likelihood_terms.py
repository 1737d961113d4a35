"""Log-likelihoods over states as one matrix product.

Every signal of the simulation is of an exponential family whose parameters, not its shape, depend
on the state. Its log-likelihood is then a sum of statistics times coefficients, up to a constant
that no state changes, and all signals together are one product of matrices: exact and fast.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from pairguard_training.simulation.states import Array, Index, Mask


@dataclass(slots=True)
class LikelihoodTerms:
    """Statistics (n,) each with its (S,) coefficients; unknown values are statistics of 0."""

    columns: list[Array] = field(default_factory=list)
    coefficients: list[Array] = field(default_factory=list)

    def add(self, column: Array | Mask, coefficient: Array) -> None:
        """Add one statistic and what it is worth in each state."""
        self.columns.append(np.asarray(column, dtype=np.float64))
        self.coefficients.append(coefficient)

    def add_normal(self, value: Array, known: Mask, *, mean: Array, deviation: float) -> None:
        """Add a normal value; its square tells nothing, as the deviation is one everywhere."""
        self.add(np.where(known, value, 0.0), mean / deviation**2)
        self.add(known, -0.5 * (mean / deviation) ** 2)

    def add_count(self, value: Array, known: Mask, *, mean: Array, shape: float) -> None:
        """Add a negative binomial count."""
        share = mean / (mean + shape)
        self.add(np.where(known, value, 0.0), np.log(share))
        self.add(known, shape * np.log1p(-share))

    def add_trials(self, hits: Array, trials: Array, known: Mask, *, rate: Array) -> None:
        """Add a number of hits among a number of trials; a flag is one trial."""
        self.add(np.where(known, hits, 0.0), np.log(rate))
        self.add(np.where(known, trials - hits, 0.0), np.log1p(-rate))

    def add_category(self, code: Index, known: Mask, *, log_shares: Array) -> None:
        """Add a category; ``log_shares`` is (categories, S)."""
        for category in range(len(log_shares)):
            self.add(known & (code == category), log_shares[category])

    def compiled(self) -> tuple[Array, Array]:
        """Return (n, K) statistics and (K, S) coefficients."""
        return np.stack(self.columns, axis=1), np.stack(self.coefficients)


def choose(shares: Array, rng: np.random.Generator) -> Index:
    """Return one category for each row of shares."""
    cumulative = np.cumsum(shares, axis=1)
    chosen = (cumulative < rng.random(len(shares))[:, None] * cumulative[:, -1:]).sum(axis=1)
    result: Index = np.minimum(chosen, shares.shape[1] - 1)
    return result


def softmax_shares(
    levels: tuple[tuple[float, float, float], ...], young: Array, youthful: Array
) -> Array:
    """Return (categories, S) shares of categories that lean to the young and the youthful."""
    logits = np.array([level + a * young + b * youthful for level, a, b in levels])
    weights = np.exp(logits - logits.max(axis=0))
    result: Array = weights / weights.sum(axis=0)
    return result
