"""Evidence on its way: as a client's value, as bytes, as the service reads it."""

from collections.abc import Sequence
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from typing import Any

from pairguard.age import evidence as domain
from pairguard.client import AgeEvidence, ParticipantInput, View
from pairguard.client.request_messages import assess_age_request
from pairguard.server.evidence_conversion import EvidenceReader
from pairguard.server.violations import Violations
from pairguard.v1.age_assurance_service_pb2 import AssessAgeRequest

OBSERVED = datetime(2026, 3, 15, 12, 0, tzinfo=UTC)
READ = OBSERVED + timedelta(days=1)


def received(items: Sequence[AgeEvidence]) -> tuple[domain.AgeEvidence, ...]:
    """Return what the service reads of these items; raises if it would refuse one."""
    sent = assess_age_request(ParticipantInput("a", items), view=View.BASIC).SerializeToString()
    violations = Violations()
    reader = EvidenceReader("participant", READ.timestamp(), violations)
    read = reader.read(AssessAgeRequest.FromString(sent).participant.age_evidence)
    violations.refuse_if_any()
    return read


def assert_arrives(items: Sequence[AgeEvidence]) -> None:
    """Assert that the service reads just what the client says."""
    read = received(items)
    assert len(read) == len(items)
    for said, heard in zip(items, read, strict=True):
        for field in fields(said):
            if field.name != "observation":
                assert _heard(getattr(heard, field.name)) == _said(getattr(said, field.name))
        assert type(heard.observation).__name__ == type(said.observation).__name__
        for field in fields(said.observation):
            assert _heard(getattr(heard.observation, field.name)) == _said(
                getattr(said.observation, field.name)
            )


def _said(value: Any) -> Any:
    return value.timestamp() if isinstance(value, datetime) else value


def _heard(value: Any) -> Any:
    return None if value == "UNSPECIFIED" else value
