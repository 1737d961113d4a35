"""The store in Redis 7: the port's calls, each with the connections that fit it.

Owns which call waits how long, the circuit of those that a decision waits for, answers and what was
imported of segments. It must not know how anything else is kept: see the modules beside it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final, TypeVar

from pairguard.errors import StoreUnavailable
from pairguard.store.arguments import require_ids, require_limit, require_records, require_time
from pairguard.store.identity import IdentityKeys
from pairguard.store.ports import (
    LEGAL_HOLD,
    Erasure,
    Hold,
    JournalRecord,
    KeptAnswer,
    KeptParticipant,
    KeptRecord,
    PurgeReport,
    RecordKind,
    Retention,
    StoreStatistics,
)
from pairguard.store.redis.agreement import Agreement
from pairguard.store.redis.answers import Answers
from pairguard.store.redis.application import Application
from pairguard.store.redis.cell_storage import CellStorage, Damaged, Replacement
from pairguard.store.redis.cells import Cell, is_active, with_hold, without_holds
from pairguard.store.redis.circuit import Circuit
from pairguard.store.redis.connections import Connections, command, run
from pairguard.store.redis.durability import promises_durability
from pairguard.store.redis.entries import cursor_of, number_of
from pairguard.store.redis.erasure import Erasures
from pairguard.store.redis.journal import Journal
from pairguard.store.redis.scripts import RAISE_MARK
from pairguard.store.redis.upkeep import Upkeep

_Result = TypeVar("_Result")

_PREFIX = re.compile(r"[A-Za-z0-9_:.-]{1,64}")
_MAX_CONFLICTS: Final = 100
_PROBE_SECONDS: Final = 60
_ENTRIES_PER_READ: Final = 1_000


class RedisStore:
    """The adapter of ``ParticipantStore`` for Redis 7.

    Nothing is opened by the constructor: ``check`` tells whether the store can be used.

    Args:
        url: ``redis://``, ``rediss://`` or ``unix://``; for a cluster ``redis+cluster://`` or
            ``rediss+cluster://`` and any of its nodes.
        key_path: File with the identity keys. It is made at first use where neither it nor the
            store's data is there; further machines are given a copy.
        prefix: Of all keys; two services with one server differ in it.
        connect_timeout_seconds: How long a connection may take that a decision waits for.
        read_timeout_seconds: How long a reading may take that a decision waits for.
        write_timeout_seconds: How long everything else may take, connecting included; a write
            ends when it is on the server's disk.
        max_connections: Of this process to a node, for readings and for all else.
        circuit: Keeps decisions from waiting for a server that does not answer.

    Raises:
        ValueError: The URL or the prefix cannot be used.
    """

    def __init__(
        self,
        url: str,
        key_path: Path,
        *,
        prefix: str = "pg:",
        connect_timeout_seconds: float = 0.02,
        read_timeout_seconds: float = 0.01,
        write_timeout_seconds: float = 1.0,
        max_connections: int = 32,
        circuit: Circuit | None = None,
    ) -> None:
        if _PREFIX.fullmatch(prefix) is None:
            raise ValueError("a prefix of keys is 1 to 64 letters, digits or any of _ : . -")
        cluster = "+cluster://" in url
        plain = url.replace("+cluster://", "://", 1)
        self._reading = Connections(
            plain,
            cluster=cluster,
            connect_timeout_seconds=connect_timeout_seconds,
            timeout_seconds=read_timeout_seconds,
            max_connections=max_connections,
        )
        self._writing = Connections(
            plain,
            cluster=cluster,
            connect_timeout_seconds=write_timeout_seconds,
            timeout_seconds=write_timeout_seconds,
            max_connections=max_connections,
        )
        self._circuit = circuit or Circuit()
        self._answers = Answers(prefix.encode())
        identity = prefix.encode() + b"{journal}:identity"
        self._agreement = Agreement(self._writing, identity, key_path)
        self._journal = Journal(self._agreement, prefix.encode())
        self._storage = CellStorage(self._agreement, prefix.encode())
        self._application = Application(self._journal, self._storage, self._writing)
        self._erasures = Erasures(self._journal, self._storage, self._application, self._writing)
        self._upkeep = Upkeep(
            self._journal,
            self._storage,
            self._application,
            self._erasures,
            connections=self._writing,
            answers=self._answers,
        )

    @property
    def keys(self) -> IdentityKeys:
        """The keys that ids are hashed with; see ``ParticipantStore.keys``."""
        return self._agreement.keys

    @property
    def agreement(self) -> Agreement:
        """What the store and its programs agree on, for those who change it."""
        return self._agreement

    # ---- what a decision waits for ------------------------------------------------------------

    def read(
        self, participants: Sequence[Sequence[bytes]], *, now: float
    ) -> tuple[KeptParticipant, ...]:
        """Return what is kept of each participant; see ``ParticipantStore.read``."""
        require_time(now)
        for ids in participants:
            require_ids(ids)
        if not participants:
            return ()
        named = [each for ids in participants for each in ids]
        cells = self._at_once(lambda: self._storage.read(self._reading, named))
        return tuple(
            _participant([cells[each] for each in dict.fromkeys(ids)], now) for ids in participants
        )

    def write_hold(self, ids: Sequence[bytes], hold: Hold) -> None:
        """Put a hold on ids, durably; see ``ParticipantStore.write_hold``."""
        require_ids(ids)

        def change(_each: bytes, cell: Cell) -> Replacement | None:
            held = with_hold(cell, hold)
            return None if held == cell else Replacement(held)

        self._at_once(lambda: self._storage.change(self._writing, ids, change))

    def keep_answer(self, key: bytes, answer: KeptAnswer, *, now: float) -> KeptAnswer:
        """Keep an answer unless one is kept; see ``ParticipantStore.keep_answer``."""
        require_time(now)
        return self._at_once(
            lambda: self._answers.keep(self._agreed(self._writing), key, answer, now)
        )

    def find_answer(self, key: bytes, *, now: float) -> KeptAnswer | None:
        """Return a kept answer; see ``ParticipantStore.find_answer``."""
        require_time(now)
        return self._at_once(lambda: self._answers.find(self._agreed(self._reading), key, now))

    # ---- holds and records ---------------------------------------------------------------------

    def release_holds(
        self, ids: Sequence[bytes], *, now: float, reasons: frozenset[str] | None
    ) -> int:
        """End holds on ids, durably; see ``ParticipantStore.release_holds``."""
        require_ids(ids)
        require_time(now)
        counts: dict[bytes, int] = {}

        def change(each: bytes, cell: Cell) -> Replacement | None:
            freed, counts[each] = without_holds(cell, now, reasons)
            return Replacement(freed) if counts[each] else None

        self._storage.change(self._writing, ids, change)
        return sum(counts.values())

    def append(self, records: Sequence[JournalRecord]) -> tuple[bool, ...]:
        """Keep records and apply them, durably; see ``ParticipantStore.append``."""
        require_records(records)
        return self._application.append(records)

    def find_record(self, kind: RecordKind, record_id: str) -> KeptRecord | None:
        """Return one record; see ``ParticipantStore.find_record``."""
        (entry,) = self._journal.find(self._agreed(self._writing), kind, [record_id])
        return None if entry is None else entry.kept_record

    def find_records(self, kind: RecordKind, record_ids: Sequence[str]) -> Mapping[str, KeptRecord]:
        """Return those of some records that are kept; see ``ParticipantStore.find_records``."""
        distinct = list(dict.fromkeys(record_ids))
        entries = self._journal.find(self._agreed(self._writing), kind, distinct)
        return {entry.record_id: entry.kept_record for entry in entries if entry is not None}

    def events_of(self, decision_id: str) -> tuple[KeptRecord, ...]:
        """Return the events that name a decision; see ``ParticipantStore.events_of``."""
        entries = self._journal.events_of(self._agreed(self._writing), decision_id)
        return tuple(entry.kept_record for entry in entries)

    def read_journal(
        self, after: str, limit: int, *, kinds: frozenset[RecordKind] | None = None
    ) -> tuple[KeptRecord, ...]:
        """Return the next records after a cursor; see ``ParticipantStore.read_journal``."""
        require_limit(limit)
        connections = self._agreed(self._writing)
        number = number_of(after)
        found: list[KeptRecord] = []
        while len(found) < limit:
            entries, last = self._journal.after(
                connections, number, limit if kinds is None else _ENTRIES_PER_READ, kinds
            )
            if last == number:
                break
            number = last
            found += [entry.kept_record for entry in entries]
        return tuple(found[:limit])

    def exported_to(self, consumer: str) -> str:
        """Return how far a consumer has come; see ``ParticipantStore.exported_to``."""
        number = self._journal.exported_to(self._agreed(self._writing), consumer)
        return cursor_of(number) if number else ""

    def confirm_export(self, consumer: str, cursor: str) -> None:
        """Remember how far a consumer has come; see ``ParticipantStore.confirm_export``."""
        if cursor:
            number = number_of(cursor)
            self._journal.confirm_export(self._agreed(self._writing), consumer, number)

    def pending_chats(self, before: float, limit: int) -> tuple[KeptRecord, ...]:
        """Return chats that wait for a decision; see ``ParticipantStore.pending_chats``."""
        require_time(before)
        require_limit(limit)
        entries = self._journal.pending(self._agreed(self._writing), before, limit)
        return tuple(entry.kept_record for entry in entries)

    def reconcile(self, record_id: str, payload: bytes, reconciliation: str) -> None:
        """Put an agreement in place of "not yet"; see ``ParticipantStore.reconcile``."""
        connections = self._agreed(self._writing)
        for _ in range(_MAX_CONFLICTS):
            (entry,) = self._journal.find(connections, RecordKind.EVENT, [record_id])
            if entry is None or not self._journal.is_pending(connections, record_id):
                return
            # A participant may have been erased since the payload was read.
            kept = self._application.without_erased(entry, payload)
            if self._journal.replace(connections, entry, kept, reconciliation):
                return
        raise StoreUnavailable("others change the same record all the time")

    def reconciled(self, reconciliation: str, limit: int) -> tuple[KeptRecord, ...]:
        """Return chats with an agreement; see ``ParticipantStore.reconciled``."""
        require_limit(limit)
        entries = self._journal.reconciled(self._agreed(self._writing), reconciliation, limit)
        return tuple(entry.kept_record for entry in entries)

    def erase(self, ids: Sequence[bytes], *, now: float) -> Erasure:
        """Erase a participant, durably; see ``ParticipantStore.erase``."""
        require_ids(ids)
        require_time(now)
        return self._erasures.erase(ids, now)

    # ---- segments ------------------------------------------------------------------------------

    def imported_end(self, segment: str) -> int:
        """Return how far a segment was imported; see ``ParticipantStore.imported_end``."""
        query = command("HGET", self._segments_key, segment)
        return int(self._agreed(self._writing).ask(query) or 0)

    def import_records(
        self, segment: str, start: int, end: int, records: Sequence[JournalRecord]
    ) -> None:
        """Append records of a segment; see ``ParticipantStore.import_records``."""
        if self.imported_end(segment) > start:
            return
        require_records(records)
        # The end goes last: an import that breaks off is done again, and counts nothing twice.
        self.append(records)
        self._writing.ask(run(RAISE_MARK, [self._segments_key], segment, end))

    def forget_segment(self, segment: str) -> None:
        """Forget a segment; see ``ParticipantStore.forget_segment``."""
        self._agreed(self._writing).ask(command("HDEL", self._segments_key, segment))

    # ---- upkeep --------------------------------------------------------------------------------

    def purge(self, *, now: float, retention: Retention) -> PurgeReport:
        """Forget what is past its time; see ``ParticipantStore.purge``.

        A record that arrived late is forgotten when those before it are, at most as much later as
        it arrived.
        """
        require_time(now)
        return self._upkeep.purge(now, retention)

    def statistics(self) -> StoreStatistics:
        """Count what is kept; see ``ParticipantStore.statistics``."""
        return self._upkeep.statistics()

    def check(self) -> None:
        """Read, write, and finish what others left; see ``ParticipantStore.check``."""
        self._storage.read(self._writing, ())
        probe = self._journal.key("probe")
        self._writing.ask(command("SET", probe, b"1", "EX", _PROBE_SECONDS))
        if any(replies != [b"PONG"] for replies in self._writing.ask_all_nodes(("PING",))):
            raise StoreUnavailable("a node of the store in Redis is not ready")
        with suppress(StoreUnavailable):
            # One record that cannot be finished takes no readiness from all others.
            self._application.complete_old()

    def promises_durability(self) -> bool:
        """Return whether all nodes sync every write; see ``ParticipantStore``."""
        return promises_durability(self._writing)

    def close(self) -> None:
        """Close all connections; see ``ParticipantStore.close``."""
        self._reading.close()
        self._writing.close()

    # --------------------------------------------------------------------------------------------

    @property
    def _segments_key(self) -> bytes:
        return self._journal.key("segments")

    def _agreed(self, connections: Connections) -> Connections:
        """Return the connections once the server is known to be the right one."""
        self._agreement.accepted()
        return connections

    def _at_once(self, operation: Callable[[], _Result]) -> _Result:
        """Run what a decision waits for, or refuse without waiting."""
        self._circuit.enter()
        began = self._circuit.now()
        try:
            result = operation()
        except Damaged:
            self._circuit.succeeded()
            raise
        except StoreUnavailable:
            self._circuit.failed(began)
            raise
        self._circuit.succeeded()
        return result


def _participant(cells: Sequence[Cell], now: float) -> KeptParticipant:
    holds = {
        hold
        for cell in cells
        for hold in cell.holds
        if is_active(hold, now) and hold.reason != LEGAL_HOLD
    }
    return KeptParticipant(
        rows=tuple(cell.row for cell in cells if cell.row),
        holds=tuple(sorted(holds, key=_order)) if holds else (),
    )


def _order(hold: Hold) -> tuple[str, float, float]:
    return hold.reason, hold.start_time, math.inf if hold.expire_time is None else hold.expire_time
