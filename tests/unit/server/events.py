"""Events for tests of the server: right ones, to be made wrong in one place."""

from __future__ import annotations

from google.protobuf import text_format

from pairguard.v1.feedback_service_pb2 import Event
from tests.domain import NOW

YESTERDAY = int(NOW) - 86_400

BODIES = {
    "chat_started": "participant_a { participant_id: 'a' linked_ids: ['d1'] }"
    " participant_b { participant_id: 'b' } modality: MODALITY_VIDEO",
    "chat_ended": "participant_a { participant_id: 'a' } participant_b { participant_id: 'b' }"
    " duration { seconds: 9 nanos: 500000000 } ender: CHAT_ENDER_PARTICIPANT_A"
    " manner: CHAT_END_MANNER_SKIPPED",
    "report": "reporter { participant_id: 'a' } reported { participant_id: 'b' linked_ids: 'd2' }"
    " category: REPORT_CATEGORY_SEXTORTION",
    "review_verdict": "participant { participant_id: 'b' } report_event_ids: ['r1', 'r2']"
    " verdict: VERDICT_UPHELD category: REPORT_CATEGORY_SEXTORTION confirmed_age {"
    " age_years: 16 method: VERIFICATION_METHOD_MODERATOR capture_session: 'c' }",
    "hold_placed": "participant { participant_id: 'b' } kind: HOLD_KIND_LEGAL reason_code: 'CASE_7'"
    f" expire_time {{ seconds: {int(NOW) + 60} }}",
    "hold_released": "participant { participant_id: 'b' } kind: HOLD_KIND_PAIRING"
    " reason_code: 'OK'",
    "personal_block": "blocker { participant_id: 'a' } blocked { participant_id: 'b' }",
    "personal_block_lifted": "blocker { participant_id: 'a' } blocked { participant_id: 'b' }",
    "appeal_outcome": "participant { participant_id: 'b' } result: APPEAL_RESULT_OVERTURNED"
    f" appeal_time {{ seconds: {YESTERDAY} }}",
}


def event(kind: str = "personal_block", body: str | None = None, rest: str = "") -> Event:
    """Return an event of yesterday; its body is a right one of its kind, or text format."""
    text = BODIES[kind] if body is None else body
    message = Event(event_id="e1", chat_id="c1")
    message.event_time.seconds = YESTERDAY
    text_format.Merge(f"{kind} {{ {text} }} {rest}", message)
    return message
