"""What a row says: signals, the facts of the rules, and what is unknown."""

from __future__ import annotations

import math
import tomllib
from pathlib import Path

import pytest

from pairguard.history.changes import Blocked, Change, EvidenceKept, Exonerated, ReportMade
from pairguard.history.row import MAX_DEVICES, MAX_OPEN_CHATS
from pairguard.history.summary import NOTHING_KEPT, Summary, open_chats, summarise
from tests.history_changes import (
    DAY,
    HOUR,
    NOON,
    decided,
    ended,
    hashed,
    reported,
    row_of,
    started,
    with_devices,
)

CATALOGUE = Path(__file__).parents[3] / "service/pairguard/risk/default_signals.toml"
CHATS = [ended(f"c{number}", f"p{number}", minor=0.5) for number in range(8)]


def after(*happened: Change, now: float = NOON + HOUR / 2) -> Summary:
    return summarise([row_of(happened)], now)


def signals(*happened: Change, now: float = NOON + HOUR / 2) -> dict[str, float]:
    found = after(*happened, now=now).signals
    assert found is not None
    return dict(found)


def test_without_rows_nothing_is_known() -> None:
    assert summarise([], NOON) == NOTHING_KEPT
    assert NOTHING_KEPT.signals is None
    assert NOTHING_KEPT.probability_minor is None
    assert NOTHING_KEPT.partner_minor_mean_24h is None


def test_decisions_and_evidence_alone_make_no_history() -> None:
    item = EvidenceKept(NOON, hashed("item"), hashed("claim")[:8], b"content")
    summary = after(decided(), with_devices("phone"), item)
    assert summary.signals is None
    assert summary.decisions_24h == 1.0
    assert [kept.content for kept in summary.evidence] == [b"content"]


@pytest.mark.parametrize(
    "event",
    [
        reported("r", "ann"),
        ReportMade(NOON),
        Blocked(NOON, (hashed("ann"),), by_this=False),
        Exonerated(NOON),
    ],
)
def test_where_no_chats_are_told_of_their_number_is_unknown(event: Change) -> None:
    found = signals(event, decided())
    about_chats = [
        name
        for name in found
        if any(word in name for word in ("chats", "skip", "seconds", "partners", "share"))
    ]
    assert about_chats == []
    assert found["history.known_days"] == pytest.approx(1 / 48)


def test_one_chat_makes_all_that_chats_tell_known() -> None:
    found = signals(started("c", "ann"))
    assert found["history.chats_started_1h"] == 1.0
    assert found["history.skips_made_30d"] == 0.0
    assert found["history.reports_received_365d"] == 0.0
    # Shares of too little stay unknown.
    assert not any("rate" in name or "share" in name for name in found)


def test_what_is_known_of_one_id_is_known() -> None:
    quiet, told = row_of([decided()]), row_of([started("c", "ann")])
    assert summarise([quiet, told], NOON).signals == summarise([told, quiet], NOON).signals
    assert summarise([quiet, told], NOON).signals is not None


def test_known_history_stays_known_when_all_its_counts_have_lapsed() -> None:
    found = signals(*CHATS, now=NOON + 400 * DAY)
    assert found["history.chats_started_30d"] == 0.0
    assert found["history.known_days"] == 400.0


def test_every_signal_is_in_the_catalogue_and_within_its_range() -> None:
    catalogue = {
        each["name"]: each
        for each in tomllib.loads(CATALOGUE.read_text())["signals"]
        if each["source"] == "history"
    }
    found = signals(*CHATS, reported("r", "p0"), started("c9", "p9"), with_devices("phone"))
    assert set(found) == set(catalogue)
    for name, value in found.items():
        assert math.isfinite(value)
        assert catalogue[name]["minimum"] <= value <= catalogue[name]["maximum"]


def test_chats_by_windows() -> None:
    happened = [started(f"c{hours}", "ann", time=NOON - hours * HOUR) for hours in (0, 5, 70, 480)]
    found = signals(*reversed(happened), now=NOON + 60.0)
    counts = [found[f"history.chats_started_{window}"] for window in ("1h", "24h", "7d", "30d")]
    assert counts == [1.0, 2.0, 3.0, 4.0]


def test_time_and_skips_by_the_age_of_the_partner() -> None:
    found = signals(
        ended("1", "ann", seconds=100.0, minor=0.25),
        ended("2", "bea", seconds=4.0, skipped=True, minor=0.0),
        ended("3", "cem", seconds=None, minor=1.0),
        ended("4", "dan", seconds=500.0, minor=None),
    )
    assert found["history.seconds_with_likely_minors_1h"] == 25.0
    assert found["history.seconds_with_likely_adults_1h"] == 79.0
    assert found["history.skips_made_1h"] == 1.0
    assert found["history.skips_suffered_1h"] == 0.0


def test_an_adult_who_skips_adults_and_stays_with_minors_is_seen() -> None:
    adults = [ended(f"a{n}", f"a{n}", seconds=3.0, skipped=n < 6, minor=0.0) for n in range(8)]
    minors = [ended(f"m{n}", f"m{n}", seconds=997.0, minor=1.0) for n in range(4)]
    found = signals(*adults, *minors)
    assert found["history.adult_skip_rate_7d"] == 0.75
    assert found["history.minor_skip_rate_7d"] == 0.0
    assert found["history.minor_time_share_7d"] == pytest.approx(3988 / 4012)


def test_a_partner_of_unknown_age_says_nothing_of_selectivity() -> None:
    found = signals(*[ended(f"c{n}", f"p{n}", skipped=True, minor=None) for n in range(9)])
    assert found["history.skips_made_24h"] == 9.0
    assert "history.adult_skip_rate_7d" not in found
    assert "history.minor_time_share_7d" not in found


def test_a_proposed_partner_of_unknown_age_is_not_an_adult_one() -> None:
    summary = after(decided(partner=0.8), decided(partner=None), decided(partner=None))
    assert summary.decisions_24h == 3.0
    assert summary.partner_minor_mean_24h == pytest.approx(0.8)
    assert after(decided(partner=None)).partner_minor_mean_24h is None


def test_an_allowance_of_unknown_risk_is_the_worst() -> None:
    summary = after(decided(exposure=None), decided(exposure=0.25), decided(allowed=False))
    assert summary.exposure_24h == pytest.approx(1.25)
    assert (summary.decisions_24h, summary.allowed_24h) == (3.0, 2.0)


def test_the_last_decision_tells_the_age() -> None:
    first, last = decided(own=0.1, time=NOON), decided(own=0.7, time=NOON + 60.0)
    unknown = decided(own=None, time=NOON + 120.0)
    for order in ([first, last, unknown], [last, unknown, first], [unknown, first, last]):
        assert after(*order).probability_minor == 0.7
    rows = [row_of([first, unknown]), row_of([last])]
    assert summarise(rows, NOON + HOUR).probability_minor == 0.7
    assert summarise(rows[::-1], NOON + HOUR).probability_minor == 0.7


def test_devices_are_counted_once_and_for_thirty_days() -> None:
    found = signals(
        started("c", "ann"),
        with_devices("phone"),
        decided(),
        with_devices("phone", "tablet"),
        with_devices("old phone", time=NOON - 40 * DAY),
    )
    assert found["history.devices_30d"] == 2.0
    many = [with_devices(f"phone {n}", time=NOON + n * 60.0) for n in range(100)]
    found = signals(ReportMade(NOON), *many, now=NOON + 3 * HOUR)
    assert found["history.devices_30d"] == MAX_DEVICES


def test_open_chats_are_those_that_started_and_did_not_end() -> None:
    row = row_of([started("1", "ann", "phone of ann"), started("2", "bea"), ended("2", "bea")])
    (chat,) = open_chats([row], NOON)
    assert chat.chat == hashed("1").hex()
    assert chat.start_time == NOON
    assert chat.partner == (hashed("ann"), hashed("phone of ann"))
    assert chat.sealed_chat_id == b"1"
    assert open_chats([row_of([started("1", "ann")])], NOON + DAY + 1.0) == ()


def test_a_chat_that_ended_under_one_id_has_ended() -> None:
    device = row_of([started("1", "ann"), started("2", "bea")])
    own = row_of([started("1", "ann"), ended("1", "ann")])
    for rows in ([device, own], [own, device]):
        assert [chat.chat for chat in open_chats(rows, NOON)] == [hashed("2").hex()]


def test_too_many_open_chats_are_counted_and_the_latest_are_named() -> None:
    many = [started(str(n), str(n), time=NOON + n) for n in range(MAX_OPEN_CHATS + 4)]
    assert len(open_chats([row_of(many)], NOON + HOUR)) == MAX_OPEN_CHATS
    summary = after(*many)
    assert summary.chats_started_24h == MAX_OPEN_CHATS + 4
    again = after(*many, *many)
    assert again.chats_started_24h == MAX_OPEN_CHATS + 4


def test_an_id_is_known_since_it_was_first_seen_whatever_came_first() -> None:
    rows = [
        row_of([ReportMade(NOON + DAY), decided(time=NOON - 3 * DAY)]),
        row_of([ReportMade(NOON)]),
    ]
    found = summarise(rows, NOON + DAY).signals
    assert found is not None
    assert found["history.known_days"] == 4.0
    early = summarise(rows, NOON - 9 * DAY).signals
    assert early is not None
    assert early["history.known_days"] == 0.0


def test_what_was_allowed_under_one_id_hides_nothing_that_was_refused_under_another() -> None:
    refused = row_of([decided(allowed=False) for _ in range(9)])
    allowed = row_of([decided(allowed=True) for _ in range(7)])
    assert summarise([refused], NOON + HOUR).refused_24h == 9
    for rows in ([refused, allowed], [allowed, refused]):
        assert summarise(rows, NOON + HOUR).refused_24h == 9
