"""The journal in stretches that fit into memory, each with a digest of what it says.

Owns where a stretch ends, how the journal is read, and how it is told that a stretch does not say
what it said: somebody was erased, retention took a record, a start of a chat found its decision. It
must not know what a record means.

A stretch that is closed keeps its bounds for good, so that the same journal gives the same
stretches whether it is read at once or over a year.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b

from pairguard.store.ports import KeptRecord, ParticipantStore

_DIGEST_BYTES = 16


@dataclass(frozen=True, slots=True)
class Limits:
    """How much is held at a time.

    Attributes:
        records: Records of a stretch.
        bytes: Of their payloads, beyond which a stretch ends sooner.
        chunk_bytes: Of the payloads that one reading should bring.
    """

    records: int = 10_000
    bytes: int = 24 << 20
    chunk_bytes: int = 4 << 20


@dataclass(frozen=True, slots=True)
class Bounds:
    """A stretch of the journal.

    Attributes:
        after: It begins behind this cursor; "": with the first record.
        last: Cursor of its last record when it was read.
        closed: Whether later records belong to the next one.
    """

    after: str
    last: str
    closed: bool


@dataclass(frozen=True, slots=True)
class Stretch:
    """Records of a stretch, and what they say.

    Attributes:
        bounds: Where it lies.
        digest: 32 hexadecimal digits over all that its records say.
        records: In their order.
        sizes: Bytes of all payloads.
    """

    bounds: Bounds
    digest: str
    records: Sequence[KeptRecord]
    sizes: int


def stretches(
    store: ParticipantStore, known: Sequence[Bounds], limits: Limits
) -> Iterator[Stretch]:
    """Give the whole journal as it stands, first the stretches that are known and closed.

    A known stretch of which nothing is left is left out. What is recorded while this runs comes in
    as far as it is met; it ends where the journal ended when its end was reached.
    """
    closed = [bounds for bounds in known if bounds.closed]
    builder = _Builder("", closed, limits)
    for record in _records(store, limits):
        while (done := builder.ends_before(record)) is not None:
            if done.records:
                yield done
        builder.add(record)
    while (last := builder.rest()) is not None:
        if last.records:
            yield last


class _Builder:
    """Collects the records of one stretch after the other."""

    def __init__(self, after: str, closed: Sequence[Bounds], limits: Limits) -> None:
        self._closed = list(closed)
        self._limits = limits
        self._begin(after)

    def _begin(self, after: str) -> None:
        self._after = after
        self._records: list[KeptRecord] = []
        self._size = 0
        self._digest = blake2b(digest_size=_DIGEST_BYTES)

    def add(self, record: KeptRecord) -> None:
        self._records.append(record)
        self._size += len(record.payload)
        for part in (record.cursor, record.kind.value, record.record_id):
            self._digest.update(part.encode() + b"\0")
        self._digest.update(len(record.payload).to_bytes(8, "big") + record.payload)

    def ends_before(self, record: KeptRecord) -> Stretch | None:
        """Return the stretch that this record does not belong to any more; None: it does."""
        if self._closed:
            known = self._closed[0]
            return self._taken(known) if record.cursor > known.last else None
        full = (
            len(self._records) >= self._limits.records
            or self._size + len(record.payload) > self._limits.bytes
        )
        if not self._records or not full:
            return None
        return self._taken(Bounds(self._after, self._records[-1].cursor, closed=True))

    def rest(self) -> Stretch | None:
        """Return what is left, one stretch after the other; None: nothing."""
        if self._closed:
            return self._taken(self._closed[0])
        if not self._records:
            return None
        return self._taken(Bounds(self._after, self._records[-1].cursor, closed=False))

    def _taken(self, bounds: Bounds) -> Stretch:
        taken = Stretch(bounds, self._digest.hexdigest(), tuple(self._records), self._size)
        del self._closed[:1]
        self._begin(bounds.last)
        return taken


def _records(store: ParticipantStore, limits: Limits) -> Iterator[KeptRecord]:
    """Give all records, in chunks of about as many bytes as wanted.

    A ranking may be a thousand times as long as an event.
    """
    after, size = "", 8
    while True:
        found = store.read_journal(after, size)
        yield from found
        if len(found) < size:
            return
        after = found[-1].cursor
        taken = sum(len(record.payload) for record in found)
        size = min(max(int(size * limits.chunk_bytes / max(taken, 1)), 1), 2 * size, 1_000)
