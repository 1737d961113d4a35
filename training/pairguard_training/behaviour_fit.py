"""Fitting the behaviour age model: trees whose scores are a likelihood that is smooth in age.

Owns the choice of knots and of the number of rounds, the training, and scores by models that have
not seen the person. It must not know how the posterior combines the result with other evidence nor
what it is trained to do (``age_objective``).

Only people with age labels teach it, each weighted by 1 / sampling probability. How long to train
and, later, how far to believe it (``temperature_fit``) are both told by people left out: the people
are divided into folds, and each fold is scored by a model of the others. The model that serves is
then trained on all of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import lightgbm
import numpy as np
from numpy.typing import NDArray

from pairguard.risk.behaviour import CLIP_NATS, BehaviourAgeModel, ramps
from pairguard.risk.catalogue import SignalCatalogue
from pairguard.risk.trees import TreeModel
from pairguard_training.age_labels import AgeRows
from pairguard_training.age_objective import LINE_YEARS, AgeObjective
from pairguard_training.age_prior import smoothed_density
from pairguard_training.boosting import Compute, Rows, model_text, raw_scores, train
from pairguard_training.splitting import hash_fraction

Array = NDArray[np.float64]

KNOTS_YEARS = (11.0, 15.0, 17.5, 20.5, 26.0, 40.0)
"""Ages at which the likelihood may bend; the adult age is none of them."""
FEWEST_PEOPLE_AT_KNOT = 25
FEWEST_PEOPLE = 150
FEWEST_OF_EITHER_SIDE = 25
"""People under and over 18 below which nothing is learned: what is not known of children must not
speak for anybody's being an adult."""
FOLDS, FOLDS_OF_MANY = 10, 5
"""The more folds, the more alike are the models that are judged and the one that serves."""
MANY_PEOPLE = 20_000
MOST_TREES = 480
"""Over all scores: they are what serving pays for."""

_SETTINGS: dict[str, Any] = {
    "learning_rate": 0.15,
    "num_leaves": 7,
    "max_bin": 127,
    "min_data_in_leaf": 40,
    "lambda_l2": 20.0,
    "feature_fraction": 0.25,
    "min_data_per_group": 50,
    "cat_smooth": 20.0,
}
_STOPS = (0.05, 0.075, 0.11, 0.16, 0.24, 0.35, 0.5, 0.7, 1.0)
"""Shares of the most rounds at which the loss on people left out is looked at."""
_PRIOR_FLOOR = 1e-9
_UNCLIPPED = 1e6


@dataclass(frozen=True, slots=True)
class BehaviourFit:
    """A trained model, not yet tempered.

    Attributes:
        text: LightGBM's text of it.
        booster: As trained.
        rows: What it was trained on, in the order of its columns.
        rounds: Boosting rounds.
        people: Labelled people it was trained on.
        out_of_fold: (n, 101) log-likelihoods of the training rows with temperature 1 and no
            clipping to speak of, each by a model that has not seen the person; NaN where so few
            people were left that no model could be made.
        lesson: What it was trained on, to be trained again on a part of it.
    """

    text: str
    booster: lightgbm.Booster
    rows: Array
    rounds: int
    people: int
    out_of_fold: Array
    lesson: _Lesson

    def tempered(self, temperature: float) -> BehaviourAgeModel:
        """Return the model as it is to serve, with a temperature and clipped."""
        return self.lesson.model(self.text, temperature, clip_nats=CLIP_NATS)

    def of_part(
        self, mask: NDArray[np.bool_], temperature: float, *, compute: Compute
    ) -> BehaviourAgeModel | None:
        """Return the same model trained on some of the rows only, to judge the others by.

        None: too few people are among them.
        """
        if self.lesson.rows.where(mask).people < FEWEST_PEOPLE:
            return None
        booster = self.lesson.train(mask, self.rounds, compute, title="behaviour age model, part")
        return self.lesson.model(model_text(booster), temperature, clip_nats=CLIP_NATS)


def fit_behaviour(
    catalogue: SignalCatalogue,
    rows: AgeRows,
    vectors: Array,
    *,
    groups: Sequence[str] | None = None,
    compute: Compute,
) -> BehaviourFit | str:
    """Train the model, or say in a sentence why there is none.

    Args:
        catalogue: What the vectors' columns are.
        rows: Snapshots of labelled people.
        vectors: (n, columns) their catalogue vectors.
        groups: (n,) whose rows share a fold, e.g. a household's; None: each person's.
        compute: Threads and seed.
    """
    columns = _telling_columns(catalogue, vectors)
    if not columns:
        return "no signal that may speak of an age varies among people with age labels"
    if rows.people < FEWEST_PEOPLE:
        return f"{rows.people} people with age labels to learn from; {FEWEST_PEOPLE} are needed"
    minor = rows.ages < LINE_YEARS
    for side, inside in (("under", minor), ("over", ~minor)):
        found = rows.where(inside).people
        if found < FEWEST_OF_EITHER_SIDE:
            return f"{found} labelled people {side} {LINE_YEARS}; {FEWEST_OF_EITHER_SIDE} needed"
    knots = _knots(rows)
    if len(knots) < 2:
        return f"all but a few labelled people are of one age; {FEWEST_PEOPLE_AT_KNOT} needed"
    lesson = _Lesson(
        knots,
        rows,
        Rows(
            np.ascontiguousarray(vectors[:, columns]),
            np.floor(rows.ages),
            rows.weights / rows.weights.mean(),
        ),
        columns,
        _categorical(catalogue, columns),
    )
    rounds, scores = _left_out(lesson, groups or rows.participants, compute)
    booster = lesson.train(
        np.ones(len(rows.ages), dtype=np.bool_), rounds, compute, title="behaviour age model"
    )
    return BehaviourFit(
        text=model_text(booster),
        booster=booster,
        rows=lesson.learned.features,
        rounds=rounds,
        people=rows.people,
        out_of_fold=_relative(scores @ ramps(knots).T, lesson),
        lesson=lesson,
    )


@dataclass(frozen=True, slots=True)
class _Lesson:
    """Labelled rows from which a model can be made of any subset."""

    knots: tuple[float, ...]
    rows: AgeRows
    learned: Rows
    columns: list[int]
    categorical: list[int]

    @property
    def steps(self) -> int:
        return len(self.knots) - 1

    @property
    def most_rounds(self) -> int:
        return MOST_TREES // self.steps

    def objective(self, mask: NDArray[np.bool_]) -> AgeObjective:
        """Return the loss with the prior of these people."""
        prior = smoothed_density(self.rows.ages[mask], self.learned.weights[mask]) + _PRIOR_FLOOR
        return AgeObjective.over(self.knots, prior / prior.sum())

    def train(
        self, mask: NDArray[np.bool_], rounds: int, compute: Compute, *, title: str
    ) -> lightgbm.Booster:
        learned = self.learned
        taken = replace(
            learned,
            features=learned.features[mask],
            labels=learned.labels[mask],
            weights=learned.weights[mask],
        )
        objective = self.objective(mask).for_boosting(taken.labels.astype(np.int64), taken.weights)
        return train(
            taken,
            {**_SETTINGS, "objective": objective, "num_class": self.steps},
            rounds=rounds,
            compute=compute,
            categorical=self.categorical,
            title=title,
        )

    def model(self, text: str, temperature: float, *, clip_nats: float) -> BehaviourAgeModel:
        # How much of the population each knot stands for: each person's weight is shared by the
        # two knots that the age lies between.
        place = np.interp(self.rows.ages, self.knots, np.arange(len(self.knots)))
        left = np.minimum(place.astype(np.intp), self.steps - 1)
        weights, beyond = self.learned.weights, place - left
        shares = np.bincount(left, weights=weights * (1.0 - beyond), minlength=len(self.knots))
        shares += np.bincount(left + 1, weights=weights * beyond, minlength=len(self.knots))
        shares = np.maximum(shares / shares.sum(), 1e-6)
        return BehaviourAgeModel(
            TreeModel(text),
            columns=self.columns,
            knots_years=self.knots,
            knot_shares=shares / shares.sum(),
            temperature=temperature,
            clip_nats=clip_nats,
        )


def _left_out(lesson: _Lesson, groups: Sequence[str], compute: Compute) -> tuple[int, Array]:
    """Return the number of rounds that serves people left out best, and their scores then."""
    count = FOLDS if lesson.rows.people < MANY_PEOPLE else FOLDS_OF_MANY
    folds = np.array([int(count * hash_fraction(f"fold {g}", seed=compute.seed)) for g in groups])
    stops = sorted({max(round(share * lesson.most_rounds), 1) for share in _STOPS})
    scores = np.full((len(stops), len(folds), lesson.steps), np.nan)
    losses = np.zeros(len(stops))
    ages = lesson.learned.labels.astype(np.int64)
    for fold in range(count):
        inside = folds == fold
        if not inside.any() or lesson.rows.where(~inside).people < FEWEST_PEOPLE // 2:
            continue
        booster = lesson.train(
            ~inside, stops[-1], compute, title=f"behaviour age model, fold {fold + 1}"
        )
        objective = lesson.objective(~inside)
        for place, rounds in enumerate(stops):
            found = raw_scores(booster, lesson.learned.features[inside], rounds=rounds)
            scores[place, inside] = found.reshape(-1, lesson.steps)
            each = objective.losses(scores[place, inside], ages[inside])
            losses[place] += float((each * lesson.learned.weights[inside]).sum())
    best = int(np.argmin(losses))
    return stops[best], scores[best]


def _relative(likelihoods: Array, lesson: _Lesson) -> Array:
    """Return log-likelihoods relative to the population's, as the model gives them."""
    density = smoothed_density(lesson.rows.ages, lesson.learned.weights)
    top = likelihoods.max(axis=1, keepdims=True)
    relative: Array = likelihoods - top
    relative -= np.log(np.exp(relative) @ density)[:, np.newaxis]
    return relative


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


def _knots(rows: AgeRows) -> tuple[float, ...]:
    """Return the knots that enough people are near; nobody teaches what lies beyond them."""
    knots = list(KNOTS_YEARS)
    while len(knots) > 1:
        borders = [(low + high) / 2.0 for low, high in pairwise(knots)]
        nearest = np.searchsorted(borders, rows.ages)
        people = [rows.where(nearest == place).people for place in range(len(knots))]
        fewest = int(np.argmin(people))
        if people[fewest] >= FEWEST_PEOPLE_AT_KNOT:
            break
        del knots[fewest]
    return tuple(knots)
