"""Judging a model on people it has never seen, beside an oracle and two baselines.

Owns the sequence of an evaluation. It must not tune anything: whatever is learned here is a
baseline, from people who are not judged.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from pairguard.policy.regions import Policy
from pairguard.risk.pair import RiskModel
from pairguard_training.age_evaluation import AgeJudge, Decisions
from pairguard_training.assessing import assess_snapshots
from pairguard_training.comparison import (
    Comparison,
    EvaluationSettings,
    held_out_pairs,
    random_pairs,
)
from pairguard_training.harm_evaluation import compare_harm
from pairguard_training.resampling import Estimate
from pairguard_training.splitting import Split
from pairguard_training.tables.reading import Tables
from pairguard_training.truth import Truth

FEWEST_PAIRS = 20


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Everything measured.

    Attributes:
        simulated: Whether the data are a simulation's: then no figure speaks of a platform.
        later_from: Seconds since 1970 from which on pairs are judged; None: at any time.
        comparisons: By what is predicted.
        calibration: Of P(under 18): slope and intercept, over all and at true ages 15-20.
        decisions: Under the policy; None: not measured.
        notes: What could not be measured, and why.
        settings: How it was measured.
    """

    simulated: bool
    later_from: float | None
    comparisons: list[Comparison]
    calibration: dict[str, dict[str, Estimate]]
    decisions: Decisions | None
    notes: list[str]
    settings: EvaluationSettings


def evaluate_model(
    model: RiskModel,
    tables: Tables,
    truth: Truth,
    *,
    policy: Policy,
    split: Split,
    settings: EvaluationSettings,
    say: Callable[[str], None],
) -> Evaluation:
    """Judge a model on the people and times held out from it and from the baselines.

    Args:
        model: What is judged.
        tables: The data set.
        truth: Its ages and, of a simulation, its chances.
        policy: Whose adult ages count, and which decides.
        split: The one that the model was fitted under.
        settings: How to judge.
        say: Receives a line for each step.
    """
    pairs = held_out_pairs(tables, split, settings.judged)
    say(f"{len(pairs.ids)} proposed pairs of {pairs.people} people or households held out")
    notes: list[str] = []
    if tables.pairs.is_empty():
        pairs = random_pairs(
            tables, split, settings.judged, known=truth.ages.keys(), seed=settings.seed
        )
        notes.append(
            f"The data have no proposed pairs: {len(pairs.ids)} pairs of {pairs.people} held-out "
            "people or households with known ages were drawn at random."
        )
    if split.later_from is None:
        notes.append("The data know too few times: people are held out, later times are not.")
    comparisons: list[Comparison] = []
    calibration: dict[str, dict[str, Estimate]] = {}
    decisions = None
    ages = truth.ages
    known = pairs.where(np.array([a in ages and b in ages for a, b in pairs.sides], dtype=np.bool_))
    if len(known.ids) < FEWEST_PAIRS:
        notes.append(f"{len(known.ids)} held-out pairs with known ages: mixed pairs not measured.")
    else:
        assessed = assess_snapshots(
            model, tables, known.snapshots, before_labels=True, title="assessing, ages"
        )
        judge = AgeJudge(model, policy, tables, truth, split, settings, assessed)
        say("mixed pairs: training baselines, measuring")
        comparisons.append(judge.compare_mixed(known, notes))
        calibration = judge.calibrate(known)
        say("decisions under the policy")
        decisions = judge.decide(known)
    say("harm reports: training baselines, measuring")
    comparisons += compare_harm(
        model, tables, truth, pairs, policy=policy, split=split, settings=settings, notes=notes
    )
    return Evaluation(
        simulated=truth.simulated,
        later_from=split.later_from,
        comparisons=comparisons,
        calibration=calibration,
        decisions=decisions,
        notes=notes,
        settings=settings,
    )
