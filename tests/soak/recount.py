"""Proof by recount: what the store holds after a run against what a backend was told.

Owns the comparison. It opens the store as the service does, and counts everything anew: from the
ledger, from the messages of the journal, and by the program's own fold over the journal.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from time import time

from pairguard.history.row import Row
from pairguard.history.summary import Summary, blocks, summarise
from pairguard.store.ports import KeptRecord, ParticipantStore, RecordKind
from pairguard.store.records import record_of
from tests.soak.journal_counts import JournalCounts, journal_of
from tests.soak.ledger import Counted, Ledger

_SIGNALS = {
    Counted.CHATS: "history.chats_started_24h",
    Counted.SKIPS_MADE: "history.skips_made_24h",
    Counted.SKIPS_SUFFERED: "history.skips_suffered_24h",
    Counted.REPORTS_MADE: "history.reports_made_30d",
}


@dataclass
class Recount:
    """What was compared, and every difference.

    Attributes:
        counts: How many of what were compared.
        differences: What does not agree; empty: all does.
    """

    counts: dict[str, int] = field(default_factory=dict)
    differences: list[str] = field(default_factory=list)

    def hold(self, name: str, wrong: Iterable[str], total: int) -> None:
        found = set(wrong)
        self.counts[name] = total
        if found:
            self.differences.append(f"{name}: {len(found)} of {total}, first {min(found)}")


def recount(store: ParticipantStore, ledger: Ledger, *, leavers: Collection[str]) -> Recount:
    """Compare a store with a ledger.

    - every acknowledged event and item of evidence stands in the journal, once, and no other does;
    - every decision that was answered and not marked as lost stands there with both participants,
      and none that was marked does;
    - every id has exactly the acknowledged chats, skips, reports, reporters, blocks and evidence,
      and the decisions, exposure and seconds that the messages of the journal add up to;
    - every row is what the program's own fold makes of the journal, and there is no other row;
    - whoever was erased is in no row and in no record.

    Args:
        store: After the run; nobody else uses it.
        ledger: What was told.
        leavers: Ids of those who meet nobody but each other; some were erased, so that of the rest
            not everything stands in the journal any more.
    """
    found = Recount()
    journal, records = journal_of(store)
    _compare_records(found, store, ledger, journal)
    _compare_counts(found, store, ledger, journal, leavers)
    _compare_rows(found, store, records, leavers)
    _compare_erased(found, store, ledger, journal)
    return found


def _compare_records(
    found: Recount, store: ParticipantStore, ledger: Ledger, journal: JournalCounts
) -> None:
    hash_id = store.keys.hash
    erased = {each for ids in ledger.erased for each in ids}
    events, decisions = journal.records[RecordKind.EVENT], journal.records[RecordKind.DECISION]
    expected = {hash_id(f"event:{each}").hex() for each in ledger.events}
    found.hold("acknowledged events not in the journal", expected - set(events), len(expected))
    unsent = set(events) - expected
    found.hold("events in the journal that nobody was told of", unsent, len(events))
    told = {hash_id(f"event:{each}").hex(): length for each, length in ledger.chat_seconds.items()}
    wrong_lengths = {
        f"{event} lasted {journal.chat_seconds.get(event)} and not {length}"
        for event, length in told.items()
        if not math.isclose(journal.chat_seconds.get(event, math.nan), length, abs_tol=1e-5)
    }
    found.hold("chats of another length", wrong_lengths, len(told))
    twice = [each for kind in journal.records.values() for each, n in kind.items() if n > 1]
    twice += [f"evidence {item}" for (_, item), n in journal.evidence.items() if n > 1]
    found.hold("records twice in the journal", twice, sum(map(len, journal.records.values())))
    missing = set(ledger.decisions) - set(decisions)
    found.hold("decisions not in the journal", missing, len(ledger.decisions))
    found.hold(
        "decisions marked as not recorded that are",
        ledger.lost_decisions & set(decisions),
        len(ledger.lost_decisions),
    )
    others = {
        decision
        for decision, people in ledger.decisions.items()
        if decision in journal.participants
        and erased.isdisjoint(each for ids in people for each in ids)
        and journal.participants[decision]
        != tuple(tuple(hash_id(each).hex() for each in ids) for ids in people)
    }
    found.hold("decisions on somebody else", others, len(ledger.decisions))


def _compare_counts(
    found: Recount,
    store: ParticipantStore,
    ledger: Ledger,
    journal: JournalCounts,
    leavers: Collection[str],
) -> None:
    hash_id, now = store.keys.hash, time()
    erased = {each for ids in ledger.erased for each in ids}
    decided = {each for people in ledger.decisions.values() for ids in people for each in ids}
    everybody = {*decided, *ledger.evidence}.union(*ledger.counts.values()) - erased
    says = {each: summarise(_rows(store, hash_id(each), now), now) for each in everybody}

    def compare(
        name: str, expected: Mapping[str, float], kept: Callable[[Summary], float | None]
    ) -> None:
        wrong = []
        for each in everybody:
            counted, should = kept(says[each]) or 0.0, expected.get(each, 0.0)
            if not _agree(float(counted), float(should)):
                wrong.append(f"{each} has {counted:g} and not {should:g}")
        found.hold(f"participants with a wrong count of {name}", wrong, len(everybody))

    def signal(name: str) -> Callable[[Summary], float | None]:
        return lambda summary: (summary.signals or {}).get(name)

    for what, name in _SIGNALS.items():
        compare(what.value, ledger.counts[what], signal(name))
    reporters = {each: len(by) for each, by in ledger.reporters.items()}
    compare("reporters", reporters, signal("history.reports_received_30d"))
    blockers = {each: len(by) for each, by in ledger.blockers.items()}
    compare("blockers", blockers, signal("history.blocked_by_others_30d"))
    hashed = {each: hash_id(each).hex() for each in everybody}
    stayed = {each: hashed[each] for each in everybody if each not in leavers}
    everybody = set(stayed)
    # Also of decisions that were made and whose answer was lost on its way.
    told = {each: journal.decisions[of] for each, of in stayed.items()}
    compare("decisions", told, lambda summary: summary.decisions_24h)
    exposure = {each: journal.exposure[of] for each, of in stayed.items()}
    compare("exposure", exposure, lambda summary: summary.exposure_24h)
    minors = signal("history.seconds_with_likely_minors_24h")
    adults = signal("history.seconds_with_likely_adults_24h")
    seconds = {each: journal.seconds[of] for each, of in stayed.items()}
    compare("seconds", seconds, lambda summary: (minors(summary) or 0) + (adults(summary) or 0))
    items = {
        each: {hash_id(f"evidence:{item}") for item in kept}
        for each, kept in ledger.evidence.items()
    }
    wrong = {
        each
        for each, kept in items.items()
        if each not in erased and {item.evidence for item in says[each].evidence} != kept
    }
    found.hold("participants with other evidence", wrong, len(items))
    apart = {
        f"{by[0]} and {of[0]}"
        for by, of in ledger.blocks
        if erased.isdisjoint((*by, *of))
        for one, other in ((by, of), (of, by))
        if not blocks(_rows(store, hash_id(one[0]), now), [hash_id(other[0])])
    }
    found.hold("blocks that do not keep two apart", apart, len(ledger.blocks))


def _compare_rows(
    found: Recount,
    store: ParticipantStore,
    records: Iterable[KeptRecord],
    leavers: Collection[str],
) -> None:
    now = time()
    left = {store.keys.hash(each) for each in leavers}
    rows: dict[bytes, Row] = {}
    for kept in records:
        for each, changes in record_of(kept.kind, kept.payload).changes.items():
            row = rows.setdefault(each, Row())
            for change in changes:
                row.apply(change)
    wrong = set()
    for each, folded in rows.items():
        differences = _differences(
            summarise(_rows(store, each, now), now), summarise((folded.written(),), now)
        )
        if differences and each not in left:
            wrong.add(f"{each.hex()}: {differences}")
    found.hold("rows that the journal does not make", wrong, len(rows))
    count = store.statistics().rows
    surplus = [f"{count} rows"] if count != len(rows) else []
    found.hold("rows of whom the journal does not speak", surplus, len(rows))


def _compare_erased(
    found: Recount, store: ParticipantStore, ledger: Ledger, journal: JournalCounts
) -> None:
    now = time()
    hashes = {each: store.keys.hash(each) for ids in ledger.erased for each in ids}
    wrong = {each for each, hashed in hashes.items() if _rows(store, hashed, now)}
    for (kind, record_id), payload in journal.content.items():
        wrong |= {
            f"{each} in {kind} {record_id}"
            for each, hashed in hashes.items()
            if hashed.hex().encode() in payload
        }
    found.hold("ids that were erased and are kept", wrong, len(hashes))


def _rows(store: ParticipantStore, hashed: bytes, now: float) -> tuple[bytes, ...]:
    (kept,) = store.read([[hashed]], now=now)
    return kept.rows


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
