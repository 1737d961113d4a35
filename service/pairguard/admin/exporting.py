"""``pairguard journal export``: the journal in files, for who trains or audits elsewhere.

Owns that a consumer gets every entry at least once and in order: a file has its name only when it
is whole and on the disk, and is confirmed only after that. After a crash between the two the same
entries come again, in place of the file that was not confirmed.

A file holds ``JournalEntry`` messages, each behind its length as a varint, which every protobuf
library reads as "delimited".
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from pairguard.admin.access import opened
from pairguard.admin.entries import entry_of
from pairguard.admin.output import EXIT_FOUND, EXIT_OK, Output, complain
from pairguard.admin.refusal import CommandRefused
from pairguard.server.settings import Settings
from pairguard.store.ports import KeptRecord, ParticipantStore
from pairguard.store.segments.directory import directory_lock, sync_directory

ENTRIES_PER_FILE: Final = 10_000
SUFFIX: Final = ".entries"
_CONSUMER = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")


def export(
    settings: Settings, output: Output, *, consumer: str, directory: Path, limit: int | None
) -> int:
    """Write what a consumer has not confirmed, and confirm it.

    Args:
        settings: Name the store.
        output: Where each file is named.
        consumer: Whose place in the journal it is.
        directory: Where files go; made (mode 0700) if it is missing.
        limit: At most so many entries; None: all there are.
    """
    if _CONSUMER.fullmatch(consumer) is None:
        raise CommandRefused("--consumer: is 1 to 64 of a-z, 0-9, _ and -, not - or _ first")
    with opened(settings) as store:
        store.check()
        try:
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            with directory_lock(directory, timeout_seconds=0.0) as has_lock:
                if not has_lock:
                    raise CommandRefused(f"another export into {directory} is under way")
                return _export(store, output, consumer, directory, limit)
        except OSError as error:
            raise CommandRefused(f"{directory} cannot be written: {error.strerror}") from error


def _export(
    store: ParticipantStore, output: Output, consumer: str, directory: Path, limit: int | None
) -> int:
    after, count, unreadable = store.exported_to(consumer), 0, 0
    while limit is None or count < limit:
        wanted = ENTRIES_PER_FILE if limit is None else min(limit - count, ENTRIES_PER_FILE)
        records = _next(store, after, wanted)
        if not records:
            break
        content, left_out = _delimited(records)
        for name in left_out:
            complain(f"left out, since it cannot be read: {name}")
        name = _write(directory, f"{consumer}-{_word(records[0].cursor)}", content)
        after = records[-1].cursor
        store.confirm_export(consumer, after)
        exported = len(records) - len(left_out)
        count += len(records)
        unreadable += len(left_out)
        output.tell(
            {"file": name, "entries": exported, "first": records[0].cursor, "last": after},
            [f"{name}  entries: {exported:,}, the last one {after}"],
        )
    output.say(f"entries for {consumer}: {count - unreadable:,}")
    return EXIT_FOUND if unreadable else EXIT_OK


def _next(store: ParticipantStore, after: str, number: int) -> list[KeptRecord]:
    records: list[KeptRecord] = []
    while len(records) < number:
        found = store.read_journal(after, min(number - len(records), 1_000))
        if not found:
            break
        records += found
        after = found[-1].cursor
    return records


def _delimited(records: Sequence[KeptRecord]) -> tuple[bytes, list[str]]:
    """Return the entries one behind the other, and the ids of those that cannot be read."""
    parts, left_out = [], []
    for record in records:
        try:
            content = entry_of(record).SerializeToString(deterministic=True)
        except ValueError:
            left_out.append(f"{record.kind.value} {record.record_id}")
            continue
        parts += [_length(len(content)), content]
    return b"".join(parts), left_out


def _length(number: int) -> bytes:
    """Return a length as protobuf's varint: seven bits a byte, the lowest first."""
    digits = bytearray()
    while number > 0x7F:
        digits.append(number & 0x7F | 0x80)
        number >>= 7
    digits.append(number)
    return bytes(digits)


def _write(directory: Path, stem: str, content: bytes) -> str:
    """Put a file under a name when it is on the disk, and return the name.

    A file that is there was not confirmed: it is replaced where it is the beginning of this one,
    and kept beside it otherwise, as after a store was restored and gives out the same cursors.
    """
    number, name = 1, f"{stem}{SUFFIX}"
    while (directory / name).exists() and not content.startswith((directory / name).read_bytes()):
        number += 1
        name = f"{stem}-{number}{SUFFIX}"
    partial = directory / f"{name}.partial"
    partial.unlink(missing_ok=True)
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(descriptor)
    partial.replace(directory / name)
    sync_directory(directory)
    return name


def _word(cursor: str) -> str:
    return re.sub(r"[^0-9A-Za-z]+", "-", cursor)
