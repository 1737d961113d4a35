"""Reading segments: what of a file is a record, what is still being written, what is lost.

Owns how a file is read whose writer may live, have died or have lost its disk. It must not know
where records go (``pairguard.store.segments.importing``).
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from fcntl import LOCK_EX, LOCK_NB, flock
from pathlib import Path
from types import TracebackType
from typing import Self

from pairguard.store.segments.framing import (
    HEADER_BYTES,
    Damaged,
    Foreign,
    Incomplete,
    Record,
    decode_header,
    decode_record,
    find_record,
)

_READ_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Stretch:
    """What was read from one place of a segment to another.

    Attributes:
        records: In the order in which they were appended.
        end: Where to read on, offset in the file; never less than where reading began.
        is_last: Nothing more can be read now; of a segment whose writer is gone: ever.
        torn_records: 1 if the file was cut back to ``end`` because it ended in bytes that are no
            whole record and that no whole record follows: at least one record was being written.
        torn_bytes: How many bytes were cut off.
        damaged_records: Places, each at least one record, that were skipped because something
            else than what was written stands there; whole records follow.
        damaged_bytes: How many bytes were skipped.
    """

    records: tuple[Record, ...]
    end: int
    is_last: bool
    torn_records: int = 0
    torn_bytes: int = 0
    damaged_records: int = 0
    damaged_bytes: int = 0


class SegmentReader:
    """One segment, open; a context manager.

    While a segment is open here whose writer is gone, nobody else takes it for such.

    Args:
        path: The segment. Opened for writing as well, to cut off what a dead writer left torn.

    Attributes:
        is_dead: Its writer had closed it, or had ended, before anything was read.
        is_readable: Its header is whole and of a version that is known here.
        foreign_version: Its version, if that is what makes it unreadable; else None.

    Raises:
        OSError: The file is gone or cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        self._descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
        try:
            self.is_dead = _try_lock(self._descriptor)
            data = os.pread(self._descriptor, HEADER_BYTES, 0)
        except BaseException:
            os.close(self._descriptor)
            raise
        # Both copies or none: a file that ends between them got no record.
        header = decode_header(data) if len(data) == HEADER_BYTES else None
        self.foreign_version = header.version if isinstance(header, Foreign) else None
        self.is_readable = isinstance(header, int)
        self._seed = header if isinstance(header, int) else 0
        self._next_whole: int | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        os.close(self._descriptor)

    @property
    def size_bytes(self) -> int:
        """The length of the file at this moment."""
        return os.fstat(self._descriptor).st_size

    def read(self, start: int, *, limit_records: int, limit_bytes: int = 4_194_304) -> Stretch:
        """Read whole records from an offset on.

        What a living writer has not finished is waited for. What a dead one has not is cut off,
        and what was damaged afterwards is skipped if whole records follow.

        Args:
            start: 0, or what a former call returned as ``end``. Beyond the end of the file, as
                after a power cut that the importing store survived better: nothing is left.
            limit_records: At most so many records are returned, one or more.
            limit_bytes: No further record is begun when the payloads are as long as this.

        Raises:
            OSError: The file cannot be read or cut.
        """
        begin = position = max(start, HEADER_BYTES)
        size, length, torn_bytes = self.size_bytes, 0, 0
        records: list[Record] = []
        damage: list[int] = []
        data, first = b"", position
        while position < size and len(records) < limit_records and length < limit_bytes:
            found = decode_record(self._seed, position, data, position - first)
            if isinstance(found, Record):
                records.append(found)
                length += len(found.payload)
                position = found.end
                continue
            if isinstance(found, Incomplete) and position + found.needed_bytes <= size:
                wanted = max(found.needed_bytes, min(_READ_BYTES, size - position))
                data, first = _read_all(self._descriptor, wanted, position), position
                size = min(size, position + max(len(data), self.size_bytes - position))
                continue
            if not self.is_dead:
                size = position  # the rest is being written, or cut
                break
            whole = self._find_whole(position)
            if whole is None:
                torn_bytes, size = size - position, position
                os.ftruncate(self._descriptor, position)
                os.fdatasync(self._descriptor)
                break
            known = found.end if isinstance(found, Damaged) else None
            damage.append((whole if known is None else min(known, whole)) - position)
            position += damage[-1]
        return Stretch(
            tuple(records),
            position if position > begin else start,
            is_last=position >= size,
            torn_records=1 if torn_bytes else 0,
            torn_bytes=torn_bytes,
            damaged_records=len(damage),
            damaged_bytes=sum(damage),
        )

    def is_hollow(self) -> bool:
        """Tell whether no record can be in it: no longer than a header, or nothing but zeros."""
        position = 0
        while data := os.pread(self._descriptor, _READ_BYTES, position):
            position += len(data)
            if position > HEADER_BYTES and data.strip(b"\0"):
                return False
        return True

    def _find_whole(self, position: int) -> int | None:
        """Return where the next whole record stands behind a damaged place; None: nowhere."""
        if self._next_whole is None or self._next_whole <= position:
            data = _read_all(self._descriptor, self.size_bytes - position, position)
            index = find_record(self._seed, position, data, 1)
            self._next_whole = None if index is None else position + index
        return self._next_whole


def _try_lock(descriptor: int) -> bool:
    try:
        flock(descriptor, LOCK_EX | LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _read_all(descriptor: int, size_bytes: int, start: int) -> bytes:
    parts = []
    while size_bytes > 0:
        part = os.pread(descriptor, size_bytes, start)
        if not part:
            break
        parts.append(part)
        size_bytes -= len(part)
        start += len(part)
    return b"".join(parts)
