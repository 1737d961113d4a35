"""What a replay found.

Owns the figures and what each is of. It must not know how they are counted or shown.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pairguard_training.replaying.off_policy import OffPolicy
from pairguard_training.replaying.self_check import SelfCheck
from pairguard_training.resampling import Estimate


@dataclass(frozen=True, slots=True)
class Shares:
    """Shares of some decisions, or of the participants in them.

    Attributes:
        count: Decisions, or participants of decisions.
        allowed_before: Share that was ALLOW, before chance.
        allowed_after: Share that would be.
        difference: The second minus the first.
        asked_before: Share in which somebody was asked for an age check; None: not logged.
        asked_after: Share in which somebody would be.
    """

    count: int
    allowed_before: Estimate
    allowed_after: Estimate
    difference: Estimate
    asked_before: Estimate | None
    asked_after: Estimate


@dataclass(frozen=True, slots=True)
class Harmed:
    """Harm that was reported of pairs that met and whose outcome is known.

    Attributes:
        met: Pairs.
        harmed: Of them those that came to harm.
        stopped: Pairs of them that would be stopped now.
        harmed_stopped: Of these those that came to harm.
        spared: Share of the harmed that would be stopped.
    """

    met: int
    harmed: int
    stopped: int
    harmed_stopped: int
    spared: Estimate


@dataclass(frozen=True, slots=True)
class Replay:
    """Everything that a replay found.

    Attributes:
        decisions: Decisions that were made again.
        people: People in them, about, where they are many.
        state_recorded: Decisions whose kept state is recorded whole.
        carried: Decisions of which a reason was carried over, by reason.
        explored: Decisions that chance had turned away.
        transitions: Number by what was decided, before chance, and what would be.
        reasons: Number by leading reason before and after, where the decision changes.
        by_region: By region or regions of the pair.
        by_pair: By how likely either is a minor.
        by_participant: Of participants, by how likely each is a minor.
        overall: Of all.
        exposure_before: Expected mixed pairs of 1,000 decisions, by what was believed then.
        exposure_after: The same under what would be decided.
        harmed: What came of those that met; None: no outcome was recorded.
        newly_allowed: Pairs that were stopped and would be allowed: what would come of them is
            unknown.
        off_policy: What the policy would bring about.
        self_check: Whether deciding again comes to what was decided.
        draws: Draws of people behind the intervals.
        seed: Of the draws.
    """

    decisions: int
    people: int
    state_recorded: int
    carried: Mapping[str, int]
    explored: int
    transitions: Mapping[tuple[str, str], int]
    reasons: Mapping[tuple[str, str], int]
    by_region: Mapping[str, Shares]
    by_pair: Mapping[str, Shares]
    by_participant: Mapping[str, Shares]
    overall: Shares
    exposure_before: Estimate
    exposure_after: Estimate
    harmed: Harmed | None
    newly_allowed: int
    off_policy: OffPolicy
    self_check: SelfCheck
    draws: int
    seed: int
