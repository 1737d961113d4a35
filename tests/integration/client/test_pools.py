"""Rankings and pools, through both clients."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import grpc
import pytest
from google.protobuf import text_format

from pairguard.client import (
    CandidateInput,
    ClientError,
    DecidedBy,
    Decision,
    FailureKind,
    Modality,
    ParticipantInput,
    verified_age,
)
from pairguard.client.vocabulary import Binding, VerificationMethod
from pairguard.v1.assessment_pb2 import DECISION_ALLOW, DECISION_REROUTE, MODALITY_TEXT
from pairguard.v1.pair_risk_service_pb2 import (
    RankCandidatesRequest,
    RankCandidatesResponse,
    ScorePairsRequest,
    ScorePairsResponse,
)
from tests.domain import NOW
from tests.integration.client.either_client import ClientMaker
from tests.integration.client.scripted_service import (
    ScriptedService,
    aborting,
    answering,
    serving,
)
from tests.integration.server.running_server import lenient_policy
from tests.integration.server.running_server import serving as serving_whole
from tests.unit.bundle.example import example

SEEKER = ParticipantInput("seeker")
CANDIDATES = [CandidateInput(ParticipantInput("c0")), CandidateInput(ParticipantInput("c1"), 2.5)]
FIGURES = "minor_adult_probability: 0.1 harm_probability: 0.1 risk_score: 0.2"
POOL = [ParticipantInput("a"), ParticipantInput("b"), ParticipantInput("c")]


def ranking(text: str = "") -> RankCandidatesResponse:
    answer = RankCandidatesResponse(
        decision_id="d1", bundle_version="bundle", policy_version="policy"
    )
    answer.decision_time.GetCurrentTime()
    answer.expire_time.FromDatetime(datetime.now(UTC) + timedelta(seconds=60))
    candidate = answer.ranked_candidates.add(candidate_index=1, risk_band=2)
    candidate.minor_adult_probability, candidate.harm_probability = 0.01, 0.02
    candidate.risk_score = 0.03
    text_format.Merge(text, answer)
    return answer


def part(offset: int, count: int, text: str = "", *, size: int = 2) -> ScorePairsResponse:
    answer = ScorePairsResponse(
        pair_offset=offset,
        pair_count=count,
        decisions=[DECISION_ALLOW, DECISION_REROUTE][:size],
        minor_adult_probabilities=[0.25, 0.5][:size],
        harm_probabilities=[0.125, 0.25][:size],
        risk_scores=[0.5, 0.75][:size],
        reason_indices=[1, 0][:size],
        reason_codes=["AGE_UNKNOWN", "ADULTS_MEET"],
        bundle_version="bundle",
        policy_version="policy",
    )
    text_format.Merge(text, answer)
    return answer


def test_a_seeker_is_told_whom_it_may_meet(make_client: ClientMaker) -> None:
    text = """excluded_counts { code: 'HELD' count: 3 } seeker_reasons { code: 'AGE_UNKNOWN' }
        seeker_age_check { options { method: CHECK_METHOD_ID_DOCUMENT threshold_years: 18 } }
        invalid_candidates { candidate_index: 0 field_violations { field: 'f' description: 'd' } }
        unknown_signals: 'x' """
    service = ScriptedService(answering(ranking(text)))
    with serving(service) as address:
        found = make_client(address).rank_candidates(
            SEEKER, CANDIDATES, max_results=7, request_id="r", modality=Modality.TEXT
        )

    assert (found.decided_by, found.decision_id) == (DecidedBy.SERVICE, "d1")
    (candidate,) = found.allowed_at(datetime.now(UTC))
    assert (candidate.candidate_index, candidate.risk_band, candidate.risk_score) == (1, 2, 0.03)
    assert found.allowed_at(datetime.now(UTC) + timedelta(seconds=61)) == ()
    assert found.excluded_counts == {"HELD": 3}
    assert [reason.code for reason in found.seeker_reasons] == ["AGE_UNKNOWN"]
    assert found.seeker_age_check is not None
    assert found.invalid_candidates[0].field_violations[0].field == "f"
    assert found.unknown_signals == ("x",)
    request = service.arrivals[0].request
    assert isinstance(request, RankCandidatesRequest)
    assert [each.HasField("affinity") for each in request.candidates] == [False, True]
    assert (request.max_results, request.request_id) == (7, "r")
    assert request.context.modality == MODALITY_TEXT


@pytest.mark.parametrize(
    "text",
    [
        "decision_id: ''",
        "expire_time { seconds: 5 }",
        "expire_time { seconds: 999999999999999 }",
        "ranked_candidates { candidate_index: 0 risk_band: 1 }",
        f"ranked_candidates {{ candidate_index: 1 risk_band: 1 {FIGURES} }}",
        f"ranked_candidates {{ candidate_index: 2 risk_band: 1 {FIGURES} }}",
        f"ranked_candidates {{ candidate_index: 0 risk_band: 1 {FIGURES.replace('0.2', 'nan')} }}",
        f"ranked_candidates {{ candidate_index: 0 {FIGURES} }}",
    ],
)
def test_an_offer_that_cannot_be_relied_on_is_none(make_client: ClientMaker, text: str) -> None:
    answer = ranking()
    if text == "decision_id: ''":
        answer.ClearField("decision_id")
    else:
        text_format.Merge(text, answer)
    with serving(ScriptedService(answering(answer))) as address:
        found = make_client(address).rank_candidates(SEEKER, CANDIDATES)

    assert (found.decided_by, found.candidates) == (DecidedBy.CLIENT, ())
    assert found.error is not None
    assert found.error.kind is FailureKind.RESPONSE_INVALID
    assert found.message == answer


def test_without_an_answer_nobody_is_offered(make_client: ClientMaker) -> None:
    service = ScriptedService(aborting(grpc.StatusCode.RESOURCE_EXHAUSTED))
    with serving(service) as address:
        client = make_client(address)
        found = client.rank_candidates(SEEKER, CANDIDATES)
        with pytest.raises(ClientError):
            client.rank_candidates(SEEKER, CANDIDATES, on_failure="raise")

    assert (found.decided_by, found.candidates) == (DecidedBy.CLIENT, ())
    assert found.allowed_at(datetime.now(UTC)) == ()
    assert found.degradations == ("CLIENT_FALLBACK",)
    assert [reason.code for reason in found.seeker_reasons] == ["SERVICE_OVERLOADED"]


def test_what_cannot_be_sent_is_refused_before_any_call(make_client: ClientMaker) -> None:
    service = ScriptedService()
    with serving(service) as address:
        client = make_client(address)
        with pytest.raises(TypeError, match=r"candidates\[0\]"):
            client.rank_candidates(SEEKER, [ParticipantInput("c")])  # type: ignore[list-item]
        with pytest.raises(TypeError, match="affinity"):
            client.rank_candidates(SEEKER, [CandidateInput(SEEKER, "1")])  # type: ignore[arg-type]
        with pytest.raises(ValueError, match=r"."):
            list(client.score_pairs(POOL, [(0, -1)]))
    assert not service.arrivals


def test_pairs_come_in_parts(make_client: ClientMaker) -> None:
    service = ScriptedService(
        answering(part(0, 3, "unknown_signals: 'x'")), answering(part(2, 3, size=1))
    )
    with serving(service) as address:
        first, second = make_client(address).score_pairs(POOL, [(0, 1), (1, 2), (2, 0)])

    assert first.decisions == (Decision.ALLOW, Decision.REROUTE)
    assert first.reason_codes == ("ADULTS_MEET", "AGE_UNKNOWN")
    assert first.harm_probabilities == (0.125, 0.25)
    assert first.unknown_signals == ("x",)
    assert (second.pair_offset, second.pair_count, second.risk_scores) == (2, 3, (0.5,))
    request = service.arrivals[0].request
    assert isinstance(request, ScorePairsRequest)
    assert list(request.pairs.first_indices) == [0, 1, 2]
    assert list(request.pairs.second_indices) == [1, 2, 0]


def test_each_pair_of_a_pool_is_asked_for_without_a_list(make_client: ClientMaker) -> None:
    service = ScriptedService(answering(part(0, 2, "degradations: 'HARM_MODEL_UNAVAILABLE'")))
    with serving(service) as address:
        (only,) = make_client(address).score_pairs(POOL)

    assert only.harm_probabilities == (0.125, 0.25)
    request = service.arrivals[0].request
    assert isinstance(request, ScorePairsRequest)
    assert request.all_pairs


@pytest.mark.parametrize(
    "parts",
    [
        [part(0, 3)],
        [part(1, 3)],
        [part(0, 4), part(2, 5)],
        [part(0, 2, "decisions: 0 minor_adult_probabilities: 0")],
        [part(0, 2, "risk_scores: 0.5")],
        [part(0, 2, "reason_indices: 0")],
        [ScorePairsResponse()],
    ],
)
def test_parts_that_do_not_fit_are_refused(
    make_client: ClientMaker, parts: list[ScorePairsResponse]
) -> None:
    service = ScriptedService(*map(answering, parts))
    with serving(service) as address, pytest.raises(ClientError) as caught:
        list(make_client(address).score_pairs(POOL))

    assert caught.value.failure.kind is FailureKind.RESPONSE_INVALID


def test_an_answer_that_breaks_off_is_not_begun_anew(make_client: ClientMaker) -> None:
    service = ScriptedService(
        aborting(grpc.StatusCode.UNAVAILABLE),
        answering(part(0, 4)),
        aborting(grpc.StatusCode.UNAVAILABLE),
    )
    with serving(service) as address:
        parts = make_client(address).score_pairs(POOL)
        first = next(parts)  # of the second attempt: the first had none
        with pytest.raises(ClientError) as caught:
            next(parts)

    assert first.pair_offset == 0
    assert len(service.arrivals) == 2
    assert caught.value.failure.kind is FailureKind.SERVICE_UNAVAILABLE


def test_a_whole_service_answers_both(make_client: ClientMaker, tmp_path: Path) -> None:
    example().write(tmp_path / "bundle")

    def adult(name: str) -> ParticipantInput:
        item = verified_age(
            method=VerificationMethod.ID_DOCUMENT,
            age_years=40,
            binding=Binding.LIVE_PERSON,
            observed_time=datetime.fromtimestamp(NOW, UTC) - timedelta(days=1),
        )
        return ParticipantInput(name, [item])

    with serving_whole(tmp_path / "bundle", tmp_path, policy=lenient_policy()) as server:
        client = make_client(str(server.application.address))
        ranked = client.rank_candidates(
            adult("s"), [CandidateInput(adult("c0")), CandidateInput(ParticipantInput("c1"))]
        )
        (scored,) = client.score_pairs([adult("s"), adult("c0"), ParticipantInput("c1")])

    assert [each.candidate_index for each in ranked.candidates] == [0]
    assert ranked.excluded_counts == {"AGE_UNKNOWN": 1}
    assert scored.decisions == (Decision.ALLOW, Decision.REROUTE, Decision.REROUTE)
    assert scored.risk_scores[0] == ranked.candidates[0].risk_score
