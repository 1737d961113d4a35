"""Which pair an event is about."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from pairguard_training.exporting.conversion import HAPPENINGS, MEETINGS
from pairguard_training.exporting.outcomes import Outcomes, find_outcomes, wanted_meetings

NO_CLUSTERS = pl.DataFrame(schema={"id": pl.String, "cluster_id": pl.String})
Rows = Sequence[dict[str, Any]]


def meeting(decision: str, a: str, b: str, time: int = 0, **values: object) -> dict[str, Any]:
    return {
        "pair_id": decision,
        "decision_id": decision,
        "ranked": False,
        "person_a": a,
        "person_b": b,
        "allowed": True,
        "proposed_time": time * 1_000_000,
        **values,
    }


def event(name: str, kind: str, a: str, b: str | None = None, **values: object) -> dict[str, Any]:
    time = int(str(values.pop("time", 100))) * 1_000_000
    return {
        "event_id": name,
        "kind": kind,
        "person_a": a,
        "person_b": b,
        "observed_time": time,
        "received_time": time,
        "report_ids": [],
        **values,
    }


def frame(rows: Rows, types: Any) -> pl.DataFrame:
    raw = {name: pl.Int64() if isinstance(t, pl.Datetime) else t for name, t in types.items()}
    made = pl.DataFrame(list(rows), schema=raw)
    return made.with_columns(
        pl.col(name).cast(t) for name, t in types.items() if isinstance(t, pl.Datetime)
    )


def found(events: Rows, meetings: Rows, clusters: dict[str, str] | None = None) -> Outcomes:
    happenings = frame(events, HAPPENINGS).with_columns(stretch=pl.lit(0, dtype=pl.Int64))
    known = pl.DataFrame(
        {"id": list(clusters or {}), "cluster_id": list((clusters or {}).values())},
        schema=dict(NO_CLUSTERS.schema),
    )
    wanted = wanted_meetings(happenings, [frame(meetings, MEETINGS)])
    return find_outcomes(happenings, wanted, known)


def pairs(outcomes: Outcomes, kind: str) -> list[str]:
    return outcomes.rows.filter(pl.col("kind") == kind)["pair_id"].to_list()


def reasons(outcomes: Outcomes) -> dict[str, int]:
    return dict(outcomes.left_out.select("reason", "count").iter_rows())


def test_the_two_of_a_chat_may_stand_in_the_decision_under_another_id_of_theirs() -> None:
    start = event("e", "chat_started", "session", "b", decision_id="d", chat_id="c")
    assert pairs(found([start], [meeting("d", "account", "b")]), "chat_started") == []
    told = found([start], [meeting("d", "account", "b")], {"session": "h", "account": "h"})
    assert pairs(told, "chat_started") == ["d"]
    assert told.started.to_list() == ["d"]


def test_of_two_candidates_of_one_household_the_one_told_is_meant_or_nobody() -> None:
    ranked = [
        meeting("d", "seeker", child, pair_id=f"d-{child}", ranked=True)
        for child in ("one", "other")
    ]
    home = {"one": "h", "other": "h", "third": "h"}
    told = event("e", "chat_started", "other", "seeker", decision_id="d")
    assert pairs(found([told], ranked, home), "chat_started") == ["d-other"]
    unclear = event("e", "chat_started", "third", "seeker", decision_id="d")
    result = found([unclear], ranked, home)
    assert pairs(result, "chat_started") == []
    assert reasons(result) == {"its decision is on other people": 1}


def test_a_review_is_about_each_pair_of_its_reports_once() -> None:
    events = [
        event("s1", "chat_started", "a", "x", decision_id="d1", chat_id="c1"),
        event("s2", "chat_started", "b", "x", decision_id="d2", chat_id="c2"),
        event("r1", "report", "a", "x", chat_id="c1"),
        event("r2", "report", "a", "x", chat_id="c1"),
        event("r3", "report", "b", "x", chat_id="c2"),
        event("v", "review_verdict", "x", report_ids=["r1", "r2", "r3", "unknown"]),
        event("w", "review_verdict", "x", chat_id="c2"),
        event("n", "review_verdict", "x", report_ids=["unknown"]),
    ]
    result = found(events, [meeting("d1", "a", "x"), meeting("d2", "x", "b")])
    assert pairs(result, "review_verdict") == ["d1", "d2", "d2"]
    assert reasons(result) == {"names no pair": 1}
    reviews = result.rows.filter(pl.col("kind") == "review_verdict")
    assert set(reviews["reported_id"]) == {"x"}


def test_one_person_in_a_ranking_names_none_of_its_pairs() -> None:
    hold = event("h", "hold_placed", "seeker", decision_id="d")
    ranked = [meeting("d", "seeker", "one", pair_id="d-0", ranked=True)]
    assert pairs(found([hold], ranked), "hold_placed") == []
    assert pairs(found([hold], [meeting("d", "seeker", "one")]), "hold_placed") == ["d"]


def test_to_be_ranked_is_not_to_meet() -> None:
    complaint = event("r", "report", "a", "b")
    ranked = meeting("d", "a", "b", pair_id="d-0", ranked=True)
    assert pairs(found([complaint], [ranked]), "report") == []
    assert pairs(found([complaint], [meeting("d", "a", "b")]), "report") == ["d"]
    stopped = meeting("d", "a", "b", allowed=False)
    assert pairs(found([complaint], [stopped]), "report") == []
    later = meeting("d", "a", "b", time=1_000)
    assert pairs(found([complaint], [later]), "report") == []


def test_of_nothing_nothing_is_known() -> None:
    result = found([], [])
    assert result.rows.is_empty()
    assert result.started.is_empty()
    assert result.first_start is None


@settings(max_examples=25)
@given(data=st.data())
def test_the_order_of_arrival_changes_nothing(data: st.DataObject) -> None:
    people = st.sampled_from("abc")
    meetings = []
    for n in range(4):
        a, b, _ = data.draw(st.permutations("abc"))
        meetings.append(meeting(f"d{n}", a, b, n))
    events = []
    for n in range(data.draw(st.integers(0, 4))):
        pair = meetings[data.draw(st.integers(0, 3))]
        sides = (pair["person_a"], pair["person_b"])
        named = data.draw(st.sampled_from([pair["decision_id"], None, "gone"]))
        events.append(
            event(f"s{n}", "chat_started", *sides, decision_id=named, chat_id=f"c{n}", time=n)
        )
        chat = data.draw(st.sampled_from([f"c{n}", None, "c9"]))
        events.append(event(f"r{n}", "report", *sides, chat_id=chat, time=n))
        asked = data.draw(st.sampled_from([[f"r{n}"], ["r0", "r1"], []]))
        events.append(event(f"v{n}", "review_verdict", data.draw(people), report_ids=asked))
    first = found(events, meetings)
    second = found(data.draw(st.permutations(events)), meetings)
    columns = [name for name in first.rows.columns if name != "n"]

    def ordered(outcomes: Outcomes) -> pl.DataFrame:
        return outcomes.rows.select(columns).sort(columns)

    assert ordered(first).equals(ordered(second))
    assert reasons(first) == reasons(second)
    assert first.rows["n"].n_unique() + sum(reasons(first).values()) == len(events)
