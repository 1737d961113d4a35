"""What one age posterior costs, and one of a thousand at once, beside a plain numpy formulation.

Owns the participants that are assessed and what is known of them before the clock starts. Must not
know servers or load.
"""

import random
import statistics
import time
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np

from pairguard.age.batch import AgeCase, assess_ages
from pairguard.age.evidence import (
    AgeCheck,
    AgeEvidence,
    Binding,
    CheckMethod,
    CheckResult,
    FacialAgeEstimate,
    Liveness,
    Platform,
    PlatformAgeRange,
    PlatformAssurance,
    SelfDeclared,
)
from pairguard.age.fusion import Fusion, in_company, rows_by_place, rows_of_one
from pairguard.age.fusion_plan import FusionPlan
from pairguard.age.item import ItemLikelihood
from pairguard.age.kernel import COMPILED, fuse, posteriors
from pairguard.age.likelihood import item_likelihood
from pairguard.age.parameters import Array
from pairguard.age.posterior import assess_age
from pairguard.age.tables import AgeTables

Evidence = tuple[AgeEvidence, ...]

_NOW = 1_795_000_000.0
_DAY_SECONDS = 86_400.0
_ITEMS = 7
_CHUNK = 96
_LEAST = 1e-300

INCLUDED = (
    "items looked up or computed, attack groups, tempering, borrowing, one-sitting mixture, "
    "conflict, running sums, the assessment's value"
)
NOT_INCLUDED = (
    "parsing and conversion of a message, the behaviour row, admission, contributions; with ready "
    "rows also the look-up of items, their order, conflict, the assessment's value"
)


def posterior_report(tables: AgeTables, *, participants: int, rounds: int, seed: int) -> str:
    """Measure and describe, in microseconds a participant.

    Args:
        tables: The parameters.
        participants: How many different ones, each with seven items.
        rounds: Measurements of each; the median of their medians is told, and their extremes.
        seed: Of the participants.
    """
    draw = random.Random(seed)
    warming = [_evidence(draw) for _ in range(participants)]
    measured = [_evidence(draw) for _ in range(participants)]
    _singly(tables, warming)
    figures: dict[str, list[float]] = {}

    def note(name: str, microseconds: float) -> None:
        figures.setdefault(name, []).append(microseconds)

    prior = tables.prior("", "")
    log_prior = np.log(prior)
    cases = [AgeCase(prior, evidence, _NOW) for evidence in measured]
    for _ in range(rounds):
        _forget(tables)
        note("one, no item known", statistics.median(_singly(tables, measured, forgetting=True)))
        _forget(tables)
        chunks, logs = _ready_chunks(tables, measured), _ready_logs(tables, measured)
        note("one, ready rows", statistics.median(_each_of_ready_rows(tables, measured)))
        note("one, items known, together new", statistics.median(_singly(tables, measured)))
        note("one, seen before", statistics.median(_singly(tables, measured)))
        together = _timed(partial(assess_ages, tables, cases))
        note(f"{participants:,} at once, items known", together / participants)
        ready = _timed(partial(_fuse_chunks, tables, chunks))
        note(f"{participants:,} at once, ready rows", ready / participants)
        plain = [_timed(partial(_plain, log_prior, rows)) for rows in logs]
        note("plain numpy, one", statistics.median(plain))
        plain_together = _timed(partial(_plain_chunks, log_prior, logs))
        note(f"plain numpy, {participants:,} at once", plain_together / participants)
    return _described(figures, participants=participants, rounds=rounds)


def _described(figures: dict[str, list[float]], *, participants: int, rounds: int) -> str:
    medians = {name: statistics.median(values) for name, values in figures.items()}
    lines = [
        (
            f"{'compiled' if COMPILED else 'numpy'} kernel: "
            f"age posterior of {_ITEMS} items, microseconds a participant, {participants:,} "
            f"different ones, median of {rounds} rounds, [least, most], and times plain numpy"
        )
    ]
    for name, values in figures.items():
        plain = next(
            key
            for key in figures
            if key.startswith("plain") and ("once" in key) == ("once" in name)
        )
        lines.append(
            f"{name:34} {medians[name]:7.1f}  [{min(values):.1f}, {max(values):.1f}]  "
            f"x {medians[name] / medians[plain]:.1f}"
        )
    lines += [
        "plain numpy: the sum of the logarithms of seven ready rows, exp, division by the sum",
        f"included: {INCLUDED}",
        f"not included: {NOT_INCLUDED}",
    ]
    return "\n".join(lines)


def _evidence(draw: random.Random) -> Evidence:
    """Return seven items: a declaration, a store's range, two faces, three checks; times differ."""
    age = draw.uniform(14, 45)
    over = CheckResult.OVER if draw.random() < 0.9 else CheckResult.UNDER

    def item(
        observation: SelfDeclared | PlatformAgeRange | FacialAgeEstimate | AgeCheck,
        binding: Binding,
    ) -> AgeEvidence:
        return AgeEvidence(
            observation,
            evidence_id=f"{draw.getrandbits(64):x}",
            observed_time=_NOW - draw.uniform(0, 300) * _DAY_SECONDS,
            binding=binding,
        )

    apple = PlatformAgeRange(Platform.APPLE, PlatformAssurance.CONFIRMED, 18, None)
    return (
        item(SelfDeclared(float(round(age))), Binding.ACCOUNT),
        item(apple, Binding.ACCOUNT),
        *(
            item(FacialAgeEstimate(age + draw.gauss(0, 2), Liveness.PASSED), Binding.LIVE_PERSON)
            for _ in range(2)
        ),
        item(AgeCheck(CheckMethod.EMAIL, 18, over), Binding.ACCOUNT),
        item(AgeCheck(CheckMethod.ID_DOCUMENT, 18, over), Binding.LIVE_PERSON),
        item(AgeCheck(CheckMethod.MOBILE_OPERATOR, 18, over), Binding.DEVICE),
    )


def _forget(tables: AgeTables) -> None:
    """Forget items and what was fused of them; not which kinds of items go together."""
    kept = {
        key: value for key, value in tables.fusion_cache.items() if not isinstance(value, Fusion)
    }
    tables.fusion_cache.clear()
    tables.fusion_cache.update(kept)
    tables.item_cache.clear()


def _singly(
    tables: AgeTables, participants: Sequence[Evidence], *, forgetting: bool = False
) -> list[float]:
    """Return the microseconds of each; with ``forgetting`` no item is known to any of them."""
    prior = tables.prior("", "")
    times = []
    for evidence in participants:
        if forgetting:
            tables.item_cache.clear()
        assess = partial(assess_age, tables, prior=prior, evidence=evidence, now=_NOW)
        times.append(_timed(assess))
    return times


_Told = tuple[ItemLikelihood, ...]
_Chunk = tuple[FusionPlan, list[Array], list[Array]]


def _told(tables: AgeTables, evidence: Evidence) -> tuple[_Told, FusionPlan]:
    items = [item_likelihood(tables, item, now=_NOW) for item in evidence]
    told, company, sitting = in_company(tables, items, [""] * len(items))
    return told, company.plan(sitting)


def _ready_chunks(tables: AgeTables, participants: Sequence[Evidence]) -> list[_Chunk]:
    """Return the rows of participants of one plan, stacked."""
    alike: dict[bytes, tuple[FusionPlan, list[_Told]]] = {}
    for evidence in participants:
        told, plan = _told(tables, evidence)
        alike.setdefault(plan.content, (plan, []))[1].append(told)
    return [
        (plan, *rows_by_place(plan, members[start : start + _CHUNK]))
        for plan, members in alike.values()
        for start in range(0, len(members), _CHUNK)
    ]


def _each_of_ready_rows(tables: AgeTables, participants: Sequence[Evidence]) -> list[float]:
    """Return the microseconds of each one's fusion and posterior."""
    times = []
    for evidence in participants:
        told, plan = _told(tables, evidence)
        times.append(_timed(partial(_fuse, tables, plan, *rows_of_one(plan, told))))
    return times


def _fuse(tables: AgeTables, plan: FusionPlan, relative: list[Array], alone: list[Array]) -> None:
    likelihoods, _ = fuse(plan, tables.fusion_weights, relative, alone)
    posteriors(tables.prior("", ""), likelihoods)


def _fuse_chunks(tables: AgeTables, chunks: Sequence[_Chunk]) -> None:
    for plan, relative, alone in chunks:
        _fuse(tables, plan, relative, alone)


def _ready_logs(tables: AgeTables, participants: Sequence[Evidence]) -> Array:
    """Return (n, 7, 101) logarithms of what each item says by itself."""
    return np.array(
        [
            [np.log(np.maximum(item.row, _LEAST)) for item in _told(tables, evidence)[0]]
            for evidence in participants
        ]
    )


def _plain(log_prior: Array, logs: Array) -> Array:
    total = log_prior + logs.sum(axis=-2)
    weights = np.exp(total - total.max(axis=-1, keepdims=True))
    result: Array = weights / weights.sum(axis=-1, keepdims=True)
    return result


def _plain_chunks(log_prior: Array, logs: Array) -> None:
    for start in range(0, len(logs), _CHUNK):
        _plain(log_prior, logs[start : start + _CHUNK])


def _timed(work: Callable[[], object]) -> float:
    started = time.thread_time_ns()
    work()
    return (time.thread_time_ns() - started) / 1_000.0
