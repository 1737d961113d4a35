"""What the store has kept of participants, put beside what a caller sent of them.

Owns how the two become one participant, and what the rules are told of the rest: holds, blocks,
past meetings, what was counted. What cannot be read is told as unread. Ids are hashed here.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import inf
from typing import Final, NamedTuple

from pairguard.errors import StoreUnavailable
from pairguard.history.kept_evidence import KeptItem
from pairguard.history.summary import (
    NOTHING_KEPT,
    OpenChat,
    Summary,
    blocks,
    last_met,
    may_block,
    may_have_met,
    open_chats,
    summarise,
)
from pairguard.policy.state import NOTHING_KEPT as NOTHING_KEPT_STATE
from pairguard.policy.state import NOTHING_KEPT_OF_CHATS, KeptState, StoredState
from pairguard.risk.participant import Participant
from pairguard.server.kept_evidence import with_kept
from pairguard.server.recent_decisions import Amounts, RecentDecisions
from pairguard.store.identity import HASH_BYTES, IdentityKeys
from pairguard.store.ports import Hold, KeptParticipant, ParticipantStore

_MINUTE: Final = 60.0
_NOBODY: Final = (bytes(HASH_BYTES),)
_MOST_READS: Final = 64
"""Trips to find those few of many participants whose rows are damaged."""
_CACHED: Final = 4_096
_DRAW: Final = "exploration:"


@dataclass(frozen=True, slots=True)
class KnownParticipant:
    """A participant with all that is known.

    Attributes:
        participant: As sent, with the evidence and the history that were kept.
        ids: Hashes of its ids under the current key, its own first; empty: there is no key.
        holds: Its active holds.
        rows: What else is kept.
        summary: What the rows say.
        kept_evidence: The evidence that was kept and not sent, as it is kept.
    """

    participant: Participant
    ids: tuple[bytes, ...] = ()
    holds: tuple[Hold, ...] = ()
    rows: tuple[bytes, ...] = ()
    summary: Summary = NOTHING_KEPT
    kept_evidence: tuple[KeptItem, ...] = ()


@dataclass(frozen=True, slots=True)
class KnownPair:
    """Two participants with all that is known, and what is between them."""

    a: KnownParticipant
    b: KnownParticipant
    state: StoredState


@dataclass(frozen=True, slots=True)
class ReadParticipant:
    """A participant as it was read, or could not be.

    Attributes:
        known: All that is known.
        all_ids: Hashes of its ids under all keys.
        recent: What this process decided and the store does not count yet.
    """

    known: KnownParticipant
    all_ids: tuple[bytes, ...]
    recent: Amounts | None


class Fetched(NamedTuple):
    """What was found of a participant, as it is kept.

    Attributes:
        recent: What this process decided and the store does not count yet.
        kept: Its rows and holds; None: they cannot be read.
    """

    recent: Amounts | None
    kept: KeptParticipant | None


class KeptParticipants:
    """Reads what is kept.

    Args:
        store: Where it is kept.
        recent: What this process has decided and the store does not count yet.
    """

    def __init__(self, store: ParticipantStore, recent: RecentDecisions) -> None:
        self._store = store
        self._recent = recent
        self._keys: IdentityKeys | None = None
        self.chats_are_reported = False
        """Whether anybody's chats were reported lately, so that none means none."""

    @property
    def keys(self) -> IdentityKeys:
        """The keys of the store, once read kept for as long as this process lives.

        Raises:
            StoreUnavailable: They were never read.
        """
        keys = self._keys
        if keys is None:
            keys = self._keys = self._store.keys
        return keys

    def draw(self, decision_id: str) -> float | None:
        """Return a number in [0, 1) drawn for a decision; None: there is no key to draw it with.

        Nobody without the key can foresee it, whoever has it can draw it again.
        """
        try:
            drawn = self.keys.hash(_DRAW + decision_id)
        except StoreUnavailable:
            return None
        # 53 bits are what a number between 0 and 1 holds.
        return (int.from_bytes(drawn[:8]) >> 11) * 2.0**-53

    def read_pair(self, a: Participant, b: Participant, now: float) -> KnownPair:
        """Return two participants with what is kept; where that cannot be read, the state says so.

        Args:
            a: One participant as sent.
            b: The other.
            now: Seconds since 1970.
        """
        # Once for both: it may change meanwhile.
        chats_counted = self.chats_are_reported
        try:
            read_a, read_b = self._read((a, b), now)
            personal_block, seconds_since_last_met = between(read_a, read_b, now)
            state = StoredState(
                a=self.state(read_a, chats_counted=chats_counted),
                b=self.state(read_b, chats_counted=chats_counted),
                personal_block=personal_block,
                seconds_since_last_met=seconds_since_last_met,
            )
        except StoreUnavailable:
            unread_a, unread_b = self.unread(a), self.unread(b)
            state = StoredState(
                readable=False,
                a=self.state(unread_a, chats_counted=chats_counted),
                b=self.state(unread_b, chats_counted=chats_counted),
            )
            return KnownPair(unread_a.known, unread_b.known, state)
        return KnownPair(read_a.known, read_b.known, state)

    def fetch_each(self, ids: Sequence[tuple[bytes, ...]], now: float) -> list[Fetched]:
        """Return what is kept of many participants, in one trip.

        Where some cannot be read because what is kept of them is damaged, the others are read in
        halves, within a bounded number of trips.

        Args:
            ids: Hashes of the ids of each, under all keys.
            now: Seconds since 1970.
        """
        # Before the store: what is imported between the two counts twice then, and never not.
        recent = [self._recent.of(each) for each in ids]
        return [*map(Fetched, recent, self._kept_of_each(ids, now))]

    def put_together(
        self,
        participant: Participant,
        ids: Sequence[str],
        all_ids: tuple[bytes, ...],
        fetched: Fetched,
        now: float,
    ) -> ReadParticipant | None:
        """Return a participant with what was fetched; None: that cannot be read.

        Args:
            participant: As sent; its ids are not looked at.
            ids: They.
            all_ids: Hashes of them under all keys.
            fetched: What is kept.
            now: Seconds since 1970.
        """
        if fetched.kept is None:
            return None
        recent, own = fetched.recent, all_ids[: len(ids)]
        try:
            return _put_together(
                participant, own, all_ids, recent, fetched.kept, keys=self.keys, now=now
            )
        except StoreUnavailable:
            return None

    def _kept_of_each(
        self, hashed: Sequence[Sequence[bytes]], now: float
    ) -> Sequence[KeptParticipant | None]:
        try:
            return self._store.read(hashed, now=now)
        except StoreUnavailable:
            pass
        found: list[KeptParticipant | None] = [None] * len(hashed)
        try:
            # If it can read what nobody has, what is kept of somebody is damaged.
            self._store.read([_NOBODY], now=now)
        except StoreUnavailable:
            return found
        parts = deque([(0, len(hashed) // 2), (len(hashed) // 2, len(hashed))])
        for _ in range(_MOST_READS):
            if not parts:
                break
            start, end = parts.popleft()
            try:
                found[start:end] = self._store.read(hashed[start:end], now=now)
            except StoreUnavailable:
                if end - start > 1:
                    middle = (start + end) // 2
                    parts += [(start, middle), (middle, end)]
        return found

    def read_one(self, participant: Participant, now: float) -> KnownParticipant:
        """Return one participant with what is kept.

        Raises:
            StoreUnavailable: It cannot be read.
        """
        (read,) = self._read((participant,), now)
        return read.known

    def _read(self, participants: Sequence[Participant], now: float) -> list[ReadParticipant]:
        keys = self.keys
        raw = [(each.participant_id, *each.linked_ids) for each in participants]
        hashed = [keys.hashes(ids) for ids in raw]
        # Before the store: what is imported between the two counts twice then, and never not.
        recent = [self._recent.of(ids) for ids in hashed]
        return [
            _put_together(
                participant, all_ids[: len(ids)], all_ids, amounts, kept, keys=keys, now=now
            )
            for participant, ids, all_ids, amounts, kept in zip(
                participants, raw, hashed, recent, self._store.read(hashed, now=now), strict=True
            )
        ]

    def unread(self, participant: Participant) -> ReadParticipant:
        """Return a participant of whom nothing is known but what this process decided."""
        keys = self._keys
        ids = (participant.participant_id, *participant.linked_ids)
        hashed = () if keys is None else keys.hashes(ids)
        known = KnownParticipant(participant, hashed[: len(ids)])
        return ReadParticipant(known, hashed, self._recent.of(hashed))

    @staticmethod
    def state(read: ReadParticipant, *, chats_counted: bool) -> KeptState:
        """Return what the rules are told of one participant.

        Args:
            read: All that is known.
            chats_counted: ``chats_are_reported``, as it was read once for all who are judged.
        """
        summary, holds = read.known.summary, read.known.holds
        recent = read.recent
        if recent is None and summary is NOTHING_KEPT and not holds:
            return NOTHING_KEPT_OF_CHATS if chats_counted else NOTHING_KEPT_STATE
        decisions, allowed = summary.decisions_24h, summary.allowed_24h
        refused, exposure = summary.refused_24h, summary.exposure_24h
        partner_minor = (summary.partner_minor_mean_24h or 0.0) * decisions
        if recent is not None:
            decisions += recent.decisions
            allowed += recent.allowed
            refused += recent.refused
            exposure += recent.exposure
            partner_minor += recent.partner_minor
        return KeptState(
            held_for=tuple(hold.reason for hold in holds),
            chats_counted=chats_counted,
            decisions_24h=decisions,
            allowed_24h=allowed,
            reroutes_24h=max(refused, 0.0),
            exposure_24h=exposure,
            chats_started_24h=summary.chats_started_24h,
            partner_minor_mean_24h=min(partner_minor / decisions, 1.0) if decisions else None,
            reporters_30d=summary.reporters_30d,
            partners_30d=summary.partners_30d,
            upheld_harm=summary.upheld_harm,
        )


def between(a: ReadParticipant, b: ReadParticipant, now: float) -> tuple[bool, float | None]:
    """Return whether one of two blocked the other, and the seconds since they met, None: never."""
    met, blocked = -inf, False
    rows_a, rows_b = a.known.rows, b.known.rows
    # Rows are whole here: what is nowhere in them need not be looked for part by part.
    if may_have_met(rows_a, b.all_ids) or may_have_met(rows_b, a.all_ids):
        met = max(last_met(rows_a, b.all_ids) or -inf, last_met(rows_b, a.all_ids) or -inf)
    if may_block(rows_a) or may_block(rows_b):
        blocked = blocks(rows_a, b.all_ids) or blocks(rows_b, a.all_ids)
    # A meeting that lies in the future, by a clock that went back, was just now.
    return blocked, max(now - met, 0.0) if met > -inf else None


def _put_together(
    participant: Participant,
    ids: tuple[bytes, ...],
    all_ids: tuple[bytes, ...],
    recent: Amounts | None,
    kept: KeptParticipant,
    *,
    keys: IdentityKeys,
    now: float,
) -> ReadParticipant:
    """Return a participant with what is kept.

    Raises:
        StoreUnavailable: That is damaged.
    """
    summary = summary_of(kept.rows, now)
    if summary is NOTHING_KEPT:
        return ReadParticipant(KnownParticipant(participant, ids, kept.holds), all_ids, recent)
    evidence = participant.age_evidence
    items: tuple[KeptItem, ...] = ()
    if summary.evidence:
        evidence, items = with_kept(evidence, summary.evidence, keys)
    if evidence is not participant.age_evidence or summary.signals:
        participant = Participant(
            participant.participant_id,
            participant.linked_ids,
            evidence,
            participant.signals,
            participant.attributes,
            participant.interests,
            participant.region,
            participant.language,
            participant.entry_path,
            summary.signals,
        )
    known = KnownParticipant(participant, ids, kept.holds, kept.rows, summary, items)
    return ReadParticipant(known, all_ids, recent)


def summary_of(rows: tuple[bytes, ...], now: float) -> Summary:
    """Return what rows say, as of the beginning of this minute: windows reach a little further.

    Raises:
        StoreUnavailable: A row is damaged, which is as good as unread.
    """
    return _summary_of_minute(rows, minute_of(now)) if rows else NOTHING_KEPT


def minute_of(now: float) -> int:
    """Return the minute, since 1970, in which a summary says the same at any time."""
    return int(now // _MINUTE)


def open_chats_of(rows: tuple[bytes, ...], now: float) -> tuple[OpenChat, ...]:
    """Return the chats that have started and not ended.

    Raises:
        StoreUnavailable: A row is damaged, which is as good as unread.
    """
    try:
        return open_chats(rows, now)
    except ValueError as error:
        raise StoreUnavailable("what is kept of a participant is damaged") from error


@lru_cache(maxsize=_CACHED)
def _summary_of_minute(rows: tuple[bytes, ...], minute: int) -> Summary:
    try:
        return summarise(rows, minute * _MINUTE)
    except ValueError as error:
        raise StoreUnavailable("what is kept of a participant is damaged") from error
