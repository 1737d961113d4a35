"""From a server's journal to the tables: what was decided and what happened, as it was known."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

from pairguard.server.event_conversion import MAX_EVENT_AGE_SECONDS
from pairguard.store.opening import open_store
from pairguard.v1.pair_risk_service_pb2 import Candidate, RankCandidatesRequest
from pairguard_training.__main__ import main
from pairguard_training.exporting.assembly import EVENTS_LATE_DAYS
from pairguard_training.exporting.export import ExportReport, export_journal
from pairguard_training.exporting.stretches import Limits
from pairguard_training.tables.participants import participants
from pairguard_training.tables.reading import Tables, read_tables
from tests.domain import DAY
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
    keep_evidence,
    pair,
    participant,
    reference,
    report,
    started,
    verified,
)
from tests.integration.server.running_server import Running, lenient_policy, serving
from tests.redis_server import RedisServer
from tests.unit.training.small_world import fit_tables

TINY = Limits(records=3)
"""So that few records are many stretches."""


class Platform:
    """A server with a store, and the folder that its journal is exported to."""

    def __init__(self, server: Running, clock: Clock, out: Path) -> None:
        self.server = server
        self.clock = clock
        self.out = out

    def export(self, limits: Limits = TINY) -> ExportReport:
        import_decisions(self.server)
        settings = self.server.settings
        store = open_store(settings.absolute_store, key_path=settings.key_file)
        try:
            return export_journal(store, self.out, lambda _: None, limits=limits)
        finally:
            store.close()

    def tables(self, limits: Limits = TINY) -> Tables:
        self.export(limits)
        return read_tables(self.out)


@pytest.fixture(params=["sqlite", "redis"])
def platform(
    request: pytest.FixtureRequest, bundle: Path, tmp_path: Path, redis_server: RedisServer
) -> Iterator[Platform]:
    clock = Clock()
    stores = {}
    if request.param == "redis":
        with redis_server.client() as client:
            client.flushall()
        stores = {"store": redis_server.url, "identity_key_file": tmp_path / "identity.key"}
    with serving(bundle, tmp_path, policy=lenient_policy(), clock=clock, **stores) as server:
        yield Platform(server, clock, tmp_path / "tables")


def row(frame: pl.DataFrame, **values: object) -> dict[str, object]:
    """Return the one row with these values."""
    found = frame.filter([pl.col(name).eq(value) for name, value in values.items()])
    assert found.height == 1, frame
    return found.row(0, named=True)


def test_an_allowed_pair_and_what_came_of_it(platform: Platform) -> None:
    decision = allowed(platform.server, "a", "b")
    happened(
        platform.server,
        started("chat", "a", "b", decision=decision),
        ended("chat", "a", "b", seconds=12, by="a"),
        report("complaint", "b", "a", chat="chat"),
        about(
            "review_verdict",
            "verdict",
            "a",
            "report_event_ids: 'complaint' verdict: VERDICT_UPHELD",
        ),
    )
    found = platform.tables()
    (one,) = found.pairs.iter_rows(named=True)
    assert one["pair_id"] == decision
    assert (one["decision"], one["allow_probability"]) == ("ALLOW", 1.0)
    assert one["chat_started"] is True
    assert found.outcomes["kind"].to_list() == [
        "chat_started", "chat_ended", "report", "review_verdict",
    ]  # fmt: skip
    told = row(found.outcomes, kind="report")
    assert told["category"] == "SEXUAL_CONDUCT"
    assert row(found.outcomes, kind="chat_ended")["duration_seconds"] == 12.0
    verdict = row(found.outcomes, kind="review_verdict")
    assert (verdict["verdict"], verdict["reported_id"]) == ("UPHELD", told["reported_id"])
    people = dict(found.snapshots.select("snapshot_id", "participant_id").iter_rows())
    assert {told["reporter_id"], told["reported_id"]} == {
        people[str(one["snapshot_a"])], people[str(one["snapshot_b"])],
    }  # fmt: skip


def test_what_happens_after_an_export_lands_in_the_next(platform: Platform) -> None:
    other = allowed(platform.server, "c", "d")
    happened(platform.server, started("other", "c", "d", decision=other))
    decision = allowed(platform.server, "a", "b")
    platform.clock.now += 5 * DAY

    happened(platform.server, report("complaint", "b", "a", chat="chat"))
    found = platform.tables()
    assert row(found.pairs, pair_id=decision)["chat_started"] is None
    assert set(found.outcomes["pair_id"]) == {other}  # nobody knows that chat yet
    platform.clock.now += 1 * DAY
    happened(platform.server, started("chat", "a", "b", decision=decision))

    found = platform.tables()
    assert row(found.pairs, pair_id=decision)["chat_started"] is True
    own = found.outcomes.filter(pl.col("pair_id") == decision)
    assert set(own["kind"]) == {"report", "chat_started"}
    platform.clock.now += 20 * DAY
    happened(
        platform.server,
        about(
            "review_verdict",
            "verdict",
            "a",
            "report_event_ids: 'complaint' verdict: VERDICT_CLEARED",
        ),
    )
    assert row(platform.tables().outcomes, kind="review_verdict")["pair_id"] == decision


def test_that_no_chat_started_is_said_when_none_can_come_any_more(platform: Platform) -> None:
    before = allowed(platform.server, "a", "b")
    platform.clock.now += DAY
    other = allowed(platform.server, "c", "d")
    happened(platform.server, started("chat", "c", "d", decision=other))
    platform.clock.now += DAY
    never = allowed(platform.server, "e", "f")
    assert row(platform.tables().pairs, pair_id=never)["chat_started"] is None
    platform.clock.now += 8 * DAY
    late = allowed(platform.server, "g", "h")

    told = dict(platform.tables().pairs.select("pair_id", "chat_started").iter_rows())
    # Of what was decided before starts were told nobody knows.
    assert told == {before: None, other: True, never: False, late: None}


def test_who_is_erased_leaves_everything_that_was_exported(platform: Platform) -> None:
    for partner in ("b", "c", "d"):
        decision = allowed(platform.server, participant("a", "a-phone"), partner)
        happened(
            platform.server,
            started(f"chat-{partner}", "a", partner, decision=decision),
            report(f"complaint-{partner}", partner, "a", chat=f"chat-{partner}"),
        )
    keep_evidence(platform.server, reference("a", "a-phone"), verified("document", 40))
    allowed(platform.server, "b", "c")
    platform.export()
    keys = open_store(
        platform.server.settings.absolute_store, key_path=platform.server.settings.key_file
    ).keys
    gone = {keys.hash("a").hex(), keys.hash("a-phone").hex()}
    assert gone <= texts_below(platform.out)
    platform.clock.now += 1

    erase(platform.server, "a", "a-phone")
    result = platform.export()

    assert result.changed
    assert gone.isdisjoint(texts_below(platform.out))
    found = read_tables(platform.out)
    assert found.pairs.height == 1
    assert found.outcomes.is_empty()
    counts = result.data_set.ledger.tally.left_out
    assert counts["pairs: erased"] == counts["participants of decisions: erased"] == 3
    assert counts["events: erased"] == 6
    assert counts["evidence: erased"] == 1


def texts_below(folder: Path) -> set[str]:
    """Return every text in every file of every table, the export's own included."""
    found: set[str] = set()
    for path in folder.rglob("*"):
        if path.suffix != ".parquet":
            assert path.is_dir() or path.suffix == ".json" or path.name == "_lock", path
            continue
        frame = pl.read_parquet(path, hive_partitioning=False)
        for column in frame.select(pl.col(pl.String)).iter_columns():
            found |= set(column.drop_nulls().to_list())
    return found


def test_events_are_waited_for_as_long_as_the_service_takes_them() -> None:
    assert EVENTS_LATE_DAYS * DAY == MAX_EVENT_AGE_SECONDS


def test_a_ranking_gives_a_pair_for_each_candidate(platform: Platform) -> None:
    ranking = platform.server.pair_risk.RankCandidates(
        RankCandidatesRequest(
            seeker=participant("a"),
            candidates=[Candidate(participant=each) for each in (participant("b"), bare("c"))],
        ),
        timeout=10,
    )
    happened(platform.server, started("chat", "b", "a", decision=ranking.decision_id))

    found = platform.tables()
    one, other = (f"{ranking.decision_id}-{place}" for place in (0, 1))
    assert row(found.pairs, pair_id=one)["decision"] == "ALLOW"
    assert row(found.pairs, pair_id=one)["chat_started"] is True
    assert row(found.pairs, pair_id=other)["decision"] == "REROUTE"
    assert row(found.pairs, pair_id=other)["allow_probability"] == 0.0
    assert row(found.outcomes, kind="chat_started")["pair_id"] == one
    assert found.snapshots.height == 3
    assert found.pairs["snapshot_a"].n_unique() == 1


def test_a_snapshot_holds_what_was_known_at_the_decision_and_nothing_later(
    platform: Platform,
) -> None:
    def of_bare_a(found: Tables, decision: str) -> tuple[object, list[str]]:
        pairs = row(found.pairs, pair_id=decision)
        evidence = found.age_evidence.filter(pl.col("snapshot_id") == pairs["snapshot_a"])
        seen = row(found.snapshots, snapshot_id=pairs["snapshot_a"])
        return seen.get("signal.history.chats_started_24h"), evidence["kind"].to_list()

    first = decide(platform.server, pair(bare("a"), "b")).decision_id
    keep_evidence(platform.server, "a", verified("document", 40))
    second = decide(platform.server, pair(bare("a"), "b")).decision_id
    happened(platform.server, started("chat", "a", "b", decision=second))
    third = decide(platform.server, pair(bare("a"), "c")).decision_id

    found = platform.tables()
    assert of_bare_a(found, first)[1] == []
    assert of_bare_a(found, second)[1] == ["verified_age"]
    assert of_bare_a(found, second)[0] in (None, 0.0)
    assert of_bare_a(found, third) == (1.0, ["verified_age"])
    # The label, which came later, is told apart from what was known.
    keys = set(found.age_labels["participant_id"])
    assert found.snapshots["participant_id"][0] in keys


def test_evidence_of_somebody_linked_stays_marked(platform: Platform) -> None:
    keep_evidence(platform.server, reference("parent", "tablet"), verified("document", 40))
    decision = decide(platform.server, pair(bare("child", "tablet"), "b")).decision_id
    found = platform.tables()
    snapshot = row(found.pairs, pair_id=decision)["snapshot_a"]
    item = row(found.age_evidence, snapshot_id=snapshot)
    assert item["of_linked"] is True
    # Nor does it label the one who shares the tablet.
    child = row(found.snapshots, snapshot_id=snapshot)["participant_id"]
    assert child not in set(found.age_labels["participant_id"])
    assert found.age_labels.height == 2  # the parent, and b
    (used, *_) = participants(found, [str(snapshot)])
    assert [each.of_linked for each in used.age_evidence] == [True]


def test_those_who_share_a_device_fall_together_also_when_it_shows_later(
    platform: Platform,
) -> None:
    allowed(platform.server, participant("a", "phone"), participant("b", "tablet"))
    first = platform.tables().snapshots
    assert first["cluster_id"].n_unique() == 2
    allowed(platform.server, participant("c", "phone", "tablet"), "d")

    later = platform.tables().snapshots
    clusters = dict(later.select("participant_id", "cluster_id").iter_rows())
    assert sorted(map(str, clusters.values())).count("None") == 1  # d shares nothing
    assert len(set(clusters.values())) == 2


def test_a_start_without_a_decision_or_for_others_is_at_no_pair(platform: Platform) -> None:
    decision = allowed(platform.server, "a", "b")
    happened(
        platform.server,
        started("bypass", "a", "b"),
        report("of-bypass", "a", "b", chat="bypass"),
        started("other", "a", "x", decision=decision),
        started("unknown", "a", "b", decision="0" * 32),
        report("nowhere", "x", "y"),
        about("hold_placed", "held", "a", "reason_code: 'SPAM'"),
    )
    result = platform.export()
    found = read_tables(platform.out)
    assert found.outcomes.is_empty()
    assert {
        name.removeprefix("events: "): count
        for name, count in result.data_set.ledger.tally.left_out.items()
    } == {
        "its chat had no decision": 2,
        "its decision is on other people": 1,
        "its decision is not among the pairs": 1,
        "names no pair": 2,
    }


def test_a_report_without_a_chat_is_about_the_last_pair_that_met(platform: Platform) -> None:
    first, second = allowed(platform.server, "a", "b"), ""
    happened(platform.server, started("one", "a", "b", decision=first))
    platform.clock.now += DAY
    second = allowed(platform.server, "b", "a")
    happened(platform.server, started("two", "b", "a", decision=second))
    platform.clock.now += DAY
    allowed(platform.server, "a", "b")  # and did not meet
    happened(
        platform.server,
        report("complaint", "a", "b"),
        between("personal_block", "block", "a", "b"),
    )
    found = platform.tables()
    assert row(found.outcomes, kind="report")["pair_id"] == second
    assert row(found.outcomes, kind="personal_block")["pair_id"] == second


def test_an_export_of_many_runs_is_that_of_one(platform: Platform, tmp_path: Path) -> None:
    for step in range(8):
        decision = allowed(platform.server, f"a{step % 3}", f"b{step}")
        happened(
            platform.server, started(f"chat-{step}", f"a{step % 3}", f"b{step}", decision=decision)
        )
        platform.clock.now += DAY / 3
        platform.export()
    several = read_tables(platform.out).data_hash
    platform.out = tmp_path / "at-once"
    assert platform.tables().data_hash == several


def test_what_is_exported_can_be_fitted(platform: Platform) -> None:
    for step in range(12):
        decision = allowed(platform.server, f"a{step}", f"b{step}")
        happened(platform.server, started(f"c{step}", f"a{step}", f"b{step}", decision=decision))
        platform.clock.now += DAY
    found = platform.tables()
    fit = fit_tables(found)
    assert fit.harm is None  # nobody was reported


def test_whatever_comes_later_changes_nothing_that_was_known_at_a_decision(
    platform: Platform,
) -> None:
    def known(found: Tables, decisions: list[str]) -> list[list[dict[str, object]]]:
        pairs = found.pairs.filter(pl.col("pair_id").is_in(decisions)).drop("chat_started")
        used = [*pairs["snapshot_a"].to_list(), *pairs["snapshot_b"].to_list()]
        snapshots = found.snapshots.filter(pl.col("snapshot_id").is_in(used)).drop("cluster_id")
        evidence = found.age_evidence.filter(pl.col("snapshot_id").is_in(used))
        told = [
            {name: value for name, value in each.items() if value is not None}
            for each in snapshots.iter_rows(named=True)
        ]
        return [list(pairs.iter_rows(named=True)), told, list(evidence.iter_rows(named=True))]

    decisions = [
        decide(platform.server, pair(participant("a", "phone"), bare("b"))).decision_id,
        allowed(platform.server, "c", "d"),
    ]
    before = known(platform.tables(), decisions)
    happened(
        platform.server,
        started("chat", "c", "d", decision=decisions[1]),
        report("complaint", "c", "d", chat="chat"),
        about(
            "review_verdict",
            "verdict",
            "d",
            "report_event_ids: 'complaint' verdict: VERDICT_UPHELD"
            " confirmed_age { age_years: 15 method: VERIFICATION_METHOD_MODERATOR }",
        ),
    )
    keep_evidence(platform.server, "b", verified("document", 15))
    platform.clock.now += DAY
    decide(platform.server, pair(bare("b"), participant("e", "phone")))
    decide(platform.server, pair(bare("d"), "e"))

    found = platform.tables()
    assert known(found, decisions) == before
    assert row(found.age_labels, method="MODERATOR")["age_years"] == 15.0
    assert row(found.age_labels, age_years=15.0, method="ID_DOCUMENT")


def test_the_command_exports_beside_a_server(
    platform: Platform, capsys: pytest.CaptureFixture[str]
) -> None:
    allowed(platform.server, "a", "b")
    import_decisions(platform.server)
    settings = platform.server.settings
    command = ["export", "--store", settings.absolute_store, "--out", str(platform.out)]
    if settings.key_file is not None:
        command += ["--key-file", str(settings.key_file)]
    assert main(command) == 0
    assert "1 decisions, 0 events" in capsys.readouterr().out
    assert main(["check", "--tables", str(platform.out), "--as-of", "2027-01-01"]) == 0
