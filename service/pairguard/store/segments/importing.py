"""Carrying the records of segments over into a store, each exactly once.

Owns which segment is read when, and when it may be deleted. It must not know what a record is,
nor how a store keeps it: that is behind ``RecordSink``.

The store keeps, with the records of a segment and in the same transaction, how far it has got in
it; so this may be interrupted anywhere and begin again.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Protocol

from pairguard.errors import StoreUnavailable
from pairguard.store.segments.directory import directory_lock, list_segments, sync_directory
from pairguard.store.segments.framing import SUFFIX, Position, Record, parse_name
from pairguard.store.segments.reading import SegmentReader


class RecordSink(Protocol):
    """Where records go. Every method raises ``StoreUnavailable`` when it cannot do its part."""

    def imported_end(self, segment: str) -> int:
        """Return the ``end`` of the last ``import_records`` of this segment; 0: there was none."""

    def import_records(
        self, segment: str, start: int, end: int, payloads: tuple[bytes, ...]
    ) -> None:
        """Keep records, and that their segment is imported up to ``end``: both or neither.

        Args:
            segment: Name of the segment.
            start: What ``imported_end`` returned; if it would return something else by now, none
                of this may be kept and ``StoreUnavailable`` is right.
            end: Where the next import of this segment starts.
            payloads: In the order in which they were appended; empty where only the end moves.
        """

    def is_durable(self, segment: str, end: int) -> bool:
        """Tell whether everything of the segment up to ``end`` would survive a power cut."""

    def forget(self, segment: str) -> None:
        """Drop the end of a segment that will never be seen again; unknown ones are no error."""

    def close(self) -> None:
        """Give up connections and files."""


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What one or several runs did.

    Attributes:
        records: How many records the sink took.
        torn_records: Segments that a dead writer left with an unfinished end, cut off.
        torn_bytes: How long these ends were.
        damaged_records: Places, each at least one record, skipped as damaged.
        damaged_bytes: How long these places were.
        damaged_files: Segments set aside, ``.damaged`` added to their names, for lack of a header.
        deleted_segments: Files that were imported, durably, and deleted.
        unread_segments: Files, or their rest, left for later: they could not be read, are of a
            version that is not known here, or repeat another that is not read to its end.
        imported_ends: By segment, up to where it is imported by now, if it was imported from or
            has been read to its end.
        was_locked_out: Another process was importing; nothing was done.
        failure: Why the sink or the directory stopped the last run; None: nothing did.
    """

    records: int = 0
    torn_records: int = 0
    torn_bytes: int = 0
    damaged_records: int = 0
    damaged_bytes: int = 0
    damaged_files: int = 0
    deleted_segments: int = 0
    unread_segments: int = 0
    imported_ends: Mapping[str, int] = field(default_factory=dict)
    was_locked_out: bool = False
    failure: str | None = None

    @property
    def is_complete(self) -> bool:
        """Everything that was appended before the run began and can be read is imported."""
        return not self.was_locked_out and self.failure is None and self.unread_segments == 0

    @property
    def has_counts(self) -> bool:
        """Something was imported, cut, skipped, set aside or deleted."""
        return any(
            (
                self.records,
                self.torn_records,
                self.damaged_records,
                self.damaged_files,
                self.deleted_segments,
            )
        )


@dataclass(slots=True)
class _Tally:
    """The report of a run in the making, and what of the segments is not read to its end."""

    records: int = 0
    torn_records: int = 0
    torn_bytes: int = 0
    damaged_records: int = 0
    damaged_bytes: int = 0
    damaged_files: int = 0
    deleted_segments: int = 0
    unread_segments: int = 0
    ends: dict[str, int] = field(default_factory=dict)
    unfinished: set[str] = field(default_factory=set)

    def report(self, failure: str | None = None) -> ImportReport:
        return ImportReport(
            records=self.records,
            torn_records=self.torn_records,
            torn_bytes=self.torn_bytes,
            damaged_records=self.damaged_records,
            damaged_bytes=self.damaged_bytes,
            damaged_files=self.damaged_files,
            deleted_segments=self.deleted_segments,
            unread_segments=self.unread_segments,
            imported_ends=self.ends,
            failure=failure,
        )


class SegmentImporter:
    """Imports the segments of a directory; any number may, one at a time does.

    Args:
        directory: Of the segments; may not be there yet.
        sink: Where records go.
        batch_records: At most so many are handed over at once.
        batch_bytes: No further record is added to payloads as long as this.
    """

    def __init__(
        self,
        directory: Path,
        sink: RecordSink,
        *,
        batch_records: int = 500,
        batch_bytes: int = 4 * 1024 * 1024,
    ) -> None:
        self._directory = directory.absolute()
        self._sink = sink
        self._batch_records = batch_records
        self._batch_bytes = batch_bytes

    def run_once(self, *, lock_timeout_seconds: float = 0.0) -> ImportReport:
        """Import everything that is there now; a sink that fails ends the run, not the caller.

        Args:
            lock_timeout_seconds: How long to wait while another process imports.
        """
        tally = _Tally()
        try:
            with directory_lock(self._directory, timeout_seconds=lock_timeout_seconds) as has_lock:
                if not has_lock:
                    return ImportReport(was_locked_out=True)
                self._clear_leftovers()
                for name in list_segments(self._directory):
                    self._import_if_readable(name, tally)
        except FileNotFoundError:  # there is no directory yet
            return tally.report()
        except StoreUnavailable as error:
            return tally.report(str(error))
        except OSError as error:
            return tally.report(f"{self._directory} cannot be read: {error.strerror}")
        return tally.report()

    def _clear_leftovers(self) -> None:
        """Finish what a former run, or a writer that died while it began a segment, left."""
        for path in self._directory.iterdir():
            if path.name.endswith(f"{SUFFIX}.imported"):
                self._remove(path)
            elif path.name.endswith(f"{SUFFIX}.new"):
                with suppress(OSError), SegmentReader(path) as leftover:
                    if leftover.is_dead:
                        path.unlink()

    def _import_if_readable(self, name: str, tally: _Tally) -> None:
        tally.unfinished.add(name)
        path = self._directory / name
        try:
            with SegmentReader(path) as reader:
                if reader.is_readable:
                    self._import(name, reader, tally)
                elif reader.foreign_version is not None or not reader.is_dead:
                    tally.unread_segments += 1
                else:
                    self._give_up(path, reader, tally)
        except FileNotFoundError:
            tally.unfinished.discard(name)
        except OSError:
            tally.unread_segments += 1

    def _import(self, name: str, reader: SegmentReader, tally: _Tally) -> None:
        end = self._sink.imported_end(name)
        is_last = False
        while not is_last:
            stretch = reader.read(
                end, limit_records=self._batch_records, limit_bytes=self._batch_bytes
            )
            tally.torn_records += stretch.torn_records
            tally.torn_bytes += stretch.torn_bytes
            if stretch.end > end and not self._store(
                name, end, stretch.records, stretch.end, tally
            ):
                tally.unread_segments += 1
                return
            tally.damaged_records += stretch.damaged_records
            tally.damaged_bytes += stretch.damaged_bytes
            end, is_last = stretch.end, stretch.is_last
        tally.ends[name] = end
        if reader.is_dead:
            tally.unfinished.discard(name)
            if self._sink.is_durable(name, end) and not self._is_rescued(name):
                self._delete(self._directory / name, tally)

    def _store(
        self, name: str, start: int, records: tuple[Record, ...], end: int, tally: _Tally
    ) -> bool:
        """Hand records over; False: some stood elsewhere first, where not all is read yet."""
        rescued = [(each.origin, each.payload) for each in records if each.origin is not None]
        for origin, group in groupby(rescued, key=lambda each: each[0].segment):
            if origin in tally.unfinished:
                return False
            self._store_rescued(origin, list(group), tally)
        own = tuple(each.payload for each in records if each.origin is None)
        self._sink.import_records(name, start, end, own)
        tally.records += len(own)
        tally.ends[name] = end
        return True

    def _store_rescued(
        self, origin: str, records: list[tuple[Position, bytes]], tally: _Tally
    ) -> None:
        """Hand over, in the name of the segment they stood in first, what was not read there."""
        start = self._sink.imported_end(origin)
        fresh = [(place.end, payload) for place, payload in records if place.end > start]
        if fresh:
            payloads = tuple(payload for _, payload in fresh)
            self._sink.import_records(origin, start, fresh[-1][0], payloads)
            tally.records += len(fresh)
        tally.ends[origin] = max(start, records[-1][0].end)

    def _is_rescued(self, name: str) -> bool:
        """Tell whether a later segment may repeat records of this one, whose end counts then.

        Asked while the segment is locked here: its writer gives the lock up after the other is
        there.
        """
        this = parse_name(name)
        return this is not None and any(
            other.is_rescue and other.writer == this.writer and other.time_ns > this.time_ns
            for other in map(parse_name, list_segments(self._directory))
            if other is not None
        )

    def _give_up(self, path: Path, reader: SegmentReader, tally: _Tally) -> None:
        """Deal with a file whose header is lost, and with it what tells a record from noise."""
        size = reader.size_bytes
        if reader.is_hollow():
            tally.torn_records += 1 if size else 0
            tally.torn_bytes += size
            tally.unfinished.discard(path.name)
            if not self._is_rescued(path.name):
                self._delete(path, tally)
            return
        path.rename(path.with_name(f"{path.name}.damaged"))
        sync_directory(self._directory)
        tally.damaged_files += 1
        tally.damaged_bytes += size
        tally.unfinished.discard(path.name)
        if not self._is_rescued(path.name):
            self._sink.forget(path.name)

    def _delete(self, path: Path, tally: _Tally) -> None:
        # Under another name first: a run that ends here neither imports it again nor leaves its
        # end in the sink for good.
        imported = path.with_name(f"{path.name}.imported")
        path.rename(imported)
        sync_directory(self._directory)
        self._remove(imported)
        tally.deleted_segments += 1

    def _remove(self, path: Path) -> None:
        self._sink.forget(path.name.removesuffix(".imported"))
        path.unlink()
