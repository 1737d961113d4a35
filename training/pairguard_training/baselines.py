"""Two models that learn from pairs directly, to compare with: what one would try first.

Owns their features and training. A logistic regression on symmetric features (least, greatest and
gap of everything known of the two) and LightGBM on the features of both side by side. Both see
the signals and a plain summary of the age evidence; neither knows an error model of any evidence.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from pairguard.age.evidence import (
    AgeCheck,
    CheckResult,
    FacialAgeEstimate,
    PlatformAgeRange,
    SelfDeclared,
    VerifiedAge,
)
from pairguard.risk.catalogue import SignalCatalogue
from pairguard.risk.participant import Participant
from pairguard_training.age_labels import SECONDS_PER_YEAR
from pairguard_training.boosting import Compute, Rows, best_rounds, train
from pairguard_training.comparison import (
    LOGISTIC,
    SIDE_BY_SIDE,
    EvaluationSettings,
    JudgedPairs,
)
from pairguard_training.tables.participants import observed_seconds, participants
from pairguard_training.tables.reading import Tables

Array = NDArray[np.float64]
Scorer = Callable[[Array, Array], Array]
"""(n, columns) of the first and of the second people to (n,) probabilities."""

_NAN = float("nan")
_MOST_ROUNDS = 150
_HELD_OUT = 5  # one pair in five, for the number of rounds
_BOUND = 6.0  # deviations at which standardised values are cut
_EPOCH_YEAR = 1970.0
_SETTINGS: dict[str, Any] = {
    "objective": "binary",
    "learning_rate": 0.05,
    "num_leaves": 15,
    "max_bin": 127,
    "min_data_in_leaf": 30,
    "lambda_l2": 5.0,
    "feature_fraction": 0.7,
}


def evidence_summary(person: Participant, now: float) -> list[float]:
    """Return what the age evidence plainly says, in the order of ``_SUMMARY``; NaN: nothing."""
    summary = dict.fromkeys(_SUMMARY, _NAN)
    for item in person.age_evidence:
        observation = item.observation
        elapsed = (
            0.0 if item.observed_time is None else (now - item.observed_time) / SECONDS_PER_YEAR
        )
        match observation:
            case SelfDeclared():
                years = _years(observation.age_years, observation.birth_year, elapsed, now)
                summary["declared"] = years
                if observation.gate_years is not None:
                    summary["gate"] = observation.gate_years
            case PlatformAgeRange():
                summary["lower"] = _or_nan(observation.lower_years)
                summary["upper"] = _or_nan(observation.upper_years)
            case FacialAgeEstimate():
                summary["face"] = float(np.fmin(summary["face"], observation.mean_years + elapsed))
            case AgeCheck():
                if observation.result is not CheckResult.INCONCLUSIVE:
                    name = "over" if observation.result is CheckResult.OVER else "under"
                    summary[name] = float(np.fmax(summary[name], observation.threshold_years))
            case VerifiedAge():
                years = _years(observation.age_years, observation.birth_year, elapsed, now)
                summary["verified"] = years
    return list(summary.values())


def fit_logistic_regression(first: Array, second: Array, labels: Array, weights: Array) -> Scorer:
    """Fit on symmetric features, unknown values at the median and told by a column of their own."""
    raw = _symmetric(first, second)
    known = ~np.isnan(raw)
    kept = known.any(axis=0)
    middles = np.zeros(raw.shape[1])
    middles[kept] = np.nanmedian(raw[:, kept], axis=0)
    filled = np.where(known, raw, middles)
    centre, spread = filled.mean(axis=0), filled.std(axis=0)
    spread[spread == 0.0] = 1.0

    def prepare(one: Array, other: Array) -> Array:
        values = _symmetric(one, other)
        unknown = np.isnan(values)
        scaled = (np.where(unknown, middles, values) - centre) / spread
        return np.hstack([np.clip(scaled, -_BOUND, _BOUND), unknown[:, kept].astype(np.float64)])

    model = LogisticRegression(C=0.1, solver="newton-cholesky", tol=1e-9, max_iter=500)
    model.fit(prepare(first, second), labels, sample_weight=weights)
    return lambda one, other: np.asarray(model.predict_proba(prepare(one, other))[:, 1])


def fit_side_by_side(
    first: Array, second: Array, labels: Array, weights: Array, *, compute: Compute
) -> Scorer:
    """Fit LightGBM on the features of both, the first's and then the second's."""
    rows = Rows(np.hstack([first, second]), labels, weights)
    aside = np.arange(labels.size) % _HELD_OUT == 0
    inner, outer = (
        Rows(rows.features[mask], labels[mask], weights[mask]) for mask in (~aside, aside)
    )
    rounds = 50
    if min(inner.labels.sum(), outer.labels.sum()) >= 10:
        rounds = best_rounds(
            inner, outer, _SETTINGS, most=_MOST_ROUNDS, compute=compute, title="baseline, rounds"
        )
    booster = train(rows, _SETTINGS, rounds=rounds, compute=compute, title="baseline")
    return lambda one, other: np.asarray(
        booster.predict(np.hstack([one, other]), num_threads=compute.threads)
    )


def fit_baselines(
    first: Array, second: Array, labels: Array, weights: Array, *, settings: EvaluationSettings
) -> dict[str, Scorer]:
    """Train both on the same (n, columns) pairs of people."""
    compute = Compute(threads=settings.threads, seed=settings.seed)
    return {
        LOGISTIC: fit_logistic_regression(first, second, labels, weights),
        SIDE_BY_SIDE: fit_side_by_side(first, second, labels, weights, compute=compute),
    }


def baseline_scores(
    scorers: Mapping[str, Scorer],
    catalogue: SignalCatalogue,
    tables: Tables,
    pairs: JudgedPairs,
    *,
    before_labels: bool,
) -> dict[str, Array]:
    """Return the (n,) probabilities of each baseline."""
    names = pairs.snapshots
    matrix = person_matrix(catalogue, tables, names, before_labels=before_labels)
    place = {name: row for row, name in enumerate(names)}
    first = matrix[[place[name] for name in pairs.snapshots_a]]
    second = matrix[[place[name] for name in pairs.snapshots_b]]
    return {name: scorer(first, second) for name, scorer in scorers.items()}


def person_matrix(
    catalogue: SignalCatalogue,
    tables: Tables,
    snapshot_ids: Sequence[str],
    *,
    before_labels: bool,
) -> Array:
    """Return (n, columns) what is plainly known of each snapshot's person."""
    people = participants(tables, snapshot_ids, before_labels=before_labels)
    times = observed_seconds(tables, snapshot_ids)
    vectors = np.stack([catalogue.vector(person).values for person in people])
    summaries = [
        evidence_summary(person, float(now)) for person, now in zip(people, times, strict=True)
    ]
    numbers, categories = len(catalogue.number_columns), catalogue.category_columns
    flags = []
    for column, signal in enumerate(categories, start=numbers):
        codes = vectors[:, column : column + 1]
        equal = codes == np.arange(len(signal.categories))
        flags.append(np.where(np.isnan(codes), _NAN, equal.astype(np.float64)))
    rest = vectors[:, numbers + len(categories) :]
    return np.hstack([vectors[:, :numbers], *flags, rest, np.array(summaries)])


_SUMMARY: Sequence[str] = (
    "declared", "gate", "lower", "upper", "face", "over", "under", "verified",
)  # fmt: skip


def _symmetric(first: Array, second: Array) -> Array:
    return np.hstack([np.fmin(first, second), np.fmax(first, second), np.abs(first - second)])


def _years(age: float | None, birth_year: int | None, elapsed: float, now: float) -> float:
    if age is not None:
        return age + elapsed
    if birth_year is None:
        return _NAN
    return _EPOCH_YEAR + now / SECONDS_PER_YEAR - birth_year - 0.5


def _or_nan(value: int | None) -> float:
    return _NAN if value is None else float(value)
