"""The journal: a stream that orders records, and each record under its own key.

Owns both, what finds a record (its id, its decision, chats that wait for theirs, agreements), how
far consumers have come, and which records are not yet folded into all of their cells. All of it
lies in one hash slot. It must not know what a record does.

The stream's entries tell number, kind, id and time; the payload lies beside it, so that it can be
unlinked from somebody who is erased. A consumer is a consumer group of the stream.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from pairguard.store.ports import JournalRecord, RecordKind
from pairguard.store.redis.agreement import Agreement
from pairguard.store.redis.connections import Connections, command, run
from pairguard.store.redis.entries import CURSOR_DIGITS, Entry, meta_of, read_entry
from pairguard.store.redis.scripts import (
    APPEND,
    CONFIRM_EXPORT,
    FORGET_RECORDS,
    RAISE_MARK,
    REPLACE_RECORD,
)

MAX_EVENTS_OF_DECISION: Final = 1_000
_ENTRIES_PER_READ: Final = 1_000


@dataclass(frozen=True, slots=True)
class Unfinished:
    """A record that is not known to be in all of its cells.

    Attributes:
        number: Its place in the journal.
        mark: What says so in the store.
    """

    number: int
    mark: bytes


@dataclass(frozen=True, slots=True)
class Appended:
    """What an append did.

    Attributes:
        numbers: By record its number where it is new, the negative one where it was kept but
            unfinished, 0 where it was done.
        unfinished: Of the new ones.
        floor: The lowest record that is not finished.
        oldest: The lowest record that is kept.
        old_unfinished: What others have left unfinished for long.
    """

    numbers: tuple[int, ...]
    unfinished: tuple[Unfinished, ...]
    floor: int
    oldest: int
    old_unfinished: tuple[Unfinished, ...]


class Journal:
    """The records of the store.

    Args:
        agreement: Must hold for every append.
        prefix: Of all keys.
    """

    def __init__(self, agreement: Agreement, prefix: bytes) -> None:
        self._agreement = agreement
        self._prefix = prefix + b"{journal}:"
        self._sequence = self.key("number")
        self._stream = self.key("stream")
        self._unfinished = self.key("unfinished")
        self._pending = self.key("pending")
        self._counts = self.key("counts")
        self._marks = self.key("marks")
        self._agreements = self.key("reconciliations")

    def key(self, *parts: str) -> bytes:
        """Return a key in the journal's slot."""
        return self._prefix + ":".join(parts).encode()

    def append(self, connections: Connections, records: Sequence[JournalRecord]) -> Appended:
        """Keep records that are new, number them and mark them as unfinished, in one step."""
        keys = [
            self._agreement.key,
            self._sequence,
            self._stream,
            self._unfinished,
            self._pending,
            self._counts,
            self._marks,
            self._agreements,
        ]
        arguments: list[Any] = [self._agreement.accepted()]
        for record in records:
            keys += self._keys_of(
                record.kind, record.record_id, record.decision_id, record.reconciliation
            )
            meta = meta_of(record.time, record.decision_id, record.reconciliation)
            arguments += (
                record.kind.value,
                record.record_id,
                repr(record.time),
                meta + record.payload,
                int(record.pending),
                int(bool(record.decision_id)),
                record.reconciliation,
            )
        *numbers, milliseconds, floor, oldest, old = connections.ask(run(APPEND, keys, *arguments))
        return Appended(
            numbers=tuple(numbers),
            unfinished=tuple(
                Unfinished(number, b"%016d:%s" % (number, milliseconds))
                for number in numbers
                if number > 0
            ),
            floor=int(floor),
            oldest=int(oldest),
            old_unfinished=tuple(Unfinished(int(mark[:CURSOR_DIGITS]), mark) for mark in old),
        )

    def unfinished(self, connections: Connections) -> tuple[Unfinished, ...]:
        """Return all records that are not known to be in all of their cells, by number."""
        marks = connections.ask(command("ZRANGE", self._unfinished, 0, -1))
        return tuple(Unfinished(int(mark[:CURSOR_DIGITS]), mark) for mark in marks)

    def unfinished_marks(
        self, connections: Connections, numbers: Sequence[int]
    ) -> tuple[Unfinished, ...]:
        """Return those of the records that are still unfinished."""
        found = connections.send(
            [command("ZRANGEBYSCORE", self._unfinished, number, number) for number in numbers]
        )
        return tuple(
            Unfinished(number, mark)
            for number, marks in zip(numbers, found, strict=True)
            for mark in marks
        )

    def finish(self, connections: Connections, records: Iterable[Unfinished]) -> None:
        """Take note that records are in all of their cells."""
        marks = [record.mark for record in records]
        if marks:
            connections.ask(command("ZREM", self._unfinished, *marks))

    def last_number(self, connections: Connections) -> int:
        """Return the number of the record that was appended last; 0: there was none."""
        return int(connections.ask(command("GET", self._sequence)) or 0)

    def find(
        self, connections: Connections, kind: RecordKind, ids: Sequence[str]
    ) -> list[Entry | None]:
        """Return records by id; None: it is not kept."""
        return self._get(connections, [(None, kind, each) for each in ids])

    def entries(self, connections: Connections, numbers: Sequence[int]) -> list[Entry | None]:
        """Return records by number; None: it is not kept."""
        found = connections.send(
            [command("XRANGE", self._stream, f"{each}-0", f"{each}-0") for each in numbers]
        )
        names = [
            (_number(entry[0]), *_name(entry[1])) for entries in found for entry in entries if entry
        ]
        kept = {entry.number: entry for entry in self._get(connections, names) if entry is not None}
        return [kept.get(number) for number in numbers]

    def after(
        self,
        connections: Connections,
        number: int,
        limit: int,
        kinds: frozenset[RecordKind] | None = None,
    ) -> tuple[list[Entry], int]:
        """Return the next records behind a number, and the number up to which was looked.

        At most ``limit`` are looked at; there are fewer where some are of other kinds or were
        forgotten meanwhile. The number stays where there are no more.
        """
        size = min(limit, _ENTRIES_PER_READ)
        names = self.names_after(connections, number, size)
        wanted = [
            (place, kind, each) for place, kind, each, _ in names if kinds is None or kind in kinds
        ]
        entries = self._get(connections, wanted)
        last = names[-1][0] if names else number
        return [entry for entry in entries if entry is not None], last

    def at(
        self, connections: Connections, names: Sequence[tuple[int, RecordKind, str]]
    ) -> list[Entry | None]:
        """Return records by number, kind and id, as ``names_after`` tells them; None: not kept."""
        return self._get(connections, names)

    def names_after(
        self, connections: Connections, number: int, limit: int
    ) -> list[tuple[int, RecordKind, str, float]]:
        """Return number, kind, id and time of the records behind a number."""
        found = connections.ask(
            command("XRANGE", self._stream, f"({number}-0", "+", "COUNT", limit)
        )
        return [
            (_number(place), *_name(fields), float(_fields(fields)[b"time"]))
            for place, fields in found
        ]

    def events_of(self, connections: Connections, decision_id: str) -> list[Entry]:
        """Return the events that name a decision, the oldest first."""
        key = self.key("events", decision_id)
        ids = connections.ask(command("LRANGE", key, 0, MAX_EVENTS_OF_DECISION - 1))
        return self._events(connections, ids)

    def pending(self, connections: Connections, before: float, limit: int) -> list[Entry]:
        """Return starts of chats that wait for their decision, recorded before a time."""
        ids = connections.ask(
            command("ZRANGEBYSCORE", self._pending, "-inf", f"({before!r}", "LIMIT", 0, limit)
        )
        return self._events(connections, ids)

    def reconciled(self, connections: Connections, name: str, limit: int) -> list[Entry]:
        """Return the latest starts of chats with an agreement, the latest first."""
        key = self.key("reconciled", name)
        return self._events(
            connections, connections.ask(command("ZREVRANGE", key, 0, limit - 1)) if limit else ()
        )

    def is_pending(self, connections: Connections, record_id: str) -> bool:
        """Tell whether a start of a chat waits for its decision."""
        return connections.ask(command("ZSCORE", self._pending, record_id)) is not None

    def replace(
        self, connections: Connections, entry: Entry, payload: bytes, reconciliation: str = ""
    ) -> bool:
        """Put another payload in place of a record's, unless somebody else did so meanwhile.

        Args:
            connections: With time enough for a write.
            entry: The record as it was read.
            payload: What is kept instead.
            reconciliation: The agreement that was found; "": it stays as it is.
        """
        kept = reconciliation or entry.reconciliation
        keys = [
            self._record_key(entry.kind, entry.record_id),
            self._pending,
            self.key("reconciled", kept),
            self._agreements,
        ]
        value = entry.replaced(payload, kept)
        arguments = (entry.value, value, entry.record_id, reconciliation)
        return bool(connections.ask(run(REPLACE_RECORD, keys, *arguments)))

    def forget(self, connections: Connections, entries: Sequence[Entry]) -> int:
        """Remove records and all that finds them."""
        keys = [self._stream, self._pending, self._counts]
        arguments: list[Any] = []
        for entry in entries:
            keys += self._keys_of(
                entry.kind, entry.record_id, entry.decision_id, entry.reconciliation
            )
            arguments += (entry.number, entry.kind.value, entry.record_id)
        return int(connections.ask(run(FORGET_RECORDS, keys, *arguments))) if entries else 0

    def exported_to(self, connections: Connections, consumer: str) -> int:
        """Return the number that a consumer has confirmed; 0: none."""
        if not connections.ask(command("EXISTS", self._stream)):
            return 0
        for group in connections.ask(
            command("XINFO", b"GROUPS", self._stream)._replace(key=self._stream)
        ):
            facts = _fields(group)
            if facts[b"name"] == consumer.encode():
                return _number(facts[b"last-delivered-id"])
        return 0

    def confirm_export(self, connections: Connections, consumer: str, number: int) -> None:
        """Remember how far a consumer has come."""
        connections.ask(run(CONFIRM_EXPORT, [self._stream], consumer, number))

    def mark(self, connections: Connections, name: str) -> int:
        """Return a mark; 0: it was never set."""
        return int(connections.ask(command("HGET", self._marks, name)) or 0)

    def raise_mark(self, connections: Connections, name: str, number: int) -> None:
        """Set a mark unless it is higher."""
        connections.ask(run(RAISE_MARK, [self._marks], name, number))

    def counts(self, connections: Connections) -> dict[RecordKind, int]:
        """Return how many records of each kind are kept."""
        counts = connections.send(
            [command("HGET", self._counts, kind.value) for kind in RecordKind]
        )
        return {kind: int(count or 0) for kind, count in zip(RecordKind, counts, strict=True)}

    def pending_count(self, connections: Connections) -> int:
        """Return how many starts of chats wait for their decision."""
        return int(connections.ask(command("ZCARD", self._pending)))

    def reconciliation_counts(self, connections: Connections) -> dict[str, int]:
        """Return how many starts of chats have each agreement."""
        names = sorted(connections.ask(command("SMEMBERS", self._agreements)))
        counts = connections.send(
            [command("ZCARD", self.key("reconciled", name.decode())) for name in names]
        )
        return {
            name.decode(): int(count) for name, count in zip(names, counts, strict=True) if count
        }

    def _events(self, connections: Connections, ids: Sequence[bytes]) -> list[Entry]:
        found = self.find(connections, RecordKind.EVENT, [each.decode() for each in ids])
        return [entry for entry in found if entry is not None]

    def _get(
        self, connections: Connections, names: Sequence[tuple[int | None, RecordKind, str]]
    ) -> list[Entry | None]:
        if not names:
            return []
        keys = [self._record_key(kind, record_id) for _, kind, record_id in names]
        values = connections.ask(command("MGET", *keys))
        return [
            None if value is None else read_entry(kind, record_id, value, number)
            for (number, kind, record_id), value in zip(names, values, strict=True)
        ]

    def _record_key(self, kind: RecordKind, record_id: str) -> bytes:
        return self.key(kind.value, record_id)

    def _keys_of(
        self, kind: RecordKind, record_id: str, decision_id: str, reconciliation: str
    ) -> tuple[bytes, bytes, bytes]:
        return (
            self._record_key(kind, record_id),
            self.key("events", decision_id),
            self.key("reconciled", reconciliation),
        )


def _number(place: bytes) -> int:
    return int(place.partition(b"-")[0])


def _name(fields: Sequence[bytes]) -> tuple[RecordKind, str]:
    found = _fields(fields)
    return RecordKind(found[b"kind"].decode()), found[b"id"].decode()


def _fields(flat: Sequence[Any]) -> dict[bytes, Any]:
    return dict(zip(flat[::2], flat[1::2], strict=True))
