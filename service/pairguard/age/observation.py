"""What each kind of observation says about the age at the time it was made.

Owns the honest error model of every kind, the attack that it is exposed to, and what it repeats. It
must not know time (``pairguard.age.likelihood`` moves ages from then to now) nor other items
(``pairguard.age.fusion`` combines them).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

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
    PlatformAgeRange,
    PlatformAssurance,
    SelfDeclared,
    VerificationMethod,
    VerifiedAge,
)
from pairguard.age.parameters import AGE_COUNT, AGE_GRID, Array
from pairguard.age.tables import ACCOUNT, CAPTURE, IDENTITY, REVIEW, AgeTables

# An assurance that is not told, or not known, is worth what the participant's own word is worth.
_DECLARED_ASSURANCES = frozenset(
    {
        PlatformAssurance.UNSPECIFIED,
        PlatformAssurance.UNKNOWN,
        PlatformAssurance.SELF_DECLARED,
        PlatformAssurance.TIER_A,
        PlatformAssurance.DECLARED,
    }
)
RANGE_CLASS: dict[PlatformAssurance, str] = {
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
"""Which rates of the tables count for an assurance; those not named here count as declared."""
DOUBTED: frozenset[Liveness] = frozenset({Liveness.FAILED, Liveness.UNDETERMINED})
"""Results of a liveness test that did not find somebody alive."""
_SUPERVISED_UPPER_YEARS = 17
_NO_POSING: Array = np.zeros(AGE_COUNT)  # a declaration's own table has those who pose
_NO_POSING.setflags(write=False)
_VERIFIED_FLOOR = 1e-6
_FACE_FLOOR_LOG = -40.0
STATEMENTS, FACES = "declared", "faces"
"""Correlation groups of what was declared, and of what was seen of a face."""


@dataclass(frozen=True, slots=True)
class ObservationModel:
    """What one observation says about the age then.

    Attributes:
        likelihood: (101,) likelihood by true age at the observation, up to a factor.
        attack_group: Items of one group are made up together or not at all.
        attack: (101,) rate by true age at which they are an older person's.
        posing: (101,) rate by true age at which they are a child's, shown by an adult.
        correlation_group: Items of one group repeat each other; "": none.
        correlation: Correlation of the errors within the correlation group, 0-1.
        binding: What the item is bound to, which is at most what its source can bind to.
        rejected: Whether a liveness test failed, so that it cannot speak for adulthood.
        doubted: Whether a liveness test did not find somebody alive.
        camera: Whether a person was seen by a camera, which injected media deceive.
    """

    likelihood: Array
    attack_group: str
    attack: Array
    posing: Array
    correlation_group: str = ""
    correlation: float = 0.0
    binding: Binding = Binding.ACCOUNT
    rejected: bool = False
    doubted: bool = False
    camera: bool = False


def observation_model(
    tables: AgeTables, evidence: AgeEvidence, *, year: int
) -> ObservationModel | None:
    """Return what an item says about the age then; None: nothing (inconclusive, open range).

    Args:
        tables: The parameters.
        evidence: The item; its times are not looked at.
        year: Calendar year in which it was true, for years of birth.
    """
    match evidence.observation:
        case SelfDeclared() as declared:
            return _declared(tables, _self_declared(tables, declared, year), evidence.binding)
        case PlatformAgeRange() as reported:
            return _platform_age_range(tables, reported, evidence.binding)
        case FacialAgeEstimate() as estimate:
            log_density = tables.face_model(evidence.provider).log_density(estimate.mean_years)
            likelihood = np.exp(np.maximum(log_density - log_density.max(), _FACE_FLOOR_LOG))
            return _capture(tables, likelihood, estimate.liveness, evidence.binding)
        case AgeCheck() as check:
            return _age_check(tables, check, evidence.provider, evidence.binding)
        case VerifiedAge() as verified:
            group = verification_group(verified.method)
            return ObservationModel(
                _verified_age(tables, verified, year),
                group,
                tables.verified_attack[verified.method],
                tables.posing[group],
                f"verified {verified.method.value}",
                tables.check_correlation,
                binding=_bound(evidence.binding, verified.liveness),
                rejected=verified.liveness is Liveness.FAILED,
                doubted=verified.liveness in DOUBTED,
                camera=verified.method is VerificationMethod.ID_DOCUMENT
                and _seen(evidence.binding, verified),
            )


def verification_group(method: VerificationMethod) -> str:
    """Return the attack group of an age that a verification disclosed."""
    return REVIEW if method is VerificationMethod.MODERATOR else IDENTITY


def _declared(tables: AgeTables, likelihood: Array, binding: Binding) -> ObservationModel:
    return ObservationModel(
        likelihood,
        ACCOUNT,
        tables.declaration_attack,
        _NO_POSING,
        STATEMENTS,
        tables.declared_correlation,
        binding=_bound(binding, strongest=Binding.ACCOUNT),
    )


def _capture(
    tables: AgeTables, likelihood: Array, liveness: Liveness, binding: Binding
) -> ObservationModel:
    """Return a capture of a face.

    Estimators share their bias and what makes somebody look older, so all faces are correlated. A
    failed liveness test takes the capture's word for adulthood, and makes what it says of minority
    no weaker than a capture without a test.
    """
    rejected = liveness is Liveness.FAILED
    attack = tables.face_attack[Liveness.UNSPECIFIED if rejected else liveness]
    return ObservationModel(
        likelihood,
        CAPTURE,
        attack,
        tables.posing[CAPTURE],
        FACES,
        tables.face_correlation,
        binding=_bound(binding, liveness),
        rejected=rejected,
        doubted=liveness in DOUBTED,
        camera=True,
    )


def _self_declared(tables: AgeTables, declared: SelfDeclared, year: int) -> Array:
    model = tables.declaration
    if declared.birth_year is not None:
        younger, older = year_of_birth_ages(declared.birth_year, year)
        gate = declared.gate_years
        return model.likelihood(younger, gate) + model.likelihood(older, gate)
    return model.likelihood(declared.age_years or 0.0, declared.gate_years)


def _platform_age_range(
    tables: AgeTables, reported: PlatformAgeRange, binding: Binding
) -> ObservationModel | None:
    lower, upper = reported.lower_years, reported.upper_years
    if reported.assurance in _DECLARED_ASSURANCES:
        if lower is None and upper is None:
            return None
        return _declared(tables, tables.declaration.range_likelihood(lower, upper), binding)
    assurance_class = RANGE_CLASS[reported.assurance]
    if lower is None and upper is None:
        if assurance_class != "SUPERVISED":
            return None
        upper = _SUPERVISED_UPPER_YEARS  # a supervised account is made for a child
    overstated, understated = tables.range_errors[assurance_class]
    inside = 1.0 - (overstated if lower is not None else 0.0)
    inside -= understated if upper is not None else 0.0
    likelihood = np.full_like(AGE_GRID, inside)
    if lower is not None:
        likelihood[lower > AGE_GRID] = overstated
    if upper is not None:
        likelihood[upper < AGE_GRID] = understated
    return ObservationModel(
        likelihood,
        ACCOUNT,
        tables.range_attack,
        tables.posing[ACCOUNT],
        "range",
        tables.check_correlation,
        binding=_bound(binding, strongest=Binding.ACCOUNT),
    )


def _age_check(
    tables: AgeTables, check: AgeCheck, provider: str, binding: Binding
) -> ObservationModel | None:
    if check.result is CheckResult.INCONCLUSIVE:
        return None
    over = probability_over(tables, check.method, check.threshold_years, provider)
    likelihood = over if check.result is CheckResult.OVER else 1.0 - over
    if check.method is CheckMethod.FACIAL_THRESHOLD:
        return _capture(tables, likelihood, check.liveness, binding)
    # "No card" said five times is one fact.
    group = f"check {check.method.value}"
    return ObservationModel(
        likelihood,
        IDENTITY,
        tables.checks[check.method].attack,
        tables.posing[IDENTITY],
        group,
        tables.check_correlation,
        binding=_bound(binding, check.liveness, tables.strongest_binding[check.method]),
        rejected=check.liveness is Liveness.FAILED,
        doubted=check.liveness in DOUBTED,
        camera=check.method is CheckMethod.ID_DOCUMENT and _seen(binding, check),
    )


def _bound(
    told: Binding,
    liveness: Liveness = Liveness.UNSPECIFIED,
    strongest: Binding = Binding.LIVE_PERSON,
) -> Binding:
    """Return what an item is bound to.

    Not more than its source can bind to, whatever is told: an e-mail address sees nobody. And
    whoever a liveness test did not find alive is nobody that a check could be bound to.
    """
    if told is not Binding.LIVE_PERSON:
        return told
    if liveness in DOUBTED:
        return Binding.ACCOUNT
    return strongest


def _seen(binding: Binding, made: AgeCheck | VerifiedAge) -> bool:
    """Return whether a camera saw the person who showed a document."""
    told = made.liveness is not Liveness.UNSPECIFIED or bool(made.capture_session)
    return told or binding is Binding.LIVE_PERSON


def probability_over(
    tables: AgeTables, method: CheckMethod, threshold_years: float, provider: str = ""
) -> Array:
    """Return (101,) P(result OVER | true age) of a check that comes to a result.

    The point g of the grid stands for [g, g + 1): a year that holds the threshold counts as over by
    its part above.
    """
    if method is CheckMethod.FACIAL_THRESHOLD:
        return tables.face_model(provider).probability_at_least(threshold_years)
    rates = tables.check_rates(method, provider)
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
