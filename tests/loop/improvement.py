"""What the new bundle made better, for the same pairs of people whom neither bundle had seen.

Owns the comparison of two sets of answers and its words. It must not know how they were asked for.
Everything here is of a simulation and is called so.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pairguard.client import Decision, ParticipantInput
from pairguard_training.metrics import RankedScores
from pairguard_training.resampling import Estimate, Resamples
from tests.loop.chats import Answer
from tests.loop.platform import Proposal

Array = NDArray[np.float64]

_RESAMPLES = 200


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure under the old bundle, the new one, and what changed."""

    name: str
    before: Estimate
    after: Estimate
    change: Estimate


def improvement(
    proposals: Sequence[Proposal], before: Sequence[Answer], after: Sequence[Answer], *, seed: int
) -> list[Figure]:
    """Compare two rounds of answers on the same proposals, pair by pair.

    Intervals of 95 % by redrawing people, the same draws for both.
    """
    places = sorted({each.place for each in before} & {each.place for each in after})
    chosen = [proposals[place] for place in places]
    rounds = [
        _Round([answers[each] for each in places], chosen)
        for answers in ({each.place: each for each in side} for side in (before, after))
    ]
    groups = [
        [_group(each.a.participant) for each in chosen],
        [_group(each.b.participant) for each in chosen],
    ]

    def measure(weights: Array) -> dict[str, float]:
        old, new = (each.measure(weights) for each in rounds)
        values: dict[str, float] = {}
        for name in old:
            values |= {
                f"before/{name}": old[name],
                f"after/{name}": new[name],
                f"change/{name}": new[name] - old[name],
            }
        return values

    found = Resamples(groups, count=_RESAMPLES, seed=seed).estimate(measure, np.ones(len(places)))
    names = [name.removeprefix("before/") for name in found if name.startswith("before/")]
    return [
        Figure(name, found[f"before/{name}"], found[f"after/{name}"], found[f"change/{name}"])
        for name in names
    ]


class _Round:
    """The answers of one bundle and what they are measured by."""

    def __init__(self, answers: Sequence[Answer], proposals: Sequence[Proposal]) -> None:
        self._mixed = np.array([float(each.mixed) for each in proposals])
        # What was not assessed is as bad as can be.
        scores = np.array(
            [1.0 if each.minor_adult is None else each.minor_adult for each in answers]
        )
        self._ranked = RankedScores(np.array(scores), self._mixed)
        self._allowed = np.array([float(each.decision is Decision.ALLOW) for each in answers])
        self._reports = np.array([each.report_probability for each in proposals])

    def measure(self, weights: Array) -> dict[str, float]:
        ranked = self._ranked.measure(weights)
        mixed, good = weights * self._mixed, weights * (1.0 - self._mixed)
        allowed = weights * self._allowed
        return {
            "mixed pairs let through where 5 % of good pairs are stopped": (
                ranked.missed_at_5_percent
            ),
            "ROC-AUC of minor_adult_probability": ranked.roc_auc,
            "log loss of minor_adult_probability": ranked.log_loss,
            "good pairs allowed under the policy": _share(good * self._allowed, good),
            "mixed pairs allowed under the policy": _share(mixed * self._allowed, mixed),
            "mixed among the allowed": _share(allowed * self._mixed, allowed),
            "harm reports expected per allowed pair": _share(allowed * self._reports, allowed),
        }


def _share(part: Array, whole: Array) -> float:
    total = float(whole.sum())
    return float(part.sum()) / total if total > 0.0 else float("nan")


def _group(participant: ParticipantInput) -> str:
    return next(iter(participant.linked_ids), participant.participant_id)


def improvement_text(figures: Sequence[Figure]) -> str:
    """Return a table of the figures."""
    width = max(len(figure.name) for figure in figures)
    lines = [f"  {'':{width}}  {'before':24}  {'after':24}  change"]
    for figure in figures:
        cells = (_cell(figure.before), _cell(figure.after), _cell(figure.change))
        lines.append(f"  {figure.name:{width}}  {cells[0]:24}  {cells[1]:24}  {cells[2]}")
    return "\n".join(lines)


def _cell(estimate: Estimate) -> str:
    return f"{estimate.value:.4f} [{estimate.low:.4f}, {estimate.high:.4f}]"
