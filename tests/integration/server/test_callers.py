"""Callers with tokens: who is let through to what, what is kept of whom, and files that change."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from pairguard.client import Client, ClientOptions, ParticipantInput
from pairguard.client.failure import FailureKind
from pairguard.errors import ConfigurationRefused
from pairguard.server.authorization import SCOPES
from pairguard.server.callers import Scope
from pairguard.server.composition import MAX_HEADER_BYTES
from pairguard.v1.age_assurance_service_pb2 import AssessAgeRequest, RecordAgeEvidenceRequest
from pairguard.v1.feedback_service_pb2 import EraseParticipantRequest, RecordEventsRequest
from pairguard.v1.journal_pb2 import DecisionRecord, EventRecord, EvidenceRecord
from pairguard.v1.pair_risk_service_pb2 import (
    GetDecisionRequest,
    RankCandidatesRequest,
    ScorePairsRequest,
)
from tests.integration.server.callers import bearing, calling, table, write
from tests.integration.server.platform_calls import (
    Clock,
    allowed,
    decide,
    find_decision,
    happened,
    import_decisions,
    keep_evidence,
    pair,
    started,
    verified,
)
from tests.integration.server.running_server import (
    TIMEOUT_SECONDS,
    Running,
    failed_call,
    lenient_policy,
    listening,
    refusal,
    serving,
    until,
)
from tests.unit.server.requests import ADULT, pair_request

MARK = "Zq7Tok"
TOKENS = {scope: f"{MARK}-{scope}-0123456789abcdefghij" for scope in Scope}
FULL_PAIR = pair_request(ADULT, ADULT, "view: VIEW_FULL")
CALLS: dict[str, tuple[Callable[[Running], Any], Any]] = {
    "ScorePair": (lambda server: server.pair_risk.ScorePair, pair("a", "b")),
    "ScorePairs": (lambda server: server.pair_risk.ScorePairs, ScorePairsRequest()),
    "RankCandidates": (lambda server: server.pair_risk.RankCandidates, RankCandidatesRequest()),
    "GetDecision": (lambda server: server.pair_risk.GetDecision, GetDecisionRequest()),
    "AssessAge": (lambda server: server.age_assurance.AssessAge, AssessAgeRequest()),
    "RecordAgeEvidence": (
        lambda server: server.age_assurance.RecordAgeEvidence,
        RecordAgeEvidenceRequest(),
    ),
    "RecordEvents": (lambda server: server.feedback.RecordEvents, RecordEventsRequest()),
    "EraseParticipant": (
        lambda server: server.feedback.EraseParticipant,
        EraseParticipantRequest(),
    ),
}
NEEDED = {method.partition("/")[2]: scope for method, scope in SCOPES.items()}


@pytest.fixture(scope="module")
def guarded(bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A server with one caller for each scope, named after it."""
    directory = tmp_path_factory.mktemp("guarded")
    tokens = write(
        directory / "tokens.toml", *(table(scope, TOKENS[scope], scope) for scope in Scope)
    )
    with serving(bundle, directory, policy=lenient_policy(), tokens_file=tokens) as running:
        yield running


def code_of(server: Running, call: str) -> tuple[grpc.StatusCode, str]:
    """Return how a call ends; ("OK", "") or the code and the reason."""
    find, request = CALLS[call]
    try:
        answer = find(server)(request, timeout=TIMEOUT_SECONDS)
        if isinstance(answer, Iterator):
            list(answer)
    except grpc.RpcError as error:
        # Of this very call: the next one may find other callers.
        failed, info = failed_call(error), error_details_pb2.ErrorInfo()
        status = rpc_status.from_call(failed)
        assert status is not None
        assert any(packed.Unpack(info) for packed in status.details)
        return failed.code(), info.reason
    return grpc.StatusCode.OK, ""


@pytest.mark.parametrize("call", CALLS)
def test_a_call_needs_a_token(guarded: Running, call: str) -> None:
    assert code_of(guarded, call) == (grpc.StatusCode.UNAUTHENTICATED, "CREDENTIALS_MISSING")
    unknown = calling(guarded, "0" * 43)
    assert code_of(unknown, call) == (grpc.StatusCode.UNAUTHENTICATED, "CREDENTIALS_UNKNOWN")


@pytest.mark.parametrize("scope", Scope)
@pytest.mark.parametrize("call", CALLS)
def test_a_call_needs_its_scope_and_no_other(guarded: Running, call: str, scope: Scope) -> None:
    code, reason = code_of(calling(guarded, TOKENS[scope]), call)

    if scope is NEEDED[call]:
        assert code not in (grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED)
        assert code is not grpc.StatusCode.UNKNOWN
    else:
        assert (code, reason) == (grpc.StatusCode.PERMISSION_DENIED, "SCOPE_MISSING")
        find, request = CALLS[call]
        _, info, _ = refusal(find(calling(guarded, TOKENS[scope])), request)
        assert dict(info.metadata) == {"scope": NEEDED[call]}


def test_the_full_view_of_a_pair_needs_its_own_scope_besides(bundle: Path, tmp_path: Path) -> None:
    tokens = write(
        tmp_path / "tokens.toml",
        table("plain", "p" * 43, "score"),
        table("appeals", "f" * 43, "score", "full_view"),
    )
    with serving(bundle, tmp_path, policy=lenient_policy(), tokens_file=tokens) as running:
        code, info, _ = refusal(calling(running, "p" * 43).pair_risk.ScorePair, FULL_PAIR)
        full = calling(running, "f" * 43).pair_risk.ScorePair(FULL_PAIR, timeout=TIMEOUT_SECONDS)

    assert (code, info.reason) == (grpc.StatusCode.PERMISSION_DENIED, "SCOPE_MISSING")
    assert dict(info.metadata) == {"scope": "full_view"}
    assert full.assessment.HasField("participant_a_assessment")


def test_no_scope_opens_a_full_view_that_the_settings_forbid(bundle: Path, tmp_path: Path) -> None:
    tokens = write(tmp_path / "tokens.toml", table("all", "f" * 43, *Scope))
    with serving(bundle, tmp_path, tokens_file=tokens, allow_full_view=False) as running:
        server = calling(running, "f" * 43)
        for call, request in (
            (server.pair_risk.ScorePair, FULL_PAIR),
            (server.age_assurance.AssessAge, AssessAgeRequest()),
        ):
            code, info, _ = refusal(call, request)
            assert (code, info.reason) == (
                grpc.StatusCode.PERMISSION_DENIED,
                "FULL_VIEW_NOT_ALLOWED",
            )


@pytest.mark.parametrize(
    "metadata",
    [
        (("authorization", TOKENS[Scope.SCORE]),),
        (("authorization", f"Basic {TOKENS[Scope.SCORE]}"),),
        (("authorization", "Bearer"),),
        (("authorization", "Bearer "),),
        (("authorization", f"Bearer {TOKENS[Scope.SCORE]} x"),),
        (("authorization", f"Bearer {TOKENS[Scope.SCORE].lower()}"),),
        (*bearing(TOKENS[Scope.SCORE]), *bearing(TOKENS[Scope.ADMIN])),
        (("authorization-bin", TOKENS[Scope.SCORE].encode()),),
        (("token", TOKENS[Scope.SCORE]),),
    ],
)
def test_only_one_bearer_token_in_its_header_counts(
    guarded: Running, metadata: tuple[tuple[str, str | bytes], ...]
) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        guarded.pair_risk.ScorePair(pair("a", "b"), timeout=TIMEOUT_SECONDS, metadata=metadata)
    assert failed_call(caught.value).code() is grpc.StatusCode.UNAUTHENTICATED


def test_the_scheme_is_known_in_any_case(guarded: Running) -> None:
    for scheme in ("bearer", "BEARER", "Bearer "):
        metadata = (("authorization", f"{scheme} {TOKENS[Scope.SCORE]}"),)
        guarded.pair_risk.ScorePair(pair("a", "b"), timeout=TIMEOUT_SECONDS, metadata=metadata)


def test_health_and_reflection_need_no_token(guarded: Running) -> None:
    assert guarded.health("readiness") == "SERVING"
    stream: Callable[..., Iterator[bytes]] = guarded.channel.stream_stream(
        "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"
    )
    assert list(stream(iter([b""]), timeout=TIMEOUT_SECONDS))


def test_those_who_watch_health_take_no_place_of_calls(bundle: Path, tmp_path: Path) -> None:
    tokens = write(tmp_path / "tokens.toml", table("chat", "c" * 43, "score"))
    with serving(
        bundle,
        tmp_path,
        policy=lenient_policy(),
        tokens_file=tokens,
        worker_threads=1,
        max_concurrent_rpcs=2,
    ) as running:
        watch: Callable[..., grpc.UnaryStreamMultiCallable[Any, Any]] = running.channel.unary_stream
        watched = []
        for _ in range(20):  # one after the other: each is begun like any call
            watched.append(watch("/grpc.health.v1.Health/Watch")(b"", timeout=TIMEOUT_SECONDS))
            assert next(watched[-1])

        decide(calling(running, "c" * 43), pair("a", "b"))
        for each in watched:
            each.cancel()


def test_what_an_unknown_caller_sends_is_not_even_parsed(guarded: Running) -> None:
    for channel, expected in (
        (guarded.channel, grpc.StatusCode.UNAUTHENTICATED),
        (calling(guarded, TOKENS[Scope.FEEDBACK]).channel, grpc.StatusCode.PERMISSION_DENIED),
        (calling(guarded, TOKENS[Scope.SCORE]).channel, grpc.StatusCode.INVALID_ARGUMENT),
    ):
        call: Callable[..., bytes] = channel.unary_unary("/pairguard.v1.PairRiskService/ScorePair")
        with pytest.raises(grpc.RpcError) as caught:
            call(b"\xff\xff", timeout=TIMEOUT_SECONDS)
        assert failed_call(caught.value).code() is expected


def test_headers_are_bounded(guarded: Running) -> None:
    fitting = (*bearing(TOKENS[Scope.SCORE]), ("x", "y" * (MAX_HEADER_BYTES // 2)))
    guarded.pair_risk.ScorePair(pair("a", "b"), timeout=TIMEOUT_SECONDS, metadata=fitting)

    for _ in range(20):  # not by chance
        with pytest.raises(grpc.RpcError) as caught:
            guarded.pair_risk.ScorePair(
                pair("a", "b"),
                timeout=TIMEOUT_SECONDS,
                metadata=(*bearing(TOKENS[Scope.SCORE]), ("x", "y" * MAX_HEADER_BYTES)),
            )
        assert failed_call(caught.value).code() is grpc.StatusCode.RESOURCE_EXHAUSTED


def test_an_expired_token_is_refused_from_its_day_on(bundle: Path, tmp_path: Path) -> None:
    day = datetime(2027, 3, 1, tzinfo=UTC).timestamp()
    clock = Clock(day - 1)
    tokens = write(
        tmp_path / "tokens.toml",
        table("old", "o" * 43, "score", more="expire = 2027-03-01"),
        table("exact", "e" * 43, "score", more="expire = 2027-03-01T01:00:00+01:00"),
        table("lasting", "l" * 43, "score"),
    )
    with serving(
        bundle, tmp_path, policy=lenient_policy(), tokens_file=tokens, clock=clock
    ) as running:
        for token in ("o" * 43, "e" * 43):
            allowed(calling(running, token), f"a-{token}", f"b-{token}")
        clock.now = day
        for token in ("o" * 43, "e" * 43):
            assert code_of(calling(running, token), "ScorePair") == (
                grpc.StatusCode.UNAUTHENTICATED,
                "CREDENTIALS_EXPIRED",
            )
        decide(calling(running, "l" * 43), pair("a", "b"))


def test_tokens_are_added_and_withdrawn_without_a_restart(bundle: Path, tmp_path: Path) -> None:
    path = tmp_path / "tokens.toml"
    old, new = table("matchmaker", "o" * 43, "score"), table("matchmaker", "n" * 43, "score")
    write(path, old)
    with serving(bundle, tmp_path, policy=lenient_policy(), tokens_file=path) as running:
        with_old, with_new = calling(running, "o" * 43), calling(running, "n" * 43)
        assert code_of(with_old, "ScorePair")[0] is grpc.StatusCode.OK
        assert code_of(with_new, "ScorePair")[0] is grpc.StatusCode.UNAUTHENTICATED

        write(path, old, new)
        assert until(lambda: code_of(with_new, "ScorePair")[0] is grpc.StatusCode.OK)
        assert code_of(with_old, "ScorePair")[0] is grpc.StatusCode.OK

        write(path, new)
        assert until(lambda: code_of(with_old, "ScorePair")[0] is grpc.StatusCode.UNAUTHENTICATED)
        assert code_of(with_new, "ScorePair")[0] is grpc.StatusCode.OK
        labels = {"files": "tokens", "status": "used"}
        assert running.metric("pairguard_access_reloads_total", **labels) == 2


def test_who_asks_more_than_its_share_is_refused_and_the_others_are_not(
    bundle: Path, tmp_path: Path
) -> None:
    path = write(
        tmp_path / "tokens.toml",
        table("greedy", "g" * 43, "score", more="max_calls_per_second = 0.05"),
        table(
            "other", "o" * 43, "score", more="max_calls_per_second = 1000\nmax_concurrent_calls = 1"
        ),
    )
    with serving(bundle, tmp_path, policy=lenient_policy(), tokens_file=path) as running:
        greedy, other = calling(running, "g" * 43), calling(running, "o" * 43)
        assert code_of(greedy, "ScorePair")[0] is grpc.StatusCode.OK
        for call in ("ScorePair", "ScorePairs"):
            assert code_of(greedy, call) == (
                grpc.StatusCode.RESOURCE_EXHAUSTED,
                "CALLER_RATE_EXCEEDED",
            )
        for call in ("ScorePairs", "ScorePair", "ScorePair"):
            assert code_of(other, call)[1] != "CALLER_CONCURRENCY_EXCEEDED"
        labels = {"caller": "greedy", "outcome": "CALLER_RATE_EXCEEDED"}
        assert running.metric("pairguard_authorizations_total", **labels) == 2


def test_a_broken_file_leaves_the_callers_as_they_were(bundle: Path, tmp_path: Path) -> None:
    path = write(tmp_path / "tokens.toml", table("matchmaker", "o" * 43, "score"))
    with serving(bundle, tmp_path, policy=lenient_policy(), tokens_file=path) as running:
        known = calling(running, "o" * 43)

        def refused_files() -> float:
            known_still, _ = code_of(known, "ScorePair")
            assert known_still is grpc.StatusCode.OK
            labels = {"files": "tokens", "status": "refused"}
            return running.metric("pairguard_access_reloads_total", **labels)

        write(path, "[[callers]]\nname =")
        assert until(lambda: refused_files() == 1)
        write(path, "")
        assert until(lambda: refused_files() == 2)
        path.unlink()
        assert until(lambda: refused_files() == 3)
        assert running.metric("pairguard_access_files_stale", files="tokens") == 1

        write(path, table("matchmaker", "n" * 43, "score"))
        assert until(lambda: code_of(known, "ScorePair")[0] is grpc.StatusCode.UNAUTHENTICATED)
        assert running.metric("pairguard_access_files_stale", files="tokens") == 0


def test_a_server_does_not_begin_with_callers_that_it_cannot_read(
    bundle: Path, tmp_path: Path
) -> None:
    path = tmp_path / "tokens.toml"
    for text, problem in (
        (f'[[callers]]\nname = "a"\ntoken = "{MARK}"\nscopes = ["score"]\n', "does not belong"),
        ('[[callers]]\nname = "a"\ncertificate = "c"\nscopes = ["score"]\n', "tls_client_ca_file"),
        (f"[[callers]]\n{MARK} {MARK}", "is not TOML"),
    ):
        write(path, text)
        with (
            pytest.raises(ConfigurationRefused, match=problem) as caught,
            listening(bundle, tmp_path, tokens_file=path),
        ):
            pass
        assert MARK not in str(caught.value)
    write(path, table("a", "o" * 43, "score")).chmod(0o666)
    with (
        pytest.raises(ConfigurationRefused, match="mode 0666"),
        listening(bundle, tmp_path, tokens_file=path),
    ):
        pass


def test_the_caller_is_named_in_logs_figures_and_records(bundle: Path, tmp_path: Path) -> None:
    tokens = write(
        tmp_path / "tokens.toml",
        table("matchmaker", "m" * 43, "score"),
        table("reports-queue", "r" * 43, "feedback"),
        table("appeals", "a" * 43, "admin"),
    )
    with serving(bundle, tmp_path, policy=lenient_policy(), tokens_file=tokens) as running:
        decision_id = allowed(calling(running, "m" * 43), "a", "b")
        feeding = calling(running, "r" * 43)
        happened(feeding, started("chat", "a", "b", decision=decision_id))
        keep_evidence(feeding, "c", verified("e1", 40))
        appeals = calling(running, "a" * 43)
        import_decisions(appeals)
        found = find_decision(appeals, decision_id)

        assert found.decision.caller == "matchmaker"
        records: dict[str, Any] = {
            "decision": DecisionRecord,
            "event": EventRecord,
            "evidence": EvidenceRecord,
        }
        kept = running.application._parts.store.read_journal("", 10)
        assert {
            each.kind.value: records[each.kind.value].FromString(each.payload).caller
            for each in kept
        } == {"decision": "matchmaker", "event": "reports-queue", "evidence": "reports-queue"}
        assert [line["caller"] for line in running.log_lines()] == [
            "matchmaker",
            "reports-queue",
            "reports-queue",
            "appeals",
            "appeals",
        ]
        for caller, count in (("matchmaker", 1), ("reports-queue", 2), ("appeals", 2)):
            labels = {"caller": caller, "outcome": "GRANTED"}
            assert running.metric("pairguard_authorizations_total", **labels) == count
        code_of(running, "ScorePair")
        labels = {"caller": "", "outcome": "CREDENTIALS_MISSING"}
        assert running.metric("pairguard_authorizations_total", **labels) >= 1


def test_the_request_ids_of_one_caller_are_not_those_of_another(
    bundle: Path, tmp_path: Path
) -> None:
    tokens = write(
        tmp_path / "tokens.toml",
        table("one", "1" * 43, "score"),
        table("one", "2" * 43, "score"),
        table("other", "3" * 43, "score"),
    )
    with serving(bundle, tmp_path, policy=lenient_policy(), tokens_file=tokens) as running:
        first, second, other = (
            decide(calling(running, token * 43), pair("a", "b", request_id="r")).decision_id
            for token in "123"
        )
        assert first == second  # two tokens of one caller, as while one replaces the other
        assert other != first
        decide(calling(running, "3" * 43), pair("a", "c", request_id="of the other"))
        decide(calling(running, "1" * 43), pair("a", "d", request_id="of the other"))


def test_no_token_is_written_counted_or_answered(bundle: Path, tmp_path: Path) -> None:
    directory = tmp_path / "kept"
    directory.mkdir()
    tokens = write(tmp_path / "tokens.toml", *(table(s, TOKENS[s], s) for s in Scope))
    answers: list[str] = []
    with serving(bundle, directory, policy=lenient_policy(), tokens_file=tokens) as running:
        for token in (*TOKENS.values(), f"{MARK}-unknown"):
            for find, request in CALLS.values():
                try:
                    answer = find(calling(running, token))(request, timeout=TIMEOUT_SECONDS)
                    answers.append(str(list(answer) if isinstance(answer, Iterator) else answer))
                except grpc.RpcError as error:
                    call = failed_call(error)
                    answers += [str(error), str(call.details()), str(call.trailing_metadata())]
        for metadata in ((("authorization", MARK),), ((MARK.lower(), MARK),)):
            with pytest.raises(grpc.RpcError) as caught:
                running.pair_risk.ScorePair(
                    pair("a", "b"), timeout=TIMEOUT_SECONDS, metadata=metadata
                )
            answers.append(str(caught.value))
        decide(calling(running, TOKENS[Scope.SCORE]), pair("a", "b", request_id="r"))
        write(tokens, f'[[callers]]\ntoken = "{MARK}"')
        end = time.monotonic() + TIMEOUT_SECONDS
        while not running.metric("pairguard_access_files_stale", files="tokens"):
            assert time.monotonic() < end
            decide(calling(running, TOKENS[Scope.SCORE]), pair("a", "b"))
        answers.append(running.metrics_text())
    answers.append(running.log.getvalue())

    assert len(answers) > len(CALLS) * len(TOKENS)
    assert [text for text in answers if MARK.lower() in text.lower()] == []
    files = [path for path in directory.rglob("*") if path.is_file()]
    assert any(path.stat().st_size > 1_000 for path in files)
    assert [path for path in files if MARK.encode() in path.read_bytes()] == []


def test_our_client_tells_a_refused_token_from_a_fault(guarded: Running) -> None:
    for token, answered in ((TOKENS[Scope.SCORE], True), ("x" * 43, False)):
        options = ClientOptions(
            str(guarded.application.address),
            timeout_seconds=TIMEOUT_SECONDS,
            bearer_token=partial(str, token),
        )
        with Client(options) as client:
            decision = client.score_pair(ParticipantInput("a"), ParticipantInput("b"))
        assert (decision.error is None) is answered
        if decision.error is not None:
            assert decision.error.kind is FailureKind.ACCESS_REFUSED
            assert decision.error.attempts == 1
            assert not decision.allowed
