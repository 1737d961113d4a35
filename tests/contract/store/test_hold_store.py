"""What every adapter of ``HoldStore`` must do."""

from __future__ import annotations

import itertools
import math
import threading
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pairguard.errors import StoreUnavailable
from pairguard.store.ports import Hold, HoldStore
from tests.contract.store.adapters import Harness

CALLS: dict[str, Callable[[HoldStore], object]] = {
    "read": lambda store: store.read_holds([["a"], ["b"]], now=0.0),
    "write": lambda store: store.write_hold(["a"], Hold("REVIEW", 0.0)),
    "release": lambda store: store.release_holds(["a"], now=0.0, reason=None),
    "purge": lambda store: store.purge_expired(0.0),
    "check": lambda store: store.check(),
}


def held(store: HoldStore, *ids: str, now: float = 0.0) -> tuple[Hold, ...]:
    (holds,) = store.read_holds([ids], now=now)
    return holds


def test_nobody_is_held_in_a_new_store(store: HoldStore) -> None:
    store.check()
    assert store.read_holds([["a", "b"], ["c"]], now=0.0) == ((), ())
    assert store.read_holds([], now=0.0) == ()


def test_a_written_hold_is_seen_by_every_handle(harness: Harness, store: HoldStore) -> None:
    other = harness.open()
    assert held(other, "a") == ()
    store.write_hold(["a"], Hold("REVIEW", 1.0, 9.0))
    assert held(store, "a") == held(other, "a") == (Hold("REVIEW", 1.0, 9.0),)
    other.close()


def test_a_hold_outlives_the_handle_that_wrote_it(harness: Harness, store: HoldStore) -> None:
    store.write_hold(["a"], Hold("REVIEW", 1.0))
    store.close()
    reopened = harness.open()
    assert held(reopened, "a") == (Hold("REVIEW", 1.0),)
    reopened.close()


def test_a_fresh_session_id_does_not_start_clean(store: HoldStore) -> None:
    store.write_hold(["session-1", "account", "device"], Hold("REVIEW", 1.0))
    assert held(store, "session-2", "device")
    assert held(store, "session-2", "account")
    assert not held(store, "session-2", "another-device")


def test_each_participant_gets_its_own_holds_in_order(store: HoldStore) -> None:
    store.write_hold(["b"], Hold("REVIEW", 1.0))
    store.write_hold(["c"], Hold("AGE_BARRED", 2.0, 5.0))
    holds = store.read_holds([["a"], ["b"], ["x", "c", "b"], ["a", "y"]], now=3.0)
    review, barred = Hold("REVIEW", 1.0), Hold("AGE_BARRED", 2.0, 5.0)
    assert holds == ((), (review,), (barred, review), ())


def test_one_hold_on_several_ids_is_told_once(store: HoldStore) -> None:
    store.write_hold(["a", "b", "c"], Hold("REVIEW", 1.0))
    assert held(store, "a", "b", "c", "a") == (Hold("REVIEW", 1.0),)


def test_a_hold_is_active_until_its_expiry_and_not_at_it(store: HoldStore) -> None:
    store.write_hold(["a"], Hold("REVIEW", 1.0, 10.0))
    assert held(store, "a", now=math.nextafter(10.0, 0.0))
    assert not held(store, "a", now=10.0)


def test_a_hold_without_expiry_does_not_end_by_itself(store: HoldStore) -> None:
    store.write_hold(["a"], Hold("REVIEW", 1.0))
    assert held(store, "a", now=1e15)


def test_a_reader_whose_clock_is_behind_sees_the_hold(store: HoldStore) -> None:
    store.write_hold(["a"], Hold("REVIEW", 100.0, 200.0))
    assert held(store, "a", now=50.0)


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [(10.0, 20.0, 20.0), (20.0, 10.0, 20.0), (None, 10.0, None), (10.0, None, None)],
)
def test_extending_a_hold_never_shortens_it(
    store: HoldStore, first: float | None, second: float | None, expected: float | None
) -> None:
    store.write_hold(["a"], Hold("REVIEW", 1.0, first))
    store.write_hold(["a"], Hold("REVIEW", 2.0, second))
    assert held(store, "a", now=3.0) == (Hold("REVIEW", 1.0, expected),)


def test_a_hold_after_an_ended_one_starts_anew(store: HoldStore) -> None:
    store.write_hold(["a"], Hold("REVIEW", 1.0, 5.0))
    store.write_hold(["a"], Hold("REVIEW", 7.0, 9.0))
    assert held(store, "a", now=8.0) == (Hold("REVIEW", 7.0, 9.0),)


def test_holds_of_different_reasons_stand_beside_each_other(store: HoldStore) -> None:
    store.write_hold(["a"], Hold("REVIEW", 1.0, 5.0))
    store.write_hold(["a"], Hold("AGE_BARRED", 1.0, 50.0))
    assert len(held(store, "a", now=2.0)) == 2
    assert held(store, "a", now=6.0) == (Hold("AGE_BARRED", 1.0, 50.0),)


def test_a_release_ends_only_holds_of_its_reason(store: HoldStore) -> None:
    store.write_hold(["a", "b"], Hold("AGE_BARRED", 1.0))
    store.write_hold(["a"], Hold("REVIEW", 1.0))
    assert store.release_holds(["a", "b", "a"], now=2.0, reason="AGE_BARRED") == 2
    assert held(store, "a", "b", now=2.0) == (Hold("REVIEW", 1.0),)


def test_a_release_without_a_reason_ends_all_holds_on_its_ids(store: HoldStore) -> None:
    store.write_hold(["a", "b"], Hold("REVIEW", 1.0, 99.0))
    store.write_hold(["a"], Hold("AGE_BARRED", 1.0))
    assert store.release_holds(["a"], now=2.0, reason=None) == 2
    assert held(store, "a", now=2.0) == ()
    assert held(store, "b", now=2.0) == (Hold("REVIEW", 1.0, 99.0),)
    assert store.release_holds(["a"], now=3.0, reason=None) == 0


def test_a_released_participant_can_be_held_again(store: HoldStore) -> None:
    store.write_hold(["a"], Hold("REVIEW", 1.0))
    store.release_holds(["a"], now=2.0, reason=None)
    store.write_hold(["a"], Hold("REVIEW", 3.0, 9.0))
    assert held(store, "a", now=4.0) == (Hold("REVIEW", 3.0, 9.0),)


def test_purging_forgets_ended_holds_and_no_others(store: HoldStore) -> None:
    store.write_hold(["a", "b"], Hold("REVIEW", 1.0, 5.0))
    store.write_hold(["c"], Hold("REVIEW", 1.0, 6.0))
    store.write_hold(["d"], Hold("REVIEW", 1.0))
    assert store.purge_expired(5.0) == 2
    assert store.purge_expired(5.0) == 0
    assert held(store, "a", "b", now=0.0) == ()
    assert held(store, "c", now=0.0)
    assert held(store, "d", now=0.0)


def test_purging_takes_any_number_of_holds(store: HoldStore) -> None:
    ids = [f"id-{number}" for number in range(2_500)]
    store.write_hold(ids, Hold("REVIEW", 1.0, 5.0))
    assert store.purge_expired(6.0) == 2_500


def test_a_thousand_participants_are_read_at_once(store: HoldStore) -> None:
    store.write_hold(["device-700"], Hold("REVIEW", 1.0))
    everybody = [[f"account-{number}", f"device-{number}"] for number in range(1_000)]
    holds = store.read_holds(everybody, now=2.0)
    assert [number for number, each in enumerate(holds) if each] == [700]


@pytest.mark.parametrize(
    "raw_id", ["é", "e\u0301", "\x00", "a\x00b", "\ud800", "用户", "' OR 1=1 --", "x" * 128, "A"]
)
def test_ids_are_told_apart_by_their_exact_characters(store: HoldStore, raw_id: str) -> None:
    store.write_hold([raw_id], Hold("REVIEW", 1.0))
    assert held(store, raw_id)
    others = ["e", "E", "a", "x", "x" * 127, raw_id + " ", raw_id + "\x00"]
    assert not held(store, *others)


def test_no_raw_id_is_stored(harness: Harness, store: HoldStore) -> None:
    marked = ["MARKED-session-55114", "MARKED-device-90210"]
    store.write_hold(marked, Hold("REVIEW_55114", 1.0, 5.0))
    store.read_holds([["MARKED-reader-31337"]], now=0.0)
    store.release_holds(marked[:1], now=2.0, reason=None)
    while_open = harness.stored_bytes()
    store.close()
    for stored in (while_open, harness.stored_bytes()):
        assert b"REVIEW_55114" in stored  # the search does see what is stored
        assert b"MARKED" not in stored
        assert "MARKED".encode("utf-16-le") not in stored


@pytest.mark.parametrize("now", [math.nan, math.inf, -math.inf])
def test_a_time_that_is_no_time_is_refused(store: HoldStore, now: float) -> None:
    store.write_hold(["a"], Hold("REVIEW", 1.0, 5.0))
    with pytest.raises(ValueError, match="finite"):
        store.read_holds([["a"]], now=now)
    with pytest.raises(ValueError, match="finite"):
        store.release_holds(["a"], now=now, reason=None)
    with pytest.raises(ValueError, match="finite"):
        store.purge_expired(now)
    assert held(store, "a")


def test_a_participant_without_ids_is_refused(store: HoldStore) -> None:
    with pytest.raises(ValueError, match="at least one id"):
        store.read_holds([["a"], []], now=0.0)
    with pytest.raises(ValueError, match="at least one id"):
        store.read_holds(["not-a-list-of-ids"], now=0.0)
    with pytest.raises(ValueError, match="at least one id"):
        store.write_hold([], Hold("REVIEW", 1.0))


@pytest.mark.parametrize("call", CALLS)
def test_a_closed_store_is_unavailable(store: HoldStore, call: str) -> None:
    store.check()
    store.close()
    store.close()
    with pytest.raises(StoreUnavailable):
        CALLS[call](store)


@pytest.mark.parametrize("call", CALLS)
def test_a_broken_store_is_unavailable_until_it_recovers(
    harness: Harness, store: HoldStore, call: str
) -> None:
    store.write_hold(["held"], Hold("REVIEW", 1.0))
    harness.break_down()
    for _ in range(2):
        with pytest.raises(StoreUnavailable) as caught:
            CALLS[call](store)
        assert caught.value.reason == "STORE_UNAVAILABLE"
    harness.recover()
    CALLS[call](store)
    assert held(store, "held") == (Hold("REVIEW", 1.0),)


def test_threads_share_one_store(store: HoldStore) -> None:
    failures: list[BaseException] = []
    barrier = threading.Barrier(4)

    def work(number: int) -> None:
        try:
            barrier.wait(timeout=10)
            for turn in range(20):
                store.write_hold(
                    [f"own-{number}-{turn}", "shared"], Hold("REVIEW", 1.0, 5.0 + turn)
                )
                assert held(store, f"own-{number}-{turn}")
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
TIMES = st.integers(min_value=0, max_value=20).map(float)
IDS = st.sets(st.sampled_from("abc"), min_size=1).map(sorted)
REASONS = st.sampled_from(["REVIEW", "AGE_BARRED"])
ACTIONS = st.one_of(
    st.tuples(st.just("write"), IDS, REASONS, TIMES, st.one_of(st.none(), TIMES)),
    st.tuples(st.just("release"), IDS, st.one_of(st.none(), REASONS), TIMES, st.none()),
    st.tuples(st.just("purge"), st.just(["a"]), st.none(), TIMES, st.none()),
)


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    actions=st.lists(ACTIONS, max_size=12),
    now=TIMES,
)
def test_any_history_leaves_the_latest_expiry_of_what_was_not_ended(
    store: HoldStore,
    actions: list[tuple[str, list[str], str | None, float, float | None]],
    now: float,
) -> None:
    run = next(RUNS)
    # Expiries alone, as plain numbers: what the store must agree with.
    expiries: dict[tuple[str, str], float] = {}
    for action, ids, reason, time, expire_time in actions:
        keys = [
            (raw_id, r)
            for raw_id in ids
            for r in ([reason] if reason else ["REVIEW", "AGE_BARRED"])
        ]
        named = [f"{run}-{raw_id}" for raw_id in ids]
        if action == "write":
            assert reason is not None
            store.write_hold(named, Hold(reason, time, expire_time))
            end = math.inf if expire_time is None else expire_time
            expiries.update({key: max(expiries.get(key, -math.inf), end) for key in keys})
        elif action == "release":
            store.release_holds(named, now=time, reason=reason)
            expiries.update({key: min(expiries[key], time) for key in keys if key in expiries})
        else:
            store.purge_expired(time)
            expiries = {key: end for key, end in expiries.items() if end > time}
    for raw_id in "abc":
        found = {hold.reason: hold.expire_time for hold in held(store, f"{run}-{raw_id}", now=now)}
        assert found == {
            reason: None if end == math.inf else end
            for (key_id, reason), end in expiries.items()
            if key_id == raw_id and end > now
        }
