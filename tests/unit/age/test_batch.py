"""Many posteriors at once have the same bits as one by one."""

from __future__ import annotations

import random

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pairguard.age.batch import AgeCase, assess_ages
from pairguard.age.evidence import (
    AgeCheck,
    AgeEvidence,
    CheckMethod,
    CheckResult,
    FacialAgeEstimate,
    Liveness,
)
from pairguard.age.fusion import in_company
from pairguard.age.likelihood import item_likelihoods
from pairguard.age.parameters import AGE_GRID
from pairguard.age.posterior import AgeAssessment, assess_age
from tests.domain import DAY, NOW, TABLES, captured_items, live

PRIORS = (TABLES.prior("", ""), np.where(AGE_GRID < 18, 0.02, 0.01))

cases = st.builds(
    AgeCase,
    prior=st.sampled_from(PRIORS),
    evidence=st.lists(captured_items, max_size=6),
    now=st.sampled_from([NOW, NOW + 400 * DAY]),
    behaviour_log=st.one_of(
        st.none(), st.floats(-4, 4).map(lambda height: height * np.tanh((AGE_GRID - 18) / 5))
    ),
    tampered_capture=st.booleans(),
    device_since=st.sampled_from([None, NOW, NOW - 300 * DAY]),
)


def one_by_one(case: AgeCase) -> AgeAssessment:
    return assess_age(
        TABLES,
        prior=case.prior,
        evidence=case.evidence,
        behaviour_log=case.behaviour_log,
        now=case.now,
        tampered_capture=case.tampered_capture,
        device_since=case.device_since,
    )


def assert_same(together: list[AgeAssessment], cases: list[AgeCase]) -> None:
    assert len(together) == len(cases)
    for one, case in zip(together, cases, strict=True):
        alone = one_by_one(case)
        for name in ("probabilities", "cumulative", "cumulative_by_evidence", "base"):
            assert getattr(one, name).tobytes() == getattr(alone, name).tobytes(), name
        for name in (
            "conflict",
            "informative_count",
            "for_adulthood_count",
            "established_minor",
            "verified_live_years",
            "sessions",
        ):
            assert getattr(one, name) == getattr(alone, name), name


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(drawn=st.lists(cases, max_size=4), copies=st.integers(1, 3), seed=st.integers(0, 9))
def test_a_batch_has_the_bits_of_its_members(drawn: list[AgeCase], copies: int, seed: int) -> None:
    batch = drawn * copies
    random.Random(seed).shuffle(batch)
    assert_same(assess_ages(TABLES, batch), batch)


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None, max_examples=30)
@given(
    evidence=st.lists(captured_items, min_size=1, max_size=6),
    weeks=st.lists(st.integers(0, 500), min_size=80, max_size=130),  # one chunk, or two
)
def test_many_of_one_kind_have_the_bits_of_each(
    evidence: list[AgeEvidence], weeks: list[int]
) -> None:
    batch = [AgeCase(PRIORS[0], evidence, NOW + 7 * DAY * count) for count in weeks]
    assert_same(assess_ages(TABLES, batch), batch)


def test_those_whose_items_differ_in_kind_share_a_plan_and_have_the_bits_of_each() -> None:
    document = live(AgeCheck(CheckMethod.ID_DOCUMENT, 18, CheckResult.OVER))
    batch = [
        AgeCase(PRIORS[0], [live(FacialAgeEstimate(years, Liveness.PASSED)), document], NOW)
        for years in (14.0, 40.0, 16.0, 25.0)
    ]
    found = [
        in_company(TABLES, item_likelihoods(TABLES, case.evidence, now=NOW), ["", ""])
        for case in batch
    ]
    assert len({company for _, company, _ in found}) > 1
    assert len({company.plan(sitting).content for _, company, sitting in found}) == 1
    assert_same(assess_ages(TABLES, batch), batch)


def test_nobody_and_somebody_who_said_nothing() -> None:
    assert assess_ages(TABLES, []) == []
    silent = live(AgeCheck(CheckMethod.ID_DOCUMENT, 18, CheckResult.INCONCLUSIVE))
    batch = [AgeCase(PRIORS[0], [], NOW), AgeCase(PRIORS[1], [silent], NOW)]
    assert_same(assess_ages(TABLES, batch), batch)
