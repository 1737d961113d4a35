"""The forecast is that of a plain one, which looks at every result of every check whole."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pairguard.age.belief import posterior
from pairguard.age.conflict import contradict, unsettled
from pairguard.age.evidence import (
    AgeCheck,
    AgeEvidence,
    Binding,
    CheckMethod,
    CheckResult,
    FacialAgeEstimate,
    Liveness,
    SelfDeclared,
    VerificationMethod,
    VerifiedAge,
)
from pairguard.age.fusion import Fusion, fusion
from pairguard.age.item import ItemLikelihood
from pairguard.age.next_check import (
    _SITTING,
    CheckForecast,
    CheckForecaster,
    CheckOption,
    UncertainZone,
    _Outcome,
    _outcomes,
)
from pairguard.age.parameters import AGE_GRID, Array
from pairguard.age.posterior import AgeAssessment, assess_age
from pairguard.age.readings import contradictory
from pairguard.age.tables import ACCOUNT
from tests.domain import NOW, TABLES, captured_items, evidence_items, live, verified

Items = tuple[ItemLikelihood | None, ...]

OPTIONS = tuple(
    CheckOption(method, years, 1.0 + place, method is not CheckMethod.ID_DOCUMENT)
    for place, (method, years) in enumerate(
        [*((method, 18.0) for method in CheckMethod), (CheckMethod.FACIAL_THRESHOLD, 25.0)]
    )
)
FORECASTER = CheckForecaster(TABLES, OPTIONS)


def after(assessment: AgeAssessment, items: Items, outcome: _Outcome) -> Fusion:
    return fusion(TABLES, (*items, outcome.item), (*assessment.sessions, _SITTING))


def below(assessment: AgeAssessment, items: Items, outcome: _Outcome, years: int) -> float:
    _, cumulative = posterior(assessment.base, after(assessment, items, outcome).likelihood)
    return float(cumulative[years - 1])


def stands_alone(assessment: AgeAssessment, outcome: _Outcome) -> bool:
    mine = outcome.item.kind
    if not mine.live:
        return not assessment.items
    return all(
        said is None
        or (said.kind.attack_group != mine.attack_group and not (said.kind.camera and mine.camera))
        for said in assessment.items
    )


def contradicts(assessment: AgeAssessment, outcome: _Outcome) -> bool:
    if assessment.informative_count == 0:
        return False
    readings = assessment.readings
    alone = not readings and not assessment.conflict and stands_alone(assessment, outcome)
    for items in (assessment.items, *(reading.items for reading in readings)):
        told = (*items, outcome.item)
        times = [NOW if said is not None and said.dated else None for said in told]
        if not alone:
            if contradictory(TABLES, told, times, after(assessment, items, outcome)):
                return True
            continue
        parties = [said for said in unsettled(TABLES, told, times) if said is not None]
        if sum(said.informative for said in parties) >= 2 and contradict(TABLES, parties, ()):
            return True
    return False


def settles(
    assessment: AgeAssessment, outcome: _Outcome, zone: UncertainZone, by_itself: float
) -> bool:
    adult_age, readings = zone.adult_age, assessment.readings
    if by_itself <= zone.max_probability_minor:
        all_items = [assessment.items, *(one.items for one in readings if one.for_adulthood)]
        highest = max(below(assessment, items, outcome, adult_age) for items in all_items)
        return highest <= zone.max_probability_minor and not contradicts(assessment, outcome)
    if 1.0 - by_itself > zone.max_probability_adult:
        return False
    if not (assessment.established_minor or outcome.item.kind.establishes_minor):
        return False
    of_proof = tuple(
        None if said is not None and said.kind.attack_group == ACCOUNT else said
        for said in assessment.items
    )
    all_items = [assessment.items, of_proof, *(reading.items for reading in readings)]
    lowest = min(below(assessment, items, outcome, adult_age) for items in all_items)
    if 1.0 - lowest > zone.max_probability_adult or contradicts(assessment, outcome):
        return False
    return below(assessment, assessment.items, outcome, zone.minimum_age) < 0.5


def plain(
    assessment: AgeAssessment, zone: UncertainZone, least: float
) -> tuple[tuple[CheckForecast, ...], bool]:
    """Return the forecasts, and whether any result is too near to a gate to compare."""
    found, close = [], False
    for option in FORECASTER.options:
        total = 0.0
        for outcome in _outcomes(TABLES, option):
            joint = outcome.chance * assessment.probabilities
            chance, minor = float(joint.sum()), float(joint[: zone.adult_age].sum())
            # Beside nothing that shares anything with it, what the check says by itself is what
            # both say together, but for rounding.
            gates = (zone.max_probability_minor, 1.0 - zone.max_probability_adult)
            close |= any(abs(minor / chance - gate) < 1e-9 for gate in gates)
            if settles(assessment, outcome, zone, minor / chance):
                total += chance
        close |= abs(total - least) < 1e-9
        if total >= least:
            found.append(CheckForecast(option, min(total, 1.0)))
    return tuple(found), close


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None, max_examples=120)
@given(
    evidence=st.lists(st.one_of(captured_items, evidence_items), max_size=4),
    height=st.sampled_from([None, -3.0, 3.0]),
    tampered=st.booleans(),
    gates=st.sampled_from([(0.02, 0.05), (0.005, 0.2), (0.2, 0.3)]),
    minimum_age=st.sampled_from([13, 16]),
    least=st.sampled_from([1e-12, 0.3, 0.5, 0.9]),
)
def test_the_forecast_is_that_of_a_plain_one(
    *,
    evidence: list[AgeEvidence],
    height: float | None,
    tampered: bool,
    gates: tuple[float, float],
    minimum_age: int,
    least: float,
) -> None:
    behaviour: Array | None = None if height is None else height * np.tanh((AGE_GRID - 18) / 5)
    assessment = assess_age(
        TABLES,
        prior=TABLES.prior("", ""),
        evidence=evidence,
        behaviour_log=behaviour,
        now=NOW,
        tampered_capture=tampered,
    )
    assert_as_plain(assessment, UncertainZone(18, *gates, minimum_age), least)


def assert_as_plain(assessment: AgeAssessment, zone: UncertainZone, least: float) -> None:
    wanted, close = plain(assessment, zone, least)
    found = FORECASTER.sufficient(assessment, zone=zone, min_probability_settled=least)
    if not close:
        assert [one.option for one in found] == [one.option for one in wanted]
        for one, other in zip(found, wanted, strict=True):
            assert abs(one.probability_settled - other.probability_settled) < 1e-12


SHOWN = AgeCheck(CheckMethod.ID_DOCUMENT, 18, CheckResult.OVER)
DECLARED = AgeEvidence(SelfDeclared(14), observed_time=NOW, binding=Binding.ACCOUNT)
BY_GUARDIAN = AgeEvidence(
    AgeCheck(CheckMethod.GUARDIAN, 18, CheckResult.UNDER),
    observed_time=NOW,
    binding=Binding.ACCOUNT,
)


@pytest.mark.parametrize("tampered", [False, True])
@pytest.mark.parametrize(
    "evidence",
    [
        [live(FacialAgeEstimate(24, Liveness.PASSED))],
        [live(FacialAgeEstimate(14, Liveness.PASSED)), DECLARED],
        [live(FacialAgeEstimate(16, Liveness.PASSED)), DECLARED, BY_GUARDIAN],
        [live(FacialAgeEstimate(30, Liveness.UNDETERMINED)), live(SHOWN)],
        [live(SHOWN)],
        [live(SHOWN), live(FacialAgeEstimate(13, Liveness.PASSED))],
        [verified(30), verified(40)],
        [live(VerifiedAge(VerificationMethod.DIGITAL_WALLET, years)) for years in (30, 40)],
        [verified(15), DECLARED],
        [BY_GUARDIAN, live(AgeCheck(CheckMethod.DIGITAL_WALLET, 21, CheckResult.OVER))],
        [],
    ],
)
def test_the_forecast_is_that_of_a_plain_one_wherever_the_gates_are(
    evidence: list[AgeEvidence], *, tampered: bool
) -> None:
    assessment = assess_age(
        TABLES,
        prior=TABLES.prior("", ""),
        evidence=evidence,
        now=NOW,
        tampered_capture=tampered,
    )
    for gate in np.geomspace(1e-5, 0.45, 50).tolist():
        assert_as_plain(assessment, UncertainZone(18, gate, gate, 13), 1e-9)
