"""How a proposed pair is scored: read what is kept of both, judge, write new holds.

Owns that order, and that every failure on the way makes the answer more cautious: unread state is
told to the judge as unread, a hold that cannot be stored is still answered as a BLOCK. It must not
know messages.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from pairguard.errors import StoreUnavailable
from pairguard.policy.decision import DecisionKind
from pairguard.policy.decision import Hold as NewHold
from pairguard.policy.judgement import Judgement
from pairguard.policy.reasons import Party, Reason, ReasonCode
from pairguard.risk.participant import Participant
from pairguard.server.decision_ids import new_pair_decision_id
from pairguard.server.generation import Generation, GenerationSlot
from pairguard.server.kept_participants import KeptParticipants, KnownPair
from pairguard.server.metrics import Metrics
from pairguard.server.model_certificate import CERTIFICATE_NOT_USABLE
from pairguard.store.ports import Hold, ParticipantStore

STORE_UNAVAILABLE: Final = "STORE_UNAVAILABLE"
HOLD_NOT_STORED: Final = "HOLD_NOT_STORED"
HARM_MODEL_UNAVAILABLE: Final = "HARM_MODEL_UNAVAILABLE"

_SECONDS_PER_HOUR = 3600.0


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
        known: The two participants with what is kept of them.
        judgement: Beliefs and decision.
        held: Whoever is held now, by an earlier or by this decision.
        degradations: What had to be done without, sorted.
        draw: What was drawn for the decision, in [0, 1); None: nothing.
        candidate_index: Place of the second participant among the candidates of a ranking, which
            the decision's id is that of; None: they were proposed alone.
    """

    decision_id: str
    decision_time: float
    expire_time: float | None
    generation: Generation
    known: KnownPair
    judgement: Judgement
    held: tuple[HeldParty, ...]
    degradations: tuple[str, ...]
    draw: float | None = None
    candidate_index: int | None = None


class PairScoring:
    """Scores proposed pairs.

    Args:
        generations: Where what judges is found.
        kept: What is kept of participants.
        store: Holds.
        metrics: Where holds and errors are counted.
        clock: Seconds since 1970.
        allow_expire_seconds: How long an ALLOW may be acted on.
    """

    def __init__(
        self,
        generations: GenerationSlot,
        kept: KeptParticipants,
        store: ParticipantStore,
        metrics: Metrics,
        *,
        clock: Callable[[], float],
        allow_expire_seconds: float,
    ) -> None:
        self._generations = generations
        self._kept = kept
        self._store = store
        self._metrics = metrics
        self._clock = clock
        self._allow_expire_seconds = allow_expire_seconds

    def score(self, a: Participant, b: Participant) -> ScoredPair:
        """Judge one proposed pair; a new hold is durable when this returns, or the answer says so.

        Raises:
            BundleRefused: No bundle is loaded yet.
        """
        decision_id = new_pair_decision_id()
        generation, now, known, judgement, draw = self._judged(a, b, drawn_for=decision_id)
        decision = judgement.decision
        degradations = []
        if not known.state.readable:
            degradations.append(STORE_UNAVAILABLE)
        if decision.risk.harm_probability is None:
            degradations.append(HARM_MODEL_UNAVAILABLE)
        if judgement.lines.unkept:
            degradations.append(CERTIFICATE_NOT_USABLE)
        held: tuple[HeldParty, ...] = ()
        if decision.kind is DecisionKind.BLOCK:
            if not self._write(known, decision.holds, now):
                degradations.append(HOLD_NOT_STORED)
            held = _held((known.a.holds, known.b.holds), decision.holds, now)
        return ScoredPair(
            decision_id=decision_id,
            decision_time=now,
            expire_time=(
                now + self._allow_expire_seconds if decision.kind is DecisionKind.ALLOW else None
            ),
            generation=generation,
            known=known,
            judgement=judgement,
            held=held,
            degradations=tuple(sorted(degradations)),
            draw=draw,
        )

    def judge(self, a: Participant, b: Participant) -> Judgement:
        """Judge a pair by what is known now, without deciding anything: nothing is drawn.

        Raises:
            BundleRefused: No bundle is loaded yet.
        """
        return self._judged(a, b)[3]

    def _judged(
        self, a: Participant, b: Participant, *, drawn_for: str = ""
    ) -> tuple[Generation, float, KnownPair, Judgement, float | None]:
        generation = self._generations.current
        now = self._clock()
        known = self._kept.read_pair(a, b, now)
        if not known.state.readable:
            self._metrics.count_store_error("read")
        draw = None
        if drawn_for and generation.judge.policy.explores:
            draw = self._kept.draw(drawn_for)
        judgement = generation.judge.judge_pair(
            known.a.participant, known.b.participant, now=now, state=known.state, draw=draw
        )
        return generation, now, known, judgement, draw

    def _write(self, known: KnownPair, holds: tuple[NewHold, ...], now: float) -> bool:
        """Return whether all holds are durable; one that fails does not keep the other back."""
        stored_all = True
        for hold in holds:
            ids = (known.a if hold.party is Party.A else known.b).ids
            try:
                if not ids:
                    raise StoreUnavailable("ids cannot be hashed without the key")  # noqa: TRY301
                self._store.write_hold(ids, Hold(hold.reason, now, _end(hold, now)))
            except StoreUnavailable:
                self._metrics.count_store_error("write")
                stored_all = False
            else:
                self._metrics.count_hold(hold.reason)
        return stored_all


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
