"""Several servers measured in turns by one load process.

Owns who is measured when: each once a round, another first in each. It must not know what they are.
"""

from __future__ import annotations

import math
import multiprocessing
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from tests.bench.compare import confine
from tests.bench.http2_load import LoadError, LoadResult, run_load
from tests.bench.server_process import cpu_seconds


@dataclass(frozen=True, slots=True)
class Subject:
    """What is measured.

    Attributes:
        name: Told with the figures.
        address: "host:port".
        process_id: Of its server; None: its processor time is not told.
        method: "/package.Service/Method".
        bodies: Requests, taken in turn.
        ca_file: Whom its certificate is trusted by; None: plaintext.
    """

    name: str
    address: str
    process_id: int | None
    method: str
    bodies: Sequence[bytes]
    ca_file: Path | None = None


@dataclass(frozen=True, slots=True)
class Measured:
    """One run of load, and what a call cost the server in microseconds; NaN: not told."""

    load: LoadResult
    server_us: float


def measured_in_turns(
    subjects: Sequence[Subject], *, rounds: int, calls: int, load_cpus: frozenset[int] | None
) -> dict[str, list[Measured]]:
    """Return the measurements of each by its name.

    Args:
        subjects: What is measured.
        rounds: Measurements of each.
        calls: Timed calls of a measurement; a quarter as many before are not.
        load_cpus: The processors of the load; None: any.

    Raises:
        LoadError: A call failed.
    """
    found: dict[str, list[Measured]] = {each.name: [] for each in subjects}
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(
        max_workers=1, mp_context=spawn, initializer=confine, initargs=(load_cpus,)
    ) as load:
        for number in range(rounds):
            turn = number % len(subjects)
            for subject in (*subjects[turn:], *subjects[:turn]):
                warm_up = calls // 4
                before = _cpu_seconds(subject)
                result = load.submit(
                    run_load,
                    subject.address,
                    method=subject.method,
                    bodies=subject.bodies,
                    calls=calls,
                    connections=1,
                    outstanding=8,
                    warmup_calls=warm_up,
                    ca_file=subject.ca_file,
                ).result()
                if result.failures:
                    raise LoadError(f"{subject.name}: {dict(result.statuses)}")
                spent = _cpu_seconds(subject) - before
                found[subject.name].append(Measured(result, 1e6 * spent / (calls + warm_up)))
    return found


def _cpu_seconds(subject: Subject) -> float:
    return math.nan if subject.process_id is None else cpu_seconds(subject.process_id)
