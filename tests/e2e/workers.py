"""The workers of a server process, and the figures that it tells of them."""

from __future__ import annotations

import threading
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from prometheus_client.parser import text_string_to_metric_families

from pairguard.client import Client, ClientOptions, PairDecision, ParticipantInput
from tests.e2e.server_process import ServerProcess
from tests.process_facts import children_of, command_of
from tests.waiting import wait_until

WORKER = "pairguard.server.processes.worker"


def workers_of(server: ServerProcess) -> set[int]:
    """Return the process ids of the workers that the supervisor has now."""
    return {each for each in children_of(server.process.pid) if WORKER in command_of(each)}


def leader_of(server: ServerProcess) -> int:
    """Return the process id of worker 0."""
    (found,) = (each for each in workers_of(server) if "--leads" in command_of(each))
    return found


def figures(server: ServerProcess) -> dict[tuple[str, str], float]:
    """Return samples by name and worker, added up over all other labels."""
    with urllib.request.urlopen(server.metrics_url, timeout=10) as answer:  # noqa: S310
        text = answer.read().decode()
    found: dict[tuple[str, str], float] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            key = (sample.name, sample.labels.get("worker", ""))
            found[key] = found.get(key, 0.0) + sample.value
    return found


def figure(server: ServerProcess, name: str) -> float:
    """Return one sample by its name as it is written, labels included; -1.0: there is none."""
    with urllib.request.urlopen(server.metrics_url, timeout=10) as answer:  # noqa: S310
        for line in answer.read().decode().splitlines():
            if line.startswith(f"{name} "):
                return float(line.rpartition(" ")[2])
    return -1.0


def all_serve(server: ServerProcess, count: int) -> Callable[[], bool]:
    """Return whether so many workers serve, as a function."""
    return lambda: figure(server, "pairguard_workers_serving") == count


@contextmanager
def called(address: str, *, timeout_seconds: float) -> Iterator[list[PairDecision]]:
    """Have four clients call all the while; what was answered is in the list."""
    a, b = ParticipantInput("a"), ParticipantInput("b")
    answers: list[PairDecision] = []
    stopped = threading.Event()

    def call() -> None:
        with Client(ClientOptions(address, timeout_seconds=timeout_seconds)) as client:
            while not stopped.is_set():
                answers.append(client.score_pair(a, b))

    callers = [threading.Thread(target=call) for _ in range(4)]
    for caller in callers:
        caller.start()
    try:
        wait_until(lambda: len(answers) > 20, "calls are answered")
        yield answers
    finally:
        stopped.set()
        for caller in callers:
            caller.join(1.5 * timeout_seconds)
