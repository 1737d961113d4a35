"""The one way from two participants to a decision, for serving, training and replay.

Owns the sequence: assess each participant, assess the pair under the stricter of the two regions,
decide, plan the age checks. It must not know requests, stores or files: what the store said comes
in as ``StoredState``. An age alone ends no hold here: whoever keeps holds asks ``ends_age_hold``
and releases what it has.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from pairguard.age.admission import Admission, admission
from pairguard.policy.checks import CheckPlan, CheckPlanner
from pairguard.policy.decision import Decision, DecisionKind, decide
from pairguard.policy.document import RegionPolicy
from pairguard.policy.pools import Side
from pairguard.policy.reasons import Party, ReasonCode
from pairguard.policy.regions import Policy
from pairguard.policy.state import KeptState, StoredState
from pairguard.risk.model import ParticipantAssessment, RiskModel
from pairguard.risk.participant import Participant

UPHELD_HARM_SIGNAL = "history.upheld_harm_365d"

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


class Judge:
    """Judge pairs with one model under one policy, swapped together as one generation."""

    def __init__(self, model: RiskModel, policy: Policy) -> None:
        self.model = model
        self.policy = policy
        self.planner = CheckPlanner(model.tables, policy)

    def judge_pair(
        self,
        a: Participant,
        b: Participant,
        *,
        now: float,
        state: StoredState,
        draw: float | None = None,
    ) -> Judgement:
        """Judge one proposed pair at a time in seconds since 1970; ``draw`` as in ``decide``."""
        lines_a = self.policy.for_participant(a.located_region)
        lines_b = self.policy.for_participant(b.located_region)
        lines = self.policy.stricter(lines_a, lines_b)
        assessed_a = self.model.assess_participant(a, now)
        assessed_b = self.model.assess_participant(b, now)
        decision = decide(
            lines,
            side_of(a, assessed_a, lines_a, state.a),
            side_of(b, assessed_b, lines_b, state.b),
            risk=self.model.assess_pair(assessed_a, assessed_b, lines.adult_ages),
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
                (party, plan)
                for party, plan, kept in plans
                if plan.admission in (Admission.UNKNOWN, Admission.BARRED)
                and _AGE_HOLD.issuperset(kept.held_for)
            )
        return Judgement(assessed_a, assessed_b, lines, decision, checks)

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
