"""What rankings and batches cost: against single pairs, and against the bare trees.

Owns the measurement. Costs are processor time of the server's process, so that neither the caller
nor what else runs on the machine is in them; latencies are what one waiting caller saw.
"""

import random
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import grpc
import lightgbm
import numpy as np

from pairguard.age.parameters import Array
from pairguard.bundle.loading import load_bundle
from pairguard.risk.model import RiskModel
from pairguard.server.request_conversion import read_participant
from pairguard.server.violations import Violations
from pairguard.v1.pair_risk_service_pb2 import (
    Candidate,
    IndexPairs,
    RankCandidatesRequest,
    ScorePairRequest,
    ScorePairsRequest,
)
from pairguard.v1.pair_risk_service_pb2_grpc import PairRiskServiceStub
from pairguard.v1.participant_pb2 import Participant
from tests.bench.compare import bootstrap_interval
from tests.bench.requests import platform_requests
from tests.bench.server_process import Measured

RANKED = 50
_PEOPLE = 1_002
_REGULARS = 300
"""So many people ask again and again, and are remembered."""
_LEAST_SECONDS = 0.4
"""Processor time of a measurement at least: it is told in hundredths of a second."""
_SIZES = (100, 1_000, 10_000, 100_000, 499_500)
_ROWS = 16_384


def pools_report(measured: Measured, bundle_path: Path, *, rounds: int, seed: int) -> str:
    """Measure a server and describe what was found.

    Args:
        measured: The server; with state or without.
        bundle_path: What it judges with.
        rounds: Measurements of each kind, which take turns.
        seed: Of who is in the pools.
    """
    people = people_of(seed)
    with grpc.insecure_channel(
        measured.address,
        options=[("grpc.enable_http_proxy", 0), ("grpc.max_receive_message_length", 2**24)],
    ) as channel:
        stub = PairRiskServiceStub(channel)
        lines = _rankings(measured, stub, people, rounds=rounds, seed=seed)
        lines += _batches(measured, stub, people, bundle_path, rounds=rounds)
    return "\n".join(lines)


def _rankings(
    measured: Measured,
    stub: PairRiskServiceStub,
    people: Sequence[Participant],
    *,
    rounds: int,
    seed: int,
) -> list[str]:
    draw = random.Random(seed)

    def ranking(size: int) -> RankCandidatesRequest:
        chosen = draw.sample(people if size > _REGULARS else people[:_REGULARS], size + 1)
        return RankCandidatesRequest(
            seeker=chosen[0],
            candidates=[Candidate(participant=each, affinity=draw.random()) for each in chosen[1:]],
        )

    def single() -> ScorePairRequest:
        a, b = draw.sample(people[:_REGULARS], 2)
        return ScorePairRequest(participant_a=a, participant_b=b)

    for _ in range(3 * _REGULARS):  # everybody has been assessed, as where people ask again
        stub.ScorePair(single())
    pairs: list[float] = []
    ranked: dict[str, list[float]] = {"decided on since": [], "unchanged since": []}
    for _ in range(rounds):
        pairs.append(_cost(measured, lambda: stub.ScorePair(single())))
        # At first each of the people was in several pairs since it was ranked the last time.
        for costs in ranked.values():
            costs.append(_cost(measured, lambda: stub.RankCandidates(ranking(RANKED))))
    lines = [
        f"processor time of the server, medians of {rounds} rounds; seen before, 95 % intervals",
        f"ScorePair {1e3 * statistics.median(pairs):.3f} ms",
    ]
    for which, costs in ranked.items():
        ratios = [RANKED * one / fifty for one, fifty in zip(pairs, costs, strict=True)]
        low, high = bootstrap_interval(ratios)
        lines.append(
            f"RankCandidates of {RANKED}, people {which}: {1e3 * statistics.median(costs):.2f} ms, "
            f"{statistics.median(ratios):.1f} [{low:.1f}, {high:.1f}] times cheaper"
        )
    waits = []
    for _ in range(200):
        pair = single()
        began = time.perf_counter()
        stub.ScorePair(pair)
        waits.append(time.perf_counter() - began)
    lines.append(f"ScorePair, one caller waits {1e3 * statistics.median(waits):.2f} ms")
    for size in (10, RANKED, 1_000):
        times = []
        for _ in range(200 if size < 1_000 else 20):
            request = ranking(size)
            began = time.perf_counter()
            stub.RankCandidates(request)
            times.append(time.perf_counter() - began)
        lines.append(
            f"RankCandidates of {size:5,}, one caller waits {1e3 * statistics.median(times):.2f} ms"
        )
    return lines


def _batches(
    measured: Measured,
    stub: PairRiskServiceStub,
    people: Sequence[Participant],
    bundle_path: Path,
    *,
    rounds: int,
) -> list[str]:
    bare_trees = _bare_trees(bundle_path, people[:_REGULARS])
    pool = people[:1_000]
    lines = []
    for size in _SIZES:
        first, second = (each[:size].tolist() for each in np.triu_indices(len(pool), 1))
        count = min(len(pool), max(second) + 1)
        request = ScorePairsRequest(
            participants=pool[:count],
            pairs=IndexPairs(first_indices=first, second_indices=second),
        )

        def call(request: ScorePairsRequest = request) -> None:
            for _ in stub.ScorePairs(request):
                pass

        call()
        costs, ratios, times = [], [], []
        for _ in range(rounds if size < 100_000 else max(rounds // 3, 3)):
            began = time.perf_counter()
            call()
            times.append(time.perf_counter() - began)
            costs.append(_cost(measured, call) / size)
            ratios.append(bare_trees() / costs[-1])
        low, high = bootstrap_interval(ratios)
        lines.append(
            f"ScorePairs of {size:7,} among {count:5,}: {statistics.median(times):.3f} s, "
            f"{1.0 / statistics.median(costs):,.0f} pairs a second of processor, "
            f"{statistics.median(ratios):.2f} [{low:.2f}, {high:.2f}] of Booster.predict's rows"
        )
    return lines


def _bare_trees(bundle_path: Path, people: Sequence[Participant]) -> Callable[[], float]:
    """Return what measures LightGBM's own package: seconds of a thread for one ready row."""
    directory = bundle_path / "current" if (bundle_path / "current").exists() else bundle_path
    model = lightgbm.Booster(model_file=str(directory / "harm_model.txt"))
    rows = ready_rows(load_bundle(bundle_path).model, people)

    def seconds() -> float:
        began = time.thread_time()
        model.predict(rows, raw_score=True, num_threads=1)
        return (time.thread_time() - began) / _ROWS

    seconds()
    return seconds


def ready_rows(model: RiskModel, people: Sequence[Participant]) -> Array:
    """Return the rows of pairs of these people."""
    if model.harm is None:
        raise ValueError("the bundle has no harm model")
    now = time.time()
    read = [read_participant(each, "", now=now, violations=Violations()) for each in people]
    assessed = [model.assess_participant(each, now) for each in read]
    below = np.array([each.age.probability_below(18) for each in assessed])
    first, second = (each[:_ROWS] for each in np.triu_indices(len(people), 1))
    a, b = below[first], below[second]
    return model.harm.features.pool_rows(
        model.harm.features.ready_matrix(np.array([each.values for each in assessed])),
        first,
        second,
        probability_minor=below,
        minor_adult_probability=a * (1.0 - b) + b * (1.0 - a),
    )


def people_of(seed: int) -> list[Participant]:
    """Return people as a platform tells of them."""
    found = []
    for body in platform_requests(_PEOPLE // 2, seed=seed, now=time.time()):
        request = ScorePairRequest.FromString(body)
        found += [request.participant_a, request.participant_b]
    return found


def _cost(measured: Measured, call: Callable[[], object]) -> float:
    """Return the processor time of the server for one call, seconds."""
    began, count = measured.server_cpu_seconds(), 0
    while measured.server_cpu_seconds() - began < _LEAST_SECONDS:
        call()
        count += 1
    return (measured.server_cpu_seconds() - began) / count
