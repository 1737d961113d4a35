"""Pauses between attempts to reach a store."""

from __future__ import annotations

import pytest

from pairguard.errors import StoreUnavailable
from pairguard.store.redis.circuit import Circuit


class Clock:
    def __init__(self) -> None:
        self.time = 100.0

    def __call__(self) -> float:
        return self.time


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def circuit(clock: Clock) -> Circuit:
    return Circuit(first_pause_seconds=0.05, longest_pause_seconds=0.2, clock=clock)


def is_open(circuit: Circuit) -> bool:
    try:
        circuit.enter()
    except StoreUnavailable:
        return True
    return False


def test_whoever_answers_is_always_asked(circuit: Circuit) -> None:
    for _ in range(3):
        assert not is_open(circuit)
        circuit.succeeded()


def test_after_a_failure_one_in_each_pause_asks(circuit: Circuit, clock: Clock) -> None:
    circuit.failed(circuit.now())
    assert is_open(circuit)
    clock.time += 0.051
    assert not is_open(circuit)
    assert is_open(circuit)


def test_pauses_double_up_to_the_longest(circuit: Circuit, clock: Clock) -> None:
    for pause in (0.05, 0.1, 0.2, 0.2):
        circuit.failed(circuit.now())
        clock.time += pause - 0.001
        assert is_open(circuit)
        clock.time += 0.002
        assert not is_open(circuit)


def test_one_answer_closes_it(circuit: Circuit, clock: Clock) -> None:
    circuit.failed(circuit.now())
    clock.time += 0.06
    circuit.enter()
    circuit.succeeded()
    assert not is_open(circuit)
    circuit.failed(circuit.now())
    clock.time += 0.051
    assert not is_open(circuit)


def test_attempts_that_were_under_way_together_count_as_one(circuit: Circuit, clock: Clock) -> None:
    began = circuit.now()
    clock.time += 0.01
    for _ in range(10):
        circuit.failed(began)
        clock.time += 0.0001
    clock.time += 0.051
    assert not is_open(circuit)


def test_an_attempt_that_never_ends_is_followed_by_another(circuit: Circuit, clock: Clock) -> None:
    circuit.failed(circuit.now())
    clock.time += 0.06
    circuit.enter()
    assert is_open(circuit)
    clock.time += 0.06
    assert not is_open(circuit)
