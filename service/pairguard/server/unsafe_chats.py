"""Chats that go on although their two would not be paired any more.

Owns how a chat that was safe is judged again: by what its decision was made on and what is kept by
now, and by ages alone. It must not know why it is asked, nor how chats are told of.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from pairguard.age.admission import Admission
from pairguard.age.evidence import AgeEvidence
from pairguard.errors import StoreUnavailable
from pairguard.history.summary import OpenChat
from pairguard.policy.decision import DecisionKind
from pairguard.policy.reasons import ReasonCode
from pairguard.policy.state import StoredState
from pairguard.risk.participant import Participant
from pairguard.server.evidence_conversion import EvidenceReader
from pairguard.server.generation import Generation
from pairguard.server.journal_reading import FindDecisions
from pairguard.server.kept_evidence import evidence_of
from pairguard.server.kept_participants import KnownParticipant, open_chats_of, summary_of
from pairguard.server.request_conversion import read_participant
from pairguard.server.violations import Violations
from pairguard.store.ports import ParticipantStore
from pairguard.store.record_fields import ids_of
from pairguard.v1 import journal_pb2, participant_pb2

# What makes a chat that goes on unsafe. Budgets, reports and scores stop the next pair, not this.
_UNSAFE: Final = frozenset(
    {
        ReasonCode.BELOW_MINIMUM_AGE,
        ReasonCode.AGE_EVIDENCE_CONFLICT,
        ReasonCode.AGE_UNKNOWN,
        ReasonCode.LIKELY_MINOR,
        ReasonCode.POOLS_DIFFER,
        ReasonCode.MINORS_NOT_PAIRED,
        ReasonCode.AGE_GAP_TOO_WIDE,
        ReasonCode.MINOR_ADULT_RISK,
    }
)


class UnsafeChats:
    """Finds them.

    Args:
        store: What is kept of partners.
        find_decisions: Looks up what chats started from.
    """

    def __init__(self, store: ParticipantStore, find_decisions: FindDecisions) -> None:
        self._store = store
        self._find_decisions = find_decisions

    def of(self, known: KnownParticipant, generation: Generation, now: float) -> list[OpenChat]:
        """Return the open chats of a participant that must end.

        Args:
            known: The participant with what is kept by now.
            generation: What judges.
            now: Seconds since 1970.

        Raises:
            StoreUnavailable: It cannot be told.
        """
        chats = open_chats_of(known.rows, now)
        if not chats:
            return []
        decisions = self._find_decisions(sorted({c.decision_id for c in chats if c.decision_id}))
        return [
            chat
            for chat in chats
            if self._is_unsafe(known, chat, decisions.get(chat.decision_id), generation, now)
        ]

    def _is_unsafe(
        self,
        known: KnownParticipant,
        chat: OpenChat,
        decision: journal_pb2.DecisionRecord | None,
        generation: Generation,
        now: float,
    ) -> bool:
        """Return whether the two would not be paired any more, for what their ages are now."""
        partner_evidence = self._evidence_of_partner(chat, now)
        this, other = (
            known.participant,
            Participant(
                chat.partner[0].hex() if chat.partner else "erased", age_evidence=partner_evidence
            ),
        )
        sides = _as_decided(decision, known.ids, chat.partner)
        if sides is not None:
            this = _as_used(sides[0].participant, known.participant.age_evidence, now)
            other = _as_used(sides[1].participant, partner_evidence, now)
        judgement = generation.judge.judge_pair(this, other, now=now, state=StoredState())
        if judgement.decision.kind is DecisionKind.ALLOW:
            return False
        pools = (judgement.decision.admission_a, judgement.decision.admission_b)
        if pools == (Admission.ADULTS, Admission.ADULTS):
            return False
        return not _UNSAFE.isdisjoint(reason.code for reason in judgement.decision.reasons)

    def _evidence_of_partner(self, chat: OpenChat, now: float) -> tuple[AgeEvidence, ...]:
        try:
            (kept,) = self._store.read([chat.partner], now=now)
            items = summary_of(kept.rows, now).evidence
            return tuple(evidence_of(item) for item in items)
        except StoreUnavailable:
            # Damaged: the chat is judged all the same, without what could speak for it.
            return ()


def _as_decided(
    decision: journal_pb2.DecisionRecord | None, ids: Sequence[bytes], partner: Sequence[bytes]
) -> tuple[journal_pb2.ParticipantRecord, journal_pb2.ParticipantRecord] | None:
    """Return a participant and its partner as a decision used them; None: it did not."""
    if decision is None:
        return None
    if decision.WhichOneof("subject") == "pair":
        a, b = decision.pair.participant_a, decision.pair.participant_b
        if not set(ids).isdisjoint(ids_of(b.participant)):
            a, b = b, a
        return None if set(ids).isdisjoint(ids_of(a.participant)) else (a, b)
    seeker = decision.ranking.seeker
    for candidate in decision.ranking.candidates:
        for this, other in (
            (seeker, candidate.participant),
            (candidate.participant, seeker),
        ):
            is_this = not set(ids).isdisjoint(ids_of(this.participant))
            if is_this and not set(partner).isdisjoint(ids_of(other.participant)):
                return this, other
    return None


def _as_used(
    message: participant_pb2.Participant, kept: Sequence[AgeEvidence], now: float
) -> Participant:
    """Return a participant of a record with the evidence that is kept by now."""
    recorded = participant_pb2.Participant()
    recorded.CopyFrom(message)
    # What the service counted stands beside what was sent; only that was judged as sent.
    for name in [name for name in recorded.signals if name.startswith("history.")]:
        del recorded.signals[name]
    if not recorded.participant_id:
        recorded.participant_id = "erased"
    # Together there may be more than one request may send.
    evidence = EvidenceReader("", now, Violations()).read(recorded.age_evidence)
    recorded.ClearField("age_evidence")
    used = read_participant(recorded, "participant", now=now, violations=Violations())
    # What stands in both is the same item, and counts once.
    return replace(used, age_evidence=evidence + tuple(kept))
