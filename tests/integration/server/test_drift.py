"""Drift as it is served: what changed, of how many, and against which bundle."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from pairguard.bundle.documents import canonical_json
from pairguard.drift.groups import OTHER, Group
from pairguard.drift.reference import SECTION, DriftReference, PerUnit
from pairguard.drift.variables import Variable
from pairguard.server.drift_figures import LABELS
from pairguard.server.drift_view import STATES
from pairguard.server.generation import load_generation
from pairguard.v1.pair_risk_service_pb2 import RankCandidatesRequest
from tests.domain import NOW
from tests.integration.server.running_server import TIMEOUT_SECONDS, Running, serving
from tests.unit.bundle.example import example
from tests.unit.server.requests import ADULT, evidence, pair_request

POLICY = "default-2026-11"
VARIABLES = (
    Variable(Group.MIX, "region", (2_400, 500, 0), 100, words=("GB", "DE")),
    Variable(Group.EVIDENCE_PROVIDER, "yoti", (2_999, 1), 0, (0.5,), (0.0, 1.0), 0.02),
    Variable(Group.EVIDENCE_PROVIDER, OTHER, (3_000, 0), 0, (0.5,), (0.0, 1.0), 0.0),
    Variable(
        Group.SIGNAL,
        "account_age_days",
        (1_000, 1_000, 1_000),
        0,
        (100.0, 500.0),
        (50.0, 250.0, 900.0),
        370.0,
    ),
    Variable(Group.DECISION, "decision", (1_000, 0), 0, words=("ALLOW",)),
)


def reference(policy_version: str = POLICY) -> dict[str, Any]:
    found = DriftReference(VARIABLES, 3_000, 1_000, PerUnit(3_000.0, 1_000.0), policy_version)
    return {SECTION: found.to_mapping()}


def bundle_with(directory: Path, document: dict[str, Any]) -> Path:
    example().with_files(reference__json=canonical_json(document)).write(directory)
    return directory


class Clock:
    """A time that a test moves."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> float:
        return self.now


@contextmanager
def watching(
    tmp_path: Path, document: dict[str, Any], **arguments: Any
) -> Iterator[tuple[Running, Clock]]:
    clock = Clock()
    bundle = bundle_with(tmp_path / "bundle", document)
    with serving(bundle, tmp_path, clock=clock, **arguments) as server:
        yield server, clock


def judge(
    server: Running, count: int, what: str, *, of: str = "p", other: str | None = None
) -> None:
    """Have pairs of new people judged, each described by the same words, and counted."""
    for number in range(count):
        request = pair_request(what, what if other is None else other)
        request.participant_a.participant_id = f"{of}-a-{number}"
        request.participant_b.participant_id = f"{of}-b-{number}"
        server.pair_risk.ScorePair(request, timeout=TIMEOUT_SECONDS)
        server.application.drift.drain()


def like_the_reference(server: Running, pairs: int) -> None:
    for region, share in (("GB", 0.8), ("DE", 0.2)):
        for days, third in ((50.0, 3), (250.0, 3), (900.0, 3)):
            words = (
                f"region: '{region}' signals {{ key: 'account_age_days' value: {days} }}" + ADULT
            )
            judge(server, round(pairs * share / third), words, of=f"{region}{days}")


def drift(server: Running, name: str, window: str = "day", **labels: str) -> float:
    return server.metric(f"pairguard_drift_{name}", window=window, **labels)


def test_those_who_are_as_in_the_training_are_left_in_peace(tmp_path: Path) -> None:
    document = reference(policy_version="another")
    with watching(tmp_path, document) as (server, _):
        like_the_reference(server, 150)

        # Places are a million: two of 300 share one in 4 of 100 runs, four pairs of them never.
        assert 297 <= drift(server, "counted", unit="participant") <= 300
        assert 148 <= drift(server, "counted", unit="pair") <= 150
        for verdict in ("small", "moderate", "large"):
            for window in ("hour", "day"):
                assert drift(server, "variables", window, verdict=verdict) == 0
        assert drift(server, "variables", verdict="within_noise") > 0
        # The decisions of another policy are no drift.
        assert server.metric("pairguard_drift_same_policy") == 0
        assert 'group="decision"' not in server.metrics_text()
        assert server.metric("pairguard_drift_errors_total") == 0


def test_what_changed_is_told(tmp_path: Path) -> None:
    with watching(tmp_path, reference()) as (server, _):
        newcomer = evidence(
            "verified_age { age_years: 40 method: VERIFICATION_METHOD_ID_DOCUMENT }",
            "provider: 'Somebody New'",
        )
        judge(server, 100, "region: 'FR'" + newcomer, of="new")

        labels = {"group": "mix", "variable": "region"}
        assert drift(server, "psi", of="values", **labels) > 1.0
        assert drift(server, "psi", of="values", **labels) > drift(
            server, "psi_noise", of="values", **labels
        )
        assert drift(server, "unlisted_share", **labels) == 1.0
        provider = {"group": "evidence_provider", "variable": OTHER}
        assert drift(server, "unlisted_share", **provider) == 1.0
        unknown = {"group": "signal", "variable": "account_age_days", "of": "unknown"}
        assert drift(server, "psi", **unknown) > 1.0
        assert drift(server, "variables", verdict="large") >= 4
        assert server.metric("pairguard_drift_same_policy") == 1
        assert drift(server, "psi", group="decision", variable="decision", of="values") > 0.0
        # What a request says becomes no label.
        assert "FR" not in server.metrics_text()
        assert "Somebody" not in server.metrics_text()
        assert "new-a-1" not in server.metrics_text()


def test_rankings_count_with_one_of_their_candidates(tmp_path: Path) -> None:
    with watching(tmp_path, reference()) as (server, _):
        for number in range(8):
            people = pair_request("region: 'GB'" + ADULT, "region: 'DE'" + ADULT)
            seeker, other = people.participant_a, people.participant_b
            seeker.participant_id = f"seeker-{number}"
            asked = RankCandidatesRequest(seeker=seeker)
            for place in range(4):
                asked.candidates.add(participant=other)
                asked.candidates[-1].participant.participant_id = f"candidate-{number}-{place}"
            server.pair_risk.RankCandidates(asked, timeout=TIMEOUT_SECONDS)
            server.application.drift.drain()

        assert drift(server, "counted", unit="participant") == 16
        assert drift(server, "counted", unit="pair") == 8
        assert server.metric("pairguard_drift_errors_total") == 0


def test_of_few_people_nothing_is_told(tmp_path: Path) -> None:
    with watching(tmp_path, reference()) as (server, _):
        judge(server, 10, "region: 'FR'", of="few")

        assert drift(server, "counted", unit="participant") == 20
        text = server.metrics_text()
        assert "pairguard_drift_psi{" not in text
        assert "pairguard_drift_unlisted_share{" not in text
        for verdict in ("within_noise", "small", "moderate", "large"):
            assert drift(server, "variables", verdict=verdict) == 0
        assert drift(server, "variables", verdict="too_few") > 0


def test_who_asks_again_and_again_counts_once(tmp_path: Path) -> None:
    with watching(tmp_path, reference()) as (server, clock):
        for _ in range(5):
            judge(server, 1, "region: 'FR'", of="same")
        assert drift(server, "counted", unit="participant") == 2
        assert drift(server, "counted", unit="pair") == 1

        clock.now += 2 * 3_600
        judge(server, 1, "region: 'FR'", of="same")
        assert drift(server, "counted", "hour", unit="participant") == 2
        assert drift(server, "counted", "day", unit="participant") == 2

        clock.now += 25 * 3_600
        assert drift(server, "counted", "day", unit="participant") == 0


def test_another_generation_is_counted_anew(tmp_path: Path) -> None:
    with watching(tmp_path, reference()) as (server, clock):
        judge(server, 5, "region: 'GB'", of="one")
        assert server.metric("pairguard_drift_start_time_seconds") == NOW
        clock.now += 60
        other = bundle_with(tmp_path / "other", {})
        slot = server.application.drift._generations
        earlier = slot.current
        slot.put(load_generation(other, None))

        assert server.metric("pairguard_drift_reference", state="missing") == 1
        assert server.metric("pairguard_drift_start_time_seconds") == NOW + 60
        assert "pairguard_drift_counted{" not in server.metrics_text()
        judge(server, 5, "region: 'GB'", of="two")

        slot.put(earlier)
        assert server.metric("pairguard_drift_reference", state="usable") == 1
        assert drift(server, "counted", unit="participant") == 0
        judge(server, 3, "region: 'GB'", of="three")
        assert drift(server, "counted", unit="participant") == 6


def test_what_an_earlier_generation_judged_is_not_counted(tmp_path: Path) -> None:
    with watching(tmp_path, reference(), drift_pairs_per_second=10) as (server, _):
        slot = server.application.drift._generations
        server.application.drift.stop()
        request = pair_request("region: 'GB'")
        server.pair_risk.ScorePair(request, timeout=TIMEOUT_SECONDS)
        slot.put(load_generation(tmp_path / "bundle", None))

        server.application.drift.drain()

        assert drift(server, "counted", unit="participant") == 0
        assert server.metric("pairguard_drift_errors_total") == 0


@pytest.mark.parametrize(
    ("document", "state"),
    [
        ({}, "missing"),
        ({"columns": {}, "snapshots": 9}, "missing"),
        ({SECTION: {"format": 99}}, "unusable"),
        ({SECTION: "nonsense"}, "unusable"),
        (reference(), "usable"),
    ],
)
def test_whether_there_is_a_reference_is_told(
    tmp_path: Path, document: dict[str, Any], state: str
) -> None:
    with watching(tmp_path, document) as (server, _):
        judge(server, 2, "region: 'GB'")
        told = {each: server.metric("pairguard_drift_reference", state=each) for each in STATES}

        assert told == {each: float(each == state) for each in STATES}
        assert server.metric("pairguard_drift_errors_total") == 0


def test_it_can_be_turned_off(tmp_path: Path) -> None:
    with watching(tmp_path, reference(), drift_pairs_per_second=0) as (server, _):
        judge(server, 3, "region: 'FR'")

        assert server.metric("pairguard_drift_reference", state="off") == 1
        assert "pairguard_drift_counted{" not in server.metrics_text()


def test_no_more_pairs_wait_than_are_wanted_a_second(tmp_path: Path) -> None:
    with watching(tmp_path, reference(), drift_pairs_per_second=3) as (server, _):
        server.application.drift.stop()
        for number in range(20):
            request = pair_request("region: 'GB'")
            request.participant_a.participant_id = f"a{number}"
            request.participant_b.participant_id = f"b{number}"
            server.pair_risk.ScorePair(request, timeout=TIMEOUT_SECONDS)
        server.application.drift.drain()

        assert drift(server, "counted", unit="pair") == 3


def test_the_labels_are_those_that_are_written(tmp_path: Path) -> None:
    page = (Path(__file__).parents[3] / "docs" / "metrics.md").read_text(encoding="utf-8")
    for name, labels in LABELS.items():
        written = f"{name}_total" if name.endswith("errors") else name
        (line,) = [line for line in page.splitlines() if line.startswith(f"| `{written}` |")]
        column = line.split("|")[3]
        for label in labels:
            assert f"`{label}`" in column, name
