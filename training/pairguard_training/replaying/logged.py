"""One decision as it was logged, wherever it was logged.

Owns the value. It must not know where it came from, nor what is made of it.
"""

from __future__ import annotations

from dataclasses import dataclass

from pairguard.policy.decision import DecisionKind
from pairguard.policy.reasons import Party, Reason
from pairguard.policy.state import StoredState
from pairguard.risk.participant import Participant


@dataclass(frozen=True, slots=True)
class LoggedRisk:
    """What was believed of the pair; each in [0, 1].

    Attributes:
        mixed: P(the pair is mixed).
        harm: P(harm | it meets); None: there was no usable harm model.
        score: The risk score.
    """

    mixed: float
    harm: float | None
    score: float


@dataclass(frozen=True, slots=True)
class LoggedDecision:
    """A decision on a pair, with its inputs as they were used.

    Attributes:
        decision_id: Id of the decision, or of the pair, or of a ranking with the candidate's index.
        time: When it was made, seconds since 1970.
        a: The first participant.
        b: The second.
        people: Whom the two are drawn as, where people are drawn: a household counts as one.
        state: What the rules were told of what is kept, as far as that can be told.
        state_recorded: Whether that is all of it, as recorded.
        carried: Reasons that rest on what was kept and cannot be rebuilt: they stay.
        kind: What was decided, chance included; None: not logged.
        reasons: Why, the leading one first; empty: not logged.
        parties_told: Whether these say of whom they speak.
        risk: What was believed; None: not logged.
        minors: P(minor) of each of the two; None: not logged.
        allow_probability: With what probability it would have been ALLOW; None: not logged.
        asked: Who was asked for an age check; None: not logged.
        bundle_version: What judged; "": not logged.
        policy_version: Under what; "": not logged.
        chat_started: Whether the two met; None: not logged.
    """

    decision_id: str
    time: float
    a: Participant
    b: Participant
    people: tuple[str, str]
    state: StoredState
    state_recorded: bool
    carried: tuple[Reason, ...] = ()
    kind: DecisionKind | None = None
    reasons: tuple[Reason, ...] = ()
    parties_told: bool = True
    risk: LoggedRisk | None = None
    minors: tuple[float, float] | None = None
    allow_probability: float | None = None
    asked: frozenset[Party] | None = None
    bundle_version: str = ""
    policy_version: str = ""
    chat_started: bool | None = None

    @property
    def explored(self) -> bool:
        """Whether nothing forbade the pair and chance turned it away."""
        return self.was_drawn and self.kind is DecisionKind.REROUTE

    @property
    def kind_before_chance(self) -> DecisionKind | None:
        """What the rules decided before anything was drawn."""
        return DecisionKind.ALLOW if self.explored else self.kind

    @property
    def was_drawn(self) -> bool:
        """Whether it could have fallen either way."""
        probability = self.allow_probability
        return probability is not None and 0.0 < probability < 1.0
