"""Judging a model on people it has never seen, beside an oracle and two baselines.

Owns the sequence of an evaluation. It must not tune anything: whatever is learned here is a
baseline, from people who are not judged.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from pairguard.policy.regions import Policy
from pairguard.risk.model import RiskModel
from pairguard_training.admission_rates import AdmissionRates, admission_rates
from pairguard_training.age_evaluation import AgeJudge, Decisions
from pairguard_training.age_reliability import (
    FEWEST_PEOPLE,
    AgeReliability,
    age_reliability,
    calibration_lines,
)
from pairguard_training.assessing import assess_snapshots
from pairguard_training.comparison import (
    OURS,
    Comparison,
    EvaluationSettings,
    held_out_pairs,
    random_pairs,
)
from pairguard_training.harm_evaluation import compare_harm
from pairguard_training.judged_people import last_snapshots
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
        calibration: Of P(under 18) of people: slope and intercept, over all, at true ages 15-20,
            and of P(under 18 | 15-20) there.
        people: Number of people that this and the next two are of.
        reliability: Of P(under 18) in bins, bands and groups; None: not measured.
        rates: Errors of admission by group; None: not measured.
        decisions: Under the policy; None: not measured.
        notes: What could not be measured, and why.
        settings: How it was measured.
    """

    simulated: bool
    later_from: float | None
    comparisons: list[Comparison]
    calibration: dict[str, dict[str, Estimate]]
    people: int
    reliability: AgeReliability | None
    rates: AdmissionRates | None
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
    decisions = None
    ages = truth.ages
    names = last_snapshots(tables, split, settings.judged, ages)
    known = pairs.where(np.array([a in ages and b in ages for a, b in pairs.sides], dtype=np.bool_))
    assessed = assess_snapshots(
        model, tables, [*known.snapshots, *names], before_labels=True, title="assessing, ages"
    )
    judge = AgeJudge(model, policy, tables, truth, split, settings, assessed)
    if len(known.ids) < FEWEST_PAIRS:
        notes.append(f"{len(known.ids)} held-out pairs with known ages: mixed pairs not measured.")
    else:
        say("mixed pairs: training baselines, measuring")
        comparisons.append(judge.compare_mixed(known, notes))
        say("decisions under the policy")
        decisions = judge.decide(known)
    calibration: dict[str, dict[str, Estimate]] = {}
    reliability, rates = None, None
    if len(names) < FEWEST_PEOPLE:
        notes.append(f"{len(names)} held-out people with known ages: error rates not measured.")
    else:
        say(f"error rates of {len(names)} people, each at their last snapshot")
        people = judge.people(names)
        count, seed = settings.resamples, settings.seed
        calibration = calibration_lines(people, OURS, count=count, seed=seed)
        reliability = age_reliability(people, OURS, count=count, seed=seed)
        rates = admission_rates(people, policy=policy.version, seed=seed)
    say("harm reports: training baselines, measuring")
    comparisons += compare_harm(
        model, tables, truth, pairs, policy=policy, split=split, settings=settings, notes=notes
    )
    return Evaluation(
        simulated=truth.simulated,
        later_from=split.later_from,
        comparisons=comparisons,
        calibration=calibration,
        people=len(names),
        reliability=reliability,
        rates=rates,
        decisions=decisions,
        notes=notes,
        settings=settings,
    )
