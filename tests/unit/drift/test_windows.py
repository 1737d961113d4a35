"""A window rolls, and counts everybody once."""

from __future__ import annotations

import numpy as np
import pytest

from pairguard.drift.groups import Group, Unit
from pairguard.drift.tally import Layout
from pairguard.drift.variables import Variable
from pairguard.drift.windows import Window

LAYOUT = Layout([Variable(Group.MIX, "region", (10, 0), 0, words=("GB",))])
START = 1_795_000_000.0 // 3_600 * 3_600


def window(places: int = 1 << 16) -> Window:
    return Window(LAYOUT, tile_seconds=60.0, tiles=10, places=places, salt="salt")


def add(to: Window, name: str, now: float, region: str = "GB") -> bool:
    admitted = to.admit(Unit.PARTICIPANT, (name,), now)
    if admitted:
        to.count(Unit.PARTICIPANT, {(Group.MIX, "region"): region}, now)
    return admitted


def test_a_participant_counts_once_a_window() -> None:
    rolling = window()

    seen = [add(rolling, "a", START + minute * 60) for minute in range(25)]

    assert [minute for minute, admitted in enumerate(seen) if admitted] == [0, 10, 20]
    assert rolling.counted(Unit.PARTICIPANT, START + 24 * 60) == 1
    assert rolling.total(START + 24 * 60).tolist() == [1, 0, 0]


def test_what_is_too_old_is_forgotten() -> None:
    rolling = window()
    for number in range(50):
        add(rolling, f"p{number}", START + number * 60)
    last = START + 49 * 60

    assert rolling.counted(Unit.PARTICIPANT, last) == 10
    assert rolling.total(last).sum() == 10
    assert rolling.counted(Unit.PARTICIPANT, last + 600) == 0
    assert rolling.total(last + 1e6).sum() == 0


@pytest.mark.parametrize("pause", [0, 1, 5, 10, 240, 241, 250, 251, 252, 260, 500, 502, 100_000])
def test_stamps_that_go_round_make_nobody_seem_seen(pause: int) -> None:
    rolling = window()
    add(rolling, "a", START)
    add(rolling, "b", START + 60)

    assert add(rolling, "a", START + pause * 60) is (pause >= 10)


def test_nobody_is_seen_for_longer_whatever_the_pauses() -> None:
    generator = np.random.default_rng(5)
    rolling, now = window(), START
    last: dict[str, int] = {}
    for step in range(3_000):
        now += float(
            generator.choice([0.0, 5.0, 61.0, 15_000.0, 15_060.0], p=[0.5, 0.3, 0.1, 0.05, 0.05])
        )
        name = f"p{generator.integers(20)}"
        tile = int(now // 60)
        expected = name not in last or tile - last[name] >= 10
        assert add(rolling, name, now) is expected, step
        if expected:
            last[name] = tile


def test_a_pair_counts_where_neither_was_in_one() -> None:
    rolling = window()

    assert rolling.admit(Unit.PAIR, ("a", "b"), START)
    assert not rolling.admit(Unit.PAIR, ("b", "c"), START)
    assert rolling.admit(Unit.PAIR, ("c", "d"), START)
    assert rolling.admit(Unit.PARTICIPANT, ("a",), START)


def test_memory_does_not_grow_with_people() -> None:
    rolling = window(places=64)
    for number in range(5_000):
        add(rolling, f"p{number}", START)

    assert 32 < rolling.counted(Unit.PARTICIPANT, START) <= 64
    assert sum(seen.nbytes for seen in rolling._seen.values()) == 128


def test_a_clock_that_goes_back_counts_in_the_present_tile() -> None:
    rolling = window()
    add(rolling, "a", START + 600)

    assert add(rolling, "b", START)
    assert not add(rolling, "a", START)
    assert rolling.counted(Unit.PARTICIPANT, START) == 2
