"""Several models' probabilities for the same pairs, measured side by side.

Owns the pairs that are judged and the comparison on the same draws of people. It must not know
where the probabilities come from.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass, fields, replace

import numpy as np
import polars as pl
from numpy.typing import NDArray

from pairguard_training.harm_labels import pairs_with_people
from pairguard_training.metrics import (
    Measures,
    RankedScores,
    ReliabilityBin,
    reliability,
    reliability_places,
)
from pairguard_training.resampling import Estimate, Resamples, with_unseen
from pairguard_training.splitting import Part, Split
from pairguard_training.tables.reading import Tables
from pairguard_training.trade_off import TradeOff, TradeOffPoint

Array = NDArray[np.float64]

OURS = "pairguard"
CHAMPION = "champion"
ORACLE = "oracle"
LOGISTIC = "logistic regression"
SIDE_BY_SIDE = "LightGBM, side by side"
BASELINES = (LOGISTIC, SIDE_BY_SIDE)

MIXED_PAIRS = "mixed pairs"

RANDOM_PAIRS = 10_000

_MEASURES = tuple(field.name for field in fields(Measures))
_SHARES_OF_POSITIVES = tuple(name for name in _MEASURES if name.startswith(("missed", "recall")))
_NAN = float("nan")


@dataclass(frozen=True, slots=True)
class EvaluationSettings:
    """How to evaluate.

    Attributes:
        unseen: Whether the model saw none of these people: then all but those whom the baselines
            learn from are judged, else the test part.
        resamples: Draws of the bootstrap.
        seed: Seed of the draws and of the baselines.
        threads: Threads of LightGBM.
        report_window_days: How long after the proposal a report counts.
    """

    unseen: bool
    resamples: int
    seed: int
    threads: int
    report_window_days: float

    @property
    def judged(self) -> frozenset[Part]:
        """The parts whose people are judged; the baselines learn from the others."""
        return frozenset({Part.TEST, Part.CALIBRATION} if self.unseen else {Part.TEST})


@dataclass(frozen=True, slots=True)
class JudgedPairs:
    """Pairs to judge; everything has one entry a pair.

    Attributes:
        ids: Pair ids.
        snapshots_a: Snapshot of the first participant.
        snapshots_b: Of the second.
        groups_a: Group of the first person: those of one household share it.
        groups_b: Of the second.
    """

    ids: list[str]
    snapshots_a: list[str]
    snapshots_b: list[str]
    groups_a: list[str]
    groups_b: list[str]

    def where(self, mask: NDArray[np.bool_]) -> JudgedPairs:
        """Return the pairs of a mask."""
        kept = np.flatnonzero(mask)
        sides = (self.ids, self.snapshots_a, self.snapshots_b, self.groups_a, self.groups_b)
        return JudgedPairs(*([side[i] for i in kept] for side in sides))

    @property
    def sides(self) -> list[tuple[str, str]]:
        """Both snapshots of each pair."""
        return list(zip(self.snapshots_a, self.snapshots_b, strict=True))

    @property
    def snapshots(self) -> list[str]:
        """Every snapshot, once."""
        return list(dict.fromkeys([*self.snapshots_a, *self.snapshots_b]))

    @property
    def people(self) -> int:
        """Number of people, households counting once."""
        return len({*self.groups_a, *self.groups_b})

    @property
    def disjoint(self) -> int:
        """Number of pairs that share nobody with each other, taken in their order."""
        met: set[str] = set()
        count = 0
        for sides in zip(self.groups_a, self.groups_b, strict=True):
            if met.isdisjoint(sides):
                met.update(sides)
                count += 1
        return count

    def resamples(self, settings: EvaluationSettings) -> Resamples:
        """Return draws of the people in the pairs."""
        groups = [self.groups_a, self.groups_b]
        return Resamples(groups, count=settings.resamples, seed=settings.seed)


@dataclass(frozen=True, slots=True)
class Comparison:
    """Several models on the same pairs.

    Attributes:
        title: What is predicted.
        pairs: Number of pairs.
        positives: Sum of their labels.
        people: Number of people in them.
        models: Measures of each model.
        differences: Ours minus the champion's and each baseline's, on the same draws of people.
        reliability: Of ours.
        trade_off: What each threshold of ours stops and lets through.
        disjoint_positives: Positive pairs that share nobody with each other: independent ones.
    """

    title: str
    pairs: int
    positives: float
    people: int
    models: dict[str, dict[str, Estimate]]
    differences: dict[str, dict[str, Estimate]]
    reliability: list[ReliabilityBin]
    trade_off: list[TradeOffPoint]
    disjoint_positives: int


def held_out_pairs(tables: Tables, split: Split, judged: frozenset[Part]) -> JudgedPairs:
    """Return the pairs, whatever was decided, of judged people at the time of the test."""
    frame = pairs_with_people(tables)
    seconds = frame["proposed_time"].dt.epoch("us").cast(pl.Float64).to_numpy() / 1e6
    ones, others = frame["participant_a"].to_list(), frame["participant_b"].to_list()
    mask = [
        split.parts[a] in judged and split.parts[b] in judged and split.admits(Part.TEST, time)
        for a, b, time in zip(ones, others, seconds, strict=True)
    ]
    return JudgedPairs(
        frame["pair_id"].to_list(),
        frame["snapshot_a"].to_list(),
        frame["snapshot_b"].to_list(),
        [split.groups[person] for person in ones],
        [split.groups[person] for person in others],
    ).where(np.array(mask, dtype=np.bool_))


def random_pairs(
    tables: Tables, split: Split, judged: frozenset[Part], *, known: Collection[str], seed: int
) -> JudgedPairs:
    """Return pairs of judged people drawn at random, for data without proposed pairs.

    Args:
        tables: The data set.
        split: Who learned.
        judged: The parts whose people are judged.
        known: Snapshots whose ages are known: only these are paired.
        seed: Seed of the draw.
    """
    frame = tables.snapshots.select("snapshot_id", "participant_id", "observed_time")
    seconds = frame["observed_time"].dt.epoch("us").cast(pl.Float64).to_numpy() / 1e6
    people = [
        (name, split.groups[person])
        for (name, person, _), time in zip(frame.iter_rows(), seconds, strict=True)
        if name in known and split.parts[person] in judged and split.admits(Part.TEST, time)
    ]
    if not people:
        return JudgedPairs([], [], [], [], [])
    draws = np.random.default_rng(seed).integers(0, len(people), (RANDOM_PAIRS, 2))
    sides = [(people[a], people[b]) for a, b in draws if people[a][1] != people[b][1]]
    return JudgedPairs(
        [f"random-{row}" for row in range(len(sides))],
        [a for (a, _), _ in sides],
        [b for _, (b, _) in sides],
        [group for (_, group), _ in sides],
        [group for _, (_, group) in sides],
    )


def compare(
    title: str,
    pairs: JudgedPairs,
    labels: Array,
    weights: Array,
    *,
    scores: dict[str, Array],
    settings: EvaluationSettings,
    thresholds: Sequence[float] = (),
) -> Comparison:
    """Measure every model, and ours against the champion and each baseline.

    Args:
        title: What is predicted.
        pairs: The n pairs.
        labels: (n,) within [0, 1].
        weights: (n,) each above 0.
        scores: (n,) probabilities of each model.
        settings: Draws and seed.
        thresholds: Further ones to show in the trade-off, such as the policy's.
    """
    ranked = {name: RankedScores(score, labels) for name, score in scores.items()}
    against = [name for name in (CHAMPION, *BASELINES) if name in scores]
    curve = TradeOff(scores[OURS], labels, weights, further=thresholds)
    places = reliability_places(scores[OURS])
    bins = np.unique(places)

    def measure(drawn: Array) -> dict[str, float]:
        values: dict[str, float] = {}
        for name, scored in ranked.items():
            values |= {f"{name}/{key}": v for key, v in asdict(scored.measure(drawn)).items()}
        for name in against:
            for key in _MEASURES:
                values[f"minus {name}/{key}"] = values[f"{OURS}/{key}"] - values[f"{name}/{key}"]
        mass = np.bincount(places, weights=drawn)
        seen = np.bincount(places, weights=drawn * labels)
        for index in bins:
            values[f"bin/{index}"] = seen[index] / mass[index] if mass[index] > 0.0 else _NAN
        return values | curve.shares(drawn)

    found = pairs.resamples(settings).estimate(measure, weights)

    def of(prefix: str) -> dict[str, Estimate]:
        return {key: found[f"{prefix}/{key}"] for key in _MEASURES}

    positives, negatives = pairs.where(labels == 1.0).disjoint, pairs.where(labels == 0.0).disjoint
    models = {name: of(name) for name in scores}
    for measures in models.values():
        for key in _SHARES_OF_POSITIVES:
            measures[key] = with_unseen(measures[key], trials=positives)
    shown = [index for index in bins if weights[places == index].sum() > 0.0]

    def with_interval(index: int, bin_: ReliabilityBin) -> ReliabilityBin:
        seen = with_unseen(found[f"bin/{index}"], trials=pairs.where(places == index).disjoint)
        return replace(bin_, observed_low=seen.low, observed_high=seen.high)

    return Comparison(
        title=title,
        pairs=len(pairs.ids),
        positives=float(labels.sum()),
        people=pairs.people,
        models=models,
        differences={name: of(f"minus {name}") for name in against},
        reliability=[
            with_interval(index, bin_)
            for index, bin_ in zip(shown, reliability(scores[OURS], labels, weights), strict=True)
        ],
        trade_off=curve.points(found, positives=positives, negatives=negatives),
        disjoint_positives=positives,
    )
