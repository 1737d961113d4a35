"""What recording events costs, one a call against a thousand a call.

Owns the measurement. Both take turns in the same run, with new events each time.
"""

import statistics
import time
from collections.abc import Sequence
from typing import NamedTuple

import grpc

from pairguard.v1.feedback_service_pb2 import Event, RecordEventsRequest
from pairguard.v1.feedback_service_pb2_grpc import FeedbackServiceStub
from tests.bench.compare import bootstrap_interval
from tests.bench.known_people import chat_events, record_people, sent
from tests.bench.server_process import Measured

_ROUNDS = 9
_SINGLE = 100
_BATCH = 1_000


def events_report(measured: Measured, *, name: str, seed: int) -> str:
    """Measure a server and describe what was found."""
    people = record_people(measured.address, seed=seed)
    ratios, singles, batches = [], [], []
    with grpc.insecure_channel(
        measured.address, options=[("grpc.enable_http_proxy", 0)]
    ) as channel:
        stub = FeedbackServiceStub(channel)
        for number in range(_ROUNDS):
            events = chat_events(people, _SINGLE + _BATCH, seed=seed + number + 1)
            one_by_one = _cost(stub, [[event] for event in events[:_SINGLE]], measured)
            together = _cost(stub, [events[_SINGLE:]], measured)
            singles.append(one_by_one)
            batches.append(together)
            ratios.append(one_by_one.seconds / together.seconds)
    low, high = bootstrap_interval(ratios)
    return (
        f"RecordEvents, {name}, starts and ends of chats, durable before the answer, medians of "
        f"{_ROUNDS} rounds: {_rate(batches):,.0f} events/s with {_BATCH:,} a call, "
        f"{_rate(singles):,.0f} events/s one by one; ratio "
        f"{statistics.median(ratios):.1f} [{low:.1f}, {high:.1f}]; processor time of the server "
        f"{_cpu_us(batches):,.0f} and {_cpu_us(singles):,.0f} us an event"
    )


class _Cost(NamedTuple):
    """Of one event: seconds until it is answered, and of them the server's processor time."""

    seconds: float
    cpu_seconds: float


def _cost(stub: FeedbackServiceStub, batches: list[list[Event]], measured: Measured) -> _Cost:
    cpu, start = measured.server_cpu_seconds(), time.perf_counter()
    count = 0
    for batch in batches:
        answer = sent(stub.RecordEvents, RecordEventsRequest(events=batch))
        count += len(answer.results)
    seconds = time.perf_counter() - start
    return _Cost(seconds / count, (measured.server_cpu_seconds() - cpu) / count)


def _rate(costs: Sequence[_Cost]) -> float:
    return 1.0 / statistics.median(each.seconds for each in costs)


def _cpu_us(costs: Sequence[_Cost]) -> float:
    return 1e6 * statistics.median(each.cpu_seconds for each in costs)
