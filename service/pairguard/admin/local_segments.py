"""The local journal as it lies on this machine: looked at, never changed.

Owns what can be told of segments without taking their writer's or the importer's place. The
importer reads them to carry them over and cuts off torn ends (``pairguard.store.segments``); this
only counts and names.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fcntl import LOCK_NB, LOCK_SH, LOCK_UN, flock
from pathlib import Path

from pairguard.store.decision_sink import ASIDE_SUFFIX
from pairguard.store.segments.directory import list_segments
from pairguard.store.segments.framing import (
    HEADER_BYTES,
    SUFFIX,
    Damaged,
    Foreign,
    Incomplete,
    decode_header,
    decode_record,
    find_record,
    parse_name,
)

DAMAGED_SUFFIX = f"{SUFFIX}.damaged"


@dataclass(frozen=True, slots=True)
class Waiting:
    """What of the local journal is not in the store.

    Attributes:
        segments: Files with something to import.
        bytes: How much of them.
        oldest_seconds: Since the first of these files was begun; None: there is none.
        set_aside: Names of files that could not be read and wait for a person.
    """

    segments: int
    bytes: int
    oldest_seconds: float | None
    set_aside: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SegmentReport:
    """What one segment holds.

    Attributes:
        name: Of the file.
        records: Whole ones.
        is_open: Its writer lives.
        findings: What is wrong with it, in words; empty: nothing.
    """

    name: str
    records: int
    is_open: bool
    findings: tuple[str, ...]


def waiting(directory: Path, imported_end: Callable[[str], int], *, now: float) -> Waiting:
    """Count what is not imported.

    Args:
        directory: Of the segments; may be missing.
        imported_end: Tells up to which byte a segment is imported.
        now: Seconds since 1970.

    Raises:
        OSError: The directory cannot be read.
    """
    segments = size = 0
    begun: list[float] = []
    for name in list_segments(directory):
        try:
            length = (directory / name).stat().st_size
        except FileNotFoundError:  # imported in between
            continue
        left = length - max(imported_end(name), HEADER_BYTES)
        if left > 0:
            segments += 1
            size += left
            parsed = parse_name(name)
            if parsed is not None:
                begun.append(parsed.time_ns * 1e-9)
    oldest = max(now - min(begun), 0.0) if begun else None
    return Waiting(segments, size, oldest, set_aside(directory))


def set_aside(directory: Path) -> tuple[str, ...]:
    """Return the names of files that were set aside as unreadable."""
    try:
        names = [each.name for each in directory.iterdir()]
    except FileNotFoundError:
        return ()
    return tuple(sorted(n for n in names if n.endswith((DAMAGED_SUFFIX, ASIDE_SUFFIX))))


def inspected(directory: Path) -> Iterator[tuple[SegmentReport, tuple[bytes, ...]]]:
    """Give each segment's report and payloads, oldest first.

    Raises:
        OSError: A file or the directory cannot be read.
    """
    for name in list_segments(directory):
        try:
            descriptor = os.open(directory / name, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        except FileNotFoundError:
            continue
        with os.fdopen(descriptor, "rb") as file:
            # Before reading: what is unfinished then was not left by a dead writer.
            is_open = _is_locked(descriptor)
            data = file.read()
        yield _inspect(name, data, is_open=is_open)


def _inspect(name: str, data: bytes, *, is_open: bool) -> tuple[SegmentReport, tuple[bytes, ...]]:
    header = decode_header(data[:HEADER_BYTES]) if len(data) >= HEADER_BYTES else None
    findings: list[str] = []
    payloads: list[bytes] = []
    if isinstance(header, Foreign):
        findings.append(f"is of version {header.version}, which this program cannot read")
    elif header is None:
        if not is_open:
            findings.append("has no whole header")
    else:
        _walk(header, data, payloads, findings, is_open=is_open)
    return SegmentReport(name, len(payloads), is_open, tuple(findings)), tuple(payloads)


def _walk(
    seed: int, data: bytes, payloads: list[bytes], findings: list[str], *, is_open: bool
) -> None:
    place = HEADER_BYTES
    while place < len(data):
        found = decode_record(seed, place, data, place)
        if not isinstance(found, Incomplete | Damaged):
            payloads.append(found.payload)
            place = found.end
            continue
        following = find_record(seed, 0, data, place + 1)
        if following is None:
            if not is_open:
                findings.append(f"ends torn: {len(data) - place} bytes that are no whole record")
            return
        known = found.end if isinstance(found, Damaged) else None
        end = following if known is None else min(known, following)
        findings.append(f"is damaged from byte {place} to {end}")
        place = end


def _is_locked(descriptor: int) -> bool:
    try:
        flock(descriptor, LOCK_SH | LOCK_NB)
    except BlockingIOError:
        return True
    flock(descriptor, LOCK_UN)
    return False
