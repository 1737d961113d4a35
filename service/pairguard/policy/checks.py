"""Which age checks a participant is asked for.

Owns the step from a region's list of checks to those that would settle this participant's age. It
looks at the participant's own region only: what is asked of one never depends on the partner.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Final

from pairguard.age.admission import Admission, admission
from pairguard.age.next_check import CheckForecast, CheckForecaster, UncertainZone
from pairguard.age.posterior import AgeAssessment
from pairguard.age.tables import AgeTables
from pairguard.policy.document import RegionPolicy
from pairguard.policy.reasons import ReasonCode
from pairguard.policy.regions import Policy

_ANY_CHANCE: Final = 1e-300


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
    """What the lines of one region make of any participant of it.

    Attributes:
        forecaster: Forecasts the checks of the region.
        zone: What a check is to leave.
        mark: Stands for all of this in what is kept of an assessment. Were it the forecaster, the
            tables would keep themselves alive: they keep assessments, and it keeps them.
    """

    forecaster: CheckForecaster
    zone: UncertainZone
    mark: object = field(default_factory=object)


class CheckPlanner:
    """Plan checks for participants under one policy and one set of age tables."""

    def __init__(self, tables: AgeTables, policy: Policy) -> None:
        self._tables = tables
        self._policy = policy
        self._asking: dict[int, _Asking] = {}

    def plan(self, region: str, assessment: AgeAssessment) -> CheckPlan:
        """Return what to ask a participant of a region ("": unknown) for.

        Found once for one assessment: a forecast fuses each result of each check with all that is
        known, which costs more than the assessment itself.
        """
        lines = self._policy.for_participant(region)
        asking = self._asking_of(lines)
        plan: CheckPlan | None = assessment.conclusion(asking.mark)
        if plan is None:
            plan = _plan(lines, asking, assessment)
            assessment.conclude(asking.mark, plan)
        return plan

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


def _plan(lines: RegionPolicy, asking: _Asking, assessment: AgeAssessment) -> CheckPlan:
    pool = admission(assessment, lines)
    adult_age = asking.zone.adult_age
    if pool in (Admission.ADULTS, Admission.MINORS):
        return CheckPlan(pool, adult_age, (), ReasonCode.AGE_CERTAIN_ENOUGH)
    # Who is barred is expected to fail, so that the policy's number would ask for nothing: any
    # check will do that ends the bar if it is passed.
    barred = pool is Admission.BARRED
    forecasts = asking.forecaster.sufficient(
        assessment,
        zone=asking.zone,
        min_probability_settled=_ANY_CHANCE if barred else lines.min_probability_settled,
    )
    if not forecasts:
        return CheckPlan(pool, adult_age, (), ReasonCode.NO_CHECK_WOULD_SETTLE)
    if barred:
        reason = ReasonCode.BELOW_MINIMUM_AGE
    elif assessment.conflict:
        reason = ReasonCode.AGE_EVIDENCE_CONFLICT
    else:
        reason = ReasonCode.AGE_UNKNOWN
    return CheckPlan(pool, adult_age, forecasts, reason)
