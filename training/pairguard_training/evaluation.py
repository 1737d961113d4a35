"""Judging a model on people it has never seen, beside the champion, an oracle and two baselines.

Owns the sequence of an evaluation. It must not tune anything: whatever is learned here is a
baseline, from people who are not judged.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
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
from pairguard_training.champion import Champion
from pairguard_training.comparison import (
    OURS,
    Comparison,
    EvaluationSettings,
    JudgedPairs,
    held_out_pairs,
    random_pairs,
)
from pairguard_training.exposure import Exposure, measure_exposure
from pairguard_training.harm_evaluation import compare_harm
from pairguard_training.judged_people import last_snapshots
from pairguard_training.line_calibration import ADULT_AGE_YEARS
from pairguard_training.price import Price, measure_price
from pairguard_training.resampling import Estimate
from pairguard_training.splitting import Split
from pairguard_training.tables.reading import Tables
from pairguard_training.truth import Truth

FEWEST_PAIRS = 20
FEWEST_OF_A_KIND = 10
"""Minors, and adults, among the people in the pairs below which mixed pairs are not measured."""


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
        exposure: What minors would meet in a week; None: not told.
        price: What the adults pay for it; None: not measured.
        champion: What ours is compared with; None: nothing.
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
    exposure: Exposure | None
    price: Price | None
    champion: Champion | None
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
    champion: Champion | None = None,
) -> Evaluation:
    """Judge a model on the people and times held out from it and from whatever it is beside.

    Args:
        model: What is judged.
        tables: The data set.
        truth: Its ages and, of a simulation, its chances.
        policy: Whose adult ages count, and which decides.
        split: The one that the model was fitted under; with a champion, without whom that one saw.
        settings: How to judge.
        say: Receives a line for each step.
        champion: What it is compared with.
    """
    pairs = held_out_pairs(tables, split, settings.judged)
    say(f"{len(pairs.ids)} proposed pairs of {pairs.people} people or households held out")
    notes = [] if champion is None else list(champion.notes)
    if split.later_from is None:
        notes.append("The data know too few times: people are held out, later times are not.")
    comparisons: list[Comparison] = []
    decisions = None
    ages = truth.ages
    names = last_snapshots(tables, split, settings.judged, ages)
    known = _pairs_of_known_ages(pairs, tables, truth, split=split, settings=settings, notes=notes)
    assessed = assess_snapshots(
        model, tables, [*known.snapshots, *names], before_labels=True, title="assessing, ages"
    )
    judge = AgeJudge(model, policy, tables, truth, split, settings, assessed)
    fewest = _fewest_of_a_kind(known, ages)
    if len(known.ids) < FEWEST_PAIRS or fewest < FEWEST_OF_A_KIND:
        notes.append(
            f"{len(known.ids)} held-out pairs with known ages, of {fewest} people on the rarer "
            f"side of {ADULT_AGE_YEARS}: mixed pairs not measured."
        )
    else:
        judge = judge.beside_champion(champion, known.snapshots)
        say("mixed pairs: training baselines, measuring")
        comparisons.append(judge.compare_mixed(known, notes))
        say("decisions under the policy")
        decisions = judge.decide(known)
    calibration: dict[str, dict[str, Estimate]] = {}
    reliability, rates, price = None, None, None
    if len(names) < FEWEST_PEOPLE:
        notes.append(f"{len(names)} held-out people with known ages: error rates not measured.")
    else:
        say(f"error rates of {len(names)} people, each at their last snapshot")
        people = judge.people(names)
        count, seed = settings.resamples, settings.seed
        calibration = calibration_lines(people, OURS, count=count, seed=seed)
        reliability = age_reliability(people, OURS, count=count, seed=seed)
        rates = admission_rates(people, policy=policy.version, seed=seed)
        price = measure_price(people, OURS, model=model, policy=policy, assessed=assessed)
    say("exposure within a week")
    exposure = measure_exposure(
        model, tables, truth, policy=policy, split=split, settings=settings, notes=notes
    )
    say("harm reports: training baselines, measuring")
    comparisons += compare_harm(
        model,
        tables,
        truth,
        pairs,
        policy=policy,
        split=split,
        settings=settings,
        notes=notes,
        champion=champion,
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
        exposure=exposure,
        price=price,
        champion=champion,
        notes=notes,
        settings=settings,
    )


def _pairs_of_known_ages(
    pairs: JudgedPairs,
    tables: Tables,
    truth: Truth,
    *,
    split: Split,
    settings: EvaluationSettings,
    notes: list[str],
) -> JudgedPairs:
    """Return the held-out pairs with two known ages; where they are too few, pairs at random."""
    ages = truth.ages
    mask = [a in ages and b in ages for a, b in pairs.sides]
    known = pairs.where(np.array(mask, dtype=np.bool_))
    if len(known.ids) >= FEWEST_PAIRS:
        return known
    drawn = random_pairs(tables, split, settings.judged, known=ages.keys(), seed=settings.seed)
    notes.append(
        f"The data have {len(known.ids) or 'no'} proposed pairs of two held-out people with known "
        f"ages: {len(drawn.ids)} pairs of {drawn.people} such people or households were drawn at "
        "random instead, and mixed pairs are those among them."
    )
    return drawn


def _fewest_of_a_kind(pairs: JudgedPairs, ages: Mapping[str, float]) -> int:
    """Return how many people or households are on the rarer side of the line."""
    sides: tuple[set[str], set[str]] = (set(), set())
    for names, groups in (
        (pairs.snapshots_a, pairs.groups_a),
        (pairs.snapshots_b, pairs.groups_b),
    ):
        for name, group in zip(names, groups, strict=True):
            sides[ages[name] < ADULT_AGE_YEARS].add(group)
    return min(map(len, sides))
