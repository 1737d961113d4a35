"""The one way from two participants to a decision, for serving, training and replay.

Owns the sequence: assess each participant, assess the pair under the stricter of the two regions,
decide, plan the age checks. It must not know requests, stores or files: what the store said comes
in as ``StoredState``. An age alone ends no hold here: whoever keeps holds asks ``ends_age_hold``
and releases what it has.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TypeVar

from pairguard.age.admission import Admission, admission
from pairguard.policy.checks import CheckPlan, CheckPlanner
from pairguard.policy.decision import Decision, DecisionKind, decide, is_no_reason
from pairguard.policy.document import RegionPolicy
from pairguard.policy.pools import Pools, Side
from pairguard.policy.reasons import Party, ReasonCode
from pairguard.policy.regions import Policy
from pairguard.policy.state import KeptState, StoredState
from pairguard.risk.model import ParticipantAssessment, RiskModel
from pairguard.risk.pair import PairRisk
from pairguard.risk.participant import Participant

UPHELD_HARM_SIGNAL = "history.upheld_harm_365d"

_Key = TypeVar("_Key")
_Value = TypeVar("_Value")
_Assessed = tuple[ParticipantAssessment, ParticipantAssessment]
_MOST_KEPT = 256
_NEW = StoredState()

_AGE_HOLD = frozenset({ReasonCode.BELOW_MINIMUM_AGE.value})


@dataclass(frozen=True, slots=True)
class Judgement:
    """Everything that an answer about one pair is made of.

    Attributes:
        a: Assessment of the first participant.
        b: Assessment of the second.
        lines: The policy lines that held for the pair.
        decision: The decision.
        checks: Age checks asked for, by party; none with ALLOW.
    """

    a: ParticipantAssessment
    b: ParticipantAssessment
    lines: RegionPolicy
    decision: Decision
    checks: tuple[tuple[Party, CheckPlan], ...]


@dataclass(frozen=True, slots=True, eq=False)
class _Strangers:
    """Two of whom nothing was said and nothing is kept, and what is decided on them.

    Attributes:
        judgement: It.
        own_pools: The pool of each under the lines of its own region.
        regions: The lines of both; beside all that names them, so that no others can have their
            place.
    """

    judgement: Judgement
    own_pools: Pools
    regions: tuple[RegionPolicy, RegionPolicy]

    def stand_for(self, state: StoredState) -> bool:
        """Return whether two of whom this is kept are judged alike: it holds no reason."""
        if not state.readable or state.personal_block or state.seconds_since_last_met is not None:
            return False
        lines, risk = self.judgement.lines, self.judgement.decision.risk
        pool_a, pool_b = self.own_pools
        return is_no_reason(lines, state.a, own_pool=pool_a, risk=risk) and is_no_reason(
            lines, state.b, own_pool=pool_b, risk=risk
        )


class Judge:
    """Judge pairs with one model under one policy, swapped together as one generation."""

    def __init__(self, model: RiskModel, policy: Policy) -> None:
        self.model = model
        self.policy = policy
        self.planner = CheckPlanner(model.tables, policy)
        self._strangers: dict[tuple[int, ...], _Strangers] = {}
        self._unsaid: dict[tuple[int, int, frozenset[int]], tuple[_Assessed, PairRisk]] = {}

    def judge_pair(
        self,
        a: Participant,
        b: Participant,
        *,
        now: float,
        state: StoredState,
        draw: float | None = None,
    ) -> Judgement:
        """Judge one proposed pair at a time in seconds since 1970; ``draw`` as in ``decide``.

        Two of whom nothing was said are told from others by their regions and ways in alone, at any
        time: they are judged once, and again where what is kept of them may be a reason.
        """
        lines = (
            self.policy.for_participant(a.located_region),
            self.policy.for_participant(b.located_region),
        )
        assessed = self.model.assess_participant(a, now), self.model.assess_participant(b, now)
        unsaid = _is_unsaid(a) and _is_unsaid(b)
        if unsaid and draw is None:
            strangers = self._strangers_like((a, b), assessed, lines)
            if strangers.stand_for(state):
                return strangers.judgement
        return self._judged((a, b), assessed, lines, state, draw=draw, unsaid=unsaid)

    def _strangers_like(
        self,
        pair: tuple[Participant, Participant],
        assessed: _Assessed,
        lines: tuple[RegionPolicy, RegionPolicy],
    ) -> _Strangers:
        key = (*map(id, assessed), *map(id, lines))
        found = self._strangers.get(key)
        if found is None:
            judgement = self._judged(pair, assessed, lines, _NEW, draw=None, unsaid=True)
            own_pools = (
                admission(assessed[0].age, lines[0]),
                admission(assessed[1].age, lines[1]),
            )
            found = _Strangers(judgement, own_pools, lines)
            _keep(self._strangers, key, found)
        return found

    def _judged(
        self,
        pair: tuple[Participant, Participant],
        assessed: _Assessed,
        lines: tuple[RegionPolicy, RegionPolicy],
        state: StoredState,
        *,
        draw: float | None,
        unsaid: bool,
    ) -> Judgement:
        a, b = pair
        assessed_a, assessed_b = assessed
        stricter = self.policy.stricter(*lines)
        decision = decide(
            stricter,
            side_of(a, assessed_a, lines[0], state.a),
            side_of(b, assessed_b, lines[1], state.b),
            risk=self._risk(assessed, stricter.adult_ages, unsaid=unsaid),
            state_readable=state.readable,
            personal_block=state.personal_block,
            seconds_since_last_met=state.seconds_since_last_met,
            draw=draw,
        )
        checks: tuple[tuple[Party, CheckPlan], ...] = ()
        if decision.kind is not DecisionKind.ALLOW:
            # Whoever is held for more than an age is not asked: no check would end that hold.
            plans = (
                (Party.A, self.planner.plan(a.located_region, assessed_a.age), state.a),
                (Party.B, self.planner.plan(b.located_region, assessed_b.age), state.b),
            )
            checks = tuple(
                [
                    (party, plan)
                    for party, plan, kept in plans
                    if plan.admission in (Admission.UNKNOWN, Admission.BARRED)
                    and _AGE_HOLD.issuperset(kept.held_for)
                ]
            )
        return Judgement(assessed_a, assessed_b, stricter, decision, checks)

    def _risk(self, assessed: _Assessed, adult_ages: frozenset[int], *, unsaid: bool) -> PairRisk:
        if not unsaid:
            return self.model.assess_pair(*assessed, adult_ages)
        # Of whom nothing was said there are as many assessments as there are priors.
        key = (id(assessed[0]), id(assessed[1]), adult_ages)
        found = self._unsaid.get(key)
        if found is None:
            found = assessed, self.model.assess_pair(*assessed, adult_ages)
            _keep(self._unsaid, key, found)
        return found[1]

    def ends_age_hold(self, participant: Participant, now: float) -> bool:
        """Return whether what is known of an age now ends a hold for being below the minimum age.

        Only where it admits the participant to a pool, under the lines of its own region: an age
        that has merely become unknown, by a conflict or by evidence that expired, ends nothing.
        No other hold ends by an age.
        """
        age = self.model.assess_participant(participant, now).age
        pool = admission(age, self.policy.for_participant(participant.located_region))
        return pool in (Admission.ADULTS, Admission.MINORS)


def side_of(
    participant: Participant,
    assessed: ParticipantAssessment,
    lines: RegionPolicy,
    kept: KeptState,
) -> Side:
    """Return one participant as the rules see it, under the lines of its own region."""
    history = participant.history
    if history and not kept.upheld_harm and not history.get(UPHELD_HARM_SIGNAL, 0.0) <= 0.0:
        kept = replace(kept, upheld_harm=True)
    return Side(
        age=assessed.age,
        lines=lines,
        behaviour_known=assessed.behaviour_known,
        history_known=assessed.history_known,
        kept=kept,
    )


def _is_unsaid(participant: Participant) -> bool:
    """Return whether nothing is known of a participant but ids, region, language and way in."""
    return not (
        participant.age_evidence
        or participant.signals
        or participant.attributes
        or participant.interests
        or participant.history
    )


def _keep(kept: dict[_Key, _Value], key: _Key, value: _Value) -> None:
    """Keep something, and no more than a few hundred."""
    if len(kept) >= _MOST_KEPT:
        kept.clear()
    kept[key] = value
