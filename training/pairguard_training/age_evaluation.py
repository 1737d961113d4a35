"""Judging the age side: mixed pairs, the people in them, and what the policy decides.

Owns the comparison and the decisions, on pairs whose ages are known, and who is judged singly. All
of it sees the evidence without the checks that gave somebody's age label, or anything later.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from pairguard.policy.decision import Decision, DecisionKind
from pairguard.policy.reasons import ReasonCode
from pairguard.policy.regions import Policy
from pairguard.risk.features import PairFeatures
from pairguard.risk.model import RiskModel
from pairguard_training.age_labels import age_rows
from pairguard_training.assessing import Assessed, adult_ages_of, assess_snapshots
from pairguard_training.baselines import baseline_scores, fit_baselines, person_matrix
from pairguard_training.champion import Champion
from pairguard_training.comparison import (
    CHAMPION,
    MIXED_PAIRS,
    ORACLE,
    OURS,
    Comparison,
    EvaluationSettings,
    JudgedPairs,
    compare,
)
from pairguard_training.judged_people import JudgedPeople, judged_people
from pairguard_training.line_calibration import ADULT_AGE_YEARS
from pairguard_training.pair_decisions import decide_pairs
from pairguard_training.pair_rows import pair_rows
from pairguard_training.resampling import Estimate, with_unseen, with_unseen_difference
from pairguard_training.splitting import Part, Split, hash_fraction
from pairguard_training.tables.reading import Tables
from pairguard_training.truth import Truth

Array = NDArray[np.float64]

BASELINE_PAIRS = 20_000
"""Random pairs of labelled people that the baselines learn mixed pairs from."""
DECIDED_PAIRS = 20_000
FEWEST_PEOPLE = 20

_SHARES = ("good_allowed", "mixed_allowed", "mixed_among_allowed")


@dataclass(frozen=True, slots=True)
class Decisions:
    """What the policy makes of the pairs.

    Attributes:
        pairs: Pairs decided on.
        counts: How many of each decision.
        reasons: How many by their leading reason.
        shares: Share of good pairs allowed, of mixed pairs allowed, of mixed pairs among the
            allowed.
        champion: The same shares of the champion's decisions; None: there is no champion.
        differences: Ours minus the champion's, on the same draws of people.
    """

    pairs: int
    counts: dict[str, int]
    reasons: dict[str, int]
    shares: dict[str, Estimate]
    champion: dict[str, Estimate] | None
    differences: dict[str, Estimate] | None


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
        champion: What ours is compared with.
        champion_assessed: The pairs' snapshots as the champion assesses them.
    """

    model: RiskModel
    policy: Policy
    tables: Tables
    truth: Truth
    split: Split
    settings: EvaluationSettings
    assessed: Assessed
    champion: Champion | None = None
    champion_assessed: Assessed | None = None

    def beside_champion(self, champion: Champion | None, snapshots: list[str]) -> AgeJudge:
        """Return a judge that knows how the champion assesses these snapshots."""
        if champion is None:
            return self
        assessed = assess_snapshots(
            champion.model, self.tables, snapshots, before_labels=True, title="champion, ages"
        )
        return replace(self, champion=champion, champion_assessed=assessed)

    def compare_mixed(self, pairs: JudgedPairs, notes: list[str]) -> Comparison:
        """Compare P(mixed) with the champion's, the oracle's and the baselines'."""
        scores = {OURS: self._mixed_claims(self.model, self.assessed, pairs)}
        if self.champion is not None and self.champion_assessed is not None:
            scores[CHAMPION] = self._mixed_claims(
                self.champion.model, self.champion_assessed, pairs
            )
        if self.truth.oracle_minor:
            minor = self.truth.oracle_minor
            a, b = (np.array([minor[n] for n in s]) for s in (pairs.snapshots_a, pairs.snapshots_b))
            scores[ORACLE] = a * (1.0 - b) + b * (1.0 - a)
        scores |= self._baselines(pairs, notes)
        return compare(
            MIXED_PAIRS,
            pairs,
            self._mixed(pairs),
            self._weights(pairs),
            scores=scores,
            settings=self.settings,
            thresholds=(self.policy.default.reroute_minor_adult,),
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
        found = decide_pairs(self.model, self.policy, self.assessed, sample.sides)
        allowed = {OURS: _allowed(found)}
        if self.champion is not None and self.champion_assessed is not None:
            allowed[CHAMPION] = _allowed(
                decide_pairs(self.champion.model, self.policy, self.champion_assessed, sample.sides)
            )
        mixed, weights = self._mixed(sample), self._weights(sample)

        def measure(drawn: Array) -> dict[str, float]:
            values = {}
            for name, let in allowed.items():
                good = _ratio(drawn * let * (1.0 - mixed), drawn * (1.0 - mixed))
                values[f"{name}/good_allowed"] = good
                values[f"{name}/mixed_allowed"] = _ratio(drawn * let * mixed, drawn * mixed)
                values[f"{name}/mixed_among_allowed"] = _ratio(drawn * let * mixed, drawn * let)
            for key in _SHARES if CHAMPION in allowed else ():
                values[f"difference/{key}"] = values[f"{OURS}/{key}"] - values[f"{CHAMPION}/{key}"]
            return values

        estimates = sample.resamples(self.settings).estimate(measure, weights)

        def trials(name: str) -> dict[str, int]:
            asked = (mixed == 0.0, mixed == 1.0, allowed[name] == 1.0)
            counts = [sample.where(which).disjoint for which in asked]
            return dict(zip(_SHARES, counts, strict=True))

        def shares(name: str) -> dict[str, Estimate]:
            return {
                key: with_unseen(estimates[f"{name}/{key}"], trials=count)
                for key, count in trials(name).items()
            }

        def differences() -> dict[str, Estimate]:
            raw = {key: estimates[f"difference/{key}"] for key in _SHARES}
            if self.champion is not None and self.champion.same_scores:
                return raw
            return {
                key: with_unseen_difference(raw[key], trials=count)
                for key, count in trials(OURS).items()
            }

        compared = CHAMPION in allowed
        leading = [decision.reasons[0].code for decision in found]
        return Decisions(
            pairs=len(found),
            counts={kind.name: sum(d.kind is kind for d in found) for kind in DecisionKind},
            reasons={code.value: leading.count(code) for code in ReasonCode if code in leading},
            shares=shares(OURS),
            champion=shares(CHAMPION) if compared else None,
            differences=differences() if compared else None,
        )

    def _mixed_claims(self, model: RiskModel, assessed: Assessed, pairs: JudgedPairs) -> Array:
        features = PairFeatures(model.catalogue)
        sides = pairs.snapshots_a, pairs.snapshots_b
        return pair_rows(features, self.policy, assessed, *sides).minor_adult

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


def _allowed(decisions: list[Decision]) -> Array:
    return np.array([found.kind is DecisionKind.ALLOW for found in decisions], dtype=np.float64)


def _ratio(part: Array, whole: Array) -> float:
    total = float(whole.sum())
    return float(part.sum()) / total if total > 0.0 else float("nan")
