"""Whether a model stacked on top of the posterior would know better, and what of it is served.

Owns the challengers, their judgement on people left out, the one weight that may be served, and
whether the posterior with it means what it says. It must not know how the behaviour model or the
tables were fitted.

The posterior adds the rows of behaviour and of evidence as if nothing but an age tied them
together. If they repeat each other, or one of them claims too much, weights would tell. Four
challengers are trained on all folds but one and judged on that one, against the posterior as it is.
The people have to be strangers to the tables and to the behaviour scores as well: those who taught
the error rates would make evidence seem surer than it is of others.

- ``behaviour weight``: one weight on behaviour's row. The bundle carries it as a temperature.
- ``pool``: further weights, each at most 1, on the rows of what was declared, estimated from a
  face, and checked.
- ``logistic stack`` and ``trees``: log-odds of the posterior and of its parts, and its entropy, as
  features. What they win over the pool is what no weights can give.

Only the first can win a place. Weights of at least 0 on rows keep what is promised of the
posterior: evidence of minority never lowers P(minor), order changes nothing, contributions stay
exact, and behaviour opens no pool by itself. The last two keep none of it; they are there to tell
what that costs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from sklearn.linear_model import LogisticRegression

from pairguard.risk.behaviour import CLIP_NATS
from pairguard_training.boosting import Compute, Rows, raw_scores, train
from pairguard_training.evidence_rows import GROUPS, EvidenceRows
from pairguard_training.line_calibration import ADULT_AGE_YEARS, line_calibration
from pairguard_training.manifest_figures import figure
from pairguard_training.resampling import Estimate, Resamples
from pairguard_training.splitting import hash_fraction

Array = NDArray[np.float64]
Claim = Callable[[NDArray[np.bool_], NDArray[np.bool_]], Array]
"""From the rows to learn from and those to judge to P(minor) of the latter."""

BEHAVIOUR_WEIGHT = "behaviour weight"
POOL = "pool"
LOGISTIC = "logistic stack"
TREES = "trees"

FEWEST_PEOPLE = 200
"""With evidence and behaviour, below which nothing is judged."""
FEWEST_OF_EITHER_SIDE = 25
FOLDS = 5
RESAMPLES = 1_000
SLOPE_RESAMPLES = 200
WEIGHT_DEVIATION = 0.25
"""How far a weight is expected to lie from 1 (assumed)."""

_TREE_ROUNDS = 60
_TREE_SETTINGS = {
    "objective": "binary",
    "learning_rate": 0.08,
    "num_leaves": 7,
    "min_data_in_leaf": 40,
    "lambda_l2": 20.0,
}
_EDGE = 1e-9


@dataclass(frozen=True, slots=True)
class StackingFit:
    """How the challengers did, and what of it is to be served.

    Attributes:
        people: People with evidence and behaviour on whom they were judged; few: none was.
        log_loss: Of the posterior as it is, in nats, on these people.
        gains: By challenger how many nats a person it is better, with its interval; below 0: worse.
        weights: Weights of the pool, learned from all of these people.
        behaviour_weight: Factor on the behaviour temperature that is to be served; 1: as it is.
        slopes: Calibration slopes of the posterior that is to be served, on these people:
            ``over_all`` of P(under 18), ``within_the_line`` of P(under 18 | 15 to 20).
    """

    people: int
    log_loss: float = float("nan")
    gains: dict[str, Estimate] = field(default_factory=dict)
    weights: dict[str, float] = field(default_factory=dict)
    behaviour_weight: float = 1.0
    slopes: dict[str, Estimate] = field(default_factory=dict)

    def to_mapping(self) -> dict[str, Any]:
        """Return the figures for the manifest; None: cannot be told."""
        return {
            "people": self.people,
            "log_loss": figure(self.log_loss),
            "gains": {
                name: [figure(gain.value), figure(gain.low), figure(gain.high)]
                for name, gain in self.gains.items()
            },
            "weights": {name: figure(weight) for name, weight in self.weights.items()},
            "behaviour_weight": figure(self.behaviour_weight),
            "calibration_slopes": {
                name: [figure(slope.value), figure(slope.low), figure(slope.high)]
                for name, slope in self.slopes.items()
            },
        }

    def sentence(self) -> str:
        """Return what people are told."""
        if not self.gains:
            return f"stacking: not judged, {self.people} people with evidence and behaviour"
        gained = "; ".join(
            f"{name} {gain.value:+.4f} [{gain.low:+.4f}, {gain.high:+.4f}]"
            for name, gain in self.gains.items()
        )
        return (
            f"stacking: {self.people} people who taught no table, log loss of the posterior "
            f"{self.log_loss:.4f}; gained by {gained}; factor on the behaviour temperature "
            f"{self.behaviour_weight:.2f}; evidence and behaviour together: slope of P(under 18) "
            f"{_slope(self.slopes['over_all'])}, of P(under 18 | 15-20) "
            f"{_slope(self.slopes['within_the_line'])}"
        )


def fit_stacking(
    evidence: EvidenceRows,
    behaviour: Array,
    groups: Sequence[str],
    *,
    most_behaviour_weight: float,
    compute: Compute,
) -> StackingFit:
    """Train and judge the challengers.

    Args:
        evidence: What evidence says of n labelled rows, whom behaviour is known of as well.
        behaviour: (n, 101) their tempered behaviour rows, not yet clipped, by models that have not
            seen them.
        groups: (n,) whose rows share a fold, e.g. a household's.
        most_behaviour_weight: Bound on the factor on the temperature.
        compute: Threads and seed.
    """
    people = evidence.rows.people
    minor = evidence.rows.ages < ADULT_AGE_YEARS
    sides = [evidence.rows.where(side).people for side in (minor, ~minor)]
    if people < FEWEST_PEOPLE or min(sides) < FEWEST_OF_EITHER_SIDE:
        return StackingFit(people)
    pool = _Pool(evidence, behaviour, most_behaviour_weight)
    features = _features(pool)
    challengers: dict[str, Claim] = {
        BEHAVIOUR_WEIGHT: lambda learn, judge: pool.claims(pool.fit(learn, evidence=False), judge),
        POOL: lambda learn, judge: pool.claims(pool.fit(learn, evidence=True), judge),
        LOGISTIC: lambda learn, judge: _logistic(features, pool, learn, judge),
        TREES: lambda learn, judge: _trees(features, pool, learn, judge, compute),
    }
    folds = np.array([int(FOLDS * hash_fraction(f"stack {g}", seed=compute.seed)) for g in groups])
    everybody = np.ones(len(folds), dtype=np.bool_)
    champion = pool.losses(pool.claims(pool.as_it_is, everybody))
    better = {name: np.zeros(len(folds)) for name in challengers}
    for fold in range(FOLDS):
        judge = folds == fold
        if not judge.any() or not 0 < minor[~judge].sum() < (~judge).sum():
            continue
        for name, claim in challengers.items():
            told = np.full(len(folds), 0.5)
            told[judge] = claim(~judge, judge)
            better[name][judge] = (champion - pool.losses(told))[judge]
    weights = evidence.rows.weights
    gains = Resamples([groups], count=RESAMPLES, seed=compute.seed).estimate(
        lambda drawn: {
            name: float((drawn * each).sum() / max(drawn.sum(), _EDGE))
            for name, each in better.items()
        },
        weights,
    )
    full = pool.fit(everybody, evidence=True)
    shipped = gains[BEHAVIOUR_WEIGHT].low > 0.0
    served = pool.as_it_is
    if shipped:
        served[0] = pool.fit(everybody, evidence=False)[0]
    posteriors = pool.posteriors(served, everybody)

    def slopes(drawn: Array) -> dict[str, float]:
        found = line_calibration(posteriors, evidence.rows.ages, drawn)
        return {"over_all": found.over_all, "within_the_line": found.within_the_line}

    return StackingFit(
        people=people,
        log_loss=float((weights * champion).sum() / weights.sum()),
        gains=gains,
        weights=dict(zip(("behaviour", *GROUPS), full.tolist(), strict=True)),
        behaviour_weight=float(served[0]),
        slopes=Resamples([groups], count=SLOPE_RESAMPLES, seed=compute.seed).estimate(
            slopes, weights
        ),
    )


@dataclass(frozen=True, slots=True)
class _Pool:
    """Posteriors with a weight on each row: behaviour's first, then those of ``GROUPS``."""

    evidence: EvidenceRows
    behaviour: Array
    most_behaviour_weight: float

    @property
    def as_it_is(self) -> Array:
        return np.ones(1 + len(GROUPS))

    @property
    def minor(self) -> NDArray[np.bool_]:
        found: NDArray[np.bool_] = self.evidence.rows.ages < ADULT_AGE_YEARS
        return found

    def posteriors(self, weights: Array, mask: NDArray[np.bool_]) -> Array:
        # Clipped after it is weighted, as when it serves.
        log = np.clip(weights[0] * self.behaviour[mask], -CLIP_NATS, CLIP_NATS)
        for place, row in enumerate(self.evidence.by_group, start=1):
            if weights[place] != 1.0:
                log = log + (weights[place] - 1.0) * row[mask]
        log -= log.max(axis=1, keepdims=True)
        p: Array = np.exp(log) * self.evidence.posteriors[mask]
        p /= p.sum(axis=1, keepdims=True)
        return p

    def claims(self, weights: Array, mask: NDArray[np.bool_]) -> Array:
        found: Array = self.posteriors(weights, mask)[:, :ADULT_AGE_YEARS].sum(axis=1)
        return found

    def losses(self, claims: Array, mask: NDArray[np.bool_] | None = None) -> Array:
        minor = self.minor if mask is None else self.minor[mask]
        told: Array = -np.log(np.clip(np.where(minor, claims, 1.0 - claims), _EDGE, 1.0))
        return told

    def fit(self, mask: NDArray[np.bool_], *, evidence: bool) -> Array:
        """Return the weights of the least loss on some rows, held near 1."""
        rows = self.evidence.rows.where(mask)
        free = 1 + (len(GROUPS) if evidence else 0)
        pull = 0.5 / (WEIGHT_DEVIATION**2 * rows.effective_people)

        def loss(weights: Array) -> float:
            full = self.as_it_is
            full[:free] = weights
            each = self.losses(self.claims(full, mask), mask)
            surprise = float((rows.weights * each).sum() / rows.weights.sum())
            return surprise + pull * float(((weights - 1.0) ** 2).sum())

        most = self.as_it_is[:free]
        most[0] = max(self.most_behaviour_weight, 1.0)
        bounds = [(0.0, float(each)) for each in most]
        found = minimize(loss, np.ones(free), bounds=bounds, method="L-BFGS-B")
        full = self.as_it_is
        full[:free] = np.clip(found.x, 0.0, most)
        return full


def _slope(slope: Estimate) -> str:
    return f"{slope.value:.2f} [{slope.low:.2f}, {slope.high:.2f}]"


def _features(pool: _Pool) -> Array:
    """Return (n, 4): log-odds of the posterior, of evidence, of behaviour alone; entropy."""
    everybody = np.ones(len(pool.behaviour), dtype=np.bool_)
    fused = pool.posteriors(pool.as_it_is, everybody)
    alone = np.exp(np.clip(pool.behaviour, -CLIP_NATS, CLIP_NATS)) * pool.evidence.priors
    alone /= alone.sum(axis=1, keepdims=True)
    entropy = -(fused * np.log(np.maximum(fused, 1e-300))).sum(axis=1)
    posteriors = (fused, pool.evidence.posteriors, alone)
    odds = [_log_odds(each[:, :ADULT_AGE_YEARS].sum(axis=1)) for each in posteriors]
    return np.column_stack([*odds, entropy])


def _log_odds(probabilities: Array) -> Array:
    inside = np.clip(probabilities, 1e-6, 1.0 - 1e-6)
    found: Array = np.log(inside) - np.log1p(-inside)
    return found


def _logistic(
    features: Array, pool: _Pool, learn: NDArray[np.bool_], judge: NDArray[np.bool_]
) -> Array:
    weights = pool.evidence.rows.weights[learn]
    centre, spread = features[learn].mean(axis=0), features[learn].std(axis=0) + _EDGE
    model = LogisticRegression(C=1.0, solver="newton-cholesky", tol=1e-9)
    model.fit(
        (features[learn] - centre) / spread,
        pool.minor[learn],
        sample_weight=weights / weights.mean(),
    )
    found: Array = model.predict_proba((features[judge] - centre) / spread)[:, 1]
    return found


def _trees(
    features: Array,
    pool: _Pool,
    learn: NDArray[np.bool_],
    judge: NDArray[np.bool_],
    compute: Compute,
) -> Array:
    weights = pool.evidence.rows.weights[learn]
    rows = Rows(features[learn], pool.minor[learn].astype(np.float64), weights / weights.mean())
    booster = train(
        rows, _TREE_SETTINGS, rounds=_TREE_ROUNDS, compute=compute, title="stacked trees"
    )
    found: Array = 1.0 / (1.0 + np.exp(-raw_scores(booster, features[judge])))
    return found
