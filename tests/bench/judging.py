"""What judging a proposed pair costs inside one process, by what is known already.

Owns three kinds of traffic and how they are timed: two bare ids; participants whom nobody has
proposed before; and participants who were proposed before, in new pairs, their requests read anew.
Times are those of the thread, so that other processes count less.
"""

from __future__ import annotations

import random
import statistics
import time
import tomllib
from collections.abc import Sequence

import numpy as np

from pairguard.bundle.defaults import default_policy_text
from pairguard.policy.judgement import Judge
from pairguard.policy.regions import Policy
from pairguard.policy.state import StoredState
from pairguard.risk.model import RiskModel
from pairguard.risk.participant import Participant
from pairguard.server.request_conversion import read_score_pair
from pairguard.v1.pair_risk_service_pb2 import ScorePairRequest
from tests.bench.requests import bare_requests, platform_requests

_PAIRS = 200  # a measurement; so many participants are proposed again and again
_REFERENCE_ITEMS = 7
_AGES = 101
_Pair = tuple[Participant, Participant]


def judging_report(model: RiskModel, *, rounds: int, seed: int) -> str:
    """Measure and describe, in microseconds of a thread for one pair.

    Args:
        model: What a bundle holds.
        rounds: Measurements of each kind; the median of their medians is told, and their extremes.
        seed: Of the requests and of who meets whom.
    """
    judge = Judge(model, Policy.from_mapping(tomllib.loads(default_policy_text())))
    draw = random.Random(seed)
    figures: dict[str, list[float]] = {}

    def note(name: str, pairs: Sequence[_Pair]) -> None:
        figures.setdefault(name, []).append(_median_microseconds(judge, pairs))

    again = platform_requests(_PAIRS, seed=seed, now=time.time())
    _median_microseconds(judge, _read(again))
    for turn in range(rounds):
        bare = bare_requests(_PAIRS, seed=seed + turn)
        new = platform_requests(_PAIRS, seed=seed + 1 + turn, now=time.time())
        figures.setdefault("plain numpy, one age", []).append(_plain_microseconds(seed))
        note("two bare ids", _read(bare))
        note("platform traffic, never seen", _read(new))
        _median_microseconds(judge, _read(again))
        people = [person for pair in _read(again) for person in pair]
        draw.shuffle(people)
        note("platform traffic, seen before", list(zip(people[::2], people[1::2], strict=True)))
    return _described(figures, rounds=rounds)


def _described(figures: dict[str, list[float]], *, rounds: int) -> str:
    plain = statistics.median(figures["plain numpy, one age"])
    lines = [
        (
            f"judging one pair, microseconds of its thread, {_PAIRS} pairs a measurement, median "
            f"of {rounds} rounds, [least, most], and times plain numpy"
        )
    ]
    for name, values in figures.items():
        median = statistics.median(values)
        lines.append(
            f"{name:34} {median:7.1f}  [{min(values):.1f}, {max(values):.1f}]  "
            f"x {median / plain:.1f}"
        )
    lines += [
        "included: both assessments, the pair's risk, the decision, the plan of checks",
        "not included: reading and answering messages, state, metrics",
        "plain numpy: the sum of the logarithms of seven ready rows, exp, division by the sum",
    ]
    return "\n".join(lines)


def _read(requests: Sequence[bytes]) -> list[_Pair]:
    """Read requests as a server does, every value an object of its own."""
    now = time.time()
    calls = [read_score_pair(ScorePairRequest.FromString(request), now) for request in requests]
    return [(call.a, call.b) for call in calls]


def _median_microseconds(judge: Judge, pairs: Sequence[_Pair]) -> float:
    state = StoredState()
    times = []
    for a, b in pairs:
        now = time.time()
        started = time.thread_time_ns()
        judge.judge_pair(a, b, now=now, state=state)
        times.append((time.thread_time_ns() - started) / 1_000.0)
    return statistics.median(times)


def _plain_microseconds(seed: int) -> float:
    logs = np.log(np.random.default_rng(seed).random((_PAIRS, _REFERENCE_ITEMS, _AGES)) + 1e-9)
    times = []
    for rows in logs:
        started = time.thread_time_ns()
        total = rows.sum(axis=0)
        weights = np.exp(total - total.max())
        weights /= weights.sum()
        times.append((time.thread_time_ns() - started) / 1_000.0)
    return statistics.median(times)
