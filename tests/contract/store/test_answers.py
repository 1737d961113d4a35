"""Answers that a repeat of their request gets again."""

from __future__ import annotations

import math
import threading

import pytest

from pairguard.store.ports import KeptAnswer, ParticipantStore, Retention
from tests.contract.store.adapters import Harness, opened

KEY, OTHER = bytes(range(16)), bytes(16)
ANSWER = KeptAnswer(b"h" * 16, b"the answer \x00\xff", 100.0)
LATER = KeptAnswer(b"i" * 16, b"another", 200.0)
FOREVER = Retention(1e9, 1e9, 1e9, 1e9)


def test_a_kept_answer_is_found_by_every_handle(harness: Harness, store: ParticipantStore) -> None:
    assert store.find_answer(KEY, now=1.0) is None
    assert store.keep_answer(KEY, ANSWER, now=1.0) == ANSWER
    other = opened(harness.location)
    assert other.find_answer(KEY, now=2.0) == ANSWER
    assert other.find_answer(OTHER, now=2.0) is None
    other.close()


def test_the_first_answer_stands_until_it_expires(store: ParticipantStore) -> None:
    store.keep_answer(KEY, ANSWER, now=1.0)
    assert store.keep_answer(KEY, LATER, now=99.0) == ANSWER
    assert store.find_answer(KEY, now=math.nextafter(100.0, 0.0)) == ANSWER
    assert store.find_answer(KEY, now=100.0) is None
    assert store.keep_answer(KEY, LATER, now=100.0) == LATER
    assert store.find_answer(KEY, now=101.0) == LATER


def test_an_answer_that_has_expired_already_is_given_and_not_kept(store: ParticipantStore) -> None:
    assert store.keep_answer(KEY, ANSWER, now=500.0) == ANSWER
    assert store.find_answer(KEY, now=500.0) is None


def test_of_answers_at_once_everybody_gets_the_same(store: ParticipantStore) -> None:
    given: list[KeptAnswer] = []
    barrier = threading.Barrier(4)

    def work(number: int) -> None:
        barrier.wait(timeout=10)
        for turn in range(10):
            answer = KeptAnswer(bytes([number]) * 16, f"{number}".encode(), 100.0)
            given.append(store.keep_answer(bytes([turn] * 16), answer, now=1.0))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert len(given) == 40
    for turn in range(10):
        kept = store.find_answer(bytes([turn] * 16), now=2.0)
        assert kept is not None
    kept_ones = [store.find_answer(bytes([turn] * 16), now=2.0) for turn in range(10)]
    for each in {answer.response for answer in kept_ones if answer is not None}:
        told = sum(1 for answer in given if answer.response == each)
        assert told == 4 * sum(
            1 for answer in kept_ones if answer is not None and answer.response == each
        )


def test_expired_answers_are_forgotten(store: ParticipantStore) -> None:
    store.keep_answer(KEY, ANSWER, now=1.0)
    store.keep_answer(OTHER, LATER, now=1.0)
    assert store.statistics().answers == 2
    assert store.purge(now=100.0, retention=FOREVER).answers == 1
    assert store.find_answer(OTHER, now=101.0) == LATER
    assert store.statistics().answers == 1


@pytest.mark.parametrize("now", [math.nan, math.inf])
def test_a_time_that_is_no_time_is_refused(store: ParticipantStore, now: float) -> None:
    with pytest.raises(ValueError, match="finite"):
        store.keep_answer(KEY, ANSWER, now=now)
    with pytest.raises(ValueError, match="finite"):
        store.find_answer(KEY, now=now)
