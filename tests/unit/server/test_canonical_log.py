"""The log: one line of JSON, sampled, without anything that came from outside."""

from __future__ import annotations

import io
import json
from datetime import datetime
from typing import Any, NoReturn

import pytest

from pairguard.server.call_facts import CallFacts
from pairguard.server.callers import Caller
from pairguard.server.canonical_log import CanonicalLog
from tests.domain import NOW

METHOD = "pairguard.v1.PairRiskService/ScorePair"


def log(stream: io.StringIO, one_ok_call_in: int = 1) -> CanonicalLog:
    def lost() -> NoReturn:
        raise AssertionError

    return CanonicalLog(stream, one_ok_call_in=one_ok_call_in, on_lost_line=lost, clock=lambda: NOW)


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_call_is_one_line_of_what_is_known() -> None:
    stream = io.StringIO()
    facts = CallFacts(
        caller=Caller("matchmaker", frozenset()),
        decision="REROUTE",
        leading_reason="AGE_UNKNOWN",
        bundle_version="b1",
        policy_version="p1",
        degradations=("HARM_MODEL_UNAVAILABLE",),
    )

    log(stream).call(METHOD, 0.00123456, facts)
    log(stream).call(METHOD, 0.5, CallFacts(code="INTERNAL"))

    first, second = lines(stream)
    assert datetime.fromisoformat(first.pop("time")).timestamp() == NOW
    assert first == {
        "level": "info",
        "message": "call",
        "method": METHOD,
        "code": "OK",
        "duration_seconds": 0.001235,
        "caller": "matchmaker",
        "decision": "REROUTE",
        "leading_reason": "AGE_UNKNOWN",
        "bundle_version": "b1",
        "policy_version": "p1",
        "degradations": ["HARM_MODEL_UNAVAILABLE"],
    }
    assert set(second) == {"time", "level", "message", "method", "code", "duration_seconds"}


def test_calls_that_end_ok_are_sampled_and_the_others_are_not() -> None:
    stream = io.StringIO()
    sampled = log(stream, one_ok_call_in=10)

    for _ in range(25):
        sampled.call(METHOD, 0.1, CallFacts())
        sampled.call(METHOD, 0.1, CallFacts(code="INVALID_ARGUMENT"))

    codes = [line["code"] for line in lines(stream)]
    assert codes.count("OK") == 3
    assert codes[0] == "OK"
    assert codes.count("INVALID_ARGUMENT") == 25


def test_a_failure_tells_where_and_never_its_text() -> None:
    stream = io.StringIO()

    def fail() -> NoReturn:
        raise KeyError("participant-4711")

    with pytest.raises(KeyError) as caught:
        fail()
    log(stream).failure("unexpected error in a call", caught.value, method=METHOD)

    (line,) = lines(stream)
    assert (line["level"], line["error"], line["method"]) == ("error", "KeyError", METHOD)
    assert line["frames"][-1].endswith(" fail")
    assert "4711" not in stream.getvalue()


def test_a_stream_that_fails_loses_lines_and_nothing_else() -> None:
    lost: list[int] = []

    class Full(io.StringIO):
        def write(self, _: str) -> NoReturn:
            raise OSError("no space")

    closed = io.StringIO()
    closed.close()
    for stream in (Full(), closed):
        CanonicalLog(stream, one_ok_call_in=1, on_lost_line=lambda: lost.append(1)).call(
            METHOD, 0.1, CallFacts()
        )

    assert lost == [1, 1]
