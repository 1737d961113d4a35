"""Logged decisions decided again, by the judge that serves.

Owns what is asked of the judge and what is kept of its answer. Chance is left out: what a policy
would turn away at random is no difference between two policies.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from pairguard.policy.decision import Decision, DecisionKind
from pairguard.policy.judgement import Judge
from pairguard.policy.reasons import Party
from pairguard_training.replaying.kept_reasons import with_carried
from pairguard_training.replaying.logged import LoggedDecision

_TURNED_AWAY: Final = 0.0
_LET_THROUGH: Final = math.nextafter(1.0, 0.0)


@dataclass(frozen=True, slots=True)
class DecidedAgain:
    """What would be decided now.

    Attributes:
        decision: The decision.
        asked: Who would be asked for an age check.
        minors: P(minor) of each of the two.
        is_certain: Whether kept state that was not logged could not have stopped the pair.
    """

    decision: Decision
    asked: frozenset[Party]
    minors: tuple[float, float]
    is_certain: bool


def decide_again(
    judge: Judge, logged: LoggedDecision, *, same_chance: bool = False
) -> DecidedAgain:
    """Decide a logged decision again.

    Args:
        judge: The model and the policy.
        logged: The decision.
        same_chance: Draw as was drawn, for a judge that should come to the same; otherwise nothing
            is drawn.
    """
    draw = None
    if same_chance and logged.was_drawn:
        draw = _TURNED_AWAY if logged.explored else _LET_THROUGH
    judgement = judge.judge_pair(logged.a, logged.b, now=logged.time, state=logged.state, draw=draw)
    decision = with_carried(judgement.decision, logged.carried)
    asked = frozenset[Party]()
    if decision.kind is not DecisionKind.ALLOW:
        asked = frozenset(party for party, plan in judgement.checks if plan.forecasts)
    adult_age = max(judgement.lines.adult_ages)
    stopped_for_untold = (
        not logged.reasons
        and logged.kind is not None
        and logged.kind is not DecisionKind.ALLOW
        and not logged.was_drawn
    )
    return DecidedAgain(
        decision,
        asked,
        (
            judgement.a.age.probability_below(adult_age),
            judgement.b.age.probability_below(adult_age),
        ),
        is_certain=not (stopped_for_untold and decision.kind is DecisionKind.ALLOW),
    )
