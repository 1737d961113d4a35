"""Which age checks a participant is asked for.

Owns the step from a region's list of checks to those that would settle this participant's age. It
looks at the participant's own region only: what is asked of one never depends on the partner.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from pairguard.age.admission import Admission, admission
from pairguard.age.next_check import CheckForecast, CheckForecaster, UncertainZone
from pairguard.age.posterior import AgeAssessment
from pairguard.age.tables import AgeTables
from pairguard.policy.document import RegionPolicy
from pairguard.policy.reasons import ReasonCode
from pairguard.policy.regions import Policy


@dataclass(frozen=True, slots=True)
class CheckPlan:
    """What to ask one participant for.

    Attributes:
        admission: The pool under the participant's own region.
        adult_age: The adult age in years that the plan is about.
        forecasts: Checks any one of which would do, cheapest first; empty: see ``reason``.
        reason: Why to ask, or why not to.
    """

    admission: Admission
    adult_age: int
    forecasts: tuple[CheckForecast, ...]
    reason: ReasonCode


@dataclass(frozen=True, slots=True)
class _Asking:
    """What the lines of one region make of any participant of it."""

    forecaster: CheckForecaster
    zone: UncertainZone


class CheckPlanner:
    """Plan checks for participants under one policy and one set of age tables."""

    def __init__(self, tables: AgeTables, policy: Policy) -> None:
        self._tables = tables
        self._policy = policy
        self._asking: dict[int, _Asking] = {}
        self._prior_ids = frozenset(map(id, tables.priors.values()))
        self._uninformed: dict[tuple[int, int], CheckPlan] = {}

    def plan(self, region: str, assessment: AgeAssessment) -> CheckPlan:
        """Return what to ask a participant of a region ("": unknown) for."""
        lines = self._policy.for_participant(region)
        if assessment.items or id(assessment.base) not in self._prior_ids:
            return self._plan(lines, assessment)
        # Nothing was said about this participant: a prior and the lines tell all. There are few
        # of both, and they live as long as the tables and the policy that this planner holds.
        key = (id(lines), id(assessment.base))
        plan = self._uninformed.get(key)
        if plan is None:
            plan = self._uninformed[key] = self._plan(lines, assessment)
        return plan

    def _plan(self, lines: RegionPolicy, assessment: AgeAssessment) -> CheckPlan:
        pool = admission(assessment, lines)
        adult_age = max(lines.adult_ages)
        if pool in (Admission.ADULTS, Admission.MINORS):
            return CheckPlan(pool, adult_age, (), ReasonCode.AGE_CERTAIN_ENOUGH)
        asking = self._asking_of(lines)
        forecasts = asking.forecaster.sufficient(
            assessment,
            zone=asking.zone,
            min_probability_settled=lines.min_probability_settled,
        )
        if not forecasts:
            return CheckPlan(pool, adult_age, (), ReasonCode.NO_CHECK_WOULD_SETTLE)
        if pool is Admission.BARRED:
            reason = ReasonCode.BELOW_MINIMUM_AGE
        elif assessment.conflict:
            reason = ReasonCode.AGE_EVIDENCE_CONFLICT
        else:
            reason = ReasonCode.AGE_UNKNOWN
        return CheckPlan(pool, adult_age, forecasts, reason)

    def _asking_of(self, lines: RegionPolicy) -> _Asking:
        key = id(lines)  # a policy's lines live as long as the policy, which this planner holds
        asking = self._asking.get(key)
        if asking is None:
            # A check below the adult age would settle nothing where people are adults later.
            adult_age = max(lines.adult_ages)
            options = [
                replace(option, threshold_years=max(option.threshold_years, adult_age))
                for option in lines.checks
            ]
            zone = UncertainZone(
                adult_age=adult_age,
                max_probability_minor=lines.adults_max_probability_minor,
                max_probability_adult=lines.minors_max_probability_adult,
                minimum_age=lines.minimum_age,
            )
            asking = self._asking[key] = _Asking(CheckForecaster(self._tables, options), zone)
        return asking
