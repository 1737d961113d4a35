"""``pairguard journal verify`` and ``pairguard store check | durability``: is it what it should be.

Owns what is looked at and how each finding is told. Nothing is changed but rows that cannot be
read, and those only when told. A finding names a record, a file or a hash, never what is in it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from pairguard.admin.access import opened
from pairguard.admin.local_segments import inspected, set_aside
from pairguard.admin.output import EXIT_FOUND, EXIT_OK, Output, complain
from pairguard.admin.refusal import CommandRefused
from pairguard.server.settings import Settings
from pairguard.store.ports import KeptRecord, ParticipantStore, RecordKind
from pairguard.store.records import record_of
from pairguard.store.sqlite import SqliteStore
from pairguard.store.sqlite.verification import repair_rows, verify_rows

_BATCH: Final = 500


@dataclass(slots=True)
class _Verified:
    """What was looked at, and what was found wrong."""

    segments: int = 0
    local_records: int = 0
    records: int = 0
    rows: int | None = None
    rows_not_comparable: int = 0
    findings: list[str] = field(default_factory=list)
    repaired: list[bytes] = field(default_factory=list)


def verify(
    settings: Settings, output: Output, *, repair: bool = False, accept_incomplete: bool = False
) -> int:
    """Verify the local segments, every record of the store, and rows against the journal.

    Args:
        settings: Name the store and the local journal.
        output: Where each finding is told.
        repair: Make rows that cannot be read anew from the journal.
        accept_incomplete: Also where the journal does not reach back to their beginning.

    Returns:
        ``EXIT_FOUND`` where something is wrong that was not repaired.
    """
    verified = _Verified()
    try:
        _verify_segments(settings, verified)
    except OSError as error:
        raise CommandRefused(
            f"{settings.journal_directory} cannot be read: {error.strerror}"
        ) from error
    with opened(settings) as store:
        for record in _all_records(store):
            verified.records += 1
            problem = _problem(record)
            if problem:
                name = f"{record.kind.value} {record.record_id}"
                verified.findings.append(f"record {record.cursor} ({name}): {problem}")
        damaged = _verify_rows(store, verified)
        left = damaged
        if repair and isinstance(store, SqliteStore):
            left = repair_rows(store, damaged, accept_incomplete=accept_incomplete)
        for each in damaged:
            if each in left:
                why = "; the journal does not reach back to its beginning" if repair else ""
                verified.findings.append(f"row {each.hex()}: is damaged{why}")
            else:
                verified.repaired.append(each)
    for each in verified.repaired:
        text = f"row {each.hex()}: was damaged and is made anew"
        output.tell({"repaired": text}, [text])
    for finding in verified.findings:
        output.tell({"finding": finding}, [finding])
    rows = (
        "rows cannot be compared in this kind of store"
        if verified.rows is None
        else f"rows counted anew: {verified.rows:,}; the journal does not reach back far enough "
        f"for: {verified.rows_not_comparable:,}"
    )
    output.tell(
        {
            "segments": verified.segments,
            "local_records": verified.local_records,
            "records": verified.records,
            "rows_compared": verified.rows,
            "rows_not_comparable": verified.rows_not_comparable,
            "findings": len(verified.findings),
            "repaired": len(verified.repaired),
        },
        [
            f"local files: {verified.segments:,}, records in them: {verified.local_records:,}",
            f"records in the store: {verified.records:,}",
            rows,
            f"findings: {len(verified.findings):,}" if verified.findings else "nothing is wrong",
        ],
    )
    return EXIT_FOUND if verified.findings else EXIT_OK


def check(settings: Settings, output: Output) -> int:
    """Tell whether the store can be read and written now."""
    with opened(settings) as store:
        store.check()
    output.tell({"usable": True}, ["the store can be read and written"])
    return EXIT_OK


def durability(settings: Settings, output: Output) -> int:
    """Tell whether what the store takes would survive a power cut."""
    with opened(settings) as store:
        promised = store.promises_durability()
    accepted = settings.accept_weak_durability
    output.tell(
        {"promises_durability": promised, "accept_weak_durability": accepted},
        [
            "what the store takes survives a power cut"
            if promised
            else "the store does not promise that what it takes survives a power cut; "
            + (
                "events are acknowledged all the same: accept_weak_durability is set"
                if accepted
                else "events are refused (Redis: appendonly yes and appendfsync always)"
            )
        ],
    )
    return EXIT_OK if promised else EXIT_FOUND


def _verify_segments(settings: Settings, verified: _Verified) -> None:
    directory = settings.journal_directory.absolute()
    for report, payloads in inspected(directory):
        verified.segments += 1
        verified.local_records += report.records
        verified.findings += [f"segment {report.name}: {finding}" for finding in report.findings]
        for payload in payloads:
            try:
                record_of(RecordKind.DECISION, payload)
            except ValueError:
                verified.findings.append(f"segment {report.name}: holds an unreadable record")
    verified.findings += [f"{name}: was set aside as unreadable" for name in set_aside(directory)]


def _all_records(store: ParticipantStore) -> Iterator[KeptRecord]:
    after = ""
    while found := store.read_journal(after, _BATCH):
        yield from found
        after = found[-1].cursor


def _problem(record: KeptRecord) -> str:
    """Return what is wrong with a record; "": nothing."""
    try:
        read = record_of(record.kind, record.payload)
    except ValueError:
        return "cannot be read"
    # The id of a record of evidence is made of whose it is, who may have been erased.
    if record.kind is not RecordKind.EVIDENCE and read.record_id != record.record_id:
        return "names another id than it is kept under"
    return ""


def _verify_rows(store: ParticipantStore, verified: _Verified) -> Sequence[bytes]:
    """Compare rows and return the ids of those that cannot be read."""
    if not isinstance(store, SqliteStore):
        complain("rows are not compared: a store in Redis folds each record into them by itself")
        return ()
    found = verify_rows(store)
    verified.rows = found.compared
    verified.rows_not_comparable = found.not_comparable
    verified.findings += [
        f"row {each.hex()}: is not what the journal says" for each in found.differing
    ]
    return found.damaged
