"""What ``ScorePair`` does: read the holds of both, judge, write new holds, say what was missing.

Owns that order, and that every failure on the way makes the answer more cautious: unread state is
told to the judge as unread, a hold that cannot be stored is still answered as a BLOCK. It must not
know messages.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from pairguard.errors import StoreUnavailable
from pairguard.policy.decision import DecisionKind
from pairguard.policy.decision import Hold as NewHold
from pairguard.policy.judgement import Judgement, StoredState
from pairguard.policy.reasons import Party, Reason, ReasonCode
from pairguard.risk.participant import Participant
from pairguard.server.call_facts import current_call
from pairguard.server.generation import Generation, GenerationSlot
from pairguard.server.metrics import Metrics
from pairguard.store.ports import Hold, HoldStore

STORE_UNAVAILABLE: Final = "STORE_UNAVAILABLE"
HOLD_NOT_STORED: Final = "HOLD_NOT_STORED"
HARM_MODEL_UNAVAILABLE: Final = "HARM_MODEL_UNAVAILABLE"
REQUEST_ID_NOT_KEPT: Final = "REQUEST_ID_NOT_KEPT"
"""The request id was not kept: a repeat is judged anew."""

_SECONDS_PER_HOUR = 3600.0
_UNREAD = StoredState(readable=False)
_NOTHING_STORED = StoredState()
_NO_HOLDS: tuple[Hold, ...] = ()


@dataclass(frozen=True, slots=True)
class HeldParty:
    """A participant who meets nobody.

    Attributes:
        reason: Why, and who.
        expire_time: When it ends by itself, seconds since 1970; None: only by a release.
    """

    reason: Reason
    expire_time: float | None


@dataclass(frozen=True, slots=True)
class ScoredPair:
    """Everything that is answered about one proposed pair.

    Attributes:
        decision_id: 32 random hexadecimal digits.
        decision_time: Seconds since 1970.
        expire_time: When an ALLOW ends; None: it is none.
        generation: What judged.
        judgement: Beliefs and decision.
        held: Whoever is held now, by an earlier or by this decision.
        degradations: What had to be done without, sorted.
    """

    decision_id: str
    decision_time: float
    expire_time: float | None
    generation: Generation
    judgement: Judgement
    held: tuple[HeldParty, ...]
    degradations: tuple[str, ...]


class PairScoring:
    """Scores proposed pairs.

    Args:
        generations: Where what judges is found.
        store: Holds.
        metrics: Where decisions are counted.
        clock: Seconds since 1970.
        allow_expire_seconds: How long an ALLOW may be acted on.
    """

    def __init__(
        self,
        generations: GenerationSlot,
        store: HoldStore,
        metrics: Metrics,
        *,
        clock: Callable[[], float],
        allow_expire_seconds: float,
    ) -> None:
        self._generations = generations
        self._store = store
        self._metrics = metrics
        self._clock = clock
        self._allow_expire_seconds = allow_expire_seconds

    def score(self, a: Participant, b: Participant, *, request_id: str) -> ScoredPair:
        """Judge one proposed pair; a new hold is durable when this returns, or the answer says so.

        Raises:
            BundleRefused: No bundle is loaded yet.
        """
        generation = self._generations.current
        now = self._clock()
        state, stored = self._read(a, b, now)
        judgement = generation.judge.judge_pair(a, b, now=now, state=state)
        decision = judgement.decision
        degradations = []
        if not state.readable:
            degradations.append(STORE_UNAVAILABLE)
        if decision.risk.harm_probability is None:
            degradations.append(HARM_MODEL_UNAVAILABLE)
        if request_id:
            degradations.append(REQUEST_ID_NOT_KEPT)
        held: tuple[HeldParty, ...] = ()
        if decision.kind is DecisionKind.BLOCK:
            if not self._write(a, b, decision.holds, now):
                degradations.append(HOLD_NOT_STORED)
            held = _held(stored, decision.holds, now)
        scored = ScoredPair(
            decision_id=secrets.token_hex(16),
            decision_time=now,
            expire_time=(
                now + self._allow_expire_seconds if decision.kind is DecisionKind.ALLOW else None
            ),
            generation=generation,
            judgement=judgement,
            held=held,
            degradations=tuple(sorted(degradations)),
        )
        self._observe(a, b, scored)
        return scored

    def _read(
        self, a: Participant, b: Participant, now: float
    ) -> tuple[StoredState, tuple[tuple[Hold, ...], ...]]:
        try:
            stored = self._store.read_holds((_ids(a), _ids(b)), now=now)
        except StoreUnavailable:
            self._metrics.count_store_error("read")
            return _UNREAD, (_NO_HOLDS, _NO_HOLDS)
        held_a, held_b = stored
        if not held_a and not held_b:
            return _NOTHING_STORED, stored
        return StoredState(held_a=bool(held_a), held_b=bool(held_b)), stored

    def _write(
        self, a: Participant, b: Participant, holds: tuple[NewHold, ...], now: float
    ) -> bool:
        """Return whether all holds are durable; one that fails does not keep the other back."""
        stored_all = True
        for hold in holds:
            participant = a if hold.party is Party.A else b
            try:
                self._store.write_hold(_ids(participant), Hold(hold.reason, now, _end(hold, now)))
            except StoreUnavailable:
                self._metrics.count_store_error("write")
                stored_all = False
            else:
                self._metrics.count_hold(hold.reason)
        return stored_all

    def _observe(self, a: Participant, b: Participant, scored: ScoredPair) -> None:
        judgement, metrics = scored.judgement, self._metrics
        decision = judgement.decision
        leading = decision.reasons[0].code.value
        facts = current_call.get()
        facts.decision = decision.kind.name
        facts.leading_reason = leading
        facts.bundle_version = scored.generation.bundle_version
        facts.policy_version = scored.generation.policy_version
        facts.degradations = scored.degradations
        metrics.observe_pair(facts.decision, leading, decision.risk)
        for participant in (a, b):
            for item in participant.age_evidence:
                metrics.count_evidence(item.kind)
        unknown = len(judgement.a.unknown_names) + len(judgement.b.unknown_names)
        if unknown:
            metrics.count_unknown_signals(unknown)
        if scored.degradations:
            metrics.count_degradations(scored.degradations)


def _ids(participant: Participant) -> tuple[str, ...]:
    return (participant.participant_id, *participant.linked_ids)


def _end(hold: NewHold, now: float) -> float:
    return now + hold.hours * _SECONDS_PER_HOUR


def _held(
    stored: tuple[tuple[Hold, ...], ...], new: tuple[NewHold, ...], now: float
) -> tuple[HeldParty, ...]:
    """Return the longest hold of each participant that has any, earlier and new ones together."""
    held = []
    for party, earlier in zip((Party.A, Party.B), stored, strict=True):
        holds = [HeldParty(Reason(_code(h.reason), party), h.expire_time) for h in earlier]
        holds += [HeldParty(Reason(h.reason, party), _end(h, now)) for h in new if h.party is party]
        if holds:
            held.append(max(holds, key=_endless_last))
    return tuple(held)


def _code(stored_reason: str) -> ReasonCode:
    """Return the reason of a stored hold, or ``HELD`` for one that this version does not know."""
    return ReasonCode.__members__.get(stored_reason, ReasonCode.HELD)


def _endless_last(held: HeldParty) -> float:
    return float("inf") if held.expire_time is None else held.expire_time
