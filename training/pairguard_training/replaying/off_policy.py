"""What a policy would bring about, where chance has shown it.

Owns the doubly robust estimate (Dudík, Langford and Li 2011, Doubly robust policy evaluation and
learning) of harm, and where there is none: only decisions that were drawn at random have a place in
it, all of which the rules would have allowed, and only with their outcome known. A pair that the
logging rules forbade was never let through, so of a policy that would allow it nothing is known
there. Each decision stands for itself: that a pair turned away finds another partner, and what that
changes for everybody else in the pool, is ignored.

With e the probability of ALLOW, A whether it was ALLOW, Y whether it came to harm, m what the model
believed of it and c whether the policy would allow it, a decision counts for

    c (m + A / e (Y - m))

which is right on average whatever m is, since e is known. m narrows the interval where it is good.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pairguard.policy.decision import DecisionKind
from pairguard_training.replaying.deciding_again import DecidedAgain
from pairguard_training.replaying.logged import LoggedDecision
from pairguard_training.replaying.outcomes import Outcomes
from pairguard_training.replaying.streamed_sums import StreamedSums
from pairguard_training.resampling import Estimate

Array = NDArray[np.float64]

FEWEST_EFFECTIVE: Final = 100.0
"""Effective decisions below which no value is told."""

_DRAWN, _WITH_OUTCOME, _ALLOWED = "drawn", "drawn, outcome", "drawn, outcome, allowed"
_SOUGHT, _FIXED, _FORBIDDEN = "outside, forbidden, sought", "fixed", "forbidden"
_UNKNOWN_CHANCE = "chance unknown"
_HARM, _HARM_IF_ALL = "dr harm", "dr harm, all allowed"
_WEIGHT, _WEIGHT_SQUARED = "weight", "weight squared"
_MIXED_KNOWN, _MIXED_ALLOWED, _MIXED_LOGGED = "mixed known", "mixed allowed", "mixed logged"


@dataclass(frozen=True, slots=True)
class PolicyValue:
    """What a policy would bring about, per 1,000 decisions on pairs that the logging rules allowed.

    Attributes:
        harm: Reports of harm under the policy.
        harm_if_all_allowed: The same if every one of them were allowed.
        difference: The first minus the second.
        effective_decisions: Of how many equally weighted decisions it is worth.
    """

    harm: Estimate
    harm_if_all_allowed: Estimate
    difference: Estimate
    effective_decisions: float


@dataclass(frozen=True, slots=True)
class OffPolicy:
    """The value of a policy, or why it is unknown.

    Attributes:
        value: The value inside the support; None: unknown.
        unknown: Why it is unknown, or what of it is; "": nothing.
        drawn: Decisions that were drawn at random.
        drawn_with_outcome: Of them those whose outcome is known.
        allowed: Of these those that the policy would allow.
        fixed: Decisions that could only be ALLOW.
        forbidden: Decisions that could not be ALLOW.
        sought: Of the forbidden those that the policy would allow: outside the support.
        chance_unknown: Decisions of which it is not logged with what probability they were made.
        mixed_known: Decisions on pairs whose ages are both known from elsewhere.
        mixed_allowed: Mixed pairs that the policy would allow, of 1,000 such decisions.
        mixed_logged: Mixed pairs that the logging rules allowed, of 1,000 such decisions.
    """

    value: PolicyValue | None
    unknown: str
    drawn: int
    drawn_with_outcome: int
    allowed: int
    fixed: int
    forbidden: int
    sought: int
    chance_unknown: int
    mixed_known: int
    mixed_allowed: Estimate | None
    mixed_logged: Estimate | None


def off_policy_terms(
    logged: LoggedDecision, again: DecidedAgain, outcomes: Outcomes
) -> Mapping[str, float]:
    """Return what one decision adds to the sums of ``off_policy``."""
    allows = again.decision.kind is DecisionKind.ALLOW
    terms: dict[str, float] = {}
    mixed = outcomes.mixed.get(logged.decision_id)
    if mixed is not None:
        was_allowed = logged.kind_before_chance is DecisionKind.ALLOW
        # Ages are what they are, whoever meets: no chance is needed to tell.
        terms |= {
            _MIXED_KNOWN: 1.0,
            _MIXED_ALLOWED: float(mixed and allows),
            _MIXED_LOGGED: float(mixed and was_allowed),
        }
    chance = logged.allow_probability
    if chance is None:
        return terms | {_UNKNOWN_CHANCE: 1.0}
    if not logged.was_drawn:
        if chance >= 1.0:
            return terms | {_FIXED: 1.0}
        return terms | {_FORBIDDEN: 1.0, _SOUGHT: float(allows)}
    terms[_DRAWN] = 1.0
    harmed = outcomes.of(logged)
    if harmed is None:
        return terms
    believed = _believed(logged, again)
    met = logged.kind is DecisionKind.ALLOW
    weight = 1.0 / chance if met else 0.0
    estimate = believed + weight * (float(harmed) - believed)
    terms |= {_WITH_OUTCOME: 1.0, _HARM_IF_ALL: estimate}
    if allows:
        terms |= {_ALLOWED: 1.0, _HARM: estimate}
        terms |= {_WEIGHT: weight, _WEIGHT_SQUARED: weight * weight}
    return terms


def _believed(logged: LoggedDecision, again: DecidedAgain) -> float:
    """Return what was believed before the outcome was known; by the logging model if it is told."""
    harm = again.decision.risk.harm_probability if logged.risk is None else logged.risk.harm
    return 0.0 if harm is None or not math.isfinite(harm) else harm


def off_policy(sums: StreamedSums, outcomes: Outcomes) -> OffPolicy:
    """Return the value of the policy whose terms were summed."""
    count = {name: round(sums.total(name)) for name in _COUNTS}
    effective = 0.0
    if sums.total(_WEIGHT_SQUARED) > 0.0:
        effective = sums.total(_WEIGHT) ** 2 / sums.total(_WEIGHT_SQUARED)
    unknown = _why_unknown(count, outcomes, effective)
    value = None
    if not unknown:
        value = PolicyValue(
            harm=_per_thousand(sums, lambda s: s(_HARM), _WITH_OUTCOME),
            harm_if_all_allowed=_per_thousand(sums, lambda s: s(_HARM_IF_ALL), _WITH_OUTCOME),
            difference=_per_thousand(sums, lambda s: s(_HARM) - s(_HARM_IF_ALL), _WITH_OUTCOME),
            effective_decisions=effective,
        )
        if count[_SOUGHT]:
            unknown = (
                f"of the {count[_SOUGHT]} forbidden pairs that it would allow: nothing like them "
                "was ever allowed"
            )
    mixed = count[_MIXED_KNOWN] > 0
    return OffPolicy(
        value=value,
        unknown=unknown,
        drawn=count[_DRAWN],
        drawn_with_outcome=count[_WITH_OUTCOME],
        allowed=count[_ALLOWED],
        fixed=count[_FIXED],
        forbidden=count[_FORBIDDEN],
        sought=count[_SOUGHT],
        chance_unknown=count[_UNKNOWN_CHANCE],
        mixed_known=count[_MIXED_KNOWN],
        mixed_allowed=(
            _per_thousand(sums, lambda s: s(_MIXED_ALLOWED), _MIXED_KNOWN) if mixed else None
        ),
        mixed_logged=(
            _per_thousand(sums, lambda s: s(_MIXED_LOGGED), _MIXED_KNOWN) if mixed else None
        ),
    )


_COUNTS: Final = (
    _DRAWN,
    _WITH_OUTCOME,
    _ALLOWED,
    _FIXED,
    _FORBIDDEN,
    _SOUGHT,
    _UNKNOWN_CHANCE,
    _MIXED_KNOWN,
)


def _why_unknown(count: Mapping[str, int], outcomes: Outcomes, effective: float) -> str:
    if not count[_DRAWN]:
        return (
            "no decision was drawn at random: a policy with exploration.reroute_share above 0 has "
            "to serve first"
        )
    if outcomes.known_until is None:
        return "no outcome was ever recorded"
    if not count[_WITH_OUTCOME]:
        return "the report window of every decision that was drawn is still open"
    if not count[_ALLOWED]:
        return "it would allow none of the pairs that were drawn"
    if effective < FEWEST_EFFECTIVE:
        return (
            f"what was drawn and would be allowed is worth {effective:.0f} decisions, and "
            f"{FEWEST_EFFECTIVE:.0f} are needed"
        )
    return ""


def _per_thousand(
    sums: StreamedSums, above: Callable[[Callable[[str], Array]], Array], below: str
) -> Estimate:
    return sums.estimate(lambda s: 1_000.0 * above(s) / s(below))
