"""The posterior is that of a slow implementation in plain floats, to 1e-12."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pairguard.age.batch import AgeCase
from pairguard.age.belief import log_odds
from pairguard.age.evidence import (
    AgeCheck,
    AgeEvidence,
    Binding,
    CheckMethod,
    CheckResult,
    FacialAgeEstimate,
    Liveness,
    Observation,
    SelfDeclared,
    VerificationMethod,
    VerifiedAge,
)
from pairguard.age.parameters import AGE_GRID, Array
from pairguard.age.posterior import assess_age, contributions
from pairguard.age.tables import AgeTables
from tests.domain import DAY, NOW, TABLES, YEAR, captured_items, default_tables_document, merged
from tests.reference_posterior import reference_assessment

TOLERANCE = 1e-12
DOCUMENT = AgeCheck(CheckMethod.ID_DOCUMENT, 18, CheckResult.OVER)
WALLET = AgeCheck(CheckMethod.DIGITAL_WALLET, 18, CheckResult.OVER)
EMAIL = AgeCheck(CheckMethod.EMAIL, 18, CheckResult.OVER)
YOUNG = AgeCheck(CheckMethod.GUARDIAN, 10, CheckResult.UNDER)
BY_REFERENCE_AGE = {
    18: TABLES,
    21: AgeTables.from_mapping(
        merged(
            default_tables_document(), {"reference_age_years": {"value": 21, "source": "assumed"}}
        )
    ),
}


recent_items = st.builds(
    AgeEvidence,
    st.one_of(
        st.builds(SelfDeclared, st.sampled_from([13.0, 15.0, 18.0, 25.0])),
        st.builds(
            FacialAgeEstimate, st.floats(12, 45), st.sampled_from([*Liveness, Liveness.PASSED])
        ),
        st.builds(
            AgeCheck,
            st.sampled_from(CheckMethod),
            st.sampled_from([13.0, 18.0, 21.0]),
            st.sampled_from([CheckResult.OVER, CheckResult.OVER, CheckResult.UNDER]),
        ),
        st.builds(
            VerifiedAge,
            st.sampled_from(VerificationMethod),
            st.sampled_from([14.0, 17.0, 18.0, 30.0]),
        ),
    ),
    observed_time=st.sampled_from([NOW, NOW - 0.5 * DAY, NOW - 100 * DAY, NOW - 2 * YEAR]),
    binding=st.sampled_from(Binding),
)
"""Items as platforms send them: several of one kind, and not too far from each other."""

items = st.one_of(captured_items, recent_items)
behaviours = st.one_of(
    st.none(),
    st.builds(
        lambda height, middle: height * np.tanh((AGE_GRID - middle) / 5.0),
        st.floats(-4, 4),
        st.floats(12, 30),
    ),
)


@settings(max_examples=250, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(
    evidence=st.one_of(st.lists(items, max_size=8), st.lists(recent_items, min_size=2, max_size=4)),
    minors_in_prior=st.sampled_from([None, 0.01, 0.5]),
    behaviour_log=behaviours,
    tampered_capture=st.booleans(),
    device_since=st.sampled_from([None, None, NOW, NOW - 50 * DAY, NOW - 3 * YEAR]),
    reference_age_years=st.sampled_from(list(BY_REFERENCE_AGE)),
)
def test_the_posterior_is_that_of_plain_floats(
    *,
    evidence: list[AgeEvidence],
    minors_in_prior: float | None,
    behaviour_log: Array | None,
    tampered_capture: bool,
    device_since: float | None,
    reference_age_years: int,
) -> None:
    prior = BY_REFERENCE_AGE[reference_age_years].prior("", "")
    if minors_in_prior is not None:
        prior = np.where(AGE_GRID < 18, minors_in_prior / 18, (1.0 - minors_in_prior) / 83)
    assert_as_reference(
        BY_REFERENCE_AGE[reference_age_years],
        AgeCase(prior, evidence, NOW, behaviour_log, tampered_capture, device_since),
    )


@pytest.mark.parametrize(
    ("evidence", "conflict"),
    [
        # A document settles what was declared until then, the same moment included.
        ([(SelfDeclared(14), Binding.ACCOUNT), (DOCUMENT, Binding.LIVE_PERSON)], False),
        # An address settles nothing.
        ([(SelfDeclared(14), Binding.ACCOUNT), (EMAIL, Binding.ACCOUNT)], True),
        # What fits few young ages is a side of a conflict by those ages.
        ([(YOUNG, Binding.ACCOUNT), (WALLET, Binding.LIVE_PERSON)], True),
    ],
)
def test_conflicts_are_those_of_plain_floats(
    evidence: list[tuple[Observation, Binding]], conflict: bool
) -> None:
    items = [AgeEvidence(said, observed_time=NOW, binding=bound) for said, bound in evidence]
    case = AgeCase(TABLES.prior("", ""), items, NOW)
    assert assert_as_reference(TABLES, case) is conflict


def _clipped(probability: float) -> float:
    return min(max(probability, 1e-9), 1.0 - 1e-9)


def assert_as_reference(tables: AgeTables, case: AgeCase) -> bool:
    """Compare with the slow implementation; return whether there is a conflict."""
    behaviour = case.behaviour_log
    found = assess_age(
        tables,
        prior=case.prior,
        evidence=case.evidence,
        behaviour_log=behaviour,
        now=case.now,
        tampered_capture=case.tampered_capture,
        device_since=case.device_since,
    )
    wanted = reference_assessment(
        tables,
        prior=case.prior.tolist(),
        evidence=case.evidence,
        behaviour_log=None if behaviour is None else behaviour.tolist(),
        now=case.now,
        tampered_capture=case.tampered_capture,
        device_since=case.device_since,
    )
    np.testing.assert_allclose(found.probabilities, wanted.probabilities, rtol=TOLERANCE, atol=0.0)
    for running, probabilities in (
        (found.cumulative, wanted.probabilities),
        (found.cumulative_by_evidence, wanted.probabilities_by_evidence),
    ):
        np.testing.assert_allclose(running, np.cumsum(probabilities), rtol=TOLERANCE, atol=0.0)
    for age in range(1, 101):
        below, at_least = wanted.highest_below[age - 1], 1.0 - wanted.lowest_below[age - 1]
        assert found.probability_below(age) == pytest.approx(_clipped(below), rel=1e-11)
        assert found.probability_at_least(age) == pytest.approx(_clipped(at_least), abs=TOLERANCE)
    assert found.conflict == wanted.conflict
    assert found.informative_count == wanted.informative_count
    assert found.for_adulthood_count == wanted.for_adulthood_count
    assert found.established_minor == wanted.established_minor
    assert found.verified_live_years == wanted.verified_live_years
    # Where a probability is within 1e-9 of 1, its odds keep seven digits.
    with_all = abs(log_odds(found.probability_below(18)))
    steepest = max(with_all + abs(nats) for nats in [*wanted.contributions, 0.0])
    tolerance = TOLERANCE + 1e-14 * math.exp(min(steepest, math.log(1e9)))
    assert contributions(tables, found, adult_age_years=18) == pytest.approx(
        wanted.contributions, rel=0.0, abs=tolerance
    )
    return found.conflict
