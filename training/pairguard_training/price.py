"""What protection costs the adults: who is not admitted and who is asked for an age check.

Owns these counts by group. It must not know how well minors are kept out (``admission_rates``).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pairguard.age.admission import Admission
from pairguard.policy.checks import CheckPlanner
from pairguard.policy.regions import Policy
from pairguard.risk.model import RiskModel
from pairguard_training.age_reliability import large_groups
from pairguard_training.assessing import Assessed
from pairguard_training.judged_people import JudgedPeople
from pairguard_training.proportions import Proportion, share_of

Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class PriceRow:
    """What the adults of one group pay.

    Attributes:
        group: Who they are.
        stopped: Adults who are not admitted to the adults' pool, and so meet nobody yet.
        asked: Adults who are asked for an age check that would settle it.
        no_route: Adults who are stopped and for whom no check on offer would settle it.
    """

    group: str
    stopped: Proportion
    asked: Proportion
    no_route: Proportion


@dataclass(frozen=True, slots=True)
class Price:
    """The price under one policy; every adult is counted once, at the last snapshot.

    Attributes:
        overall: Of all adults.
        implied_stopped: Share of the adults stopped as the model implies it, by its own claims.
        slices: By what divides them.
        unmeasured: Groups of too few people, by what divides them, with their number.
    """

    overall: PriceRow
    implied_stopped: float
    slices: dict[str, list[PriceRow]]
    unmeasured: dict[str, dict[str, int]]


def measure_price(
    people: JudgedPeople, claimed_by: str, *, model: RiskModel, policy: Policy, assessed: Assessed
) -> Price:
    """Count what the adults among some people pay.

    Args:
        people: Whom; each once, whatever they stand for.
        claimed_by: Whose claim implies the share of adults stopped.
        model: Whose age tables forecast what a check would settle.
        policy: What admits and asks.
        assessed: Their snapshots.
    """
    planner = CheckPlanner(model.tables, policy)
    asked = np.array(
        [
            bool(
                planner.plan(
                    assessed.participants[name].located_region, assessed.assessments[name].age
                ).forecasts
            )
            for name in people.snapshots
        ],
        dtype=np.bool_,
    )
    stopped = ~people.admitted(Admission.ADULTS)
    adult = ~people.is_minor

    def row(group: str, chosen: Mask) -> PriceRow:
        among = chosen & adult
        unhelped = stopped & ~asked & ~people.admitted(Admission.MINORS)
        return PriceRow(
            group=group,
            stopped=share_of(stopped, among),
            asked=share_of(stopped & asked, among),
            no_route=share_of(unhelped, among),
        )

    slices: dict[str, list[PriceRow]] = {}
    unmeasured: dict[str, dict[str, int]] = {}
    for divided_by, groups in people.slices.items():
        measured, few = large_groups(groups)
        slices[divided_by] = [row(name, chosen) for name, chosen in measured]
        if few:
            unmeasured[divided_by] = few
    claim = 1.0 - people.minor[claimed_by]
    return Price(
        overall=row("everybody", np.ones(len(people.snapshots), dtype=np.bool_)),
        implied_stopped=float((claim * stopped).sum() / claim.sum()),
        slices=slices,
        unmeasured=unmeasured,
    )
