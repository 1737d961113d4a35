"""What was computed lately is kept within bounds."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from pairguard.age.recent import Recent
from tests.domain import NOW


def recent(most_bytes: int = 800, unused_seconds: float = 60.0) -> Recent[str]:
    return Recent(most_bytes=most_bytes, unused_seconds=unused_seconds)


def fill(kept: Recent[str], count: int, *, size_bytes: int = 100, now: float = NOW) -> None:
    for number in range(count):
        kept.keep(number, f"value {number}", size_bytes=size_bytes, now=now)


class Colliding:
    """A key whose hash says nothing."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __hash__(self) -> int:
        return 7

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Colliding) and other.name == self.name


def test_what_was_kept_is_found_by_an_equal_key() -> None:
    kept = recent()
    kept.keep((1, "a"), "value", size_bytes=10, now=NOW)
    assert kept.get((1.0, "a"), now=NOW) == "value"
    assert kept.get((2, "a"), now=NOW) is None


def test_the_sum_of_sizes_stays_within_its_bound() -> None:
    kept = recent()
    fill(kept, 50)
    assert len(kept) == 8
    assert kept.size_bytes == 800
    assert kept.get(49, now=NOW) == "value 49"
    assert kept.get(41, now=NOW) is None


def test_what_was_asked_for_outlives_what_was_not() -> None:
    kept = recent()
    fill(kept, 8)
    assert kept.get(0, now=NOW) is not None
    kept.keep("new", "value", size_bytes=100, now=NOW)
    assert kept.get(0, now=NOW) is not None
    assert kept.get(1, now=NOW) is None


def test_a_value_in_place_of_another_counts_once() -> None:
    kept = recent()
    for _ in range(9):
        kept.keep("key", "value", size_bytes=100, now=NOW)
    assert kept.size_bytes == 100


def test_what_would_push_out_too_much_is_not_kept() -> None:
    kept = recent()
    fill(kept, 8)
    kept.keep("huge", "value", size_bytes=101, now=NOW)
    assert kept.get("huge", now=NOW) is None
    assert len(kept) == 8


@pytest.mark.parametrize("seconds", [61.0, -61.0])
def test_what_nobody_asked_for_is_forgotten_whichever_way_the_clock_goes(seconds: float) -> None:
    kept = recent()
    fill(kept, 3)
    kept.keep("new", "value", size_bytes=100, now=NOW + seconds)
    assert len(kept) == 1


def test_of_two_keys_of_one_hash_neither_gets_the_others_value() -> None:
    kept = recent()
    kept.keep(Colliding("a"), "of a", size_bytes=100, now=NOW)
    assert kept.get(Colliding("b"), now=NOW) is None
    kept.keep(Colliding("b"), "of b", size_bytes=100, now=NOW)
    assert kept.get(Colliding("b"), now=NOW) == "of b"
    assert kept.get(Colliding("a"), now=NOW) is None
    assert kept.size_bytes == 100


def test_threads_leave_it_within_its_bound() -> None:
    kept = recent()

    def work(seed: int) -> bool:
        right = True
        for step in range(2_000):
            number = (step * seed) % 23
            found = kept.get(number, now=NOW + step)
            right &= found in (None, f"value {number}")
            kept.keep(number, f"value {number}", size_bytes=100, now=NOW + step)
        return right

    with ThreadPoolExecutor(4) as threads:
        assert all(threads.map(work, (1, 3, 5, 7)))
    assert kept.size_bytes == 100 * len(kept) <= 800
