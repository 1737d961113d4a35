"""What minors would meet in a week under a policy.

Owns the figures of exposure: mixed pairs among the allowed, how much of what a minor meets is
adults, and how many minors meet one at all. What the model implies is computed from its own
probabilities and is only as true as these; random audits confirm it, and nothing else. Where the
data is a simulation's, what is true stands beside it.

The pairs are those that were proposed in the last week of the data: under another policy others
would be, and whoever is rerouted meets somebody else. That is named and not modelled.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from pairguard.policy.decision import DecisionKind
from pairguard.policy.regions import Policy
from pairguard.risk.model import RiskModel
from pairguard_training.assessing import Assessed, adult_ages_of, assess_snapshots
from pairguard_training.comparison import EvaluationSettings
from pairguard_training.harm_labels import pairs_with_people
from pairguard_training.pair_decisions import decide_pairs
from pairguard_training.resampling import Estimate, Resamples, with_unseen
from pairguard_training.splitting import Split, hash_fraction
from pairguard_training.tables.reading import Tables
from pairguard_training.truth import Truth

Array = NDArray[np.float64]

WEEK_DAYS = 7.0
MOST_PAIRS = 12_000
"""Pairs that are decided on at most, chosen with their people by hash."""
FEWEST_PAIRS = 100
"""Pairs below which nothing is told."""

MIXED_AMONG_ALLOWED = "mixed pairs among the allowed"
MEETINGS_WITH_ADULTS = "share of a minor's meetings that are with adults"
MINORS_EXPOSED = "minors who meet an adult at least once in the week"
MINORS_MEETING = "minors who meet anybody in the week"


@dataclass(frozen=True, slots=True)
class Exposure:
    """Figures of one week of proposed pairs; intervals by redrawing people.

    Attributes:
        days: Length of the week in the data.
        people: Held-out people whose pairs they are.
        pairs: Their proposed pairs in that time.
        allowed: Those that the policy allows.
        implied: What the model implies, by name; NaN: cannot be told.
        true: The same where a simulation knows; None: nobody knows.
    """

    days: float
    people: int
    pairs: int
    allowed: int
    implied: dict[str, Estimate]
    true: dict[str, Estimate] | None


@dataclass(frozen=True, slots=True)
class _Week:
    """Proposed pairs of held-out people; m pairs, s sides of them that are held-out people.

    Attributes:
        sides: (m) snapshots of both.
        groups: Groups of both, (m) each.
        owners: (s,) place of the person among ``people``.
        of_pair: (s,) place of the pair.
        second: (s,) 1 where the person is the pair's second, else 0.
        people: Group of each person.
        days: Length of the time.
    """

    sides: list[tuple[str, str]]
    groups: tuple[list[str], list[str]]
    owners: NDArray[np.intp]
    of_pair: NDArray[np.intp]
    second: NDArray[np.intp]
    people: list[str]
    days: float


def measure_exposure(
    model: RiskModel,
    tables: Tables,
    truth: Truth,
    *,
    policy: Policy,
    split: Split,
    settings: EvaluationSettings,
    notes: list[str],
) -> Exposure | None:
    """Return the exposure of the held-out people in the last week; None, with a note: too few.

    Their partners are whoever was proposed: of these the model may have learned from some.

    Args:
        model: What assesses.
        tables: The data set; no check that labelled somebody is seen, nor anything later.
        truth: Ages, where a simulation knows them all.
        policy: What decides.
        split: Who is held out.
        settings: Draws and seed.
        notes: Receives why there is none.
    """
    week = _last_week(tables, split, settings)
    if len(week.sides) < FEWEST_PAIRS:
        notes.append(
            f"{len(week.sides)} proposed pairs of held-out people in a week: exposure not told."
        )
        return None
    names = [name for side in week.sides for name in side]
    assessed = assess_snapshots(model, tables, names, before_labels=True, title="exposure")
    decisions = decide_pairs(model, policy, assessed, week.sides)
    allowed = np.array([found.kind is DecisionKind.ALLOW for found in decisions])
    mixed = np.array([found.risk.minor_adult_probability for found in decisions])
    minors = _probabilities(policy, assessed, week)
    implied = _estimates(week, allowed, mixed, minors, settings=settings)
    true = None
    if truth.simulated:
        really = _truth(policy, assessed, week, truth)
        different = (really[:, 0] != really[:, 1]).astype(np.float64)
        true = _estimates(week, allowed, different, really, settings=settings)
    return Exposure(
        days=week.days,
        people=len(week.people),
        pairs=len(week.sides),
        allowed=int(allowed.sum()),
        implied=implied,
        true=true,
    )


def _last_week(tables: Tables, split: Split, settings: EvaluationSettings) -> _Week:
    frame = pairs_with_people(tables)
    seconds = frame["proposed_time"].dt.epoch("us").cast(pl.Float64).to_numpy() / 1e6
    newest = float(seconds.max()) if seconds.size else 0.0
    first = max(newest - WEEK_DAYS * 86_400.0, split.later_from or -np.inf)
    inside = np.flatnonzero(seconds >= first)
    ones, others = frame["participant_a"].to_list(), frame["participant_b"].to_list()
    judged = {p for p, part in split.parts.items() if part in settings.judged}
    kept = _sample([(int(i), ones[i], others[i]) for i in inside], judged, split, settings.seed)
    rows = [row for row, _, _ in kept]
    owners: list[str] = []
    of_pair, second = [], []
    for place, (_, one, other) in enumerate(kept):
        for side, person in enumerate((one, other)):
            if person in judged:
                owners.append(person)
                of_pair.append(place)
                second.append(side)
    names = list(dict.fromkeys(owners))
    places = {name: place for place, name in enumerate(names)}
    return _Week(
        sides=list(
            zip(frame["snapshot_a"].gather(rows), frame["snapshot_b"].gather(rows), strict=True)
        ),
        groups=([split.groups[ones[i]] for i in rows], [split.groups[others[i]] for i in rows]),
        owners=np.array([places[name] for name in owners], dtype=np.intp),
        of_pair=np.array(of_pair, dtype=np.intp),
        second=np.array(second, dtype=np.intp),
        people=[split.groups[name] for name in names],
        days=float(newest - (seconds[inside].min() if inside.size else newest)) / 86_400.0,
    )


def _sample(
    pairs: list[tuple[int, str, str]], judged: set[str], split: Split, seed: int
) -> list[tuple[int, str, str]]:
    """Return the pairs of judged people; where they are too many, all pairs of fewer people."""
    found = [pair for pair in pairs if pair[1] in judged or pair[2] in judged]
    if len(found) > MOST_PAIRS:
        share = MOST_PAIRS / len(found)
        judged &= {
            person
            for person in judged
            if hash_fraction(f"exposure {split.groups[person]}", seed=seed) < share
        }
        found = [pair for pair in found if pair[1] in judged or pair[2] in judged]
    return found


def _probabilities(policy: Policy, assessed: Assessed, week: _Week) -> Array:
    """Return (m, 2) P(each is a minor) under the highest adult age that counts for the pair."""
    return np.array(
        [
            [assessed.assessments[name].age.probability_below(adult) for name in side]
            for side, adult in _with_adult_age(policy, assessed, week)
        ]
    )


def _truth(policy: Policy, assessed: Assessed, week: _Week, truth: Truth) -> Array:
    """Return (m, 2) whether each is a minor under that age."""
    return np.array(
        [
            [float(truth.ages[name] < adult) for name in side]
            for side, adult in _with_adult_age(policy, assessed, week)
        ]
    )


def _with_adult_age(
    policy: Policy, assessed: Assessed, week: _Week
) -> Iterator[tuple[tuple[str, str], int]]:
    people = assessed.participants
    for one, other in week.sides:
        yield (one, other), max(adult_ages_of(policy, people[one], people[other]))


def _estimates(
    week: _Week,
    allowed: NDArray[np.bool_],
    mixed: Array,
    minors: Array,
    *,
    settings: EvaluationSettings,
) -> dict[str, Estimate]:
    """Return the figures where ``mixed`` and ``minors`` are probabilities, or 0 and 1."""
    let = allowed.astype(np.float64)

    def of_pairs(drawn: Array) -> dict[str, float]:
        return {MIXED_AMONG_ALLOWED: _ratio(drawn * let * mixed, drawn * let)}

    found = Resamples(week.groups, count=settings.resamples, seed=settings.seed).estimate(
        of_pairs, np.ones(let.size)
    )
    found[MIXED_AMONG_ALLOWED] = with_unseen(
        found[MIXED_AMONG_ALLOWED], trials=_disjoint(week, allowed)
    )
    people = len(week.people)
    self_minor = minors[week.of_pair, week.second]
    adult_partner = 1.0 - minors[week.of_pair, 1 - week.second]
    met = let[week.of_pair]
    meetings = np.bincount(week.owners, weights=met, minlength=people)
    adults_met = np.bincount(week.owners, weights=met * adult_partner, minlength=people)
    # One may be seen in several sessions: the mean of what is believed.
    sessions = np.bincount(week.owners, minlength=people)
    is_minor = np.bincount(week.owners, weights=self_minor, minlength=people) / sessions
    never = np.bincount(
        week.owners,
        weights=met * np.log(np.clip(1.0 - adult_partner, 1e-300, 1.0)),
        minlength=people,
    )
    exposed = -np.expm1(never)
    meets = (meetings > 0.0).astype(np.float64)
    share = np.divide(adults_met, meetings, out=np.zeros(people), where=meetings > 0.0)

    def of_people(drawn: Array) -> dict[str, float]:
        each = drawn * is_minor
        return {
            MEETINGS_WITH_ADULTS: _ratio(each * meets * share, each * meets),
            MINORS_EXPOSED: _ratio(each * meets * exposed, each),
            MINORS_MEETING: _ratio(each * meets, each),
        }

    draws = Resamples([week.people], count=settings.resamples, seed=settings.seed)
    found |= draws.estimate(of_people, np.ones(people))
    for name, whose in (
        (MEETINGS_WITH_ADULTS, is_minor * meets),
        (MINORS_EXPOSED, is_minor),
        (MINORS_MEETING, is_minor),
    ):
        households = {week.people[place] for place in np.flatnonzero(whose > 0.5)}
        found[name] = with_unseen(found[name], trials=len(households))
    return found


def _disjoint(week: _Week, allowed: NDArray[np.bool_]) -> int:
    """Return the number of allowed pairs that share nobody with each other, in their order."""
    met: set[str] = set()
    count = 0
    for place in np.flatnonzero(allowed):
        both = (week.groups[0][place], week.groups[1][place])
        if met.isdisjoint(both):
            met.update(both)
            count += 1
    return count


def _ratio(part: Array, whole: Array) -> float:
    total = float(whole.sum())
    return float(part.sum()) / total if total > 0.0 else float("nan")
