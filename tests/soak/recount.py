"""Proof by recount: what the store holds after a run against what a backend was told.

Owns the comparison. It opens the store as the service does, and counts everything anew from the
journal.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field
from time import time

from pairguard.history.row import Row
from pairguard.history.summary import Summary, summarise
from pairguard.store.ports import ParticipantStore, RecordKind
from pairguard.store.records import record_of
from tests.soak.ledger import Ledger

_PAGE = 1_000


@dataclass
class Recount:
    """What was compared, and every difference.

    Attributes:
        counts: How many of what were compared.
        differences: What does not agree; empty: all does.
    """

    counts: dict[str, int] = field(default_factory=dict)
    differences: list[str] = field(default_factory=list)

    def hold(self, name: str, missing: set[str], total: int) -> None:
        self.counts[name] = total
        if missing:
            self.differences.append(f"{name}: {len(missing)} of {total}, first {min(missing)}")


def recount(store: ParticipantStore, ledger: Ledger) -> Recount:
    """Compare a store with a ledger.

    - every acknowledged event stands in the journal, and none twice;
    - every decision that was answered and not marked as lost stands in the journal;
    - every participant has exactly the acknowledged chats;
    - every row is what the records of the journal make of it.
    """
    found = Recount()
    in_journal: dict[RecordKind, Counter[str]] = {kind: Counter() for kind in RecordKind}
    rows: dict[bytes, Row] = {}
    cursor = ""
    while page := store.read_journal(cursor, _PAGE):
        for kept in page:
            in_journal[kept.kind][kept.record_id] += 1
            for each, changes in record_of(kept.kind, kept.payload).changes.items():
                row = rows.setdefault(each, Row())
                for change in changes:
                    row.apply(change)
        cursor = page[-1].cursor
    hash_id = store.keys.hash
    events, decisions = in_journal[RecordKind.EVENT], in_journal[RecordKind.DECISION]
    expected = {hash_id(f"event:{each}").hex() for each in ledger.events}
    found.hold("acknowledged events not in the journal", expected - set(events), len(expected))
    twice = {f"{k}" for kind in in_journal.values() for k, count in kind.items() if count > 1}
    found.hold("records twice in the journal", twice, sum(map(len, in_journal.values())))
    found.hold(
        "decisions not in the journal", ledger.decisions - set(decisions), len(ledger.decisions)
    )
    unsent = set(events) - expected
    found.hold("events in the journal that nobody was told of", unsent, len(events))
    now = time()
    wrong_chats, wrong_rows = set(), set()
    for raw_id, chats in ledger.chats.items():
        (kept_participant,) = store.read([[hash_id(raw_id)]], now=now)
        counted = summarise(kept_participant.rows, now).chats_started_24h
        if counted != chats:
            wrong_chats.add(f"{raw_id} has {counted:g} chats and not {chats}")
    found.hold("participants with a wrong count of chats", wrong_chats, len(ledger.chats))
    for each, folded in rows.items():
        (kept_participant,) = store.read([[each]], now=now)
        kept_says = summarise(kept_participant.rows, now)
        fold_says = summarise((folded.written(),), now)
        differences = _differences(kept_says, fold_says)
        if differences:
            wrong_rows.add(f"{each.hex()}: {differences}")
    found.hold("rows that the journal does not make", wrong_rows, len(rows))
    return found


def _differences(kept: Summary, fold: Summary) -> str:
    ours, theirs = _numbers(kept), _numbers(fold)
    return ", ".join(
        f"{name} is {ours.get(name)} instead of {theirs.get(name)}"
        for name in sorted({*ours, *theirs})
        if not _agree(ours.get(name), theirs.get(name))
    )


def _numbers(summary: Summary) -> dict[str, object]:
    found = {name: getattr(summary, name) for name in Summary.__dataclass_fields__}
    return found | (found.pop("signals") or {})


def _agree(ours: object, theirs: object) -> bool:
    if isinstance(ours, float) and isinstance(theirs, float):
        # Tiles are of single precision: sums in another order differ in the last digits.
        return math.isclose(ours, theirs, rel_tol=1e-5)
    return ours == theirs
