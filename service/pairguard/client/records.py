"""What a caller reads about what it asked to keep, to erase or to look up.

Owns the values, and the error that carries what was not recorded. It must not know how they came
over the wire, except that the raw messages of a decision's record ride along.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeAlias

from pairguard.client.assessment import Reason
from pairguard.client.events import Event
from pairguard.client.evidence import AgeEvidence
from pairguard.client.failure import CallFailure, ClientError, FieldViolation
from pairguard.client.vocabulary import Decision, ErasureStatus, RecordStatus
from pairguard.v1.journal_pb2 import DecisionRecord, EventRecord


@dataclass(frozen=True, slots=True)
class RecordResult:
    """What became of one item.

    Attributes:
        item_id: The item's own id.
        status: RECORDED; DUPLICATE, which is as good; or REFUSED, which it will be again if it is
            sent as it is.
        reason_code: Why it was refused, an UPPER_SNAKE code of an open set. Empty: it was not.
        field_violations: What is wrong with it, by paths from the item on. Empty: nothing.
    """

    item_id: str
    status: RecordStatus
    reason_code: str = ""
    field_violations: tuple[FieldViolation, ...] = ()

    @property
    def recorded(self) -> bool:
        """Whether the item is kept, by this call or an earlier one."""
        return self.status is not RecordStatus.REFUSED


@dataclass(frozen=True, slots=True)
class UnsafeChat:
    """An open chat that new evidence made unsafe: end it now.

    Attributes:
        chat_id: The caller's id of the chat.
        decision_id: Decision that it started from. Empty: it started without one.
        reason: Why it must end. None: not told; end it all the same.
    """

    chat_id: str
    decision_id: str = ""
    reason: Reason | None = None


@dataclass(frozen=True, slots=True)
class RecordedEvidence:
    """What became of evidence.

    Attributes:
        results: One for each item, in the order given.
        unsafe_chats: Open chats of the participant that must be ended now.
    """

    results: tuple[RecordResult, ...]
    unsafe_chats: tuple[UnsafeChat, ...] = ()


RecordItem: TypeAlias = Event | AgeEvidence
"""What can be recorded."""


class NotRecorded(ClientError):
    """Raised where the service did not answer for every item.

    Whether an unanswered item was recorded is unknown. Send it again under the same id: it counts
    once.

    Attributes:
        unrecorded_events: The events without an answer, in the order given.
        unrecorded_evidence: The items of evidence without an answer, in the order given.
        results: What became of the others, in the order given.
        unsafe_chats: Open chats that must be ended now, as far as the service told.
    """

    def __init__(
        self,
        failure: CallFailure,
        *,
        unrecorded_events: tuple[Event, ...] = (),
        unrecorded_evidence: tuple[AgeEvidence, ...] = (),
        results: tuple[RecordResult, ...] = (),
        unsafe_chats: tuple[UnsafeChat, ...] = (),
    ) -> None:
        super().__init__(failure)
        self.unrecorded_events = unrecorded_events
        self.unrecorded_evidence = unrecorded_evidence
        self.results = results
        self.unsafe_chats = unsafe_chats


@dataclass(frozen=True, slots=True)
class Erasure:
    """What became of an erasure.

    Attributes:
        status: ERASED, NOTHING_KEPT, or DELAYED_BY_LEGAL_HOLD until that hold ends.
        kept_hold_count: Number of holds that stay, as hash, hold and expiry only.
        unlinked_record_count: Number of journal records that were unlinked.
    """

    status: ErasureStatus
    kept_hold_count: int
    unlinked_record_count: int


@dataclass(frozen=True, slots=True)
class RecordedDecision:
    """A decision that was made, for an appeal.

    What a program acts on is here as values. The rest, every input as used among it, is for people
    and audits, and stays as the messages of the contract, so that nothing of a record is lost in a
    client that is older than the service.

    Attributes:
        decision_id: Its id.
        decision_time: When it was made. None: the record does not say.
        decision: What was decided on a pair. None: it ranks candidates, or this client does not
            know the word.
        reasons: Why, the leading reason first. Of a ranking: empty.
        bundle_version: Version of the model bundle.
        policy_version: Version of the policy.
        degradations: What had to be done without.
        record: The record, ids hashed.
        events: Events that name the decision, the oldest first, ids hashed.
    """

    decision_id: str
    decision_time: datetime | None
    decision: Decision | None
    reasons: tuple[Reason, ...]
    bundle_version: str
    policy_version: str
    degradations: tuple[str, ...]
    record: DecisionRecord = field(repr=False)
    events: tuple[EventRecord, ...] = field(default=(), repr=False)
