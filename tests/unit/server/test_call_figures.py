"""Figures under one lock read as those of the library."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest

from pairguard.risk.pair import PairRisk
from pairguard.server.call_figures import _PROBABILITIES, _SECONDS, CallFigures

unit = st.floats(0, 1) | st.sampled_from(_PROBABILITIES[:-1])
calls = st.tuples(
    st.sampled_from(["a/B", "a/C"]),
    st.sampled_from(["OK", "INTERNAL"]),
    st.floats(0, 100) | st.sampled_from(_SECONDS[:-1]),
)
pairs = st.tuples(
    st.sampled_from(["ALLOW", "BLOCK"]),
    st.sampled_from(["ADULTS_MEET", "HELD"]),
    st.builds(PairRisk, unit, st.none() | unit, unit),
)


def text_of(registry: CollectorRegistry) -> set[str]:
    """Return the figures as they are served: without those of when each began."""
    lines = generate_latest(registry).decode().splitlines()
    return {line for line in lines if "_created" not in line}


@given(st.lists(calls, max_size=20), st.lists(pairs, max_size=20))
@settings(max_examples=50)
def test_they_are_served_as_the_library_serves_them(
    called: list[tuple[str, str, float]], judged: list[tuple[str, str, PairRisk]]
) -> None:
    mine, theirs = CollectorRegistry(), CollectorRegistry()
    figures = CallFigures()
    mine.register(figures)
    seconds = Histogram(
        "pairguard_rpc_duration_seconds",
        "Time from the start of a call's work to its answer.",
        ["method", "code"],
        registry=theirs,
        buckets=_SECONDS,
    )
    decisions = Counter(
        "pairguard_decisions",
        "Decisions on proposed pairs.",
        ["decision", "leading_reason"],
        registry=theirs,
    )
    probabilities = Histogram(
        "pairguard_pair_probability",
        "Probabilities of judged pairs, by part.",
        ["part"],
        registry=theirs,
        buckets=_PROBABILITIES,
    )
    for part in ("minor_adult", "harm", "risk_score"):
        probabilities.labels(part)

    for method, code, duration in called:
        figures.observe_rpc(method, code, duration)
        seconds.labels(method, code).observe(duration)
    for decision, reason, risk in judged:
        figures.observe_pair(decision, reason, risk)
        decisions.labels(decision, reason).inc()
        probabilities.labels("minor_adult").observe(risk.minor_adult_probability)
        probabilities.labels("risk_score").observe(risk.risk_score)
        if risk.harm_probability is not None:
            probabilities.labels("harm").observe(risk.harm_probability)

    assert text_of(mine) == text_of(theirs)


def test_threads_at_once_lose_nothing() -> None:
    registry = CollectorRegistry()
    figures = CallFigures()
    registry.register(figures)

    with ThreadPoolExecutor(8) as threads:
        for _ in range(2_000):
            threads.submit(figures.observe_rpc, "a/B", "OK", 0.25)

    labels = {"method": "a/B", "code": "OK"}
    assert registry.get_sample_value("pairguard_rpc_duration_seconds_count", labels) == 2_000
    assert registry.get_sample_value("pairguard_rpc_duration_seconds_sum", labels) == 500.0
