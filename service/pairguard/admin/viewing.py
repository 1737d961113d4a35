"""``pairguard journal tail | stats | unreconciled | decision``: what is kept, shown.

Owns what is looked up and in which order it is shown. Nothing is changed.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Final

from pairguard.admin.access import opened
from pairguard.admin.entries import document_of, line_of
from pairguard.admin.local_segments import waiting
from pairguard.admin.output import EXIT_FOUND, Output, complain, size_text, span_text
from pairguard.admin.refusal import CommandRefused
from pairguard.server.settings import Settings
from pairguard.store.ports import KeptRecord, ParticipantStore, RecordKind

_BATCH: Final = 500
_POLL_SECONDS: Final = 0.5

Kinds = frozenset[RecordKind] | None


def tail(
    settings: Settings,
    output: Output,
    *,
    after: str | None,
    limit: int | None,
    kinds: Kinds,
    follow: bool,
) -> int:
    """Show entries; the latest ones, or those behind a cursor.

    Args:
        settings: Name the store.
        output: Where they are shown.
        after: Only what stands behind this cursor, from the first on ("": of all); None: the
            latest.
        limit: At most so many, before ``follow`` begins; None: 20 of the latest, else all.
        kinds: Only these; None: all.
        follow: Go on with what is recorded from now on, until interrupted.
    """
    with opened(settings) as store:
        if after is None:
            found = latest(store, 20 if limit is None else limit, kinds)
            after = found[-1].cursor if found else last_cursor(store)
            for record in found:
                _show(record, output)
        else:
            try:
                after = _show_behind(store, output, after, limit, kinds)
            except ValueError as error:
                raise CommandRefused(f"--after: {error}") from error
        output.flush()
        while follow:
            time.sleep(_POLL_SECONDS)
            after = _show_behind(store, output, after, None, kinds)
            output.flush()
    return 0


def latest(store: ParticipantStore, number: int, kinds: Kinds) -> list[KeptRecord]:
    """Return the latest records, the oldest of them first."""
    end = last_cursor(store)
    if not end or number <= 0:
        return []
    width, last, back = len(end), int(end), number
    while True:
        start = max(last - back, 0)
        found = _all_behind(store, f"{start:0{width}d}", kinds)
        if len(found) >= number or start == 0:
            return found[-number:]
        # Numbers have gaps, and other kinds stand between.
        back *= 4


def last_cursor(store: ParticipantStore) -> str:
    """Return the cursor of the last record; "": there is none.

    A cursor is a number of a fixed number of digits that rises with each record, with gaps: halved
    into, since the journal can only be read forwards.
    """
    first = store.read_journal("", 1)
    if not first:
        return ""
    width, low, step = len(first[0].cursor), int(first[0].cursor), 1
    # A record stands at `low`, none behind `high`.
    while found := store.read_journal(f"{low + step:0{width}d}", 1):
        low, step = int(found[0].cursor), step * 2
    high = low + step
    while high - low > 1:
        middle = (low + high) // 2
        found = store.read_journal(f"{middle:0{width}d}", 1)
        if found:
            low = int(found[0].cursor)
        else:
            high = middle
    found = store.read_journal(f"{low:0{width}d}", 1)
    return found[0].cursor if found else f"{low:0{width}d}"


def stats(settings: Settings, output: Output, *, clock: Callable[[], float] = time.time) -> int:
    """Show how much is kept, and what of the local journal is not in the store yet."""
    with opened(settings) as store:
        kept = store.statistics()
        local = waiting(settings.journal_directory.absolute(), store.imported_end, now=clock())
    records = {kind.value: kept.records.get(kind, 0) for kind in RecordKind}
    document: dict[str, Any] = {
        "records": records,
        "rows": kept.rows,
        "holds": kept.holds,
        "answers": kept.answers,
        "pending_chats": kept.pending_chats,
        "reconciliations": dict(kept.reconciliations),
        "delayed_erasures": kept.delayed_erasures,
        "bytes": kept.bytes,
        "local_segments": local.segments,
        "local_bytes": local.bytes,
        "local_oldest_seconds": local.oldest_seconds,
        "set_aside_files": list(local.set_aside),
    }
    agreed = ", ".join(f"{name} {n:,}" for name, n in sorted(kept.reconciliations.items()))
    oldest = "" if local.oldest_seconds is None else f", oldest {span_text(local.oldest_seconds)}"
    output.tell(
        document,
        [
            *(
                f"{name + 's' if name != 'evidence' else name:<20}{n:,}"
                for name, n in records.items()
            ),
            f"{'participant rows':<20}{kept.rows:,}",
            f"{'holds':<20}{kept.holds:,}",
            f"{'answers':<20}{kept.answers:,}",
            f"{'chats by agreement':<20}{agreed or 'none'}",
            f"{'chats pending':<20}{kept.pending_chats:,}",
            f"{'erasures delayed':<20}{kept.delayed_erasures:,}",
            f"{'size':<20}{size_text(kept.bytes)}",
            f"{'not yet imported':<20}{size_text(local.bytes)}, files: {local.segments:,}{oldest}",
            *(f"{'set aside':<20}{name}" for name in local.set_aside),
        ],
    )
    return 0


def unreconciled(
    settings: Settings, output: Output, *, agreements: tuple[str, ...], limit: int
) -> int:
    """Show chats that started otherwise than decided, the latest first."""
    with opened(settings) as store:
        found = [each for name in agreements for each in store.reconciled(name, limit)]
    found.sort(key=lambda record: record.cursor, reverse=True)
    for record in found[:limit]:
        _show(record, output)
    output.say(f"chats shown: {min(len(found), limit):,}")
    return 0


def decision(settings: Settings, output: Output, *, decision_id: str) -> int:
    """Show a decision and the events that name it."""
    with opened(settings) as store:
        found = store.find_record(RecordKind.DECISION, decision_id)
        if found is None:
            local = waiting(settings.journal_directory, store.imported_end, now=time.time())
            hint = "; some are not imported yet: pairguard journal import" if local.bytes else ""
            complain(f"no decision {decision_id} is kept: there was none, or it is too old{hint}")
            return EXIT_FOUND
        for record in (found, *store.events_of(decision_id)):
            _show(record, output)
    return 0


def _show(record: KeptRecord, output: Output) -> None:
    if output.as_json:
        output.tell(document_of(record), ())
    else:
        output.say(f"{record.cursor}  {line_of(record)}")


def _show_behind(
    store: ParticipantStore, output: Output, after: str, limit: int | None, kinds: Kinds
) -> str:
    """Show what stands behind a cursor and return the last one's."""
    left = limit
    while left is None or left > 0:
        found = store.read_journal(after, min(left or _BATCH, _BATCH), kinds=kinds)
        for record in found:
            _show(record, output)
        if not found:
            break
        after = found[-1].cursor
        left = None if left is None else left - len(found)
    return after


def _all_behind(store: ParticipantStore, after: str, kinds: Kinds) -> list[KeptRecord]:
    found: list[KeptRecord] = []
    while batch := store.read_journal(after, _BATCH, kinds=kinds):
        found += batch
        after = batch[-1].cursor
    return found
