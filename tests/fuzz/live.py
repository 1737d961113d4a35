"""Wrong inputs to a server that serves: messages over HTTP/2, and bytes that are no HTTP/2.

Owns what may be answered, and what of the server must stay as it was: alive, answering, no larger.
"""

from __future__ import annotations

import random
import socket
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import grpc

from tests.bench.http2_load import run_load
from tests.fuzz.messages import message_mutations
from tests.fuzz.mutation import alternately, mutations
from tests.fuzz.seeds import REQUESTS

SERVICES: Mapping[str, str] = {
    "ScorePair": "PairRiskService",
    "ScorePairs": "PairRiskService",
    "RankCandidates": "PairRiskService",
    "GetDecision": "PairRiskService",
    "AssessAge": "AgeAssuranceService",
    "RecordAgeEvidence": "AgeAssuranceService",
    "RecordEvents": "FeedbackService",
    "EraseParticipant": "FeedbackService",
}
_STREAMS = frozenset({"ScorePairs"})
ANSWERS = frozenset(
    {
        grpc.StatusCode.OK,
        grpc.StatusCode.INVALID_ARGUMENT,
        grpc.StatusCode.NOT_FOUND,
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        # A row that is being written by several: sent again, it is recorded.
        grpc.StatusCode.UNAVAILABLE,
    }
)
_CODES = {code.value[0]: code for code in grpc.StatusCode}
_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_CALLS_A_RUN = 5_000


@dataclass
class Answered:
    """What a server answered.

    Attributes:
        codes: Calls by method and status.
        wrong: Calls with a status that no input may have.
        connections: Connections of bytes that are no calls.
    """

    codes: Counter[tuple[str, grpc.StatusCode]] = field(default_factory=Counter)
    connections: int = 0

    @property
    def wrong(self) -> dict[tuple[str, str], int]:
        """Answers that no input may have, by method and status."""
        return {
            (method, code.name): count
            for (method, code), count in self.codes.items()
            if code not in ANSWERS
        }


def call_wrongly(address: str, inputs: int, *, seed: int) -> Answered:
    """Make so many calls with wrong messages, a share of each method."""
    answered = Answered()
    # Seeds of other methods, too: a right message of the wrong kind.
    all_right = [message.SerializeToString() for message in REQUESTS.values()]
    share = max(inputs // len(SERVICES), 1)
    for place, (method, service) in enumerate(SERVICES.items()):
        path = f"/pairguard.v1.{service}/{method}"
        right = REQUESTS[method]
        source = alternately(
            mutations([*all_right, *[right.SerializeToString()] * 4], seed=seed + place),
            message_mutations(right, seed=seed + place),
        )
        left = share if method not in _STREAMS else share // 10
        while left > 0:
            bodies = list(islice(source, min(left, _CALLS_A_RUN)))
            left -= len(bodies)
            if method in _STREAMS:
                codes = _stream(address, path, bodies)
            else:
                result = run_load(
                    address,
                    method=path,
                    bodies=bodies,
                    calls=len(bodies),
                    connections=2,
                    outstanding=8,
                    warmup_calls=0,
                    stall_timeout_seconds=60.0,
                )
                codes = Counter({_CODES[number]: n for number, n in result.statuses.items()})
            for code, count in codes.items():
                answered.codes[method, code] += count
    return answered


def _stream(address: str, path: str, bodies: Sequence[bytes]) -> Counter[grpc.StatusCode]:
    codes: Counter[grpc.StatusCode] = Counter()
    with grpc.insecure_channel(address, options=[("grpc.enable_http_proxy", 0)]) as channel:
        call: Any = channel.unary_stream(path)
        for body in bodies:
            answer = call(body, timeout=60.0)
            with suppress(grpc.RpcError):
                list(answer)
            codes[answer.code()] += 1
    return codes


def connect_wrongly(address: str, connections: int, *, seed: int) -> int:
    """Open connections that send frames and bytes that nobody means; return how many."""
    host, _, port = address.rpartition(":")
    draw = random.Random(seed)
    frames = (
        b"\x00\x00\x00\x04\x00\x00\x00\x00\x00",  # SETTINGS
        b"\xff\xff\xff\x00\x00\x00\x00\x00\x01",  # DATA of 16 MB that never comes
        b"\x00\x00\x08\x06\x00\x00\x00\x00\x00" + b"\x00" * 8,  # PING
        b"\x00\x00\x04\x03\x00\x00\x00\x00\x01\x00\x00\x00\x08",  # RST_STREAM
        b"\x00\x00\x04\x08\x00\x00\x00\x00\x00\x7f\xff\xff\xff",  # WINDOW_UPDATE
        b"\x00\x00\x05\x01\x04\x00\x00\x00\x01\x82\x86\x84\xff\xff",  # HEADERS
        b"\x00\x00\x01\x09\x00\x00\x00\x00\x01\xff",  # CONTINUATION
    )
    for _ in range(connections):
        content = bytearray(_PREFACE if draw.random() < 0.8 else b"")
        for _ in range(draw.randint(0, 12)):
            frame = bytearray(draw.choice(frames))
            if draw.random() < 0.5:
                frame[draw.randrange(len(frame))] = draw.randrange(256)
            content += frame
        content += draw.randbytes(draw.choice((0, 0, 9, 200)))
        try:
            with socket.create_connection((host, int(port)), timeout=10.0) as connection:
                connection.sendall(content)
                if draw.random() < 0.3:
                    connection.settimeout(0.02)
                    connection.recv(4_096)
        except OSError:
            continue  # the server has closed it, which is right
    return connections
