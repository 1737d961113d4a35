"""A whole server whose Redis is not there yet, goes away, comes back, or promises too little."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest

from pairguard.v1.assessment_pb2 import DECISION_ALLOW, DECISION_BLOCK, DECISION_REROUTE
from pairguard.v1.feedback_service_pb2 import RecordEventsRequest
from pairguard.v1.participant_pb2 import Participant
from tests.integration.server.platform_calls import (
    CHILD_AGE,
    allowed,
    codes,
    decide,
    find_decision,
    history_of,
    keep_evidence,
    pair,
    participant,
    record,
    started,
    statuses,
    verified,
)
from tests.integration.server.running_server import (
    Running,
    lenient_policy,
    listening,
    refusal,
    serving,
    until,
)
from tests.redis_server import RedisServer, running_redis
from tests.unit.server.requests import ADULT


@pytest.fixture
def redis() -> Iterator[RedisServer]:
    """A server that is not running yet."""
    server = RedisServer()
    try:
        yield server
    finally:
        server.remove()


def child(text_id: str) -> Participant:
    more = ADULT.replace("age_years: 40", f"age_years: {CHILD_AGE}")
    return participant(text_id, more=more)


def made(directory: Path) -> Path:
    directory.mkdir()
    return directory


def is_read(server: Running) -> bool:
    return not decide(server, pair("some", "body")).degradations


def events_are_refused(server: Running, text_id: str = "x") -> bool:
    request = RecordEventsRequest(events=[started(f"c-{text_id}", text_id, "y")])
    code, info, _ = refusal(server.feedback.RecordEvents, request)
    return (code, info.reason) == (grpc.StatusCode.UNAVAILABLE, "STORE_UNAVAILABLE")


def test_a_server_whose_redis_is_not_there_answers_cautiously_and_is_not_ready_until_it_is(
    bundle: Path, tmp_path: Path, redis: RedisServer
) -> None:
    with listening(bundle, tmp_path, policy=lenient_policy(), store=redis.url) as server:
        server.application.load()

        assert server.health("liveness") == "SERVING"
        assert server.health("readiness") == "NOT_SERVING"
        answer = decide(server, pair("a", "b"))
        assert (answer.decision, codes(answer)) == (DECISION_REROUTE, ["STORE_UNAVAILABLE"])
        # Nobody knows yet how ids are hashed, so nothing can be recorded either.
        assert list(answer.degradations) == ["DECISION_NOT_JOURNALED", "STORE_UNAVAILABLE"]
        assert server.metric("pairguard_decisions_not_journaled_total") == 1
        assert events_are_refused(server)
        assert until(lambda: server.metric("pairguard_store_errors_total", operation="open") > 0)

        redis.start()
        assert until(lambda: server.health("readiness") == "SERVING")
        assert until(lambda: is_read(server))
        decision = allowed(server, "a", "b")
        assert find_decision(server, decision).decision.decision_id == decision
        assert statuses(record(server, started("c", "a", "b"))) == ["RECORDED"]


def test_what_is_decided_before_redis_is_there_is_taken_over_where_the_key_is_known(
    bundle: Path, tmp_path: Path, redis: RedisServer
) -> None:
    redis.start()
    with serving(bundle, tmp_path, policy=lenient_policy(), store=redis.url):
        pass
    redis.kill()
    with listening(bundle, tmp_path, policy=lenient_policy(), store=redis.url) as server:
        server.application.load()
        answer = decide(server, pair("a", "b"))
        assert list(answer.degradations) == ["STORE_UNAVAILABLE"]
        assert server.metric("pairguard_decisions_not_journaled_total") == 0

        redis.start()
        assert until(lambda: server.health("readiness") == "SERVING")
        found = find_decision(server, answer.decision_id).decision
        assert found.pair.assessment.degradations == ["STORE_UNAVAILABLE"]


def test_a_redis_that_goes_and_comes_back_costs_no_restart_and_no_record(
    bundle: Path, tmp_path: Path, redis: RedisServer
) -> None:
    redis.start()
    with serving(bundle, tmp_path, policy=lenient_policy(), store=redis.url) as server:
        decision = allowed(server, "a", "b")
        assert statuses(record(server, started("c1", "a", "b", decision=decision))) == ["RECORDED"]
        redis.kill()

        answer = decide(server, pair("a", "c", request_id="r"))
        assert (answer.decision, codes(answer)) == (DECISION_REROUTE, ["STORE_UNAVAILABLE"])
        assert list(answer.degradations) == ["REQUEST_ID_NOT_KEPT", "STORE_UNAVAILABLE"]
        barred = decide(server, pair(child("young"), "c"))
        assert barred.decision == DECISION_BLOCK
        assert "HOLD_NOT_STORED" in barred.degradations
        assert events_are_refused(server)
        # Taken out of service it would leave callers with their own fallback alone.
        assert server.health("readiness") == "SERVING"
        assert server.metric("pairguard_decisions_not_journaled_total") == 0

        redis.start()
        assert until(lambda: is_read(server))
        assert decide(server, pair("a", "c")).decision == DECISION_ALLOW
        assert find_decision(server, answer.decision_id).decision.pair.assessment.degradations
        # Sent again, since nobody knows what became of it, it counts once.
        assert statuses(record(server, started("c1", "a", "b", decision=decision))) == ["DUPLICATE"]
        assert history_of(server, "a")["history.chats_started_24h"] == 1


def test_a_silent_redis_delays_no_decision_for_long(
    bundle: Path, tmp_path: Path, redis: RedisServer
) -> None:
    redis.start()
    with serving(bundle, tmp_path, policy=lenient_policy(), store=redis.url) as server:
        allowed(server, "a", "b")
        redis.pause()
        # Whatever the pause of the test's own machine: it does not stay paused.
        awake = threading.Timer(20.0, redis.resume)
        awake.start()
        try:
            answers = [decide(server, pair("a", f"p{n}")) for n in range(20)]
        finally:
            awake.cancel()
            redis.resume()
        assert {answer.decision for answer in answers} == {DECISION_REROUTE}
        assert all("STORE_UNAVAILABLE" in answer.degradations for answer in answers)
        assert until(lambda: is_read(server))


def test_a_redis_that_may_forget_takes_no_events_unless_that_is_accepted(
    bundle: Path, tmp_path: Path
) -> None:
    with running_redis("--appendfsync", "everysec") as redis:
        with serving(bundle, tmp_path, policy=lenient_policy(), store=redis.url) as server:
            assert events_are_refused(server)
            with pytest.raises(grpc.RpcError):
                keep_evidence(server, "a", verified("doc", CHILD_AGE))
            assert decide(server, pair("a", "b")).decision == DECISION_ALLOW
        with serving(
            bundle,
            tmp_path,
            policy=lenient_policy(),
            store=redis.url,
            accept_weak_durability=True,
        ) as server:
            assert statuses(record(server, started("c", "a", "b"))) == ["RECORDED"]


def test_a_server_with_another_key_is_not_ready_and_allows_nobody(
    bundle: Path, tmp_path: Path, redis: RedisServer
) -> None:
    redis.start()
    with serving(
        bundle, made(tmp_path / "first"), policy=lenient_policy(), store=redis.url
    ) as first:
        allowed(first, "a", "b")
        key = tmp_path / "other.key"
        key.write_bytes(bytes(range(32)))
        key.chmod(0o600)
        with listening(
            bundle,
            made(tmp_path / "second"),
            policy=lenient_policy(),
            store=redis.url,
            identity_key_file=key,
        ) as second:
            second.application.load()
            answer = decide(second, pair("a", "b"))
            assert (answer.decision, codes(answer)) == (DECISION_REROUTE, ["STORE_UNAVAILABLE"])
            assert events_are_refused(second)
            assert second.health("readiness") == "NOT_SERVING"
        allowed(first, "c", "d")
