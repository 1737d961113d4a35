"""What one item of evidence says about the age now.

Owns the step from an item to its *relative likelihood*: the likelihood over the age grid divided
by its maximum, so that 1 is the best any age explains the item. It must not know how items are
combined (``pairguard.age.posterior``).

Three things happen to the likelihood f(x | age then) on the way:

1. It is moved from the age at observation to the age now: an estimate of 15 two years ago speaks of
   17 now.
2. For ages below those the item points at it is lifted towards what the item would say of a random
   older adult, by the probability that it speaks of such a person: a borrowed account, or a
   hand-over since the observation. So evidence for adulthood loses force with time and evidence of
   minority does not.
3. Expired evidence is lifted all the way: it no longer speaks for adulthood, still for minority.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import NamedTuple

import numpy as np

from pairguard.age.declaration import year_of_birth_ages
from pairguard.age.evidence import (
    AgeCheck,
    AgeEvidence,
    Binding,
    CheckMethod,
    CheckResult,
    FacialAgeEstimate,
    Liveness,
    Observation,
    PlatformAgeRange,
    PlatformAssurance,
    SelfDeclared,
    VerificationMethod,
    VerifiedAge,
)
from pairguard.age.parameters import AGE_GRID, Array
from pairguard.age.tables import AgeTables

DAYS_PER_YEAR = 365.2425

_CACHE_ITEMS = 8192  # about 1 kB each
_UNINFORMATIVE = 0.95  # an item that no age explains worse than this says nothing

_DECLARED_ASSURANCES = frozenset(
    {PlatformAssurance.SELF_DECLARED, PlatformAssurance.TIER_A, PlatformAssurance.DECLARED}
)
_RANGE_CLASS: dict[PlatformAssurance, str] = {
    PlatformAssurance.GUARDIAN_DECLARED: "GUARDIAN",
    PlatformAssurance.TIER_B: "GUARDIAN",
    PlatformAssurance.CONFIRMED: "CONFIRMED",
    PlatformAssurance.CHECKED_BY_OTHER_METHOD: "CONFIRMED",
    PlatformAssurance.GUARDIAN_CHECKED_BY_OTHER_METHOD: "CONFIRMED",
    PlatformAssurance.TIER_C: "CONFIRMED",
    PlatformAssurance.VERIFIED: "CONFIRMED",
    PlatformAssurance.PAYMENT_CHECKED: "PAYMENT",
    PlatformAssurance.GUARDIAN_PAYMENT_CHECKED: "PAYMENT",
    PlatformAssurance.GOVERNMENT_ID_CHECKED: "DOCUMENT",
    PlatformAssurance.GUARDIAN_GOVERNMENT_ID_CHECKED: "DOCUMENT",
    PlatformAssurance.TIER_D: "DOCUMENT",
    PlatformAssurance.SUPERVISED: "SUPERVISED",
    PlatformAssurance.SUPERVISED_APPROVAL_PENDING: "SUPERVISED",
    PlatformAssurance.SUPERVISED_APPROVAL_DENIED: "SUPERVISED",
}
_VERIFIED_FLOOR = 1e-6
_FACE_FLOOR_LOG = -40.0


@dataclass(frozen=True, slots=True)
class ItemLikelihood:
    """What one item says, before it is combined with others.

    Attributes:
        relative: (101,) likelihood by age now, divided by its maximum; in [0, 1].
        attack_group: Items of one group are made up together or not at all.
        attack: (101,) rate by true age at which that happens.
        correlation_group: Items of one group repeat each other; "": none.
        correlation: Correlation of the errors within the correlation group, 0-1.
        informative: Whether some age explains the item clearly better than another.
    """

    relative: Array
    attack_group: str
    attack: Array
    correlation_group: str
    correlation: float
    informative: bool


def item_likelihood(
    tables: AgeTables, evidence: AgeEvidence, *, now: float, tampered_capture: bool = False
) -> ItemLikelihood | None:
    """Return what an item says about the age now; None: nothing (inconclusive, open range).

    Times count in whole days and facial estimates in tenths of a year, so that the same evidence on
    the same day is computed once; what was computed is kept in ``tables.item_cache``.

    Args:
        tables: The parameters.
        evidence: The item; a time after ``now`` counts as now.
        now: Seconds since 1970.
        tampered_capture: Whether the session shows signs of a virtual camera or injected media: a
            capture then counts as one whose liveness test failed.
    """
    stated_time = _stated_time(evidence)
    moment = _Moment(
        elapsed_days=_days_before(stated_time, now, unknown=0),
        observed_days=_days_before(
            evidence.observed_time, now, unknown=int(tables.unknown_observed_age_years * 365.2425)
        ),
        stated_year=_year(now if stated_time is None else min(stated_time, now)),
        expired=evidence.expire_time is not None and evidence.expire_time <= now,
        tampered=tampered_capture,
    )
    observation = evidence.observation
    if isinstance(observation, SelfDeclared) and observation.declared_time is not None:
        observation = replace(observation, declared_time=None)  # it is in the moment
    if isinstance(observation, FacialAgeEstimate):
        estimate = round(observation.mean_years, 1)
        observation = FacialAgeEstimate(estimate, observation.liveness)
    key = (observation, evidence.provider, evidence.binding, moment)
    if key in tables.item_cache:
        cached: ItemLikelihood | None = tables.item_cache[key]
        return cached
    result = _compute(tables, observation, evidence, moment)
    if len(tables.item_cache) >= _CACHE_ITEMS:
        tables.item_cache.clear()
    tables.item_cache[key] = result
    return result


class _Moment(NamedTuple):
    """When an item was true, seen from now."""

    elapsed_days: int
    observed_days: int
    stated_year: int
    expired: bool
    tampered: bool


def _compute(
    tables: AgeTables, observation: Observation, evidence: AgeEvidence, moment: _Moment
) -> ItemLikelihood | None:
    described = _at_observation(tables, observation, evidence.provider, moment)
    if described is None:
        return None
    at_observation, attack_group, attack, correlation_group, correlation = described
    likelihood = at_observation
    if moment.elapsed_days > 0:
        then = AGE_GRID - moment.elapsed_days / DAYS_PER_YEAR
        likelihood = np.interp(then, AGE_GRID, at_observation, left=0.0)
    peak = float(likelihood.max())
    if not peak > 0.0:  # observed before anybody on the grid was born
        return None
    of_older = _of_somebody_older(tables, at_observation, likelihood)
    someone_older = _someone_older(tables, evidence.binding, moment)
    # Nothing is ever lowered: an older person's evidence only hides that somebody is younger.
    relative = (likelihood + someone_older * np.maximum(of_older - likelihood, 0.0)) / peak
    relative = np.minimum(relative, 1.0)
    relative.setflags(write=False)
    informative = float(relative.min()) < _UNINFORMATIVE
    return ItemLikelihood(
        relative, attack_group, attack, correlation_group, correlation, informative
    )


_Described = tuple[Array, str, Array, str, float]


def _at_observation(
    tables: AgeTables, observation: Observation, provider: str, moment: _Moment
) -> _Described | None:
    """Return likelihood by age then, attack group and rate, correlation group and value."""
    match observation:
        case SelfDeclared() as declared:
            likelihood = _self_declared(tables, declared, moment.stated_year)
            return (
                likelihood,
                "account",
                tables.declaration_attack,
                "declared",
                tables.declared_correlation,
            )
        case PlatformAgeRange() as reported:
            return _platform_age_range(tables, reported)
        case FacialAgeEstimate() as estimate:
            log_density = tables.face_model(provider).log_density(estimate.mean_years)
            liveness = Liveness.FAILED if moment.tampered else estimate.liveness
            return (
                np.exp(np.maximum(log_density - log_density.max(), _FACE_FLOOR_LOG)),
                "capture",
                tables.face_attack[liveness],
                f"face:{provider.lower()}",
                tables.face_correlation,
            )
        case AgeCheck() as check:
            return _age_check(tables, check, provider, moment)
        case VerifiedAge() as verified:
            group = "review" if verified.method is VerificationMethod.MODERATOR else "identity"
            return (
                _verified_age(tables, verified, moment.stated_year),
                group,
                tables.verified_attack[verified.method],
                "",
                0.0,
            )


def _self_declared(tables: AgeTables, declared: SelfDeclared, year: int) -> Array:
    model = tables.declaration
    if declared.birth_year is not None:
        younger, older = year_of_birth_ages(declared.birth_year, year)
        gate = declared.gate_years
        return model.likelihood(younger, gate) + model.likelihood(older, gate)
    return model.likelihood(declared.age_years or 0.0, declared.gate_years)


def _platform_age_range(tables: AgeTables, reported: PlatformAgeRange) -> _Described | None:
    lower, upper = reported.lower_years, reported.upper_years
    if lower is None and upper is None:
        return None
    if reported.assurance in _DECLARED_ASSURANCES:
        likelihood = tables.declaration.range_likelihood(lower, upper)
        return (
            likelihood,
            "account",
            tables.declaration_attack,
            "declared",
            tables.declared_correlation,
        )
    # An assurance that is not known is worth what a guardian's word is worth.
    overstated, understated = tables.range_errors[_RANGE_CLASS.get(reported.assurance, "GUARDIAN")]
    inside = 1.0 - (overstated if lower is not None else 0.0)
    inside -= understated if upper is not None else 0.0
    likelihood = np.full_like(AGE_GRID, inside)
    if lower is not None:
        likelihood[lower > AGE_GRID] = overstated
    if upper is not None:
        likelihood[upper < AGE_GRID] = understated
    return likelihood, "account", tables.range_attack, "", 0.0


def _age_check(
    tables: AgeTables, check: AgeCheck, provider: str, moment: _Moment
) -> _Described | None:
    if check.result is CheckResult.INCONCLUSIVE:
        return None
    over = probability_over(tables, check.method, check.threshold_years, provider)
    likelihood = over if check.result is CheckResult.OVER else 1.0 - over
    if check.method is CheckMethod.FACIAL_THRESHOLD:
        liveness = Liveness.FAILED if moment.tampered else Liveness.PASSED
        attack = tables.face_attack[liveness]
        return likelihood, "capture", attack, f"face:{provider.lower()}", tables.face_correlation
    return likelihood, "identity", tables.checks[check.method].attack, "", 0.0


def probability_over(
    tables: AgeTables, method: CheckMethod, threshold_years: float, provider: str = ""
) -> Array:
    """Return (101,) P(result OVER | true age) of a check that comes to a result.

    The point g of the grid stands for [g, g + 1): a year that holds the threshold counts as over by
    its part above.
    """
    if method is CheckMethod.FACIAL_THRESHOLD:
        return tables.face_model(provider).probability_at_least(threshold_years)
    rates = tables.checks[method]
    part_above = np.clip(AGE_GRID + 1.0 - threshold_years, 0.0, 1.0)
    result: Array = rates.false_over + (1.0 - rates.false_over - rates.false_under) * part_above
    return result


def _verified_age(tables: AgeTables, verified: VerifiedAge, year: int) -> Array:
    neighbour = tables.verified_neighbour[verified.method]
    if verified.birth_year is not None:
        ages = year_of_birth_ages(verified.birth_year, year)
    else:
        ages = (verified.age_years or 0.0, verified.age_years or 0.0)
    likelihood = np.full_like(AGE_GRID, _VERIFIED_FLOOR)
    for age in ages:
        distance = np.abs(AGE_GRID - min(math.floor(age), int(AGE_GRID[-1])))
        likelihood[distance == 0.0] += 1.0 - neighbour
        likelihood[distance == 1.0] += neighbour / 2.0
    return likelihood


def _stated_time(evidence: AgeEvidence) -> float | None:
    """Return when the age in the item was true; None: unknown, taken as now."""
    if isinstance(evidence.observation, SelfDeclared):
        declared_time = evidence.observation.declared_time
        if declared_time is not None:
            return declared_time
    return evidence.observed_time


def _days_before(time: float | None, now: float, *, unknown: int) -> int:
    return unknown if time is None else max(int((now - time) // 86400.0), 0)


def _year(time: float) -> int:
    return datetime.fromtimestamp(time, UTC).year


def _someone_older(tables: AgeTables, binding: Binding, moment: _Moment) -> Array | float:
    """Return the probability that the item speaks of somebody older than the participant."""
    if moment.expired:
        return 1.0
    years = moment.observed_days / DAYS_PER_YEAR
    kept = math.exp(-tables.handover_per_year[binding] * years)
    if binding is Binding.LIVE_PERSON:
        return 1.0 - kept
    return 1.0 - (1.0 - tables.borrowed_account) * kept


def _of_somebody_older(tables: AgeTables, at_observation: Array, likelihood: Array) -> Array:
    """Return (101,) what the item would say of a random older adult, by the participant's age.

    The older adult is drawn from the ages that borrowed evidence speaks of: for a minor from all
    adults as they were at the observation, for an adult from those at least as old now.
    """
    line = tables.reference_age_years
    weighted = (tables.presented_age * likelihood)[::-1].cumsum()[::-1]
    result: Array = weighted / tables.presented_age_at_least
    adults = (tables.presented_age[line:] * at_observation[line:]).sum()
    result[:line] = adults / tables.presented_age_at_least[line]
    return result
