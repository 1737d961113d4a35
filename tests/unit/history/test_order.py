"""The order in which changes come does not matter, and what is told twice counts once."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from pairguard.history.changes import (
    Blocked,
    Change,
    ChatEnded,
    ChatStarted,
    Exonerated,
    ReviewResult,
)
from pairguard.history.summary import Summary, blocks, last_met, open_chats, summarise
from tests.history_changes import (
    DAY,
    HOUR,
    NOON,
    changes,
    ended,
    hashed,
    reported,
    reviewed,
    row_of,
    started,
)

NOW = NOON + DAY
IDS = [hashed(name) for name in ("ann", "bea", "cem", "dan", "phone of ann")]


def said(summary: Summary) -> dict[str, Any]:
    """Return what a summary says, without the order of what has none."""
    return {name: getattr(summary, name) for name in Summary.__dataclass_fields__}


def once_each(happened: list[Change]) -> list[Change]:
    """Return changes of which no two tell of the same start, end or report otherwise.

    Of two that differ the first one counts, so their order matters by intention.
    """
    seen = set()
    kept = []
    for change in happened:
        subject = (
            type(change),
            getattr(change, "chat", None)
            if isinstance(change, (ChatStarted, ChatEnded))
            else getattr(change, "report", getattr(change, "evidence", id(change))),
        )
        if subject not in seen:
            seen.add(subject)
            kept.append(change)
    return kept


def is_lift(change: Change) -> bool:
    """Return whether a change takes a block back; those count in the order in which they come."""
    return isinstance(change, Blocked) and change.lifted


@given(
    happened=st.lists(changes.filter(lambda change: not is_lift(change)), max_size=14).map(
        once_each
    ),
    data=st.data(),
)
def test_any_order_leaves_the_same_summary(happened: list[Change], data: st.DataObject) -> None:
    shuffled = data.draw(st.permutations(happened))
    first, second = row_of(happened), row_of(shuffled)
    assert said(summarise([first], NOW)) == said(summarise([second], NOW))
    assert blocks([first], IDS) == blocks([second], IDS)
    for each in IDS:
        assert last_met([first], [each]) == last_met([second], [each])
        assert blocks([first], [each]) == blocks([second], [each])


@given(happened=st.lists(changes, max_size=14).map(once_each), data=st.data())
def test_it_does_not_matter_which_id_learned_of_it_first(
    happened: list[Change], data: st.DataObject
) -> None:
    shuffled = data.draw(st.permutations(happened))
    first, second = row_of(happened), row_of(shuffled)
    together = said(summarise([first, second], NOW))
    assert together == said(summarise([second, first], NOW))
    assert together == said(summarise([first], NOW))


def test_a_report_before_its_chat_waits_for_it() -> None:
    waiting = row_of([reported("r", "ann", time=NOON)])
    assert summarise([waiting], NOW).reporters_30d == 0.0
    for meeting in (started("c", "ann", time=NOON + 9.0), ended("c", "ann", time=NOON + 9.0)):
        assert summarise([row_of([meeting], waiting)], NOW).reporters_30d == 1.0


def test_a_verdict_before_its_report_waits_for_it() -> None:
    row = row_of([reviewed(ReviewResult.CLEARED, "r", time=NOON), started("c", "ann")])
    row = row_of([reported("r", "ann", time=NOON + HOUR)], row)
    assert summarise([row], NOW).reporters_30d == 0.0


def test_an_end_before_its_start_is_one_chat_and_not_an_open_one() -> None:
    row = row_of([ended("c", "ann", time=NOON + 60.0), started("c", "ann", time=NOON)])
    summary = summarise([row], NOW)
    assert summary.signals is not None
    assert summary.signals["history.chats_started_7d"] == 1.0
    assert open_chats([row], NOW) == ()


@given(copies=st.lists(st.integers(0, 600), min_size=1, max_size=6), data=st.data())
def test_both_sides_and_the_platform_may_tell_of_one_chat(
    copies: list[int], data: st.DataObject
) -> None:
    told: list[Change] = []
    for second in copies:
        told.append(started("c", "ann", time=NOON + second))
        told.append(ended("c", "ann", time=NOON + second, seconds=8.0, skipped=True, minor=0.5))
    row = row_of(data.draw(st.permutations(told)))
    signals = summarise([row], NOON + 700.0).signals
    assert signals is not None
    assert signals["history.chats_started_24h"] == 1.0
    assert signals["history.skips_made_24h"] == 1.0
    assert signals["history.seconds_with_likely_minors_24h"] == 4.0
    assert signals["history.distinct_partners_30d"] == 1.0


def test_of_a_block_and_its_end_the_later_one_stands_and_in_doubt_the_block() -> None:
    block = Blocked(NOON, (hashed("ann"),), by_this=True)
    lift = replace(block, time=NOON + 1.0, lifted=True)
    again = replace(block, time=NOON + 2.0)
    same_time = replace(block, lifted=True)
    for order, stands in (
        ([block, lift], False),
        # A block that is told after a lift stands: the clock may have gone back between them.
        ([lift, block], True),
        ([lift, block, again], True),
        ([again, lift, block], True),
        ([block, same_time], True),
        ([same_time, block], True),
    ):
        assert blocks([row_of(order)], [hashed("ann")]) == stands


def test_an_appeal_that_comes_before_what_it_overturns_overturns_it() -> None:
    upheld = reviewed(ReviewResult.UPHELD, "r", time=NOON)
    appeal = Exonerated(NOON + HOUR)
    orders: tuple[list[Change], ...] = ([upheld, appeal], [appeal, upheld])
    for order in orders:
        assert not summarise([row_of(order)], NOW).upheld_harm
    at_once = Exonerated(NOON)
    orders = ([upheld, at_once], [at_once, upheld])
    for order in orders:
        assert not summarise([row_of(order)], NOW).upheld_harm
    later = reviewed(ReviewResult.UPHELD, "r", time=NOON + 2 * HOUR)
    assert summarise([row_of([appeal, later, upheld])], NOW).upheld_harm
