"""A store that is away, slow or damaged, a disk that is full, a clock that goes back."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import grpc
import pytest

from pairguard.errors import ConfigurationRefused, StoreUnavailable
from pairguard.store.opening import sqlite_path
from pairguard.store.ports import JournalRecord
from pairguard.store.segments.writing import SegmentWriter
from pairguard.v1.assessment_pb2 import DECISION_ALLOW, DECISION_BLOCK, DECISION_REROUTE
from pairguard.v1.feedback_service_pb2 import EraseParticipantRequest, RecordEventsRequest
from pairguard.v1.pair_risk_service_pb2 import GetDecisionRequest
from tests.domain import DAY, NOW
from tests.integration.server.platform_calls import (
    Clock,
    about,
    allowed,
    between,
    codes,
    decide,
    ended,
    find_decision,
    happened,
    history_of,
    keep_evidence,
    pair,
    record,
    reference,
    report,
    started,
    statuses,
    verified,
)
from tests.integration.server.running_server import (
    BrokenStore,
    Running,
    failed_call,
    lenient_policy,
    listening,
    refusal,
    serving,
    until,
)
from tests.redis_server import RedisServer, running_redis


def path_of(server: Running) -> Path:
    path = sqlite_path(server.settings.store)
    assert path is not None
    return path


@contextmanager
def locked(server: Running) -> Iterator[None]:
    """Keep the database from being written by anybody else."""
    connection = sqlite3.connect(path_of(server), isolation_level=None)
    connection.execute("BEGIN EXCLUSIVE")
    try:
        yield
    finally:
        connection.execute("ROLLBACK")
        connection.close()


@contextmanager
def without_directory(directory: Path) -> Iterator[None]:
    """Put a file where segments are to be begun, so that none can be."""
    directory.write_text("a file")
    try:
        yield
    finally:
        directory.unlink()


@pytest.mark.parametrize("what", ["a file that is no database", "a directory", "another key"])
def test_an_embedded_store_that_cannot_be_used_is_refused_at_start(
    bundle: Path, tmp_path: Path, what: str
) -> None:
    path = tmp_path / "state" / "pairguard.sqlite3"
    if what == "another key":
        with serving(bundle, tmp_path):
            pass
        path.with_name(path.name + ".key").write_bytes(bytes(32))
    elif what == "a directory":
        path.mkdir(parents=True)
    else:
        path.parent.mkdir()
        path.write_bytes(b"no database at all, but long enough to have a header" * 40)

    with (
        listening(bundle, tmp_path) as server,
        pytest.raises(ConfigurationRefused, match="store: ") as refused,
    ):
        server.application.load()
    assert str(path) in str(refused.value)


def test_what_is_lost_while_serving_is_told_and_comes_back(bundle: Path, tmp_path: Path) -> None:
    store = BrokenStore(tmp_path / "kept.sqlite3")
    with serving(bundle, tmp_path, policy=lenient_policy(), store=store) as server:
        decision = allowed(server, "a", "b")
        store.reads = store.writes = False

        answer = decide(server, pair("a", "c"))
        assert (answer.decision, codes(answer)) == (DECISION_REROUTE, ["STORE_UNAVAILABLE"])
        sent = started("c1", "a", "b", decision=decision)
        for call, request in ((server.feedback.RecordEvents, RecordEventsRequest(events=[sent])),):
            code, info, _ = refusal(call, request)
            assert (code, info.reason) == (grpc.StatusCode.UNAVAILABLE, "STORE_UNAVAILABLE")
        with pytest.raises(grpc.RpcError):
            keep_evidence(server, "a", verified("doc", 15))

        store.reads = True  # but not yet written
        code, _, _ = refusal(server.feedback.RecordEvents, RecordEventsRequest(events=[sent]))
        assert code is grpc.StatusCode.UNAVAILABLE
        assert server.metric("pairguard_events_total", status="recorded") == 0
        assert server.metric("pairguard_store_errors_total", operation="append") == 1
        assert decide(server, pair("a", "d")).decision == DECISION_ALLOW

        store.writes = True
        assert statuses(record(server, sent)) == ["RECORDED"]
        assert statuses(keep_evidence(server, "x", verified("doc", 15)).results) == ["RECORDED"]
        assert history_of(server, "a")["history.chats_started_1h"] == 1


def test_while_somebody_else_holds_the_database_nothing_is_promised(
    bundle: Path, tmp_path: Path
) -> None:
    with serving(bundle, tmp_path, policy=lenient_policy()) as server:
        first = allowed(server, "a", "b")
        find_decision(server, first)
        with locked(server):
            # What is kept can be read, and what is decided is written beside the store.
            answer = decide(server, pair("a", "c"))
            assert answer.decision == DECISION_ALLOW
            assert not answer.degradations
            for call, request in (
                (
                    server.feedback.RecordEvents,
                    RecordEventsRequest(events=[started("c", "a", "b")]),
                ),
                (
                    server.feedback.EraseParticipant,
                    EraseParticipantRequest(participant=reference("b")),
                ),
                (server.pair_risk.GetDecision, GetDecisionRequest(decision_id=answer.decision_id)),
            ):
                code, info, _ = refusal(call, request, timeout=20)
                assert (code, info.reason) == (grpc.StatusCode.UNAVAILABLE, "STORE_UNAVAILABLE")
            held = decide(server, pair("a", "d", request_id="r"))
            assert "REQUEST_ID_NOT_KEPT" in held.degradations
        assert statuses(record(server, started("c", "a", "b"))) == ["RECORDED"]
        assert find_decision(server, answer.decision_id).decision.pair.assessment == answer


def test_a_full_disk_of_the_journal_is_told_and_decisions_go_on(
    bundle: Path, tmp_path: Path
) -> None:
    with serving(
        bundle, tmp_path, policy=lenient_policy(), journal_directory=tmp_path / "journal"
    ) as server:
        with without_directory(tmp_path / "journal"):
            answers = [decide(server, pair("a", f"c{n}")) for n in range(3)]
            assert [each.decision for each in answers] == [DECISION_ALLOW] * 3
            assert all(list(a.degradations) == ["DECISION_NOT_JOURNALED"] for a in answers)
            assert server.metric("pairguard_decisions_not_journaled_total") == 3
            assert server.metric("pairguard_degradations_total", kind="DECISION_NOT_JOURNALED") == 3
            # Events have another way.
            assert statuses(record(server, started("c", "a", "b"))) == ["RECORDED"]

        after = decide(server, pair("a", "d"))
        assert not after.degradations
        assert find_decision(server, after.decision_id).decision.pair.assessment == after
        code, info, _ = refusal(
            server.pair_risk.GetDecision, GetDecisionRequest(decision_id=answers[0].decision_id)
        )
        assert (code, info.reason) == (grpc.StatusCode.NOT_FOUND, "DECISION_NOT_FOUND")


def test_decisions_that_are_not_journaled_still_spend_the_budget(
    bundle: Path, tmp_path: Path
) -> None:
    with serving(bundle, tmp_path, policy=lenient_policy()) as server:
        exposure = decide(server, pair("a", "b")).minor_adult_probability
    clock = Clock()
    with serving(
        bundle,
        tmp_path,
        policy=lenient_policy(max_exposure_per_day=str(3.5 * exposure)),
        clock=clock,
        journal_directory=tmp_path / "journal",
    ) as server:
        with without_directory(tmp_path / "journal"):
            for n in range(3):
                allowed(server, "p", f"q{n}")
            assert codes(decide(server, pair("p", "q3"))) == ["EXPOSURE_SPENT"]
        assert codes(decide(server, pair("p", "q4"))) == ["EXPOSURE_SPENT"]
        # For a day, as what is journaled, and not until this process ends.
        clock.now += DAY + 3_601
        allowed(server, "x", "y")
        allowed(server, "p", "q5")


def damage(server: Running, text_id: str) -> None:
    """Change one byte in the middle of somebody's row."""
    with sqlite3.connect(path_of(server)) as connection:
        (row,) = connection.execute(
            "SELECT row FROM participant_rows WHERE id_hash = ?", (hash_of(server, text_id),)
        ).fetchone()
        row = row[:20] + bytes((row[20] ^ 0xFF,)) + row[21:]
        connection.execute(
            "UPDATE participant_rows SET row = ? WHERE id_hash = ?",
            (row, hash_of(server, text_id)),
        )
    connection.close()


def hash_of(server: Running, text_id: str) -> bytes:
    store = BrokenStore(path_of(server))
    try:
        return store.keys.hash(text_id)
    finally:
        store.close()


def test_a_damaged_row_stops_pairs_with_its_participant_and_nobody_else(
    bundle: Path, tmp_path: Path
) -> None:
    with serving(bundle, tmp_path, policy=lenient_policy()) as server:
        happened(
            server,
            started("c1", "torn", "b"),
            started("c2", "sound", "b"),
            between("personal_block", "p", "torn", "blocked"),
        )
        damage(server, "torn")

        for turn in range(2):
            answer = decide(server, pair("torn", "x"))
            assert (answer.decision, codes(answer)) == (DECISION_REROUTE, ["STORE_UNAVAILABLE"])
            assert decide(server, pair("sound", "x")).decision == DECISION_ALLOW
            # What was asked for stands in the row of the other, too.
            assert codes(decide(server, pair("blocked", "x"))) == ["ADULTS_MEET"]
            # Events of the others are kept, and those of this one go into the journal.
            happened(
                server,
                ended(f"c1-{turn}", "torn", "b", by="b"),
                started(f"d-{turn}", "sound", "y"),
                report(f"r-{turn}", "b", "torn"),
                about("review_verdict", f"v-{turn}", "torn", "verdict: VERDICT_CLEARED"),
            )
        assert history_of(server, "sound")["history.chats_started_1h"] == 3
        assert decide(server, pair("x", "torn")).degradations == ["STORE_UNAVAILABLE"]
        # Decisions are taken over as before, those on this one included.
        find_decision(server, decide(server, pair("torn", "z")).decision_id)
        assert server.metric("pairguard_journal_import_failing") == 0


def test_holds_are_seen_beside_a_damaged_row_when_they_can_be(bundle: Path, tmp_path: Path) -> None:
    with serving(bundle, tmp_path, policy=lenient_policy()) as server:
        happened(
            server,
            started("c1", "torn", "b"),
            about("hold_placed", "h", "torn", "reason_code: 'FRAUD'"),
        )
        damage(server, "torn")
        assert decide(server, pair("torn", "x")).decision in (DECISION_REROUTE, DECISION_BLOCK)


def test_a_clock_that_goes_back_makes_no_answer_milder(bundle: Path, tmp_path: Path) -> None:
    clock = Clock()
    policy = lenient_policy(max_reroutes_per_day="2")
    with serving(bundle, tmp_path, policy=policy, clock=clock) as server:
        for n in range(3):
            happened(server, started(f"c{n}", "bad", f"r{n}"), report(f"x{n}", f"r{n}", "bad"))
        happened(
            server,
            between("personal_block", "b", "one", "other"),
            about("review_verdict", "v", "upheld", "verdict: VERDICT_UPHELD"),
            about(
                "hold_placed",
                "h",
                "held",
                f"reason_code: 'X' expire_time {{ seconds: {int(NOW) + 600} }}",
            ),
            started("recent", "left", "right"),
        )
        keep_evidence(server, "young", verified("doc", 15))
        for n in range(3):
            decide(server, pair("asker", f"y{n}", request_id=f"{n}"))
            decide(server, pair("asker", "young"))
        expected = {
            ("bad", "x"): "REPORTED",
            ("one", "other"): "PERSONAL_BLOCK",
            ("upheld", "x"): "HELD",
            ("held", "x"): "HELD",
            ("left", "right"): "RECENT_PARTNER",
            ("young", "x"): "AGE_EVIDENCE_CONFLICT",
            ("asker", "x"): "REROUTES_SPENT",
        }
        for back in (0.0, 1.0, 3_600.0, 20 * 3_600.0):
            clock.now = NOW - back
            for (a, b), code in expected.items():
                assert code in codes(decide(server, pair(a, b))), (back, a)
            # What comes in meanwhile counts, too.
            happened(
                server,
                between("personal_block", f"b-{back}", "new", f"other-{back}"),
            )
            assert "PERSONAL_BLOCK" in codes(decide(server, pair("new", f"other-{back}")))


class SlowStore(BrokenStore):
    """A store whose appends wait until they may go on."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.may_go_on = threading.Event()

    def append(self, records: Sequence[JournalRecord]) -> tuple[bool, ...]:
        if not self.may_go_on.wait(10):
            raise StoreUnavailable("nobody let it go on")
        return super().append(records)


def test_a_slow_store_holds_up_events_and_no_decision(bundle: Path, tmp_path: Path) -> None:
    store = SlowStore(tmp_path / "kept.sqlite3")
    with serving(bundle, tmp_path, policy=lenient_policy(), store=store) as server:
        sent = RecordEventsRequest(events=[started("c", "a", "b")])
        waiting = server.feedback.RecordEvents.future(sent, timeout=20)
        for n in range(5):
            allowed(server, "a", f"p{n}")
        assert not waiting.done()
        store.may_go_on.set()
        assert statuses(waiting.result().results) == ["RECORDED"]


def test_a_store_over_the_network_may_be_away_at_start_and_later(
    bundle: Path, tmp_path: Path
) -> None:
    redis = RedisServer()
    try:
        with serving(bundle, tmp_path, policy=lenient_policy(), store=redis.url) as server:
            assert server.health("readiness") == "NOT_SERVING"
            assert_nothing_is_promised(server)
            redis.start()
            assert until(lambda: server.health("readiness") == "SERVING")
            assert until(lambda: decide(server, pair("a", "b")).decision == DECISION_ALLOW)
            assert statuses(record(server, started("c", "a", "c"))) == ["RECORDED"]

            redis.kill()
            assert_nothing_is_promised(server)
            redis.start()

            # What was acknowledged is there, and what was not can be sent again.
            assert until(lambda: codes(decide(server, pair("a", "c"))) == ["RECENT_PARTNER"])
            assert until(lambda: sent_again(server) in (["RECORDED"], ["DUPLICATE"]))
            assert sent_again(server) == ["DUPLICATE"]
            assert history_of(server, "a")["history.chats_started_1h"] == 2
    finally:
        redis.remove()


def sent_again(server: Running) -> list[str]:
    try:
        return statuses(record(server, started("lost", "a", "d")))
    except grpc.RpcError as error:
        if failed_call(error).code() is not grpc.StatusCode.UNAVAILABLE:
            raise
        return []


def assert_nothing_is_promised(server: Running) -> None:
    answer = decide(server, pair("a", "b", request_id="r"))
    assert (answer.decision, codes(answer)) == (DECISION_REROUTE, ["STORE_UNAVAILABLE"])
    assert {"STORE_UNAVAILABLE", "REQUEST_ID_NOT_KEPT"} <= set(answer.degradations)
    assert sent_again(server) == []
    for call, request in (
        (server.feedback.EraseParticipant, EraseParticipantRequest(participant=reference("a"))),
        (server.pair_risk.GetDecision, GetDecisionRequest(decision_id=answer.decision_id)),
    ):
        code, info, _ = refusal(call, request)
        assert (code, info.reason) == (grpc.StatusCode.UNAVAILABLE, "STORE_UNAVAILABLE")


def test_a_store_that_may_lose_what_it_took_is_asked_for_no_promise(
    bundle: Path, tmp_path: Path
) -> None:
    with running_redis("--appendfsync", "everysec") as redis:
        with serving(bundle, tmp_path, policy=lenient_policy(), store=redis.url) as server:
            assert sent_again(server) == []
            with pytest.raises(grpc.RpcError):
                keep_evidence(server, "a", verified("doc", 40))
            # Decisions stand in local files, which are on the disk, until the store promises more.
            answer = decide(server, pair("a", "b"))
            assert (answer.decision, list(answer.degradations)) == (DECISION_ALLOW, [])
        with serving(
            bundle,
            tmp_path,
            policy=lenient_policy(),
            store=redis.url,
            accept_weak_durability=True,
        ) as server:
            assert sent_again(server) == ["RECORDED"]
            assert find_decision(server, answer.decision_id).decision.pair.assessment == answer


def test_a_torn_tail_is_cut_at_the_start_and_counted(bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "first").mkdir()
    with serving(bundle, tmp_path / "first", policy=lenient_policy()) as server:
        decided = [find_decision(server, allowed(server, "a", who)).decision for who in "bc"]
    # As after a power cut in the middle of a write.
    journal = tmp_path / "state" / "journal"
    writer = SegmentWriter(journal, on_sync_error=lambda: None)
    for each in decided:
        writer.append(each.SerializeToString())
    writer.close()
    (segment,) = journal.iterdir()
    segment.write_bytes(segment.read_bytes()[:-7])

    with serving(bundle, tmp_path, policy=lenient_policy()) as server:
        assert server.metric("pairguard_journal_damaged_records_total", kind="torn") == 1
        assert server.metric("pairguard_journal_imported_records_total") == 1
        assert find_decision(server, decided[0].decision_id).decision == decided[0]
        code, _, _ = refusal(
            server.pair_risk.GetDecision, GetDecisionRequest(decision_id=decided[1].decision_id)
        )
        assert code is grpc.StatusCode.NOT_FOUND


def test_a_damaged_partner_hides_no_unsafe_chat(bundle: Path, tmp_path: Path) -> None:
    with serving(bundle, tmp_path, policy=lenient_policy()) as server:
        decision = allowed(server, "a", "torn")
        happened(server, started("c", "a", "torn", decision=decision))
        damage(server, "torn")
        response = keep_evidence(server, "a", verified("doc", 15))
        assert [each.chat_id for each in response.unsafe_chats] == ["c"]
