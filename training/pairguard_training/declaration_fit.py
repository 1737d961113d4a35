"""Who says what about their age at sign-up, from verified people who had declared one.

Owns a small maximum a posteriori fit of the declaration model: the curves of the preset, each
shifted (and tilted) in log-odds, and how false claims of an adult age are spread. Pseudo-counts
hold them at the preset, so that few people move them little and no age alone makes a step.

Behind a sign-up gate only those who passed are seen; the likelihood is conditional on that, as
when serving, so children behind an 18+ gate teach nothing of how many claim to be 18, but what
they claim then. It is the likelihood that serves, made-up statements and borrowed accounts mixed
in. Not modelled: that entry paths, regions or platforms differ, and ages that liars favour.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from pairguard.age.declaration import DeclarationModel
from pairguard.age.parameters import AGE_COUNT
from pairguard.age.tables import AgeTables
from pairguard_training.declaration_rates import (
    CHILD_PARAMETERS,
    MISSTATEMENT,
    PARAMETERS,
    WIDEST_NATS,
    DeclarationRates,
    cautious_rates,
    model_of_rates,
    preset_rates,
)
from pairguard_training.declared_ages import ADULT_YEARS, DeclaredAges, declared_ages
from pairguard_training.error_rates import EXCLUDED_YEARS, FEWEST_PEOPLE, PRESET_PEOPLE
from pairguard_training.rate_report import RateReport, rounded
from pairguard_training.verified_evidence import VerifiedItem, others_statements

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

REPORTED_AGES = (10, 13, 16)
_STEP = 1e-3
_FLATTEST = 1e-2  # a standard deviation of ten nats: nothing is known


def with_fitted_declarations(
    tables: AgeTables, items: Sequence[VerifiedItem]
) -> tuple[AgeTables, list[RateReport]]:
    """Return the tables with the declaration's rates that verified people teach.

    ``adult_claim`` and ``older_claim`` need ``FEWEST_PEOPLE`` effective children who could have
    said that they are children, ``adult_misstatement`` as many adults, and the spread of false
    claims as many children who said that they are adults. A curve falls below its preset only as
    far as the upper end of its 90 % interval: a declared age that children are believed to give
    honestly speaks for an adult all the more, and so does one that liars are believed never to say.

    Args:
        tables: The presets.
        items: What people of known age had shown.
    """
    said = declared_ages(tables, items)
    children, effective_children = said.among(said.open_children)
    adults, effective_adults = said.among(said.ages >= ADULT_YEARS)
    free = np.zeros(PARAMETERS, dtype=np.bool_)
    free[:CHILD_PARAMETERS] = effective_children >= FEWEST_PEOPLE
    free[MISSTATEMENT] = effective_adults >= FEWEST_PEOPLE
    liars, effective_liars = said.among(said.false_adults)
    free[MISSTATEMENT + 1 :] = effective_liars >= FEWEST_PEOPLE
    preset = preset_rates(tables)
    fitted = preset
    if free.any():
        fitted = cautious_rates(preset, *_most_likely(tables, said, preset, free), free)
    reports = [
        RateReport(
            name=f"self_declared.{name} at {age}",
            preset=float(before[age]),
            fitted=rounded(float(after[age])) if free[0] else float(before[age]),
            observed=said.adult_share(age) if name == "adult_claim" else None,
            people=children,
            effective_people=effective_children,
        )
        for name, before, after in (
            ("adult_claim", preset.adult_claim, fitted.adult_claim),
            ("older_claim", preset.older_claim, fitted.older_claim),
        )
        for age in REPORTED_AGES
    ]
    misstatement = RateReport(
        name="self_declared.adult_misstatement",
        preset=preset.misstatement,
        fitted=rounded(fitted.misstatement) if free[MISSTATEMENT] else preset.misstatement,
        observed=None,
        people=adults,
        effective_people=effective_adults,
    )
    reports.append(misstatement)
    spread = _spread_reports(preset, fitted if free[-1] else preset, liars, effective_liars)
    reports += spread
    if not free.any():
        return tables, reports
    before = tables.document["self_declared"]
    section: dict[str, Any] = dict(before)
    if free[0]:
        for name, curve in (
            ("adult_claim", fitted.adult_claim),
            ("older_claim", fitted.older_claim),
        ):
            source = _source(children, effective_children, before[name]["source"])
            section[name] = _curve(curve, source)
    for report in spread if free[-1] else ():
        name = report.name.partition(".")[2]
        source = _source(liars, effective_liars, before[name]["source"])
        section[name] = {"value": report.fitted, "source": source}
    if free[MISSTATEMENT]:
        source = _source(adults, effective_adults, before["adult_misstatement"]["source"])
        section["adult_misstatement"] = {"value": misstatement.fitted, "source": source}
    return AgeTables.from_mapping({**tables.document, "self_declared": section}), reports


def _spread_reports(
    preset: DeclarationRates, fitted: DeclarationRates, liars: int, effective_liars: float
) -> list[RateReport]:
    """Return what became of the two numbers that say how false claims are spread."""
    return [
        RateReport(
            name=f"self_declared.{name}",
            preset=before,
            fitted=rounded(after) if after != before else before,
            observed=None,
            people=liars,
            effective_people=effective_liars,
        )
        for name, before, after in (
            ("adult_claim_decay", preset.decay, fitted.decay),
            ("adult_claim_uniform_share", preset.uniform_share, fitted.uniform_share),
        )
    ]


def _most_likely(
    tables: AgeTables, said: DeclaredAges, preset: DeclarationRates, free: Mask
) -> tuple[Array, Array]:
    """Return (k,) the most likely parameters, and their (k, k) covariance (Laplace)."""
    others = others_statements(
        tables, attack=tables.declaration_attack, attack_group="account", live=False
    )
    counts = said.weights * (said.among(said.ages >= 0.0)[1] / said.weights.sum())
    model_of, rows_of = model_of_rates(tables), _rows_of(said)
    items, ages = np.nonzero(said.spread)  # a label leaves few ages
    shares = said.spread[items, ages]

    def surprise(values: Array) -> float:
        parameters = np.zeros(PARAMETERS)
        parameters[free] = values
        rates = preset.moved(parameters)
        # Not a product of matrices: on a busy machine its threads wait for each other far longer.
        mixed = np.einsum("ka,ab->kb", rows_of(model_of(rates)), others)
        chances = np.bincount(items, mixed[said.key[items], ages] * shares, said.key.size)
        seen = -float((counts * np.log(np.maximum(chances, 1e-300))).sum())
        return seen + preset.surprise_at(rates)

    start = np.zeros(int(free.sum()))
    found = minimize(
        surprise,
        start,
        method="L-BFGS-B",
        bounds=[(-WIDEST_NATS, WIDEST_NATS)] * start.size,
        options={"maxiter": 100},
    )
    parameters = np.zeros(PARAMETERS)
    parameters[free] = found.x
    covariance = np.zeros((PARAMETERS, PARAMETERS))
    covariance[np.ix_(free, free)] = _inverse(_curvature(surprise, found.x))
    return parameters, covariance


def _rows_of(said: DeclaredAges) -> Callable[[DeclarationModel], Array]:
    """Return what gives (keys, 101) likelihoods of all that was said, the mean of its two ages."""
    ages = np.array([key[:2] for key in said.keys], dtype=np.intp).reshape(-1, 2)
    gates = np.array([key[2] or 0.0 for key in said.keys])
    groups = [(gate, np.flatnonzero(gates == gate)) for gate in np.unique(gates).tolist()]

    def rows_of(model: DeclarationModel) -> Array:
        rows = np.empty((len(ages), AGE_COUNT))
        for gate, places in groups:
            each = [model.likelihoods(ages[places, side], gate or None) for side in (0, 1)]
            rows[places] = 0.5 * (each[0] + each[1])
        return rows

    return rows_of


def _curvature(surprise: Callable[[Array], float], place: Array) -> Array:
    """Return the (k, k) second derivatives by central differences."""
    steps = _STEP * np.eye(place.size)
    result = np.empty((place.size, place.size))
    for i, one in enumerate(steps):
        for j, other in enumerate(steps[: i + 1]):
            result[i, j] = result[j, i] = (
                surprise(place + one + other)
                - surprise(place + one - other)
                - surprise(place - one + other)
                + surprise(place - one - other)
            ) / (4.0 * _STEP**2)
    return result


def _inverse(curvature: Array) -> Array:
    """Return the inverse; where the surprise is flat the variance is large, never negative."""
    sizes, directions = np.linalg.eigh(curvature)
    result: Array = (directions / np.maximum(sizes, _FLATTEST)) @ directions.T
    return result


def _curve(curve: Array, source: str) -> dict[str, Any]:
    ages = [*range(ADULT_YEARS), ADULT_YEARS, AGE_COUNT - 1]
    values = [rounded(float(curve[age])) for age in range(ADULT_YEARS)]
    return {"ages": ages, "values": [*values, 0.0, 0.0], "source": source}


def _source(people: int, effective: float, before: str) -> str:
    return (
        f"fitted: {people} people of known age (effective {effective:.0f}), {EXCLUDED_YEARS:g} "
        f"year or more from {ADULT_YEARS}, the preset moved in log-odds and shrunk to itself; it "
        f"counts for {PRESET_PEOPLE:.0f} people ({before})"
    )
