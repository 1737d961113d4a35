"""A pool is judged by the same rules, and to the same bits, as each of its pairs alone."""

from __future__ import annotations

import functools
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pairguard.age.evidence import CheckResult
from pairguard.bundle.loading import load_bundle
from pairguard.policy.certificate import parse_certificate
from pairguard.policy.certified_lines import certified_policy
from pairguard.policy.decision import DecisionKind
from pairguard.policy.judgement import Judge, Judgement
from pairguard.policy.pair_columns import CODES, PairColumns
from pairguard.policy.pool_judgement import PoolJudgement, PoolMember
from pairguard.policy.pool_lines import Acquaintance
from pairguard.policy.reasons import ReasonCode
from pairguard.policy.regions import Policy
from pairguard.policy.standing import own_refusals
from pairguard.policy.state import KeptState, StoredState
from pairguard.risk.model import RiskModel
from pairguard.risk.participant import Participant
from tests.domain import (
    NOW,
    default_policy_document,
    document_check,
    evidence_lists,
    merged,
    verified,
)
from tests.unit.bundle.example import example, example_without_models
from tests.unit.policy.certificates import ASKED, certificate_document

LENIENT = {
    "thresholds": {"reroute_harm": 0.5, "block_harm": 0.5, "reroute_risk": 0.5},
}
POLICIES: Mapping[str, Mapping[str, Any]] = {
    "as it comes": {},
    "lenient": {"default": LENIENT},
    "minors may meet": {"default": LENIENT | {"minors_may_meet": True}},
    "unknown may meet": {
        "default": LENIENT
        | {
            "unknown_may_meet": "ADULTS_AND_UNKNOWN",
            "gates": {"adults_max_probability_minor": 0.0},
        }
    },
    "certified": {"default": merged(LENIENT, ASKED)},
    "close in age": {"default": LENIENT | {"close_in_age_max_gap_years": 2}},
    "little is asked": {
        "default": {
            "allow_on_unread_state": True,
            "allow_without_harm_model": True,
            "unknown_history_harm_floor": 0.3,
            "thresholds": {
                "reroute_harm": 0.4,
                "block_harm": 0.45,
                "block_risk": 0.5,
                "block_minor_adult": 0.04,
            },
            "history": {"max_exposure_per_day": 0.02, "max_reroutes_per_day": 5},
        }
    },
    "regions differ": {
        "default": LENIENT,
        "regions": {
            "KR": {"adult_age": 19, "minimum_age": 14},
            "US": {"minors_may_meet": True, "history": {"max_exposure_per_day": 0.01}},
            "US-TX": {"adult_age": 21, "thresholds": {"reroute_minor_adult": 0.01}},
            "GB": {"unknown_may_meet": "ADULTS", "reports": {"min_reporters": 2}},
        },
    },
    "gates differ": {
        "default": LENIENT,
        "regions": {"US": {"gates": {"adults_max_probability_minor": 0.0}}},
    },
}


@functools.cache
def judge(policy: str, *, models: bool = True) -> Judge:
    lines = Policy.from_mapping(merged(default_policy_document(), dict(POLICIES[policy])))
    if policy == "certified":
        lines, _ = certified_policy(lines, parse_certificate(certificate_document()), usable=True)
    return Judge(_model(models), lines)


@functools.cache
def _model(models: bool) -> RiskModel:
    with tempfile.TemporaryDirectory() as directory:
        place = Path(directory) / "bundle"
        (example() if models else example_without_models()).write(place)
        return load_bundle(place).model


counts = st.sampled_from([0.0, 1.0, 4.0, 300.0, float("nan")])
kept_states = st.builds(
    KeptState,
    held_for=st.sampled_from([(), (), (), ("UPHELD_HARM",), ("PLATFORM_X", "BELOW_MINIMUM_AGE")]),
    chats_counted=st.booleans(),
    decisions_24h=counts,
    allowed_24h=counts,
    reroutes_24h=counts,
    exposure_24h=st.sampled_from([0.0, 0.0, 0.005, 0.015, 0.499, 1.0, float("nan")]),
    partner_minor_mean_24h=st.sampled_from([None, 0.1, 0.9]),
    reporters_30d=counts,
    partners_30d=counts,
    upheld_harm=st.booleans(),
)
known_evidence = st.sampled_from(
    [
        (document_check(CheckResult.OVER),),
        (document_check(CheckResult.OVER, 25),),
        (verified(16.5),),
        (verified(17.4),),
        (verified(18.6),),
        (verified(12.0),),
        (verified(35.0), document_check(CheckResult.UNDER)),
    ]
)
histories = st.sampled_from(
    [None, None, {"history.reports_received_30d": 2.0, "history.upheld_harm_365d": 1.0}]
)
participants = st.builds(
    Participant,
    participant_id=st.just("somebody"),
    age_evidence=st.one_of(known_evidence, known_evidence, evidence_lists.map(tuple)),
    signals=st.sampled_from(
        [{}, {}, {"vpn": 1.0}, {"account_age_days": 3.0, "virtual_camera": 1.0}]
    ),
    interests=st.sampled_from([(), (), ("gaming",), ("gaming", "music")]),
    region=st.sampled_from(["", "US", "US-TX", "KR", "GB", "FR"]),
    history=histories,
)
members = st.builds(
    PoolMember,
    participant=participants,
    kept=st.one_of(st.just(KeptState()), kept_states),
    readable=st.sampled_from([True, True, True, False]),
)
acquaintances = st.dictionaries(
    st.tuples(st.integers(0, 3), st.integers(4, 7)),
    st.builds(
        Acquaintance,
        personal_block=st.booleans(),
        seconds_since_last_met=st.sampled_from([None, 0.0, 3_000.0, 10_000.0]),
    ),
    max_size=4,
)


def all_pairs(count: int) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    return np.triu_indices(count, 1)


def alone(
    judged_by: Judge,
    pool: list[PoolMember],
    pair: tuple[int, int],
    known: Mapping[tuple[int, int], Acquaintance],
) -> Judgement:
    a, b = (pool[place] for place in pair)
    between = known.get((min(pair), max(pair)), Acquaintance())
    return judged_by.judge_pair(
        a.participant,
        b.participant,
        now=NOW,
        state=StoredState(
            readable=a.readable and b.readable,
            a=a.kept,
            b=b.kept,
            personal_block=between.personal_block,
            seconds_since_last_met=between.seconds_since_last_met,
        ),
    )


def assert_same(columns: PairColumns, place: int, judgement: Judgement) -> None:
    decision, risk = judgement.decision, judgement.decision.risk
    assert DecisionKind(columns.kinds[place]) is decision.kind
    assert CODES[columns.leading[place]] is decision.reasons[0].code
    assert columns.reason_codes(place) == list(
        dict.fromkeys(reason.code for reason in decision.reasons)
    )
    assert columns.risk.minor_adult[place] == risk.minor_adult_probability
    assert columns.risk.scores[place] == risk.risk_score
    assert columns.exposures[place] == decision.exposure
    if risk.harm_probability is None:
        assert columns.risk.harm is None
        assert columns.risk.harm_raw is None
    else:
        assert columns.risk.harm is not None
        assert columns.risk.harm_raw is not None
        assert columns.risk.harm[place] == risk.harm_probability
        assert columns.risk.harm_raw[place] == risk.harm_raw_score


@pytest.mark.parametrize("policy", POLICIES)
@given(pool=st.lists(members, min_size=2, max_size=8), known=acquaintances)
@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow], deadline=None)
def test_a_pool_is_judged_as_its_pairs_are_alone(
    policy: str, pool: list[PoolMember], known: Mapping[tuple[int, int], Acquaintance]
) -> None:
    known = {pair: each for pair, each in known.items() if pair[1] < len(pool)}
    judged_by = judge(policy)
    first, second = all_pairs(len(pool))

    columns = PoolJudgement.of(judged_by, pool, now=NOW, acquaintances=known).pairs(first, second)

    for place, pair in enumerate(zip(first.tolist(), second.tolist(), strict=True)):
        assert_same(columns, place, alone(judged_by, pool, pair, known))


@pytest.mark.parametrize("policy", ["lenient", "regions differ"])
def test_a_pool_large_enough_for_its_own_trees_is_judged_as_its_pairs_are_alone(
    policy: str,
) -> None:
    judged_by, pool = judge(policy), [_drawn(seed) for seed in range(60)]
    first, second = all_pairs(len(pool))
    judgement = PoolJudgement.of(judged_by, pool, now=NOW, acquaintances={})

    columns = judgement.pairs(first, second)

    assert judgement.risk.harm is not None
    assert judgement.risk.harm.over_pool
    assert not judgement.risk.disagreed
    for place in range(0, first.size, 23):
        pair = int(first[place]), int(second[place])
        assert_same(columns, place, alone(judged_by, pool, pair, {}))


@given(pool=st.lists(members, min_size=2, max_size=6))
@settings(max_examples=30, suppress_health_check=[HealthCheck.too_slow], deadline=None)
def test_a_pool_without_a_harm_model_is_judged_as_its_pairs_are(pool: list[PoolMember]) -> None:
    judged_by = judge("little is asked", models=False)
    first, second = all_pairs(len(pool))

    columns = PoolJudgement.of(judged_by, pool, now=NOW, acquaintances={}).pairs(second, first)

    for place, pair in enumerate(zip(second.tolist(), first.tolist(), strict=True)):
        assert_same(columns, place, alone(judged_by, pool, pair, {}))


@functools.cache
def _another_model(models: bool) -> RiskModel:
    """Return the same model, which remembers nothing of the first."""
    return RiskModel(
        _model(models).tables,
        _model(models).catalogue,
        _model(models).behaviour,
        _model(models).harm,
    )


@pytest.mark.parametrize("models", [True, False])
@given(pool=st.lists(participants, min_size=8, max_size=16))
@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow], deadline=None)
def test_those_who_are_assessed_together_are_believed_what_they_are_alone(
    models: bool, pool: list[Participant]
) -> None:
    together = _another_model(models).assess_participants(pool, NOW)
    alone = [_model(models).assess_participant(each, NOW) for each in pool]

    for one, other in zip(together, alone, strict=True):
        for name in ("probabilities", "cumulative", "cumulative_by_evidence"):
            assert getattr(one.age, name).tobytes() == getattr(other.age, name).tobytes()
        assert one.age.conflict == other.age.conflict
        assert one.age.established_minor == other.age.established_minor
        assert one.age.verified_live_years == other.age.verified_live_years
        assert [one.age.probability_at_least(age) for age in (18, 21)] == [
            other.age.probability_at_least(age) for age in (18, 21)
        ]
        assert one.values.tobytes() == other.values.tobytes()
        assert one.behaviour_known == other.behaviour_known
        assert one.history_known == other.history_known
        assert one.unknown_names == other.unknown_names


@pytest.mark.parametrize("policy", POLICIES)
@given(pool=st.lists(members, min_size=2, max_size=8))
@settings(max_examples=30, suppress_health_check=[HealthCheck.too_slow], deadline=None)
def test_who_meets_nobody_for_itself_is_allowed_with_nobody(
    policy: str, pool: list[PoolMember]
) -> None:
    judgement = PoolJudgement.of(judge(policy), pool, now=NOW, acquaintances={})
    first, second = all_pairs(len(pool))
    columns = judgement.pairs(first, second)

    refused = [place for place, side in enumerate(judgement.sides) if own_refusals(side)]
    concerned = np.isin(first, refused) | np.isin(second, refused)
    assert not (columns.kinds[concerned] == DecisionKind.ALLOW).any()


def test_no_pairs_are_no_columns() -> None:
    pool = [PoolMember(Participant("a"), KeptState())]
    nobody = np.zeros(0, dtype=np.intp)

    columns = PoolJudgement.of(judge("lenient"), pool, now=NOW, acquaintances={}).pairs(
        nobody, nobody
    )

    assert columns.kinds.size == 0


def test_the_random_pools_reach_every_reason_of_a_pair() -> None:
    """Of the property above: it would show nothing of a rule that no example comes to."""
    reached: set[ReasonCode] = set()
    for policy in POLICIES:
        pool = [_drawn(seed) for seed in range(120)]
        known = {(0, 119): Acquaintance(personal_block=True, seconds_since_last_met=5.0)}
        first, second = all_pairs(len(pool))
        columns = PoolJudgement.of(judge(policy), pool, now=NOW, acquaintances=known).pairs(
            first, second
        )
        for bits in np.unique(columns.found).tolist():
            reached |= {
                code
                for place, code in enumerate(CODES)
                if bits >> place & 1 or bits >> (place + 32) & 1
            }
        allowed = columns.kinds == DecisionKind.ALLOW
        reached |= {CODES[place] for place in np.unique(columns.leading[allowed]).tolist()}

    of_pairs = set(CODES[: CODES.index(ReasonCode.UNKNOWN_WITHIN_THRESHOLD) + 1])
    # A pool is turned away by no chance.
    assert of_pairs - reached <= {ReasonCode.HARM_MODEL_UNAVAILABLE, ReasonCode.EXPLORATION}


def _drawn(seed: int) -> PoolMember:
    draw = np.random.default_rng(seed)

    def one(values: list[Any]) -> Any:
        return values[draw.integers(len(values))]

    evidence = [
        (document_check(CheckResult.OVER),),
        (verified(16.5),),
        (verified(17.5),),
        (verified(13.5),),
        (verified(18.4),),
        (verified(12.0),),
        (verified(35.0), document_check(CheckResult.UNDER)),
        (document_check(CheckResult.UNDER),),
        (),
    ]
    return PoolMember(
        Participant(
            f"p{seed}",
            age_evidence=one(evidence),
            signals=one([{}, {"account_age_days": 3.0}]),
            region=one(["", "US", "US-TX", "KR", "GB", "FR", "FR"]),
            history=one([None, {"history.reports_received_30d": 2.0}]),
        ),
        KeptState(
            held_for=one([()] * 8 + [("UPHELD_HARM",), ("HARM_RISK",)]),
            decisions_24h=one([0.0, 0.0, 500.0]),
            reroutes_24h=one([0.0, 0.0, 0.0, 2_000.0]),
            exposure_24h=one([0.0, 0.0, 0.0, 0.499]),
            partner_minor_mean_24h=one([None, 0.9]),
            reporters_30d=one([0.0, 0.0, 0.0, 5.0]),
            upheld_harm=one([False, False, True]),
        ),
        readable=one([True] * 9 + [False]),
    )
