"""Numbers as people read them."""

from __future__ import annotations

import io

import pytest

from pairguard.admin.output import Output, size_text, span_text, time_text


@pytest.mark.parametrize(
    ("number", "text"),
    [(0, "0 bytes"), (999, "999 bytes"), (1_000, "1.0 kB"), (2_500_000, "2.5 MB"), (7e9, "7.0 GB")],
)
def test_sizes(number: int, text: str) -> None:
    assert size_text(number) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.0, "0.0 s"), (90.0, "1.5 min"), (7_200.0, "2.0 h"), (86_400.0, "1.0 d")],
)
def test_spans(seconds: float, text: str) -> None:
    assert span_text(seconds) == text


def test_times_are_utc() -> None:
    assert time_text(1_795_000_000.9) == "2026-11-18T11:06:40Z"
    assert time_text(None) == "-"


@pytest.mark.parametrize(("as_json", "text"), [(True, '{"a": 1}\n'), (False, "for people\n")])
def test_programs_and_people_each_get_theirs(as_json: bool, text: str) -> None:
    stream = io.StringIO()
    output = Output(stream, as_json=as_json)
    output.tell({"a": 1}, ["for people"])
    if as_json:
        output.say("not for programs")
    assert stream.getvalue() == text
