"""A server's rankings decided again, each candidate with its seeker."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from pairguard.policy.decision import DecisionKind
from pairguard.store.ports import KeptRecord, RecordKind
from pairguard.v1.journal_pb2 import DecisionRecord
from pairguard.v1.pair_risk_service_pb2 import Candidate, RankCandidatesRequest
from pairguard.v1.participant_pb2 import Participant
from pairguard_training.__main__ import main
from pairguard_training.replaying.journal_source import (
    ERASED,
    KEPT_UNRECORDED,
    PAIR,
    RANKING,
    JournalSource,
)
from pairguard_training.replaying.logged import LoggedDecision
from pairguard_training.replaying.outcomes import NO_OUTCOMES
from pairguard_training.replaying.self_check import Served
from pairguard_training.replaying.tally import replay
from tests.integration.server.platform_calls import (
    Clock,
    about,
    allowed,
    bare,
    between,
    decide,
    ended,
    erase,
    happened,
    import_decisions,
    pair,
    participant,
    started,
)
from tests.integration.server.running_server import (
    TIMEOUT_SECONDS,
    BrokenStore,
    Running,
    lenient_policy,
    serving,
)
from tests.integration.server.test_replay import World, store_of
from tests.unit.server.requests import ADULT, FACE, evidence

CANDIDATES = 6
LATER = 7
"""Rankings after things have happened."""


def rank(server: Running, seeker: Participant, candidates: Sequence[Participant]) -> None:
    asked = RankCandidatesRequest(
        seeker=seeker, candidates=[Candidate(participant=each) for each in candidates]
    )
    server.pair_risk.RankCandidates(asked, timeout=TIMEOUT_SECONDS)


@pytest.fixture(scope="module")
def world(bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> World:
    directory = tmp_path_factory.mktemp("ranked")
    clock = Clock()
    policy = lenient_policy(max_exposure_per_day="0.08")
    with serving(bundle, directory, policy=policy, clock=clock) as server:
        _lives(server, clock)
        records = server.application._parts.store.read_journal("", 10_000)
    return World(
        directory / "state" / "pairguard.sqlite3", bundle, directory / "policy.toml", records
    )


def ranked(world: World) -> JournalSource:
    return JournalSource(store_of(world.records), ranked=True)


def _lives(server: Running, clock: Clock) -> None:
    child = participant("young", more=ADULT.replace("age_years: 40", "age_years: 15"))
    faced = participant("faced", more=evidence(FACE, "provider: 'Yoti' evidence_id: 'f'"))
    adults = [participant(f"c{n}") for n in range(4)]
    rank(server, participant("seeker"), [*adults, bare("nobody"), child])
    decision = allowed(server, "seeker", "c0")
    happened(
        server,
        started("chat", "seeker", "c0", decision=decision),
        ended("chat", "seeker", "c0", seconds=90.0, by="c0"),
        between("personal_block", "p1", "c1", "seeker"),
        about("hold_placed", "h1", "c2", "kind: HOLD_KIND_PAIRING reason_code: 'SPAM'"),
        about("review_verdict", "w", "c3", "verdict: VERDICT_UPHELD"),
    )
    clock.now += 600.0
    for _ in range(LATER):
        # Each allowed pair adds to what the seeker may still be exposed to.
        decide(server, pair("spender", "c0"))
        rank(server, participant("spender"), [participant("c0"), faced])
    rank(server, participant("seeker"), [*adults, bare("nobody"), child])
    rank(server, participant("seeker"), [participant("gone")])
    import_decisions(server)
    erase(server, "gone")
    import_decisions(server)


def test_each_candidate_comes_out_the_same_to_the_bit(world: World) -> None:
    source = ranked(world)
    decisions = [*source.decisions()]
    served = Served(world.judge, decisions[0].bundle_version, decisions[0].policy_version)

    found = replay(decisions, world.judge, NO_OUTCOMES, served=served, draws=5, seed=1)

    assert len(decisions) == 2 * CANDIDATES + 2 * LATER
    assert source.left_out == {PAIR: 1 + LATER, ERASED: 1}
    check = found.self_check
    assert (check.compared, check.same) == (len(decisions), len(decisions)), check
    assert check.largest_difference == 0.0
    assert found.state_recorded == len(decisions)
    assert all(before == after for before, after in found.transitions)
    seen = {reason.code.value for each in decisions for reason in each.reasons}
    assert seen >= {
        "ADULTS_MEET",
        "AGE_UNKNOWN",
        "PERSONAL_BLOCK",
        "RECENT_PARTNER",
        "HELD",
        "EXPOSURE_SPENT",
    }
    assert found.harmed is None


def test_a_stricter_candidate_stops_what_was_offered(world: World) -> None:
    strict = {"default": {"thresholds": {"reroute_harm": 0.0}}}
    judge = world.judge_under(strict)
    decisions = [*ranked(world).decisions()]

    found = replay(decisions, judge, NO_OUTCOMES, served=None, draws=5, seed=1)

    offered = sum(each.kind is DecisionKind.ALLOW for each in decisions)
    assert found.transitions["ALLOW", "REROUTE"] == offered > 0
    assert found.newly_allowed == 0


def test_rankings_and_pairs_are_not_counted_together(world: World) -> None:
    pairs = JournalSource(store_of(world.records))

    assert len([*pairs.decisions()]) == 1 + LATER
    assert pairs.left_out == {RANKING: 3 + LATER}


def test_rankings_of_before_are_left_out_and_counted(world: World) -> None:
    def as_before(record: KeptRecord) -> KeptRecord:
        if record.kind is not RecordKind.DECISION:
            return record
        message = DecisionRecord.FromString(record.payload)
        for candidate in message.ranking.candidates:
            candidate.ClearField("kept_between")
        return replace(record, payload=message.SerializeToString())

    source = JournalSource(store_of([as_before(each) for each in world.records]), ranked=True)

    assert not [*source.decisions()]
    assert source.left_out[KEPT_UNRECORDED] == 2 * CANDIDATES + 2 * LATER


def test_candidates_who_could_not_be_read_are_left_out(bundle: Path, tmp_path: Path) -> None:
    store = BrokenStore(tmp_path / "broken.sqlite3")
    with serving(bundle, tmp_path, policy=lenient_policy(), store=store) as server:
        rank(server, participant("a"), [participant("b")])
        store.reads = False
        rank(server, participant("c"), [participant("d"), participant("e")])
        store.reads = True
        import_decisions(server)
        source = JournalSource(store, ranked=True)
        decisions: list[LoggedDecision] = [*source.decisions()]

    assert len(decisions) == 1
    assert source.left_out == {KEPT_UNRECORDED: 2}


def test_the_command_tells_rankings(
    world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "replay.json"
    texts = ["replay", "--journal", f"sqlite:{world.store_path}", "--rankings"]
    texts += ["--bundle", str(world.bundle), "--policy", str(world.policy), "--resamples", "20"]

    assert main([*texts, "--out", str(out)]) == 0

    said = capsys.readouterr().out
    assert "RANKINGS" in said
    assert "to the bit" in said
    assert f"left out: {1 + LATER} records: a decision on one pair" in said
    found = json.loads(out.read_text(encoding="utf-8"))
    assert found["source"] == "rankings of a journal"
    assert found["self_check"]["same"] == found["decisions"] == 2 * CANDIDATES + 2 * LATER


def test_tables_tell_no_rankings(
    world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    texts = ["replay", "--tables", str(tmp_path), "--rankings", "--bundle", str(world.bundle)]

    assert main(texts) == 2

    assert "--rankings" in capsys.readouterr().err
