"""Proposed pairs over the wire: what is decided, held and told."""

from __future__ import annotations

from pathlib import Path

import pytest

from pairguard.policy.state import StoredState
from pairguard.server.generation import load_generation
from pairguard.server.request_conversion import read_score_pair
from pairguard.store.opening import sqlite_path
from pairguard.store.ports import Hold
from pairguard.store.sqlite import SqliteStore
from pairguard.v1.assessment_pb2 import (
    ADMISSION_UNKNOWN,
    DECISION_ALLOW,
    DECISION_BLOCK,
    DECISION_REROUTE,
    EVIDENCE_KIND_BEHAVIOUR,
    EVIDENCE_KIND_SELF_DECLARED,
    EVIDENCE_KIND_VERIFIED_AGE,
    PARTICIPANT_ROLE_A,
    PARTICIPANT_ROLE_B,
    PairAssessment,
)
from pairguard.v1.pair_risk_service_pb2 import ScorePairRequest
from tests.domain import NOW
from tests.integration.server.running_server import (
    TIMEOUT_SECONDS,
    BrokenStore,
    Running,
    lenient_policy,
    serving,
    until,
)
from tests.unit.server.requests import ADULT, CHILD, evidence, pair_request

ALLOWED = ("region: 'GB'" + ADULT, "region: 'GB'" + ADULT)


def score(server: Running, request: ScorePairRequest) -> PairAssessment:
    return server.pair_risk.ScorePair(request, timeout=TIMEOUT_SECONDS).assessment


def codes(answer: PairAssessment) -> list[str]:
    return [reason.code for reason in answer.reasons]


def test_two_bare_ids_are_rerouted_with_an_age_check_each(server: Running) -> None:
    answer = score(server, pair_request())

    assert answer.decision == DECISION_REROUTE
    assert codes(answer)[0] == "AGE_UNKNOWN"
    assert [check.participant for check in answer.age_checks] == [
        PARTICIPANT_ROLE_A,
        PARTICIPANT_ROLE_B,
    ]
    for check in answer.age_checks:
        assert check.reason.participant_text
        assert sum(option.document_free for option in check.options) >= 2
        costs = [option.cost for option in check.options]
        assert costs == sorted(costs)
        assert all(0 < option.settle_probability <= 1 for option in check.options)
    assert not answer.HasField("expire_time")
    assert not answer.held_participants


def test_two_verified_adults_are_allowed_for_a_while(server: Running) -> None:
    answer = score(server, pair_request(*ALLOWED))

    assert answer.decision == DECISION_ALLOW
    assert codes(answer) == ["ADULTS_MEET"]
    assert answer.decision_time.seconds == int(NOW)
    assert answer.expire_time.seconds == int(NOW) + 60
    assert 0 < answer.minor_adult_probability < 0.05
    assert answer.HasField("harm_probability")
    assert answer.risk_score >= max(answer.minor_adult_probability, answer.harm_probability)
    assert answer.bundle_version.startswith("2026-01-31-")
    assert answer.policy_version == "default-2026-11"
    assert not answer.age_checks
    assert not answer.degradations
    assert not answer.HasField("participant_a_assessment")
    assert not answer.HasField("participant_b_assessment")


def test_each_decision_has_an_id_of_its_own(server: Running) -> None:
    ids = {score(server, pair_request()).decision_id for _ in range(20)}

    assert len(ids) == 20
    assert all(len(found) == 32 and found.isascii() for found in ids)


def test_a_verified_minor_and_a_verified_adult_never_meet(server: Running) -> None:
    minor = evidence(
        "verified_age { age_years: 15 method: VERIFICATION_METHOD_ID_DOCUMENT }",
        "binding: BINDING_LIVE_PERSON",
    )

    for a, b in ((minor, ADULT), (ADULT, minor)):
        answer = score(server, pair_request(a, b))
        assert answer.decision == DECISION_REROUTE
        assert answer.minor_adult_probability > 0.9


def test_swapping_the_two_changes_no_bit_of_a_score(server: Running) -> None:
    a = "region: 'GB' signals { key: 'account_age_days' value: 3 }" + ADULT
    b = "region: 'KR'" + evidence("self_declared { age_years: 19 }")

    one = score(server, pair_request(a, b))
    other_request = pair_request()
    other_request.participant_a.CopyFrom(pair_request(a, b).participant_b)
    other_request.participant_b.CopyFrom(pair_request(a, b).participant_a)
    other = score(server, other_request)

    assert one.decision == other.decision
    assert one.minor_adult_probability == other.minor_adult_probability
    assert one.harm_probability == other.harm_probability
    assert one.risk_score == other.risk_score


def test_what_is_served_is_what_is_judged_offline_bit_for_bit(
    server: Running, bundle: Path
) -> None:
    request = pair_request(
        "region: 'GB' signals { key: 'account_age_days' value: 300 } interests: 'music'" + ADULT,
        evidence("facial_age_estimate { mean_years: 27 liveness: LIVENESS_PASSED }"),
    )
    generation = load_generation(bundle, server.settings.policy_file)
    call = read_score_pair(request, NOW)

    served = score(server, request)
    risk = generation.judge.judge_pair(call.a, call.b, now=NOW, state=StoredState()).decision.risk

    assert served.minor_adult_probability == risk.minor_adult_probability
    assert served.harm_probability == risk.harm_probability
    assert served.risk_score == risk.risk_score


@pytest.mark.parametrize(
    "context",
    [
        "",
        "context { wait_seconds: 86400 modality: MODALITY_TEXT }",
        "context { proposed_time { seconds: 1 } modality: MODALITY_VIDEO }",
    ],
)
def test_no_circumstance_changes_a_decision(server: Running, context: str) -> None:
    bare, allowed = score(server, pair_request()), score(server, pair_request(*ALLOWED))

    assert score(server, pair_request(rest=context)).risk_score == bare.risk_score
    assert score(server, pair_request(rest=context)).decision == DECISION_REROUTE
    assert score(server, pair_request(*ALLOWED, rest=context)).risk_score == allowed.risk_score


def test_names_that_are_not_in_the_catalogue_are_ignored_and_echoed(server: Running) -> None:
    plain = score(server, pair_request(*ALLOWED))
    answer = score(
        server,
        pair_request(
            ALLOWED[0],
            ALLOWED[1] + "signals { key: 'zzz' value: 1 }"
            " signals { key: 'history.reports_30d' value: 0 }"
            " attributes { key: 'client_os' value: 'amiga' } interests: 'unheard_of'",
        ),
    )

    (echo,) = answer.unknown_signals
    assert echo.participant == PARTICIPANT_ROLE_B
    assert list(echo.names) == sorted(echo.names)
    assert {"zzz", "history.reports_30d"} <= set(echo.names)
    assert len(echo.names) == 4
    assert answer.risk_score == plain.risk_score
    assert server.metric("pairguard_unknown_signals_total") >= 4


def test_the_full_view_tells_what_is_believed_of_both(server: Running) -> None:
    request = pair_request(
        evidence("self_declared { age_years: 20 }", "evidence_id: 'claim'")
        + ADULT
        + "signals { key: 'account_age_days' value: 900 }",
        "region: 'KR'",
        "view: VIEW_FULL",
    )

    answer = score(server, request)

    a, b = answer.participant_a_assessment, answer.participant_b_assessment
    assert (a.adult_age_years, b.adult_age_years) == (19, 19)
    assert b.admission == ADMISSION_UNKNOWN
    assert sum(band.probability for band in a.bands) == pytest.approx(1)
    assert [band.lower_years for band in a.bands] == [0, 13, 16, 18, 21, 25]
    assert [band.upper_years for band in a.bands[:-1]] == [12, 15, 17, 20, 24]
    assert not a.bands[-1].HasField("upper_years")
    claim, verified, behaviour = a.contributions
    assert (claim.evidence_id, claim.evidence_index) == ("claim", 0)
    assert claim.kind == EVIDENCE_KIND_SELF_DECLARED
    assert (verified.kind, verified.evidence_index) == (EVIDENCE_KIND_VERIFIED_AGE, 1)
    assert verified.contribution_nats < 0
    assert behaviour.kind == EVIDENCE_KIND_BEHAVIOUR
    assert not behaviour.HasField("evidence_index")
    assert a.WhichOneof("next_check")
    assert b.next_best_check.participant == PARTICIPANT_ROLE_B
    assert [reason.code for reason in b.reasons] == ["AGE_UNKNOWN"]
    assert b.entropy_nats > a.entropy_nats


def test_a_barred_child_is_held_durably_before_the_answer(bundle: Path, tmp_path: Path) -> None:
    with serving(bundle, tmp_path) as server:
        request = pair_request(ADULT, "linked_ids: 'device-9'" + CHILD)
        answer = score(server, request)

        assert answer.decision == DECISION_BLOCK
        assert codes(answer)[0] == "BELOW_MINIMUM_AGE"
        (held,) = answer.held_participants
        assert held.participant == PARTICIPANT_ROLE_B
        assert held.reason.code == "BELOW_MINIMUM_AGE"
        # Another process would find it: it is in the file.
        path = sqlite_path(server.settings.store)
        assert path is not None
        other = SqliteStore(path)
        (by_device,) = other.read([other.keys.hashes(["device-9"])], now=NOW)
        other.close()
        assert [hold.reason for hold in by_device.holds] == ["BELOW_MINIMUM_AGE"]
        assert (
            by_device.holds[0].expire_time
            == held.expire_time.seconds + held.expire_time.nanos / 1e9
        )
        assert server.metric("pairguard_holds_written_total", reason="BELOW_MINIMUM_AGE") == 1

        # A fresh session id on the same device does not start clean, whatever it shows.
        again = pair_request(
            "linked_ids: 'device-9'" + ADULT, ADULT.replace("age_years: 40", "age_years: 50")
        )
        again.participant_a.participant_id = "fresh"
        again.participant_b.participant_id = "somebody-else"
        second = score(server, again)
        assert second.decision == DECISION_BLOCK
        assert codes(second)[0] == "HELD"
        assert [h.participant for h in second.held_participants] == [PARTICIPANT_ROLE_A]
        assert second.held_participants[0].expire_time == held.expire_time


def test_a_hold_outlives_the_server(bundle: Path, tmp_path: Path) -> None:
    with serving(bundle, tmp_path) as server:
        assert score(server, pair_request(ADULT, CHILD)).decision == DECISION_BLOCK
    with serving(bundle, tmp_path) as server:
        assert codes(score(server, pair_request(ADULT, ADULT)))[0] == "HELD"


def test_the_longest_hold_of_a_participant_is_told(bundle: Path, tmp_path: Path) -> None:
    store = BrokenStore(tmp_path / "holds.sqlite3")
    ids = store.keys.hashes(["b"])
    store.write_hold(ids, Hold("REVIEW_OF_A_LATER_VERSION", NOW - 5, None))
    store.write_hold(ids, Hold("BELOW_MINIMUM_AGE", NOW - 5, NOW + 5))
    with serving(bundle, tmp_path, store=store) as server:
        answer = score(server, pair_request(ADULT, ADULT))

        (held,) = answer.held_participants
        assert held.reason.code == "HELD"
        assert not held.HasField("expire_time")


def test_a_store_that_cannot_be_read_allows_nothing(bundle: Path, tmp_path: Path) -> None:
    store = BrokenStore(tmp_path / "holds.sqlite3", reads=False)
    with serving(bundle, tmp_path, store=store, policy=lenient_policy()) as server:
        answer = score(server, pair_request(*ALLOWED))

        assert answer.decision == DECISION_REROUTE
        assert codes(answer) == ["STORE_UNAVAILABLE"]
        assert list(answer.degradations) == ["STORE_UNAVAILABLE"]
        assert server.metric("pairguard_store_errors_total", operation="read") == 1
        assert server.metric("pairguard_degradations_total", kind="STORE_UNAVAILABLE") == 1
        assert server.health("readiness") == "SERVING"
        assert until(lambda: len(server.log_lines()) == 1)
        assert server.log_lines()[0]["degradations"] == ["STORE_UNAVAILABLE"]

        store.reads = True
        assert score(server, pair_request(*ALLOWED)).decision == DECISION_ALLOW


def test_only_a_line_of_the_policy_allows_on_unread_state(bundle: Path, tmp_path: Path) -> None:
    store = BrokenStore(tmp_path / "holds.sqlite3", reads=False)
    policy = lenient_policy(allow_on_unread_state="true")
    with serving(bundle, tmp_path, store=store, policy=policy) as server:
        answer = score(server, pair_request(*ALLOWED))

        assert answer.decision == DECISION_ALLOW
        assert list(answer.degradations) == ["STORE_UNAVAILABLE"]


def test_a_hold_that_cannot_be_stored_is_a_block_all_the_same(bundle: Path, tmp_path: Path) -> None:
    store = BrokenStore(tmp_path / "holds.sqlite3", writes=False)
    with serving(bundle, tmp_path, store=store) as server:
        answer = score(server, pair_request(CHILD, CHILD.replace("years: 8", "years: 9")))

        assert answer.decision == DECISION_BLOCK
        assert list(answer.degradations) == ["HOLD_NOT_STORED"]
        assert len(answer.held_participants) == 2
        assert server.metric("pairguard_store_errors_total", operation="write") == 2
        assert server.metric("pairguard_holds_written_total", reason="BELOW_MINIMUM_AGE") == 0


def test_without_a_harm_model_nothing_is_allowed(
    bundle_without_models: Path, tmp_path: Path
) -> None:
    with serving(bundle_without_models, tmp_path) as server:
        answer = score(server, pair_request(*ALLOWED))

        assert answer.decision == DECISION_REROUTE
        assert codes(answer) == ["HARM_MODEL_UNAVAILABLE"]
        assert not answer.HasField("harm_probability")
        assert answer.risk_score == answer.minor_adult_probability
        assert list(answer.degradations) == ["HARM_MODEL_UNAVAILABLE"]
        assert server.metric("pairguard_pair_probability_count", part="harm") == 0
        assert server.metric("pairguard_pair_probability_count", part="minor_adult") == 1


def test_only_a_line_of_the_policy_allows_without_a_harm_model(
    bundle_without_models: Path, tmp_path: Path
) -> None:
    policy = lenient_policy(allow_without_harm_model="true")
    with serving(bundle_without_models, tmp_path, policy=policy) as server:
        answer = score(server, pair_request(*ALLOWED))

        assert answer.decision == DECISION_ALLOW
        assert list(answer.degradations) == ["HARM_MODEL_UNAVAILABLE"]
