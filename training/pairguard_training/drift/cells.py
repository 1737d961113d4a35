"""From values to the cells of a reference.

Owns where cells begin and end, and which words are listed. It must not know whose values they are.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pairguard.age.evidence import EVIDENCE_KINDS
from pairguard.drift.comparison import FEWEST_SHOWN
from pairguard.drift.groups import GROUPS, OTHER, Absent, Group, Unit
from pairguard.drift.sightings import Key, Sightings
from pairguard.drift.variables import Variable
from pairguard.risk.catalogue import SignalCatalogue
from pairguard_training.drift.looking import Seen

Array = NDArray[np.float64]

MOST_WORDS: Final = 32
MOST_NAMES: Final = 24
"""Of methods, providers and what each said; bounds the labels of metrics."""
FEWEST_OF_VENDOR: Final = 30
"""Of how many people on it is worth to count what a provider says."""
MOST_VALUES: Final = 12
"""Up to so many different numbers each has a cell of its own."""
DAY_SHARE: Final = 0.25
"""Of a signal's variance between days: from there on days differ by nature and not by drift."""
FEWEST_DAYS: Final = 7
_LEVELS: Final = (0.01, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.99)

_VENDOR_GROUPS = (
    Group.FACE_MEAN_YEARS,
    Group.FACE_QUALITY,
    Group.FACE_LIVENESS,
    Group.CHECK_THRESHOLD,
    Group.CHECK_RESULT,
    Group.RANGE_YEARS,
)
_EVIDENCE_GROUPS = (Group.EVIDENCE_KIND, Group.EVIDENCE_METHOD, Group.EVIDENCE_PROVIDER)


def variables_of(catalogue: SignalCatalogue, seen: Seen) -> tuple[Variable, ...]:
    """Return every variable with its cells and counts, in the order of the groups."""
    values = _by_key(seen.participants) | _by_key(seen.pairs)
    values = {key: found for key, found in values.items() if key[0] not in _VENDOR_GROUPS}
    values |= _by_key(seen.vendors)
    totals = {Unit.PARTICIPANT: len(seen.participants), Unit.PAIR: len(seen.pairs)}
    found = []
    for group in Group:
        if group in _EVIDENCE_GROUPS:
            found += _evidence(group, values, seen.participants)
            continue
        names = _names(group, catalogue, values)
        found += [
            _variable(group, name, values.get((group, name), []), totals[GROUPS[group].unit])
            for name in names
        ]
    following = _following_days(seen)
    return tuple(
        [
            replace(each, follows_day=True) if (each.group, each.name) in following else each
            for each in found
        ]
    )


def _following_days(seen: Seen) -> set[Key]:
    """Return the signals of which the day tells more than ``DAY_SHARE`` (eta squared)."""
    if len(set(seen.days)) < FEWEST_DAYS:
        return set()
    by_key: dict[Key, tuple[list[float], list[int]]] = {}
    for day, each in zip(seen.days, seen.participants, strict=True):
        for key, value in each.items():
            if key[0] is Group.SIGNAL and not isinstance(value, str):
                values, days = by_key.setdefault(key, ([], []))
                values.append(value)
                days.append(day.toordinal())
    return {key for key, (values, days) in by_key.items() if _day_share(values, days) > DAY_SHARE}


def _day_share(values: Sequence[float], days: Sequence[int]) -> float:
    """Return the share of a variance that lies between days, less what chance puts there."""
    numbers = np.array(values)
    different, places, counts = np.unique(days, return_inverse=True, return_counts=True)
    total = float(((numbers - numbers.mean()) ** 2).sum())
    if total <= 0.0 or numbers.size <= different.size:
        return 0.0
    means = np.bincount(places, weights=numbers) / counts
    between = float((counts * (means - numbers.mean()) ** 2).sum()) / total
    return between - (different.size - 1) / (numbers.size - 1)


def _by_key(sightings: Iterable[Sightings]) -> dict[Key, list[float | str]]:
    values: dict[Key, list[float | str]] = {}
    for each in sightings:
        for key, value in each.items():
            values.setdefault(key, []).append(value)
    return values


def _names(
    group: Group, catalogue: SignalCatalogue, values: dict[Key, list[float | str]]
) -> Sequence[str]:
    """Return what is counted of a group: what a catalogue lists, or what vendors often said."""
    fixed: dict[Group, Sequence[str]] = {
        Group.SIGNAL: [signal.name for signal in catalogue.number_columns],
        Group.INTEREST: catalogue.interests,
        Group.ATTRIBUTE: [signal.name for signal in catalogue.category_columns],
        Group.MIX: ("region", "language", "entry_path"),
        Group.KNOWN: ("history", "behaviour"),
        Group.SCORE: ("probability_minor",),
        Group.PAIR_SCORE: ("minor_adult_probability", "harm_probability", "risk_score"),
        Group.DECISION: ("decision", "leading_reason"),
    }
    if group not in _VENDOR_GROUPS:
        return fixed[group]
    return _most_frequent(
        {name: len(found) for (of, name), found in values.items() if of is group},
        fewest=FEWEST_OF_VENDOR,
        most=MOST_NAMES,
    )


def _variable(group: Group, name: str, values: list[float | str], total: int) -> Variable:
    facts = GROUPS[group]
    missing = total - len(values)
    unknown = missing if facts.absent is Absent.UNKNOWN else 0
    if facts.is_word:
        return _word_variable(group, name, [str(value) for value in values], unknown)
    numbers = np.array(values, dtype=np.float64)
    if facts.absent is Absent.NO:
        return _presence(group, name, int(numbers.size), total)
    return _number_variable(group, name, numbers, unknown)


def _evidence(
    group: Group, values: dict[Key, list[float | str]], sightings: Sequence[Sightings]
) -> list[Variable]:
    """Return who has what; what is listed seldom is one name together."""
    counts = {name: len(found) for (of, name), found in values.items() if of is group}
    names: Sequence[str] = _most_frequent(counts, fewest=FEWEST_SHOWN, most=MOST_NAMES)
    if group is Group.EVIDENCE_KIND:
        names = EVIDENCE_KINDS
    listed = {(group, name) for name in names}
    others = sum(any(key[0] is group and key not in listed for key in each) for each in sightings)
    total = len(sightings)
    found = [_presence(group, name, counts.get(name, 0), total) for name in names]
    if group is not Group.EVIDENCE_KIND:
        found.append(_presence(group, OTHER, others, total))
    return found


def _presence(group: Group, name: str, present: int, total: int) -> Variable:
    share = present / total if total else 0.0
    return Variable(
        group=group,
        name=name,
        counts=(total - present, present),
        unknown=0,
        edges=(0.5,),
        centres=(0.0, 1.0),
        deviation=float((share * (1.0 - share)) ** 0.5),
        discrete=True,
    )


def _word_variable(group: Group, name: str, values: list[str], unknown: int) -> Variable:
    counts = Counter(values)
    words = _most_frequent(counts, fewest=FEWEST_SHOWN, most=MOST_WORDS)
    listed = [counts[word] for word in words]
    return Variable(
        group=group,
        name=name,
        counts=(*listed, len(values) - sum(listed)),
        unknown=unknown,
        words=tuple(words),
    )


def _most_frequent(counts: dict[str, int], *, fewest: int, most: int) -> list[str]:
    ranked = sorted(counts, key=lambda word: (-counts[word], word))
    return [word for word in ranked if counts[word] >= fewest][:most]


def _number_variable(group: Group, name: str, values: Array, unknown: int) -> Variable:
    if not values.size:
        return Variable(group=group, name=name, counts=(0,), unknown=unknown, centres=(0.0,))
    edges = _edges(values)
    places = np.searchsorted(edges, values)
    deviation = float(values.std())
    centres = [
        _centre(values[places == place], edges, place, deviation or 1.0)
        for place in range(edges.size + 1)
    ]
    return Variable(
        group=group,
        name=name,
        counts=tuple(np.bincount(places, minlength=edges.size + 1).tolist()),
        unknown=unknown,
        edges=tuple(edges.tolist()),
        centres=tuple(centres),
        # What rounding leaves of numbers that are all the same is no deviation.
        deviation=deviation if values.min() < values.max() else 0.0,
        discrete=bool(np.unique(values).size <= MOST_VALUES),
    )


def _edges(values: Array) -> Array:
    """Return upper edges: between few different numbers, else at quantiles.

    The one number of a constant has a cell of its own, so that whatever else comes is seen.
    """
    different = np.unique(values)
    if different.size == 1:
        return np.array([np.nextafter(different[0], -np.inf), different[0]])
    if different.size <= MOST_VALUES:
        return np.asarray((different[:-1] + different[1:]) / 2.0, dtype=np.float64)
    # A quantile that is one of the values: whatever stands there often is within its own cell.
    return np.unique(np.quantile(values, _LEVELS, method="inverted_cdf"))


def _centre(inside: Array, edges: Array, place: int, deviation: float) -> float:
    if inside.size:
        return float(np.clip(inside.mean(), inside.min(), inside.max()))
    if place == edges.size:
        return float(edges[-1]) + deviation
    if place == 0:
        return float(edges[0]) - deviation
    return float(edges[place - 1] + edges[place]) / 2.0
