"""Erasing a participant: what goes, what stays, and what may not come back."""

from __future__ import annotations

import pytest

from pairguard.history.summary import blocks, last_met
from pairguard.store.ports import (
    LEGAL_HOLD,
    Erasure,
    ErasureStatus,
    Hold,
    ParticipantStore,
    RecordKind,
    Retention,
)
from pairguard.store.records import record_of
from tests.contract.store.adapters import Harness, opened
from tests.contract.store.told import DAY, chats, decided, held, journal, summary, told_of_age
from tests.integration.store.meetings import NOON, blocked, ended, hashed, placed, reported, started

ERASED = [hashed("a"), hashed("phone")]
NOW = NOON + 600.0
FOREVER = Retention(1e9, 1e9, 1e9, 1e9)


def tell(store: ParticipantStore) -> None:
    a, b, c = ["a", "phone"], ["b"], ["c"]
    store.append(
        [
            decided("1", a, b),
            started("1", a, b),
            ended("1", a, b),
            reported("1", a, b),
            blocked("1", a, b),
            told_of_age("1", a),
            told_of_age("2", b),
            started("2", b, c),
            reported("2", c, b),
        ]
    )


def traces(harness: Harness) -> list[bytes]:
    """Return in what forms anything of the erased is kept, but for what must be."""
    stored = harness.stored_bytes()
    forms = [form for each in ERASED for form in (each, each.hex().encode(), each[:8])]
    return [form for form in forms if form in stored]


def unlinked_records(store: ParticipantStore) -> list[str]:
    """Return the ids of the records that lead to the erased."""
    return [
        each.record_id
        for each in journal(store)
        if not record_of(each.kind, each.payload).participants.isdisjoint(ERASED)
    ]


def test_everything_that_was_known_is_gone(store: ParticipantStore) -> None:
    tell(store)
    assert store.erase(ERASED, now=NOW) == Erasure(
        ErasureStatus.ERASED, kept_holds=0, unlinked_records=6
    )
    (kept,) = store.read([ERASED], now=NOW)
    assert kept.rows == ()
    assert summary(store, "a").signals is None
    assert unlinked_records(store) == []
    assert len(journal(store)) == 9


def test_no_trace_is_left_in_rows_and_records(harness: Harness, store: ParticipantStore) -> None:
    tell(store)
    assert traces(harness) != []  # the search does see what is stored
    store.erase(ERASED, now=NOW)
    # Long after, when nothing can be on its way any more, not even who was erased is known.
    store.purge(now=NOW + 30 * DAY, retention=FOREVER)
    store.close()
    assert traces(harness) == []


def test_others_keep_their_counts_and_are_not_led_to_anybody(store: ParticipantStore) -> None:
    tell(store)
    before = summary(store, "b")
    store.erase(ERASED, now=NOW)
    after = summary(store, "b")
    assert before.signals == after.signals
    assert before.evidence == after.evidence
    assert (after.reporters_30d, after.partners_30d, after.chats_started_24h) == (2.0, 2.0, 2.0)
    (kept,) = store.read([[hashed("b")]], now=NOW)
    assert last_met(kept.rows, ERASED) is None
    assert not blocks(kept.rows, ERASED)
    assert last_met(kept.rows, [hashed("c")]) is not None
    assert chats(store, "c") == 1.0


def test_who_was_blocked_stays_blocked(store: ParticipantStore) -> None:
    store.append([started("1", ["b"], ["a"]), blocked("1", ["b"], ["a", "phone"])])
    store.erase(ERASED, now=NOW)
    (kept,) = store.read([[hashed("b")]], now=NOW)
    assert blocks(kept.rows, ERASED)


def test_nothing_kept_is_said_so_and_it_can_be_repeated(store: ParticipantStore) -> None:
    nothing = Erasure(ErasureStatus.NOTHING_KEPT)
    assert store.erase(ERASED, now=NOON - 600.0) == nothing
    tell(store)
    assert store.erase(ERASED[:1], now=NOW).status is ErasureStatus.ERASED
    assert store.erase(ERASED[:1], now=NOW + 1.0) == nothing
    assert store.statistics().delayed_erasures == 0


def test_holds_stay(store: ParticipantStore) -> None:
    tell(store)
    store.write_hold(ERASED, Hold("HARM", float(NOON), NOON + DAY))
    store.write_hold(ERASED[:1], Hold("REVIEW", float(NOON)))
    store.write_hold(ERASED[:1], Hold("ENDED", float(NOON), NOON + 1.0))
    erasure = store.erase(ERASED, now=NOW)
    assert (erasure.status, erasure.kept_holds) == (ErasureStatus.ERASED, 2)
    assert [hold.reason for hold in held(store, "phone", now=NOW)] == ["HARM"]
    assert [hold.reason for hold in held(store, "a", now=NOW)] == ["HARM", "REVIEW"]
    assert held(store, "phone", now=NOON + DAY) == ()


def test_a_legal_hold_on_any_id_delays_it_until_it_ends(
    harness: Harness, store: ParticipantStore
) -> None:
    tell(store)
    store.append([placed("law", ["phone"], legal=True, end=NOON + int(10 * DAY))])
    assert store.erase(ERASED, now=NOW).status is ErasureStatus.DELAYED_BY_LEGAL_HOLD
    assert chats(store, "a") == 1.0
    assert len(unlinked_records(store)) == 7
    assert store.statistics().delayed_erasures == 1
    store.close()
    # Somebody else, later.
    other = opened(harness.location)
    assert other.purge(now=NOON + 9 * DAY, retention=FOREVER).erasures == 0
    assert chats(other, "a") == 1.0
    assert other.purge(now=NOON + 10 * DAY, retention=FOREVER).erasures == 1
    assert summary(other, "a").signals is None
    assert unlinked_records(other) == []
    assert other.statistics().delayed_erasures == 0
    other.close()


def test_a_legal_hold_that_is_released_lets_it_be_done(store: ParticipantStore) -> None:
    tell(store)
    store.write_hold(ERASED, Hold(LEGAL_HOLD, float(NOON)))
    assert store.erase(ERASED, now=NOW).status is ErasureStatus.DELAYED_BY_LEGAL_HOLD
    store.release_holds(ERASED, now=NOW + 1.0, reasons=frozenset({LEGAL_HOLD}))
    assert store.purge(now=NOW + 2.0, retention=FOREVER).erasures == 1
    assert summary(store, "a").signals is None


def test_what_was_on_its_way_arrives_without_the_erased(store: ParticipantStore) -> None:
    tell(store)
    store.erase(ERASED, now=NOW)
    late = [
        started("late", ["a", "phone"], ["c"], NOON + 300),
        told_of_age("late", ["a"], NOON + 300),
        decided("late", ["phone"], ["c"], NOON + 300),
    ]
    assert store.append(late) == (True, True, True)
    assert unlinked_records(store) == []
    assert summary(store, "a", "phone").signals is None
    assert summary(store, "a", "phone").decisions_24h == 0.0
    assert summary(store, "a", "phone").evidence == ()
    assert chats(store, "c") == 2.0
    assert store.append(late[:1]) == (False,)


def test_what_comes_with_a_segment_arrives_without_the_erased(store: ParticipantStore) -> None:
    store.erase(ERASED, now=NOW)
    store.import_records("one", 0, 100, [decided("late", ["phone"], ["c"], NOON + 300)])
    assert unlinked_records(store) == []
    assert summary(store, "phone").decisions_24h == 0.0
    assert summary(store, "c").decisions_24h == 1.0


def test_a_hold_that_was_on_its_way_is_not_prevented(store: ParticipantStore) -> None:
    store.erase(ERASED, now=NOW)
    store.append([placed("late", ["a", "phone"], legal=False, time=NOON + 300)])
    assert held(store, "a", now=NOW)
    assert held(store, "phone", now=NOW)


def test_who_comes_back_is_somebody_new(store: ParticipantStore) -> None:
    tell(store)
    store.erase(ERASED, now=NOW)
    store.append([started("again", ["a", "phone"], ["b"], int(NOW) + 60)])
    assert chats(store, "a", now=NOW + 120.0) == 1.0
    assert summary(store, "a", now=NOW + 120.0).partners_30d == 1.0
    assert summary(store, "b", now=NOW + 120.0).partners_30d == 3.0
    # And can be erased again.
    assert store.erase(ERASED, now=NOW + 120.0).unlinked_records == 1
    assert summary(store, "a", now=NOW + 120.0).signals is None


def test_a_record_is_still_known_to_have_been_told(store: ParticipantStore) -> None:
    tell(store)
    store.erase(ERASED, now=NOW)
    before = summary(store, "b")
    assert store.append([started("1", ["a", "phone"], ["b"])]) == (False,)
    assert summary(store, "b") == before
    assert store.find_record(RecordKind.DECISION, "decision-1") is not None


def test_somebody_with_thousands_of_records_is_erased(store: ParticipantStore) -> None:
    for start in range(0, 1_500, 500):
        store.append(
            [started(f"{n}", ["a", "phone"], [f"p{n % 50}"]) for n in range(start, start + 500)]
        )
    assert store.erase(ERASED, now=NOW).unlinked_records == 1_500
    assert unlinked_records(store) == []
    assert chats(store, "p7") == 30.0
    assert summary(store, "p7").partners_30d == 1.0


@pytest.mark.parametrize("order", [ERASED, ERASED[::-1], [*ERASED, *ERASED]])
def test_the_order_in_which_ids_are_told_does_not_matter(
    store: ParticipantStore, order: list[bytes]
) -> None:
    tell(store)
    assert store.erase(order, now=NOW).unlinked_records == 6
    assert unlinked_records(store) == []
