"""Which age check to ask for next.

Owns the prediction of what a check would settle. The *expected* posterior after a check is always
the present one, so a check is judged by the probability that its result ends outside the uncertain
zone: in the adults' pool, or as an established minor. It must not know the partner: what is asked
of one participant never depends on the other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pairguard.age.belief import posterior
from pairguard.age.conflict import contradict, unsettled
from pairguard.age.evidence import (
    AgeCheck,
    AgeEvidence,
    Binding,
    CheckMethod,
    CheckResult,
    Liveness,
)
from pairguard.age.fusion import Fusion, fusion
from pairguard.age.item import ItemLikelihood
from pairguard.age.kernel import AttackMixture
from pairguard.age.likelihood import item_likelihood
from pairguard.age.observation import probability_over
from pairguard.age.parameters import Array
from pairguard.age.posterior import AgeAssessment
from pairguard.age.readings import contradictory
from pairguard.age.tables import ACCOUNT, AgeTables

_NOW = 1e9  # any: a check that is made now is as old at any time
_LIKELY = 0.5
_SITTING = "the check that would be made"


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
        probability = joint.sum(axis=1).tolist()
        below = joint[:, : zone.adult_age].sum(axis=1).tolist()
        found = []
        for place, option in enumerate(self.options):
            chances = probability[2 * place : 2 * place + 2]
            if sum(chances) < min_probability_settled:
                continue
            minors = below[2 * place : 2 * place + 2]
            total = sum(
                chance
                for outcome, chance, minor in zip(
                    self._outcomes[place], chances, minors, strict=True
                )
                if self._settles(assessment, outcome, zone, by_itself=minor / chance)
            )
            if total >= min_probability_settled:
                found.append(CheckForecast(option, min(total, 1.0)))
        return tuple(found)

    def _settles(
        self, assessment: AgeAssessment, outcome: _Outcome, zone: UncertainZone, *, by_itself: float
    ) -> bool:
        """Return whether the age would be settled if the check came out so.

        ``by_itself`` is P(under the adult age) then if nothing known shared anything with the
        check. Sharing only takes from what a check proves: what does not settle by itself is not
        looked at any closer.
        """
        alone = not assessment.readings and outcome.stands_alone_beside(assessment)
        if by_itself <= zone.max_probability_minor:
            settled = (
                alone
                or self._probability_minor(assessment, outcome, zone) <= zone.max_probability_minor
            )
        else:
            settled = (
                1.0 - by_itself <= zone.max_probability_adult
                and (assessment.established_minor or outcome.item.kind.establishes_minor)
                and self._probability_adult(assessment, outcome, zone) <= zone.max_probability_adult
                and not self._too_young(assessment, outcome, zone)
            )
        return settled and not self._contradicts(assessment, outcome, alone=alone)

    def _probability_minor(
        self, assessment: AgeAssessment, outcome: _Outcome, zone: UncertainZone
    ) -> float:
        """Return P(under the adult age) if the check came out so, fused with everything known."""
        readings = [reading.items for reading in assessment.readings if reading.for_adulthood]
        return max(
            self._below(assessment, items, outcome, zone.adult_age)
            for items in (assessment.items, *readings)
        )

    def _probability_adult(
        self, assessment: AgeAssessment, outcome: _Outcome, zone: UncertainZone
    ) -> float:
        """Return ``AgeAssessment.probability_at_least`` then: without what an account says, too."""
        of_proof = [
            None if said is not None and said.kind.attack_group == ACCOUNT else said
            for said in assessment.items
        ]
        readings = [reading.items for reading in assessment.readings]
        return 1.0 - min(
            self._below(assessment, items, outcome, zone.adult_age)
            for items in (assessment.items, of_proof, *readings)
        )

    def _too_young(self, assessment: AgeAssessment, outcome: _Outcome, zone: UncertainZone) -> bool:
        if zone.minimum_age == 0:
            return False
        items = assessment.items
        return self._below(assessment, items, outcome, zone.minimum_age) >= _LIKELY

    def _below(
        self,
        assessment: AgeAssessment,
        items: Sequence[ItemLikelihood | None],
        outcome: _Outcome,
        years: int,
    ) -> float:
        _, cumulative = posterior(
            assessment.base, self._after(assessment, items, outcome).likelihood
        )
        return float(cumulative[years - 1])

    def _after(
        self,
        assessment: AgeAssessment,
        items: Sequence[ItemLikelihood | None],
        outcome: _Outcome,
    ) -> Fusion:
        return fusion(self._tables, (*items, outcome.item), (*assessment.sessions, _SITTING))

    def _contradicts(self, assessment: AgeAssessment, outcome: _Outcome, *, alone: bool) -> bool:
        """Return whether the age would be in conflict then.

        Beside items that share nothing with it, show no sign of danger and do not contradict each
        other now, single items tell; else all is looked at again, so that nobody is asked for what
        ends no conflict.
        """
        if not any(said is not None and said.informative for said in assessment.items):
            return False
        for items in (assessment.items, *(reading.items for reading in assessment.readings)):
            after = (*items, outcome.item)
            times = [_NOW if said is not None and said.dated else None for said in after]
            if assessment.conflict or assessment.readings or not alone:
                fused = self._after(assessment, items, outcome)
                if contradictory(self._tables, after, times, fused):
                    return True
                continue
            parties = [said for said in unsettled(self._tables, after, times) if said is not None]
            if sum(said.informative for said in parties) >= 2 and contradict(
                self._tables, parties, ()
            ):
                return True
        return False


@dataclass(frozen=True, slots=True)
class _Outcome:
    """One result that a check may come to.

    Attributes:
        chance: (101,) P(this result | age), attacks and borrowed accounts included.
        item: What it would say.
    """

    chance: Array
    item: ItemLikelihood

    def stands_alone_beside(self, assessment: AgeAssessment) -> bool:
        """Return whether nothing known shares an attack, an account or a sitting with it."""
        mine = self.item.kind
        if not mine.live:
            return not assessment.items
        return all(
            said is None
            or (
                said.kind.attack_group != mine.attack_group
                and not (said.kind.camera and mine.camera)
            )
            for said in assessment.items
        )


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
