"""What a caller sent in words of its own is nowhere: not in files, not in Redis, not in logs."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf import text_format

from pairguard.v1.age_assurance_service_pb2 import RecordAgeEvidenceRequest
from pairguard.v1.assessment_pb2 import VIEW_FULL
from pairguard.v1.feedback_service_pb2 import Event, RecordEventsRequest
from pairguard.v1.pair_risk_service_pb2 import GetDecisionRequest
from pairguard.v1.participant_pb2 import Participant
from tests.integration.server.platform_calls import (
    allowed,
    decide,
    ended,
    erase,
    find_decision,
    happened,
    import_decisions,
    keep_evidence,
    pair,
    participant,
    record,
    reference,
    report,
    started,
    statuses,
)
from tests.integration.server.running_server import (
    TIMEOUT_SECONDS,
    Running,
    lenient_policy,
    serving,
    until,
)
from tests.redis_server import running_redis
from tests.unit.server.events import BODIES
from tests.unit.server.requests import ADULT, CHILD, PAST, age_request

MARK = "Zq7Mark"
"""Stands in every text that a caller may choose."""


def marked(name: str) -> str:
    return f"{MARK}-{name}"


EVIDENCE = "\n".join(
    f"age_evidence {{ evidence_id: '{MARK}-e{n}' provider: '{MARK} & Sons' "
    f"observed_time {{ seconds: {PAST} }} {observation} }}"
    for n, observation in enumerate(
        (
            "self_declared { birth_year: 1987 gate_years: 18 }",
            "platform_age_range { platform: PLATFORM_APPLE lower_years: 18 }",
            (
                "facial_age_estimate { mean_years: 41 liveness: LIVENESS_PASSED"
                f" capture_session: '{MARK}-capture' }}"
            ),
            (
                "age_check { method: CHECK_METHOD_CREDIT_CARD threshold_years: 18"
                f" result: CHECK_RESULT_OVER capture_session: '{MARK}-capture-2' }}"
            ),
            (
                "verified_age { birth_year: 1987 method: VERIFICATION_METHOD_ID_DOCUMENT"
                f" capture_session: '{MARK}-capture-3' }}"
            ),
        )
    )
)
WORDS = f"""
    signals {{ key: '{MARK}_signal' value: 1 }} signals {{ key: 'account_age_days' value: 12 }}
    signals {{ key: 'history.{MARK}' value: 1 }}
    attributes {{ key: 'client_os' value: '{MARK} OS' }}
    attributes {{ key: '{MARK}' value: '{MARK}' }}
    interests: '{MARK} interest' interests: 'music'
    language: 'en-GB-x-zq7mark' entry_path: '/{MARK}/welcome?mail={MARK}@example.org'
"""


def person(name: str, more: str = "") -> Participant:
    message = Participant(
        participant_id=marked(name), linked_ids=[marked(f"{name}-phone")], region="GB"
    )
    text_format.Merge(WORDS + EVIDENCE + more, message)
    return message


def live(server: Running) -> None:
    """Send every text of the contract, in right requests, wrong ones and ones that cannot be."""
    a, b = person("a"), person("b")
    request = pair(a, b, request_id=marked("request"))
    request.view = VIEW_FULL
    answer = decide(server, request)
    decide(server, request)
    decide(server, pair(person("kid", CHILD), b))
    allowed(server, participant(marked("c")), participant(marked("d")))
    age = age_request(rest="view: VIEW_FULL")
    age.participant.CopyFrom(a)
    server.age_assurance.AssessAge(age, timeout=TIMEOUT_SECONDS)
    for name in ("a", "x"):
        who = reference(marked(name), marked(f"{name}-phone"))
        assert "REFUSED" not in statuses(keep_evidence(server, who, *a.age_evidence).results)

    for kind, body in BODIES.items():
        text = body.replace("'c'", f"'{MARK}-capture-4'").replace("['r1', 'r2']", f"'{MARK}-r'")
        for name in ("a", "b", "d1", "d2"):
            text = text.replace(f"'{name}'", f"'{MARK}-{name}'")
        event = Event(event_id=marked(kind), chat_id=marked("chat"), decision_id=marked("decision"))
        text_format.Merge(f"{kind} {{ {text} }}", event)
        happened(server, event)
    meeting = marked("meeting")
    c, d = marked("c"), marked("d")
    happened(
        server,
        started(meeting, c, d, decision=answer.decision_id),
        report(marked("report-of-a-meeting"), c, d, chat=meeting),
    )
    # An open chat is named to the caller as the caller named it.
    minor = text_format.Merge(
        ADULT.replace("age_years: 40", "age_years: 15").replace(
            "age_evidence {", f"age_evidence {{ evidence_id: '{MARK}-doc' "
        ),
        Participant(),
    )
    named = keep_evidence(server, c, *minor.age_evidence)
    assert [each.chat_id for each in named.unsafe_chats] == [meeting]
    happened(server, ended(meeting, c, d, seconds=3))
    found = find_decision(server, answer.decision_id)
    assert MARK.lower() not in str(found).lower()

    wrong = pair(a, person("b", f"region: '{MARK}'"), request_id=marked("request"))
    calls: tuple[tuple[Callable[..., Any], Any], ...] = (
        (server.pair_risk.ScorePair, wrong),
        (server.pair_risk.ScorePair, pair(marked("c"), marked("d"), request_id=marked("request"))),
        (server.pair_risk.GetDecision, GetDecisionRequest(decision_id=marked("!"))),
        (server.feedback.RecordEvents, RecordEventsRequest()),
        (server.age_assurance.RecordAgeEvidence, RecordAgeEvidenceRequest()),
    )
    for call, refused in calls:
        with pytest.raises(grpc.RpcError):
            call(refused, timeout=TIMEOUT_SECONDS)
    odd = Event(event_id=marked("odd"), chat_id=MARK * 50)
    text_format.Merge(f"hold_placed {{ reason_code: '{MARK} said so' }}", odd)
    assert statuses(record(server, odd)) == ["REFUSED"]
    erase(server, marked("b"), marked("b-phone"))


FORMS = {
    "as it is": MARK.lower().encode(),
    "hexadecimal": MARK.encode().hex().encode(),
    "base64": base64.b64encode(MARK.encode())[:8].lower(),
}


def places(content: bytes) -> list[str]:
    """Return in which forms the mark stands somewhere."""
    return [name for name, form in FORMS.items() if form in content.lower()]


@pytest.fixture(params=["sqlite", "redis"])
def kept_in(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str | None, Path]]:
    """The name of a store, and a further directory in which it keeps files."""
    if request.param == "sqlite":
        yield None, tmp_path
    else:
        with running_redis() as server:
            yield server.url, server.directory


def test_no_word_of_a_caller_is_kept(
    bundle: Path, tmp_path: Path, kept_in: tuple[str | None, Path]
) -> None:
    store, directory = kept_in
    with serving(bundle, tmp_path, policy=lenient_policy(), store=store) as server:
        live(server)
        import_decisions(server)
        decide(server, pair(person("left"), person("waiting")))
        assert until(lambda: len(server.log_lines()) > 20)
        # Once while it serves, when logs and segments are there, and once when all is put away.
        assert_nowhere(tmp_path, directory)
        assert not places(server.metrics_text().encode())
    assert not places(server.log.getvalue().encode())
    assert_nowhere(tmp_path, directory)


def assert_nowhere(*directories: Path) -> None:
    files = {file for each in directories for file in each.rglob("*") if file.is_file()}
    assert any(file.stat().st_size > 10_000 for file in files)
    found = {file.name: at for file in files if (at := places(file.read_bytes()))}
    assert not found
    names = {file.name: at for file in files if (at := places(file.name.encode()))}
    assert not names


def test_the_search_finds_what_is_there(tmp_path: Path) -> None:
    for name, form in FORMS.items():
        assert name in places(b"..." + form.upper() + b"...") or name == "base64"
    assert places(base64.b64encode(MARK.encode())) == ["base64"]
