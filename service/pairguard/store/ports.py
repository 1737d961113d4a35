"""What a store promises, whatever it is made of.

Owns the values and the protocol that every adapter fulfils; ``tests/contract/store`` holds each
adapter to it. It must not know how anything is kept, nor what a hold does to a decision.

Ids come in as keyed hashes (``pairguard.store.identity``): no adapter ever sees an id. What is kept
of a participant changes only by records of the journal, each applied once to each row it speaks
of, and by holds.

Every method raises ``StoreUnavailable`` when it cannot answer or cannot promise; the caller then
takes the state as unread, never as empty.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from pairguard.history.changes import Change
from pairguard.store.identity import IdentityKeys

_REASON = re.compile(r"[A-Z][A-Z0-9_]{0,63}")


@dataclass(frozen=True, slots=True)
class Hold:
    """A participant meets nobody until the hold ends.

    A hold counts from when it is written, also where a clock that runs behind puts ``start_time``
    into the future: a difference between clocks never frees anybody.

    Attributes:
        reason: UPPER_SNAKE_CASE constant, at most 64 characters, never free text.
        start_time: When it was decided, seconds since 1970 UTC.
        expire_time: When it ends by itself, seconds since 1970 UTC; None: only by a release.

    Raises:
        ValueError: A time is not finite or the reason is not such a constant.
    """

    reason: str
    start_time: float
    expire_time: float | None = None

    def __post_init__(self) -> None:
        """Refuse what no store could compare safely."""
        if _REASON.fullmatch(self.reason) is None:
            raise ValueError("the reason of a hold is an UPPER_SNAKE_CASE constant")
        if not math.isfinite(self.start_time):
            raise ValueError("start_time of a hold must be finite")
        if self.expire_time is not None and not math.isfinite(self.expire_time):
            raise ValueError("expire_time of a hold must be finite, or None for no end")


@dataclass(frozen=True, slots=True)
class HoldChange:
    """What a record does to holds, together with all else that it does.

    Attributes:
        ids: Hashes of the participant.
        hold: The hold that begins; None: holds end.
        ended_reasons: Without ``hold``: the reasons of the holds that end; None: all but the legal.
        unless_upheld: Without ``hold``: nothing ends on an id whose row, with this record in it,
            says that a harm stands upheld, or cannot be read. Whoever made the record read the row
            before it was appended, and another may have been upheld in between.
    """

    ids: tuple[bytes, ...]
    hold: Hold | None = None
    ended_reasons: frozenset[str] | None = None
    unless_upheld: bool = False


LEGAL_HOLD = "LEGAL_HOLD"
"""Reason of a hold that keeps what is known from being erased; it stops no pairing."""


@dataclass(frozen=True, slots=True)
class KeptParticipant:
    """What is kept of one participant.

    Attributes:
        rows: Of those of its ids that have one (``pairguard.history.row``), in no order.
        holds: The distinct active holds on any of its ids that stop pairing, by reason and time;
            legal holds are not among them.
    """

    rows: tuple[bytes, ...] = ()
    holds: tuple[Hold, ...] = ()


class RecordKind(StrEnum):
    """What a record of the journal tells; the values are the fields of ``JournalEntry``."""

    DECISION = "decision"
    EVENT = "event"
    EVIDENCE = "evidence"


@dataclass(frozen=True, slots=True)
class JournalRecord:
    """One record, and what it does to what is kept.

    Attributes:
        kind: What it tells.
        record_id: Decision id, or hash of the event's or the item's id; once for each kind.
        time: When the service received or made it, seconds since 1970.
        payload: The serialized message.
        participants: Hashes of all ids in it, by which it is found again for erasure.
        decision_id: For an event the decision that it follows from; "": none.
        pending: A chat that started and whose decision has yet to be found.
        reconciliation: For the start of a chat, the name of its agreement with a decision; "":
            none yet, or it is none.
        changes: What it changes, by row.
        holds: What it does to holds.
    """

    kind: RecordKind
    record_id: str
    time: float
    payload: bytes
    participants: frozenset[bytes]
    decision_id: str = ""
    pending: bool = False
    reconciliation: str = ""
    changes: Mapping[bytes, tuple[Change, ...]] = field(default_factory=dict)
    holds: tuple[HoldChange, ...] = ()


@dataclass(frozen=True, slots=True)
class KeptRecord:
    """A record as it stands in the journal.

    Attributes:
        cursor: Its place; of two, that of the later record is the greater text.
        kind: What it tells.
        record_id: As in ``JournalRecord``.
        payload: The serialized message, without whoever was erased.
    """

    cursor: str
    kind: RecordKind
    record_id: str
    payload: bytes


@dataclass(frozen=True, slots=True)
class KeptAnswer:
    """An answer that a repeat of its request gets again.

    Attributes:
        request_hash: 16 bytes that tell whether a request is the same.
        response: The serialized answer.
        expire_time: Until when it is repeated, seconds since 1970.
    """

    request_hash: bytes
    response: bytes
    expire_time: float


class ErasureStatus(StrEnum):
    """What became of an erasure; the values are the contract's without their prefix."""

    ERASED = "ERASED"
    NOTHING_KEPT = "NOTHING_KEPT"
    DELAYED_BY_LEGAL_HOLD = "DELAYED_BY_LEGAL_HOLD"


@dataclass(frozen=True, slots=True)
class Erasure:
    """What became of an erasure.

    Attributes:
        status: Whether it was done.
        kept_holds: Holds that stay.
        unlinked_records: Records of the journal that do not lead to the participant any more.
    """

    status: ErasureStatus
    kept_holds: int = 0
    unlinked_records: int = 0


@dataclass(frozen=True, slots=True)
class Retention:
    """How long is kept what, in seconds since it was recorded or, of a row, last seen."""

    decisions_seconds: float
    events_seconds: float
    evidence_seconds: float
    rows_seconds: float


@dataclass(frozen=True, slots=True)
class PurgeReport:
    """What was forgotten."""

    records: Mapping[RecordKind, int]
    rows: int = 0
    holds: int = 0
    answers: int = 0
    erasures: int = 0
    """Erasures that a legal hold had delayed and that are done now."""


@dataclass(frozen=True, slots=True)
class StoreStatistics:
    """How much is kept."""

    records: Mapping[RecordKind, int]
    rows: int
    holds: int
    answers: int
    pending_chats: int
    reconciliations: Mapping[str, int]
    delayed_erasures: int
    bytes: int


class ParticipantStore(Protocol):
    """State of participants, the journal, holds and answers; safe for threads and processes.

    A row, a hold and a record belong to each id that they were written for: whoever comes back with
    one of them is recognised. ``pairguard.store.records`` makes records from messages.
    """

    @property
    def keys(self) -> IdentityKeys:
        """The keys that ids are hashed with."""

    def read(
        self, participants: Sequence[Sequence[bytes]], *, now: float
    ) -> tuple[KeptParticipant, ...]:
        """Return what is kept of each participant, in one trip for all of them.

        Args:
            participants: For each participant the hashes of all of its ids under all keys.
            now: Seconds since 1970; a hold is active while ``now`` is before its expiry.
        """

    def write_hold(self, ids: Sequence[bytes], hold: Hold) -> None:
        """Put a hold on all of these ids at once; it survives a power cut when this returns.

        A hold of the same reason that is still active is extended and never shortened: the later
        expiry stays, and no expiry is the latest of all.
        """

    def release_holds(
        self, ids: Sequence[bytes], *, now: float, reasons: frozenset[str] | None
    ) -> int:
        """End the active holds on these ids; durable when this returns.

        Args:
            ids: The ids that are freed; a hold on another id of the same person stays.
            now: Seconds since 1970, from which the holds are no longer active.
            reasons: Only holds of these reasons end, so that a passed age check frees nobody whom
                a reviewer holds; None: all of them but legal ones.

        Returns:
            How many holds ended, counted for each id.
        """

    def append(self, records: Sequence[JournalRecord]) -> tuple[bool, ...]:
        """Keep records and apply them, each once by kind and id; durable when this returns.

        All or nothing where the technology has transactions; otherwise an error leaves some of
        them done, and sending all of them again completes them without counting anything twice.

        Returns:
            For each record, in order, whether it is new; a repeated one changes nothing.
        """

    def keep_answer(self, key: bytes, answer: KeptAnswer, *, now: float) -> KeptAnswer:
        """Keep the answer to a request unless one that has not expired is kept already.

        It survives the end of this process when this returns.

        Returns:
            The answer that is kept: this one or the earlier.
        """

    def find_answer(self, key: bytes, *, now: float) -> KeptAnswer | None:
        """Return the kept answer to a request; None: there is none or it has expired."""

    def find_record(self, kind: RecordKind, record_id: str) -> KeptRecord | None:
        """Return one record; None: it is not kept, or not any more."""

    def find_records(self, kind: RecordKind, record_ids: Sequence[str]) -> Mapping[str, KeptRecord]:
        """Return those of these records that are kept, by their ids, in one trip."""

    def events_of(self, decision_id: str) -> tuple[KeptRecord, ...]:
        """Return the events that name a decision, the oldest first, at most 1,000."""

    def read_journal(
        self, after: str, limit: int, *, kinds: frozenset[RecordKind] | None = None
    ) -> tuple[KeptRecord, ...]:
        """Return the next records after a cursor, in the journal's order; "": from the first."""

    def exported_to(self, consumer: str) -> str:
        """Return the cursor that a consumer has confirmed; "": none."""

    def confirm_export(self, consumer: str, cursor: str) -> None:
        """Remember durably how far a consumer has come; never goes back."""

    def pending_chats(self, before: float, limit: int) -> tuple[KeptRecord, ...]:
        """Return starts of chats recorded before a time whose decision has yet to be found."""

    def reconcile(self, record_id: str, payload: bytes, reconciliation: str) -> None:
        """Put the agreement of a started chat with its decision in place of "not yet"."""

    def reconciled(self, reconciliation: str, limit: int) -> tuple[KeptRecord, ...]:
        """Return the latest starts of chats with this agreement, the latest first."""

    def erase(self, ids: Sequence[bytes], *, now: float) -> Erasure:
        """Remove what is kept under these ids and unlink the journal; durable when this returns.

        Holds stay. A legal hold on any of the ids delays it until the hold ends; it is done by
        ``purge``. Records of before ``now`` that arrive later are kept unlinked.
        """

    def imported_end(self, segment: str) -> int:
        """Return up to which byte a segment of local decisions has been imported; 0: none of it."""

    def import_records(
        self, segment: str, start: int, end: int, records: Sequence[JournalRecord]
    ) -> None:
        """Append the records between two bytes of a segment and remember the end, together.

        Does nothing where the segment has been imported beyond ``start``.
        """

    def forget_segment(self, segment: str) -> None:
        """Forget a segment, which is gone."""

    def purge(self, *, now: float, retention: Retention) -> PurgeReport:
        """Forget what is past its time and do erasures that nothing delays any more."""

    def statistics(self) -> StoreStatistics:
        """Count what is kept; may take seconds."""

    def check(self) -> None:
        """Return when the store can be read and written at this moment, for readiness."""

    def promises_durability(self) -> bool:
        """Return whether what was appended survives a power cut of the store."""

    def close(self) -> None:
        """Give up all connections; every later call raises ``StoreUnavailable``.

        No other call may be under way.
        """
