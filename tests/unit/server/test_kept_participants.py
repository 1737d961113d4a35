"""What is kept is put beside what was sent, and takes nothing of it away."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import MISSING, fields
from typing import cast

from pairguard.history.changes import Blocked, ChatStarted, EvidenceKept
from pairguard.policy.state import NOTHING_KEPT, NOTHING_KEPT_OF_CHATS
from pairguard.risk.participant import Participant
from pairguard.server.kept_participants import KeptParticipants
from pairguard.server.recent_decisions import RecentDecisions
from pairguard.store.identity import IdentityKey, IdentityKeys
from pairguard.store.ports import KeptParticipant, ParticipantStore
from pairguard.v1.participant_pb2 import AgeEvidence
from tests.domain import NOW, verified
from tests.history_changes import row_of

KEYS = IdentityKeys([IdentityKey(b"k" * 32)])
SENT = Participant(
    participant_id="a",
    linked_ids=("device",),
    age_evidence=(verified(30),),
    signals={"vpn": 0.0},
    attributes={"client_os": "ios"},
    interests=("music",),
    region="GB",
    language="en",
    entry_path="random_video",
)
OTHER = Participant("b")


class RowsOfOne:
    """A store with rows of one id."""

    keys = KEYS

    def __init__(self, raw_id: str, *rows: bytes) -> None:
        self._id = KEYS.hash(raw_id)
        self._kept = KeptParticipant(rows)

    def read(
        self,
        participants: Sequence[Sequence[bytes]],
        *,
        now: float,  # noqa: ARG002 - rows tell their own times
    ) -> tuple[KeptParticipant, ...]:
        return tuple(self._kept if self._id in ids else KeptParticipant() for ids in participants)


def kept_of(raw_id: str, *rows: bytes) -> KeptParticipants:
    return KeptParticipants(cast("ParticipantStore", RowsOfOne(raw_id, *rows)), RecentDecisions())


def chat_with(raw_id: str, time: float) -> ChatStarted:
    return ChatStarted(time, "c" * 32, (KEYS.hash(raw_id),), "", b"")


def test_all_that_was_sent_stays_beside_what_is_kept() -> None:
    item = AgeEvidence(evidence_id="e" * 32)
    item.self_declared.age_years = 20
    told = EvidenceKept(NOW - 60, b"e" * 16, b"c" * 8, item.SerializeToString(), own=True)
    kept = kept_of("a", row_of([told, chat_with("c", NOW - 60)]))

    known = kept.read_pair(SENT, OTHER, NOW).a

    for field in fields(Participant):
        sent, now_known = getattr(SENT, field.name), getattr(known.participant, field.name)
        if field.name == "history":
            assert now_known == known.summary.signals
            assert now_known
        elif field.name == "age_evidence":
            assert now_known[: len(sent)] == sent
            assert len(now_known) == 2
        else:
            assert now_known == sent
            assert sent not in (field.default, "", ())
            assert field.default is MISSING or sent


def test_of_whom_nothing_is_kept_the_rules_are_told_the_same_nothing() -> None:
    kept = kept_of("somebody else")

    assert kept.read_pair(SENT, OTHER, NOW).state.a is NOTHING_KEPT
    kept.chats_are_reported = True
    assert kept.read_pair(SENT, OTHER, NOW).state.b is NOTHING_KEPT_OF_CHATS


def test_a_meeting_and_a_block_are_found_from_either_side() -> None:
    met = kept_of("a", row_of([chat_with("b", NOW - 60)]))
    blocked = kept_of("a", row_of([Blocked(NOW - 60, (KEYS.hash("b"),), by_this=False)]))
    stranger = Participant("c")

    for pair in ((SENT, OTHER), (OTHER, SENT)):
        seconds = met.read_pair(*pair, NOW).state.seconds_since_last_met
        assert seconds is not None
        assert 0.0 <= seconds <= 120.0
        assert blocked.read_pair(*pair, NOW).state.personal_block
    for kept in (met, blocked):
        state = kept.read_pair(SENT, stranger, NOW).state
        assert state.seconds_since_last_met is None
        assert not state.personal_block
