"""Pairs that nothing forbids and that are turned away by chance, to learn from: only ever so."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pairguard.age.evidence import CheckResult, FacialAgeEstimate, Liveness
from pairguard.errors import PolicyRefused
from pairguard.policy.decision import Decision, DecisionKind, decide
from pairguard.policy.document import RegionPolicy
from pairguard.policy.pools import Side
from pairguard.policy.reasons import ReasonCode
from pairguard.policy.regions import Policy
from pairguard.policy.state import KeptState
from pairguard.risk.pair import PairRisk, minor_adult_probability, pair_risk
from tests.domain import assessed, default_policy_document, document_check, live, merged, verified

ADULT = assessed(document_check(CheckResult.OVER), live(FacialAgeEstimate(33, Liveness.PASSED)))
MINOR = assessed(verified(15))
BARE = assessed()
draws = st.floats(0, 1, exclude_max=True)


def policy(share: object = 0.1, **regions: Mapping[str, Any]) -> Policy:
    changes = {"default": {"exploration": {"reroute_share": share}}, "regions": regions}
    return Policy.from_mapping(merged(default_policy_document(), changes))


def decided(lines: RegionPolicy, a: Side, b: Side, draw: float | None, harm: float) -> Decision:
    mixed = minor_adult_probability(a.age, b.age, lines.adult_ages)
    risk: PairRisk = pair_risk(mixed, harm)
    return decide(lines, a, b, risk=risk, draw=draw)


@given(
    share=st.floats(0, 0.2),
    draw=draws,
    ages=st.tuples(*[st.sampled_from([ADULT, MINOR, BARE])] * 2),
    held=st.booleans(),
    harm=st.floats(0, 0.05),
)
@settings(max_examples=200, deadline=None)
def test_a_draw_only_ever_turns_an_allow_into_a_reroute(
    share: float, draw: float, ages: tuple[Any, Any], held: bool, harm: float
) -> None:
    lines = policy(share).default
    kept = KeptState(held_for=("PLATFORM_SPAM",) if held else ())
    a, b = (Side(age, lines, history_known=True, kept=kept) for age in ages)

    plain, drawn = decided(lines, a, b, None, harm), decided(lines, a, b, draw, harm)

    if plain.kind is DecisionKind.ALLOW and draw < share:
        assert drawn.kind is DecisionKind.REROUTE
        assert [reason.code for reason in drawn.reasons] == [ReasonCode.EXPLORATION]
        assert drawn.exposure == 0.0
        assert not drawn.holds
    else:
        assert drawn.kind is plain.kind
        assert drawn.reasons == plain.reasons
    assert drawn.risk == plain.risk
    allowed = plain.kind is DecisionKind.ALLOW
    assert drawn.allow_probability == (1.0 - share if allowed else 0.0)
    assert plain.allow_probability == float(allowed)


def test_a_draw_that_is_no_number_turns_the_pair_away() -> None:
    lines = policy(0.1).default
    side = Side(ADULT, lines, history_known=True)

    assert decided(lines, side, side, math.nan, 0.001).kind is DecisionKind.REROUTE
    assert decided(policy(0.0).default, side, side, math.nan, 0.001).kind is DecisionKind.ALLOW


def test_the_words_are_those_of_any_match_that_was_not_made() -> None:
    lines = policy(0.2).default
    side = Side(ADULT, lines, history_known=True)

    explored = decided(lines, side, side, 0.0, 0.001).reasons[0]
    risky = decided(lines, side, side, 0.0, 0.9).reasons[0]

    assert risky.code is ReasonCode.HARM_RISK
    assert explored.participant_text == risky.participant_text


def test_of_two_regions_the_larger_share_counts() -> None:
    both = policy(
        0.02, KR={"exploration": {"reroute_share": 0.2}}, GB={"exploration": {"reroute_share": 0}}
    )

    assert both.for_pair("GB", "GB").reroute_share == 0.0
    assert both.for_pair("GB", "FR").reroute_share == 0.02
    assert both.for_pair("GB", "KR").reroute_share == 0.2
    assert both.for_participant("").reroute_share == 0.2
    assert both.explores
    assert not policy(0).explores


@pytest.mark.parametrize("share", [-0.01, 0.21, "0.1", True, math.nan])
def test_a_share_out_of_bounds_is_refused(share: object) -> None:
    with pytest.raises(PolicyRefused, match=r"exploration\.reroute_share: must be a number"):
        policy(share)


def test_a_document_without_the_line_explores_nothing() -> None:
    document = default_policy_document()
    del document["default"]["exploration"]

    assert Policy.from_mapping(document).default.reroute_share == 0.0
