"""Which reports count, and for how many."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pairguard.history.changes import Change, Exonerated, ReviewResult
from pairguard.history.reports import MAX_REPORTS
from pairguard.history.summary import Summary, summarise
from tests.history_changes import DAY, HOUR, NOON, ended, reported, reviewed, row_of, started

NOW = NOON + DAY
MET = [started(f"with {name}", name, f"phone of {name}") for name in ("ann", "bea", "cem")]


def signals(summary: Summary) -> dict[str, float]:
    assert summary.signals is not None
    return dict(summary.signals)


def after(*happened: Change) -> Summary:
    return summarise([row_of([*MET, *happened])], NOW)


def test_each_reporter_counts_once() -> None:
    summary = after(reported("1", "ann"), reported("2", "ann"), reported("3", "bea"))
    assert summary.reporters_30d == 2.0
    assert signals(summary)["history.reports_received_365d"] == 2.0


def test_a_thousand_reports_of_one_reporter_are_one() -> None:
    bombs = [reported(f"bomb {number}", "ann", time=NOON + number) for number in range(1_000)]
    assert after(*bombs).reporters_30d == 1.0


def test_nobody_floods_out_what_others_reported() -> None:
    bombs = [reported(f"bomb {n}", "ann", time=NOON + 60.0 + n) for n in range(MAX_REPORTS + 50)]
    strangers = [
        reported(f"s {n}", f"s {n}", time=NOON + 600.0 + n) for n in range(MAX_REPORTS + 9)
    ]
    summary = after(reported("bea's", "bea", category="SEXTORTION"), *strangers, *bombs)
    assert summary.reporters_30d == 2.0
    assert signals(summary)["history.sexual_reports_30d"] == 2.0


def test_reporters_who_share_an_id_are_one() -> None:
    summary = after(
        reported("1", "session 1", "phone of ann"),
        reported("2", "session 2", "phone of ann", "tablet"),
        reported("3", "session 3", "tablet"),
    )
    # The third never met the participant under an id that is known, and yet is the same person.
    assert summary.reporters_30d == 1.0
    chained = after(
        reported("1", "ann", "x"), reported("2", "bea", "y"), reported("3", "cem", "x", "y")
    )
    assert chained.reporters_30d == 1.0


def test_who_never_met_the_reported_does_not_count() -> None:
    strangers = [reported(f"{number}", f"stranger {number}") for number in range(20)]
    assert after(*strangers).reporters_30d == 0.0


def test_a_reporter_may_have_met_it_under_another_id() -> None:
    own = row_of([reported("1", "ann")])
    device = row_of([reported("1", "ann"), *MET])
    assert summarise([own], NOW).reporters_30d == 0.0
    assert summarise([own, device], NOW).reporters_30d == 1.0
    assert summarise([device, own], NOW).reporters_30d == 1.0


def test_cleared_reports_do_not_count() -> None:
    reports = (reported("1", "ann"), reported("2", "bea", chat="c"), reported("3", "cem"))
    assert after(*reports, reviewed(ReviewResult.CLEARED, "1")).reporters_30d == 2.0
    assert after(*reports, reviewed(ReviewResult.CLEARED, chat="c")).reporters_30d == 2.0
    assert after(*reports, reviewed(ReviewResult.CLEARED, "1", "2", "3")).reporters_30d == 0.0
    # A review that names neither says nothing of any report.
    assert after(*reports, reviewed(ReviewResult.CLEARED)).reporters_30d == 3.0


def test_upheld_reports_count_as_harm_and_still_as_reports() -> None:
    summary = after(reported("1", "ann"), reviewed(ReviewResult.UPHELD, "1"))
    assert summary.upheld_harm
    assert signals(summary)["history.upheld_harm_365d"] == 1.0
    assert summary.reporters_30d == 1.0
    assert not after(reported("1", "ann")).upheld_harm


def test_a_review_of_a_chat_clears_nobody_of_what_is_reported_after_it() -> None:
    cleared = reviewed(ReviewResult.CLEARED, chat="c", time=NOON + 60.0)
    later = reported("2", "ann", chat="c", category="SEXTORTION", time=NOON + 61.0)
    for happened in ((cleared, later), (later, cleared)):
        summary = after(reported("1", "ann", chat="c"), *happened)
        assert summary.reporters_30d == 1.0
        assert signals(summary)["history.sexual_reports_30d"] == 1.0
        assert signals(summary)["history.reports_received_30d"] == 1.0
    # By the report it may be judged before it arrives, and by the chat again.
    assert after(later, reviewed(ReviewResult.CLEARED, "2", time=NOON)).reporters_30d == 0.0
    again = reviewed(ReviewResult.CLEARED, chat="c", time=NOON + 62.0)
    assert after(cleared, later, again).reporters_30d == 0.0


@given(
    reports=st.lists(st.sampled_from([0.0, 1.0, 2.0]), max_size=3),
    reviews=st.lists(
        st.tuples(st.sampled_from([0.0, 1.0, 2.0]), st.sampled_from(list(ReviewResult))), max_size=3
    ),
    more=st.sampled_from([0.0, 1.0, 2.0, 3.0]),
)
def test_one_more_report_never_lowers_what_counts(
    reports: list[float], reviews: list[tuple[float, ReviewResult]], more: float
) -> None:
    def summary(times: list[float]) -> Summary:
        return after(
            *(
                reported(f"{n}", name, chat="c", time=NOON + time)
                for n, (time, name) in enumerate(
                    zip(times, ("ann", "bea", "cem", "ann")[: len(times)], strict=True)
                )
            ),
            *(
                reviewed(result, chat="c", review=f"v{n}", time=NOON + time)
                for n, (time, result) in enumerate(reviews)
            ),
        )

    before, later = summary(reports), summary([*reports, more])
    assert later.reporters_30d >= before.reporters_30d
    assert later.upheld_harm >= before.upheld_harm
    if all(time < more for time, _ in reviews):
        assert later.reporters_30d >= 1.0  # nobody has looked at it


@pytest.mark.parametrize("target", [("1",), ()])
def test_the_last_review_has_the_last_word(target: tuple[str, ...]) -> None:
    report = reported("1", "ann", chat="c")
    upheld = reviewed(ReviewResult.UPHELD, "1", time=NOON + 1.0)
    cleared = reviewed(ReviewResult.CLEARED, *target, chat="c", time=NOON + 2.0)
    summary = after(report, upheld, cleared)
    assert not summary.upheld_harm
    assert summary.reporters_30d == 0.0
    back = reviewed(ReviewResult.UPHELD, *target, chat="c", time=NOON + 3.0)
    assert after(report, upheld, cleared, back).upheld_harm
    same_time = reviewed(ReviewResult.UPHELD, *target, chat="c", time=NOON + 2.0)
    assert after(report, cleared, same_time).upheld_harm
    assert after(report, same_time, cleared).upheld_harm


def test_a_review_without_a_report_speaks_for_itself() -> None:
    summary = after(
        reviewed(ReviewResult.UPHELD, review="v"), reviewed(ReviewResult.UPHELD, review="w")
    )
    assert signals(summary)["history.upheld_harm_365d"] == 2.0


def test_an_appeal_takes_back_what_was_upheld_before_it() -> None:
    report = reported("1", "ann")
    upheld = reviewed(ReviewResult.UPHELD, "1", time=NOON + 1.0)
    summary = after(report, upheld, Exonerated(NOON + 2.0))
    assert not summary.upheld_harm
    assert summary.reporters_30d == 0.0
    assert after(report, Exonerated(NOON), upheld).upheld_harm


def test_an_appeal_that_one_id_knows_of_is_enough_for_what_both_know() -> None:
    upheld = reviewed(ReviewResult.UPHELD, "1", time=NOON)
    own, device = row_of([upheld, Exonerated(NOON + HOUR)]), row_of([upheld])
    assert summarise([device], NOW).upheld_harm
    assert not summarise([own, device], NOW).upheld_harm
    # What only the device knows was not appealed against.
    other = row_of([reviewed(ReviewResult.UPHELD, "2", time=NOON)])
    assert summarise([own, other], NOW).upheld_harm


def test_reports_by_category() -> None:
    summary = signals(
        after(
            reported("1", "ann", category="CHILD_SEXUAL_EXPLOITATION"),
            reported("2", "ann", category="ADULT_POSING_AS_MINOR"),
            reported("3", "bea", category="ADULT_POSING_AS_MINOR"),
            reported("4", "bea", category="SEXTORTION"),
            reported("5", "cem", category="SPAM"),
        )
    )
    assert summary["history.child_safety_reports_30d"] == 2.0
    assert summary["history.sexual_reports_30d"] == 1.0
    assert summary["history.reports_received_30d"] == 3.0


def test_reports_and_harm_lapse() -> None:
    row = row_of([*MET, reported("1", "ann"), reviewed(ReviewResult.UPHELD, "1")])
    month, year = NOON + 30 * DAY, NOON + 365 * DAY
    assert summarise([row], month - 1.0).reporters_30d == 1.0
    later = summarise([row], month + 1.0)
    assert later.reporters_30d == 0.0
    assert signals(later)["history.reports_received_365d"] == 1.0
    assert later.upheld_harm
    assert not summarise([row], year + 1.0).upheld_harm
    assert signals(summarise([row], year + 1.0))["history.reports_received_365d"] == 0.0
    # A clock that went back lets nothing lapse.
    assert summarise([row], NOON - 900 * DAY).reporters_30d == 1.0


def test_an_ended_chat_is_a_meeting_too() -> None:
    row = row_of([ended("c", "dan"), reported("1", "dan")])
    assert summarise([row], NOW).reporters_30d == 1.0
