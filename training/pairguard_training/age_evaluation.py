"""Judging the age side: mixed pairs, the people in them, and what the policy decides.

Owns the comparison and the decisions, on pairs whose ages are known, and who is judged singly. All
of it sees the evidence without the checks that gave somebody's age label, or anything later.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pairguard.policy.decision import DecisionKind
from pairguard.policy.judgement import Judge
from pairguard.policy.regions import Policy
from pairguard.policy.state import StoredState
from pairguard.risk.features import PairFeatures
from pairguard.risk.model import RiskModel
from pairguard_training.age_labels import age_rows
from pairguard_training.assessing import Assessed, adult_ages_of
from pairguard_training.baselines import baseline_scores, fit_baselines, person_matrix
from pairguard_training.comparison import (
    ORACLE,
    OURS,
    Comparison,
    EvaluationSettings,
    JudgedPairs,
    compare,
)
from pairguard_training.judged_people import JudgedPeople, judged_people
from pairguard_training.line_calibration import ADULT_AGE_YEARS
from pairguard_training.pair_stream import pair_rows
from pairguard_training.resampling import Estimate, with_unseen
from pairguard_training.splitting import Part, Split, hash_fraction
from pairguard_training.tables.reading import Tables
from pairguard_training.truth import Truth

Array = NDArray[np.float64]

BASELINE_PAIRS = 20_000
"""Random pairs of labelled people that the baselines learn mixed pairs from."""
DECIDED_PAIRS = 4_000
FEWEST_PEOPLE = 20


@dataclass(frozen=True, slots=True)
class Decisions:
    """What the policy makes of the pairs.

    Attributes:
        pairs: Pairs decided on.
        counts: How many of each decision.
        shares: Share of good pairs allowed, of mixed pairs allowed, of mixed pairs among the
            allowed.
    """

    pairs: int
    counts: dict[str, int]
    shares: dict[str, Estimate]


@dataclass(frozen=True, slots=True)
class AgeJudge:
    """Everything that they need.

    Attributes:
        model: What is judged.
        policy: Whose adult ages count.
        tables: The data set.
        truth: The ages.
        split: Who learned, who is judged.
        settings: How to judge.
        assessed: The pairs' and people's snapshots, without the labels' checks.
    """

    model: RiskModel
    policy: Policy
    tables: Tables
    truth: Truth
    split: Split
    settings: EvaluationSettings
    assessed: Assessed

    def compare_mixed(self, pairs: JudgedPairs, notes: list[str]) -> Comparison:
        """Compare P(mixed) with the oracle's and the baselines'."""
        features = PairFeatures(self.model.catalogue)
        made = pair_rows(features, self.policy, self.assessed, pairs.snapshots_a, pairs.snapshots_b)
        scores = {OURS: made.minor_adult}
        if self.truth.oracle_minor:
            minor = self.truth.oracle_minor
            a, b = (np.array([minor[n] for n in s]) for s in (pairs.snapshots_a, pairs.snapshots_b))
            scores[ORACLE] = a * (1.0 - b) + b * (1.0 - a)
        scores |= self._baselines(pairs, notes)
        return compare(
            "mixed pairs",
            pairs,
            self._mixed(pairs),
            self._weights(pairs),
            scores=scores,
            settings=self.settings,
        )

    def people(self, names: list[str]) -> JudgedPeople:
        """Return the people of these snapshots with what is claimed of them."""
        return judged_people(
            names,
            self.tables,
            self.truth,
            self.split,
            assessed=self.assessed,
            policy=self.policy,
            claimed_by=OURS,
            oracle=ORACLE,
        )

    def decide(self, pairs: JudgedPairs) -> Decisions:
        """Decide on a sample of the pairs, chosen by hash, as the service would."""
        seed = self.settings.seed
        fractions = np.array([hash_fraction(f"decided {name}", seed=seed) for name in pairs.ids])
        sample = pairs.where(np.argsort(np.argsort(fractions)) < DECIDED_PAIRS)
        judge = Judge(self.model, self.policy)
        people, seconds = self.assessed.participants, self.assessed.seconds
        kinds = [
            judge.judge_pair(
                people[a], people[b], now=max(seconds[a], seconds[b]), state=StoredState()
            ).decision.kind
            for a, b in sample.sides
        ]
        allowed = np.array([kind is DecisionKind.ALLOW for kind in kinds], dtype=np.float64)
        mixed, weights = self._mixed(sample), self._weights(sample)

        def measure(drawn: Array) -> dict[str, float]:
            return {
                "good_allowed": _ratio(drawn * allowed * (1.0 - mixed), drawn * (1.0 - mixed)),
                "mixed_allowed": _ratio(drawn * allowed * mixed, drawn * mixed),
                "mixed_among_allowed": _ratio(drawn * allowed * mixed, drawn * allowed),
            }

        shares = sample.resamples(self.settings).estimate(measure, weights)
        for name, asked in (
            ("good_allowed", mixed == 0.0),
            ("mixed_allowed", mixed == 1.0),
            ("mixed_among_allowed", allowed == 1.0),
        ):
            shares[name] = with_unseen(shares[name], trials=sample.where(asked).disjoint)
        return Decisions(
            pairs=len(kinds),
            counts={kind.name: sum(found is kind for found in kinds) for kind in DecisionKind},
            shares=shares,
        )

    def _mixed(self, pairs: JudgedPairs) -> Array:
        people, ages = self.assessed.participants, self.truth.ages
        return np.array(
            [
                any(
                    (ages[a] < line) != (ages[b] < line)
                    for line in adult_ages_of(self.policy, people[a], people[b])
                )
                for a, b in pairs.sides
            ],
            dtype=np.float64,
        )

    def _weights(self, pairs: JudgedPairs) -> Array:
        weights = self.truth.weights
        return np.array([weights[a] * weights[b] for a, b in pairs.sides])

    def _baselines(self, pairs: JudgedPairs, notes: list[str]) -> dict[str, Array]:
        """Train the baselines on random pairs of labelled people who are not judged."""
        rows = age_rows(self.tables)
        mask = [
            self.split.parts[person] not in self.settings.judged
            and self.split.admits(Part.TRAIN, seconds)
            for person, seconds in zip(rows.participants, rows.seconds, strict=True)
        ]
        rows = rows.where(np.array(mask, dtype=np.bool_))
        if rows.people < FEWEST_PEOPLE:
            notes.append(f"{rows.people} labelled people for baselines: mixed pairs without them.")
            return {}
        rng = np.random.default_rng(self.settings.seed)
        first, second = rng.integers(0, rows.ages.size, (2, BASELINE_PAIRS))
        persons = np.array(rows.participants)
        different = persons[first] != persons[second]
        first, second = first[different], second[different]
        minor = rows.ages < ADULT_AGE_YEARS
        labels = (minor[first] != minor[second]).astype(np.float64)
        if not 0.0 < labels.mean() < 1.0:
            notes.append("Labelled people are on one side of 18: mixed pairs without baselines.")
            return {}
        weights = rows.weights[first] * rows.weights[second]
        catalogue = self.model.catalogue
        matrix = person_matrix(catalogue, self.tables, rows.snapshot_ids, before_labels=True)
        scorers = fit_baselines(
            matrix[first], matrix[second], labels, weights / weights.mean(), settings=self.settings
        )
        return baseline_scores(scorers, catalogue, self.tables, pairs, before_labels=True)


def _ratio(part: Array, whole: Array) -> float:
    total = float(whole.sum())
    return float(part.sum()) / total if total > 0.0 else float("nan")
