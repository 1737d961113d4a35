"""What a policy decides on pairs of assessed snapshots.

Owns the batch: the rules are the service's own, and nothing is kept of anybody, as for two who have
never been seen. It must not know what is counted of the decisions.
"""

from __future__ import annotations

from collections.abc import Iterable

from pairguard.policy.decision import Decision, decide
from pairguard.policy.judgement import side_of
from pairguard.policy.regions import Policy
from pairguard.policy.state import NOTHING_KEPT
from pairguard.risk.model import RiskModel
from pairguard_training.assessing import Assessed


def decide_pairs(
    model: RiskModel, policy: Policy, assessed: Assessed, sides: Iterable[tuple[str, str]]
) -> list[Decision]:
    """Return the decision on each pair of snapshots, as ``Judge.judge_pair`` decides.

    Each participant is assessed once, at the time of the own snapshot, and no checks are planned:
    a plan costs more than all of the rest.
    """
    return [_decision(model, policy, assessed, one, other) for one, other in sides]


def _decision(
    model: RiskModel, policy: Policy, assessed: Assessed, one: str, other: str
) -> Decision:
    a, b = assessed.participants[one], assessed.participants[other]
    found_a, found_b = assessed.assessments[one], assessed.assessments[other]
    lines_a = policy.for_participant(a.located_region)
    lines_b = policy.for_participant(b.located_region)
    lines = policy.stricter(lines_a, lines_b)
    return decide(
        lines,
        side_of(a, found_a, lines_a, NOTHING_KEPT),
        side_of(b, found_b, lines_b, NOTHING_KEPT),
        risk=model.assess_pair(found_a, found_b, lines.adult_ages),
    )
