"""What callers see while another bundle is loaded: a paced load, with and without reloads.

Owns the measurement: two versions of one bundle take turns in a root while clients ask, each pair
another one. It judges nothing.
"""

import json
import random
import statistics
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from pairguard.bundle.directory import locate_bundle, read_bundle_files
from pairguard.bundle.manifest import CERTIFICATE
from pairguard.bundle.publication import publish
from pairguard.bundle.rewriting import rewrite_bundle
from pairguard.client import Client, ClientOptions, DecidedBy, ParticipantInput
from tests.e2e.server_process import ServerProcess, environment, started
from tests.process_facts import resident_bytes

_CALLERS = 3
_PEOPLE = 3_000
_PAUSE_SECONDS = 0.003
_QUIET_SECONDS = 8.0
_BETWEEN_SECONDS = 2.0
_MIB = 1024 * 1024

_Span = tuple[float, float]


@dataclass
class _Load:
    """Callers of one server, and when each call began and ended, seconds since 1970."""

    client: Client
    seed: int
    calls: list[_Span] = field(default_factory=list)
    failed: int = 0
    stopped: threading.Event = field(default_factory=threading.Event)

    def run(self, caller: int) -> None:
        chance = random.Random(self.seed + caller)
        while not self.stopped.wait(_PAUSE_SECONDS):
            a, b = (ParticipantInput(f"p{each}") for each in chance.sample(range(_PEOPLE), 2))
            begin = time.time()
            answer = self.client.score_pair(a, b)
            self.calls.append((begin, time.time()))
            self.failed += answer.decided_by is not DecidedBy.SERVICE


def reload_report(bundle: Path, *, reloads: int, seed: int) -> str:
    """Measure and describe what was found."""
    with tempfile.TemporaryDirectory() as name:
        workplace = Path(name)
        versions = _versions(locate_bundle(bundle).absolute(), workplace)
        publish(workplace / "root", versions[0])
        environ = environment(
            workplace,
            workplace / "root",
            reload_check_seconds="0.1",
            log_one_ok_call_in="1000000",
        )
        with started(workplace, environ) as server:
            options = ClientOptions(server.address, timeout_seconds=20.0)
            with Client(options) as client:
                load = _Load(client, seed)
                quiet, memory = _measure(load, server, workplace / "root", versions, reloads)
        logged = [json.loads(line) for line in server.logged if '"reload"' in line]
    ends = [datetime.fromisoformat(line["time"]).timestamp() for line in logged]
    took = [line["duration_seconds"] for line in logged]
    loading = [(end - seconds, end) for end, seconds in zip(ends, took, strict=True)]
    lines = [
        f"{len(logged)} reloads, {load.failed} of {len(load.calls)} calls failed, seed {seed}",
        (
            f"from seeing a change to the swap: median {statistics.median(took):.2f} s, longest "
            f"{max(took):.2f} s; resident memory before {memory[0]:.0f} MB, after each "
            f"{min(memory[1:]):.0f} to {max(memory[1:]):.0f} MB"
        ),
        _latencies("nothing is loaded", load.calls, [quiet]),
        _latencies("while a bundle is loaded", load.calls, loading),
        _latencies("in the 0.1 s after", load.calls, [(end, end + 0.1) for end in ends]),
    ]
    return "\n".join(lines)


def _versions(bundle: Path, workplace: Path) -> list[Path]:
    """Return a bundle and its copy under another version, with the same models."""
    certificate = read_bundle_files(bundle).contents[CERTIFICATE]
    copy = workplace / "copy"
    rewrite_bundle(bundle, copy, {CERTIFICATE: certificate}, notes=["a copy to measure with"])
    return [bundle, copy]


def _measure(
    load: _Load, server: ServerProcess, root: Path, versions: Sequence[Path], reloads: int
) -> tuple[_Span, list[float]]:
    """Call, first in quiet, then while bundles take turns; return when it was quiet, and memory."""
    threads = [threading.Thread(target=load.run, args=(each,)) for each in range(_CALLERS)]
    for thread in threads:
        thread.start()
    try:
        time.sleep(2.0)
        begin = time.time()
        time.sleep(_QUIET_SECONDS)
        quiet = (begin, time.time())
        memory = [resident_bytes(server.process.pid) / _MIB]
        for number in range(1, reloads + 1):
            publish(root, versions[number % 2])
            time.sleep(_BETWEEN_SECONDS)
            memory.append(resident_bytes(server.process.pid) / _MIB)
    finally:
        load.stopped.set()
        for thread in threads:
            thread.join()
    return quiet, memory


def _latencies(title: str, calls: Sequence[_Span], spans: Sequence[_Span]) -> str:
    """Describe the calls that were under way at some moment of a span."""
    found = sorted(
        1e3 * (end - begin)
        for begin, end in calls
        if any(begin < last and end > first for first, last in spans)
    )
    if not found:
        return f"{title:25} no calls"
    p50, p99 = (found[int(share * (len(found) - 1))] for share in (0.5, 0.99))
    return (
        f"{title:25} {len(found):6} calls: median {p50:.1f} ms, 99 % within {p99:.1f} ms, "
        f"longest {found[-1]:.1f} ms"
    )
