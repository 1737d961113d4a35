"""What was kept of two participants, told from the reasons of a decision where it is not recorded.

Owns what older records tell of holds, blocks, reports and budgets: what a reason says outright is
told to the rules again; a reason that rests on counts which are not in the record is carried over
as it is. A carried reason never goes away: a replay may stop more than was stopped, and never lets
through what kept state stopped.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from pairguard.policy.decision import Decision, DecisionKind
from pairguard.policy.judgement import UPHELD_HARM_SIGNAL
from pairguard.policy.reasons import HOLD_REASONS, Party, Reason, ReasonCode
from pairguard.policy.state import KeptState, StoredState

UNTOLD_HOLD: Final = "UNTOLD"
"""Stands for the reason of a hold that a record does not name."""
CARRIED: Final = frozenset(
    {
        ReasonCode.RECENT_PARTNER,
        ReasonCode.EXPOSURE_SPENT,
        ReasonCode.REROUTES_SPENT,
        ReasonCode.PROBING,
    }
)
"""Reasons that rest on counts which older records do not hold."""

_THRESHOLDS: Final = frozenset(
    {ReasonCode.MINOR_ADULT_RISK, ReasonCode.HARM_RISK, ReasonCode.COMBINED_RISK}
)
_ORDER: Final = {code: place for place, code in enumerate(ReasonCode)}
_History = Mapping[str, float] | None


def state_told_by_reasons(
    kind: DecisionKind,
    reasons: Sequence[Reason],
    histories: tuple[_History, _History],
    *,
    readable: bool,
) -> StoredState:
    """Return what reasons and histories tell of what was kept."""
    return StoredState(
        readable=readable and not _has(reasons, ReasonCode.STORE_UNAVAILABLE),
        a=_kept(Party.A, kind, reasons, histories[0]),
        b=_kept(Party.B, kind, reasons, histories[1]),
        personal_block=_has(reasons, ReasonCode.PERSONAL_BLOCK),
    )


def state_of_histories(histories: tuple[_History, _History]) -> StoredState:
    """Return what histories alone tell of what was kept."""
    return StoredState(a=_of_history(histories[0]), b=_of_history(histories[1]))


def carried_reasons(reasons: Sequence[Reason]) -> tuple[Reason, ...]:
    """Return the reasons that cannot be found again.

    ``POOLS_DIFFER`` of one participant also stands for a budget or a count of reports that only the
    partner's stricter region forbids, and which of the two it was is not told: it stays. Of both it
    follows from the pools alone.
    """
    return tuple(
        each
        for each in reasons
        if each.code in CARRIED
        or (each.code is ReasonCode.POOLS_DIFFER and each.party is not Party.BOTH)
    )


def with_carried(decision: Decision, carried: Sequence[Reason]) -> Decision:
    """Return a decision that is at least as careful as the reasons that are carried over."""
    missing = [each for each in carried if each not in decision.reasons]
    if not missing:
        return decision
    if decision.kind is DecisionKind.BLOCK:
        return replace(decision, reasons=(*decision.reasons, *missing))
    found = () if decision.kind is DecisionKind.ALLOW else decision.reasons
    reasons = sorted((*found, *missing), key=lambda each: (_ORDER[each.code], each.party))
    return replace(
        decision, kind=DecisionKind.REROUTE, reasons=tuple(reasons), allow_probability=0.0
    )


def _has(reasons: Sequence[Reason], code: ReasonCode) -> bool:
    return any(each.code is code for each in reasons)


def _kept(
    party: Party, kind: DecisionKind, reasons: Sequence[Reason], history: _History
) -> KeptState:
    kept = _of_history(history)
    own = [each.code for each in reasons if each.party is party]
    if ReasonCode.HELD in own:
        named = tuple(code.value for code in own if code in HOLD_REASONS)
        return replace(kept, held_for=named or (UNTOLD_HOLD,))
    # A score that names one of the two blocks it for a harm that a review upheld.
    offender = kind is DecisionKind.BLOCK and not _THRESHOLDS.isdisjoint(own)
    return replace(kept, upheld_harm=True) if offender else kept


def _of_history(history: _History) -> KeptState:
    if not history:
        return KeptState()
    return KeptState(
        chats_started_24h=history.get("history.chats_started_24h", 0.0),
        reporters_30d=history.get("history.reports_received_30d", 0.0),
        partners_30d=history.get("history.distinct_partners_30d", 0.0),
        upheld_harm=not history.get(UPHELD_HARM_SIGNAL, 0.0) <= 0.0,
    )
