"""How long callers wait at half of what the server can do, against the null call's own wait.

Owns the measurement: capacity first, by a closed load, then calls that come at half of it. Every
round measures all methods in turns; printed are medians of the rounds with their extremes.
"""

import multiprocessing
import random
import statistics
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor

from pairguard.v1.pair_risk_service_pb2 import Candidate, RankCandidatesRequest, ScorePairRequest
from tests.bench.compare import Subject, confine
from tests.bench.http2_load import run_load
from tests.bench.open_load import OpenResult, run_open_load
from tests.bench.requests import bare_requests, platform_requests
from tests.bench.server_process import NULL_METHOD, Measured

_SERVICE = "/pairguard.v1.PairRiskService"
_RANKED = 50
_RANKINGS = 400
_REGULARS = 300
_SHARE = 0.5


def latency_report(
    measured: Measured,
    *,
    rounds: int,
    seconds: float,
    seed: int,
    load_cpus: frozenset[int] | None,
) -> str:
    """Measure and describe.

    Args:
        measured: The server.
        rounds: Measurements of each method.
        seconds: How long calls arrive in each.
        seed: Of the requests and of the gaps.
        load_cpus: Processors of the load.
    """
    subjects = [
        Subject("null", NULL_METHOD, [b""]),
        Subject(
            "ScorePair, two bare ids", f"{_SERVICE}/ScorePair", bare_requests(5_000, seed=seed)
        ),
        Subject(f"RankCandidates of {_RANKED}", f"{_SERVICE}/RankCandidates", _rankings(seed)),
    ]
    spawn = multiprocessing.get_context("spawn")
    found: dict[str, list[OpenResult]] = {each.name: [] for each in subjects}
    capacity: dict[str, float] = {}
    with ProcessPoolExecutor(
        max_workers=1, mp_context=spawn, initializer=confine, initargs=(load_cpus,)
    ) as load:
        for subject in subjects:
            calls = 3_000 if subject.method == NULL_METHOD else 300
            capacity[subject.name] = (
                load.submit(
                    run_load,
                    measured.address,
                    method=subject.method,
                    bodies=subject.bodies,
                    calls=calls,
                    connections=4,
                    outstanding=2,
                    warmup_calls=calls // 2,
                )
                .result()
                .calls_per_second
            )
        for number in range(rounds):
            for subject in subjects:
                result = load.submit(
                    run_open_load,
                    measured.address,
                    method=subject.method,
                    bodies=subject.bodies,
                    calls_per_second=_SHARE * capacity[subject.name],
                    seconds=seconds,
                    seed=seed + number,
                ).result()
                found[subject.name].append(result)
    lines = [
        f"open loop at {_SHARE:.0%} of each method's own closed-loop rate, {rounds} rounds of",
        f"{seconds:g} s, seed {seed}; latency from when a call was due; extremes of the rounds",
    ]
    for name, results in found.items():
        waits = [_ms([each.p50 for each in results]), _ms([each.p99 for each in results])]
        calls, failures = (
            sum(each) for each in zip(*((r.calls, r.failures) for r in results), strict=True)
        )
        lines.append(
            f"{name:24} {capacity[name]:8,.0f} calls/s at most; p50 {waits[0]}, p99 {waits[1]}, "
            f"{calls:,} calls, {failures} failed"
        )
    return "\n".join(lines)


def _ms(seconds: Sequence[float]) -> str:
    median, low, high = statistics.median(seconds), min(seconds), max(seconds)
    return f"{1e3 * median:.2f} ms [{1e3 * low:.2f}, {1e3 * high:.2f}]"


def _rankings(seed: int) -> list[bytes]:
    """Return rankings of people who come again, as on a platform where they wait."""
    people = []
    for body in platform_requests(_REGULARS // 2, seed=seed, now=time.time()):
        request = ScorePairRequest.FromString(body)
        people += [request.participant_a, request.participant_b]
    draw = random.Random(seed)
    found = []
    for _ in range(_RANKINGS):
        chosen = draw.sample(people, _RANKED + 1)
        ranking = RankCandidatesRequest(
            seeker=chosen[0],
            candidates=[Candidate(participant=each, affinity=draw.random()) for each in chosen[1:]],
        )
        found.append(ranking.SerializeToString())
    return found
