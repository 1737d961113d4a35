"""Whether an export has everything that the journal has.

Owns the comparison with the store's own counts and the sums within the export. It must not know how
anything was converted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from pairguard.store.ports import ParticipantStore, RecordKind
from pairguard_training.exporting.ledger import Ledger
from pairguard_training.exporting.tally import Thing

_THINGS = {
    RecordKind.DECISION: Thing.DECISIONS,
    RecordKind.EVENT: Thing.EVENTS,
    RecordKind.EVIDENCE: Thing.EVIDENCE,
}
_TABLE_OF = {
    Thing.PARTICIPANTS: "snapshots",
    Thing.PAIRS: "pairs",
    Thing.ITEMS: "age_evidence",
}


def journal_problems(store: ParticipantStore, ledger: Ledger) -> list[str]:
    """Return how the store's counts differ from what was read; nothing: they agree.

    Servers go on recording meanwhile: what they added is counted before and after, and the store's
    own count must lie between.
    """
    last = ledger.exported[-1].bounds.last if ledger.exported else ""
    before = _behind(store, last)
    kept = store.statistics().records
    after = _behind(store, last)
    read = ledger.tally.read
    problems = []
    for kind, thing in _THINGS.items():
        own, there = read[thing.value], kept.get(kind, 0)
        if not own + before[kind] <= there <= own + after[kind]:
            problems.append(
                f"{thing.value}: the journal has {there:,}, read were {own:,} and "
                f"{before[kind]:,} came after"
            )
    return problems


def table_problems(ledger: Ledger) -> list[str]:
    """Return where rows and what was left out do not add up to what was read; nothing: they do."""
    tally, rows = ledger.tally, ledger.rows()
    placed = {thing: (table, rows[table]) for thing, table in _TABLE_OF.items()}
    placed[Thing.EVENTS] = ("outcomes", tally.read[Thing.PLACED.value])
    return [
        f"{thing.value}: {tally.read[thing.value]:,} were read, {count:,} are in {table} and "
        f"{tally.left_out_of(thing):,} were left out"
        for thing, (table, count) in placed.items()
        if tally.read[thing.value] != count + tally.left_out_of(thing)
    ]


def _behind(store: ParticipantStore, cursor: str) -> Mapping[RecordKind, int]:
    counts: Counter[RecordKind] = Counter()
    while found := store.read_journal(cursor, 500):
        counts.update(record.kind for record in found)
        cursor = found[-1].cursor
    return counts
