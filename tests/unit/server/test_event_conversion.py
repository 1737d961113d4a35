"""What an event may be: everything right passes, everything wrong is named by its path."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from google.protobuf.message import DecodeError
from hypothesis import given
from hypothesis import strategies as st

from pairguard.server.event_conversion import check_event
from pairguard.v1.feedback_service_pb2 import Event
from tests.domain import DAY, NOW
from tests.unit.server.events import BODIES, YESTERDAY, event

A = "participant_a { participant_id: 'a' }"
B = "participant_b { participant_id: 'b' }"
ONE = "participant { participant_id: 'b' }"
LONG = "x" * 129
MARK = "MARKED-4711"

MODERATOR = "method: VERIFICATION_METHOD_MODERATOR"


def refused(message: Event) -> dict[str, str]:
    """Return the violations of an event by field; it must have some."""
    item = check_event(message, NOW)
    assert item is not None
    assert item.reason == "FIELD_INVALID"
    violations = {v.field: v.description for v in item.violations}
    assert len(violations) == len(item.violations), "a field is named once"
    return violations


def changed(change: Callable[[Event], object], kind: str = "personal_block") -> Event:
    message = event(kind)
    change(message)
    return message


@pytest.mark.parametrize("kind", BODIES)
def test_each_kind_of_event_may_be_recorded(kind: str) -> None:
    assert check_event(event(kind), NOW) is None


def test_every_kind_of_the_contract_is_known() -> None:
    assert set(BODIES) == {f.name for f in Event.DESCRIPTOR.oneofs_by_name["event"].fields}


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("chat_started", f"{A} {B}"),
        ("chat_ended", f"{A} {B}"),
        ("chat_ended", f"{A} {B} duration {{ }}"),
        ("chat_ended", f"{A} {B} duration {{ seconds: 86400 }}"),
        ("report", "reporter { participant_id: 'a' } reported { participant_id: 'b' }"),
        ("review_verdict", f"{ONE} verdict: VERDICT_INCONCLUSIVE"),
        ("review_verdict", f"{ONE} confirmed_age {{ birth_year: 2001 {MODERATOR} }}"),
        ("hold_placed", f"{ONE} reason_code: 'A'"),
        ("hold_placed", f"{ONE} reason_code: '{'A' * 64}'"),
        ("hold_released", f"{ONE} reason_code: 'A_9'"),
        ("appeal_outcome", f"{ONE} result: APPEAL_RESULT_CONFIRMED"),
    ],
)
def test_what_is_optional_may_be_left_out(kind: str, body: str) -> None:
    assert check_event(event(kind, body), NOW) is None


def test_an_event_needs_no_time_and_outside_a_chat_no_chat() -> None:
    message = event("report")
    message.ClearField("event_time")
    message.ClearField("chat_id")

    assert check_event(message, NOW) is None


@pytest.mark.parametrize("kind", ["chat_started", "chat_ended"])
def test_a_chat_has_an_id(kind: str) -> None:
    assert refused(changed(lambda m: m.ClearField("chat_id"), kind)).keys() == {"chat_id"}


@pytest.mark.parametrize(
    ("field", "text"),
    [
        ("event_id", ""),
        ("event_id", LONG),
        ("chat_id", LONG),
        ("decision_id", "x" * 65),
        ("decision_id", "a b"),
        ("decision_id", "a\n"),
    ],
)
def test_ids_are_bounded(field: str, text: str) -> None:
    assert refused(changed(lambda m: setattr(m, field, text))).keys() == {field}


def test_ids_of_128_bytes_are_ids() -> None:
    message = changed(lambda m: setattr(m, "event_id", "ü" * 64))
    message.personal_block.blocker.participant_id = "x" * 128

    assert check_event(message, NOW) is None


def test_nothing_happened_is_no_event() -> None:
    message = event()
    message.ClearField("personal_block")

    assert refused(message).keys() == {"event"}


@pytest.mark.parametrize(
    ("seconds", "reason"),
    [
        (NOW + 60, ""),
        (NOW + 61, "EVENT_IN_FUTURE"),
        (NOW - 7 * DAY, ""),
        (NOW - 7 * DAY - 1, "EVENT_TOO_OLD"),
        (253_402_300_800, "FIELD_INVALID"),
    ],
)
def test_an_event_is_at_most_seven_days_old_and_not_ahead(seconds: float, reason: str) -> None:
    item = check_event(changed(lambda m: setattr(m.event_time, "seconds", int(seconds))), NOW)

    assert (item.reason if item else "") == reason
    assert item is None or [v.field for v in item.violations] == ["event_time"]


def test_the_reason_tells_of_the_time_only_if_nothing_else_is_wrong() -> None:
    message = event(rest="decision_id: '!'")
    message.event_time.seconds = 1

    assert refused(message).keys() == {"event_time", "decision_id"}


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        ("chat_started", ["participant_a", "participant_b"]),
        ("chat_ended", ["participant_a", "participant_b"]),
        ("report", ["reporter", "reported"]),
        ("personal_block", ["blocker", "blocked"]),
        ("personal_block_lifted", ["blocker", "blocked"]),
        ("review_verdict", ["participant"]),
        ("hold_placed", ["participant"]),
        ("hold_released", ["participant"]),
        ("appeal_outcome", ["participant"]),
    ],
)
def test_everybody_concerned_is_named(kind: str, names: list[str]) -> None:
    for name in names:
        message = event(kind)
        getattr(message, kind).ClearField(name)
        assert refused(message).keys() == {f"{kind}.{name}"}
        getattr(message, kind).ClearField(name)
        reference = getattr(getattr(message, kind), name)
        reference.participant_id = ""
        reference.linked_ids.extend(["", "fine", LONG])
        assert refused(message).keys() == {
            f"{kind}.{name}.participant_id",
            f"{kind}.{name}.linked_ids[0]",
            f"{kind}.{name}.linked_ids[2]",
        }
        reference.participant_id = "somebody"
        reference.linked_ids[:] = [f"d-{index}" for index in range(17)]
        assert refused(message).keys() == {f"{kind}.{name}.linked_ids"}


@pytest.mark.parametrize(
    ("kind", "first", "second"),
    [
        ("chat_started", "participant_a", "participant_b"),
        ("chat_ended", "participant_a", "participant_b"),
        ("report", "reporter", "reported"),
        ("personal_block", "blocker", "blocked"),
        ("personal_block_lifted", "blocker", "blocked"),
    ],
)
@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("participant_id: 'p'", "participant_id: 'p'"),
        ("participant_id: 'p'", "participant_id: 'q' linked_ids: ['p']"),
        ("participant_id: 'p' linked_ids: ['s']", "participant_id: 'q' linked_ids: ['r', 's']"),
    ],
)
def test_two_participants_share_no_id(
    kind: str, first: str, second: str, one: str, other: str
) -> None:
    for a, b in ((one, other), (other, one)):
        found = refused(event(kind, f"{first} {{ {a} }} {second} {{ {b} }}"))

        assert found.keys() == {f"{kind}.{second}.participant_id"}
        assert found[f"{kind}.{second}.participant_id"].endswith(first)


def test_two_missing_ids_are_missing_and_not_the_same() -> None:
    found = refused(event("report", "reporter { linked_ids: 'd' } reported { linked_ids: 'e' }"))

    assert found.keys() == {"report.reporter.participant_id", "report.reported.participant_id"}


@pytest.mark.parametrize(
    ("kind", "field"),
    [
        ("chat_started", "modality"),
        ("chat_ended", "ender"),
        ("chat_ended", "manner"),
        ("report", "category"),
        ("review_verdict", "verdict"),
        ("review_verdict", "category"),
        ("hold_placed", "kind"),
        ("hold_released", "kind"),
        ("appeal_outcome", "result"),
    ],
)
@pytest.mark.parametrize("number", [-1, 99])
def test_a_number_that_no_enum_has_is_refused(kind: str, field: str, number: int) -> None:
    message = changed(lambda m: setattr(getattr(m, kind), field, number), kind)

    assert refused(message).keys() == {f"{kind}.{field}"}


@pytest.mark.parametrize(
    "duration",
    [
        "seconds: -1",
        "nanos: -1",
        "seconds: 86400 nanos: 1",
        "seconds: 86401",
        "seconds: 1 nanos: 1000000000",
        "seconds: -9223372036854775808",
    ],
)
def test_a_chat_lasts_from_nothing_to_a_day(duration: str) -> None:
    found = refused(event("chat_ended", f"{A} {B} duration {{ {duration} }}"))

    assert found.keys() == {"chat_ended.duration"}


@pytest.mark.parametrize("kind", ["hold_placed", "hold_released"])
@pytest.mark.parametrize("code", ["", "lower", "A B", "9A", "_A", "A" * 65, "A\n", "ÄRGER"])
def test_the_reason_of_a_hold_is_a_code(kind: str, code: str) -> None:
    message = changed(lambda m: setattr(getattr(m, kind), "reason_code", code), kind)

    assert refused(message).keys() == {f"{kind}.reason_code"}


@pytest.mark.parametrize("seconds", [int(NOW), int(NOW) - 1, 253_402_300_800])
def test_a_hold_ends_later(seconds: int) -> None:
    message = changed(
        lambda m: setattr(m.hold_placed.expire_time, "seconds", seconds), "hold_placed"
    )

    assert refused(message).keys() == {"hold_placed.expire_time"}


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (ONE, "review_verdict.verdict"),
        (
            f"{ONE} confirmed_age {{ age_years: 16 }}",
            "review_verdict.confirmed_age.method",
        ),
        (
            f"{ONE} confirmed_age {{ age_years: 16 method: VERIFICATION_METHOD_ID_DOCUMENT }}",
            "review_verdict.confirmed_age.method",
        ),
        (
            f"{ONE} confirmed_age {{ age_years: 16 method: 99 }}",
            "review_verdict.confirmed_age.method",
        ),
        (f"{ONE} confirmed_age {{ {MODERATOR} }}", "review_verdict.confirmed_age"),
        (
            f"{ONE} confirmed_age {{ age_years: nan {MODERATOR} }}",
            "review_verdict.confirmed_age.age_years",
        ),
        (
            f"{ONE} confirmed_age {{ birth_year: 1890 {MODERATOR} }}",
            "review_verdict.confirmed_age.birth_year",
        ),
        (
            f"{ONE} verdict: VERDICT_CLEARED report_event_ids: ['r', '']",
            "review_verdict.report_event_ids[1]",
        ),
        (
            f"{ONE} verdict: VERDICT_CLEARED" + " report_event_ids: 'r'" * 101,
            "review_verdict.report_event_ids",
        ),
    ],
)
def test_a_review_says_something_that_a_moderator_can_say(body: str, field: str) -> None:
    assert refused(event("review_verdict", body)).keys() == {field}


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (ONE, "appeal_outcome.result"),
        (
            f"{ONE} result: APPEAL_RESULT_CONFIRMED appeal_time {{ seconds: {int(NOW) + 61} }}",
            "appeal_outcome.appeal_time",
        ),
    ],
)
def test_an_appeal_was_made_and_ended(body: str, field: str) -> None:
    assert refused(event("appeal_outcome", body)).keys() == {field}


def test_an_event_that_is_wrong_everywhere_is_answered_briefly_and_repeats_nothing() -> None:
    linked_ids = f"linked_ids: '{MARK * 20}' " * 16
    message = event(
        "report",
        f"reporter {{ participant_id: '{MARK}' {linked_ids} }}"
        f" reported {{ participant_id: '{MARK}' }} category: 99",
        rest=f"decision_id: '{MARK}!'",
    )
    message.event_id = message.chat_id = MARK * 20

    item = check_event(message, NOW)

    assert item is not None
    assert len(item.violations) == 10
    assert MARK not in repr(item)


RIGHT = [event(kind).SerializeToString() for kind in BODIES]


@given(
    st.sampled_from(RIGHT),
    st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), min_size=1, max_size=12),
)
def test_a_damaged_event_is_right_or_refused(content: bytes, places: list[tuple[int, int]]) -> None:
    damaged = bytearray(content)
    for place, value in places:
        damaged[place % len(damaged)] = value
    try:
        message = Event.FromString(bytes(damaged))
    except DecodeError:
        return

    item = check_event(message, NOW)

    if item is not None:
        assert all(v.field and v.description for v in item.violations)
        return
    assert 1 <= len(message.event_id.encode()) <= 128
    assert message.WhichOneof("event") in BODIES
    if message.HasField("event_time"):
        assert abs(message.event_time.seconds - YESTERDAY) < 8 * DAY
