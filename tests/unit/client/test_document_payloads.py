"""What readers of identity documents answer, and that no birth date is left of it."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import pytest

from pairguard.client import AgeEvidence, Binding, Liveness, VerificationMethod, verified_age
from pairguard.client.evidence import (
    from_didit_id_verification,
    from_persona_government_id,
    id_document,
)
from tests.unit.client.arrival import OBSERVED, assert_arrives

BORN = "2008-03-16"  # 18 on the day after OBSERVED


def years(birth_date: str | date, observed_time: datetime | None = OBSERVED) -> tuple[Any, Any]:
    """Return the age and the birth year that are kept."""
    item = id_document(birth_date=birth_date, observed_time=observed_time)
    assert_arrives([item])
    observation: Any = item.observation
    return observation.age_years, observation.birth_year


@pytest.mark.parametrize(
    ("birth_date", "age_years"),
    [
        ("2008-03-14", 18),
        ("2008-03-15", 18),
        (BORN, 17),
        (date(2008, 3, 16), 17),
        ("2026-03-15", 0),
        ("1906-03-15", 120),
    ],
)
def test_a_birth_date_becomes_the_age_of_that_day(birth_date: str | date, age_years: int) -> None:
    assert years(birth_date) == (age_years, None)


def test_a_birth_date_becomes_a_year_where_the_day_is_not_known() -> None:
    assert years(BORN, None) == (None, 2008)


def test_somebody_born_on_a_leap_day_is_never_older_too_early() -> None:
    assert years("2008-02-29", datetime(2026, 2, 28, tzinfo=UTC)) == (17, None)
    assert years("2008-02-29", datetime(2026, 3, 1, 12, tzinfo=UTC)) == (18, None)


@pytest.mark.parametrize(
    ("observed_time", "age_years"),
    [
        (datetime(2026, 3, 16, 1, 0, tzinfo=timezone(timedelta(hours=9))), 17),
        # The 16th in UTC, still the 15th where the participant may be.
        (datetime(2026, 3, 16, 11, 59, tzinfo=UTC), 17),
        (datetime(2026, 3, 16, 12, 0, tzinfo=UTC), 18),
        (datetime(2026, 3, 16, 0, 0, tzinfo=timezone(timedelta(hours=-12))), 18),
    ],
)
def test_a_birthday_counts_once_it_has_come_everywhere(
    observed_time: datetime, age_years: int
) -> None:
    assert years(BORN, observed_time) == (age_years, None)


def test_a_child_of_the_day_is_no_younger_than_that() -> None:
    assert years("2026-03-16", datetime(2026, 3, 16, 1, 0, tzinfo=UTC)) == (0, None)


@pytest.mark.parametrize(
    "observed_time",
    [
        datetime.max.replace(tzinfo=timezone(timedelta(hours=-5))),
        datetime.min.replace(tzinfo=timezone(timedelta(hours=5))),
    ],
)
def test_a_time_at_the_end_of_the_calendar_is_refused(observed_time: datetime) -> None:
    with pytest.raises(ValueError, match=r"^observed_time: "):
        id_document(birth_date=BORN, observed_time=observed_time)


@pytest.mark.parametrize("matched", ["false", "true", 1, None])
def test_a_match_that_is_no_boolean_is_refused(matched: Any) -> None:
    with pytest.raises(TypeError, match="holder_matched"):
        id_document(
            birth_date=BORN,
            observed_time=OBSERVED,
            holder_matched=matched,
            liveness=Liveness.PASSED,
        )


@pytest.mark.parametrize(
    "birth_date",
    [
        "16.03.2008",
        "2008-3-16",
        "20080316",
        "2008",
        "0000-03-16",
        "2008-02-30",
        "2008-13-01",
        "1899-12-31",
        "1905-03-15",
        "2026-03-16",
        "2027-01-01",
        "",
        2008,
        None,
        True,
        datetime(2008, 3, 16, tzinfo=UTC),
    ],
)
def test_what_is_no_birth_date_is_refused_without_repeating_it(birth_date: Any) -> None:
    with pytest.raises(ValueError, match=r"^birth_date: ") as refused:
        id_document(birth_date=birth_date, observed_time=OBSERVED)

    assert not birth_date or str(birth_date) not in str(refused.value)
    assert refused.value.__cause__ is None
    assert refused.value.__suppress_context__ or refused.value.__context__ is None


def test_a_time_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="observed_time"):
        id_document(birth_date=BORN, observed_time=datetime(2026, 3, 15))  # noqa: DTZ001
    wrong: Any = "2026-03-15"
    with pytest.raises(TypeError, match="observed_time"):
        id_document(birth_date=BORN, observed_time=wrong)


@pytest.mark.parametrize(
    ("matched", "liveness", "binding"),
    [
        (True, Liveness.PASSED, Binding.LIVE_PERSON),
        (True, Liveness.FAILED, None),
        (True, Liveness.UNDETERMINED, None),
        (True, None, None),
        (False, Liveness.PASSED, None),
    ],
)
def test_a_document_is_bound_to_whoever_was_matched_live(
    matched: bool, liveness: Liveness | None, binding: Binding | None
) -> None:
    item = id_document(
        birth_date=BORN,
        observed_time=OBSERVED,
        holder_matched=matched,
        liveness=liveness,
        capture_session="c-1",
        provider="acme",
        evidence_id="e-1",
    )

    assert item == verified_age(
        method=VerificationMethod.ID_DOCUMENT,
        age_years=17,
        liveness=liveness,
        capture_session="c-1",
        observed_time=OBSERVED,
        provider="acme",
        binding=binding,
        evidence_id="e-1",
    )
    assert_arrives([item])


def didit(
    status: str | None = "Approved",
    *,
    born: object = BORN,
    match: str | None = "Approved",
    live: str | None = "Approved",
    session: bool = False,
) -> dict[str, Any]:
    """Return an ID verification in Didit's form, of the endpoints or of a session."""
    document = {
        "status": status,
        "document_type": "Identity Card",
        "document_number": "YZA123456",
        "date_of_birth": born,
        "age": 17,
        "first_name": "Elena",
        "warnings": [],
    }
    parts: list[tuple[str, str, dict[str, Any]]] = [
        ("id_verification", "id_verifications", document)
    ]
    if match is not None:
        parts.append(("face_match", "face_matches", {"status": match, "score": 95.5}))
    if live is not None:
        seen = {"status": live, "score": 89.9, "warnings": []}
        parts.append(("liveness", "liveness_checks", seen))
    return {"status": "Approved"} | {
        (several if session else single): ([part] if session else part)
        for single, several, part in parts
    }


@pytest.mark.parametrize("session", [False, True])
@pytest.mark.parametrize(
    ("changes", "liveness", "binding"),
    [
        ({}, Liveness.PASSED, Binding.LIVE_PERSON),
        ({"match": "Declined"}, Liveness.PASSED, None),
        ({"match": None}, Liveness.PASSED, None),
        ({"live": "In Review"}, Liveness.UNDETERMINED, None),
        ({"live": None}, None, None),
    ],
)
def test_a_didit_document_counts_as_far_as_its_selfie(
    session: bool, changes: dict[str, Any], liveness: Liveness | None, binding: Binding | None
) -> None:
    items = from_didit_id_verification(didit(session=session, **changes), observed_time=OBSERVED)

    assert items == (
        verified_age(
            method=VerificationMethod.ID_DOCUMENT,
            age_years=17,
            liveness=liveness,
            observed_time=OBSERVED,
            provider="didit",
            binding=binding,
        ),
    )
    assert_arrives(items)


@pytest.mark.parametrize("status", ["Declined", "In Review", "Expired", "Not Finished"])
def test_a_didit_document_that_was_not_approved_is_no_evidence(status: str) -> None:
    assert from_didit_id_verification(didit(status), observed_time=OBSERVED) == ()
    assert from_didit_id_verification({"id_verifications": []}, observed_time=OBSERVED) == ()


@pytest.mark.parametrize(
    ("payload", "path"),
    [
        ({}, "id_verification"),
        (didit("approved"), "id_verification.status"),
        (didit(None), "id_verification.status"),
        (didit(match="ok"), "face_match.status"),
        (didit(live="ok"), "liveness.status"),
        (didit(born=None), "id_verification.date_of_birth"),
        (didit(born=2008), "id_verification.date_of_birth"),
        (didit(born="1992-03-16"), "id_verification.age"),
        (didit(born="2012-03-16"), "id_verification.age"),
        (didit(born="16/03/2008"), "id_verification.date_of_birth"),
        (
            {"id_verifications": didit(session=True)["id_verifications"] * 2},
            r"id_verifications\[1\]",
        ),
        ({"id_verifications": {}}, "id_verifications"),
    ],
)
def test_a_didit_document_of_another_form_is_refused(payload: dict[str, object], path: str) -> None:
    with pytest.raises(ValueError, match=rf"^{path}: "):
        from_didit_id_verification(payload, observed_time=OBSERVED)


def persona(
    status: str | None = "passed", *, born: object = BORN, kind: str = "government-id"
) -> dict[str, Any]:
    """Return a government ID verification in Persona's form."""
    return {
        "data": {
            "type": f"verification/{kind}",
            "id": "ver_1",
            "attributes": {
                "status": status,
                "birthdate": born,
                "name-first": "Elena",
                "identification-number": "YZA123456",
                "checks": [{"name": "id_integrity_detection", "status": "passed"}],
            },
        }
    }


def selfie(
    same: str, live: str, *, status: str = "passed", injected: str = "passed"
) -> dict[str, Any]:
    """Return the selfie verification of the same inquiry."""
    checks = [
        {"name": "selfie_id_comparison", "status": same, "reasons": []},
        {"name": "selfie_liveness_detection", "status": live, "reasons": []},
        {"name": "selfie_suspicious_entity_detection", "status": injected, "reasons": []},
    ]
    attributes = {"status": status, "checks": checks}
    return {"data": {"type": "verification/selfie", "attributes": attributes}}


@pytest.mark.parametrize("kind", ["government-id", "government-id-nfc"])
@pytest.mark.parametrize(
    ("with_selfie", "liveness", "binding"),
    [
        (selfie("passed", "passed"), Liveness.PASSED, Binding.LIVE_PERSON),
        (selfie("passed", "passed", status="failed"), Liveness.PASSED, None),
        (selfie("failed", "passed", status="failed"), Liveness.PASSED, None),
        (selfie("not_applicable", "passed"), Liveness.PASSED, None),
        (selfie("passed", "failed"), Liveness.FAILED, None),
        (selfie("passed", "passed", injected="failed"), Liveness.PASSED, None),
        (selfie("passed", "not_applicable"), None, None),
        (None, None, None),
    ],
)
def test_a_persona_document_counts_as_far_as_its_selfie(
    kind: str,
    with_selfie: dict[str, Any] | None,
    liveness: Liveness | None,
    binding: Binding | None,
) -> None:
    items = from_persona_government_id(
        persona(kind=kind), observed_time=OBSERVED, selfie=with_selfie
    )

    assert items == (
        verified_age(
            method=VerificationMethod.ID_DOCUMENT,
            age_years=17,
            liveness=liveness,
            observed_time=OBSERVED,
            provider="persona",
            binding=binding,
        ),
    )
    assert_arrives(items)


def test_a_persona_document_with_a_failed_check_is_bound_to_nobody() -> None:
    payload = persona()
    payload["data"]["attributes"]["checks"] = [
        {"name": "id_electronic_replica_detection", "status": "failed"}
    ]

    (item,) = from_persona_government_id(
        payload, observed_time=OBSERVED, selfie=selfie("passed", "passed")
    )

    assert item.binding is None


def of_inquiry(payload: dict[str, Any], inquiry: str) -> dict[str, Any]:
    """Return a verification with the inquiry that it is of."""
    relation = {"inquiry": {"data": {"type": "inquiry", "id": inquiry}}}
    return {"data": payload["data"] | {"relationships": relation}}


def test_a_selfie_of_another_inquiry_binds_no_document() -> None:
    document, seen = of_inquiry(persona(), "inq_1"), selfie("passed", "passed")

    (item,) = from_persona_government_id(
        document, observed_time=OBSERVED, selfie=of_inquiry(seen, "inq_1")
    )
    assert item.binding is Binding.LIVE_PERSON
    with pytest.raises(ValueError, match=r"^selfie.data.relationships.inquiry: "):
        from_persona_government_id(
            document, observed_time=OBSERVED, selfie=of_inquiry(seen, "inq_2")
        )


@pytest.mark.parametrize("status", ["failed", "requires_retry", "submitted", "initiated"])
def test_a_persona_document_that_did_not_pass_is_no_evidence(status: str) -> None:
    assert from_persona_government_id(persona(status), observed_time=OBSERVED) == ()


@pytest.mark.parametrize(
    ("payload", "path"),
    [
        (persona("approved"), "data.attributes.status"),
        (persona(born=None), "data.attributes.birthdate"),
        (persona(born="2008-03"), "data.attributes.birthdate"),
        (persona(kind="selfie"), "data.type"),
        (persona(kind="database"), "data.type"),
    ],
)
def test_a_persona_document_of_another_form_is_refused(
    payload: dict[str, object], path: str
) -> None:
    with pytest.raises(ValueError, match=rf"^{path}: "):
        from_persona_government_id(payload, observed_time=OBSERVED)


def test_a_persona_selfie_of_another_form_is_refused() -> None:
    wrong: Any = "none"
    with pytest.raises(TypeError, match="dict"):
        from_persona_government_id(persona(), observed_time=OBSERVED, selfie=wrong)
    with pytest.raises(ValueError, match=r"^data.type: "):
        from_persona_government_id(persona(), observed_time=OBSERVED, selfie=persona())


@pytest.mark.parametrize(
    "convert",
    [
        lambda time: from_didit_id_verification(didit(), observed_time=time),
        lambda time: from_persona_government_id(persona(), observed_time=time),
    ],
)
@pytest.mark.parametrize("observed_time", [OBSERVED, None])
def test_neither_birth_date_nor_identity_is_kept(
    convert: Callable[[datetime | None], tuple[AgeEvidence, ...]], observed_time: datetime | None
) -> None:
    kept = repr(convert(observed_time))

    assert "03-16" not in kept
    assert "date(" not in kept
    assert "Elena" not in kept
    assert "YZA123456" not in kept
