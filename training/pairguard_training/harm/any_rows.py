"""Rare events of rows of any columns, learned as the harm model learns from reports alone.

Owns what replaces pairs of people where there are only rows with labels and groups. The trees, the
folds of groups, the choice of rounds by the loss on those left out, and the calibration on them are
those of ``pairguard-train fit`` (``crossing``, ``teaching``). What a fit does besides, trees that
are taught by a model of two people, needs people and is not done here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import lightgbm
import numpy as np
from numpy.typing import NDArray

from pairguard.risk.calibration import Calibration
from pairguard_training.boosting import Compute, model_text
from pairguard_training.harm.crossing import (
    FEWEST_TO_CHOOSE,
    STOPS,
    UNTAUGHT,
    ScoringTrees,
    calibrated,
    calibration_notes,
    left_out,
    untaught_trees,
    why_not,
)
from pairguard_training.harm.pairs import TreeColumns
from pairguard_training.harm.settings import HarmSettings
from pairguard_training.harm.teaching import TreeTrainer
from pairguard_training.harm_fit import FEWEST_POSITIVES

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]
Places = NDArray[np.intp]

_EVERY = slice(None)


@dataclass(frozen=True, slots=True)
class LabelledRows:
    """Rows with labels: ``Labelled``, as pairs that met are.

    Attributes:
        table: (n, f) features; NaN: unknown.
        features: What the columns are.
        harmed: (n,) the labels.
        weights: (n,) what each stands for, above 0.
        groups_first: (n,) number of the group of one side, from 0 on.
        groups_second: (n,) of the other; the same where a row has one side only.
    """

    table: Array
    features: TreeColumns
    harmed: Mask
    weights: Array
    groups_first: Places
    groups_second: Places

    @property
    def strangers(self) -> Mask:
        """(n,) every row may calibrate."""
        return np.ones(self.count, dtype=np.bool_)

    @property
    def count(self) -> int:
        """Number of rows."""
        return int(self.harmed.size)

    @property
    def positives(self) -> int:
        """Number of events."""
        return int(self.harmed.sum())

    def where(self, mask: Mask | Places) -> LabelledRows:
        """Return some of the rows."""
        return replace(
            self,
            table=self.table[mask],
            harmed=self.harmed[mask],
            weights=self.weights[mask],
            groups_first=self.groups_first[mask],
            groups_second=self.groups_second[mask],
        )

    def weighing(self, weights: Array) -> LabelledRows:
        """Return the same rows with other weights."""
        return replace(self, weights=weights)

    def reading(self, features: TreeColumns) -> LabelledRows:
        """Return the same rows, which have these columns and no others."""
        return replace(self, features=features)

    def rows(self, chosen: slice | Places = _EVERY) -> Array:
        """Return the features, or those of some rows."""
        return self.table[chosen]


@dataclass(frozen=True, slots=True)
class RowsFit:
    """Trained and calibrated trees.

    Attributes:
        text: LightGBM's text of the trees.
        booster: As trained.
        calibration: From raw scores to probabilities.
        rounds: Boosting rounds.
        notes: What should be known about it, in sentences.
    """

    text: str
    booster: lightgbm.Booster
    calibration: Calibration
    rounds: int
    notes: tuple[str, ...]


def fit_rows(
    rows: LabelledRows,
    *,
    compute: Compute,
    settings: HarmSettings | None = None,
    fewest_positives: int = FEWEST_POSITIVES,
) -> RowsFit | str:
    """Train and calibrate, or say in a sentence why the rows cannot teach.

    Args:
        rows: What happened.
        compute: Threads, seed, and where it is trained.
        settings: How trees are trained; None: as a fit does untuned.
        fewest_positives: Events to learn from at least.
    """
    refusal = why_not(rows, fewest_positives=fewest_positives)
    if refusal:
        return refusal
    trainer = TreeTrainer(None, settings or HarmSettings(), compute)

    def boosters(others: LabelledRows) -> Iterator[ScoringTrees]:
        return untaught_trees(trainer, others)

    found = left_out(rows, boosters, seed=compute.seed)
    losses = found.losses(rows)
    positives = int(rows.harmed[found.places].sum()) if found.places else 0
    chosen = min(losses, key=losses.__getitem__) if positives >= FEWEST_TO_CHOOSE else ""
    rounds = int(chosen.split()[1]) if chosen else STOPS[0]
    calibration, calibrated_on, _ = calibrated(rows, found, f"{UNTAUGHT} {rounds}")
    booster = trainer.untaught(rows, rounds).booster
    return RowsFit(
        model_text(booster), booster, calibration, rounds, calibration_notes(calibrated_on)
    )
