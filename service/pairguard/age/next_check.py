"""Which age check to ask for next.

Owns the prediction of what a check would settle. The *expected* posterior after a check is always
the present one, so a check is judged by the probability that its result ends outside the uncertain
zone: in the adults' pool, or as an established minor. It must not know the partner: what is asked
of one participant never depends on the other.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pairguard.age.belief import probability_up_to
from pairguard.age.conflict import contradict, unsettled
from pairguard.age.evidence import (
    AgeCheck,
    AgeEvidence,
    Binding,
    CheckMethod,
    CheckResult,
    Liveness,
)
from pairguard.age.fusion import Fusion, fused
from pairguard.age.fusion_plan import AttackMixture
from pairguard.age.item import ItemKind, ItemLikelihood
from pairguard.age.likelihood import item_likelihood
from pairguard.age.observation import probability_over
from pairguard.age.parameters import Array
from pairguard.age.posterior import AgeAssessment
from pairguard.age.readings import contradictory
from pairguard.age.tables import ACCOUNT, AgeTables

_NOW = 1e9  # any: a check that is made now is as old at any time
_LIKELY = 0.5
_SITTING = "the check that would be made"
_Items = tuple[ItemLikelihood | None, ...]


@dataclass(frozen=True, slots=True)
class CheckOption:
    """One check that the platform can ask for.

    Attributes:
        method: How it checks.
        threshold_years: The age it compares with.
        cost: What it costs platform and participant together, in any one unit.
        document_free: Whether it needs no identity document.
    """

    method: CheckMethod
    threshold_years: float
    cost: float
    document_free: bool


@dataclass(frozen=True, slots=True)
class CheckForecast:
    """What one check is predicted to do.

    Attributes:
        option: The check.
        probability_settled: Predictive probability that it ends outside the uncertain zone.
    """

    option: CheckOption
    probability_settled: float


@dataclass(frozen=True, slots=True)
class UncertainZone:
    """Where a participant is neither admitted as an adult nor known as a minor.

    Attributes:
        adult_age: The adult age in years.
        max_probability_minor: At or below it: an adult.
        max_probability_adult: At or below it, if established: a minor.
        minimum_age: Who is more likely under it than not is no minor to be admitted, either.
    """

    adult_age: int
    max_probability_minor: float
    max_probability_adult: float
    minimum_age: int = 0


class CheckForecaster:
    """Forecast a fixed set of checks for any participant.

    A check is taken to be made now, in a sitting of its own, bound to the live person where its
    method can be, and with a passed liveness test. It shares attacks and borrowed accounts with
    what is known already: a second document of one borrowed identity settles little. Nobody is
    asked to prove a minority that would not be established then. Checks come cheapest first.
    """

    def __init__(self, tables: AgeTables, options: Sequence[CheckOption]) -> None:
        self.options = tuple(sorted(options, key=lambda o: (o.cost, o.method.value)))
        self._tables = tables
        self._outcomes = [_outcomes(tables, option) for option in self.options]
        self._chances: Array = np.array(
            [outcome.chance for outcomes in self._outcomes for outcome in outcomes]
        ).reshape(2 * len(self.options), -1)

    def sufficient(
        self, assessment: AgeAssessment, *, zone: UncertainZone, min_probability_settled: float
    ) -> tuple[CheckForecast, ...]:
        """Return the checks that would settle the age often enough, cheapest first; none: empty.

        Args:
            assessment: What is believed now.
            zone: The uncertain zone.
            min_probability_settled: The policy's number, in (0, 1].
        """
        if not self.options:
            return ()
        joint = self._chances * assessment.probabilities
        # A dozen numbers: plain floats are the same ones, and faster than arrays.
        probability = np.add.reduce(joint, 1).tolist()
        below = np.add.reduce(joint[:, : zone.adult_age], 1).tolist()
        looking = _Looking(self._tables, assessment, zone)
        found = []
        for place, option in enumerate(self.options):
            over, under = probability[2 * place : 2 * place + 2]
            if over + under < min_probability_settled:
                continue
            outcomes = self._outcomes[place]
            left = {}
            if looking.settles_by_itself(outcomes[0], below[2 * place] / over):
                left[outcomes[0]] = over
            if looking.settles_by_itself(outcomes[1], below[2 * place + 1] / under):
                left[outcomes[1]] = under
            # The likelier one first: without it the check is often out of the question.
            for outcome in sorted(left, key=left.__getitem__, reverse=True):
                if sum(left.values()) < min_probability_settled:
                    break
                if not looking.settles(outcome):
                    del left[outcome]
            total = sum(left.values())
            if total >= min_probability_settled:
                found.append(CheckForecast(option, min(total, 1.0)))
        return tuple(found)


class _Looking:
    """One participant's age, looked at with the outcomes of checks one after the other."""

    def __init__(self, tables: AgeTables, assessment: AgeAssessment, zone: UncertainZone) -> None:
        self._tables = tables
        self._assessment = assessment
        self._zone = zone
        self._all = (assessment.items, *(reading.items for reading in assessment.readings))
        said = [item for items in self._all for item in items if item is not None]
        self._informed = assessment.informative_count > 0
        self._limit = math.exp(tables.opposed_nats)
        self._lowest = min([item.odds_factor for item in said], default=1.0)
        self._highest = max([item.peak_odds_factor for item in said], default=1.0)
        self._groups = {item.kind.attack_group for item in said}
        self._on_camera = any(item.kind.camera for item in said)
        self._as_adult: set[_Outcome] = set()
        self._fused: dict[tuple[_Items, _Outcome], Fusion] = {}

    def settles_by_itself(self, outcome: _Outcome, by_itself: float) -> bool:
        """Return whether the age may be settled if the check came out so.

        ``by_itself`` is P(under the adult age) then if nothing known shared anything with the
        check. Sharing only takes from what a check proves: what does not settle by itself is not
        looked at any closer.
        """
        if by_itself <= self._zone.max_probability_minor:
            self._as_adult.add(outcome)
            return True
        return 1.0 - by_itself <= self._zone.max_probability_adult and (
            self._assessment.established_minor or outcome.item.kind.establishes_minor
        )

    def settles(self, outcome: _Outcome) -> bool:
        """Return whether the age would be settled, of what may be by itself."""
        if self._single_items_contradict(outcome):
            return False
        alone = self._stands_alone(outcome.item.kind)
        if outcome in self._as_adult:
            settled = alone or self._is_adult(outcome)
        else:
            settled = self._is_minor(outcome) and not self._is_too_young(outcome)
        return settled and (
            (alone and not self._assessment.conflict) or not self._all_contradict(outcome)
        )

    def _stands_alone(self, check: ItemKind) -> bool:
        """Return whether nothing known shares an attack, an account or a sitting with a check.

        And whether no sign of danger touches what is known.
        """
        if self._assessment.readings:
            return False
        if not check.live:
            return not self._assessment.items
        return check.attack_group not in self._groups and not (check.camera and self._on_camera)

    def _is_adult(self, outcome: _Outcome) -> bool:
        """Return whether P(under the adult age) would open the pool, fused with all known."""
        assessment, zone = self._assessment, self._zone
        readings = [reading.items for reading in assessment.readings if reading.for_adulthood]
        return all(
            self._below(items, outcome, zone.adult_age) <= zone.max_probability_minor
            for items in (assessment.items, *readings)
        )

    def _is_minor(self, outcome: _Outcome) -> bool:
        """Return whether ``AgeAssessment.probability_at_least`` would: without an account, too."""
        zone = self._zone
        of_proof = tuple(
            None if said is not None and said.kind.attack_group == ACCOUNT else said
            for said in self._assessment.items
        )
        readings = self._all[1:]
        return all(
            1.0 - self._below(items, outcome, zone.adult_age) <= zone.max_probability_adult
            for items in (self._assessment.items, of_proof, *readings)
        )

    def _is_too_young(self, outcome: _Outcome) -> bool:
        if self._zone.minimum_age == 0:
            return False
        return self._below(self._assessment.items, outcome, self._zone.minimum_age) >= _LIKELY

    def _below(self, items: _Items, outcome: _Outcome, years: int) -> float:
        likelihood = self._after(items, outcome).likelihood
        return probability_up_to(self._assessment.base, likelihood, years - 1)

    def _after(self, items: _Items, outcome: _Outcome) -> Fusion:
        known = self._fused.get((items, outcome))
        if known is None:
            sessions = (*self._assessment.sessions, _SITTING)
            # Not among what is kept: nobody else brings these items with this outcome.
            known = fused(self._tables, (*items, outcome.item), sessions)
            self._fused[items, outcome] = known
        return known

    def _single_items_contradict(self, outcome: _Outcome) -> bool:
        """Return whether single items tell that the age would be in conflict then."""
        if not self._informed:
            return False
        # Of fewer items, those that nothing settles, neither could be further out.
        if min(self._lowest, outcome.item.odds_factor) > 1.0 / self._limit:
            return False
        if max(self._highest, outcome.item.peak_odds_factor) < self._limit:
            return False
        for items in self._all:
            left = unsettled(self._tables, (*items, outcome.item), _times(items))
            parties = [said for said in left if said is not None]
            if sum(said.informative for said in parties) >= 2 and contradict(
                self._tables, parties, ()
            ):
                return True
        return False

    def _all_contradict(self, outcome: _Outcome) -> bool:
        """Return whether all that is known tells so.

        Beside items that share nothing with the check, show no sign of danger and do not contradict
        each other now, single items tell; else all is looked at again, so that nobody is asked for
        what ends no conflict.
        """
        if not self._informed:
            return False
        return any(
            contradictory(
                self._tables,
                (*items, outcome.item),
                _times(items),
                self._after(items, outcome),
            )
            for items in self._all
        )


def _times(items: _Items) -> list[float | None]:
    """Return when each item and then a check that is made now was observed, as far as it counts."""
    return [_NOW if said is not None and said.dated else None for said in items] + [_NOW]


@dataclass(frozen=True, slots=True, eq=False)
class _Outcome:
    """One result that a check may come to.

    Attributes:
        chance: (101,) P(this result | age), attacks and borrowed accounts included.
        item: What it would say.
    """

    chance: Array
    item: ItemLikelihood


def _outcomes(tables: AgeTables, option: CheckOption) -> tuple[_Outcome, _Outcome]:
    """Return what the check says if it is passed, and if it is not."""
    binding = tables.strongest_binding.get(option.method, Binding.LIVE_PERSON)
    over = probability_over(tables, option.method, option.threshold_years)
    outcomes = []
    for result, honest in ((CheckResult.OVER, over), (CheckResult.UNDER, 1.0 - over)):
        check = AgeCheck(option.method, option.threshold_years, result, Liveness.PASSED, _SITTING)
        evidence = AgeEvidence(check, observed_time=_NOW, binding=binding)
        item = item_likelihood(tables, evidence, now=_NOW)
        if item is None:
            raise ValueError("a result other than INCONCLUSIVE always says something")
        mixture = AttackMixture.from_rates(item.model.attack, item.model.posing)
        chance = mixture.rows(tables.fusion_weights, honest)
        if not item.live:  # whoever uses an older person's account passes as that person
            of_older = tables.mean_over_older(chance)
            chance += tables.borrowed_account * np.maximum(of_older - chance, 0.0)
        outcomes.append(_Outcome(chance, item))
    return outcomes[0], outcomes[1]
