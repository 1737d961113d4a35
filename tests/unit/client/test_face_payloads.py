"""What facial age estimators answer: Yoti, Didit, Persona."""

import math
from typing import Any

import pytest

from pairguard.client import (
    AgeEvidence,
    Binding,
    CheckMethod,
    CheckResult,
    Liveness,
    VerificationMethod,
    age_check,
    facial_age_estimate,
    verified_age,
)
from pairguard.client.evidence import (
    from_didit_age_estimation,
    from_persona_selfie,
    from_yoti_age_check,
    from_yoti_age_estimation,
    from_yoti_age_verification,
)
from tests.unit.client.arrival import OBSERVED, assert_arrives

LIVENESS = [
    ("real", Liveness.PASSED, Binding.LIVE_PERSON),
    ("fake", Liveness.FAILED, None),
    ("undetermined", Liveness.UNDETERMINED, None),
]


@pytest.mark.parametrize(("prediction", "liveness", "binding"), LIVENESS)
def test_a_yoti_estimate_keeps_its_age_quality_and_liveness(
    prediction: str, liveness: Liveness, binding: Binding | None
) -> None:
    items = from_yoti_age_estimation(
        {"antispoofing": {"prediction": prediction}, "age": {"st_dev": 3.9, "age": 22.4}},
        observed_time=OBSERVED,
        capture_session="c-1",
    )

    expected = facial_age_estimate(
        mean_years=22.4,
        quality=3.9,
        liveness=liveness,
        capture_session="c-1",
        observed_time=OBSERVED,
        provider="yoti",
        binding=binding,
    )
    assert items == (expected,)
    assert_arrives(items)


def test_a_yoti_estimate_without_a_liveness_test_is_bound_to_nobody() -> None:
    (item,) = from_yoti_age_estimation({"age": {"age": 22, "st_dev": 6.0}}, observed_time=None)

    assert item == facial_age_estimate(mean_years=22.0, quality=6.0, provider="yoti")


@pytest.mark.parametrize(
    "age",
    [
        {"age": 30.1, "st_dev": 6.1},
        {"age": 14.0, "st_dev": 40},
        {"age": None, "st_dev": 2},
        # A picture that nobody calls good is no better than a bad one.
        {"age": 30.1},
        {"age": 30.1, "st_dev": None},
    ],
)
def test_a_yoti_estimate_of_a_bad_picture_is_no_evidence(age: dict[str, object]) -> None:
    payload = {"antispoofing": {"prediction": "real"}, "age": age}

    assert from_yoti_age_estimation(payload, observed_time=OBSERVED) == ()


@pytest.mark.parametrize(
    ("payload", "path"),
    [
        ({}, "age"),
        ({"antispoofing": {"prediction": "real"}}, "age"),
        ({"age": 22.4}, "age"),
        ({"age": {"age": "22.4"}}, "age.age"),
        ({"age": {"age": True}}, "age.age"),
        ({"age": {"age": -1}}, "age.age"),
        ({"age": {"age": 10**400}}, "age.age"),
        ({"age": {"age": math.nan}}, "age.age"),
        ({"age": {"age": math.inf}}, "age.age"),
        ({"age": {"age": 22, "st_dev": math.nan}}, "age.st_dev"),
        ({"age": {"age": 22, "st_dev": "3"}}, "age.st_dev"),
        ({"age": {"age": 22}, "antispoofing": "real"}, "antispoofing"),
        ({"age": {"age": 22}, "antispoofing": {"prediction": "REAL"}}, "antispoofing.prediction"),
        ({"age": {"age": 22}, "antispoofing": {"prediction": True}}, "antispoofing.prediction"),
    ],
)
def test_what_yoti_does_not_say_is_refused(payload: dict[str, object], path: str) -> None:
    with pytest.raises(ValueError, match=rf"^{path}: "):
        from_yoti_age_estimation(payload, observed_time=OBSERVED)


@pytest.mark.parametrize(
    ("answer", "operator", "result"),
    [
        ("pass", "OVER", CheckResult.OVER),
        ("fail", "OVER", CheckResult.UNDER),
        ("pass", "UNDER", CheckResult.UNDER),
        # To fail is no proof of adulthood, whatever was asked.
        ("fail", "UNDER", CheckResult.INCONCLUSIVE),
    ],
)
@pytest.mark.parametrize("seen", LIVENESS)
def test_a_yoti_check_is_read_against_what_was_asked(
    answer: str, operator: Any, result: CheckResult, seen: tuple[str, Liveness, Binding | None]
) -> None:
    prediction, liveness, binding = seen
    items = from_yoti_age_check(
        {"age": {"age_check": answer}, "antispoofing": {"prediction": prediction}},
        threshold_years=25,
        operator=operator,
        observed_time=OBSERVED,
        capture_session="c-1",
    )

    expected = age_check(
        method=CheckMethod.FACIAL_THRESHOLD,
        threshold_years=25,
        result=result,
        liveness=liveness,
        capture_session="c-1",
        observed_time=OBSERVED,
        provider="yoti",
        binding=binding,
    )
    assert items == (expected,)
    assert_arrives(items)


@pytest.mark.parametrize(
    ("payload", "path"),
    [
        ({"age": {}}, "age.age_check"),
        ({"age": {"age_check": "passed"}}, "age.age_check"),
        ({"age": {"age_check": True}}, "age.age_check"),
    ],
)
def test_an_unknown_yoti_check_is_refused(payload: dict[str, object], path: str) -> None:
    with pytest.raises(ValueError, match=rf"^{path}: "):
        from_yoti_age_check(payload, threshold_years=25, observed_time=OBSERVED)


def test_a_yoti_check_of_no_known_operator_is_refused() -> None:
    wrong: Any = "over"
    with pytest.raises(ValueError, match="operator"):
        from_yoti_age_check(
            {"age": {"age_check": "pass"}},
            threshold_years=25,
            operator=wrong,
            observed_time=OBSERVED,
        )


def session(**changes: object) -> dict[str, object]:
    """Return the result of a session in the vendor's form."""
    return {
        "sdk_id": "5d3add31-3a3a-4d3b-a6b4-347edb35264c",
        "callback": {"url": "https://example.com", "auto": False},
        "type": "OVER",
        "age_estimation": {"threshold": 25, "allowed": True, "level": "PASSIVE"},
        "digital_id": {"threshold": 18, "allowed": True, "level": "NONE"},
        "doc_scan": {"threshold": 18, "allowed": True, "level": "PASSIVE"},
        "credit_card": {"threshold": 18, "allowed": False, "level": "", "authenticity": ""},
        "mobile": {},
        "age": 18,
        "status": "COMPLETE",
        "method": "DOC_SCAN",
        "reference_id": "over_18_example",
        "created_at": "2026-03-15T11:54:34.739262Z",
        "id": "14010f56-3f04-4f1f-84e7-a43ff723ef86",
        "evidence_id": "4786ecb7-c10c-4037-9947-aaa6507e7414",
        **changes,
    }


@pytest.mark.parametrize(
    "made",
    [
        ("AGE_ESTIMATION", 25, CheckMethod.FACIAL_THRESHOLD),
        ("DOC_SCAN", 18, CheckMethod.ID_DOCUMENT),
        ("DIGITAL_ID", 18, CheckMethod.DIGITAL_WALLET),
        ("CREDIT_CARD", 18, CheckMethod.CREDIT_CARD),
        ("MOBILE", 18, CheckMethod.MOBILE_OPERATOR),
    ],
)
@pytest.mark.parametrize(
    ("asked", "status", "result"),
    [
        ("OVER", "COMPLETE", CheckResult.OVER),
        ("OVER", "FAIL", CheckResult.UNDER),
        ("UNDER", "COMPLETE", CheckResult.UNDER),
        ("UNDER", "FAIL", CheckResult.INCONCLUSIVE),
    ],
)
def test_a_yoti_session_is_a_check_by_its_method(
    made: tuple[str, int, CheckMethod], asked: str, status: str, result: CheckResult
) -> None:
    method, age, expected = made
    items = from_yoti_age_verification(
        session(method=method, age=age, type=asked, status=status), observed_time=OBSERVED
    )

    assert items == (
        age_check(
            method=expected,
            threshold_years=age,
            result=result,
            observed_time=OBSERVED,
            provider="yoti",
        ),
    )
    assert_arrives(items)


def test_a_yoti_session_for_an_age_discloses_it() -> None:
    def of(method: str) -> tuple[AgeEvidence, ...]:
        return from_yoti_age_verification(
            session(type="AGE", method=method, age=34), observed_time=OBSERVED
        )

    assert of("AGE_ESTIMATION") == (
        facial_age_estimate(mean_years=34, observed_time=OBSERVED, provider="yoti"),
    )
    for method, established in (
        ("DOC_SCAN", VerificationMethod.ID_DOCUMENT),
        ("DIGITAL_ID", VerificationMethod.DIGITAL_WALLET),
    ):
        assert of(method) == (
            verified_age(method=established, age_years=34, observed_time=OBSERVED, provider="yoti"),
        )
        assert_arrives(of(method))


@pytest.mark.parametrize("status", ["PENDING", "IN_PROGRESS", "ERROR", "CANCELLED", "EXPIRED"])
def test_a_yoti_session_without_an_answer_is_no_evidence(status: str) -> None:
    payload = session(status=status, method=None)

    assert from_yoti_age_verification(payload, observed_time=OBSERVED) == ()


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"type": None}, "type"),
        ({"type": "BETWEEN"}, "type"),
        ({"status": "DONE"}, "status"),
        ({"status": None}, "status"),
        ({"method": "LOGIN"}, "method"),
        ({"method": None}, "method"),
        ({"age": 21}, "age"),
        ({"age": 0, "doc_scan": {}}, "age"),
        ({"age": None, "doc_scan": {}}, "age"),
        ({"age": "18"}, "age"),
        ({"doc_scan": {"threshold": "18"}}, "doc_scan.threshold"),
        ({"type": "AGE", "status": "FAIL"}, "status"),
        ({"type": "AGE", "method": "CREDIT_CARD"}, "method"),
        ({"type": "AGE", "age": None}, "age"),
    ],
)
def test_an_unknown_yoti_session_is_refused(changes: dict[str, object], path: str) -> None:
    with pytest.raises(ValueError, match=rf"^{path}: "):
        from_yoti_age_verification(session(**changes), observed_time=OBSERVED)


ATTACK = "LIVENESS_FACE_ATTACK"


def report(**changes: object) -> dict[str, object]:
    """Return a report in Didit's form."""
    return {
        "status": "Approved",
        "method": "PASSIVE",
        "score": 89.92,
        "reference_image": "https://example.com/reference.jpg",
        "video_url": None,
        "age_estimation": 24.3,
        "warnings": [],
        **changes,
    }


def warning(risk: str) -> dict[str, object]:
    """Return a warning in Didit's form."""
    return {"risk": risk, "additional_data": None, "log_type": "error"}


@pytest.mark.parametrize(
    ("changes", "liveness"),
    [
        ({}, Liveness.PASSED),
        ({"score": 30.5}, Liveness.PASSED),
        ({"score": 30}, Liveness.FAILED),
        ({"score": 0}, Liveness.FAILED),
        ({"score": None}, Liveness.UNDETERMINED),
        ({"warnings": [warning("LOW_LIVENESS_SCORE")]}, Liveness.FAILED),
        ({"status": "Declined", "warnings": [warning("LIVENESS_FACE_ATTACK")]}, Liveness.FAILED),
        ({"status": "Declined", "warnings": [warning("AGE_BELOW_MINIMUM")]}, Liveness.PASSED),
        (
            {
                "status": "Declined",
                "warnings": [warning("AGE_BELOW_MINIMUM"), warning("LIVENESS_FACE_ATTACK")],
            },
            Liveness.FAILED,
        ),
        ({"status": "Declined", "warnings": [warning("DUPLICATED_FACE")]}, Liveness.UNDETERMINED),
        ({"status": "Declined"}, Liveness.UNDETERMINED),
        ({"status": "In Review"}, Liveness.UNDETERMINED),
        ({"warnings": None}, Liveness.UNDETERMINED),
        # A workflow can approve these. Whose age is that of the largest of several faces?
        ({"warnings": [warning("MULTIPLE_FACES_DETECTED")]}, Liveness.UNDETERMINED),
        ({"warnings": [warning("DUPLICATED_FACE")]}, Liveness.UNDETERMINED),
        ({"warnings": [warning("LOW_FACE_QUALITY")]}, Liveness.UNDETERMINED),
        ({"warnings": [warning("AGE_NOT_DETECTED")]}, Liveness.UNDETERMINED),
        ({"warnings": [{"risk": None}]}, Liveness.UNDETERMINED),
        ({"warnings": [warning("AGE_BELOW_MINIMUM")]}, Liveness.PASSED),
        ({"user_image": {"entities": [{"age": 24.3}]}}, Liveness.PASSED),
        ({"user_image": {"entities": [{"age": 24.3}, {"age": 9.1}]}}, Liveness.UNDETERMINED),
    ],
)
@pytest.mark.parametrize("name", ["liveness", "age_estimation"])
def test_a_didit_report_can_be_declined_for_the_age_alone(
    changes: dict[str, object], liveness: Liveness, name: str
) -> None:
    items = from_didit_age_estimation(
        {"request_id": "a1b2c3d4", name: report(**changes)},
        observed_time=OBSERVED,
        capture_session="c-1",
    )

    expected = facial_age_estimate(
        mean_years=24.3,
        liveness=liveness,
        capture_session="c-1",
        observed_time=OBSERVED,
        provider="didit",
        binding=Binding.LIVE_PERSON if liveness is Liveness.PASSED else None,
    )
    assert items == (expected,)
    assert_arrives(items)


def test_each_didit_report_of_a_session_is_an_item_of_its_own() -> None:
    decision = {
        "session_id": "9f1c0f6e",
        "liveness_checks": [
            report(),
            report(age_estimation=None),
            report(status="Not Finished"),
            report(age_estimation=25),
        ],
    }

    items = from_didit_age_estimation(decision, observed_time=OBSERVED, evidence_id="e")

    assert [(item.evidence_id, estimate_of(item)) for item in items] == [("e", 24.3), ("e/2", 25.0)]
    assert_arrives(items)


def test_an_attack_in_one_didit_report_leaves_no_other_seen_live() -> None:
    attack = report(status="Declined", age_estimation=None, warnings=[warning(ATTACK)])

    (item,) = from_didit_age_estimation(
        {"age_estimation": report(), "liveness": attack}, observed_time=OBSERVED
    )

    observation: Any = item.observation
    assert (observation.liveness, item.binding) == (Liveness.UNDETERMINED, None)


@pytest.mark.parametrize("declined_score", [math.nan, -1, 101])
def test_a_score_that_nobody_can_fall_below_is_refused(declined_score: float) -> None:
    with pytest.raises(ValueError, match=r"^declined_score: "):
        from_didit_age_estimation(
            {"liveness": report(score=1)}, observed_time=OBSERVED, declined_score=declined_score
        )


def estimate_of(item: AgeEvidence) -> float:
    """Return the estimate of an item."""
    observation: Any = item.observation
    mean_years: float = observation.mean_years
    return mean_years


def test_a_stricter_liveness_score_can_be_asked_for() -> None:
    (item,) = from_didit_age_estimation(
        {"liveness": report(score=70)}, observed_time=OBSERVED, declined_score=80
    )

    observation: Any = item.observation
    assert observation.liveness is Liveness.FAILED


def test_didit_finding_no_age_is_no_evidence() -> None:
    payload = {"liveness": report(age_estimation=None, warnings=[warning("AGE_NOT_DETECTED")])}

    assert from_didit_age_estimation(payload, observed_time=OBSERVED) == ()
    assert from_didit_age_estimation({"liveness_checks": []}, observed_time=OBSERVED) == ()


@pytest.mark.parametrize(
    ("payload", "path"),
    [
        ({}, "liveness"),
        ({"age_estimation": 24.3}, "age_estimation"),
        ({"liveness": report(status="approved")}, "liveness.status"),
        ({"liveness": report(status=None)}, "liveness.status"),
        ({"liveness": report(score=101)}, "liveness.score"),
        ({"liveness": report(score="89")}, "liveness.score"),
        ({"liveness": report(score=math.nan)}, "liveness.score"),
        ({"liveness": report(age_estimation=-3)}, "liveness.age_estimation"),
        ({"liveness": report(age_estimation="24")}, "liveness.age_estimation"),
        ({"liveness": report(warnings="LOW")}, "liveness.warnings"),
        ({"liveness": report(warnings=["LOW"])}, r"liveness.warnings\[0\]"),
        ({"liveness_checks": [report(), report(status="?")]}, r"liveness_checks\[1\].status"),
    ],
)
def test_what_didit_does_not_say_is_refused(payload: dict[str, object], path: str) -> None:
    with pytest.raises(ValueError, match=rf"^{path}: "):
        from_didit_age_estimation(payload, observed_time=OBSERVED)


def selfie(
    threshold: str | None = "passed",
    live: str | None = "passed",
    *,
    status: str | None = "passed",
    glare: str = "passed",
) -> dict[str, Any]:
    """Return a selfie verification in Persona's form."""
    checks = [
        {"name": "selfie_pose_detection", "status": "passed", "reasons": [], "metadata": {}},
        {"name": "selfie_glare_detection", "status": glare, "reasons": [], "metadata": {}},
    ]
    for name, check in (
        ("selfie_age_threshold_comparison", threshold),
        ("selfie_liveness_detection", live),
    ):
        if check is not None:
            checks.append({"name": name, "status": check, "reasons": [], "metadata": {}})
    return {
        "data": {
            "type": "verification/selfie",
            "id": "ver_dCvHHPUHxvb5j2iYKfjwafBU",
            "attributes": {
                "status": status,
                "created-at": "2026-03-15T11:54:23.000Z",
                "center-photo-url": "https://example.com/center.jpg",
                "checks": checks,
            },
        }
    }


@pytest.mark.parametrize(
    ("payload", "result", "liveness"),
    [
        (selfie(), CheckResult.OVER, Liveness.PASSED),
        (selfie("failed", status="failed"), CheckResult.UNDER, Liveness.PASSED),
        (selfie("failed"), CheckResult.UNDER, Liveness.PASSED),
        (selfie("passed", "failed", status="failed"), CheckResult.INCONCLUSIVE, Liveness.FAILED),
        (selfie("passed", "failed"), CheckResult.OVER, Liveness.FAILED),
        (selfie("passed", status="requires_retry"), CheckResult.INCONCLUSIVE, Liveness.PASSED),
        (selfie("passed", "not_applicable"), CheckResult.OVER, None),
        (selfie("passed", None), CheckResult.OVER, None),
    ],
)
def test_a_persona_selfie_counts_as_over_only_if_all_of_it_passed(
    payload: dict[str, object], result: CheckResult, liveness: Liveness | None
) -> None:
    items = from_persona_selfie(
        payload, threshold_years=18, observed_time=OBSERVED, capture_session="c-1"
    )

    expected = age_check(
        method=CheckMethod.FACIAL_THRESHOLD,
        threshold_years=18,
        result=result,
        liveness=liveness,
        capture_session="c-1",
        observed_time=OBSERVED,
        provider="persona",
        binding=Binding.LIVE_PERSON if liveness is Liveness.PASSED else None,
    )
    assert items == (expected,)
    assert_arrives(items)


@pytest.mark.parametrize(
    ("threshold", "glare", "binding"),
    [
        ("failed", "passed", Binding.LIVE_PERSON),
        ("failed", "failed", None),
        ("passed", "passed", Binding.LIVE_PERSON),
        ("passed", "failed", None),
    ],
)
def test_a_spoilt_picture_is_no_capture_of_anybody(
    threshold: str, glare: str, binding: Binding | None
) -> None:
    (item,) = from_persona_selfie(
        selfie(threshold, glare=glare), threshold_years=18, observed_time=OBSERVED
    )

    assert item.binding is binding


def test_a_persona_comparison_that_was_not_made_is_no_evidence() -> None:
    payload = selfie("not_applicable")

    assert from_persona_selfie(payload, threshold_years=18, observed_time=OBSERVED) == ()


def with_checks(*checks: object) -> dict[str, Any]:
    """Return a selfie verification with these checks alone."""
    payload = selfie()
    payload["data"]["attributes"]["checks"] = list(checks)
    return payload


@pytest.mark.parametrize(
    ("payload", "path"),
    [
        ({}, "data"),
        ({"data": []}, "data"),
        ({"data": {"type": "verification/selfie"}}, "data.attributes"),
        ({"data": {"type": "inquiry", "attributes": {}}}, "data.type"),
        (selfie(status="approved"), "data.attributes.status"),
        (selfie(status=None), "data.attributes.status"),
        (selfie(None), "data.attributes.checks"),
        (selfie("pass"), r"data.attributes.checks\[2\].status"),
        (selfie("passed", "true"), r"data.attributes.checks\[3\].status"),
        (with_checks("selfie_age_threshold_comparison"), r"data.attributes.checks\[0\]"),
        (
            with_checks(
                {"name": "selfie_age_threshold_comparison", "status": "failed"},
                {"name": "selfie_age_threshold_comparison", "status": "passed"},
            ),
            r"data.attributes.checks\[1\]",
        ),
    ],
)
def test_what_persona_does_not_say_is_refused(payload: dict[str, object], path: str) -> None:
    with pytest.raises(ValueError, match=rf"^{path}: "):
        from_persona_selfie(payload, threshold_years=18, observed_time=OBSERVED)
