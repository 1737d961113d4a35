"""Promises of a policy over the wire: kept by a certificate, visibly not without one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pairguard.bundle.documents import canonical_json
from pairguard.bundle.loading import load_bundle
from pairguard.bundle.manifest import CERTIFICATE
from pairguard.bundle.rewriting import rewrite_bundle
from pairguard.policy.certificate import ALL
from pairguard.policy.promises import PromiseKind
from pairguard.server.running import check
from pairguard.server.settings import Settings
from pairguard.v1.assessment_pb2 import DECISION_ALLOW, DECISION_REROUTE
from pairguard.v1.pair_risk_service_pb2 import Candidate, RankCandidatesRequest, ScorePairsRequest
from tests.domain import NOW
from tests.integration.server.running_server import (
    TIMEOUT_SECONDS,
    Running,
    lenient_policy,
    serving,
)
from tests.unit.policy.certificates import certificate_document, promise_entry, stratum
from tests.unit.server.requests import ADULT, age_request, pair_request

CODE = "CERTIFICATE_NOT_USABLE"
EXPIRES = "2026-11-20T00:00:00Z"
ADULTS = ("region: 'GB'" + ADULT, "region: 'GB'" + ADULT)


def promising_policy() -> str:
    """Return a policy whose own threshold lets nobody meet, and one that a certificate may set."""
    return lenient_policy(reroute_minor_adult="0.0").replace(
        "[default.holds]",
        "max_minor_adult_miss_rate = 0.02\nconfidence = 0.95\n"
        "certified_reroute_minor_adult = 0.1\n\n[default.holds]",
    )


def certify(bundle: Path, directory: Path, **changes: str) -> Path:
    """Write the bundle with a certificate of its own model."""
    own = {"model_hash": load_bundle(bundle).manifest.model_hash, "expire_time": EXPIRES}
    entry = promise_entry(PromiseKind.MIXED_PAIRS_ALLOWED, stratum(ALL, 0.06))
    document = certificate_document(entry, **(own | changes))
    rewrite_bundle(bundle, directory, {CERTIFICATE: canonical_json(document)})
    return directory


@pytest.fixture(scope="module")
def certified(bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return certify(bundle, tmp_path_factory.mktemp("certified") / "bundle")


@pytest.fixture
def clock() -> list[float]:
    return [NOW]


@pytest.fixture
def server(certified: Path, tmp_path: Path, clock: list[float]) -> Iterator[Running]:
    with serving(certified, tmp_path, policy=promising_policy(), clock=lambda: clock[0]) as running:
        yield running


def answers(server: Running) -> dict[str, Any]:
    """Return decision and degradations of each call about two verified adults."""
    pair = server.pair_risk.ScorePair(pair_request(*ADULTS), timeout=TIMEOUT_SECONDS).assessment
    request = pair_request(*ADULTS)
    people = [request.participant_a, request.participant_b]
    ranking = server.pair_risk.RankCandidates(
        RankCandidatesRequest(seeker=people[0], candidates=[Candidate(participant=people[1])]),
        timeout=TIMEOUT_SECONDS,
    )
    (batch,) = server.pair_risk.ScorePairs(
        ScorePairsRequest(participants=people, all_pairs=True), timeout=TIMEOUT_SECONDS
    )
    return {
        "pair": (pair.decision == DECISION_ALLOW, list(pair.degradations)),
        "ranking": (bool(ranking.ranked_candidates), list(ranking.degradations)),
        "batch": (batch.decisions[0] == DECISION_ALLOW, list(batch.degradations)),
    }


def test_a_certificate_sets_the_threshold_until_it_expires(
    server: Running, clock: list[float]
) -> None:
    assert answers(server) == dict.fromkeys(("pair", "ranking", "batch"), (True, []))
    assert server.metric("pairguard_promises_expire_time_seconds") > clock[0]

    clock[0] = server.metric("pairguard_promises_expire_time_seconds")

    assert answers(server) == dict.fromkeys(("pair", "ranking", "batch"), (False, [CODE]))
    assert server.metric("pairguard_degradations_total", kind=CODE) == 3
    assert server.metric("pairguard_promises_unkept") == 2  # by default and in KR
    (line,) = [
        each
        for each in server.log_lines()
        if each["message"].startswith("promises") and "holds from" in each["problem"]
    ]
    assert line["level"] == "warning"
    assert line["promises"] == 2


def test_an_uncertified_bundle_is_served_by_the_own_numbers_and_says_so(
    bundle: Path, tmp_path: Path
) -> None:
    with serving(bundle, tmp_path, policy=promising_policy()) as server:
        answer = server.pair_risk.ScorePair(
            pair_request(*ADULTS), timeout=TIMEOUT_SECONDS
        ).assessment

        assert answer.decision == DECISION_REROUTE
        assert list(answer.degradations) == [CODE]
        assert answer.reasons[0].code == "MINOR_ADULT_RISK"


def test_only_promises_of_the_gates_concern_an_age(bundle: Path, tmp_path: Path) -> None:
    request = age_request("region: 'GB'" + ADULT)
    gates = promising_policy().replace(
        "[default.thresholds]",
        "max_minor_admitted_rate = 0.02\nconfidence = 0.9\n\n[default.thresholds]",
    )
    for name, policy, expected in (("one", promising_policy(), []), ("two", gates, [CODE])):
        (tmp_path / name).mkdir()
        with serving(bundle, tmp_path / name, policy=policy) as server:
            answer = server.age_assurance.AssessAge(request, timeout=TIMEOUT_SECONDS)
            assert list(answer.degradations) == expected


def test_the_check_of_the_configuration_tells_what_is_kept(
    bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "policy.toml").write_text(promising_policy(), encoding="utf-8")
    old = certify(
        bundle,
        tmp_path / "old",
        issue_time="2001-01-01T00:00:00Z",
        expire_time="2001-03-01T00:00:00Z",
    )
    for path, words in (
        (old, "the certificate holds from 2001-01-01T00:00:00Z to 2001-03-01T00:00:00Z only"),
        (bundle, "the bundle carries no certificate"),
    ):
        assert check(Settings(bundle_path=path, policy_file=tmp_path / "policy.toml")) == 0
        said = capsys.readouterr().err
        assert f"{CODE}: {words}" in said
        assert "default: mixed_pairs_allowed at most 0.02 at confidence 0.95: NOT KEPT" in said
