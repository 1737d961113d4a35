"""The budget of a call, on a clock of the test's own."""

import grpc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pairguard.client import FailureKind
from pairguard.client.failure import LocalFailure
from pairguard.client.retry import RETRIED_CODES, CallBudget

UNAVAILABLE = grpc.StatusCode.UNAVAILABLE


class Clock:
    """Time that passes when it is told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def largest(_: float, high: float) -> float:
    """Draw the longest delay."""
    return high


def budget(clock: Clock, *, timeout_seconds: float = 1.0, max_attempts: int = 10) -> CallBudget:
    """Return a budget whose delays are the longest."""
    return CallBudget(
        timeout_seconds=timeout_seconds, max_attempts=max_attempts, clock=clock, uniform=largest
    )


def test_the_server_is_told_less_than_the_caller_waits() -> None:
    assert budget(Clock(), timeout_seconds=1.0).start_attempt() == pytest.approx(0.98)
    assert budget(Clock(), timeout_seconds=0.05).start_attempt() == pytest.approx(0.045)


def test_each_attempt_has_what_is_left() -> None:
    clock = Clock()
    call = budget(clock)

    first = call.start_attempt()
    clock.now += 0.3

    assert call.start_attempt() == pytest.approx(first - 0.3)
    assert call.attempts == 2


def test_delays_grow_and_stay_below_their_ceiling() -> None:
    clock = Clock()
    call = budget(clock, timeout_seconds=10.0)
    delays = []
    for _ in range(6):
        call.start_attempt()
        delays.append(call.delay_before_retry(UNAVAILABLE))

    assert delays == pytest.approx([0.01, 0.02, 0.04, 0.08, 0.1, 0.1])


def test_the_last_attempt_is_the_last() -> None:
    call = budget(Clock(), max_attempts=2)

    call.start_attempt()
    assert call.delay_before_retry(UNAVAILABLE) is not None
    call.start_attempt()
    assert call.delay_before_retry(UNAVAILABLE) is None


def test_only_what_a_restart_causes_is_tried_again() -> None:
    assert set(RETRIED_CODES) == {UNAVAILABLE, grpc.StatusCode.CANCELLED}
    for code in grpc.StatusCode:
        call = budget(Clock())
        call.start_attempt()

        assert (call.delay_before_retry(code) is not None) == (code in RETRIED_CODES)


def test_no_attempt_starts_when_the_time_is_gone() -> None:
    clock = Clock()
    call = budget(clock)
    clock.now += 0.99

    with pytest.raises(LocalFailure) as caught:
        call.start_attempt()

    assert caught.value.kind is FailureKind.SERVICE_TIMEOUT
    assert caught.value.code is grpc.StatusCode.DEADLINE_EXCEEDED
    assert call.attempts == 0


@given(
    timeout_seconds=st.floats(0.001, 60),
    max_attempts=st.integers(1, 10),
    durations=st.lists(st.floats(0, 10), min_size=10, max_size=10),
    shares=st.lists(st.floats(0, 1), min_size=10, max_size=10),
)
def test_no_attempt_may_outlast_the_timeout(
    timeout_seconds: float, max_attempts: int, durations: list[float], shares: list[float]
) -> None:
    clock = Clock()
    drawn = iter(shares)
    call = CallBudget(
        timeout_seconds=timeout_seconds,
        max_attempts=max_attempts,
        clock=clock,
        uniform=lambda low, high: low + next(drawn) * (high - low),
    )
    end = clock.now + timeout_seconds
    for duration in durations:
        allowed_seconds = call.start_attempt()
        assert allowed_seconds > 0
        assert clock.now + allowed_seconds < end
        clock.now += min(duration, allowed_seconds)
        delay_seconds = call.delay_before_retry(UNAVAILABLE)
        if delay_seconds is None:
            break
        clock.now += delay_seconds
        assert clock.now < end

    assert call.attempts <= max_attempts
