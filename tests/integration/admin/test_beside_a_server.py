"""The command beside a server that is serving."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pairguard.v1.assessment_pb2 import DECISION_ALLOW
from pairguard.v1.feedback_service_pb2 import RecordEventsRequest
from tests.integration.admin.deployment import Deployment
from tests.integration.server.running_server import (
    TIMEOUT_SECONDS,
    Running,
    lenient_policy,
    serving,
    until,
)
from tests.unit.bundle.example import example
from tests.unit.server.requests import ADULT, pair_request


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Running]:
    example().write(tmp_path / "bundle")
    with serving(
        tmp_path / "bundle", tmp_path, policy=lenient_policy(), clock=time.time
    ) as running:
        yield running


def test_what_a_server_decided_is_shown_verified_and_copied(
    server: Running, deployment: Deployment, tmp_path: Path
) -> None:
    allowed = [
        server.pair_risk.ScorePair(pair_request(ADULT, ADULT), timeout=TIMEOUT_SECONDS).assessment
        for _ in range(5)
    ]
    assert {each.decision for each in allowed} == {DECISION_ALLOW}
    events = RecordEventsRequest()
    for name, decision in (("with", allowed[0].decision_id), ("without", "")):
        for kind in ("chat_started", "chat_ended"):
            event = events.events.add(event_id=f"{kind} {name}", chat_id=name, decision_id=decision)
            content = getattr(event, kind)
            content.participant_a.participant_id = "a"
            content.participant_b.participant_id = "b"
    server.feedback.RecordEvents(events, timeout=TIMEOUT_SECONDS)

    def is_imported() -> bool:
        (figures,) = deployment.run("journal", "stats", "--json").documents
        return bool(figures["records"]["decision"] == 5)

    assert until(is_imported)
    shown = deployment.process("journal", "decision", allowed[0].decision_id, "--json")
    assert shown.code == 0, shown.err
    followed = [each["event"] for each in shown.documents[1:]]
    assert followed[0]["reconciliation"] == "RECONCILIATION_AS_DECIDED", followed
    (bypass,) = deployment.process("journal", "unreconciled", "--json").documents
    assert bypass["event"]["reconciliation"] == "RECONCILIATION_WITHOUT_DECISION"

    verified = deployment.process("journal", "verify")
    assert verified.code == 0, verified.out
    copy = tmp_path / "copy.sqlite3"
    assert deployment.process("journal", "backup", str(copy)).code == 0
    refused = deployment.process("journal", "restore", str(copy), "--force")
    assert refused.code == 2
    assert "in use" in refused.err
    again = server.pair_risk.ScorePair(pair_request(ADULT, ADULT), timeout=TIMEOUT_SECONDS)
    assert "STORE_UNAVAILABLE" not in again.assessment.degradations
