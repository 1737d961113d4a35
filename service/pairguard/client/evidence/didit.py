"""Didit: age estimation and ID verification.

Owns Didit's words. Follows the pages "Age Estimation Report", "Age Estimation API" and "ID
verification report" (docs.didit.me, read in 2026): the answers of the standalone endpoints
(``liveness`` or ``age_estimation``; ``id_verification``, ``face_match``) and the decision of a
session (``liveness_checks``, ``id_verifications``, ``face_matches``).

A report can be declined for the age alone, so its liveness is read from the score and the warnings.
An approved one can carry any warning that the workflow takes no action on: Didit estimates the
largest face of several, which may be anybody's. Somebody counts as seen live only where the list
of warnings is there and warns of nothing but the age.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Unpack

from pairguard.client.evidence.builders import facial_age_estimate, numbered
from pairguard.client.evidence.document import id_document
from pairguard.client.evidence.payload import (
    MOST_YEARS,
    Payload,
    PayloadDetails,
    read_payload,
    refuse,
)
from pairguard.client.evidence.values import AgeEvidence, VerifiedAge
from pairguard.client.vocabulary import Binding, Liveness

PROVIDER = "didit"

_STATUSES = {
    name: name for name in ("Approved", "Declined", "In Review", "Expired", "Not Finished")
}
_SPOOFS = frozenset({"LIVENESS_FACE_ATTACK", "LOW_LIVENESS_SCORE"})
_AGE_WARNINGS = frozenset({"AGE_BELOW_MINIMUM"})
# The vendor's default of `face_liveness_score_decline_threshold`.
DECLINED_SCORE = 30.0


def from_didit_age_estimation(
    payload: Mapping[str, object],
    *,
    observed_time: datetime | None,
    declined_score: float = DECLINED_SCORE,
    capture_session: str = "",
    **details: Unpack[PayloadDetails],
) -> tuple[AgeEvidence, ...]:
    """Return the evidence in age estimation and liveness reports.

    Args:
        payload: The answer or decision; of each report ``status``, ``score``, ``age_estimation``,
            the ``risk`` of its ``warnings``, and how many faces ``user_image.entities`` has.
        observed_time: When the picture was taken. None: not known.
        declined_score: Liveness score, 0-100, at or below which nobody counts as live.
        capture_session: The caller's opaque id of the capture.
        **details: See ``PayloadDetails``.

    Returns:
        One estimate for each report that has an age; none of a report that is not finished. Where
        one report found an attack, no other counts as seen live.

    Raises:
        ValueError: A field has another form, a status is not known, or no report is there.
        TypeError: The payload is no dict.
    """
    _require_score(declined_score)
    items: list[AgeEvidence] = []
    answer = read_payload(payload)
    reports = _reports(answer, "liveness", "age_estimation", "liveness_checks")
    tests = [_liveness(report, declined_score) for report in reports]
    for report, tested in zip(reports, tests, strict=True):
        attacked = Liveness.FAILED in tests and tested is Liveness.PASSED
        liveness = Liveness.UNDETERMINED if attacked else tested
        mean_years = report.number("age_estimation", least=0, most=MOST_YEARS)
        if mean_years is None or report.text("status") == "Not Finished":
            continue
        items.append(
            facial_age_estimate(
                mean_years=mean_years,
                liveness=liveness,
                capture_session=capture_session,
                observed_time=observed_time,
                provider=PROVIDER,
                binding=Binding.LIVE_PERSON if liveness is Liveness.PASSED else None,
            )
        )
    return numbered(items, **details)


def from_didit_id_verification(
    payload: Mapping[str, object],
    *,
    observed_time: datetime | None,
    declined_score: float = DECLINED_SCORE,
    capture_session: str = "",
    **details: Unpack[PayloadDetails],
) -> tuple[AgeEvidence, ...]:
    """Return the evidence in an ID verification, with the selfie checks beside it.

    Args:
        payload: The answer or decision: ``status`` and ``date_of_birth`` of the document, and
            ``age`` to compare it with; where they are there, ``status`` of the face match, and the
            liveness report.
        observed_time: When the document was shown. None: not known, which keeps the birth year.
        declined_score: Liveness score, 0-100, at or below which nobody counts as live.
        capture_session: The caller's opaque id of the capture.
        **details: See ``PayloadDetails``.

    Returns:
        One verified age; empty where the document was not approved.

    Raises:
        ValueError: A field has another form, a status is not known, a report is there twice, or
            age and birth date contradict each other.
        TypeError: The payload is no dict.
    """
    _require_score(declined_score)
    answer = read_payload(payload)
    document = _only(_reports(answer, "id_verification", "id_verifications"))
    match = _only(_reports(answer, "face_match", "face_matches", required=False))
    selfie = _only(_reports(answer, "liveness", "liveness_checks", required=False))
    liveness = None if selfie is None else _liveness(selfie, declined_score)
    matched = match is not None and match.require_word("status", _STATUSES) == "Approved"
    if document is None or document.require_word("status", _STATUSES) != "Approved":
        return ()
    birth_date = document.text("date_of_birth")
    if birth_date is None:
        refuse(document.at("date_of_birth"), "is missing")
    item = id_document(
        birth_date=birth_date,
        observed_time=observed_time,
        holder_matched=matched,
        liveness=liveness,
        capture_session=capture_session,
        provider=PROVIDER,
        path=document.at("date_of_birth"),
        **details,
    )
    _require_same_age(document, item)
    return (item,)


def _liveness(report: Payload, declined_score: float) -> Liveness:
    status = report.require_word("status", _STATUSES)
    risks = {warning.text("risk") for warning in report.objects("warnings")}
    score = report.number("score", least=0, most=100)
    if risks & _SPOOFS or (score is not None and score <= declined_score):
        return Liveness.FAILED
    picture = report.object("user_image")
    one_face = picture is None or len(picture.objects("entities")) <= 1
    for_age_alone = status == "Declined" and bool(risks)
    settled = status == "Approved" or for_age_alone
    unwarned = report.has("warnings") and risks <= _AGE_WARNINGS
    if score is not None and settled and unwarned and one_face:
        return Liveness.PASSED
    return Liveness.UNDETERMINED


def _require_score(declined_score: float) -> None:
    """Refuse a score that nobody could fall below: NaN, too, is above nothing."""
    if not 0 <= declined_score <= 100:
        raise ValueError("declined_score: must be from 0 to 100")


def _require_same_age(document: Payload, item: AgeEvidence) -> None:
    """Refuse an age that is more than the one birthday since away from the birth date."""
    stated, verified = document.years("age"), item.observation
    if stated is None or not isinstance(verified, VerifiedAge) or verified.age_years is None:
        return
    if abs(stated - verified.age_years) > 1:
        refuse(document.at("age"), "contradicts date_of_birth")


def _reports(answer: Payload, *names: str, required: bool = True) -> tuple[Payload, ...]:
    """Return the reports under any of these names, of which the last holds a list."""
    *single, several = names
    reports = [report for name in single if (report := answer.object(name)) is not None]
    reports += answer.objects(several)
    if required and not reports and several not in answer.fields:
        refuse(answer.at(names[0]), "is missing")
    return tuple(reports)


def _only(reports: tuple[Payload, ...]) -> Payload | None:
    if len(reports) > 1:
        refuse(reports[1].path, "is a second report, and nothing says to which picture it belongs")
    return reports[0] if reports else None
