"""Between which times an item's moment stays as it is."""

from __future__ import annotations

import math
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pairguard.age.evidence import AgeEvidence, SelfDeclared
from pairguard.age.moment import Moment, moment_of, unchanged_during
from tests.domain import DAY, NOW, YEAR, evidence_items

WEEK = 7.0 * DAY
# Around the edges of weeks, of years and of now, and anywhere.
spans = st.one_of(
    st.integers(-3, 60).flatmap(
        lambda weeks: st.sampled_from([-1.5, -0.25, 0.0, 0.25, 1.5]).map(
            lambda seconds: weeks * WEEK + seconds
        )
    ),
    st.floats(-2 * YEAR, 30 * YEAR),
)
known_days = st.one_of(
    st.none(), st.integers(0, 60).map(lambda weeks: 7.0 * weeks), st.floats(0, 900)
)


def moment(item: AgeEvidence, now: float, days: float | None) -> Moment:
    since = None if days is None else now - days * DAY
    return moment_of(item, now, tampered=False, device_since=since)


@settings(max_examples=500, deadline=None)
@given(item=evidence_items, span=spans, days=known_days, part=st.floats(0, 1))
def test_the_moment_stays_as_it_is(
    item: AgeEvidence, span: float, days: float | None, part: float
) -> None:
    now = (item.observed_time or NOW) + span
    since = None if days is None else now - days * DAY
    first, last = unchanged_during(item, now, device_since=since)
    if not first <= now <= last:
        return
    as_now = moment(item, now, days)
    first, last = max(first, now - 2 * WEEK), min(last, now + 2 * WEEK)
    for time in (first, last, first + part * (last - first)):
        assert moment(item, time, days) == as_now


@given(item=evidence_items, days=known_days, span=st.floats(0, 5 * YEAR))
def test_few_times_are_too_near_to_a_change(
    item: AgeEvidence, days: float | None, span: float
) -> None:
    covered = 0
    for step in range(20):
        now = NOW + span + step * 1.37 * DAY
        since = None if days is None else now - days * DAY
        first, last = unchanged_during(item, now, device_since=since)
        covered += first <= now <= last
    assert covered >= 17  # a second on either side of a handful of changes


def test_a_year_of_birth_counts_by_calendar_years() -> None:
    turn = datetime(2027, 1, 1, tzinfo=UTC).timestamp()
    item = AgeEvidence(SelfDeclared(birth_year=2008, declared_time=turn - 300 * DAY))
    before = unchanged_during(item, turn - 5.0, device_since=None)
    after = unchanged_during(item, turn + 5.0, device_since=None)
    assert before[1] == turn - 1.0
    assert after[0] == turn + 1.0
    assert moment(item, turn - 5.0, None) != moment(item, turn + 5.0, None)


@pytest.mark.parametrize("odd", [math.inf, -math.inf, 1e13])
def test_nothing_is_said_of_times_without_seconds(odd: float) -> None:
    item = AgeEvidence(SelfDeclared(20.0), observed_time=NOW, expire_time=odd)
    first, last = unchanged_during(item, NOW, device_since=None)
    assert first > last
    first, last = unchanged_during(item, math.nan, device_since=None)
    assert first > last
