"""A slow posterior in plain floats and loops, written from the formulas: what the fast one must be.

It starts from what each observation says by itself (``pairguard.age.observation``) and from the
numbers of the tables, and does all that follows again: times, hand-over, unusable items, groups,
attacks, borrowing, prior, behaviour, conflict. Nothing is cached, ordered or vectorised.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import accumulate

from pairguard.age.evidence import (
    AgeCheck,
    AgeEvidence,
    Binding,
    CheckMethod,
    FacialAgeEstimate,
    Liveness,
    PlatformAgeRange,
    SelfDeclared,
    VerificationMethod,
    VerifiedAge,
)
from pairguard.age.observation import ObservationModel, observation_model
from pairguard.age.tables import AgeTables

AGES = range(101)
_DAY = 86_400.0
_WEEK = 7 * _DAY
_WEEKS_IN_A_YEAR = 365.2425 / 7
_HOUR = 3600.0
_WRONG_CLOCK_YEARS = 20.0
_SAYS_SOMETHING_NATS = 0.05

Row = list[float]


@dataclass(frozen=True, slots=True)
class ReferenceItem:
    """What one item says now; see ``pairguard.age.likelihood.ItemLikelihood``."""

    evidence: AgeEvidence
    model: ObservationModel
    relative: Row
    row: Row
    usable: bool
    live: bool
    dated: bool
    odds_factor: float
    peak_odds_factor: float
    unsure: bool = False

    @property
    def informative(self) -> bool:
        return abs(math.log(self.odds_factor)) >= _SAYS_SOMETHING_NATS

    @property
    def for_adulthood(self) -> bool:
        return self.usable and math.log(self.odds_factor) <= -_SAYS_SOMETHING_NATS


@dataclass(frozen=True, slots=True)
class ReferenceAssessment:
    """See ``pairguard.age.posterior.AgeAssessment``."""

    probabilities: Row
    probabilities_by_evidence: Row
    conflict: bool
    informative_count: int
    for_adulthood_count: int
    established_minor: bool
    highest_below: Row
    lowest_below: Row
    verified_live_years: int | None
    contributions: Row


def reference_assessment(
    tables: AgeTables,
    *,
    prior: Sequence[float],
    evidence: Sequence[AgeEvidence],
    behaviour_log: Sequence[float] | None,
    now: float,
    tampered_capture: bool,
    device_since: float | None,
    adult_age_years: int = 18,
) -> ReferenceAssessment:
    """Return what is believed; the arguments are those of ``assess_age``."""
    distinct = [
        item
        for place, item in enumerate(evidence)
        if not item.evidence_id or item not in evidence[:place]
    ]

    def tampered(item: AgeEvidence) -> bool:
        return tampered_capture or _is_replayed(item, distinct)

    items = [
        reference_item(tables, item, now=now, tampered=tampered(item), device_since=device_since)
        for item in distinct
    ]
    as_they_came = [
        reference_item(
            tables, item, now=now, tampered=_is_replayed(item, distinct), device_since=None
        )
        for item in distinct
    ]
    as_if_safe = [
        reference_item(tables, _safe(item), now=now, tampered=False, device_since=None)
        for item in distinct
    ]
    unsure = _unsure_sessions([item for item in items if item])
    items, as_they_came, as_if_safe = (
        [item and replace(item, unsure=_session(item.evidence) in unsure) for item in found]
        for found in (items, as_they_came, as_if_safe)
    )
    told = [item for item in items if item]
    informative = [item for item in told if item.informative]
    behaviour = [0.0 for _ in AGES] if behaviour_log is None else behaviour_log
    base = [prior[age] * math.exp(behaviour[age]) for age in AGES]
    likelihood = _likelihood(tables, told)
    probabilities = _normalised([base[age] * likelihood[age] for age in AGES])

    def believed(
        found: Sequence[ReferenceItem | None], start: Sequence[float] = base, *, proof: bool = False
    ) -> Row:
        counted = [
            item for item in found if item and not (proof and item.model.attack_group == "account")
        ]
        weights = _likelihood(tables, counted)
        return list(accumulate(_normalised([start[age] * weights[age] for age in AGES])))

    established = any(_establishes_minor(tables, item) for item in informative)
    adults = [believed(items), believed(as_they_came)]
    minors = [*adults, believed(as_if_safe)]
    if established:
        minors += [
            believed(found, prior, proof=True) for found in (items, as_they_came, as_if_safe)
        ]

    def contribution(item: ReferenceItem | None) -> float:
        if item is None:
            return 0.0
        rest = _likelihood(tables, [other for other in told if other is not item])
        without = _normalised([base[age] * rest[age] for age in AGES])
        return _log_odds_below(probabilities, adult_age_years) - _log_odds_below(
            without, adult_age_years
        )

    return ReferenceAssessment(
        probabilities=probabilities,
        probabilities_by_evidence=_normalised([prior[age] * likelihood[age] for age in AGES]),
        conflict=any(
            _conflict(tables, [item for item in found if item])
            for found in (items, as_they_came, as_if_safe)
        ),
        informative_count=len(informative),
        for_adulthood_count=len([item for item in informative if item.for_adulthood]),
        established_minor=established,
        highest_below=[max(row[age] for row in adults) for age in AGES],
        lowest_below=[min(row[age] for row in minors) for age in AGES],
        verified_live_years=_verified_years(informative),
        contributions=[contribution(item) for item in items],
    )


def _safe(item: AgeEvidence) -> AgeEvidence:
    """Return an item as if its liveness test had been passed, and without an expiry."""
    observation = item.observation
    if isinstance(observation, (FacialAgeEstimate, AgeCheck, VerifiedAge)) and (
        observation.liveness in (Liveness.FAILED, Liveness.UNDETERMINED)
    ):
        observation = replace(observation, liveness=Liveness.PASSED)
    return replace(item, observation=observation, expire_time=None)


def reference_item(
    tables: AgeTables,
    evidence: AgeEvidence,
    *,
    now: float,
    tampered: bool,
    device_since: float | None,
) -> ReferenceItem | None:
    """Return what one item says now; None: nothing."""
    observation = evidence.observation
    if isinstance(observation, FacialAgeEstimate):
        observation = replace(observation, mean_years=round(observation.mean_years, 1))
    stated = observed = evidence.observed_time
    if isinstance(observation, SelfDeclared) and observation.declared_time is not None:
        stated = observation.declared_time
    moved_years, year = _moved(observation, stated, now)
    model = observation_model(tables, replace(evidence, observation=observation), year=year)
    if model is None:
        return None
    said = model.likelihood.tolist()
    by_age_now = [_between(said, age - moved_years) for age in AGES]
    expired = evidence.expire_time is not None and evidence.expire_time <= now
    new_device = device_since is not None and (observed is None or observed < device_since - _HOUR)
    usable = not (expired or new_device or model.rejected or (tampered and model.camera))
    binding = model.binding
    attack, posing = model.attack.tolist(), model.posing.tolist()
    line = tables.reference_age_years
    if usable:
        years = tables.unknown_observed_age_years
        if observed is not None:
            years = max(math.ceil((now - observed - _DAY) / _WEEK), 0) / _WEEKS_IN_A_YEAR
        handed_over = 1 - math.exp(-tables.handover_per_year[binding] * years)
        relative = []
        for age in AGES:
            # Minors borrow from adults as they were at the observation, adults from older ones now.
            older = (
                _mean_of_presented(tables, said, line)
                if age < line
                else _mean_of_presented(tables, by_age_now, age)
            )
            relative.append(by_age_now[age] + handed_over * max(older - by_age_now[age], 0.0))
    else:
        relative = [max(by_age_now[age:]) for age in AGES]
        attack, posing = [min(attack) for _ in AGES], [0.0 for _ in AGES]
    best = max(relative)
    relative = [value / best for value in relative]
    if usable and not model.doubted and min(relative) > 1 - 1e-9:
        return None
    row = _with_attacks(tables, relative, attack, posing)
    odds_factor = _odds_factor(tables, row)
    return ReferenceItem(
        evidence=evidence,
        model=model,
        relative=relative,
        row=row,
        usable=usable,
        live=binding is Binding.LIVE_PERSON,
        dated=observed is not None and not expired,
        odds_factor=odds_factor,
        peak_odds_factor=max(odds_factor, max(row[:line]) / max(row[line:])),
    )


def _moved(observation: object, stated: float | None, now: float) -> tuple[float, int]:
    """Return by how many years the age has moved, and the year of a stated year of birth."""
    if isinstance(observation, (SelfDeclared, VerifiedAge)) and observation.birth_year is not None:
        then = _calendar_year(now if stated is None else min(stated, now))
        moved = _calendar_year(now) - then
        return (0.0, _calendar_year(now)) if moved > _WRONG_CLOCK_YEARS else (float(moved), then)
    if stated is None:
        return 0.0, 0
    years = max(math.floor((now - stated) / _WEEK), 0) / _WEEKS_IN_A_YEAR
    return (0.0 if years > _WRONG_CLOCK_YEARS else years), 0


def _calendar_year(time: float) -> int:
    return datetime.fromtimestamp(max(time, 0.0), UTC).year


def _between(row: Row, age: float) -> float:
    """Return a row at a broken age, linear between whole ones, its first value before them."""
    if age <= 0.0:
        return row[0]
    below = math.floor(age)
    part = age - below
    return row[below] if part == 0.0 else row[below] + part * (row[below + 1] - row[below])


def _session(item: AgeEvidence) -> str:
    observation = item.observation
    if isinstance(observation, (SelfDeclared, PlatformAgeRange)):
        return ""
    return observation.capture_session


def _is_replayed(item: AgeEvidence, items: Sequence[AgeEvidence]) -> bool:
    times = [
        other.observed_time
        for other in items
        if _session(item) and _session(other) == _session(item) and other.observed_time is not None
    ]
    return bool(times) and max(times) - min(times) > _HOUR


def _mean_of_presented(tables: AgeTables, row: Row, from_age: int) -> float:
    weights: Row = tables.presented_age.tolist()
    ages = range(from_age, 101)
    return sum(weights[age] * row[age] for age in ages) / sum(weights[age] for age in ages)


def _with_attacks(tables: AgeTables, honest: Row, attack: Row, posing: Row) -> Row:
    presented, posed = tables.presented_age.tolist(), tables.posed_age.tolist()
    of_older = sum(presented[age] * honest[age] for age in AGES)
    of_younger = sum(posed[age] * honest[age] for age in AGES)
    return [
        (1 - attack[age] - posing[age]) * honest[age]
        + attack[age] * of_older
        + posing[age] * of_younger
        for age in AGES
    ]


def _odds_factor(tables: AgeTables, row: Row) -> float:
    """Return the mean of a row under the reference age by that over it, under default prior."""
    prior: Row = tables.prior("", "").tolist()
    line = tables.reference_age_years
    means = [
        sum(prior[age] * row[age] for age in side) / sum(prior[age] for age in side)
        for side in (range(line), range(line, 101))
    ]
    return means[0] / means[1]


def _tempered(items: Sequence[ReferenceItem]) -> list[Row]:
    """Return the relative row of each item, to the power that its correlation leaves it."""
    rows = []
    for item in items:
        group, towards_minor = item.model.correlation_group, item.odds_factor > 1
        copies = sum(
            other.informative
            and other.model.correlation_group == group
            and (other.odds_factor > 1) == towards_minor
            for other in items
        )
        exponent = 1.0
        if group and copies > 1:
            exponent = 1 / (1 + (copies - 1) * item.model.correlation)
        rows.append([value**exponent for value in item.relative])
    return rows


def _groups(
    tables: AgeTables,
    usable: Sequence[ReferenceItem],
    wanted: Callable[[ReferenceItem], bool] = bool,
    *,
    one_attack: bool = False,
) -> list[tuple[list[ReferenceItem], Row, Row]]:
    """Return each attack group of the wanted ones: its items, their product, its likelihood.

    How often items repeat each other is counted among all usable ones.
    """
    tempered = _tempered(usable)
    found = []

    def group(item: ReferenceItem) -> str:
        name = item.model.attack_group
        return "capture" if one_attack and name == "identity" else name

    for name in sorted({group(item) for item in usable}):
        members = [
            (item, row)
            for item, row in zip(usable, tempered, strict=True)
            if group(item) == name and wanted(item)
        ]
        if not members:
            continue
        product = [math.prod(row[age] for _, row in members) for age in AGES]
        attack = [max(float(item.model.attack[age]) for item, _ in members) for age in AGES]
        posing = [max(float(item.model.posing[age]) for item, _ in members) for age in AGES]
        likelihood = _with_attacks(tables, product, attack, posing)
        found.append(([item for item, _ in members], product, likelihood))
    return found


def _unsure_sessions(told: Sequence[ReferenceItem]) -> set[str]:
    """Return the sessions that another one was near of, which may be the same sitting."""
    found: dict[bool, list[tuple[str, float | None]]] = {True: [], False: []}
    for item in told:
        if item.model.camera and _session(item.evidence):
            entry = _session(item.evidence), item.evidence.observed_time
            found[item.model.attack_group == "capture"].append(entry)
    unsure = set()
    for face, seen in found[True]:
        for document, shown in found[False]:
            near = seen is None or shown is None or abs(seen - shown) <= _HOUR
            if near and face != document:
                unsure |= {face, document}
    return unsure - ({face for face, _ in found[True]} & {shown for shown, _ in found[False]})


def _one_sitting(tables: AgeTables, told: Sequence[ReferenceItem]) -> float:
    """Return how likely an attack on a face and one on a document on camera are one."""
    seen = [item for item in told if item.usable and item.model.camera]
    shares = [0.0]
    for face in seen:
        for document in seen:
            if face.model.attack_group != "capture" or document.model.attack_group == "capture":
                continue
            one, other = _session(face.evidence), _session(document.evidence)
            if not one or not other or face.unsure or document.unsure:
                shares.append(tables.one_sitting_share)
            elif one == other:
                shares.append(1.0)
    return max(shares)


def _likelihood(tables: AgeTables, told: Sequence[ReferenceItem]) -> Row:
    usable = [item for item in told if item.usable]
    share = _one_sitting(tables, told)

    def product(wanted: Callable[[ReferenceItem], bool], *, one_attack: bool) -> Row:
        rows = [row for _, _, row in _groups(tables, usable, wanted, one_attack=one_attack)]
        return _product([*rows, [1.0 for _ in AGES]])  # so that none of them is no error

    def mixed(wanted: Callable[[ReferenceItem], bool]) -> Row:
        apart, together = (product(wanted, one_attack=one) for one in (False, True))
        return [(1 - share) * apart[age] + share * together[age] for age in AGES]

    told_of = {
        who: mixed(wanted)
        for who, wanted in (
            ("all", bool),
            ("borrowed", lambda item: not item.live),
            ("live", lambda item: item.live),
        )
    }
    likelihood = []
    line = tables.reference_age_years
    for age in AGES:
        mine = told_of["all"][age]
        # What an older owner of account and device would show, and the live person beside.
        owner = _mean_of_presented(tables, told_of["borrowed"], max(age, line))
        other = owner * told_of["live"][age]
        if all(item.live for item in usable):
            other = mine
        likelihood.append(mine + float(tables.borrowed_account[age]) * max(other - mine, 0.0))
    unusable = [item.row for item in told if not item.usable]
    return _product([likelihood, *unusable])


def _conflict(tables: AgeTables, told: Sequence[ReferenceItem]) -> bool:
    usable = [item for item in told if item.usable]
    groups = _groups(tables, usable)
    if any(max(product) < tables.agreement_floor for _, product, _ in groups):
        return True
    parties = [item for item in told if not _is_settled(tables, item, told)]
    if len([item for item in parties if item.informative]) < 2:
        return False
    groups = _groups(tables, [item for item in parties if item.usable])
    rows = [row for members, _, row in groups if len(members) > 1]
    rows.append(_likelihood(tables, told))
    factors = [_odds_factor(tables, row) for row in rows] + [item.odds_factor for item in parties]
    limit = math.exp(tables.opposed_nats)
    highest = max(factors + [item.peak_odds_factor for item in parties])
    return highest >= limit and min(factors) <= 1 / limit


def _is_settled(tables: AgeTables, item: ReferenceItem, told: Sequence[ReferenceItem]) -> bool:
    """Return whether a later check of higher rank found an adult where this item says a minor."""
    if item.odds_factor <= 1 or item.evidence.observed_time is None:
        return False
    for other in told:
        if not (other.for_adulthood and other.dated and other.evidence.observed_time is not None):
            continue
        if other.evidence.observed_time < _said_at(item.evidence):
            continue
        if other.odds_factor > math.exp(-tables.opposed_nats):
            continue
        statement = item.model.correlation_group == "declared"
        face = item.model.correlation_group == "faces"
        if other.model.attack_group == "review" and (statement or face):
            return True
        if other.model.attack_group == "identity" and other.live and statement:
            return True
    return False


def _said_at(evidence: AgeEvidence) -> float:
    """Return when a dated item was said or seen, whichever is later."""
    times = [evidence.observed_time]
    if isinstance(evidence.observation, SelfDeclared):
        times.append(evidence.observation.declared_time)
    return max(time for time in times if time is not None)


def _establishes_minor(tables: AgeTables, item: ReferenceItem) -> bool:
    prior, line = tables.prior("", "").tolist(), tables.reference_age_years
    odds = sum(prior[:line]) / sum(prior[line:]) * item.odds_factor
    if odds / (1 + odds) < tables.established_minor_probability:
        return False
    if not (item.usable and item.dated):
        return False
    observation = item.evidence.observation
    live = item.live
    match observation:
        case VerifiedAge():
            return live or observation.method is VerificationMethod.MODERATOR
        case FacialAgeEstimate() | AgeCheck(method=CheckMethod.FACIAL_THRESHOLD):
            return live and observation.liveness is Liveness.PASSED
        case AgeCheck(method=CheckMethod.ID_DOCUMENT):
            return live
        case _:
            return False


def _verified_years(informative: Sequence[ReferenceItem]) -> int | None:
    verified = [
        (item, item.evidence.observation)
        for item in informative
        if isinstance(item.evidence.observation, VerifiedAge)
    ]
    years = {item.relative.index(max(item.relative)) for item, _ in verified}
    exact = all(
        stated.age_years is not None and item.live and item.dated for item, stated in verified
    )
    return years.pop() if exact and len(years) == 1 else None


def _product(rows: Sequence[Row]) -> Row:
    return [math.prod(row[age] for row in rows) for age in AGES]


def _normalised(weights: Row) -> Row:
    total = sum(weights)
    return [weight / total for weight in weights]


def _log_odds_below(probabilities: Row, years: int) -> float:
    below = min(max(sum(probabilities[:years]), 1e-9), 1 - 1e-9)
    return math.log(below) - math.log1p(-below)
