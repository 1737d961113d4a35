"""Whether deciding again comes to what was decided, where it should.

Owns what counts as the same: decision, reasons, and the probabilities to the bit. Only decisions of
the same versions are compared; where a version was reused for something else, this shows it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from pairguard.policy.judgement import Judge
from pairguard.policy.reasons import Reason, ReasonCode
from pairguard_training.replaying.deciding_again import DecidedAgain, decide_again
from pairguard_training.replaying.logged import LoggedDecision

EXAMPLES: Final = 5
DECISION, REASONS, PROBABILITIES = "decision", "reasons", "probabilities"


@dataclass(frozen=True, slots=True)
class Served:
    """What decided, by the versions that records name."""

    judge: Judge
    bundle_version: str
    policy_version: str

    def made(self, logged: LoggedDecision) -> bool:
        """Return whether a record says that this decided."""
        return (
            logged.bundle_version == self.bundle_version
            and logged.policy_version == self.policy_version
        )


@dataclass(slots=True)
class SelfCheck:
    """How many decisions came out the same.

    Attributes:
        compared: Decisions of the same versions.
        same: Of them those that came out the same, the probabilities to the bit.
        differing: The others, by the first thing in which they differ.
        differing_carried: Of these those whose kept state is not recorded.
        other_versions: Decisions of other versions, which are not compared.
        largest_difference: Of a probability, over all that were compared.
        examples: Ids of the first decisions that differ.
    """

    compared: int = 0
    same: int = 0
    differing: dict[str, int] = field(default_factory=dict)
    differing_carried: int = 0
    other_versions: int = 0
    largest_difference: float = 0.0
    examples: list[str] = field(default_factory=list)

    def add(self, served: Served, logged: LoggedDecision) -> None:
        """Compare one decision."""
        if not served.made(logged):
            self.other_versions += 1
            return
        self.compared += 1
        again = decide_again(served.judge, logged, same_chance=True)
        self.largest_difference = max(self.largest_difference, _distance(logged, again))
        difference = _difference(logged, again)
        if not difference:
            self.same += 1
            return
        self.differing[difference] = self.differing.get(difference, 0) + 1
        self.differing_carried += not logged.state_recorded
        if len(self.examples) < EXAMPLES:
            self.examples.append(logged.decision_id)


def _difference(logged: LoggedDecision, again: DecidedAgain) -> str:
    if logged.kind is not again.decision.kind:
        return DECISION
    # Tables do not tell reasons; carried ones stand in another place than they stood.
    if logged.reasons and _reasons(logged, logged.reasons) != _reasons(
        logged, again.decision.reasons
    ):
        return REASONS
    return PROBABILITIES if _distance(logged, again) > 0.0 else ""


def _reasons(logged: LoggedDecision, reasons: Sequence[Reason]) -> set[Reason | ReasonCode]:
    return {each if logged.parties_told else each.code for each in reasons}


def _distance(logged: LoggedDecision, again: DecidedAgain) -> float:
    """Return the largest difference of a probability; 0.0: the same to the bit, or not logged."""
    if logged.risk is None:
        return 0.0
    risk = again.decision.risk
    if (logged.risk.harm is None) is not (risk.harm_probability is None):
        return 1.0
    return max(
        abs(logged.risk.mixed - risk.minor_adult_probability),
        abs(logged.risk.score - risk.risk_score),
        abs((logged.risk.harm or 0.0) - (risk.harm_probability or 0.0)),
    )
