"""What a caller is answered over the network is what training computes, to the bit."""

from __future__ import annotations

import struct
import tomllib
from dataclasses import replace
from pathlib import Path

from pairguard.bundle.loading import load_bundle
from pairguard.policy.judgement import Judge
from pairguard.policy.regions import Policy
from pairguard.policy.state import StoredState
from pairguard.v1.assessment_pb2 import Decision
from pairguard.v1.pair_risk_service_pb2 import ScorePairRequest
from pairguard_training.fitting import Fit
from pairguard_training.harm_labels import newest_time
from pairguard_training.tables.participants import participants
from pairguard_training.tables.reading import Tables
from tests.golden.wire_messages import participant_message
from tests.integration.server.running_server import TIMEOUT_SECONDS, lenient_policy, serving

PAIRS = 300


def bits(*values: float) -> tuple[bytes, ...]:
    return tuple(struct.pack("<d", value) for value in values)


def test_a_served_answer_and_an_offline_judgement_are_the_same_bits(
    small_fit: tuple[Tables, Fit], small_bundle: Path, tmp_path: Path
) -> None:
    tables, _ = small_fit
    now = newest_time(tables).timestamp() + 3_600.0
    pairs = tables.pairs.tail(PAIRS)
    # History is the service's own: a caller cannot send it.
    sides = [
        [replace(p, history=None) for p in participants(tables, pairs[column].to_list())]
        for column in ("snapshot_a", "snapshot_b")
    ]
    policy = lenient_policy()
    judge = Judge(load_bundle(small_bundle).model, Policy.from_mapping(tomllib.loads(policy)))
    decisions = set()
    with serving(small_bundle, tmp_path, policy=policy, clock=lambda: now) as running:
        for a, b in zip(*sides, strict=True):
            request = ScorePairRequest(
                participant_a=participant_message(a), participant_b=participant_message(b)
            )
            served = running.pair_risk.ScorePair(request, timeout=TIMEOUT_SECONDS).assessment
            if "HELD" in {reason.code for reason in served.reasons}:
                continue  # barred in an earlier pair: the store, not the scores, decides
            offline = judge.judge_pair(a, b, now=now, state=StoredState()).decision
            assert offline.risk.harm_probability is not None
            assert Decision.Name(served.decision) == f"DECISION_{offline.kind.name}"
            assert [r.code for r in served.reasons] == [r.code.value for r in offline.reasons]
            assert bits(
                served.minor_adult_probability, served.harm_probability, served.risk_score
            ) == bits(
                offline.risk.minor_adult_probability,
                offline.risk.harm_probability,
                offline.risk.risk_score,
            )
            decisions.add(offline.kind.name)
    assert {"ALLOW", "REROUTE"} <= decisions
