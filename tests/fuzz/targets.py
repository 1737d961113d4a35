"""Everything of ours that reads what others wrote, each as a function of bytes.

Owns what each may raise: refusals that say what is wrong. Anything else is a mistake of ours.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from google.protobuf.message import DecodeError, Message

from pairguard.age.tables import AgeTables
from pairguard.bundle.arrays import read_arrays, write_arrays
from pairguard.bundle.defaults import default_policy_text
from pairguard.bundle.manifest import read_manifest
from pairguard.errors import PairguardError
from pairguard.policy.regions import Policy
from pairguard.risk.catalogue import SignalCatalogue
from pairguard.server.addresses import parse_address
from pairguard.server.callers import parse_callers
from pairguard.server.pool_conversion import read_rank_candidates, read_score_pairs
from pairguard.server.processes.messages import (
    Order,
    OrderKind,
    Prepared,
    Release,
    decode,
    decode_order,
    encode,
    encode_order,
)
from pairguard.server.record_conversion import read_record_age_evidence, read_record_events
from pairguard.server.reference_conversion import read_erase_participant, read_get_decision
from pairguard.server.request_conversion import read_assess_age, read_score_pair
from pairguard.store.ports import RecordKind
from pairguard.store.records import record_of
from pairguard.store.segments.framing import decode_header, decode_record, encode_record
from tests.domain import NOW
from tests.fuzz import seeds
from tests.unit.client.arrival import OBSERVED
from tests.unit.client.test_any_payload import CONVERSIONS, RIGHT

REFUSALS = (PairguardError, DecodeError)


@dataclass(frozen=True, slots=True)
class Target:
    """One parser.

    Attributes:
        read: Reads bytes; raises one of ``refusals``, or nothing.
        right: Inputs that it accepts.
        refusals: What it may raise.
        message: The message that it reads, if it reads one: made wrong field by field as well.
    """

    read: Callable[[bytes], object]
    right: Sequence[bytes]
    refusals: tuple[type[Exception], ...] = REFUSALS
    message: Message | None = None


def _request(kind: type[Message], read: Callable[[Any], object]) -> Callable[[bytes], object]:
    return lambda content: read(kind.FromString(content))


def _at_now(read: Callable[[Any, float], object]) -> Callable[[Any], object]:
    return lambda request: read(request, NOW)


_READERS: Mapping[str, Callable[[Any], object]] = {
    "ScorePair": _at_now(read_score_pair),
    "ScorePairs": _at_now(read_score_pairs),
    "RankCandidates": _at_now(read_rank_candidates),
    "AssessAge": _at_now(read_assess_age),
    "RecordAgeEvidence": _at_now(read_record_age_evidence),
    "RecordEvents": _at_now(read_record_events),
    "EraseParticipant": read_erase_participant,
    "GetDecision": read_get_decision,
}


def _payload(name: str) -> Callable[[bytes], object]:
    convert = CONVERSIONS[name]
    return lambda content: convert(json.loads(content), observed_time=OBSERVED)


def _toml(read: Callable[[Mapping[str, Any]], object]) -> Callable[[bytes], object]:
    return lambda content: read(tomllib.loads(content.decode("utf-8")))


def _segment(content: bytes) -> object:
    decode_header(content)
    return decode_record(0, 0, content, 0)


def targets() -> dict[str, Target]:
    """Return every parser by name."""
    found = {
        f"request {name}": Target(
            _request(type(seeds.REQUESTS[name]), read),
            [seeds.REQUESTS[name].SerializeToString()],
            message=seeds.REQUESTS[name],
        )
        for name, read in _READERS.items()
    }
    found |= {
        f"payload {name}": Target(
            _payload(name), [json.dumps(right).encode()], (ValueError, TypeError, RecursionError)
        )
        for name, right in RIGHT.items()
    }
    unreadable = (*REFUSALS, ValueError, RecursionError)
    found["policy"] = Target(
        _toml(Policy.from_mapping), [default_policy_text().encode()], unreadable
    )
    found["signal catalogue"] = Target(
        _toml(SignalCatalogue.from_mapping), [seeds.package_file("risk", "default_signals.toml")],
        unreadable,
    )  # fmt: skip
    found["age tables"] = Target(
        lambda content: AgeTables.from_mapping(json.loads(content)),
        [seeds.package_file("age", "default_tables.json")],
        unreadable,
    )
    found["manifest"] = Target(read_manifest, [seeds.right_manifest()])
    found["arrays"] = Target(
        lambda content: read_arrays(content, "parity.npz"), [write_arrays(seeds.ARRAYS)]
    )
    found["callers"] = Target(
        lambda content: parse_callers(content.decode("utf-8")), [seeds.CALLERS], unreadable
    )
    found["address"] = Target(
        lambda content: parse_address(content.decode("utf-8")), [b"[::1]:50051"], unreadable
    )
    found["segment record"] = Target(_segment, [encode_record(0, 0, b"payload" * 9)])
    found["journal record"] = Target(
        lambda content: record_of(RecordKind.DECISION, content),
        [seeds.RECORD.SerializeToString()],
        unreadable,
        seeds.RECORD,
    )
    found["worker message"] = Target(decode, [encode(Prepared(1, problems=("a", "b")))])
    prepare = Order(OrderKind.PREPARE, 1, Release(1, "bundle", policy_text="x = 1"))
    found["supervisor order"] = Target(decode_order, [encode_order(prepare)])
    return found
