"""The oracle: what can be known of the latent truth from exactly what a session shows.

Owns Bayes' rule over the states under the simulation's own densities. Given what is observable the
result is exact but for rounding and three named approximations: failed captures of a face (one in
ten thousand); one person's several ids, which it does not link; and past meetings, of which it sees
how many were with likely minors in every window, where a session shows sums weighed by probability.
The last tells it a little more than a session does, so its figures stay a bound.

Its figures bound what any model can do on this simulation. They say nothing of a real platform.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from pairguard_training.simulation.audits import Audits, audit_log_likelihood
from pairguard_training.simulation.behaviour import Behaviour
from pairguard_training.simulation.checks import (
    Checks,
    email_log_likelihood,
    identity_log_likelihood,
)
from pairguard_training.simulation.declaration import Declarations, declaration_log_likelihood
from pairguard_training.simulation.face import Faces, face_log_likelihood
from pairguard_training.simulation.platform_range import PlatformRanges, platform_log_likelihood
from pairguard_training.simulation.population import (
    Population,
    log_prior,
    tenure_log_likelihood,
)
from pairguard_training.simulation.states import (
    ADULT_AGE_YEARS,
    DAYS_PER_YEAR,
    LINE_YEARS,
    Array,
    Index,
    Mask,
    states,
)

# What matters for harm: minor or adult, times intent; the harmful are adults.
CLASSES = ("social_minor", "social_adult", "rude_minor", "rude_adult", "predatory", "posing")
_CHUNK = 1024
Progress = Callable[[str, float], None]


@dataclass(frozen=True, slots=True)
class Observed:
    """Everything that the simulation shows, from which the tables are made too.

    ``error_group`` is shown to audits alone: the oracle does not look at it.
    """

    population: Population
    year_of_signup: Array
    declarations: Declarations
    ranges: PlatformRanges
    faces: Faces
    checks: Checks
    audits: Audits
    behaviour: Behaviour
    error_group: Index

    def dated(self) -> tuple[tuple[Mask, Array], ...]:
        """Return who has a face, identity, e-mail and audit item (n,), and when (n,)."""
        return (
            (self.faces.held, self.faces.time_days),
            (~np.isnan(self.checks.identity_time_days), self.checks.identity_time_days),
            (~np.isnan(self.checks.email_time_days), self.checks.email_time_days),
            (self.audits.held, self.audits.time_days),
        )


@dataclass(frozen=True, slots=True)
class Beliefs:
    """The oracle's posterior of each session (m,).

    Attributes:
        classes: (m, 6) probability of each of ``CLASSES`` at the time of the session.
        minor_before_labels: (m,) probability of being a minor without the check that gave the
            participant's age label and without any dated evidence at or after it.
        minor_near_line: (m,) the same, given further that the age is from 15 to 20.
    """

    classes: Array
    minor_before_labels: Array
    minor_near_line: Array

    @property
    def minor(self) -> Array:
        """Return (m,) probability of being under the adult age."""
        result: Array = self.classes[:, 0] + self.classes[:, 2]
        return result


def believe(observed: Observed, *, progress: Progress | None = None) -> Beliefs:
    """Compute the posterior of every session."""
    population = observed.population
    sessions = len(population.owner)
    classes = np.empty((sessions, len(CLASSES)))
    before = np.empty(sessions)
    near_line = np.empty(sessions)
    prior = log_prior(population.session_rate)
    firsts = np.searchsorted(population.owner, np.arange(len(population.state) + 1))
    for start in range(0, len(population.state), _CHUNK):
        stop = min(start + _CHUNK, len(population.state))
        rows = np.arange(start, stop)
        span = slice(int(firsts[start]), int(firsts[stop]))
        chunk = _believe_chunk(observed, prior, rows, span)
        classes[span], before[span], near_line[span] = chunk
        if progress is not None:
            progress("oracle", stop / len(population.state))
    return Beliefs(classes, before, near_line)


def _believe_chunk(
    observed: Observed, prior: Array, rows: Index, span: slice
) -> tuple[Array, Array, Array]:
    """Return (k, 6) classes, and (k,) P(minor) before labels, over all ages and near the line."""
    population, behaviour = observed.population, observed.behaviour
    statistics, coefficients = behaviour.participant_terms
    own = prior[population.region[rows], population.entry[rows]]
    own = own + statistics[rows] @ coefficients
    own += tenure_log_likelihood(population.tenure_days[rows])
    own += declaration_log_likelihood(
        observed.declarations, population, observed.year_of_signup, rows
    )
    own += platform_log_likelihood(observed.ranges, observed.declarations, population, rows)
    owner = population.owner[span] - rows[0]
    statistics, coefficients = behaviour.session_terms
    undated = own[owner] + statistics[span] @ coefficients
    for weights, shares in behaviour.session_mixtures:
        undated += np.log(weights[span] @ shares)
    time = population.time_days[span]
    items = _dated_items(observed, rows)
    seen = [held[owner] & (when[owner] <= time) for _, held, when, _ in items]
    full = undated.copy()
    for (values, _, _, place), shown in zip(items, seen, strict=True):
        full[shown] += values[place[owner[shown]]]
    classes = _classes(full, time)
    before = classes[:, 0] + classes[:, 2]
    near_line = _minor_near_line(full, time)
    labelled, label_time = items[-1][1][owner], items[-1][2][owner]
    earlier = [
        shown & (when[owner] < label_time)
        for (_, _, when, _), shown in zip(items, seen, strict=True)
    ]
    differs = np.zeros(len(owner), dtype=bool)
    for shown, kept in zip(seen, earlier, strict=True):
        differs |= labelled & shown & ~kept
    if not differs.any():
        return classes, before, near_line
    without = undated[differs]
    for (values, _, _, place), kept in zip(items[:-1], earlier[:-1], strict=True):
        subset = kept[differs]
        without[subset] += values[place[owner[differs][subset]]]
    cut = _classes(without, time[differs])
    before[differs] = cut[:, 0] + cut[:, 2]
    near_line[differs] = _minor_near_line(without, time[differs])
    return classes, before, near_line


def _dated_items(observed: Observed, rows: Index) -> list[tuple[Array, Mask, Array, Index]]:
    """Return for each kind: its holders' log-likelihoods, who holds one, when, their place."""
    functions: tuple[Callable[[Index], Array], ...] = (
        lambda held: face_log_likelihood(observed.faces, observed.population, held),
        lambda held: identity_log_likelihood(observed.checks, held),
        lambda held: email_log_likelihood(observed.checks, held),
        lambda held: audit_log_likelihood(observed.audits, held),
    )
    items = []
    for (held, when), function in zip(observed.dated(), functions, strict=True):
        holders = rows[held[rows]]
        place = np.cumsum(held[rows]) - 1
        items.append((function(holders), held[rows], when[rows], place))
    return items


def _classes(log_weights: Array, time_days: Array) -> Array:
    """Return (k, 6) class probabilities from (k, S) log weights."""
    world = states()
    weights = np.exp(log_weights - log_weights.max(axis=1, keepdims=True))
    blocks = np.add.reduceat(weights, world.blocks, axis=1)
    total = blocks.sum(axis=1)
    limit = (ADULT_AGE_YEARS - time_days / DAYS_PER_YEAR)[:, None]
    result = np.empty((len(weights), len(CLASSES)))
    for intent in (0, 1):
        block = slice(world.blocks[intent], world.blocks[intent + 1])
        minor = (weights[:, block] * (world.age[block] < limit)).sum(axis=1)
        result[:, 2 * intent] = minor
        result[:, 2 * intent + 1] = np.maximum(blocks[:, intent] - minor, 0.0)
    result[:, 4] = blocks[:, 2]
    result[:, 5] = blocks[:, 3]
    result /= total[:, None]
    return result


def _minor_near_line(log_weights: Array, time_days: Array) -> Array:
    """Return (k,) P(minor | the age is from 15 to 20) from (k, S) log weights."""
    age = states().age + time_days[:, None] / DAYS_PER_YEAR
    near = (age >= LINE_YEARS[0]) & (age < LINE_YEARS[1])
    inside = np.where(near, log_weights, -np.inf)
    weights = np.exp(inside - inside.max(axis=1, keepdims=True))
    result: Array = (weights * (age < ADULT_AGE_YEARS)).sum(axis=1) / weights.sum(axis=1)
    return result


def true_classes(population: Population) -> Index:
    """Return (m,) the true class of each session's participant at its time."""
    world = states()
    state = population.state[population.owner]
    intent = world.intent[state]
    age = world.age[state] + population.time_days / DAYS_PER_YEAR
    minor = age < ADULT_AGE_YEARS
    result: Index = np.where(intent < 2, 2 * intent + ~minor, intent + 2)
    return result
