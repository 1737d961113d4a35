"""Appending to segments: one write(2) a record, on disk a moment later.

Owns the segment that this process appends to and what happens when its disk fails. It must not
know who reads a segment (``pairguard.store.segments.importing``) nor what is in a record.

A record survives the death of the process when ``append`` returns and a power cut after the next
sync. Payloads are kept in memory until that sync: after one that failed, the kernel may have given
up the pages without writing them (and tells only once), so they are written again, into another
segment, each with the place where it stood first: whoever reads both counts it once.
"""

from __future__ import annotations

import errno
import os
import secrets
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable
from pathlib import Path

from pairguard.errors import StoreUnavailable
from pairguard.store.segments.directory import sync_directory
from pairguard.store.segments.framing import (
    HEADER_BYTES,
    MAX_PAYLOAD_BYTES,
    RECORD_HEADER_BYTES,
    Position,
    SegmentName,
)
from pairguard.store.segments.open_segment import OpenSegment, SegmentLost, create_segment

_ATTEMPTS = 3
_MAX_RETRY_SECONDS = 30.0
_CLOSE_TIMEOUT_SECONDS = 30.0


class SegmentWriter:
    """Appends records to segments of its own; safe for several threads and across a fork.

    Nothing is opened by the constructor. A forked child leaves its parent's segments alone and
    begins its own.

    Args:
        directory: Of the segments, of all processes; made (mode 0700) if it is missing.
        sync_interval_seconds: How long a record may wait for its sync.
        max_segment_bytes: A segment is not appended to beyond this.
        max_segment_seconds: Nor after this time; it is then closed also when nothing comes.
        max_unsynced_bytes: Payloads kept for another attempt when a sync fails; beyond this the
            oldest are left to the segment they are in.
        on_sync_error: Called after each failed sync, from the thread that syncs. What could not be
            synced is not lost yet: it is written again.
    """

    def __init__(
        self,
        directory: Path,
        *,
        on_sync_error: Callable[[], None],
        sync_interval_seconds: float = 0.05,
        max_segment_bytes: int = 16 * 1024 * 1024,
        max_segment_seconds: float = 60.0,
        max_unsynced_bytes: int = 4 * 1024 * 1024,
    ) -> None:
        self._directory = directory.absolute()
        self._on_sync_error = on_sync_error
        self._sync_interval_seconds = sync_interval_seconds
        self._max_segment_bytes = max_segment_bytes
        self._max_segment_seconds = max_segment_seconds
        self._max_unsynced_bytes = max_unsynced_bytes
        self._closed = False
        self._last_time_ns = 0
        self._begin()
        _writers.add(self)

    def _begin(self) -> None:
        """Set the state of a process that has written nothing."""
        self._writer = f"{os.getpid()}-{secrets.token_hex(8)}"
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None
        self._segment: OpenSegment | None = None
        self._retired: list[OpenSegment] = []  # to be synced once more
        self._abandoned: list[OpenSegment] = []  # locked until their records stand elsewhere
        self._finished: list[OpenSegment] = []  # to be closed
        self._dirty = False
        self._directory_dirty = False
        self._unsynced: deque[tuple[Position, bytes]] = deque()
        self._unsynced_bytes = 0
        self._first_unsynced = 0  # the number of the first of them, counted from the beginning
        self._pending: deque[tuple[Position, bytes]] = deque()  # to be written again

    def append(self, payload: bytes) -> Position:
        """Write a record down; it survives the death of this process when this returns.

        Raises:
            StoreUnavailable: It is not written down: the disk is full or broken, the segment was
                removed, the payload is longer than ``MAX_PAYLOAD_BYTES``, or this is closed. No
                part of it will be read as a record. The next call tries again.
        """
        if len(payload) > MAX_PAYLOAD_BYTES:
            raise StoreUnavailable(f"a record of the journal is at most {MAX_PAYLOAD_BYTES} bytes")
        with self._lock:
            if self._closed:
                raise StoreUnavailable("the journal is closed")
            try:
                segment = self._usable_segment(RECORD_HEADER_BYTES + len(payload))
                self._repeat_pending(segment)
                return self._write(segment, payload, None)
            except OSError as error:
                raise StoreUnavailable(
                    f"no record can be written to {self._directory}: {error.strerror}"
                ) from error

    def close(self) -> None:
        """Sync and close everything; every later ``append`` raises ``StoreUnavailable``."""
        with self._lock:
            self._closed = True
            self._closing.set()
            thread = self._thread
            if thread is None or not thread.is_alive():
                thread = None
            self._changed.notify_all()
        if thread is None:
            self._finish()
        else:
            thread.join(_CLOSE_TIMEOUT_SECONDS)

    # ---- appending; the lock is held -------------------------------------------------------------

    def _usable_segment(self, record_bytes: int) -> OpenSegment:
        segment = self._segment
        if segment is not None:
            try:
                segment.verify()
            except SegmentLost:
                self._abandon()
                raise
            age = time.monotonic() - segment.opened_at
            fits = segment.end + record_bytes <= self._max_segment_bytes
            if (fits or segment.end == HEADER_BYTES) and age < self._max_segment_seconds:
                return segment
        fresh = self._open_segment()
        if segment is not None:
            self._retired.append(segment)
        self._segment = fresh
        return fresh

    def _write(self, segment: OpenSegment, payload: bytes, origin: Position | None) -> Position:
        try:
            end = segment.write(payload, origin)
        except SegmentLost:
            self._abandon()
            raise
        position = origin or Position(segment.name, end)
        self._unsynced.append((position, payload))
        self._unsynced_bytes += len(payload)
        while self._unsynced_bytes > self._max_unsynced_bytes:
            self._drop_oldest()
        if not self._dirty:
            self._dirty = True
            self._wake()
        return position

    def _drop_oldest(self) -> None:
        _, payload = self._unsynced.popleft()
        self._unsynced_bytes -= len(payload)
        self._first_unsynced += 1

    def _abandon(self) -> None:
        """Give up all open segments; what is not surely on disk is written again into the next.

        Their locks are kept until it is: a segment that nobody writes is deleted once imported,
        and the memory of what was imported from it with it.
        """
        self._abandoned += self._open_segments()
        self._segment, self._retired = None, []
        self._pending.extendleft(reversed(self._unsynced))
        self._first_unsynced += len(self._unsynced)
        self._unsynced.clear()
        self._unsynced_bytes = 0
        self._release_abandoned()

    def _release_abandoned(self) -> None:
        if not self._pending:
            self._finished += self._abandoned
            self._abandoned = []

    def _open_segments(self) -> list[OpenSegment]:
        return self._retired if self._segment is None else [*self._retired, self._segment]

    def _repeat_pending(self, segment: OpenSegment) -> None:
        while self._pending:
            position, payload = self._pending[0]
            self._write(segment, payload, position)
            self._pending.popleft()
        self._release_abandoned()

    def _open_segment(self) -> OpenSegment:
        last_error: OSError | None = None
        for _ in range(_ATTEMPTS):
            self._last_time_ns = max(time.time_ns(), self._last_time_ns + 1)
            rescue = bool(self._pending)
            name = str(SegmentName(self._last_time_ns, self._writer, is_rescue=rescue))
            try:
                segment = create_segment(self._directory, name)
            except (FileNotFoundError, BlockingIOError) as error:
                last_error = error
                self._make_directory()
            else:
                self._directory_dirty = True
                return segment
        raise last_error or OSError(errno.EAGAIN, "no segment could be begun")

    def _make_directory(self) -> None:
        if not self._directory.is_dir():
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            sync_directory(self._directory.parent)

    def _wake(self) -> None:
        if self._thread is None or not self._thread.is_alive():
            thread = threading.Thread(target=self._run, name="segment-sync", daemon=True)
            try:
                thread.start()
            except RuntimeError:  # no thread can be had: the next append asks again
                self._dirty = False
                return
            self._thread = thread
        self._changed.notify_all()

    # ---- syncing; in a thread of its own ---------------------------------------------------------

    def _run(self) -> None:
        delay_seconds = self._sync_interval_seconds
        while self._wait_for_work():
            self._closing.wait(delay_seconds)
            if self._closing.is_set():
                break
            if self._sync():
                delay_seconds = self._sync_interval_seconds
            else:
                delay_seconds = min(2 * delay_seconds, _MAX_RETRY_SECONDS)
        self._finish()

    def _wait_for_work(self) -> bool:
        """Return when something is to be synced or closed; False: this is to end."""
        with self._changed:
            while not self._closed:
                if self._dirty or self._retired or self._finished or self._pending:
                    return True
                remaining_seconds: float | None = None
                if self._segment is not None:
                    age = time.monotonic() - self._segment.opened_at
                    remaining_seconds = self._max_segment_seconds - age
                    if remaining_seconds <= 0:
                        self._retired.append(self._segment)
                        self._segment = None
                        continue
                self._changed.wait(remaining_seconds)
        return False

    def _sync(self) -> bool:
        """Put everything that was appended before this call on disk; return whether it is."""
        with self._lock:
            is_ready = self._prepare_sync()
            retired, segments = list(self._retired), list(self._open_segments())
            directory_dirty, self._directory_dirty = self._directory_dirty, False
            end = self._first_unsynced + len(self._unsynced)
        if not is_ready:
            self._on_sync_error()
            return False
        failed = False
        try:
            for segment in segments:
                segment.sync()
            if directory_dirty:
                sync_directory(self._directory)
        except OSError:
            failed = True
        with self._lock:
            # An append may have abandoned some of them meanwhile.
            still_open = self._open_segments()
            if failed and any(each in still_open for each in segments):
                self._abandon()
            elif not failed:
                while self._first_unsynced < end and self._unsynced:
                    self._drop_oldest()
                self._finished += [each for each in retired if each in still_open]
                self._retired = [each for each in self._retired if each not in retired]
            finished, self._finished = self._finished, []
        for segment in finished:
            segment.close()
        if failed:
            self._on_sync_error()
        return not failed

    def _prepare_sync(self) -> bool:
        """Write again what is to be; False: that failed, or a file is not there to be synced."""
        try:
            if self._pending:
                self._repeat_pending(self._usable_segment(0))
            for segment in self._open_segments():
                segment.verify()
        except SegmentLost:
            self._abandon()
            return False
        except OSError:
            return False
        finally:
            self._dirty = False
        return True

    def _finish(self) -> None:
        """Sync for the last time, after a failure once more, and close everything."""
        with self._lock:
            self._retired = self._open_segments()
            self._segment = None
        if not self._sync():
            self._sync()
        with self._lock:
            left = [*self._open_segments(), *self._abandoned, *self._finished]
            self._segment, self._retired, self._abandoned, self._finished = None, [], [], []
        for segment in left:
            segment.close()

    def _leave_parent_process(self) -> None:
        """Forget, in a forked child, what is the parent's; its locks stay with the parent."""
        left = [*self._open_segments(), *self._abandoned, *self._finished]
        self._begin()
        for segment in left:
            segment.close()


_writers: weakref.WeakSet[SegmentWriter] = weakref.WeakSet()


def _leave_parent_process() -> None:
    for writer in list(_writers):
        writer._leave_parent_process()  # noqa: SLF001 - the module's own


os.register_at_fork(after_in_child=_leave_parent_process)
