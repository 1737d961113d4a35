"""What reasons tell of kept state, and that what is carried over never goes away."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pairguard.age.admission import Admission
from pairguard.policy.decision import Decision, DecisionKind
from pairguard.policy.reasons import Party, Reason, ReasonCode
from pairguard.risk.pair import pair_risk
from pairguard_training.replaying.kept_reasons import (
    CARRIED,
    UNTOLD_HOLD,
    carried_reasons,
    state_told_by_reasons,
    with_carried,
)

RISK = pair_risk(0.01, 0.01)
REFUSALS = list(ReasonCode)[: list(ReasonCode).index(ReasonCode.ADULTS_MEET)]
any_reason = st.builds(Reason, st.sampled_from(REFUSALS), st.sampled_from(list(Party)))
NOTHING = (None, None)


def decision(kind: DecisionKind, *reasons: Reason) -> Decision:
    pool = Admission.ADULTS
    return Decision(kind, reasons, RISK, pool, pool, allow_probability=float(kind == 1))


@given(
    kind=st.sampled_from(DecisionKind),
    found=st.lists(any_reason, min_size=1, max_size=4),
    carried=st.lists(any_reason, max_size=4),
)
def test_a_decision_is_never_milder_for_what_is_carried_over(
    kind: DecisionKind, found: list[Reason], carried: list[Reason]
) -> None:
    if kind is DecisionKind.ALLOW:
        found = [Reason(ReasonCode.ADULTS_MEET, Party.BOTH)]
    before = decision(kind, *found)

    after = with_carried(before, carried)

    assert after.kind >= before.kind
    assert set(carried) <= set(after.reasons)
    if kind is not DecisionKind.ALLOW:
        assert set(found) <= set(after.reasons)
    if set(carried) - set(found):
        assert after.kind is not DecisionKind.ALLOW
        assert after.allow_probability == 0.0 or kind is DecisionKind.BLOCK
    else:
        assert after == before


@given(reasons=st.lists(any_reason, max_size=6))
def test_whatever_rests_on_untold_counts_is_carried_over(reasons: list[Reason]) -> None:
    carried = carried_reasons(reasons)

    for reason in reasons:
        of_one = reason.code is ReasonCode.POOLS_DIFFER and reason.party is not Party.BOTH
        assert (reason in carried) is (reason.code in CARRIED or of_one)


def test_a_hold_is_told_by_its_reasons() -> None:
    reasons = (
        Reason(ReasonCode.HELD, Party.A),
        Reason(ReasonCode.HELD, Party.B),
        Reason(ReasonCode.UPHELD_HARM, Party.B),
    )

    state = state_told_by_reasons(DecisionKind.BLOCK, reasons, NOTHING, readable=True)

    assert state.a.held_for == (UNTOLD_HOLD,)
    assert state.b.held_for == ("UPHELD_HARM",)
    assert state.readable
    assert not state.personal_block


def test_a_score_that_blocks_one_tells_of_an_upheld_harm() -> None:
    blocked = (Reason(ReasonCode.HARM_RISK, Party.B),)

    by_block = state_told_by_reasons(DecisionKind.BLOCK, blocked, NOTHING, readable=True)
    by_reroute = state_told_by_reasons(
        DecisionKind.REROUTE, (Reason(ReasonCode.HARM_RISK, Party.BOTH),), NOTHING, readable=True
    )

    assert (by_block.a.upheld_harm, by_block.b.upheld_harm) == (False, True)
    assert not by_reroute.b.upheld_harm


def test_blocks_and_unread_state_are_told() -> None:
    block = (Reason(ReasonCode.PERSONAL_BLOCK, Party.BOTH),)
    unread = (Reason(ReasonCode.STORE_UNAVAILABLE, Party.BOTH),)
    reroute = DecisionKind.REROUTE

    assert state_told_by_reasons(reroute, block, NOTHING, readable=True).personal_block
    assert not state_told_by_reasons(reroute, unread, NOTHING, readable=True).readable
    assert not state_told_by_reasons(reroute, block, NOTHING, readable=False).readable


def test_histories_tell_of_reports() -> None:
    history = {
        "history.reports_received_30d": 4.0,
        "history.distinct_partners_30d": 20.0,
        "history.upheld_harm_365d": 1.0,
    }

    state = state_told_by_reasons(DecisionKind.ALLOW, (), (history, None), readable=True)

    assert (state.a.reporters_30d, state.a.partners_30d, state.a.upheld_harm) == (4.0, 20.0, True)
    assert not state.b.upheld_harm
