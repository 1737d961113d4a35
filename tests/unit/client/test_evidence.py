"""Evidence and participants as values: what is refused before any call."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from pairguard.client import (
    AgeEvidence,
    CheckMethod,
    CheckResult,
    ParticipantInput,
    VerificationMethod,
    age_check,
    facial_age_estimate,
    platform_age_range,
    self_declared,
    verified_age,
)

NAIVE = datetime(2024, 1, 1)  # noqa: DTZ001 - what is refused
WRONG: Any = "seventeen"


@pytest.mark.parametrize(
    "build",
    [
        lambda: self_declared(age_years=WRONG),
        lambda: self_declared(age_years=True),
        lambda: self_declared(birth_year=WRONG),
        lambda: self_declared(age_years=17, gate_years=WRONG),
        lambda: self_declared(age_years=17, declared_time=WRONG),
        lambda: self_declared(age_years=17, provider=7),  # type: ignore[arg-type]
        lambda: self_declared(age_years=17, binding=WRONG),
        lambda: platform_age_range(lower_years=WRONG),
        lambda: platform_age_range(upper_years=17.5),  # type: ignore[arg-type]
        lambda: platform_age_range(lower_years=13, platform=WRONG),
        lambda: platform_age_range(lower_years=13, assurance=WRONG),
        lambda: facial_age_estimate(mean_years=WRONG),
        lambda: facial_age_estimate(mean_years=None),  # type: ignore[arg-type]
        lambda: facial_age_estimate(mean_years=17, liveness=WRONG),
        lambda: facial_age_estimate(mean_years=17, quality=WRONG),
        lambda: facial_age_estimate(mean_years=17, capture_session=7),  # type: ignore[arg-type]
        lambda: age_check(method=WRONG, threshold_years=18, result=CheckResult.OVER),
        lambda: age_check(method=CheckMethod.EMAIL, threshold_years=WRONG, result=CheckResult.OVER),
        lambda: age_check(method=CheckMethod.EMAIL, threshold_years=18, result=WRONG),
        lambda: age_check(
            method=CheckMethod.EMAIL, threshold_years=18, result=CheckResult.OVER, liveness=WRONG
        ),
        lambda: age_check(
            method=CheckMethod.EMAIL,
            threshold_years=18,
            result=CheckResult.OVER,
            capture_session=7,  # type: ignore[arg-type]
        ),
        lambda: verified_age(method=VerificationMethod.ID_DOCUMENT, age_years=20, liveness=WRONG),
        lambda: verified_age(
            method=VerificationMethod.ID_DOCUMENT,
            age_years=20,
            capture_session=7,  # type: ignore[arg-type]
        ),
        # The two enumerations share this word; they are still not each other.
        lambda: verified_age(method=CheckMethod.ID_DOCUMENT, age_years=20),  # type: ignore[arg-type]
        lambda: AgeEvidence(WRONG),
        lambda: ParticipantInput(7),  # type: ignore[arg-type]
        lambda: ParticipantInput("a", WRONG),
        lambda: ParticipantInput("a", [WRONG]),
        lambda: ParticipantInput("a", linked_ids="device-1"),
        lambda: ParticipantInput("a", linked_ids=[7]),  # type: ignore[list-item]
        lambda: ParticipantInput("a", interests="music"),
        lambda: ParticipantInput("a", signals=[("x", 1.0)]),  # type: ignore[arg-type]
        lambda: ParticipantInput("a", signals={"x": WRONG}),
        lambda: ParticipantInput("a", signals={"x": None}),  # type: ignore[dict-item]
        lambda: ParticipantInput("a", signals={7: 1.0}),  # type: ignore[dict-item]
        lambda: ParticipantInput("a", attributes={"os": 7}),  # type: ignore[dict-item]
        lambda: ParticipantInput("a", region=None),  # type: ignore[arg-type]
    ],
)
def test_a_value_of_another_type_is_refused_at_once(build: Callable[[], object]) -> None:
    with pytest.raises(TypeError):
        build()


@pytest.mark.parametrize(
    "build",
    [
        self_declared,
        lambda: self_declared(age_years=17, birth_year=2007),
        lambda: verified_age(method=VerificationMethod.MODERATOR),
        platform_age_range,
        lambda: self_declared(age_years=17, observed_time=NAIVE),
        lambda: self_declared(age_years=17, expire_time=NAIVE),
        lambda: self_declared(age_years=17, declared_time=NAIVE),
        lambda: ParticipantInput(""),
    ],
)
def test_a_value_that_says_nothing_or_too_much_is_refused_at_once(
    build: Callable[[], object],
) -> None:
    with pytest.raises(ValueError, match=r"must|exactly one|needs"):
        build()


def test_a_participant_keeps_what_it_was_given() -> None:
    signals = {"account.age_days": 3.0}
    linked = ["device-1"]
    evidence = [self_declared(age_years=17)]
    participant = ParticipantInput("a", evidence, linked_ids=linked, signals=signals)

    signals["account.age_days"] = 900.0
    linked.append("device-2")
    evidence.clear()

    assert participant.signals == {"account.age_days": 3.0}
    assert participant.linked_ids == ("device-1",)
    assert len(participant.age_evidence) == 1


def test_values_that_say_the_same_are_equal() -> None:
    moment = datetime(2024, 1, 1, tzinfo=UTC)
    one = ParticipantInput("a", [self_declared(age_years=17, observed_time=moment)])
    same = ParticipantInput("a", (self_declared(age_years=17, observed_time=moment),))

    assert one == same
    assert len({one, same}) == 1
    assert one != ParticipantInput("a", [self_declared(age_years=18, observed_time=moment)])
