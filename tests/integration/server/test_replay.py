"""A server's journal decided again: the same where it should be, and never looser than what was."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pairguard.policy.decision import DecisionKind
from pairguard.policy.judgement import Judge
from pairguard.policy.reasons import ReasonCode
from pairguard.policy.regions import Policy
from pairguard.server.generation import load_generation
from pairguard.store.ports import KeptRecord, ParticipantStore, RecordKind
from pairguard.v1.assessment_pb2 import DECISION_ALLOW
from pairguard.v1.journal_pb2 import DecisionRecord
from pairguard_training.__main__ import main
from pairguard_training.replaying import journal_source
from pairguard_training.replaying.deciding_again import decide_again
from pairguard_training.replaying.journal_source import ERASED, UNREADABLE, JournalSource
from pairguard_training.replaying.outcomes import journal_outcomes
from pairguard_training.replaying.self_check import Served
from pairguard_training.replaying.tally import replay
from tests.domain import default_policy_document, merged
from tests.integration.server.platform_calls import (
    Clock,
    about,
    bare,
    between,
    decide,
    ended,
    erase,
    happened,
    import_decisions,
    item,
    keep_evidence,
    pair,
    participant,
    report,
    started,
    verified,
)
from tests.integration.server.running_server import (
    Running,
    lenient_policy,
    serving,
    until,
)
from tests.redis_server import running_redis
from tests.unit.server.requests import ADULT, FACE, evidence

SHARE = "0.2"
LOOSEST = {
    "default": {
        "unknown_may_meet": "ADULTS_AND_UNKNOWN",
        "minors_may_meet": True,
        "allow_without_harm_model": True,
        "unknown_history_harm_floor": 0.0,
        "gates": {
            "adults_max_probability_minor": 0.2,
            "adults_max_probability_minor_by_evidence": 0.3,
        },
        "thresholds": {
            "reroute_minor_adult": 0.3,
            "reroute_harm": 0.5,
            "block_harm": 1.0,
            "reroute_risk": 0.5,
        },
        "history": {
            "recent_partner_minutes": 0,
            "max_exposure_per_day": 10,
            "max_reroutes_per_day": 1_000_000,
        },
        "reports": {"min_reporters": 1_000},
        "probing": {"min_decisions_per_day": 1_000_000},
    }
}
"""As little as a document may ask for."""
KEPT = frozenset(
    {
        ReasonCode.HELD,
        ReasonCode.PERSONAL_BLOCK,
        ReasonCode.RECENT_PARTNER,
        ReasonCode.EXPOSURE_SPENT,
        ReasonCode.REROUTES_SPENT,
        ReasonCode.PROBING,
    }
)


@dataclass(frozen=True)
class World:
    """A journal that has seen a bit of everything, and what wrote it."""

    store_path: Path
    bundle: Path
    policy: Path
    records: Sequence[KeptRecord]

    @property
    def judge(self) -> Judge:
        return load_generation(self.bundle, self.policy).judge

    def judge_under(self, changes: Mapping[str, Any]) -> Judge:
        """Return the same model under the default policy with other lines."""
        document = merged(default_policy_document(), dict(changes))
        return Judge(self.judge.model, Policy.from_mapping(document))


class Recorded:
    """A store of which nothing but the journal is known."""

    def __init__(self, records: Sequence[KeptRecord]) -> None:
        self._records = sorted(records, key=lambda each: each.cursor)
        self.reads = 0

    def read_journal(
        self, after: str, limit: int, *, kinds: frozenset[RecordKind] | None = None
    ) -> tuple[KeptRecord, ...]:
        self.reads += 1
        found = [
            each
            for each in self._records
            if each.cursor > after and (kinds is None or each.kind in kinds)
        ]
        return tuple(found[:limit])


def store_of(records: Sequence[KeptRecord]) -> ParticipantStore:
    return cast("ParticipantStore", Recorded(records))  # nothing else is asked of it


def source_of(records: Sequence[KeptRecord]) -> JournalSource:
    return JournalSource(store_of(records))


def without_kept_state(record: KeptRecord) -> KeptRecord:
    """Return a record as an older version wrote it, which kept none of what was kept."""
    if record.kind is not RecordKind.DECISION:
        return record
    message = DecisionRecord.FromString(record.payload)
    pair = message.pair
    pair.ClearField("kept_between")
    for side in (pair.participant_a, pair.participant_b):
        side.ClearField("kept_counts")
    return replace(record, payload=message.SerializeToString())


@pytest.fixture(scope="module")
def world(bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> World:
    directory = tmp_path_factory.mktemp("replayed")
    clock = Clock()
    policy = lenient_policy(
        reroute_share=SHARE, max_exposure_per_day="0.08", max_reroutes_per_day="8"
    )
    with serving(bundle, directory, policy=policy, clock=clock) as server:
        _lives(server, clock)
        store = server.application._parts.store
        records = store.read_journal("", 10_000)
        return World(
            directory / "state" / "pairguard.sqlite3",
            bundle,
            directory / "policy.toml",
            records,
        )


def _lives(server: Running, clock: Clock) -> None:
    """Let a platform live for a while, so that every kind of kept state speaks."""
    decisions = {}
    for n in range(24):
        decisions[n] = decide(server, pair(f"a{n}", f"b{n}"))
        decide(
            server,
            pair(
                bare(f"u{n}"),
                participant(f"v{n}", more=evidence(FACE, "provider: 'Yoti' evidence_id: 'f'")),
            ),
        )
    chats = [n for n in decisions if decisions[n].decision == DECISION_ALLOW][:12]
    for n in chats:
        happened(
            server,
            started(f"c{n}", f"a{n}", f"b{n}", decision=decisions[n].decision_id),
            ended(f"c{n}", f"a{n}", f"b{n}", seconds=90.0 * n, by=f"a{n}"),
        )
    happened(
        server,
        report("r0", f"b{chats[0]}", f"a{chats[0]}", chat=f"c{chats[0]}"),
        report("r1", f"b{chats[1]}", f"a{chats[1]}", chat=f"c{chats[1]}"),
        report("r2", f"b{chats[2]}", f"a{chats[2]}", category="REPORT_CATEGORY_SPAM"),
        report("r3", f"b{chats[3]}", f"a{chats[3]}", chat=f"c{chats[3]}"),
        about(
            "review_verdict",
            "w1",
            f"a{chats[1]}",
            "verdict: VERDICT_CLEARED report_event_ids: 'r1'",
        ),
        about(
            "review_verdict",
            "w3",
            f"a{chats[3]}",
            "verdict: VERDICT_INCONCLUSIVE report_event_ids: 'r3'",
        ),
        # Nobody reported it; and a verdict on a nuisance clears nobody of a harm.
        about(
            "review_verdict",
            "w4",
            f"a{chats[4]}",
            "verdict: VERDICT_UPHELD",
            decision=decisions[chats[4]].decision_id,
        ),
        about(
            "review_verdict",
            "w5",
            f"a{chats[0]}",
            "verdict: VERDICT_CLEARED category: REPORT_CATEGORY_SPAM report_event_ids: 'r0'",
        ),
        about(
            "review_verdict",
            "w2",
            "a23",
            "verdict: VERDICT_UPHELD category: REPORT_CATEGORY_SEXTORTION",
        ),
        about("hold_placed", "h1", "a22", "kind: HOLD_KIND_PAIRING reason_code: 'SPAM'"),
        between("personal_block", "p1", "a21", "b21"),
    )
    keep_evidence(
        server, "late", verified("e1", 30.0), item("e2", FACE, "binding: BINDING_LIVE_PERSON")
    )
    clock.now += 600.0
    for n in range(24):
        # Recent partners, blocks, holds, upheld harm, and signals with the history.
        signals = "signals { key: 'account_age_days' value: 3 } signals { key: 'vpn' value: 1 }"
        decide(server, pair(participant(f"a{n}", more=ADULT + signals * (n % 2)), f"b{n}"))
        decide(server, pair(participant(f"a{n}", f"device{n % 3}"), f"c{n}"))
    for n in range(12):
        # Budgets: of exposure, then of reroutes.
        decide(server, pair("spender", f"s{n}"))
        decide(server, pair(bare("asker"), f"t{n}"))
    decide(server, pair(bare("late"), "x1"))
    decide(
        server,
        pair(
            participant(
                "child",
                more=evidence(
                    "verified_age { age_years: 9 method: VERIFICATION_METHOD_ID_DOCUMENT }",
                    "binding: BINDING_LIVE_PERSON",
                ),
            ),
            "x2",
        ),
    )
    decide(server, pair(bare("child"), "x3"))
    decide(server, pair("gone", "x4"))
    # Up to here outcomes are known.
    happened(server, between("personal_block_lifted", "p2", "a21", "b21"))
    import_decisions(server)
    erase(server, "gone")
    import_decisions(server)


def test_what_decided_decides_the_same_again_to_the_bit(world: World) -> None:
    judge = world.judge
    decisions = [*source_of(world.records).decisions()]
    served = Served(judge, decisions[0].bundle_version, decisions[0].policy_version)
    outcomes = journal_outcomes(store_of(world.records), window_days=14)

    found = replay(decisions, judge, outcomes, served=served, draws=20, seed=1)

    check = found.self_check
    assert check.compared == found.decisions == len(decisions) > 120
    assert (check.same, check.differing, check.largest_difference) == (len(decisions), {}, 0.0)
    assert found.state_recorded == len(decisions)
    # All of this has been seen.
    codes = {reason.code.value for each in decisions for reason in each.reasons}
    assert codes >= {
        "HELD",
        "UPHELD_HARM",
        "BELOW_MINIMUM_AGE",
        "PERSONAL_BLOCK",
        "RECENT_PARTNER",
        "AGE_UNKNOWN",
        "EXPOSURE_SPENT",
        "REROUTES_SPENT",
        "EXPLORATION",
        "ADULTS_MEET",
    }
    assert found.explored == sum(each.explored for each in decisions) > 0
    assert all(before == after for before, after in found.transitions)
    assert not found.carried


def test_a_version_that_was_used_twice_is_found_out(world: World) -> None:
    another = world.judge_under({"default": {"thresholds": {"reroute_harm": 0.0}}})
    decisions = [*source_of(world.records).decisions()]
    served = Served(another, decisions[0].bundle_version, decisions[0].policy_version)
    outcomes = journal_outcomes(store_of(world.records), window_days=14)

    check = replay(decisions, world.judge, outcomes, served=served, draws=5, seed=1).self_check

    allowed = sum(each.kind is DecisionKind.ALLOW for each in decisions)
    assert check.differing["decision"] >= allowed > 0
    assert check.same + sum(check.differing.values()) == check.compared
    assert len(check.examples) == 5
    others = replace(served, policy_version="another")
    unmade = replay(decisions, world.judge, outcomes, served=others, draws=5, seed=1).self_check
    assert (unmade.compared, unmade.other_versions) == (0, len(decisions))


def test_older_records_come_out_the_same_by_what_their_reasons_tell(world: World) -> None:
    judge = world.judge
    source = source_of([without_kept_state(each) for each in world.records])
    decisions = [*source.decisions()]
    served = Served(judge, decisions[0].bundle_version, decisions[0].policy_version)
    outcomes = journal_outcomes(store_of(world.records), window_days=14)

    found = replay(decisions, judge, outcomes, served=served, draws=20, seed=1)

    assert found.state_recorded == 0
    assert found.self_check.same == found.self_check.compared == len(decisions)
    assert set(found.carried) == {"RECENT_PARTNER", "EXPOSURE_SPENT", "REROUTES_SPENT"}


candidates = st.fixed_dictionaries(
    {
        "minimum_age": st.integers(13, 18),
        "minors_may_meet": st.booleans(),
        "unknown_may_meet": st.sampled_from(["NOBODY", "ADULTS", "ADULTS_AND_UNKNOWN"]),
        "allow_without_harm_model": st.booleans(),
        "gates": st.fixed_dictionaries(
            {
                "adults_max_probability_minor": st.floats(0, 0.2),
                "barred_min_probability": st.floats(0.5, 0.99),
            }
        ),
        "history": st.fixed_dictionaries(
            {
                "recent_partner_minutes": st.sampled_from([0, 60, 43_200]),
                "max_exposure_per_day": st.floats(0, 10),
                "max_reroutes_per_day": st.sampled_from([1, 10, 1_000_000]),
            }
        ),
        "thresholds": st.fixed_dictionaries(
            {"reroute_minor_adult": st.floats(0, 0.3), "reroute_harm": st.floats(0, 0.5)}
        ),
    }
).map(lambda lines: {"default": lines})


@given(lines=st.one_of(st.just(LOOSEST), candidates))
@settings(max_examples=12, suppress_health_check=[HealthCheck.too_slow], deadline=None)
def test_no_candidate_lets_through_what_untold_state_stopped(
    world: World, lines: Mapping[str, Any]
) -> None:
    judge = world.judge_under(lines)
    source = source_of([without_kept_state(each) for each in world.records])

    for logged in source.decisions():
        again = decide_again(judge, logged).decision
        kept = {reason for reason in logged.reasons if reason.code in KEPT}
        if not kept:
            continue
        assert again.kind is not DecisionKind.ALLOW, logged.reasons
        assert again.allow_probability == 0.0
        assert kept <= set(again.reasons)
        if ReasonCode.HELD in {reason.code for reason in kept}:
            assert again.kind is DecisionKind.BLOCK


def test_a_candidate_that_allows_less_allows_nothing_new(world: World) -> None:
    strict = {"default": {"thresholds": {"reroute_minor_adult": 0.0}}}
    decisions = source_of(world.records).decisions()
    outcomes = journal_outcomes(store_of(world.records), window_days=0.0001)

    found = replay(decisions, world.judge_under(strict), outcomes, served=None, draws=20, seed=1)

    assert {after for (_, after), count in found.transitions.items() if count} <= {
        "REROUTE",
        "BLOCK",
    }
    assert found.newly_allowed == 0
    assert found.reasons["(turned away by chance)", "MINOR_ADULT_RISK"] == found.explored
    assert found.harmed is not None
    assert found.harmed.met == found.harmed.stopped > 10
    assert found.off_policy.value is None
    assert "none of the pairs that were drawn" in found.off_policy.unknown


def test_harm_is_what_was_reported_and_not_cleared(world: World) -> None:
    outcomes = journal_outcomes(store_of(world.records), window_days=14)

    # One harassment stands; one was cleared, and spam is none; of one nobody could tell, and one
    # was found by a review alone.
    assert (len(outcomes.harmed), len(outcomes.untold)) == (1, 2)
    assert not outcomes.untold & outcomes.harmed.keys()
    (decision_id,) = outcomes.harmed
    events = [each for each in world.records if each.kind is RecordKind.EVENT]
    assert any(decision_id.encode() in each.payload for each in events)


def test_what_cannot_be_replayed_is_counted_by_why(world: World) -> None:
    damaged = replace(world.records[-1], cursor="9" * 20, payload=b"\xff", kind=RecordKind.DECISION)
    source = source_of([*world.records, damaged])

    count = len([*source.decisions()])

    decisions = [each for each in world.records if each.kind is RecordKind.DECISION]
    assert source.left_out == {ERASED: 1, UNREADABLE: 1}
    assert count == len(decisions) - 1


def test_a_journal_is_read_a_batch_at_a_time(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal_source, "BATCH", 10)
    recorded = Recorded(world.records)
    decisions = JournalSource(cast("ParticipantStore", recorded)).decisions()

    first = [logged.decision_id for logged, _ in zip(decisions, range(15), strict=False)]

    assert recorded.reads == 2
    whole = [logged.decision_id for logged in source_of(world.records).decisions()]
    assert first == whole[:15]


def test_the_command_tells_all_of_it(
    world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "replay.json"
    journal = ["--journal", f"sqlite:{world.store_path}"]
    texts = ["replay", *journal, "--bundle", str(world.bundle), "--policy", str(world.policy)]

    assert main([*texts, "--out", str(out), "--resamples", "20"]) == 0

    said = capsys.readouterr().out
    assert "probabilities to the bit" in said
    assert "left out: 1 records: somebody in it was erased" in said
    found = json.loads(out.read_text(encoding="utf-8"))
    assert found["self_check"]["same"] == found["self_check"]["compared"] == found["decisions"]
    assert found["off_policy"]["drawn"] > 0
    assert found["off_policy"]["value"] is None
    first = out.read_bytes()
    assert main([*texts, "--out", str(out), "--resamples", "20"]) == 0
    assert out.read_bytes() == first


def test_a_store_that_is_not_there_is_refused_and_not_made(
    world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    missing = tmp_path / "none.sqlite3"

    assert main(["replay", "--journal", f"sqlite:{missing}", "--bundle", str(world.bundle)]) == 2

    assert "there is no" in capsys.readouterr().err
    assert not missing.exists()


def test_a_journal_in_redis_is_replayed_too(
    bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with running_redis() as redis:
        with serving(bundle, tmp_path, policy=lenient_policy(), store=redis.url) as server:
            assert until(lambda: server.health("readiness") == "SERVING")
            for n in range(6):
                decide(server, pair(f"a{n}", f"b{n}" if n % 2 else bare(f"b{n}")))
            import_decisions(server)
            key_file = server.settings.key_file
        journal = ["--journal", redis.url, "--key-file", str(key_file)]
        texts = ["--bundle", str(bundle), "--policy", str(tmp_path / "policy.toml")]

        assert main(["replay", *journal, *texts, "--resamples", "5"]) == 0

    said = capsys.readouterr().out
    assert "self-check: 6 of 6 decisions" in said
