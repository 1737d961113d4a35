from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pairguard_training.harm_labels import harm_rows
from tests.unit.training.tables_of_rows import DAY_0, snapshot, tables_of_rows

LONG_AFTER = DAY_0 + timedelta(days=40)


def pair(**values: object) -> dict[str, object]:
    return {
        "pair_id": "p",
        "snapshot_a": "a",
        "snapshot_b": "b",
        "proposed_time": DAY_0,
        "decision": "ALLOW",
        **values,
    }


def report(days: float = 1.0, **values: object) -> dict[str, object]:
    when = DAY_0 + timedelta(days=days)
    return {
        "pair_id": "p",
        "kind": "report",
        "category": "SEXUAL_CONDUCT",
        "reporter_id": "a",
        "reported_id": "b",
        "observed_time": when,
        "received_time": when,
        **values,
    }


def verdict(word: str, about: str | None = "b", *, days: float = 5.0) -> dict[str, object]:
    row = report(days, kind="review_verdict", reporter_id=None, reported_id=about)
    return row | {"verdict": word}


END = {"pair_id": "p", "kind": "chat_ended", "received_time": LONG_AFTER}


def labels(tmp_path: Path, the_pair: dict[str, object], *outcomes: dict[str, Any]) -> list[bool]:
    people = [snapshot("a"), snapshot("b")]
    tables = tables_of_rows(tmp_path, snapshots=people, pairs=[the_pair], outcomes=outcomes)
    rows = harm_rows(tables, report_window_days=14.0)
    return [bool(harmed) for harmed in rows.harmed]


@pytest.mark.parametrize(
    ("outcomes", "harmed"),
    [
        ((), False),
        ((report(),), True),
        ((report(13.9),), True),
        ((report(category=None),), True),
        ((report(category="SPAM"),), False),
        ((report(category="UNDERAGE"),), False),
        ((report(), verdict("UPHELD")), True),
        ((report(), verdict("CLEARED")), False),
        ((report(), verdict("INCONCLUSIVE"), verdict("UPHELD")), True),
        ((report(), verdict("CLEARED"), verdict("INCONCLUSIVE")), False),
        ((report(), verdict("UPHELD"), verdict("CLEARED")), False),
        ((report(), verdict("CLEARED", about=None)), False),
        # The other one was cleared; this report was never reviewed.
        ((report(), verdict("CLEARED", about="a")), True),
        ((report(), report(reporter_id="b", reported_id="a"), verdict("CLEARED")), True),
        ((report(reported_id=None), verdict("CLEARED")), True),
        ((verdict("CLEARED"),), False),
        ((verdict("UPHELD"), verdict("CLEARED")), False),
        ((verdict("UPHELD") | {"category": "SPAM"},), False),
    ],
)
def test_a_report_counts_in_time_and_as_upheld_where_reviewed(
    tmp_path: Path, outcomes: tuple[dict[str, Any], ...], harmed: bool
) -> None:
    assert labels(tmp_path, pair(), END, *outcomes) == [harmed]


@pytest.mark.parametrize(
    ("outcomes", "known"),
    [
        ((report(14.1),), []),
        ((report(14.1), verdict("UPHELD", days=16.0)), []),
        ((report(14.1), verdict("INCONCLUSIVE", days=16.0)), []),
        # A review found that there was no harm, whenever it was told of.
        ((report(14.1), verdict("CLEARED", days=16.0)), [False]),
        ((report(14.1), report()), [True]),
        ((report(), verdict("CLEARED"), report(14.1)), []),
        ((report(14.1, category="SPAM"),), [False]),
        ((report(), verdict("INCONCLUSIVE")), []),
        # A review that nobody's report led to.
        ((verdict("UPHELD"),), []),
        ((verdict("INCONCLUSIVE"),), []),
        ((report(), verdict("CLEARED"), verdict("UPHELD", about="a")), []),
        ((report(), report(reporter_id="b", reported_id="a"), verdict("INCONCLUSIVE")), [True]),
    ],
)
def test_what_came_too_late_or_could_not_be_told_is_neither_harm_nor_none(
    tmp_path: Path, outcomes: tuple[dict[str, Any], ...], known: list[bool]
) -> None:
    assert labels(tmp_path, pair(), END, *outcomes) == known


EVENTS = st.lists(
    st.tuples(
        st.sampled_from(["report", "UPHELD", "CLEARED", "INCONCLUSIVE"]),
        st.sampled_from([None, "a", "b", "c"]),
        st.sampled_from([None, "a", "b"]),
        st.sampled_from([1.0, 13.0, 15.0, 30.0]),
    ),
    max_size=5,
)


@given(events=EVENTS)
@settings(max_examples=60)
def test_only_a_pair_of_which_all_that_was_said_was_cleared_is_called_harmless(
    tmp_path_factory: pytest.TempPathFactory,
    events: list[tuple[str, str | None, str | None, float]],
) -> None:
    """Whatever else is done with a report, it never speaks for the pair."""
    outcomes = [
        report(days, reporter_id=by, reported_id=about)
        if what == "report"
        else verdict(what, about, days=days)
        for what, by, about, days in events
    ]
    if labels(tmp_path_factory.mktemp("world"), pair(), END, *outcomes) != [False]:
        return
    for what, _, about, _ in events:
        assert what in {"report", "CLEARED"} or any(
            word == "CLEARED" and judged == about for word, _, judged, _ in events
        )
    for what, _, about, days in events:
        assert what != "report" or any(
            word == "CLEARED" and judged in (about, None) and when >= days
            for word, _, judged, when in events
        )


@pytest.mark.parametrize(
    "values",
    [
        {"decision": "REROUTE"},
        {"decision": "BLOCK"},
        {"decision": None},
        {"chat_started": False},
        {"proposed_time": LONG_AFTER - timedelta(days=13)},
    ],
)
def test_pairs_that_did_not_meet_or_are_not_mature_have_no_label(
    tmp_path: Path, values: dict[str, object]
) -> None:
    assert labels(tmp_path, pair(**values), END, report()) == []


def test_a_started_chat_says_that_it_was_allowed(tmp_path: Path) -> None:
    assert labels(tmp_path, pair(decision=None, chat_started=True), END, report()) == [True]


def test_without_any_outcome_nothing_is_known_of_harm(tmp_path: Path) -> None:
    later = pair(pair_id="q", proposed_time=LONG_AFTER)
    people = [snapshot("a"), snapshot("b")]
    tables = tables_of_rows(tmp_path, snapshots=people, pairs=[pair(), later])
    assert harm_rows(tables).harmed.size == 0


def test_a_pair_of_which_no_start_is_told_teaches_nothing_where_starts_are_told(
    tmp_path: Path,
) -> None:
    people = [snapshot(name) for name in "abcd"]
    others = {"pair_id": "q", "snapshot_a": "c", "snapshot_b": "d"}

    def learned(started: bool | None, name: str) -> list[str]:
        tables = tables_of_rows(
            tmp_path / name,
            snapshots=people,
            pairs=[pair(chat_started=None), pair(chat_started=started, **others)],
            outcomes=[END],
        )
        return harm_rows(tables, report_window_days=14.0).pair_ids

    assert learned(started=True, name="told") == ["q"]
    # Where none is told of any pair, an ALLOW stands for a meeting.
    assert learned(started=None, name="untold") == ["p", "q"]
