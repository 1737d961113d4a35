"""What is kept of a participant only ever makes a decision more cautious, and holds nobody."""

from __future__ import annotations

import inspect
from dataclasses import fields, replace
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from pairguard.age.evidence import CheckResult, FacialAgeEstimate, Liveness
from pairguard.age.posterior import AgeAssessment
from pairguard.bundle.defaults import default_catalogue
from pairguard.policy.decision import Decision, DecisionKind, decide
from pairguard.policy.judgement import Judge
from pairguard.policy.pools import Side
from pairguard.policy.reasons import Party, ReasonCode
from pairguard.policy.regions import Policy
from pairguard.policy.state import KeptState, StoredState
from pairguard.risk.model import RiskModel
from pairguard.risk.pair import minor_adult_probability, pair_risk
from pairguard.risk.participant import Participant
from tests.domain import (
    NOW,
    TABLES,
    assessed,
    default_policy_document,
    document_check,
    live,
    merged,
    verified,
)


def policy_with(**changes: Any) -> Policy:
    return Policy.from_mapping(merged(default_policy_document(), changes))


DEFAULT = policy_with()
UNREAD_ALLOWED = policy_with(default={"allow_on_unread_state": True})
STRICT_FRANCE = policy_with(
    regions={
        "FR": {
            "history": {"max_exposure_per_day": 0.1, "max_reroutes_per_day": 10},
            "reports": {"min_reporters": 2, "min_reporter_share": 0.01},
            "probing": {"min_decisions_per_day": 20},
        }
    }
)
ADULT = assessed(document_check(CheckResult.OVER), live(FacialAgeEstimate(33, Liveness.PASSED)))
CHANCY = assessed(live(FacialAgeEstimate(31, Liveness.PASSED)))
MINOR = assessed(verified(15))
PEOPLE = (ADULT, MINOR, assessed(), assessed(verified(9)), assessed(verified(18)))
PLAUSIBLE = (
    ReasonCode.HELD.value,
    ReasonCode.BELOW_MINIMUM_AGE.value,
    ReasonCode.UPHELD_HARM.value,
    ReasonCode.HARM_RISK.value,
    ReasonCode.ADULTS_MEET.value,
    "moderation:17",
)

counts = st.one_of(st.integers(0, 30).map(float), st.floats(0, 2000))
shares = st.one_of(st.none(), st.floats(0, 1))
kept_states = st.builds(
    KeptState,
    held_for=st.lists(st.sampled_from(PLAUSIBLE), max_size=3).map(tuple),
    chats_counted=st.booleans(),
    decisions_24h=counts,
    allowed_24h=counts,
    reroutes_24h=counts,
    exposure_24h=st.floats(0, 1),
    chats_started_24h=counts,
    partner_minor_mean_24h=shares,
    reporters_30d=counts,
    partners_30d=counts,
    upheld_harm=st.booleans(),
)
unreviewed = kept_states.map(lambda kept: replace(kept, held_for=(), upheld_harm=False))
people = st.sampled_from(PEOPLE)
policies = st.sampled_from([DEFAULT, UNREAD_ALLOWED, STRICT_FRANCE])
states = st.builds(
    StoredState,
    readable=st.booleans(),
    a=kept_states,
    b=kept_states,
    personal_block=st.booleans(),
    seconds_since_last_met=st.one_of(st.none(), st.floats(0, 7200)),
)


def decided(
    a: AgeAssessment = ADULT,
    b: AgeAssessment = ADULT,
    *,
    state: StoredState,
    policy: Policy = DEFAULT,
    regions: tuple[str, str] = ("US", "US"),
    harm: float = 0.0005,
) -> Decision:
    home = policy.for_participant(regions[0]), policy.for_participant(regions[1])
    lines = policy.stricter(*home)
    return decide(
        lines,
        Side(a, home[0], history_known=True, kept=state.a),
        Side(b, home[1], history_known=True, kept=state.b),
        risk=pair_risk(minor_adult_probability(a, b, lines.adult_ages), harm),
        state_readable=state.readable,
        personal_block=state.personal_block,
        seconds_since_last_met=state.seconds_since_last_met,
    )


def found(decision: Decision) -> set[tuple[ReasonCode, Party]]:
    return {(reason.code, reason.party) for reason in decision.reasons}


def codes(decision: Decision) -> set[ReasonCode]:
    return {reason.code for reason in decision.reasons}


def refused(**kept: Any) -> set[ReasonCode]:
    """Return what two adults are refused for, of whom the first has this state."""
    decision = decided(state=StoredState(a=KeptState(**kept)))
    assert {reason.party for reason in decision.reasons} <= {Party.A, Party.BOTH}
    return {reason.code for reason in decision.reasons} - {ReasonCode.ADULTS_MEET}


@given(people, people, states, policies)
def test_swapping_the_two_swaps_only_labels(
    a: AgeAssessment, b: AgeAssessment, state: StoredState, policy: Policy
) -> None:
    one = decided(a, b, state=state, policy=policy, regions=("US", "FR"))
    swapped_state = replace(state, a=state.b, b=state.a)
    other = decided(b, a, state=swapped_state, policy=policy, regions=("FR", "US"))
    label = {Party.A: Party.B, Party.B: Party.A, Party.BOTH: Party.BOTH}
    assert one.kind is other.kind
    assert one.reasons[0].code is other.reasons[0].code
    assert found(one) == {(code, label[party]) for code, party in found(other)}
    assert {(h.party, h.reason, h.hours) for h in one.holds} == {
        (label[h.party], h.reason, h.hours) for h in other.holds
    }


WORSE_UPWARDS = (
    "decisions_24h",
    "allowed_24h",
    "reroutes_24h",
    "exposure_24h",
    "reporters_30d",
    "partner_minor_mean_24h",
)
WORSE_DOWNWARDS = ("chats_started_24h", "partners_30d")


def worse(kept: KeptState, name: str, by: float) -> KeptState:
    value = getattr(kept, name)
    if name in WORSE_DOWNWARDS:
        return changed(kept, name, max(value - by, 0.0))
    return changed(kept, name, 1.0 if value is None else value + by)


def changed(kept: KeptState, name: str, value: Any) -> KeptState:
    facts: dict[str, Any] = {name: value}
    return replace(kept, **facts)


@given(people, people, states, policies, st.data())
def test_more_of_what_speaks_against_somebody_is_never_milder(
    a: AgeAssessment, b: AgeAssessment, state: StoredState, policy: Policy, data: st.DataObject
) -> None:
    before = decided(a, b, state=state, policy=policy)
    name, by = data.draw(st.sampled_from(WORSE_UPWARDS + WORSE_DOWNWARDS)), data.draw(counts)
    one_more = data.draw(st.sampled_from(PLAUSIBLE))
    for added in (
        replace(state, a=worse(state.a, name, by)),
        replace(state, b=worse(state.b, name, by)),
        replace(state, a=replace(state.a, held_for=(*state.a.held_for, one_more))),
        replace(state, b=replace(state.b, upheld_harm=True)),
        replace(state, a=replace(state.a, chats_counted=True)),
        replace(state, readable=False),
        replace(state, personal_block=True),
        replace(state, seconds_since_last_met=(state.seconds_since_last_met or 0.0) / 2),
    ):
        after = decided(a, b, state=added, policy=policy)
        assert after.kind >= before.kind
        assert before.kind is DecisionKind.ALLOW or codes(before) <= codes(after)
        assert {(h.party, h.reason) for h in before.holds} <= {
            (h.party, h.reason) for h in after.holds
        }


@given(people, people, states, policies, st.sampled_from(["US", "FR", ""]))
def test_a_stricter_region_is_never_milder(
    a: AgeAssessment, b: AgeAssessment, state: StoredState, policy: Policy, other: str
) -> None:
    before = decided(a, b, state=state, policy=policy)
    assert decided(a, b, state=state, policy=policy, regions=("US", other)).kind >= before.kind


@given(unreviewed, unreviewed, st.booleans(), st.floats(0, 1e12), st.floats(0, 1))
def test_reports_and_counts_alone_never_block_and_hold_nobody(
    a: KeptState, b: KeptState, readable: bool, reporters: float, harm: float
) -> None:
    state = StoredState(readable=readable, a=replace(a, reporters_30d=reporters), b=b)
    for first, second in ((ADULT, ADULT), (MINOR, ADULT), (assessed(), MINOR)):
        decision = decided(first, second, state=state, harm=harm)
        assert decision.kind is not DecisionKind.BLOCK
        assert decision.holds == ()


@given(people, people, states, policies)
def test_a_personal_block_always_stops(
    a: AgeAssessment, b: AgeAssessment, state: StoredState, policy: Policy
) -> None:
    decision = decided(a, b, state=replace(state, personal_block=True), policy=policy)
    assert decision.kind is not DecisionKind.ALLOW
    assert (ReasonCode.PERSONAL_BLOCK, Party.BOTH) in found(decision)


@pytest.mark.parametrize("nothing", [float("nan"), float("inf"), float("-inf"), -1.0])
@pytest.mark.parametrize("name", WORSE_UPWARDS + WORSE_DOWNWARDS)
def test_a_count_that_is_none_is_its_worst(name: str, nothing: float) -> None:
    @given(unreviewed, st.one_of(counts, st.floats(0, 1)))
    def holds(kept: KeptState, value: float) -> None:
        good, bad = changed(kept, name, value), changed(kept, name, nothing)
        assert refused_for(good) <= refused_for(bad)

    holds()


def refused_for(kept: KeptState) -> set[tuple[ReasonCode, Party]]:
    reasons = found(decided(state=StoredState(a=kept)))
    return {reason for reason in reasons if reason[0] is not ReasonCode.ADULTS_MEET}


@pytest.mark.parametrize("nothing", [float("nan"), float("inf"), -3.0])
def test_a_time_of_meeting_that_is_none_is_just_now(nothing: float) -> None:
    decision = decided(state=StoredState(seconds_since_last_met=nothing))
    assert decision.reasons[0].code is ReasonCode.RECENT_PARTNER


def test_partners_meet_again_once_the_window_has_passed() -> None:
    window = DEFAULT.default.recent_partner_minutes * 60.0
    for seconds, kind in (
        (window - 1, DecisionKind.REROUTE),
        (window, DecisionKind.ALLOW),
        (None, DecisionKind.ALLOW),
    ):
        assert decided(state=StoredState(seconds_since_last_met=seconds)).kind is kind
    off = policy_with(default={"history": {"recent_partner_minutes": 0}})
    assert decided(state=StoredState(seconds_since_last_met=0.0), policy=off).kind is (
        DecisionKind.ALLOW
    )


def test_reports_reroute_from_a_number_and_a_share_on() -> None:
    assert refused(reporters_30d=3, partners_30d=60) == {ReasonCode.REPORTED}
    assert refused(reporters_30d=3, partners_30d=61) == set()
    assert refused(reporters_30d=2, partners_30d=2) == set()
    assert refused(reporters_30d=50, partners_30d=1000) == {ReasonCode.REPORTED}
    # Partners that are not known make no share small.
    assert refused(reporters_30d=3) == {ReasonCode.REPORTED}


def test_the_exposure_budget_counts_this_pair_too() -> None:
    mixed = decided(state=StoredState()).risk.minor_adult_probability
    budget = DEFAULT.default.max_exposure_per_day
    assert refused(exposure_24h=budget - 2 * mixed) == set()
    assert refused(exposure_24h=budget - mixed / 2) == {ReasonCode.EXPOSURE_SPENT}


@given(st.sampled_from([ADULT, CHANCY]), st.floats(0, 0.12), st.floats(0, 0.12))
def test_a_pair_is_allowed_as_long_as_it_fits_into_both_budgets(
    other: AgeAssessment, spent_a: float, spent_b: float
) -> None:
    state = StoredState(a=KeptState(exposure_24h=spent_a), b=KeptState(exposure_24h=spent_b))
    decision = decided(CHANCY, other, state=state, policy=STRICT_FRANCE, regions=("US", "FR"))
    budget = STRICT_FRANCE.for_participant("FR").max_exposure_per_day
    fits = max(spent_a, spent_b) + decision.risk.minor_adult_probability <= budget
    assert (decision.kind is DecisionKind.ALLOW) is fits


def test_somebody_who_asks_until_it_fits_is_stopped_within_the_budget() -> None:
    state, spent, allowed = StoredState(), 0.0, 0
    for _ in range(1000):
        decision = decided(CHANCY, CHANCY, state=state)
        if decision.kind is not DecisionKind.ALLOW:
            break
        spent, allowed = spent + decision.exposure, allowed + 1
        state = StoredState(a=KeptState(exposure_24h=spent), b=KeptState(exposure_24h=spent))
    last = decided(CHANCY, CHANCY, state=state)
    assert last.kind is DecisionKind.REROUTE
    assert found(last) == {
        (ReasonCode.EXPOSURE_SPENT, Party.A),
        (ReasonCode.EXPOSURE_SPENT, Party.B),
    }
    assert allowed > 1
    assert spent <= DEFAULT.default.max_exposure_per_day


def test_the_close_in_age_allowance_spends_nothing_and_is_stopped_by_what_is_spent() -> None:
    policy = policy_with(default={"close_in_age_max_gap_years": 1})
    pair = assessed(verified(17)), assessed(verified(18))
    decision = decided(*pair, state=StoredState(), policy=policy)
    assert decision.kind is DecisionKind.ALLOW
    assert decision.exposure == 0.0
    spent = StoredState(b=KeptState(exposure_24h=0.6))
    assert found(decided(*pair, state=spent, policy=policy)) == {
        (ReasonCode.EXPOSURE_SPENT, Party.B)
    }


def test_a_refused_pair_adds_no_exposure() -> None:
    refused_pair = decided(MINOR, ADULT, state=StoredState())
    assert refused_pair.exposure == 0.0
    assert ReasonCode.EXPOSURE_SPENT not in codes(refused_pair)
    allowed = decided(state=StoredState())
    assert allowed.exposure == allowed.risk.minor_adult_probability > 0.0


def test_too_many_reroutes_reroute() -> None:
    assert refused(reroutes_24h=1000) == set()
    assert refused(reroutes_24h=1001) == {ReasonCode.REROUTES_SPENT}


def test_who_asks_much_and_starts_no_chats_is_probing() -> None:
    asked: dict[str, Any] = {"decisions_24h": 200, "allowed_24h": 150, "chats_counted": True}
    assert refused(**asked) == {ReasonCode.PROBING}
    assert refused(**asked, chats_started_24h=3) == set()
    assert refused(**{**asked, "decisions_24h": 199}) == set()
    # Where no platform reports chats, none started says nothing.
    assert refused(**{**asked, "chats_counted": False}) == set()
    # With so few allowed, none was due yet.
    assert refused(**{**asked, "allowed_24h": 49}) == set()
    assert refused(**{**asked, "allowed_24h": 50}) == {ReasonCode.PROBING}


def test_who_is_offered_hardly_anybody_but_minors_is_probing_unless_a_minor() -> None:
    fishing = KeptState(decisions_24h=200, partner_minor_mean_24h=0.81)
    state = StoredState(a=fishing)
    assert found(decided(ADULT, ADULT, state=state)) == {(ReasonCode.PROBING, Party.A)}
    minors = policy_with(default={"minors_may_meet": True})
    assert decided(MINOR, MINOR, state=state, policy=minors).kind is DecisionKind.ALLOW
    assert refused(decisions_24h=199, partner_minor_mean_24h=1.0) == set()
    assert refused(decisions_24h=200, partner_minor_mean_24h=0.8) == set()


@given(kept_states, kept_states)
def test_what_is_kept_of_one_is_no_reason_for_the_other(a: KeptState, b: KeptState) -> None:
    about_a = {r for r in found(decided(state=StoredState(a=a, b=b))) if r[1] is Party.A}
    alone = {r for r in found(decided(state=StoredState(a=a))) if r[1] is Party.A}
    assert about_a == alone


@given(kept_states)
def test_only_the_partners_region_is_no_reason_of_ones_own(kept: KeptState) -> None:
    kept = replace(kept, held_for=())
    state = StoredState(a=kept)
    at_home = found(decided(state=state, policy=STRICT_FRANCE))
    abroad = found(decided(state=state, policy=STRICT_FRANCE, regions=("US", "FR")))
    assert abroad - at_home <= {(ReasonCode.POOLS_DIFFER, Party.A)}
    assert at_home - abroad <= {(ReasonCode.ADULTS_MEET, Party.BOTH)}


def test_only_the_partners_region_still_reroutes() -> None:
    state = StoredState(a=KeptState(reroutes_24h=500))
    assert decided(state=state, policy=STRICT_FRANCE).kind is DecisionKind.ALLOW
    decision = decided(state=state, policy=STRICT_FRANCE, regions=("US", "FR"))
    assert found(decision) == {(ReasonCode.POOLS_DIFFER, Party.A)}


@given(states, people)
def test_a_hold_leads_and_names_what_the_service_holds_for(
    state: StoredState, partner: AgeAssessment
) -> None:
    assume(state.a.held_for)
    decision = decided(ADULT, partner, state=state)
    assert decision.kind is DecisionKind.BLOCK
    assert decision.reasons[0].code is ReasonCode.HELD
    known = {
        code
        for code in (ReasonCode.UPHELD_HARM, ReasonCode.BELOW_MINIMUM_AGE)
        if code.value in state.a.held_for
    }
    assert {(code, Party.A) for code in known} <= found(decision)
    # A caller's own code is no reason of ours, whatever it is called.
    assert ReasonCode.ADULTS_MEET not in codes(decision)


def test_nothing_of_the_requests_context_is_an_input() -> None:
    inputs = {
        *inspect.signature(decide).parameters,
        *inspect.signature(Judge.judge_pair).parameters,
        *(f.name for value in (StoredState, KeptState, Side) for f in fields(value)),
    }
    for name in inputs:
        assert not any(word in name for word in ("wait", "proposed_time", "affinity", "context"))


@pytest.mark.parametrize("told", [1.0, float("nan")])
def test_an_upheld_harm_that_only_the_signal_tells_counts(told: float) -> None:
    policy = policy_with(
        default={"allow_without_harm_model": True, "thresholds": {"block_minor_adult": 0}}
    )
    judge = Judge(RiskModel(TABLES, default_catalogue(), None, None), policy)
    adult = Participant(
        "p", age_evidence=(document_check(CheckResult.OVER),), region="US", history=history(0.0)
    )
    offender = replace(adult, participant_id="q", history=history(told))
    kinds = [
        judge.judge_pair(one, adult, now=NOW, state=StoredState()).decision.kind
        for one in (adult, offender)
    ]
    assert kinds == [DecisionKind.REROUTE, DecisionKind.BLOCK]


def history(upheld: float) -> dict[str, float]:
    return {"history.upheld_harm_365d": upheld}
