"""What others take who serve the same model with ready features: MLServer, and a bare Booster.

Owns the measurement: ``ScorePair`` of two bare ids and of platform traffic with nothing kept,
against

- MLServer with the harm model of the same bundle and rows that are ready: as it comes (a worker
  process beside its server), and tuned (no worker process, one thread of OpenMP);
- a gRPC server of a few lines that reads packed doubles and asks ``Booster.predict``.

They judge nothing: no ages, no policy, no checks, no record. Methods take turns in short rounds,
all servers on one processor and the load on the others, where there are several.
"""

import json
import multiprocessing
import os
import statistics
import struct
import subprocess
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import grpc
import lightgbm
import numpy as np

from pairguard.age.parameters import Array
from pairguard.bundle.directory import locate_bundle
from pairguard.bundle.loading import load_bundle
from tests.bench.compare import bootstrap_interval, confine
from tests.bench.pools import people_of, ready_rows
from tests.bench.requests import bare_requests, platform_requests
from tests.bench.server_process import measured_server
from tests.bench.turns import Subject, measured_in_turns
from tests.redis_server import free_port

_PEER_METHOD = "/inference.GRPCInferenceService/ModelInfer"
_BOOSTER_METHOD = "/pairguard.bench.Booster/Predict"
_SCORE_PAIR = "/pairguard.v1.PairRiskService/ScorePair"
_START_SECONDS = 120.0


def peers_report(
    bundle_path: Path, peer_python: Path, workplace: Path, *, rounds: int, calls: int, seed: int
) -> str:
    """Measure and describe.

    Args:
        bundle_path: What is served.
        peer_python: The Python that has MLServer.
        workplace: Where to write.
        rounds: Measurements of each method.
        calls: Calls a measurement.
        seed: Of the requests.
    """
    cpus = sorted(os.sched_getaffinity(0))
    server_cpu, load_cpus = (cpus[0], frozenset(cpus[1:])) if len(cpus) > 1 else (None, None)
    rows = ready_rows(load_bundle(bundle_path).model, people_of(seed))
    model = locate_bundle(bundle_path) / "harm_model.txt"
    with ExitStack() as held:
        measured = held.enter_context(
            measured_server(bundle_path, workplace, server_cpu, store=None)
        )
        bodies = _peer_bodies(peer_python, workplace, rows[:2_000])
        subjects = [
            Subject("ScorePair, two bare ids", measured.address, None, _SCORE_PAIR,
                     bare_requests(5_000, seed=seed)),
            Subject("ScorePair, platform traffic", measured.address, None, _SCORE_PAIR,
                     platform_requests(5_000, seed=seed, now=time.time())),
        ]  # fmt: skip
        for name, workers in (("MLServer, tuned", 0), ("MLServer, as it comes", 1)):
            place = workplace / f"mlserver-{workers}"
            address = held.enter_context(
                _mlserver(peer_python, place, model, parallel_workers=workers, cpu=server_cpu)
            )
            subjects.append(Subject(name, address, None, _PEER_METHOD, bodies))
        address = held.enter_context(_booster_server(model, server_cpu))
        packed = [row.astype("<f8").tobytes() for row in rows[:2_000]]
        subjects.append(Subject("bare Booster.predict", address, None, _BOOSTER_METHOD, packed))
        found = measured_in_turns(subjects, rounds=rounds, calls=calls, load_cpus=load_cpus)
        rates = {
            name: [each.load.calls_per_second for each in results]
            for name, results in found.items()
        }
    return _told(subjects, rates, rounds)


def _told(subjects: Sequence[Subject], rates: dict[str, list[float]], rounds: int) -> str:
    own = [each.name for each in subjects if each.method == _SCORE_PAIR]
    lines = [f"calls a second, medians of {rounds} rounds, 1 connection x 8 calls outstanding"]
    lines += [f"  {name:30} {statistics.median(rates[name]):8,.0f}" for name in rates]
    lines.append("ratios inside each round, median and 95 % bootstrap interval:")
    for name in own:
        for other, theirs in rates.items():
            if other in own:
                continue
            ratios = [a / b for a, b in zip(rates[name], theirs, strict=True)]
            median, (low, high) = statistics.median(ratios), bootstrap_interval(ratios)
            lines.append(f"  {name} / {other}: {median:.2f} [{low:.2f}, {high:.2f}]")
    return "\n".join(lines)


def _peer_bodies(peer_python: Path, workplace: Path, rows: Array) -> list[bytes]:
    given, made = workplace / "rows.npy", workplace / "requests"
    np.save(given, rows)
    script = Path(__file__).with_name("peer_requests.py")
    subprocess.run([peer_python, script, given, made], check=True)
    content, found, at = made.read_bytes(), [], 0
    while at < len(content):
        (size,) = struct.unpack_from(">I", content, at)
        found.append(content[at + 4 : at + 4 + size])
        at += 4 + size
    return found


@contextmanager
def _mlserver(
    peer_python: Path, place: Path, model: Path, *, parallel_workers: int, cpu: int | None
) -> Iterator[str]:
    ports = [free_port() for _ in range(3)]
    (place / "harm").mkdir(parents=True)
    (place / "settings.json").write_text(
        json.dumps(
            {
                "host": "127.0.0.1",
                "http_port": ports[0],
                "grpc_port": ports[1],
                "metrics_port": ports[2],
                "parallel_workers": parallel_workers,
                "debug": False,
            }
        )
    )
    (place / "harm" / "model-settings.json").write_text(
        json.dumps(
            {
                "name": "harm",
                "implementation": "mlserver_lightgbm.LightGBMModel",
                "parameters": {"uri": str(model.absolute())},
            }
        )
    )
    tuned = {"OMP_NUM_THREADS": "1"} if parallel_workers == 0 else {}
    with (place / "log").open("wb") as log:
        process = subprocess.Popen(
            [peer_python.with_name("mlserver"), "start", str(place)],
            env=os.environ | tuned,
            stdout=log,
            stderr=log,
        )
        try:
            address = f"127.0.0.1:{ports[1]}"
            _wait_until_ready(address)
            _confine_all(process.pid, cpu)
            yield address
        finally:
            process.terminate()
            process.wait(30)


def _wait_until_ready(address: str) -> None:
    end = time.monotonic() + _START_SECONDS
    with grpc.insecure_channel(address, options=[("grpc.enable_http_proxy", 0)]) as channel:
        # ModelReady of the inference protocol: field 1 is the name, field 1 of the answer is ready.
        ready: Any = channel.unary_unary("/inference.GRPCInferenceService/ModelReady")
        while True:
            try:
                if ready(b"\x0a\x04harm", timeout=2.0) == b"\x08\x01":
                    return
            except grpc.RpcError:
                pass
            if time.monotonic() > end:
                raise TimeoutError("MLServer did not become ready")
            time.sleep(0.5)


def _confine_all(process_id: int, cpu: int | None) -> None:
    """Keep a process, its children and all their threads to a processor."""
    if cpu is None:
        return
    for thread in Path(f"/proc/{process_id}/task").iterdir():
        os.sched_setaffinity(int(thread.name), {cpu})
        for child in (thread / "children").read_text("ascii").split():
            _confine_all(int(child), cpu)


@contextmanager
def _booster_server(model: Path, cpu: int | None) -> Iterator[str]:
    spawn = multiprocessing.get_context("spawn")
    here, there = spawn.Pipe()
    process = spawn.Process(target=_serve_booster, args=(there, model, cpu))
    process.start()
    try:
        yield here.recv()
    finally:
        here.send("stop")
        process.join(30)


def _serve_booster(there: Connection, model: Path, cpu: int | None) -> None:
    confine(None if cpu is None else frozenset({cpu}))
    booster = lightgbm.Booster(model_file=str(model))

    def predict(request: bytes, _context: grpc.ServicerContext) -> bytes:
        row = np.frombuffer(request, dtype="<f8").reshape(1, -1)
        return np.asarray(booster.predict(row, num_threads=1)).tobytes()

    server = grpc.server(ThreadPoolExecutor(4))
    handler: Any = grpc.unary_unary_rpc_method_handler(predict)
    server.add_generic_rpc_handlers(
        [grpc.method_handlers_generic_handler("pairguard.bench.Booster", {"Predict": handler})]
    )
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    there.send(f"127.0.0.1:{port}")
    there.recv()
    server.stop(1.0).wait()
