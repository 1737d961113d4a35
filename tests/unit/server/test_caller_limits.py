"""One caller's share: a second's worth at once, then one whenever the next is due."""

from __future__ import annotations

from contextlib import ExitStack
from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pairguard.server.caller_limits import CallerLimits
from pairguard.server.callers import Caller, Scope
from pairguard.server.errors import CallerLimited


class Clock:
    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


def caller(name: str = "chat", *, rate: float = inf, at_once: float = inf) -> Caller:
    return Caller(name, frozenset({Scope.SCORE}), inf, rate, at_once)


def begin(limits: CallerLimits, who: Caller) -> str:
    try:
        with limits.call(who):
            return "begun"
    except CallerLimited as error:
        return error.reason


def test_who_has_no_limit_is_never_counted() -> None:
    limits = CallerLimits(clock=Clock())
    assert {begin(limits, caller()) for _ in range(1_000)} == {"begun"}


def test_a_second_s_worth_may_begin_at_once_and_then_as_many_as_are_due() -> None:
    clock = Clock()
    limits = CallerLimits(clock=clock)
    chat = caller(rate=5.0)
    assert [begin(limits, chat) for _ in range(6)] == ["begun"] * 5 + ["CALLER_RATE_EXCEEDED"]
    clock.now += 0.2
    assert [begin(limits, chat) for _ in range(2)] == ["begun", "CALLER_RATE_EXCEEDED"]
    assert begin(limits, caller("another", rate=5.0)) == "begun"


def test_calls_under_way_are_bounded_and_an_error_ends_one() -> None:
    limits = CallerLimits()
    chat = caller(at_once=2.0)
    with ExitStack() as under_way:
        for _ in range(2):
            under_way.enter_context(limits.call(chat))
        assert begin(limits, chat) == "CALLER_CONCURRENCY_EXCEEDED"
        assert begin(limits, caller("another", at_once=1.0)) == "begun"
    with pytest.raises(ZeroDivisionError), limits.call(chat):
        raise ZeroDivisionError
    with limits.call(chat), limits.call(chat):
        pass


@given(
    rate=st.floats(0.05, 50.0),
    waits=st.lists(st.floats(0.0, 3.0), min_size=1, max_size=60),
)
def test_in_any_time_no_more_begin_than_the_rate_allows(rate: float, waits: list[float]) -> None:
    clock = Clock()
    limits = CallerLimits(clock=clock)
    begun: list[float] = []
    for wait in waits:
        clock.now += wait
        if begin(limits, caller(rate=rate)) == "begun":
            begun.append(clock.now)
    most_at_once = max(rate, 1.0)
    for first, start in enumerate(begun):
        for count, end in enumerate(begun[first:], start=1):
            assert count <= most_at_once + rate * (end - start) + 1e-6
