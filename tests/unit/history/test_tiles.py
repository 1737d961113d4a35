"""Sums of windows against a recount of all that happened."""

from __future__ import annotations

import math
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pairguard.history.tiles import COUNTERS, WINDOWS, Counter, Tiles, window_sums
from tests.history_changes import DAY, HOUR, MINUTE, NOON

# What a window covers, and how much more it may.
SPANS = {"1h": (HOUR, 5 * MINUTE), "24h": (DAY, HOUR), "7d": (7 * DAY, DAY), "30d": (30 * DAY, DAY)}
moments = st.lists(st.integers(0, 40 * 86_400).map(lambda second: NOON + second), max_size=30)
counters = st.sampled_from(Counter)
happenings = st.lists(st.tuples(st.integers(0, 40 * 86_400), counters, st.integers(1, 9)))


def block_of(times: list[float], *, prune: bool = True) -> bytes:
    block = b""
    for time in times:
        tiles = Tiles(block)
        tiles.add(time, {Counter.CHATS: 1.0})
        block = tiles.block(time if prune else 0.0)
    return block


@given(times=moments, later=st.integers(0, 10 * 86_400))
def test_a_window_never_says_less_than_what_happened_in_it(times: list[float], later: int) -> None:
    now = max(times, default=NOON) + later
    sums = window_sums([block_of(sorted(times))], now)[:, Counter.CHATS]
    for counted, name in zip(sums, WINDOWS, strict=True):
        span, tile = SPANS[name]
        within = sum(time > now - span for time in times)
        at_most = sum(time >= now - span - tile for time in times)
        assert within <= counted <= at_most


@given(happened=happenings)
def test_each_counter_counts_for_itself(happened: list[tuple[int, Counter, int]]) -> None:
    tiles = Tiles()
    expected = np.zeros(COUNTERS)
    for second, counter, amount in happened:
        tiles.add(NOON + second, {counter: float(amount)})
        expected[counter] += amount
    # Seen from the beginning, whatever comes later lies in the future and counts.
    sums = window_sums([tiles.block(NOON)], NOON)
    for window in sums:
        assert window.tolist() == expected.tolist()


@given(times=moments, back=st.integers(0, 60 * 86_400))
def test_a_clock_that_goes_back_lowers_no_sum(times: list[float], back: int) -> None:
    block = block_of(sorted(times))
    now = max(times, default=NOON)
    assert np.all(window_sums([block], now - back) >= window_sums([block], now))


def test_what_is_counted_after_a_clock_ran_ahead_is_kept() -> None:
    block = block_of([NOON, NOON + 400 * DAY, NOON + 60.0, NOON + 120.0])
    assert window_sums([block], NOON + 120.0)[0, Counter.CHATS] >= 3.0


@given(many=st.lists(moments, min_size=1, max_size=4), later=st.integers(0, 10 * 86_400))
def test_several_ids_count_at_least_as_much_as_the_one_with_most(
    many: list[list[float]], later: int
) -> None:
    now = max((time for times in many for time in times), default=NOON) + later
    blocks = [block_of(sorted(times)) for times in many]
    merged = window_sums(blocks, now)
    for block in blocks:
        assert np.all(merged >= window_sums([block], now))
    assert np.all(merged <= sum(window_sums([block], now) for block in blocks))


@given(times=moments, copies=st.integers(1, 4), extra=moments)
def test_one_meeting_under_several_ids_is_one(
    times: list[float], copies: int, extra: list[float]
) -> None:
    now = max([*times, *extra], default=NOON)
    block, more = block_of(sorted(times)), block_of(sorted(times + extra))
    alone = window_sums([more], now)
    assert np.array_equal(window_sums([more] * copies, now), alone)
    assert np.all(window_sums([block, more, block], now) >= alone)


def test_tiles_that_no_window_reaches_are_forgotten() -> None:
    times = [NOON + hour * HOUR for hour in range(24 * 120)]
    record_bytes = 4 * (1 + COUNTERS)
    assert len(block_of(times)) < (14 + 26 + 32) * record_bytes


@given(happened=happenings)
def test_reading_and_writing_changes_nothing(happened: list[tuple[int, Counter, int]]) -> None:
    tiles = Tiles()
    for second, counter, amount in happened:
        tiles.add(NOON + second, {counter: float(amount)})
    block = tiles.block(0.0)
    assert Tiles(block).block(0.0) == block


def test_counters_and_levels_of_a_newer_program_are_kept() -> None:
    width = COUNTERS + 2
    newer = struct.Struct(f"<I{width}f")
    key = int(NOON // 86_400.0) | 2 << 28
    unknown_level = 7 << 28 | 5
    block = (
        bytes([width]) + newer.pack(key, *range(width)) + newer.pack(unknown_level, *[3] * width)
    )
    tiles = Tiles(block)
    tiles.add(NOON, {Counter.CHATS: 1.0})
    written = tiles.block(NOON)
    records = {each[0]: each[1:] for each in newer.iter_unpack(written[1:])}
    assert records[unknown_level] == (3.0,) * width
    expected = [float(value) for value in range(width)]
    expected[Counter.CHATS] += 1.0
    assert list(records[key]) == expected
    assert window_sums([written], NOON)[3, Counter.CHATS] == Counter.CHATS + 1.0


def test_a_block_of_an_older_program_is_widened() -> None:
    older = struct.Struct("<I3f")
    key = int(NOON // 86_400.0) | 2 << 28
    block = bytes([3]) + older.pack(key, 1.0, 2.0, 3.0)
    assert window_sums([block], NOON)[3, :4].tolist() == [1.0, 2.0, 3.0, 0.0]
    tiles = Tiles(block)
    tiles.add(NOON, {Counter.CHATS: 5.0})
    assert window_sums([tiles.block(NOON)], NOON)[3, :5].tolist() == [1.0, 2.0, 3.0, 0.0, 5.0]


@pytest.mark.parametrize("amount", [math.nan, math.inf, -1.0])
def test_what_is_no_amount_is_refused(amount: float) -> None:
    tiles = Tiles()
    with pytest.raises(ValueError, match="0 or more"):
        tiles.add(NOON, {Counter.CHATS: amount})
    assert tiles.block(NOON) == b""


@given(damage=st.binary(min_size=1, max_size=200))
def test_damaged_blocks_are_refused_and_nothing_else_is_raised(damage: bytes) -> None:
    for read in (lambda: window_sums([damage], NOON), lambda: Tiles(damage)):
        try:
            read()
        except ValueError:
            continue
        assert (len(damage) - 1) % (4 * (1 + damage[0])) == 0
