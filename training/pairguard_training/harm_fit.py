"""Fitting the harm model: boosted trees on pairs that met, calibrated on people they never saw.

Owns the training of the trees and of their calibration. It must not know which pairs may teach
(``harm_labels``) nor how assessments come about: features are made by the functions that serve.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import lightgbm
import numpy as np
from numpy.typing import NDArray

from pairguard.bundle.loading import PARITY_ROWS
from pairguard.risk.calibration import Calibration
from pairguard.risk.features import PairFeatures
from pairguard.risk.harm import HarmModel
from pairguard.risk.trees import TreeModel
from pairguard_training.boosting import (
    AnyRows,
    Compute,
    Features,
    any_rows,
    best_rounds,
    chunks,
    model_text,
    rows_where,
    taken,
    train,
)
from pairguard_training.calibration_fit import fit_calibration
from pairguard_training.splitting import hash_fraction

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

FEWEST_POSITIVES = 20
"""Harmed pairs in training below which there is no harm model."""
HELD_OUT_SHARE = 0.4
"""Of the people, for the number of rounds; a pair is held out when both are."""
FEWEST_FOR_ROUNDS = 50
"""Harmed pairs on either side, below which the loss of so few does not choose: it takes one round
as readily as fifty, and on simulated platforms fifty was better on people who chose nothing."""
MOST_ROUNDS = 200

_SETTINGS: dict[str, Any] = {
    "objective": "binary",
    "learning_rate": 0.04,
    "num_leaves": 15,
    "max_bin": 127,
    "min_data_in_leaf": 40,
    "min_sum_hessian_in_leaf": 0.3,
    "lambda_l2": 10.0,
    "feature_fraction": 0.7,
    "min_data_per_group": 100,
    "cat_smooth": 50.0,
    "monotone_constraints_method": "basic",  # the others break their word on missing values
}
_FEW_ROUNDS = 50


@dataclass(frozen=True, slots=True)
class HarmPairs:
    """Rows of pairs that met.

    Attributes:
        features: (n, f) by ``PairFeatures``, held or made when they are asked for.
        harmed: (n,) the labels.
        groups_a: (n,) group of the first person, those of one household share it.
        groups_b: (n,) group of the second.
    """

    features: Features
    harmed: Mask
    groups_a: Sequence[str]
    groups_b: Sequence[str]

    @property
    def positives(self) -> int:
        """Number of harmed pairs."""
        return int(self.harmed.sum())


@dataclass(frozen=True, slots=True)
class HarmFit:
    """A trained and calibrated harm model.

    Attributes:
        model: Ready to serve.
        text: LightGBM's text of its trees.
        booster: As trained.
        rows: Some of what it was trained on, spread over all of it.
        rounds: Boosting rounds.
        notes: What should be known about it, in sentences.
    """

    model: HarmModel
    text: str
    booster: lightgbm.Booster
    rows: Array
    rounds: int
    notes: tuple[str, ...]

    def calibrated(self, features: Features) -> Array:
        """Return the harm probability of each row, the same bits as when it is served."""
        trees = TreeModel(self.text).with_missing_as_majority()
        return self.model.calibration.probabilities(tree_scores(trees, features))


class Columns(Protocol):
    """What trees must know of their columns; ``PairFeatures`` does."""

    @property
    def monotone_constraints(self) -> tuple[int, ...]:
        """-1, 0 or 1 per column."""

    @property
    def categorical_columns(self) -> tuple[int, ...]:
        """Columns that hold codes."""


@dataclass(frozen=True, slots=True)
class HarmTrees:
    """Trained and calibrated trees, whatever their columns mean; see ``HarmFit``."""

    text: str
    booster: lightgbm.Booster
    calibration: Calibration
    rounds: int
    notes: tuple[str, ...]


def fit_harm(
    features: PairFeatures, learned: HarmPairs, held_out: HarmPairs, *, compute: Compute
) -> HarmFit | str:
    """Train and calibrate, or say in a sentence why there is no harm model.

    Args:
        features: What the columns are, and which way harm may move with them.
        learned: Pairs of the training part.
        held_out: Pairs of the calibration part: other people.
        compute: Threads, seed, and where it is trained.
    """
    found = fit_trees(features, learned, held_out, compute=compute)
    if isinstance(found, str):
        return found
    count = learned.harmed.size
    spread = np.arange(min(PARITY_ROWS, count)) * count // min(PARITY_ROWS, count)
    return HarmFit(
        model=HarmModel(TreeModel(found.text), features, found.calibration),
        text=found.text,
        booster=found.booster,
        rows=taken(learned.features, spread),
        rounds=found.rounds,
        notes=found.notes,
    )


def fit_trees(
    features: Columns,
    learned: HarmPairs,
    held_out: HarmPairs,
    *,
    compute: Compute,
    fewest_positives: int = FEWEST_POSITIVES,
) -> HarmTrees | str:
    """Do the same for rows of any columns; ``fewest_positives`` to learn from at least."""
    if learned.positives < fewest_positives:
        return (
            f"{learned.positives} of {learned.harmed.size} pairs to learn from came to harm; "
            f"{fewest_positives} are needed"
        )
    if learned.positives == learned.harmed.size:
        return "every pair to learn from came to harm: there is nothing to tell it from"
    settings = {**_SETTINGS, "monotone_constraints": list(features.monotone_constraints)}
    ones = np.ones(learned.harmed.size)
    rows = any_rows(learned.features, learned.harmed.astype(np.float64), ones)
    rounds = _rounds(learned, rows, settings, features.categorical_columns, compute)
    booster = train(
        rows,
        settings,
        rounds=rounds,
        compute=compute,
        categorical=features.categorical_columns,
        title="harm model",
    )
    text = model_text(booster)
    # As the harm model calls its trees when it serves.
    served = TreeModel(text).with_missing_as_majority()
    calibration = fit_calibration(tree_scores(served, held_out.features), held_out.harmed)
    notes = []
    if held_out.positives < FEWEST_POSITIVES:
        notes.append(
            f"The harm model is calibrated on {held_out.positives} harmed pairs only: its level "
            "is uncertain and its slope unchecked."
        )
    return HarmTrees(text, booster, calibration, rounds, tuple(notes))


def tree_scores(trees: TreeModel, features: Features) -> Array:
    """Return (n,) raw scores; never more than some thousand rows are held for it."""
    found = [trees.raw_scores(chunk)[:, 0] for chunk in chunks(features)]
    return np.concatenate(found) if found else np.empty(0)


def _rounds(
    pairs: HarmPairs,
    rows: AnyRows,
    settings: dict[str, Any],
    categorical: Sequence[int],
    compute: Compute,
) -> int:
    """Return the rounds that did best on pairs of which both people were held out."""
    inner, outer = set_aside(pairs, compute.seed)
    enough = min(pairs.harmed[inner].sum(), pairs.harmed[outer].sum()) >= FEWEST_FOR_ROUNDS
    if not enough:
        return _FEW_ROUNDS
    return best_rounds(
        rows_where(rows, inner),
        rows_where(rows, outer),
        settings,
        most=MOST_ROUNDS,
        compute=compute,
        categorical=categorical,
        title="harm model, rounds",
    )


def set_aside(pairs: HarmPairs, seed: int) -> tuple[Mask, Mask]:
    """Return the pairs that learn, and those that judge, where rounds are chosen."""

    def aside(groups: Sequence[str]) -> Mask:
        # Each person is in many pairs and is hashed once.
        held = {
            group: hash_fraction(f"rounds {group}", seed=seed) < HELD_OUT_SHARE
            for group in set(groups)
        }
        return np.array([held[group] for group in groups], dtype=np.bool_)

    first, second = aside(pairs.groups_a), aside(pairs.groups_b)
    return ~first & ~second, first & second
