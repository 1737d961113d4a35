"""Fitting the behaviour age model: a classifier over age bands, read as a likelihood.

Owns the choice of bands, the training and the model's parameters. It must not know how the
posterior combines the result with other evidence.

Only people with age labels teach it, each weighted by 1 / sampling probability. The temperature
comes from other people (``temperature_fit``).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import lightgbm
import numpy as np
from numpy.typing import NDArray

from pairguard.risk.behaviour import CLIP_NATS, BehaviourAgeModel
from pairguard.risk.catalogue import SignalCatalogue
from pairguard.risk.trees import TreeModel
from pairguard_training.age_labels import AgeRows
from pairguard_training.boosting import Compute, Rows, best_rounds, model_text, train
from pairguard_training.splitting import hash_fraction

Array = NDArray[np.float64]

BAND_EDGES = (0, 13, 15, 17, 19, 22, 26, 32, 42)
"""Lower edges in years: narrow around the adult age, which lies inside a band and not on an edge,
so that the likelihood is a slope there and not a step."""
FEWEST_PEOPLE_IN_BAND = 25
FEWEST_PEOPLE = 150
HELD_OUT_SHARE = 0.25
MOST_ROUNDS = 120

_SETTINGS: dict[str, Any] = {
    "objective": "multiclass",
    "learning_rate": 0.08,
    "num_leaves": 15,
    "max_bin": 127,
    "min_data_in_leaf": 20,
    "lambda_l2": 5.0,
    "feature_fraction": 0.7,
    "min_data_per_group": 50,
    "cat_smooth": 20.0,
}
_FEW_ROUNDS = 30
_UNCLIPPED = 1e6


@dataclass(frozen=True, slots=True)
class BehaviourFit:
    """A trained classifier, not yet tempered.

    Attributes:
        model: With temperature 1 and no clipping to speak of, for the choice of a temperature.
        text: LightGBM's text of it.
        booster: As trained.
        rows: What it was trained on, in the order of its columns.
        rounds: Boosting rounds.
        people: Labelled people it was trained on.
    """

    model: BehaviourAgeModel
    text: str
    booster: lightgbm.Booster
    rows: Array
    rounds: int
    people: int

    def tempered(self, temperature: float) -> BehaviourAgeModel:
        """Return the model as it is to serve, with a temperature and clipped."""
        parameters = self.model.to_mapping()
        parameters |= {"temperature": temperature, "clip_nats": CLIP_NATS}
        return BehaviourAgeModel.from_mapping(parameters, TreeModel(self.text))


def fit_behaviour(
    catalogue: SignalCatalogue, rows: AgeRows, vectors: Array, *, compute: Compute
) -> BehaviourFit | str:
    """Train the classifier, or say in a sentence why there is none.

    Args:
        catalogue: What the vectors' columns are.
        rows: Snapshots of labelled people.
        vectors: (n, columns) their catalogue vectors.
        compute: Threads and seed.
    """
    columns = _telling_columns(catalogue, vectors)
    if not columns:
        return "no signal that may speak of an age varies among people with age labels"
    if rows.people < FEWEST_PEOPLE:
        return f"{rows.people} people with age labels to learn from; {FEWEST_PEOPLE} are needed"
    edges = _band_edges(rows)
    if len(edges) < 2:
        return f"all but a few labelled people are of one age band; {FEWEST_PEOPLE_IN_BAND} needed"
    bands = np.searchsorted(np.array(edges), rows.ages, side="right") - 1
    learned = Rows(
        np.ascontiguousarray(vectors[:, columns]),
        bands.astype(np.float64),
        rows.weights / rows.weights.mean(),
    )
    categorical = _categorical(catalogue, columns)
    settings = {**_SETTINGS, "num_class": len(edges)}
    rounds = _rounds(rows, learned, settings, categorical, compute)
    booster = train(
        learned,
        settings,
        rounds=rounds,
        compute=compute,
        categorical=categorical,
        title="behaviour age model",
    )
    text = model_text(booster)
    shares = np.bincount(bands, weights=rows.weights, minlength=len(edges))
    model = BehaviourAgeModel(
        TreeModel(text),
        columns=columns,
        band_edges=edges,
        log_prior=np.log(shares / shares.sum()),
        temperature=1.0,
        clip_nats=_UNCLIPPED,
        band_centres=[
            float(np.average(rows.ages[bands == k], weights=rows.weights[bands == k]))
            for k in range(len(edges))
        ],
    )
    return BehaviourFit(model, text, booster, learned.features, rounds, rows.people)


def _telling_columns(catalogue: SignalCatalogue, vectors: Array) -> list[int]:
    """Return the columns that may speak of an age and are not the same for everybody."""
    telling = []
    for column in catalogue.age_columns:
        values = vectors[:, column]
        known = values[~np.isnan(values)]
        # That a value is unknown tells something as well, where it is not unknown for all.
        if known.size and (known.size < values.size or known.min() < known.max()):
            telling.append(column)
    return telling


def _categorical(catalogue: SignalCatalogue, columns: list[int]) -> list[int]:
    first = len(catalogue.number_columns)
    coded = range(first, first + len(catalogue.category_columns))
    return [place for place, column in enumerate(columns) if column in coded]


def _band_edges(rows: AgeRows) -> tuple[int, ...]:
    """Return the bands, those with too few people joined to the next, and the last to the former."""
    edges = [0]
    bounds = (*BAND_EDGES[1:], None)
    for upper in bounds:
        inside = rows.ages >= edges[-1]
        if upper is not None:
            inside &= rows.ages < upper
        people = rows.where(inside).people
        if people < FEWEST_PEOPLE_IN_BAND:
            if upper is None and len(edges) > 1:
                edges.pop()
            continue
        if upper is not None:
            edges.append(upper)
    return tuple(edges)


def _rounds(
    rows: AgeRows,
    learned: Rows,
    settings: dict[str, Any],
    categorical: list[int],
    compute: Compute,
) -> int:
    aside = np.array(
        [hash_fraction(f"rounds {p}", seed=compute.seed) < HELD_OUT_SHARE for p in rows.participants]
    )
    inner = _taken(learned, ~aside)
    if np.unique(inner.labels).size < settings["num_class"] or aside.sum() < FEWEST_PEOPLE_IN_BAND:
        return _FEW_ROUNDS
    return best_rounds(
        inner,
        _taken(learned, aside),
        settings,
        most=MOST_ROUNDS,
        compute=compute,
        categorical=categorical,
        title="behaviour age model, rounds",
    )


def _taken(rows: Rows, mask: NDArray[np.bool_]) -> Rows:
    return replace(
        rows, features=rows.features[mask], labels=rows.labels[mask], weights=rows.weights[mask]
    )
