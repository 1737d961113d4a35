"""What would change: counted over logged decisions, in one pass.

Owns what is counted and by what it is divided. It must not know where decisions come from nor how
figures are shown.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from pairguard.policy.decision import DecisionKind
from pairguard.policy.judgement import Judge
from pairguard.policy.reasons import Party
from pairguard_training.replaying.deciding_again import DecidedAgain, decide_again
from pairguard_training.replaying.logged import LoggedDecision
from pairguard_training.replaying.off_policy import off_policy, off_policy_terms
from pairguard_training.replaying.outcomes import Outcomes
from pairguard_training.replaying.result import Harmed, Replay, Shares
from pairguard_training.replaying.self_check import SelfCheck, Served
from pairguard_training.replaying.streamed_sums import StreamedSums

PERHAPS: Final = "ALLOW?"
"""It would be ALLOW unless something that was kept and not logged forbade it."""
UNLOGGED: Final = "not logged"
NO_REASON: Final = "(no reason logged)"
BY_CHANCE: Final = "(turned away by chance)"
ALL: Final = "all"
LIKELY_MINOR, UNSURE, LIKELY_ADULT = "likely minor", "unsure", "likely adult"

_TOGETHER: Final = 512
_MOST_REGIONS: Final = 400
_OTHER_REGIONS: Final = "other"
_LIKELY: Final = 0.5
_LIKELY_ADULT_BELOW: Final = 0.1


@dataclass(slots=True)
class _Counts:
    state_recorded: int = 0
    explored: int = 0
    newly_allowed: int = 0
    carried: Counter[str] = field(default_factory=Counter)
    transitions: Counter[tuple[str, str]] = field(default_factory=Counter)
    reasons: Counter[tuple[str, str]] = field(default_factory=Counter)
    groups: dict[str, dict[str, None]] = field(
        default_factory=lambda: {"region": {}, "pair": {}, "participant": {}}
    )
    decisions: int = 0
    asked_logged: int = 0


def replay(
    decisions: Iterable[LoggedDecision],
    judge: Judge,
    outcomes: Outcomes,
    *,
    served: Served | None,
    draws: int,
    seed: int,
) -> Replay:
    """Decide logged decisions again and count what would change.

    Args:
        decisions: One after the other; none is kept.
        judge: The candidate.
        outcomes: What came of those that met.
        served: What is known to have decided some of them, to check the replay itself; None: it is
            not at hand.
        draws: Draws of people.
        seed: Of the draws.
    """
    sums = StreamedSums(draws=draws, seed=seed)
    counts, check = _Counts(), SelfCheck()
    chunk: list[tuple[tuple[str, str], Mapping[str, float]]] = []
    for logged in decisions:
        if served is not None:
            check.add(served, logged)
        again = decide_again(judge, logged)
        _count(counts, logged, again)
        terms = {
            **_terms(counts, logged, again, outcomes),
            **off_policy_terms(logged, again, outcomes),
        }
        chunk.append((logged.people, terms))
        if len(chunk) >= _TOGETHER:
            _flush(sums, chunk)
    _flush(sums, chunk)
    return _result(sums, counts, check, outcomes)


def _flush(sums: StreamedSums, chunk: list[tuple[tuple[str, str], Mapping[str, float]]]) -> None:
    if not chunk:
        return
    columns: dict[str, np.ndarray[tuple[int], np.dtype[np.float64]]] = {}
    for place, (_, terms) in enumerate(chunk):
        for name, value in terms.items():
            column = columns.get(name)
            if column is None:
                column = columns[name] = np.zeros(len(chunk))
            column[place] = value
    sums.add([people for people, _ in chunk], columns)
    chunk.clear()


def _count(counts: _Counts, logged: LoggedDecision, again: DecidedAgain) -> None:
    counts.decisions += 1
    counts.state_recorded += logged.state_recorded
    counts.explored += logged.explored
    counts.asked_logged += logged.asked is not None
    counts.carried.update({each.code.value for each in logged.carried})
    before, after = _before(logged), _after(again)
    counts.transitions[before, after] += 1
    if before not in (after, UNLOGGED):
        counts.reasons[_leading(logged), again.decision.reasons[0].code.value] += 1
        if after in (DecisionKind.ALLOW.name, PERHAPS):
            counts.newly_allowed += 1


def _before(logged: LoggedDecision) -> str:
    kind = logged.kind_before_chance
    return UNLOGGED if kind is None else kind.name


def _after(again: DecidedAgain) -> str:
    return again.decision.kind.name if again.is_certain else PERHAPS


def _leading(logged: LoggedDecision) -> str:
    if logged.explored:
        return BY_CHANCE
    return logged.reasons[0].code.value if logged.reasons else NO_REASON


def _terms(
    counts: _Counts, logged: LoggedDecision, again: DecidedAgain, outcomes: Outcomes
) -> Mapping[str, float]:
    """Return what one decision adds to the sums, by name."""
    before = float(logged.kind_before_chance is DecisionKind.ALLOW)
    after = float(again.decision.kind is DecisionKind.ALLOW)
    asked_before = None if logged.asked is None else logged.asked
    minors = again.minors if logged.minors is None else logged.minors
    kinds = [_likely(minor) for minor in minors]
    mixed = (
        again.decision.risk.minor_adult_probability if logged.risk is None else logged.risk.mixed
    )
    terms = {"exposure before": before * mixed, "exposure after": after * mixed}
    asked = (float(bool(asked_before)), float(bool(again.asked)))
    for name in (
        ALL,
        _grouped(counts, "region", _regions(logged)),
        _grouped(counts, "pair", " with ".join(sorted(kinds))),
    ):
        _add(terms, name, 1.0, (before, after), asked)
    for party, kind in zip((Party.A, Party.B), kinds, strict=True):
        was_asked = float(asked_before is not None and party in asked_before)
        name = _grouped(counts, "participant", kind)
        _add(terms, name, 1.0, (before, after), (was_asked, float(party in again.asked)))
    harmed = outcomes.of(logged) if logged.kind is DecisionKind.ALLOW else None
    if harmed is not None and logged.chat_started is not False:
        stopped = 1.0 - after
        terms |= {
            "met": 1.0,
            "harmed": float(harmed),
            "met stopped": stopped,
            "harmed stopped": stopped * harmed,
        }
    return terms


def _add(
    terms: dict[str, float],
    name: str,
    count: float,
    allowed: tuple[float, float],
    asked: tuple[float, float],
) -> None:
    for what, value in zip(
        ("n", "allowed before", "allowed after", "asked before", "asked after"),
        (count, *allowed, *asked),
        strict=True,
    ):
        key = f"{name}/{what}"
        terms[key] = terms.get(key, 0.0) + value


def _grouped(counts: _Counts, dimension: str, group: str) -> str:
    """Return the name of a group, of which there are at most some hundred."""
    known = counts.groups[dimension]
    if group not in known:
        if len(known) >= _MOST_REGIONS:
            group = _OTHER_REGIONS
        known[group] = None
    return f"{dimension}:{group}"


def _regions(logged: LoggedDecision) -> str:
    one, other = sorted(each.located_region or "unknown" for each in (logged.a, logged.b))
    return one if one == other else f"{one} with {other}"


def _likely(minor: float) -> str:
    # Written so that a number that is none is a likely minor.
    if not minor < _LIKELY:
        return LIKELY_MINOR
    return LIKELY_ADULT if minor < _LIKELY_ADULT_BELOW else UNSURE


def _result(sums: StreamedSums, counts: _Counts, check: SelfCheck, outcomes: Outcomes) -> Replay:
    asked_is_logged = counts.asked_logged == counts.decisions > 0

    def of(name: str) -> Shares:
        return Shares(
            count=round(sums.total(f"{name}/n")),
            allowed_before=sums.ratio(f"{name}/allowed before", f"{name}/n"),
            allowed_after=sums.ratio(f"{name}/allowed after", f"{name}/n"),
            difference=sums.estimate(
                lambda s: (
                    (s(f"{name}/allowed after") - s(f"{name}/allowed before")) / s(f"{name}/n")
                )
            ),
            asked_before=(
                sums.ratio(f"{name}/asked before", f"{name}/n") if asked_is_logged else None
            ),
            asked_after=sums.ratio(f"{name}/asked after", f"{name}/n"),
        )

    def by(dimension: str) -> dict[str, Shares]:
        found = {group: of(f"{dimension}:{group}") for group in counts.groups[dimension]}
        return dict(sorted(found.items(), key=lambda item: (-item[1].count, item[0])))

    return Replay(
        decisions=counts.decisions,
        people=sums.people,
        state_recorded=counts.state_recorded,
        carried=dict(sorted(counts.carried.items())),
        explored=counts.explored,
        transitions=dict(sorted(counts.transitions.items())),
        reasons=dict(sorted(counts.reasons.items(), key=lambda item: (-item[1], item[0]))),
        by_region=by("region"),
        by_pair=by("pair"),
        by_participant=by("participant"),
        overall=of(ALL),
        exposure_before=sums.estimate(lambda s: 1_000.0 * s("exposure before") / s("all/n")),
        exposure_after=sums.estimate(lambda s: 1_000.0 * s("exposure after") / s("all/n")),
        harmed=None if outcomes.known_until is None else _harmed(sums),
        newly_allowed=counts.newly_allowed,
        off_policy=off_policy(sums, outcomes),
        self_check=check,
        draws=sums.draws,
        seed=sums.seed,
    )


def _harmed(sums: StreamedSums) -> Harmed:
    return Harmed(
        met=round(sums.total("met")),
        harmed=round(sums.total("harmed")),
        stopped=round(sums.total("met stopped")),
        harmed_stopped=round(sums.total("harmed stopped")),
        spared=sums.ratio("harmed stopped", "harmed"),
    )
