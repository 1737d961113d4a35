"""Reports that cannot be relied on say neither harm nor none; what was upheld always counts."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from pairguard_training.harm_labels import HarmRows, harm_rows
from tests.unit.training.tables_of_rows import DAY_0, snapshot, tables_of_rows

CROWD = 8
END = {
    "pair_id": "m0",
    "kind": "chat_ended",
    "received_time": DAY_0 + timedelta(days=40),
}


def met(number: int, one: str, other: str) -> dict[str, object]:
    return {
        "pair_id": f"m{number}",
        "snapshot_a": one,
        "snapshot_b": other,
        "proposed_time": DAY_0,
        "decision": "ALLOW",
    }


def report(number: int, by: str | None, about: str | None, **values: object) -> dict[str, object]:
    when = DAY_0 + timedelta(days=1)
    return {
        "pair_id": f"m{number}",
        "kind": "report",
        "category": "HARASSMENT",
        "reporter_id": by,
        "reported_id": about,
        "observed_time": when,
        "received_time": when,
        **values,
    }


def verdict(number: int, about: str, word: str) -> dict[str, object]:
    row = report(number, None, about, kind="review_verdict", category=None)
    return row | {"verdict": word}


def rows_of(tmp_path: Path, pairs: list[dict[str, object]], outcomes: list[Any]) -> HarmRows:
    people = [snapshot("x"), snapshot("y"), *(snapshot(f"p{i}") for i in range(CROWD))]
    tables = tables_of_rows(tmp_path, snapshots=people, pairs=pairs, outcomes=[END, *outcomes])
    return harm_rows(tables)


EVERYBODY = [met(i, "x", f"p{i}") for i in range(CROWD)]


def test_one_who_reports_everybody_says_nothing(tmp_path: Path) -> None:
    rows = rows_of(tmp_path, EVERYBODY, [report(i, "x", f"p{i}") for i in range(CROWD)])
    assert rows.harmed.size == 0
    assert (rows.unknown, rows.reports.prolific) == (CROWD, CROWD)


@pytest.mark.parametrize("word", ["UPHELD", "CLEARED"])
def test_of_one_who_reports_everybody_what_was_reviewed_counts_as_reviewed(
    tmp_path: Path, word: str
) -> None:
    outcomes = [report(i, "x", f"p{i}") for i in range(CROWD)]
    cleared = [verdict(i, f"p{i}", "CLEARED") for i in (1, 2)]
    rows = rows_of(tmp_path, EVERYBODY, [*outcomes, *cleared, verdict(0, "p0", word)])
    assert dict(zip(rows.pair_ids, rows.harmed.tolist(), strict=True)) == {
        "m0": word == "UPHELD",
        "m1": False,
        "m2": False,
    }


def test_whom_reviews_bear_out_is_believed_however_many_they_report(tmp_path: Path) -> None:
    outcomes = [report(i, "x", f"p{i}") for i in range(CROWD)]
    upheld = [verdict(i, f"p{i}", "UPHELD") for i in (0, 1)]
    rows = rows_of(tmp_path, EVERYBODY, [*outcomes, *upheld, verdict(2, "p2", "CLEARED")])
    assert rows.harmed.sum() == CROWD - 1
    assert rows.unknown == 0


def test_who_reports_a_few_of_many_is_believed(tmp_path: Path) -> None:
    rows = rows_of(tmp_path, EVERYBODY, [report(i, "x", f"p{i}") for i in range(3)])
    assert rows.harmed.sum() == 3


def test_a_crowd_that_never_met_the_reported_says_nothing(tmp_path: Path) -> None:
    crowd = [report(0, f"p{i}", "p0") for i in range(1, CROWD)]
    rows = rows_of(tmp_path, [met(0, "x", "p0"), met(1, "y", "p1")], crowd)
    assert rows.pair_ids == ["m1"]
    assert rows.reports.strangers == CROWD - 1
    # One who was there is believed beside them.
    rows = rows_of(tmp_path, [met(0, "x", "p0")], [*crowd, report(0, "x", "p0")])
    assert rows.harmed.tolist() == [True]


def test_a_report_of_oneself_says_nothing(tmp_path: Path) -> None:
    assert rows_of(tmp_path, [met(0, "x", "y")], [report(0, "x", "x")]).unknown == 1


def test_who_was_only_ever_cleared_is_not_harmful_by_further_reports(tmp_path: Path) -> None:
    half = CROWD // 2
    outcomes = [report(i, f"p{i}", "x") for i in range(CROWD)]
    cleared = [verdict(i, "x", "CLEARED") for i in range(half)]
    rows = rows_of(tmp_path, EVERYBODY, [*outcomes, *cleared])
    assert rows.pair_ids == [f"m{i}" for i in range(half)]
    assert not rows.harmed.any()
    assert rows.reports.cleared_before == half
    once = rows_of(tmp_path, EVERYBODY, [*outcomes, *cleared, verdict(half, "x", "UPHELD")])
    assert once.harmed.sum() == half


def test_a_few_who_are_cleared_silence_no_more_others_than_they_are(tmp_path: Path) -> None:
    outcomes = [report(i, f"p{i}", "x") for i in range(CROWD)]
    few = [verdict(i, "x", "CLEARED") for i in (0, 1)]
    assert rows_of(tmp_path, EVERYBODY, [*outcomes, *few]).harmed.sum() == CROWD - 2


def test_one_accomplice_is_one_however_often(tmp_path: Path) -> None:
    pairs = [*EVERYBODY, met(CROWD, "x", "p0")]
    outcomes = [report(0, "p0", "x"), report(0, "p0", "x"), report(CROWD, "p0", "x")]
    cleared = [verdict(0, "x", "CLEARED"), verdict(CROWD, "x", "CLEARED")]
    rows = rows_of(tmp_path, pairs, [*outcomes, *cleared, report(1, "p1", "x")])
    assert rows.harmed.sum() == 1
    assert rows.reports.cleared_before == 0


def test_a_verdict_on_something_else_judges_no_report_of_harm(tmp_path: Path) -> None:
    upheld = [report(0, "p0", "x"), verdict(0, "x", "UPHELD")]
    other = [report(0, "p0", "x", category="UNDERAGE"), verdict(0, "x", "CLEARED")]
    other[1]["category"] = "UNDERAGE"
    assert rows_of(tmp_path, EVERYBODY, [*upheld, *other]).harmed.sum() == 1


def test_a_verdict_judges_no_report_that_came_after_it(tmp_path: Path) -> None:
    later = DAY_0 + timedelta(days=5)
    outcomes = [verdict(0, "x", "CLEARED"), report(0, "p0", "x", received_time=later)]
    assert rows_of(tmp_path, EVERYBODY, outcomes).harmed.sum() == 1


def test_of_two_verdicts_the_later_counts(tmp_path: Path) -> None:
    later = {"received_time": DAY_0 + timedelta(days=9)}
    cleared, upheld = verdict(0, "x", "CLEARED"), verdict(0, "x", "UPHELD")
    reported = report(0, "p0", "x")
    assert rows_of(tmp_path, EVERYBODY, [reported, cleared, upheld | later]).harmed.sum() == 1
    assert rows_of(tmp_path, EVERYBODY, [reported, cleared | later, upheld]).harmed.sum() == 0


def test_what_a_review_upheld_counts_whoever_told_of_it(tmp_path: Path) -> None:
    outcomes = [report(0, "guardian", "x"), verdict(0, "x", "UPHELD")]
    assert rows_of(tmp_path, EVERYBODY, outcomes).harmed.sum() == 1


def test_inconclusive_reviews_clear_nobody(tmp_path: Path) -> None:
    outcomes = [report(i, f"p{i}", "x") for i in range(CROWD)]
    unsure = [verdict(i, "x", "INCONCLUSIVE") for i in (0, 1)]
    rows = rows_of(tmp_path, EVERYBODY, [*outcomes, *unsure])
    assert rows.harmed.all()
    # Of these two pairs nobody can tell.
    assert (rows.harmed.size, rows.unknown, rows.reports.inconclusive) == (CROWD - 2, 2, 2)


def test_a_report_counts_by_when_it_came_in(tmp_path: Path) -> None:
    # A young pair could not have had this report yet; neither may an old one.
    late = report(0, "x", "y", received_time=DAY_0 + timedelta(days=30))
    rows = rows_of(tmp_path, [met(0, "x", "y")], [late])
    # Nor does it teach that there was none.
    assert (rows.harmed.tolist(), rows.unknown) == ([], 1)
    assert (rows.reports.in_time, rows.reports.late) == (0, 1)


def test_of_one_who_reports_everybody_what_others_tell_as_well_counts(tmp_path: Path) -> None:
    """Somebody who is sought out by those who do harm."""
    everybody = [report(i, "x", f"p{i}") for i in range(CROWD)]
    pairs = [*EVERYBODY, met(CROWD, "y", "p0")]

    rows = rows_of(tmp_path, pairs, [*everybody, report(CROWD, "y", "p0")])
    assert dict(zip(rows.pair_ids, rows.harmed.tolist(), strict=True)) == {
        "m0": True,
        f"m{CROWD}": True,
    }
    assert rows.reports.prolific == CROWD - 1
    # A review counts as another who tells it.
    found = [verdict(0, "p0", "UPHELD"), verdict(1, "p1", "CLEARED"), verdict(2, "p2", "CLEARED")]
    again = [*EVERYBODY, met(CROWD, "x", "p0")]
    rows = rows_of(tmp_path, again, [*everybody, *found, report(CROWD, "x", "p0")])
    assert dict(zip(rows.pair_ids, rows.harmed.tolist(), strict=True)) == {
        "m0": True,
        "m1": False,
        "m2": False,
        f"m{CROWD}": True,
    }


@pytest.mark.parametrize(
    "other",
    [
        report(CROWD, None, "p0"),  # may be the same one
        report(CROWD, "z", "p0"),  # was not there
        report(CROWD, "y", "p0", received_time=DAY_0 + timedelta(days=30)),
        report(CROWD, "y", "p0", category="SPAM"),
    ],
)
def test_what_is_no_other_witness_bears_out_nobody_who_reports_everybody(
    tmp_path: Path, other: dict[str, object]
) -> None:
    everybody = [report(i, "x", f"p{i}") for i in range(CROWD)]
    rows = rows_of(tmp_path, [*EVERYBODY, met(CROWD, "y", "p0")], [*everybody, other])
    assert rows.reports.prolific == CROWD


def test_one_who_was_reported_in_turn_bears_out_nobody(tmp_path: Path) -> None:
    """Else two whom somebody reported need only report back to be believed."""
    everybody = [report(i, "x", f"p{i}") for i in range(CROWD)]
    in_turn = [report(CROWD, "y", "p0"), report(CROWD, "p0", "y")]
    rows = rows_of(tmp_path, [*EVERYBODY, met(CROWD, "y", "p0")], [*everybody, *in_turn])
    assert rows.reports.prolific == CROWD


def test_two_who_both_report_everybody_do_not_bear_each_other_out(tmp_path: Path) -> None:
    pairs = [*EVERYBODY, *(met(CROWD + i, "y", f"p{i}") for i in range(CROWD))]
    reports = [report(i, "x", f"p{i}") for i in range(CROWD)]
    reports += [report(CROWD + i, "y", f"p{i}") for i in range(CROWD)]
    assert rows_of(tmp_path, pairs, reports).harmed.size == 0


LATER = {"received_time": DAY_0 + timedelta(days=2)}


@pytest.mark.parametrize(
    ("outcomes", "shares"),
    [
        # Nobody can tell who answers whom.
        ([report(0, "x", "y"), report(0, "y", "x", **LATER)], (1.0, 1.0)),
        # A review found the one at fault who reported back.
        ([report(0, "x", "y"), verdict(0, "y", "UPHELD"), report(0, "y", "x", **LATER)], (0, 1)),
        (
            [
                report(0, "x", "y"),
                report(0, "y", "x", **LATER),
                report(1, "p1", "y"),
                verdict(1, "y", "UPHELD"),
            ],
            (0, 1),
        ),
        # It was first: it answers nothing.
        ([report(0, "y", "x"), report(0, "x", "y", **LATER), verdict(0, "y", "UPHELD")], (1, 1)),
        # Both were found at fault somewhere.
        (
            [
                report(0, "x", "y"),
                report(0, "y", "x", **LATER),
                report(1, "p1", "y"),
                verdict(1, "y", "UPHELD"),
                report(2, "p2", "x"),
                verdict(2, "x", "UPHELD"),
            ],
            (1, 1),
        ),
        # What it tells was upheld.
        (
            [
                report(0, "x", "y"),
                verdict(0, "y", "UPHELD"),
                report(0, "y", "x", **LATER),
                verdict(0, "x", "UPHELD") | LATER,
            ],
            (1, 1),
        ),
    ],
)
def test_who_was_found_at_fault_blames_nobody_by_reporting_back(
    tmp_path: Path, outcomes: list[dict[str, object]], shares: tuple[float, float]
) -> None:
    pairs = [met(0, "x", "y"), met(1, "p1", "y"), met(2, "p2", "x")]
    rows = rows_of(tmp_path, pairs, outcomes)
    place = rows.pair_ids.index("m0")
    assert (rows.by_a[place], rows.by_b[place]) == shares
    assert rows.harmed[place]  # whoever did it


@pytest.mark.parametrize(
    ("reports", "shares"),
    [
        ([report(0, "x", "y")], (0.0, 1.0)),
        ([report(0, "y", "x"), report(0, "x", "y")], (1.0, 1.0)),
        ([report(0, None, None)], (0.5, 0.5)),
        ([], (0.0, 0.0)),
    ],
)
def test_a_report_tells_who_did_it(
    tmp_path: Path, reports: list[dict[str, object]], shares: tuple[float, float]
) -> None:
    rows = rows_of(tmp_path, [met(0, "x", "y")], reports)
    assert (rows.by_a[0], rows.by_b[0]) == shares


def test_pairs_keep_their_chance_of_being_allowed(tmp_path: Path) -> None:
    pairs = [met(0, "x", "y") | {"allow_probability": 0.25}, met(1, "x", "p1")]
    rows = rows_of(tmp_path, pairs, [])
    assert rows.allow_probability[0] == 0.25
    assert rows.allow_probability[1] != rows.allow_probability[1]


def test_a_report_from_before_the_pair_is_not_about_it(tmp_path: Path) -> None:
    hours = timedelta(hours=5)  # as by a clock of another zone
    seconds = timedelta(seconds=20)
    rows = rows_of(
        tmp_path,
        EVERYBODY,
        [
            report(1, "p1", "x", received_time=DAY_0 - hours, observed_time=DAY_0 - hours),
            report(2, "p2", "x", received_time=DAY_0 - seconds, observed_time=DAY_0 - seconds),
            report(3, "p3", "x", received_time=DAY_0 - hours, observed_time=DAY_0 - hours),
            verdict(3, "x", "UPHELD"),
        ],
    )
    harmed = {name for name, is_harmed in zip(rows.pair_ids, rows.harmed, strict=True) if is_harmed}
    assert harmed == {"m2", "m3"}
    # Whether that pair came to harm nobody knows.
    assert rows.unknown_ids == ["m1"]
    assert (rows.reports.early, rows.reports.set_aside) == (1, 1)
