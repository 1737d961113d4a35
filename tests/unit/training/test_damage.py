"""A wrong error model of faces: the kinder one lets more minors in, and what stops it is shown."""

from __future__ import annotations

import numpy as np
import pytest

from pairguard.age.evidence import (
    AgeCheck,
    AgeEvidence,
    Binding,
    CheckMethod,
    CheckResult,
    FacialAgeEstimate,
    Liveness,
    SelfDeclared,
)
from pairguard.age.posterior import assess_age
from pairguard.bundle.defaults import default_age_tables
from pairguard_training.damage import (
    AS_IT_IS,
    MITIGATIONS,
    NO_FACE,
    STRICT,
    DamageCase,
    damage,
    is_face,
    tables_with_preset,
)
from pairguard_training.damage_table import damage_text
from pairguard_training.simulation.face_errors import PRESETS

PARTICIPANTS = 1_200


@pytest.fixture(scope="module")
def cases() -> list[DamageCase]:
    return damage(participants=PARTICIPANTS, seed=2, say=lambda _: None)


def test_the_kinder_preset_believes_more_of_the_children_who_look_older() -> None:
    now = 1.8e9
    rng = np.random.default_rng(1)
    # Children of 15-17 as independent tests find them, shown live.
    estimates = rng.uniform(15.0, 18.0, 400) + 3.0 + 2.2 * rng.standard_t(4, 400)
    below: dict[str, int] = {}
    for name, preset in PRESETS.items():
        tables = tables_with_preset(default_age_tables(), preset)
        below[name] = sum(
            assess_age(
                tables,
                prior=tables.prior("", ""),
                evidence=[
                    AgeEvidence(
                        FacialAgeEstimate(float(estimate), Liveness.PASSED),
                        observed_time=now,
                        binding=Binding.LIVE_PERSON,
                    )
                ],
                now=now,
            ).probability_below(18)
            < 0.1
            for estimate in estimates
        )
    assert below["vendor-selfie"] > 1.5 * below["independent"]


def test_only_the_default_preset_is_replaced() -> None:
    before = default_age_tables()
    after = tables_with_preset(before, "vendor_selfie")
    assert before.default_face_preset == "independent"
    assert after.default_face_preset == "vendor_selfie"
    assert after.face_models.keys() == before.face_models.keys()
    kept = {key: value for key, value in after.document.items() if key != "facial_age_estimate"}
    assert kept.items() <= before.document.items()


def test_a_threshold_that_a_face_passed_is_read_off_a_face() -> None:
    assert is_face(AgeEvidence(FacialAgeEstimate(20.0)))
    assert is_face(AgeEvidence(AgeCheck(CheckMethod.FACIAL_THRESHOLD, 18.0, CheckResult.OVER)))
    assert not is_face(AgeEvidence(AgeCheck(CheckMethod.CREDIT_CARD, 18.0, CheckResult.OVER)))
    assert not is_face(AgeEvidence(SelfDeclared(age_years=20.0)))


def test_both_platforms_are_judged_by_both_presets(cases: list[DamageCase]) -> None:
    assert [(case.simulated, case.inferred) for case in cases] == [
        (simulated, inferred) for simulated in PRESETS for inferred in PRESETS
    ]
    for case in cases:
        assert case.people == PARTICIPANTS
        assert 0 < case.people_with_face < PARTICIPANTS
        assert tuple(case.outcomes) == MITIGATIONS
        assert len({found.minors_admitted.of for found in case.outcomes.values()}) == 1
        assert 0.7 < case.slope.value < 1.6


def test_a_mitigation_never_admits_whom_the_policy_as_it_is_does_not(
    cases: list[DamageCase],
) -> None:
    for case in cases:
        before = case.outcomes[AS_IT_IS]
        for name in (STRICT, NO_FACE):
            after = case.outcomes[name]
            assert after.minors_admitted.count <= before.minors_admitted.count
            assert after.good_allowed.count <= before.good_allowed.count
        assert before.minors_admitted_by_face.count <= before.minors_admitted.count
        assert before.mixed_among_allowed.count <= before.mixed_among_allowed.of


def test_the_wrong_model_is_seen_in_the_slope_of_those_who_showed_a_face(
    cases: list[DamageCase],
) -> None:
    slope = {(case.simulated, case.inferred): case.slope_with_face.value for case in cases}
    # Kinder than the truth: too sure. Harsher than the truth: not sure enough.
    for platform in PRESETS:
        assert slope[platform, "vendor-selfie"] < slope[platform, "independent"]


def test_the_table_fits_names_its_seed_and_is_called_simulated(cases: list[DamageCase]) -> None:
    text = damage_text(cases, seed=2)
    assert text.startswith("SIMULATED")
    assert "seed 2" in text
    assert text.count("WRONG") == 2
    assert max(map(len, text.splitlines())) <= 110
