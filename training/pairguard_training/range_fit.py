"""Error rates of the stores' age ranges, from verified people who had shared one.

Owns which ranges count and what they are compared with. It must not know how a rate is chosen
(``error_rates``). Ranges that are worth a declaration follow the declaration model.

Who has a range at all tells too. A guardian states a child's age and hardly ever an adult's, so of
those adults who have such a range many are misjudged, and of all adults hardly any: it is the
latter that weighs a child's range against an adult's. So where a class is rarer among adults,
``understated`` is asked of as many adults as would have one if they had it as often as minors do;
those who have none were not misjudged. It is never asked the other way round: to have been given a
range makes nobody older. To have none says nothing at all, for who was never asked and who keeps a
range back look alike.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pairguard.age.evidence import PlatformAgeRange
from pairguard.age.observation import RANGE_CLASS
from pairguard.age.tables import AgeTables
from pairguard_training.age_labels import AgeRows
from pairguard_training.error_rates import (
    EXCLUDED_YEARS,
    FEWEST_PEOPLE,
    Trial,
    fit_rates,
    parameter,
)
from pairguard_training.rate_report import RateReport
from pairguard_training.splitting import hash_fraction
from pairguard_training.verified_evidence import VerifiedItem, others_statements

Array = NDArray[np.float64]

_ERRORS = ("overstated", "understated")
_LEAST = 1e-9


def with_fitted_ranges(
    tables: AgeTables, items: Sequence[VerifiedItem], seen: AgeRows
) -> tuple[AgeTables, list[RateReport]]:
    """Return the tables with the error rates of ranges that verified people teach.

    ``overstated`` is learned from people under the reference age, from how often a range lies above
    their age; ``understated`` from those over it, from how often one lies below. All platforms
    count together. Who is near to any line between two ranges of a class is left out whatever
    range was reported: leaving out by the answer would keep the wrong ones.

    Args:
        tables: The presets.
        items: What people of known age had shown.
        seen: All of these people, whether or not they had shown a range.
    """
    reports: list[RateReport] = []
    classes = dict(tables.document["platform_age_range"]["assurance"])
    for name, ranges in sorted(_by_class(items).items()):
        over, under = _trials(tables, ranges)
        under += _spared(tables, ranges, seen)
        place = f"platform_age_range.assurance.{name}"
        found = fit_rates(
            (f"{place}.overstated", f"{place}.understated"), tables.range_errors[name], over, under
        )
        reports += found
        before = classes[name]
        classes[name] = before | {
            error: parameter(report, before[error]["source"])
            for error, report in zip(_ERRORS, found, strict=True)
            if report.changed
        }
    if not any(report.changed for report in reports):
        return tables, reports
    document: dict[str, Any] = dict(tables.document)
    document["platform_age_range"] = {**document["platform_age_range"], "assurance": classes}
    return AgeTables.from_mapping(document), reports


_Ranged = tuple[VerifiedItem, PlatformAgeRange]


def _by_class(items: Sequence[VerifiedItem]) -> dict[str, list[_Ranged]]:
    classes: dict[str, list[_Ranged]] = defaultdict(list)
    for item in items:
        reported = item.evidence.observation
        if not isinstance(reported, PlatformAgeRange) or reported.assurance not in RANGE_CLASS:
            continue
        if reported.lower_years is not None or reported.upper_years is not None:
            classes[RANGE_CLASS[reported.assurance]].append((item, reported))
    return classes


def _trials(tables: AgeTables, ranges: Sequence[_Ranged]) -> tuple[list[Trial], list[Trial]]:
    """Return trials of people under and over the reference age."""
    lowers = sorted({r.lower_years for _, r in ranges if r.lower_years is not None})
    ends = sorted({r.upper_years + 1 for _, r in ranges if r.upper_years is not None})
    lines = np.array(sorted({*lowers, *ends}))
    others = others_statements(
        tables, attack=tables.range_attack, attack_group="account", live=False
    )
    over: list[Trial] = []
    under: list[Trial] = []
    for item, reported in ranges:
        age = item.age_years
        if np.abs(lines - age).min() < EXCLUDED_YEARS:
            continue
        if age < tables.reference_age_years:
            line = next((lower for lower in lowers if lower > age), None)
            erred = reported.lower_years is not None and reported.lower_years > age
        else:
            line = next((end for end in reversed(ends) if end <= age), None)
            erred = reported.upper_years is not None and reported.upper_years + 1 <= age
        if line is None:  # no range that was seen could have been wrong in this direction
            continue
        above = float(others[int(line) :, int(age)].sum())
        is_over = age >= tables.reference_age_years
        trial = Trial(item.participant, erred, 1.0 - above if is_over else above, item.weight)
        (under if is_over else over).append(trial)
    return over, under


def _spared(tables: AgeTables, ranges: Sequence[_Ranged], seen: AgeRows) -> list[Trial]:
    """Return trials of adults without a range, as many as are short of minors' share of them."""
    holders = {item.participant for item, _ in ranges}
    held = np.array([person in holders for person in seen.participants], dtype=np.float64)
    minor = seen.ages < tables.reference_age_years
    adult = seen.ages >= tables.reference_age_years + EXCLUDED_YEARS
    if seen.where(minor & (held > 0.0)).people < FEWEST_PEOPLE or not adult.any():
        return []
    shares = [
        float((seen.weights * held)[side].sum() / seen.weights[side].sum())
        for side in (minor, adult)
    ]
    # Of so large a part of those without one; whole people, so that they count for no more.
    part = max(shares[0] - shares[1], 0.0) / max(1.0 - shares[1], _LEAST)
    totals: dict[str, float] = {}
    for place in np.flatnonzero(adult & (held == 0.0)):
        person = seen.participants[place]
        totals[person] = totals.get(person, 0.0) + float(seen.weights[place])
    return [
        Trial(person, erred=False, elsewhere=0.0, weight=weight)
        for person, weight in totals.items()
        if hash_fraction(f"spared {person}", seed=0) < part
    ]
