"""Fitting the behaviour age model: a classifier over age bands, read as a likelihood.

Owns the choice of bands, the training and the model's parameters. It must not know how the
posterior combines the result with other evidence.

Only people with age labels teach it, each weighted by 1 / sampling probability. Its temperature
comes from people whom the scoring model has not seen (``temperature_fit``).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import lightgbm
import numpy as np
from numpy.typing import NDArray

from pairguard.age.parameters import AGE_COUNT
from pairguard.risk.behaviour import CLIP_NATS, BehaviourAgeModel
from pairguard.risk.catalogue import SignalCatalogue
from pairguard.risk.trees import TreeModel
from pairguard_training.age_labels import AgeRows
from pairguard_training.boosting import Compute, Rows, best_rounds, model_text, train
from pairguard_training.splitting import hash_fraction

Array = NDArray[np.float64]

BAND_EDGES = (0, 13, 16, 20, 25, 34)
"""Lower edges in years. The adult age lies inside a band and not on an edge, so that the likelihood
is a slope there and not a step; narrower bands gave noise there instead of knowledge."""
FEWEST_PEOPLE_IN_BAND = 25
FEWEST_PEOPLE = 150
HELD_OUT_SHARE = 0.25
FOLDS = 3
MOST_ROUNDS = 200

_SETTINGS: dict[str, Any] = {
    "objective": "multiclass",
    "learning_rate": 0.1,
    "num_leaves": 7,
    "max_bin": 127,
    "min_data_in_leaf": 40,
    "lambda_l2": 20.0,
    "feature_fraction": 0.5,
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
        bands: What it was trained on, to be trained again on parts of it.
    """

    model: BehaviourAgeModel
    text: str
    booster: lightgbm.Booster
    rows: Array
    rounds: int
    people: int
    bands: _Bands

    def out_of_fold(self, vectors: Array, *, compute: Compute) -> Array:
        """Return the untempered log-likelihoods of the training rows by models without them.

        Args:
            vectors: (n, columns) catalogue vectors of the training rows.
            compute: Threads and seed.

        Returns:
            (n, 101); NaN where so few people were left that no model could be made.
        """
        people, seed = self.bands.rows.participants, compute.seed
        folds = np.array([int(FOLDS * hash_fraction(f"fold {p}", seed=seed)) for p in people])
        likelihoods = np.full((len(people), AGE_COUNT), np.nan)
        for fold in range(FOLDS):
            inside = folds == fold
            if np.unique(self.bands.bands[~inside]).size < len(self.bands.edges):
                continue
            _, _, model = self.bands.train(
                ~inside, self.rounds, compute, title=f"behaviour age model, fold {fold + 1}"
            )
            likelihoods[inside] = model.log_likelihoods(vectors[inside])
        return likelihoods

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
    bands_of = _Bands(edges, bands, rows, learned, columns, _categorical(catalogue, columns))
    rounds = _rounds(bands_of, compute)
    text, booster, model = bands_of.train(
        np.ones(len(bands), dtype=np.bool_), rounds, compute, title="behaviour age model"
    )
    return BehaviourFit(model, text, booster, learned.features, rounds, rows.people, bands_of)


@dataclass(frozen=True, slots=True)
class _Bands:
    """Labelled rows, sorted into bands, from which a model can be made of any subset."""

    edges: tuple[int, ...]
    bands: NDArray[np.intp]
    rows: AgeRows
    learned: Rows
    columns: list[int]
    categorical: list[int]

    @property
    def settings(self) -> dict[str, Any]:
        return {**_SETTINGS, "num_class": len(self.edges)}

    def train(
        self, mask: NDArray[np.bool_], rounds: int, compute: Compute, *, title: str
    ) -> tuple[str, lightgbm.Booster, BehaviourAgeModel]:
        booster = train(
            _taken(self.learned, mask),
            self.settings,
            rounds=rounds,
            compute=compute,
            categorical=self.categorical,
            title=title,
        )
        text = model_text(booster)
        weights, bands, ages = self.rows.weights[mask], self.bands[mask], self.rows.ages[mask]
        shares = np.bincount(bands, weights=weights, minlength=len(self.edges))
        centres = np.bincount(bands, weights=weights * ages, minlength=len(self.edges)) / shares
        model = BehaviourAgeModel(
            TreeModel(text),
            columns=self.columns,
            band_edges=self.edges,
            log_prior=np.log(shares / shares.sum()),
            temperature=1.0,
            clip_nats=_UNCLIPPED,
            band_centres=centres.tolist(),
        )
        return text, booster, model


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
    """Return the bands; one with too few people joins the next, the last the one before."""
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


def _rounds(bands: _Bands, compute: Compute) -> int:
    people = bands.rows.participants
    aside = np.array(
        [hash_fraction(f"rounds {p}", seed=compute.seed) < HELD_OUT_SHARE for p in people]
    )
    inner = _taken(bands.learned, ~aside)
    if np.unique(inner.labels).size < len(bands.edges) or aside.sum() < FEWEST_PEOPLE_IN_BAND:
        return _FEW_ROUNDS
    return best_rounds(
        inner,
        _taken(bands.learned, aside),
        bands.settings,
        most=MOST_ROUNDS,
        compute=compute,
        categorical=bands.categorical,
        title="behaviour age model, rounds",
    )


def _taken(rows: Rows, mask: NDArray[np.bool_]) -> Rows:
    return replace(
        rows, features=rows.features[mask], labels=rows.labels[mask], weights=rows.weights[mask]
    )
