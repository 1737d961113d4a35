"""The oracle's tables: the truth, and what could be known from what is observable.

Owns their columns. They are for judging a model on the simulation, never for fitting one.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from pairguard_training.simulation import encounters, harm
from pairguard_training.simulation.cells import (
    ids,
    pair_ids,
    participant_ids,
    snapshot_ids,
    words_of,
)
from pairguard_training.simulation.oracle import Beliefs, Observed, true_classes
from pairguard_training.simulation.states import (
    ADULT_AGE_YEARS,
    DAYS_PER_YEAR,
    Array,
    Index,
    Intent,
    states,
)


def oracle_frames(
    observed: Observed,
    beliefs: Beliefs,
    meetings: encounters.Encounters,
    happened: harm.Outcomes,
) -> dict[str, pl.DataFrame]:
    """Return the oracle's tables: truth, and what could be known from what is observable."""
    population = observed.population
    world = states()
    rows = np.arange(len(population.state))
    people = pl.DataFrame(
        {
            "participant_id": participant_ids(rows),
            "person_id": ids("person-", population.person),
            "true_age_years_on_day_0": world.age[population.state],
            "intent": words_of([i.name for i in Intent], world.intent[population.state]),
            "false_reports_organised": happened.targeted,
        }
    )
    owner = population.owner
    age = world.age[population.state[owner]] + population.time_days / DAYS_PER_YEAR
    sessions = pl.DataFrame(
        {
            "snapshot_id": snapshot_ids(np.arange(len(owner))),
            "participant_id": participant_ids(owner),
            "true_age_years": age,
            "probability_minor": _rounded(beliefs.minor),
            "probability_minor_before_labels": _rounded(beliefs.minor_before_labels),
            "probability_minor_given_15_to_20_before_labels": _rounded(beliefs.minor_near_line),
        }
    )
    first, second = meetings.first, meetings.second
    minor = age < ADULT_AGE_YEARS
    truth = true_classes(population)
    exact = harm.rates()
    here = (meetings.modality, truth[first], truth[second])
    pairs = pl.DataFrame(
        {
            "pair_id": pair_ids(np.arange(len(first))),
            "mixed": minor[first] != minor[second],
            "true_age_a_years": age[first],
            "true_age_b_years": age[second],
            "minor_adult_probability": _rounded(_mixed(beliefs.minor, first, second)),
            "minor_adult_probability_before_labels": _rounded(
                _mixed(beliefs.minor_before_labels, first, second)
            ),
            "harm_probability_clairvoyant": exact.harm[here],
            "harm_probability_bayes": _rounded(_marginal(exact.harm, beliefs, meetings)),
            "label_probability_clairvoyant": exact.label[here],
            "label_probability_bayes": _rounded(_marginal(exact.label, beliefs, meetings)),
            "harm_if_met": happened.harmed.any(axis=1),
        }
    )
    return {"participants": people, "snapshots": sessions, "pairs": pairs}


def _marginal(table: Array, beliefs: Beliefs, meetings: encounters.Encounters) -> Array:
    """Return (p,) the mean of a rate over what the oracle believes of both classes."""
    by_pair = table[meetings.modality]
    first, second = beliefs.classes[meetings.first], beliefs.classes[meetings.second]
    result: Array = np.einsum("pi,pij,pj->p", first, by_pair, second)
    return result


def _mixed(minor: Array, first: Index, second: Index) -> Array:
    a, b = minor[first], minor[second]
    return a * (1.0 - b) + b * (1.0 - a)


def _rounded(values: Array) -> Array:
    """Drop the digits that depend on how a machine orders its sums."""
    return np.clip(np.round(values, 12), 0.0, 1.0)
