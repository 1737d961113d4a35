"""Holds: who meets nobody, until when, and who frees whom."""

from __future__ import annotations

import itertools
import math
import threading

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pairguard.store.ports import LEGAL_HOLD, Hold, KeptParticipant, ParticipantStore, Retention
from tests.contract.store.adapters import Harness, opened
from tests.contract.store.told import held, summary
from tests.integration.store.meetings import (
    NOON,
    ended,
    hashed,
    overturned,
    placed,
    released,
    reviewed,
    started,
)

FOREVER = Retention(1e9, 1e9, 1e9, 1e9)
REVIEW, BARRED = frozenset({"REVIEW"}), frozenset({"AGE_BARRED"})


def ids(*names: str) -> list[bytes]:
    return [hashed(name) for name in names]


def test_nobody_is_held_in_a_new_store(store: ParticipantStore) -> None:
    store.check()
    nothing = KeptParticipant()
    assert store.read([ids("a", "b"), ids("c")], now=0.0) == (nothing, nothing)
    assert store.read([], now=0.0) == ()


def test_a_written_hold_is_seen_by_every_handle(harness: Harness, store: ParticipantStore) -> None:
    other = opened(harness.location)
    assert held(other, "a") == ()
    store.write_hold(ids("a"), Hold("REVIEW", 1.0, 9.0))
    assert held(store, "a") == held(other, "a") == (Hold("REVIEW", 1.0, 9.0),)
    other.close()


def test_a_hold_outlives_the_handle_that_wrote_it(
    harness: Harness, store: ParticipantStore
) -> None:
    store.write_hold(ids("a"), Hold("REVIEW", 1.0))
    store.close()
    reopened = opened(harness.location)
    assert held(reopened, "a") == (Hold("REVIEW", 1.0),)
    reopened.close()


def test_a_fresh_session_id_does_not_start_clean(store: ParticipantStore) -> None:
    store.write_hold(ids("session-1", "account", "device"), Hold("REVIEW", 1.0))
    assert held(store, "session-2", "device")
    assert held(store, "session-2", "account")
    assert not held(store, "session-2", "another-device")


def test_each_participant_gets_its_own_holds_in_order(store: ParticipantStore) -> None:
    store.write_hold(ids("b"), Hold("REVIEW", 1.0))
    store.write_hold(ids("c"), Hold("AGE_BARRED", 2.0, 5.0))
    kept = store.read([ids("a"), ids("b"), ids("x", "c", "b"), ids("a", "y")], now=3.0)
    review, barred = Hold("REVIEW", 1.0), Hold("AGE_BARRED", 2.0, 5.0)
    assert [each.holds for each in kept] == [(), (review,), (barred, review), ()]


def test_one_hold_on_several_ids_is_told_once(store: ParticipantStore) -> None:
    store.write_hold(ids("a", "b", "c"), Hold("REVIEW", 1.0))
    assert held(store, "a", "b", "c", "a") == (Hold("REVIEW", 1.0),)


def test_a_hold_is_active_until_its_expiry_and_not_at_it(store: ParticipantStore) -> None:
    store.write_hold(ids("a"), Hold("REVIEW", 1.0, 10.0))
    assert held(store, "a", now=math.nextafter(10.0, 0.0))
    assert not held(store, "a", now=10.0)


def test_a_hold_without_expiry_does_not_end_by_itself(store: ParticipantStore) -> None:
    store.write_hold(ids("a"), Hold("REVIEW", 1.0))
    assert held(store, "a", now=1e15)


def test_a_reader_whose_clock_is_behind_sees_the_hold(store: ParticipantStore) -> None:
    store.write_hold(ids("a"), Hold("REVIEW", 100.0, 200.0))
    assert held(store, "a", now=50.0)


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [(10.0, 20.0, 20.0), (20.0, 10.0, 20.0), (None, 10.0, None), (10.0, None, None)],
)
def test_extending_a_hold_never_shortens_it(
    store: ParticipantStore, first: float | None, second: float | None, expected: float | None
) -> None:
    store.write_hold(ids("a"), Hold("REVIEW", 1.0, first))
    store.write_hold(ids("a"), Hold("REVIEW", 2.0, second))
    assert held(store, "a", now=3.0) == (Hold("REVIEW", 1.0, expected),)


def test_a_hold_after_an_ended_one_starts_anew(store: ParticipantStore) -> None:
    store.write_hold(ids("a"), Hold("REVIEW", 1.0, 5.0))
    store.write_hold(ids("a"), Hold("REVIEW", 7.0, 9.0))
    assert held(store, "a", now=8.0) == (Hold("REVIEW", 7.0, 9.0),)


def test_holds_of_different_reasons_stand_beside_each_other(store: ParticipantStore) -> None:
    store.write_hold(ids("a"), Hold("REVIEW", 1.0, 5.0))
    store.write_hold(ids("a"), Hold("AGE_BARRED", 1.0, 50.0))
    assert len(held(store, "a", now=2.0)) == 2
    assert held(store, "a", now=6.0) == (Hold("AGE_BARRED", 1.0, 50.0),)


def test_a_release_ends_only_holds_of_its_reasons(store: ParticipantStore) -> None:
    store.write_hold(ids("a", "b"), Hold("AGE_BARRED", 1.0))
    store.write_hold(ids("a"), Hold("REVIEW", 1.0))
    store.write_hold(ids("a"), Hold("HARM", 1.0))
    assert store.release_holds(ids("a", "b", "a"), now=2.0, reasons=BARRED) == 2
    assert held(store, "a", "b", now=2.0) == (Hold("HARM", 1.0), Hold("REVIEW", 1.0))
    assert store.release_holds(ids("a"), now=2.0, reasons=frozenset()) == 0
    assert store.release_holds(ids("a"), now=2.0, reasons=REVIEW | {"HARM"}) == 2
    assert held(store, "a", now=2.0) == ()


def test_a_release_without_reasons_ends_all_holds_on_its_ids(store: ParticipantStore) -> None:
    store.write_hold(ids("a", "b"), Hold("REVIEW", 1.0, 99.0))
    store.write_hold(ids("a"), Hold("AGE_BARRED", 1.0))
    assert store.release_holds(ids("a"), now=2.0, reasons=None) == 2
    assert held(store, "a", now=2.0) == ()
    assert held(store, "b", now=2.0) == (Hold("REVIEW", 1.0, 99.0),)
    assert store.release_holds(ids("a"), now=3.0, reasons=None) == 0


def test_a_released_participant_can_be_held_again(store: ParticipantStore) -> None:
    store.write_hold(ids("a"), Hold("REVIEW", 1.0))
    store.release_holds(ids("a"), now=2.0, reasons=None)
    store.write_hold(ids("a"), Hold("REVIEW", 3.0, 9.0))
    assert held(store, "a", now=4.0) == (Hold("REVIEW", 3.0, 9.0),)


def test_a_legal_hold_stops_no_pairing_and_ends_by_name_alone(store: ParticipantStore) -> None:
    store.write_hold(ids("a"), Hold(LEGAL_HOLD, 1.0))
    store.write_hold(ids("a"), Hold("REVIEW", 1.0))
    assert held(store, "a", now=2.0) == (Hold("REVIEW", 1.0),)
    assert store.release_holds(ids("a"), now=2.0, reasons=None) == 1
    assert store.release_holds(ids("a"), now=3.0, reasons=frozenset({LEGAL_HOLD})) == 1


def test_records_begin_and_end_holds(store: ParticipantStore) -> None:
    hold = placed("1", ["a", "device"], legal=False, time=NOON, end=NOON + 600)
    assert store.append([hold]) == (True,)
    expected = (Hold("PLATFORM_CASE_7", float(NOON), NOON + 600.0),)
    for name in ("a", "device"):
        assert held(store, name, now=NOON + 1.0) == expected
    assert held(store, "a", now=NOON + 600.0) == ()
    store.append([placed("2", ["a"], legal=True)])
    assert held(store, "a", now=NOON + 1.0) == expected


@pytest.mark.parametrize("together", [False, True])
def test_a_review_ends_no_hold_for_a_harm_that_it_could_not_have_seen(
    store: ParticipantStore, *, together: bool
) -> None:
    records = [
        reviewed("1", ["a", "device"], upheld=True, report="1", time=NOON),
        # Upheld while the next was already prepared.
        reviewed("2", ["a", "phone"], upheld=True, report="2", time=NOON + 1),
        reviewed("3", ["a", "device", "phone"], upheld=False, report="1", time=NOON + 2),
    ]
    for part in [records] if together else [[each] for each in records]:
        store.append(part)
    later = NOON + 3.0
    assert held(store, "a", now=later)
    assert held(store, "phone", now=later)
    assert not held(store, "device", now=later)
    store.append([reviewed("4", ["a"], upheld=False, report="2", time=NOON + 4)])
    assert not held(store, "a", now=NOON + 5.0)


def test_an_appeal_ends_no_hold_for_a_harm_upheld_after_it(store: ParticipantStore) -> None:
    store.append([reviewed("1", ["a"], upheld=True, report="1", time=NOON + 10)])
    store.append([overturned("1", ["a"], until=NOON, time=NOON + 20)])
    assert held(store, "a", now=NOON + 30.0)
    store.append([overturned("2", ["a"], until=NOON + 10, time=NOON + 40)])
    assert not held(store, "a", now=NOON + 50.0)


def test_a_platform_s_release_ends_the_hold_for_an_upheld_harm(store: ParticipantStore) -> None:
    store.append([reviewed("1", ["a"], upheld=True, report="1")])
    store.append([released("1", ["a"], time=NOON + 100)])
    assert not held(store, "a", now=NOON + 200.0)


def test_a_record_that_comes_again_holds_nobody_again(store: ParticipantStore) -> None:
    hold = placed("1", ["a"], legal=False)
    store.append([hold])
    store.release_holds(ids("a"), now=NOON + 1.0, reasons=None)
    assert store.append([hold]) == (False,)
    assert held(store, "a", now=NOON + 2.0) == ()


def test_holds_and_history_are_read_together(store: ParticipantStore) -> None:
    store.append([started("1", ["a", "device"], ["b"]), ended("1", ["a", "device"], ["b"])])
    store.write_hold(ids("device"), Hold("REVIEW", 1.0))
    a, b, nobody = store.read([ids("a", "device"), ids("b"), ids("c")], now=2.0)
    assert (len(a.rows), len(a.holds)) == (2, 1)
    assert (len(b.rows), len(b.holds)) == (1, 0)
    assert nobody == KeptParticipant()


def test_purging_forgets_ended_holds_and_no_others(store: ParticipantStore) -> None:
    store.write_hold(ids("a", "b"), Hold("REVIEW", 1.0, 5.0))
    store.write_hold(ids("c"), Hold("REVIEW", 1.0, 6.0))
    store.write_hold(ids("d"), Hold("REVIEW", 1.0))
    assert store.purge(now=5.0, retention=FOREVER).holds == 2
    assert store.purge(now=5.0, retention=FOREVER).holds == 0
    assert held(store, "a", "b", now=0.0) == ()
    assert held(store, "c", now=0.0)
    assert held(store, "d", now=0.0)


def test_purging_takes_any_number_of_holds(store: ParticipantStore) -> None:
    store.write_hold(ids(*[f"id-{number}" for number in range(2_500)]), Hold("REVIEW", 1.0, 5.0))
    assert store.purge(now=6.0, retention=FOREVER).holds == 2_500


def test_a_thousand_participants_are_read_at_once(store: ParticipantStore) -> None:
    store.write_hold(ids("device-700"), Hold("REVIEW", 1.0))
    everybody = [ids(f"account-{number}", f"device-{number}") for number in range(1_000)]
    kept = store.read(everybody, now=2.0)
    assert [number for number, each in enumerate(kept) if each.holds] == [700]


@pytest.mark.parametrize("id_hash", [bytes(16), b"\xff" * 16, b"\n\r\0'\"{}*? \x80\xfe" + bytes(4)])
def test_ids_are_told_apart_by_every_byte(store: ParticipantStore, id_hash: bytes) -> None:
    store.write_hold([id_hash], Hold("REVIEW", 1.0))
    others = [bytes([*id_hash[:15], id_hash[15] ^ 1]), bytes([id_hash[0] ^ 128, *id_hash[1:]])]
    own, other = store.read([[id_hash], others], now=0.0)
    assert own.holds
    assert not other.holds


def test_no_raw_id_is_stored(harness: Harness, store: ParticipantStore) -> None:
    marked = ["MARKED-session-55114", "MARKED-device-90210"]
    hashes = store.keys.hashes(marked)
    store.write_hold(hashes, Hold("REVIEW_55114", 1.0, 5.0))
    store.read([store.keys.hashes(["MARKED-reader-31337"])], now=0.0)
    store.release_holds(hashes[:1], now=2.0, reasons=None)
    while_open = harness.stored_bytes()
    store.close()
    for stored in (while_open, harness.stored_bytes()):
        assert b"REVIEW_55114" in stored  # the search does see what is stored
        assert b"MARKED" not in stored
        assert "MARKED".encode("utf-16-le") not in stored


@pytest.mark.parametrize("now", [math.nan, math.inf, -math.inf])
def test_a_time_that_is_no_time_is_refused(store: ParticipantStore, now: float) -> None:
    store.write_hold(ids("a"), Hold("REVIEW", 1.0, 5.0))
    with pytest.raises(ValueError, match="finite"):
        store.read([ids("a")], now=now)
    with pytest.raises(ValueError, match="finite"):
        store.release_holds(ids("a"), now=now, reasons=None)
    with pytest.raises(ValueError, match="finite"):
        store.purge(now=now, retention=FOREVER)
    with pytest.raises(ValueError, match="finite"):
        store.erase(ids("a"), now=now)
    assert held(store, "a")


def test_a_participant_without_ids_is_refused(store: ParticipantStore) -> None:
    with pytest.raises(ValueError, match="at least one id"):
        store.read([ids("a"), []], now=0.0)
    with pytest.raises(ValueError, match="at least one id"):
        store.write_hold([], Hold("REVIEW", 1.0))
    with pytest.raises(ValueError, match="at least one id"):
        store.release_holds([], now=0.0, reasons=None)
    with pytest.raises(ValueError, match="at least one id"):
        store.erase([], now=0.0)


@pytest.mark.parametrize("raw", [b"account-7", b"", b"x" * 17, "x" * 16])
def test_an_id_that_was_not_hashed_is_refused(store: ParticipantStore, raw: bytes) -> None:
    with pytest.raises(ValueError, match="hash"):
        store.read([[raw]], now=0.0)
    with pytest.raises(ValueError, match="hash"):
        store.write_hold([raw], Hold("REVIEW", 1.0))
    with pytest.raises(ValueError, match="hash"):
        store.erase([raw], now=0.0)


def test_threads_share_one_store(store: ParticipantStore) -> None:
    failures: list[BaseException] = []
    barrier = threading.Barrier(4)

    def work(number: int) -> None:
        try:
            barrier.wait(timeout=10)
            for turn in range(20):
                own = f"own-{number}-{turn}"
                store.write_hold(ids(own, "shared"), Hold("REVIEW", 1.0, 5.0 + turn))
                assert held(store, own)
        except BaseException as error:  # noqa: BLE001 - handed to the test's own thread
            failures.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert not failures
    assert held(store, "shared") == (Hold("REVIEW", 1.0, 24.0),)


# Examples share a store, so each has ids of its own.
RUNS = itertools.count()
REVIEWS = st.lists(
    st.tuples(
        st.sampled_from(["upheld", "cleared", "overturned"]),
        st.permutations("abc").flatmap(lambda names: st.integers(1, 3).map(lambda n: names[:n])),
        st.sampled_from("rst"),
        st.booleans(),
    ),
    max_size=8,
)


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(reviews=REVIEWS)
def test_whoever_stands_upheld_is_held_whatever_else_was_being_reviewed(
    store: ParticipantStore, reviews: list[tuple[str, list[str], str, bool]]
) -> None:
    run = next(RUNS)
    waiting = []
    for place, (kind, names, report, at_once) in enumerate(reviews):
        own, named = f"{run}-{place}", [f"{run}-{name}" for name in names]
        time = NOON + place
        if kind == "overturned":
            waiting.append(overturned(own, named, until=time - 2, time=time))
        else:
            subject = f"{run}-{report}"
            upheld = kind == "upheld"
            waiting.append(reviewed(own, named, upheld=upheld, report=subject, time=time))
        if at_once:
            store.append(waiting)
            waiting = []
    if waiting:
        store.append(waiting)
    for name in "abc":
        each = f"{run}-{name}"
        if summary(store, each).upheld_harm:
            assert [hold.reason for hold in held(store, each, now=NOON + 60.0)] == ["UPHELD_HARM"]


TIMES = st.integers(min_value=0, max_value=20).map(float)
NAMES = st.sets(st.sampled_from("abc"), min_size=1).map(sorted)
REASONS = st.sampled_from(["REVIEW", "AGE_BARRED"])
ACTIONS = st.one_of(
    st.tuples(st.just("write"), NAMES, REASONS, TIMES, st.one_of(st.none(), TIMES)),
    st.tuples(st.just("release"), NAMES, st.one_of(st.none(), REASONS), TIMES, st.none()),
    st.tuples(st.just("purge"), st.just(["a"]), st.none(), TIMES, st.none()),
)


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(actions=st.lists(ACTIONS, max_size=12), now=TIMES)
def test_any_history_leaves_the_latest_expiry_of_what_was_not_ended(
    store: ParticipantStore,
    actions: list[tuple[str, list[str], str | None, float, float | None]],
    now: float,
) -> None:
    run = next(RUNS)
    # Expiries alone, as plain numbers: what the store must agree with.
    expiries: dict[tuple[str, str], float] = {}
    for action, names, reason, time, expire_time in actions:
        keys = [(n, r) for n in names for r in ([reason] if reason else ["REVIEW", "AGE_BARRED"])]
        named = ids(*[f"{run}-{name}" for name in names])
        if action == "write":
            assert reason is not None
            store.write_hold(named, Hold(reason, time, expire_time))
            end = math.inf if expire_time is None else expire_time
            expiries.update({key: max(expiries.get(key, -math.inf), end) for key in keys})
        elif action == "release":
            reasons = None if reason is None else frozenset({reason})
            store.release_holds(named, now=time, reasons=reasons)
            expiries.update({key: min(expiries[key], time) for key in keys if key in expiries})
        else:
            store.purge(now=time, retention=FOREVER)
            expiries = {key: end for key, end in expiries.items() if end > time}
    for name in "abc":
        found = {hold.reason: hold.expire_time for hold in held(store, f"{run}-{name}", now=now)}
        assert found == {
            reason: None if end == math.inf else end
            for (key_name, reason), end in expiries.items()
            if key_name == name and end > now
        }
