"""The one way from two participants to a decision, for serving, training and replay.

Owns the sequence: assess each participant, assess the pair under the stricter of the two regions,
decide, plan the age checks. It must not know requests, stores or files: what the store said comes
in as ``StoredState``.
"""

from __future__ import annotations

from dataclasses import dataclass

from pairguard.age.admission import Admission
from pairguard.policy.checks import CheckPlan, CheckPlanner
from pairguard.policy.decision import Decision, DecisionKind, decide
from pairguard.policy.document import RegionPolicy
from pairguard.policy.pools import Side
from pairguard.policy.reasons import Party
from pairguard.policy.regions import Policy
from pairguard.risk.pair import ParticipantAssessment, RiskModel
from pairguard.risk.participant import Participant

UPHELD_HARM_SIGNAL = "history.upheld_harm_365d"


@dataclass(frozen=True, slots=True)
class StoredState:
    """What the store said about two participants and what is between them.

    Attributes:
        readable: Whether it could be read whole.
        held_a: Whether a hold on any id of the first has not ended.
        held_b: The same of the second.
        personal_block: Whether one of the two asked never to meet the other.
        recent_partner: Whether the two met within the policy's window.
    """

    readable: bool = True
    held_a: bool = False
    held_b: bool = False
    personal_block: bool = False
    recent_partner: bool = False


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
        self, a: Participant, b: Participant, *, now: float, state: StoredState
    ) -> Judgement:
        """Judge one proposed pair at a time in seconds since 1970."""
        lines_a = self.policy.for_participant(a.located_region)
        lines_b = self.policy.for_participant(b.located_region)
        lines = self.policy.stricter(lines_a, lines_b)
        assessed_a = self.model.assess_participant(a, now)
        assessed_b = self.model.assess_participant(b, now)
        decision = decide(
            lines,
            _side(a, assessed_a, lines_a, held=state.held_a),
            _side(b, assessed_b, lines_b, held=state.held_b),
            risk=self.model.assess_pair(assessed_a, assessed_b, lines.adult_ages),
            state_readable=state.readable,
            personal_block=state.personal_block,
            recent_partner=state.recent_partner,
        )
        checks: tuple[tuple[Party, CheckPlan], ...] = ()
        if decision.kind is not DecisionKind.ALLOW:
            # Nobody held or barred is asked: no check that is passed now would end the hold.
            plans = (
                (Party.A, state.held_a, self.planner.plan(a.located_region, assessed_a.age)),
                (Party.B, state.held_b, self.planner.plan(b.located_region, assessed_b.age)),
            )
            checks = tuple(
                (party, plan)
                for party, held, plan in plans
                if plan.admission is Admission.UNKNOWN and not held
            )
        return Judgement(assessed_a, assessed_b, lines, decision, checks)


def _side(
    participant: Participant, assessed: ParticipantAssessment, lines: RegionPolicy, *, held: bool
) -> Side:
    history = participant.history or {}
    return Side(
        age=assessed.age,
        lines=lines,
        behaviour_known=assessed.behaviour_known,
        history_known=assessed.history_known,
        held=held,
        upheld_harm=history.get(UPHELD_HARM_SIGNAL, 0.0) > 0.0,
    )
