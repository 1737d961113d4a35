"""Everybody of a simulated platform, scored once, and what a number really lets through.

Owns the truth of the simulation. It must not know how a number is found.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray

from pairguard.age.tables import AgeTables
from pairguard.bundle.defaults import default_age_tables, default_catalogue
from pairguard.policy.certificate import ACROSS, ALL
from pairguard.policy.promises import PromiseKind
from pairguard.risk.model import RiskModel
from pairguard_training.age_labels import age_rows
from pairguard_training.age_prior import with_fitted_prior
from pairguard_training.assessing import assess_snapshots
from pairguard_training.certification.verified_people import (
    VerifiedPeople,
    adult_gate,
    minor_gate,
    stratum_of,
)
from pairguard_training.line_calibration import ADULT_AGE_YEARS
from pairguard_training.simulation.platform import simulate
from pairguard_training.tables.reading import read_tables
from pairguard_training.truth import read_truth

Array = NDArray[np.float64]
Index = NDArray[np.intp]
Mask = NDArray[np.bool_]

_VERIFIED_MOST, _VERIFIED_LEAST = 0.35, 0.15


@dataclass(frozen=True, slots=True)
class Population:
    """Everybody, n of them.

    Attributes:
        minor: (n,) P(under 18) of each.
        is_minor: (n,) whether each is one.
        regions: (n,) region of each.
        sampling: (n,) with which probability each is verified.
        adult_gate: (n,) the lowest gate that admits each to the adults' pool.
        minor_gate: (n,) the same of the minors' pool.
    """

    minor: Array
    is_minor: Mask
    regions: NDArray[np.str_]
    sampling: Array
    adult_gate: Array
    minor_gate: Array
    _sorted: dict[str, tuple[Array, Array]] = field(default_factory=dict, init=False, repr=False)

    def redraw(
        self, count: int, rng: np.random.Generator, *, regions: frozenset[str]
    ) -> VerifiedPeople:
        """Return people drawn one by one, as likely as they are verified."""
        places = rng.choice(self.minor.size, count, p=self.sampling / self.sampling.sum())
        minor = self.minor[places]
        ages = np.where(self.is_minor[places], ADULT_AGE_YEARS - 1.0, ADULT_AGE_YEARS + 12.0)

        def pair_scores(first: Index, second: Index) -> Array:
            return mixed_probability(minor[first], minor[second])

        return VerifiedPeople(
            ids=[f"drawn-{place:06d}" for place in range(count)],
            strata=np.array(
                [stratum_of(region, regions) for region in self.regions[places]], dtype=np.str_
            ),
            adult_ages=np.full(count, int(ADULT_AGE_YEARS)),
            youngest=ages,
            oldest=ages,
            sampling=self.sampling[places],
            adult_gate=self.adult_gate[places],
            minor_gate=self.minor_gate[places],
            pair_scores=pair_scores,
        )

    def told_apart(self, regions: frozenset[str]) -> Population:
        """Return the same people by the strata of these regions."""
        strata = np.array([stratum_of(each, regions) for each in self.regions], dtype=np.str_)
        return Population(
            self.minor, self.is_minor, strata, self.sampling, self.adult_gate, self.minor_gate
        )

    def rate(self, kind: PromiseKind, stratum: str, number: float) -> float:
        """Return the share that a number lets through in the whole population.

        Args:
            kind: Of whom or of which pairs.
            stratum: Of ``regions``, or all, or across.
            number: The threshold or gate.
        """
        if kind is PromiseKind.MIXED_PAIRS_ALLOWED:
            total, missed = self._mixed(ALL if stratum == ACROSS else stratum, number)
            if stratum == ACROSS:
                for own in np.unique(self.regions).tolist():
                    own_total, own_missed = self._mixed(own, number)
                    total, missed = total - own_total, missed - own_missed
            return missed / total
        inside = self._inside(stratum)
        if kind is PromiseKind.MINORS_ADMITTED:
            return float((self.adult_gate[inside & self.is_minor] <= number).mean())
        return float((self.minor_gate[inside & ~self.is_minor] <= number).mean())

    def _inside(self, stratum: str) -> Mask:
        inside: Mask = self.regions == stratum
        return np.ones_like(inside) if stratum == ALL else inside

    def _mixed(self, stratum: str, number: float) -> tuple[int, int]:
        """Return how many mixed pairs there are, and how many with a score up to the number.

        The score p + q (1 - 2 p) rises with q for p below a half and falls above, so that for each
        minor's p the adults' q that count are those up to, or from, one value on.
        """
        if stratum not in self._sorted:
            inside = self._inside(stratum)
            self._sorted[stratum] = (
                self.minor[inside & self.is_minor],
                np.sort(self.minor[inside & ~self.is_minor]),
            )
        minors, adults = self._sorted[stratum]
        low, high = minors[minors < 0.5], minors[minors > 0.5]
        missed = int(np.searchsorted(adults, (number - low) / (1.0 - 2.0 * low), "right").sum())
        from_here = np.searchsorted(adults, (high - number) / (2.0 * high - 1.0), "left")
        missed += int((adults.size - from_here).sum())
        missed += int((minors == 0.5).sum()) * adults.size * int(number >= 0.5)
        return minors.size * adults.size, missed


def mixed_probability(a: Array, b: Array) -> Array:
    """Return P(a pair is mixed) by P(minor) of both, as ``pairguard.risk.pair`` does."""
    result: Array = a * (1.0 - b) + b * (1.0 - a)
    return result


def simulated_population(participants: int, *, seed: int) -> Population:
    """Simulate a platform and score everybody on evidence of age alone, without their labels."""
    with TemporaryDirectory(prefix="pairguard-coverage-") as name:
        directory = Path(name, "platform")
        simulate(directory, participants=participants, pairs=0, seed=seed)
        tables = read_tables(directory)
        truth = read_truth(directory, tables)
    age_tables: AgeTables = with_fitted_prior(default_age_tables(), age_rows(tables))
    model = RiskModel(age_tables, default_catalogue(), None, None)
    names = tables.snapshots["snapshot_id"].to_list()
    assessed = assess_snapshots(model, tables, names, before_labels=True, title="scoring everybody")
    ages = [assessed.assessments[each].age for each in names]
    adult_age = int(ADULT_AGE_YEARS)
    is_minor = np.array([truth.ages[each] for each in names]) < adult_age
    minor = np.array([age.probability_below(adult_age) for age in ages])
    return Population(
        minor=minor,
        is_minor=is_minor,
        regions=tables.snapshots["region"].fill_null("").to_numpy().astype(np.str_),
        # Who looks near the line is checked more often, as on a platform.
        sampling=np.where((minor > 0.1) & (minor < 0.9), _VERIFIED_MOST, _VERIFIED_LEAST),
        adult_gate=np.array([adult_gate(age, adult_age) for age in ages]),
        minor_gate=np.array([minor_gate(age, adult_age) for age in ages]),
    )
