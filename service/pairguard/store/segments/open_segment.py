"""One segment while it is written: made, locked, appended to, synced, closed.

Owns the file and what it is after a write that failed. It must not know when a segment is begun,
synced or given up (``pairguard.store.segments.writing``).
"""

from __future__ import annotations

import errno
import os
import secrets
import time
from contextlib import suppress
from dataclasses import dataclass
from fcntl import LOCK_EX, LOCK_NB, flock
from pathlib import Path

from pairguard.store.segments.framing import (
    HEADER_BYTES,
    NONCE_BYTES,
    Position,
    encode_header,
    encode_record,
)


class SegmentLost(OSError):
    """Raise when a segment must not be written to any more; what is in it may still be read."""


@dataclass(slots=True, eq=False)
class OpenSegment:
    """A segment that this process holds open and locked.

    Attributes:
        name: Of the file.
        descriptor: Of the file; the lock is released when it and its copies in forked children
            are closed.
        device: That the file was made on.
        inode: Of the file.
        seed: Of its records' checks.
        end: Offset behind the last record.
        opened_at: When it was made, monotonic seconds.
    """

    name: str
    descriptor: int
    device: int
    inode: int
    seed: int
    end: int
    opened_at: float

    def verify(self) -> None:
        """Return if what is appended now will be found under the segment's name.

        Raises:
            SegmentLost: The file was removed or changed, or the descriptor is another file's.
        """
        try:
            status = os.fstat(self.descriptor)
        except OSError as error:
            raise SegmentLost(error.errno, error.strerror) from error
        if status.st_ino != self.inode or status.st_dev != self.device:
            raise SegmentLost(errno.EBADF, "the descriptor of the segment was closed")
        if status.st_nlink == 0 or status.st_size != self.end:
            raise SegmentLost(errno.ESTALE, "the segment was removed or changed by somebody else")

    def write(self, payload: bytes, origin: Position | None) -> int:
        """Append a record in one system call and return where it ends.

        Raises:
            SegmentLost: It is not written, and a part of it could not be cut off again.
            OSError: It is not written; the segment is as it was before.
        """
        record = encode_record(self.seed, self.end, payload, origin)
        try:
            _write_whole(self.descriptor, record)
        except OSError as error:
            try:
                os.ftruncate(self.descriptor, self.end)
            except OSError as second:
                raise SegmentLost(error.errno, error.strerror) from second
            raise
        self.end += len(record)
        return self.end

    def sync(self) -> None:
        """Put everything that was appended on disk; after an error nothing is known of it."""
        os.fdatasync(self.descriptor)

    def close(self) -> None:
        """Close it, unless somebody else did and the descriptor is another file's now."""
        with suppress(OSError):
            status = os.fstat(self.descriptor)
            if status.st_ino == self.inode and status.st_dev == self.device:
                os.close(self.descriptor)


def create_segment(directory: Path, name: str) -> OpenSegment:
    """Make a segment; it is locked and has its header before it has its name.

    Raises:
        FileNotFoundError, BlockingIOError: The directory is missing, or an importer took the file
            for a leftover before it was locked; worth another attempt.
        OSError: It cannot be made, and no trace of it is left.
    """
    path = directory / name
    new_path = directory / f"{name}.new"
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
    descriptor = os.open(new_path, flags, 0o600)
    try:
        flock(descriptor, LOCK_EX | LOCK_NB)
        header, seed = encode_header(secrets.token_bytes(NONCE_BYTES))
        _write_whole(descriptor, header)
        status = os.fstat(descriptor)
        new_path.rename(path)
    except BaseException:
        with suppress(OSError):
            new_path.unlink()
        os.close(descriptor)
        raise
    return OpenSegment(
        name=name,
        descriptor=descriptor,
        device=status.st_dev,
        inode=status.st_ino,
        seed=seed,
        end=HEADER_BYTES,
        opened_at=time.monotonic(),
    )


def _write_whole(descriptor: int, data: bytes) -> None:
    if os.write(descriptor, data) != len(data):
        raise OSError(errno.ENOSPC, "only a part could be written")
