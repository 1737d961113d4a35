"""Refitting the error model of facial estimates, provider by provider, from verified people.

Owns the choice of smoothing, the judgement on people not used, and the age tables' new presets. It
must not know how the density is estimated (``face_density``) nor which people there are
(``face_labels``).

Every choice is made by cross-validation over people (households stay together): the smoothing on
the people outside a fold, the judgement on those inside, so that nobody judges what they taught.
Two scores count alike: the log density of the estimate given the age, which the model is of, and
the log probability of the true year of age given the estimate, where ages are as common as among
these people, which it is for: how often an estimate is given at all does not help it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pairguard.age.face import FaceErrorModel, FaceErrorTable
from pairguard.age.parameters import AGE_GRID
from pairguard.age.tables import AgeTables
from pairguard_training.age_prior import smoothed_density
from pairguard_training.face_density import (
    PRESET_PEOPLE,
    Estimates,
    FaceSmoothing,
    PresetMeasure,
    fitted_shares,
    product,
)
from pairguard_training.face_kindness import seen_minors
from pairguard_training.face_labels import FaceRows
from pairguard_training.face_report import FaceBand, FaceErrors, FaceReport
from pairguard_training.splitting import hash_fraction
from pairguard_training.verified_evidence import effective_people

Array = NDArray[np.float64]
Index = NDArray[np.intp]

FEWEST_PEOPLE = 40
"""Effective people of one provider below which its preset stays."""
MOST_PEOPLE = 20_000
"""People used of one provider: more teach nothing that a table could hold."""
BANDS = (("13-17", 13, 18), ("18-24", 18, 25), ("25+", 25, 101))

_FOLDS, _INNER_FOLDS = 4, 3
_CHOOSING_PEOPLE = 3_000  # who choose the smoothing
_START = FaceSmoothing(6.0, 3.0)
_CHOICES: tuple[tuple[dict[str, Any], ...], ...] = (
    ({"reach_years": 2.5}, {"reach_years": 4.0}, {"reach_years": 8.0}),
    ({"attractor_people": 40.0}, {"attractor_people": 12.0}),
    ({"shape": True}, {"degrees_of_freedom": 6.0}),
)
"""Alternatives to what stands so far, choice by choice."""

_EVEN_SHARE = 0.02  # of the ages against which a true age stands out: none is impossible
_KNOTS = (*range(0, 8, 2), *range(8, 36), *range(38, 72, 3), 78, 88, 100)
_DECIMALS = 6


def with_fitted_faces(
    tables: AgeTables,
    rows_by_provider: Mapping[str, FaceRows],
    *,
    groups: Mapping[str, str],
    seed: int,
) -> tuple[AgeTables, list[FaceReport]]:
    """Return the tables with the models that are better on people not used, and a report of each.

    A provider that is not told ("") is one as well, and its model is used only where none is told:
    a provider with a name of which nothing is known keeps the default preset.

    Args:
        tables: Whose presets are refitted.
        rows_by_provider: Estimates with true ages (``face_rows``).
        groups: Household of each person; they stay in one fold.
        seed: Seed of the folds.
    """
    reports, presets, providers = [], {}, {}
    for provider, rows in rows_by_provider.items():
        report, shares, told = _fit_provider(tables, provider, rows, groups, seed)
        reports.append(report)
        if not report.taken:
            continue
        name = f"fitted {provider.replace('.', '_') or '(no name)'}"  # a dot divides paths
        while name in presets:
            name += "_"
        presets[name] = _preset_document(report, rows, shares, told)
        providers[provider] = name
    if not presets:
        return tables, reports
    face = tables.document["facial_age_estimate"]
    kept = {name: to for name, to in face["providers"].items() if name.lower() not in providers}
    face = {
        **face,
        "presets": {**face["presets"], **presets},
        "providers": {**kept, **providers},
    }
    return AgeTables.from_mapping({**tables.document, "facial_age_estimate": face}), reports


def _fit_provider(
    tables: AgeTables, provider: str, rows: FaceRows, groups: Mapping[str, str], seed: int
) -> tuple[FaceReport, Array, Estimates]:
    preset = tables.face_providers.get(provider, tables.default_face_preset)
    people = rows.people
    effective = effective_people(rows.participants.tolist(), rows.weights)
    told = Estimates.of(rows.estimates, rows.weights)
    model, line = tables.face_models[preset], tables.reference_age_years
    minors = seen_minors(model, rows, line)
    if effective < FEWEST_PEOPLE:
        reason = (
            f"{people} verified people have an estimate (effective {effective:.0f}); "
            f"{FEWEST_PEOPLE} are needed"
        )
        report = FaceReport(provider, preset, people, taken=False, reason=reason, minors=minors)
        return report, np.empty(0), told
    rows = _at_most(rows, MOST_PEOPLE, seed)
    fit = _Fit(PresetMeasure.of(model, told, line))
    # Nobody left out, as where all are one household: no gain, and nothing is taken.
    before, after = np.zeros((2, rows.ages.size)), np.zeros((2, rows.ages.size))
    fold_of = _folds(rows, groups, _FOLDS, seed, "fold")
    for fold in range(_FOLDS):
        inside = fold_of == fold
        if not inside.any() or inside.all():
            continue
        taught = rows.where(~inside)
        # Which values are told is learned from the others as well.
        others = _Fit(PresetMeasure.of(model, Estimates.of(taught.estimates, taught.weights), line))
        fitted = others.table(others.shares(taught, others.choose(taught, groups, seed)))
        before[:, inside] = others.scores(model, rows.where(inside), taught)
        after[:, inside] = others.scores(fitted, rows.where(inside), taught)
    smoothing = fit.choose(rows, groups, seed)
    shares = fit.shares(rows, smoothing)
    gain, error = _mean_gain(rows, (after - before).mean(axis=0))
    age_gain, _ = _mean_gain(rows, after[1] - before[1])
    young = rows.ages < line
    lost, lost_error = _mean_gain(rows.where(young), (after - before)[0, young])
    reason = f"gain of {gain:.3f} nats a person, standard error {error:.3f}"
    taken = gain > error and age_gain > 0.0
    if not taken:
        reason += ": not surely better"
    elif lost < -lost_error:
        taken = False
        reason += f"; but the estimates of minors lose {-lost:.3f}, standard error {lost_error:.3f}"
    bands = _bands(rows, model, fit.table(shares), after[0] - before[0])
    weights = rows.weights / rows.weights.sum()
    report = FaceReport(
        provider,
        preset,
        people,
        taken=taken,
        reason=reason,
        smoothing=smoothing,
        preset_log_likelihood=float(weights @ before[0]),
        fitted_log_likelihood=float(weights @ after[0]),
        preset_age_score=float(weights @ before[1]),
        fitted_age_score=float(weights @ after[1]),
        gain_nats=gain,
        gain_error_nats=error,
        bands=bands,
        minors=minors,
    )
    return report, shares, told


@dataclass(frozen=True, slots=True)
class _Fit:
    """What all fits to one provider share."""

    measure: PresetMeasure

    def shares(self, rows: FaceRows, smoothing: FaceSmoothing) -> Array:
        return fitted_shares(rows, self.measure, smoothing)

    def table(self, shares: Array) -> FaceErrorTable:
        told = self.measure.told
        return FaceErrorTable.from_nodes(told.nodes, shares, told.resolution_years)

    def choose(self, rows: FaceRows, groups: Mapping[str, str], seed: int) -> FaceSmoothing:
        """Return the smoothing with the best score on people aside, one choice after the other."""
        rows = _at_most(rows, _CHOOSING_PEOPLE, seed)
        fold_of = _folds(rows, groups, _INNER_FOLDS, seed, "inner fold")

        def score(smoothing: FaceSmoothing) -> float:
            total = 0.0
            for fold in range(_INNER_FOLDS):
                inside = fold_of == fold
                if inside.any() and not inside.all():
                    taught, aside = rows.where(~inside), rows.where(inside)
                    fitted = self.table(self.shares(taught, smoothing))
                    total += float(self.scores(fitted, aside, taught).sum(axis=0) @ aside.weights)
            return total

        best, best_score = _START, score(_START)
        for alternatives in _CHOICES:
            for candidate in [replace(best, **change) for change in alternatives]:
                found = score(candidate)
                if found > best_score:
                    best, best_score = candidate, found
        return best

    def scores(self, model: FaceErrorModel, rows: FaceRows, taught: FaceRows) -> Array:
        """Return (2, n) log density of the estimates, and log probability of the true ages."""
        common = smoothed_density(taught.ages.astype(np.float64), taught.weights)
        common = (1.0 - _EVEN_SHARE) * common + _EVEN_SHARE / common.size
        values, place = np.unique(rows.estimates, return_inverse=True)
        honest = np.exp([model.log_density(float(value)) for value in values])
        mixed = product(honest, rows.others)[rows.captures, place]
        own = mixed[np.arange(rows.ages.size), rows.ages]
        scores: Array = np.log(np.stack([own, own * common[rows.ages] / (mixed @ common)]))
        return scores


def _mean_gain(rows: FaceRows, gains: Array) -> tuple[float, float]:
    """Return the mean gain a person and its standard error."""
    if not rows.people:
        return 0.0, 0.0
    _, person = np.unique(rows.participants, return_inverse=True)
    weights = np.bincount(person, rows.weights)
    gain = np.bincount(person, rows.weights * gains) / weights
    mean = float(weights @ gain / weights.sum())
    return mean, float(np.sqrt((weights**2) @ (gain - mean) ** 2) / weights.sum())


def _bands(
    rows: FaceRows, preset: FaceErrorModel, fitted: FaceErrorTable, gains: Array
) -> dict[str, FaceBand]:
    moments = [_moments(model, fitted) for model in (preset, fitted)]
    bands = {}
    for name, low, high in BANDS:
        inside = (rows.ages >= low) & (rows.ages < high)
        part = rows.where(inside)
        if not part.people:
            continue
        weights = part.weights / part.weights.sum()
        error = part.estimates - part.ages - 0.5
        told = (error, error**2)
        seen, *modelled = (
            _errors(float(weights @ mean), float(weights @ square))
            for mean, square in (told, *((m[part.ages], s[part.ages]) for m, s in moments))
        )
        bands[name] = FaceBand(
            people=part.people,
            seen=seen,
            preset=modelled[0],
            fitted=modelled[1],
            gain_nats=float(weights @ gains[inside]),
        )
    return bands


def _errors(mean: float, square: float) -> FaceErrors:
    return FaceErrors(bias=mean, spread=float(np.sqrt(max(square - mean**2, 0.0))))


def _moments(model: FaceErrorModel, like: FaceErrorTable) -> tuple[Array, Array]:
    """Return (101,) mean and mean square of estimate minus mid-year age, under a model."""
    told = like.lowest_years + like.resolution_years * np.arange(like.shares.shape[0])
    density = np.exp([model.log_density(float(value)) for value in told])
    density /= density.sum(axis=0)
    error = told[:, np.newaxis] - AGE_GRID - 0.5
    return (density * error).sum(axis=0), (density * error**2).sum(axis=0)


def _at_most(rows: FaceRows, people: int, seed: int) -> FaceRows:
    """Return the rows of at most so many people."""
    names, person = np.unique(rows.participants, return_inverse=True)
    if names.size <= people:
        return rows
    order = np.argsort([hash_fraction(f"face {name}", seed=seed) for name in names])
    chosen = np.zeros(names.size, dtype=np.bool_)
    chosen[order[:people]] = True
    return rows.where(chosen[person])


def _folds(rows: FaceRows, groups: Mapping[str, str], count: int, seed: int, purpose: str) -> Index:
    names, person = np.unique(rows.participants, return_inverse=True)
    fold = [
        int(count * hash_fraction(f"{purpose} {groups.get(str(name), str(name))}", seed=seed))
        for name in names
    ]
    return np.array(fold, dtype=np.intp)[person]


def _preset_document(
    report: FaceReport, rows: FaceRows, shares: Array, told: Estimates
) -> dict[str, Any]:
    """Return the preset as the age tables hold it; an estimate is told ``resolution_years``."""
    until = f", estimates until {rows.newest}" if rows.newest else ""
    source = (
        f"fitted: {report.people} verified people{until}; smoothed over ages, mixed with "
        f"{PRESET_PEOPLE:.0f} people's worth of the preset {report.preset!r} at each age; "
        f"on people not used {report.reason}"
    )
    kept = np.round(shares, _DECIMALS)
    return {
        "resolution_years": {
            "value": told.resolution_years,
            "source": "fitted: the steps in which its estimates are told",
        },
        "distribution": {
            "ages": list(_KNOTS),
            "outcomes": [_short(node) for node in told.nodes],
            "shares": [[_short(share) for share in kept[:, age]] for age in _KNOTS],
            "source": source,
        },
    }


def _short(value: float) -> float:
    """Return a number that is written short: whole ones without a point."""
    number = round(float(value), _DECIMALS)
    return int(number) if number == int(number) else number
