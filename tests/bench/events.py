"""What recording events costs, one a call against a thousand a call.

Owns the measurement. Both take turns in the same run, with new events each time.
"""

import statistics
import time

import grpc

from pairguard.v1.feedback_service_pb2 import Event, RecordEventsRequest
from pairguard.v1.feedback_service_pb2_grpc import FeedbackServiceStub
from tests.bench.compare import bootstrap_interval
from tests.bench.known_people import chat_events, record_people, sent

_ROUNDS = 9
_SINGLE = 100
_BATCH = 1_000


def events_report(address: str, *, name: str, seed: int) -> str:
    """Measure a server and describe what was found."""
    people = record_people(address, seed=seed)
    ratios, singles, batches = [], [], []
    with grpc.insecure_channel(address, options=[("grpc.enable_http_proxy", 0)]) as channel:
        stub = FeedbackServiceStub(channel)
        for number in range(_ROUNDS):
            events = chat_events(people, _SINGLE + _BATCH, seed=seed + number + 1)
            one_by_one = _rate(stub, [[event] for event in events[:_SINGLE]])
            together = _rate(stub, [events[_SINGLE:]])
            singles.append(one_by_one)
            batches.append(together)
            ratios.append(together / one_by_one)
    low, high = bootstrap_interval(ratios)
    return (
        f"RecordEvents, {name}, starts and ends of chats, durable before the answer, medians of "
        f"{_ROUNDS} rounds: {statistics.median(batches):,.0f} events/s with {_BATCH:,} a call, "
        f"{statistics.median(singles):,.0f} events/s one by one; ratio "
        f"{statistics.median(ratios):.1f} [{low:.1f}, {high:.1f}]"
    )


def _rate(stub: FeedbackServiceStub, batches: list[list[Event]]) -> float:
    start = time.perf_counter()
    count = 0
    for batch in batches:
        answer = sent(stub.RecordEvents, RecordEventsRequest(events=batch))
        count += len(answer.results)
    return count / (time.perf_counter() - start)
