"""Identity keys that are changed while somebody is held, blocked and known."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pairguard.store.identity import KEY_BYTES
from pairguard.store.opening import sqlite_path
from pairguard.v1.assessment_pb2 import DECISION_ALLOW
from tests.domain import NOW
from tests.integration.server.platform_calls import (
    ADULT_AGE,
    Clock,
    about,
    allowed,
    bare,
    between,
    codes,
    decide,
    ended,
    erase,
    happened,
    history_of,
    item,
    keep_evidence,
    pair,
    record,
    report,
    started,
    statuses,
    verified,
)
from tests.integration.server.running_server import Running, lenient_policy, serving

CARD = (
    "age_check { method: CHECK_METHOD_CREDIT_CARD threshold_years: 18 result: CHECK_RESULT_OVER }"
)


def change_key(server: Running) -> None:
    """Put a new key before the ones that are there, as a rotation does."""
    path = sqlite_path(server.settings.store)
    assert path is not None
    key = path.with_name(path.name + ".key")
    key.write_bytes(os.urandom(KEY_BYTES) + key.read_bytes())


@contextmanager
def after_change(bundle: Path, directory: Path, clock: Clock) -> Iterator[Running]:
    """Serve after what the fixture below did, under a new key."""
    with serving(bundle, directory, policy=lenient_policy(), clock=clock) as server:
        yield server


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def directory(bundle: Path, tmp_path: Path, clock: Clock) -> Path:
    """What a server kept before its key was changed."""
    with serving(bundle, tmp_path, policy=lenient_policy(), clock=clock) as server:
        for n in range(3):
            happened(
                server,
                started(f"c{n}", "known", f"p{n}"),
                ended(f"c{n}", "known", f"p{n}", seconds=3, by="known"),
                report(f"r{n}", f"p{n}", "known"),
            )
        happened(
            server,
            about("review_verdict", "v1", "bad", "verdict: VERDICT_UPHELD"),
            about("hold_placed", "h1", "held", "reason_code: 'FRAUD'"),
            between("personal_block", "b1", "one", "other"),
        )
        keep_evidence(server, "adult", verified("document", ADULT_AGE))
        keep_evidence(server, "card-holder", item("card", CARD))
    change_key(server)
    clock.now += 60
    return tmp_path


def test_what_was_kept_counts_on(bundle: Path, directory: Path, clock: Clock) -> None:
    with after_change(bundle, directory, clock) as server:
        assert codes(decide(server, pair("held", "x")))[0] == "HELD"
        assert codes(decide(server, pair("one", "other")))[0] == "PERSONAL_BLOCK"
        assert codes(decide(server, pair("known", "x")))[0] == "REPORTED"
        assert codes(decide(server, pair("known", "p1")))[:2] == ["RECENT_PARTNER", "REPORTED"]
        allowed(server, bare("adult"), "x")
        assert history_of(server, "known")["history.skips_made_24h"] == 3


def test_what_was_kept_can_be_ended(bundle: Path, directory: Path, clock: Clock) -> None:
    with after_change(bundle, directory, clock) as server:
        happened(
            server,
            about("hold_released", "h2", "held", "reason_code: 'OVER'"),
            about("appeal_outcome", "a1", "bad", "result: APPEAL_RESULT_OVERTURNED"),
            between("personal_block_lifted", "b2", "one", "other"),
            about(
                "review_verdict",
                "v2",
                "known",
                "report_event_ids: ['r0'] verdict: VERDICT_CLEARED",
            ),
        )
        for a, b in (("held", "x"), ("bad", "x"), ("one", "other"), ("known", "y")):
            assert decide(server, pair(a, b)).decision == DECISION_ALLOW, a


def test_a_report_counts_by_a_meeting_of_before(
    bundle: Path, directory: Path, clock: Clock
) -> None:
    with after_change(bundle, directory, clock) as server:
        happened(server, report("late", "known", "p2"))
        assert history_of(server, "p2")["history.reports_received_30d"] == 1


def test_a_copy_of_what_was_kept_counts_once(bundle: Path, directory: Path, clock: Clock) -> None:
    with after_change(bundle, directory, clock) as server:
        sent = bare("card-holder")
        alone = decide(server, pair(sent, "x")).minor_adult_probability
        sent.age_evidence.append(item("card", CARD))
        assert decide(server, pair(sent, "x")).minor_adult_probability == alone


def test_it_is_erased_whichever_key_it_was_kept_under(
    bundle: Path, directory: Path, clock: Clock
) -> None:
    with after_change(bundle, directory, clock) as server:
        happened(server, between("personal_block", "b3", "known", "x"))
        clock.now += 1
        answer = erase(server, "known")
        assert answer.unlinked_record_count == 3 * 3 + 1
        assert history_of(server, "known") == {}
        assert clock.now > NOW


def test_what_is_sent_again_is_a_duplicate(bundle: Path, directory: Path, clock: Clock) -> None:
    with after_change(bundle, directory, clock) as server:
        before = history_of(server, "known")
        again = [report("r0", "p0", "known"), started("c0", "known", "p0")]
        assert statuses(record(server, *again, started("c9", "x", "y"))) == [
            "DUPLICATE",
            "DUPLICATE",
            "RECORDED",
        ]
        assert history_of(server, "known") == before
        alone = decide(server, pair(bare("card-holder"), "x")).minor_adult_probability
        sent = [item("card", CARD), item("card-2", "self_declared { age_years: 30 }")]
        assert statuses(keep_evidence(server, "card-holder", sent[0]).results) == ["DUPLICATE"]
        assert decide(server, pair(bare("card-holder"), "x")).minor_adult_probability == alone
        assert statuses(keep_evidence(server, "card-holder", *sent).results) == [
            "DUPLICATE",
            "RECORDED",
        ]
