"""A recorded participant is read as the service reads what is sent."""

from __future__ import annotations

from dataclasses import fields
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pairguard.age.evidence import AgeEvidence, VerifiedAge
from pairguard.risk.participant import Participant
from pairguard.server.evidence_conversion import EvidenceReader
from pairguard.server.request_conversion import read_participant
from pairguard.server.violations import Violations
from pairguard.v1 import journal_pb2, participant_pb2
from pairguard_training.replaying.record_inputs import (
    RecordUnreadable,
    evidence_of,
    participant_of,
)
from tests.domain import NOW, captured_items

_PREFIXES = {
    "Binding": "BINDING_",
    "CheckMethod": "CHECK_METHOD_",
    "CheckResult": "CHECK_RESULT_",
    "Liveness": "LIVENESS_",
    "Platform": "PLATFORM_",
    "PlatformAssurance": "PLATFORM_ASSURANCE_",
    "VerificationMethod": "VERIFICATION_METHOD_",
}


def message_of(item: AgeEvidence) -> participant_pb2.AgeEvidence:
    """Return an item in the contract's words."""
    message = participant_pb2.AgeEvidence(
        evidence_id=item.evidence_id,
        provider=item.provider,
        binding=participant_pb2.Binding.Value(f"BINDING_{item.binding}"),
    )
    observation: Any = getattr(message, item.kind)
    observation.SetInParent()
    for field in fields(item.observation):
        _put(observation, field.name, getattr(item.observation, field.name))
    _put(message, "observed_time", item.observed_time)
    _put(message, "expire_time", item.expire_time)
    return message


def _put(message: Any, name: str, value: Any) -> None:
    if value is None:
        return
    prefix = _PREFIXES.get(type(value).__name__)
    if prefix is not None:
        setattr(message, name, f"{prefix}{value}")
    elif name.endswith("_time"):
        getattr(message, name).FromDatetime(datetime.fromtimestamp(value, UTC))
    else:
        setattr(message, name, value)


@given(item=captured_items)
@settings(max_examples=300, deadline=None)
def test_evidence_is_read_as_the_service_reads_it(item: AgeEvidence) -> None:
    message = message_of(item)
    violations = Violations()

    read = EvidenceReader("", NOW, violations).read_item(message)

    if not len(violations):
        assert evidence_of(message) == read


@given(
    items=st.lists(captured_items, max_size=4),
    signals=st.dictionaries(st.sampled_from(["vpn", "account_age_days"]), st.floats(0, 9)),
    region=st.sampled_from(["", "GB", "US-TX"]),
)
@settings(max_examples=50, deadline=None)
def test_a_participant_is_read_as_the_service_reads_it(
    items: list[AgeEvidence], signals: dict[str, float], region: str
) -> None:
    message = participant_pb2.Participant(
        participant_id="0a",
        linked_ids=["0b"],
        age_evidence=[message_of(each) for each in items],
        signals=signals,
        attributes={"client_os": "ios"},
        interests=["gaming"],
        region=region,
        language="pt-BR",
        entry_path="app",
    )
    violations = Violations()
    read = read_participant(message, "p", now=NOW, violations=violations)
    message.signals["history.known_days"] = 3.0

    recorded = participant_of(journal_pb2.ParticipantRecord(participant=message))

    if not len(violations):
        assert recorded == Participant(
            **{field.name: getattr(read, field.name) for field in fields(read)}
            | {"history": {"history.known_days": 3.0}}
        )


def test_what_was_told_of_somebody_linked_stays_so() -> None:
    record = journal_pb2.ParticipantRecord()
    record.participant.participant_id = "0a"
    for evidence_id in ("aa", "bb", "aa"):
        item = record.participant.age_evidence.add(evidence_id=evidence_id)
        item.self_declared.age_years = 30.0
    record.linked_evidence_ids.append("aa")

    read = participant_of(record).age_evidence

    # Which of two of one id is the linked one is not recorded: both restrict.
    assert [each.of_linked for each in read] == [True, False, True]


@pytest.mark.parametrize("text", ["binding", "liveness", "kind"])
def test_what_this_version_does_not_know_is_left_out(text: str) -> None:
    message = participant_pb2.AgeEvidence()
    message.verified_age.age_years = 30.0
    message.verified_age.method = participant_pb2.VERIFICATION_METHOD_MODERATOR
    assert isinstance(evidence_of(message).observation, VerifiedAge)
    unknown: Any = 99
    if text == "binding":
        message.binding = unknown
    elif text == "liveness":
        message.verified_age.liveness = unknown
    else:
        message.ClearField("verified_age")

    with pytest.raises(RecordUnreadable):
        evidence_of(message)
