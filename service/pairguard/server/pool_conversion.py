"""Requests about many participants from messages to values; protobuf stops here.

Owns the limits of pools and rankings, and that no two participants of a request share an id. It
must not know what is done with a request.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Final

import numpy as np

from pairguard.risk.participant import Participant
from pairguard.risk.pool_harm import Places
from pairguard.server.field_limits import TOO_LONG, too_long
from pairguard.server.pool_memory import PoolMemory, PoolPerson, not_remembered
from pairguard.server.request_conversion import check_context, read_participant
from pairguard.server.violations import NOT_FINITE, REQUIRED, RefusedItem, Violations
from pairguard.v1 import pair_risk_service_pb2, participant_pb2

MAX_CANDIDATES: Final = 1_000
MAX_POOL: Final = 2_000
MAX_PAIRS: Final = 500_000

_MOST_NAMED: Final = 10
_NOBODY: Final = PoolPerson(("",), not_remembered(Participant(""), 0.0))
"""Stands for whoever was not sent, which refuses the request or the candidate."""
_SHARED_ID: Final = "must share no id, own or linked, with another participant of the request"


@dataclass(frozen=True, slots=True)
class CandidateCall:
    """One candidate who can be judged.

    Attributes:
        index: Place in the request's ``candidates``.
        person: Who.
        affinity: As sent; None: none was.
    """

    index: int
    person: PoolPerson
    affinity: float | None


@dataclass(frozen=True, slots=True)
class RankCandidatesCall:
    """What ``RankCandidates`` was asked.

    Attributes:
        seeker: Who looks for a partner.
        candidates: Those who can be judged, in the order of the request.
        invalid: Those who cannot, by their place in the request's ``candidates``.
        request_id: The caller's id of the request; "": none.
        max_results: Most candidates to return; None: all.
    """

    seeker: PoolPerson
    candidates: tuple[CandidateCall, ...]
    invalid: tuple[tuple[int, RefusedItem], ...]
    request_id: str
    max_results: int | None


@dataclass(frozen=True, slots=True, eq=False)
class ScorePairsCall:
    """What ``ScorePairs`` was asked.

    Attributes:
        participants: The pool.
        first: Place in it of one participant of each pair.
        second: Place of the other.
    """

    participants: tuple[PoolPerson, ...]
    first: Places
    second: Places


def read_rank_candidates(
    request: pair_risk_service_pb2.RankCandidatesRequest,
    now: float,
    memory: PoolMemory | None = None,
) -> RankCandidatesCall:
    """Read a ``RankCandidates`` request received at a time in seconds since 1970.

    Args:
        request: As it came.
        now: When.
        memory: Remembers participants; None: nobody is known yet.

    Raises:
        InvalidInput: With every violation found but those of single candidates.
    """
    violations, memory = Violations(), memory or PoolMemory()
    seeker = _NOBODY
    if request.HasField("seeker"):
        seeker = _person(request.seeker, "seeker", now, violations, memory)
    else:
        violations.add("seeker", REQUIRED)
    if not 1 <= len(request.candidates) <= MAX_CANDIDATES:
        violations.add("candidates", f"must be 1-{MAX_CANDIDATES:,} items")
    if request.HasField("context"):
        check_context(request.context, violations)
    if request.request_id and too_long(request.request_id):
        violations.add("request_id", TOO_LONG)
    if not 0 <= request.max_results <= MAX_CANDIDATES:
        violations.add("max_results", f"must be 0-{MAX_CANDIDATES:,}")
    violations.refuse_if_any()
    seen = set(seeker.ids)
    candidates: list[CandidateCall] = []
    invalid: list[tuple[int, RefusedItem]] = []
    for index, message in enumerate(request.candidates):
        violations = Violations()
        read = _read_candidate(index, message, violations, seen, now=now, memory=memory)
        if len(violations):
            invalid.append((index, violations.refused_item()))
        else:
            candidates.append(read)
    return RankCandidatesCall(
        seeker, tuple(candidates), tuple(invalid), request.request_id, request.max_results or None
    )


def _read_candidate(
    index: int,
    message: pair_risk_service_pb2.Candidate,
    violations: Violations,
    seen: set[str],
    *,
    now: float,
    memory: PoolMemory,
) -> CandidateCall:
    person, affinity = _NOBODY, None
    if message.HasField("participant"):
        person = _person(message.participant, "participant", now, violations, memory)
        if _takes_seen_id(person.ids, seen):
            violations.add("participant.participant_id", _SHARED_ID)
    else:
        violations.add("participant", REQUIRED)
    if message.HasField("affinity"):
        affinity = message.affinity
        if not isfinite(affinity):
            violations.add("affinity", NOT_FINITE)
    return CandidateCall(index, person, affinity)


def _person(
    message: participant_pb2.Participant,
    place: str,
    now: float,
    violations: Violations,
    memory: PoolMemory,
) -> PoolPerson:
    """Return a participant, read or remembered."""
    ids = (message.participant_id, *message.linked_ids)
    content, remembered = memory.find(message, now)
    if remembered is None:
        before = len(violations)
        participant = read_participant(message, place, now=now, violations=violations)
        if len(violations) > before:
            return PoolPerson(ids, not_remembered(participant, now))
        remembered = memory.keep(content, message, participant, now)
    return PoolPerson(ids, remembered)


def read_score_pairs(
    request: pair_risk_service_pb2.ScorePairsRequest, now: float
) -> ScorePairsCall:
    """Read a ``ScorePairs`` request received at a time in seconds since 1970.

    Raises:
        InvalidInput: With every violation found, of many alike the first ones.
    """
    violations = Violations()
    count = len(request.participants)
    if not 2 <= count <= MAX_POOL:
        violations.add("participants", f"must be 2-{MAX_POOL:,} items")
    if request.HasField("context"):
        check_context(request.context, violations)
    first, second = _selected(request, violations)
    violations.refuse_if_any()
    participants: list[PoolPerson] = []
    seen: set[str] = set()
    for index, message in enumerate(request.participants):
        place = f"participants[{index}]"
        participant = read_participant(message, place, now=now, violations=violations)
        ids = (message.participant_id, *message.linked_ids)
        if _takes_seen_id(ids, seen):
            violations.add(f"{place}.participant_id", _SHARED_ID)
        # All of a large pool would drive out whoever is ranked again and again.
        participants.append(PoolPerson(ids, not_remembered(participant, now)))
    violations.refuse_if_any()
    return ScorePairsCall(tuple(participants), first, second)


def _selected(
    request: pair_risk_service_pb2.ScorePairsRequest, violations: Violations
) -> tuple[Places, Places]:
    count = len(request.participants)
    nothing = np.zeros(0, dtype=np.intp)
    selection = request.WhichOneof("selection")
    if selection is None:
        violations.add("pairs", "is required, or all_pairs")
        return nothing, nothing
    if selection == "all_pairs":
        if not request.all_pairs:
            violations.add("all_pairs", "must be true")
        elif count * (count - 1) // 2 > MAX_PAIRS:
            violations.add("all_pairs", f"of these participants are more than {MAX_PAIRS:,} pairs")
        elif count <= MAX_POOL:
            first, second = np.triu_indices(count, 1)
            return first, second
        return nothing, nothing
    first = np.array(request.pairs.first_indices, dtype=np.intp)
    second = np.array(request.pairs.second_indices, dtype=np.intp)
    if first.size != second.size:
        violations.add("pairs.second_indices", "must be as many as first_indices")
        return nothing, nothing
    if not 1 <= first.size <= MAX_PAIRS:
        violations.add("pairs.first_indices", f"must be 1-{MAX_PAIRS:,} items")
        return nothing, nothing
    _check_places(first, "pairs.first_indices", count, violations)
    _check_places(second, "pairs.second_indices", count, violations)
    for place in np.flatnonzero(first == second)[:_MOST_NAMED].tolist():
        violations.add(f"pairs.second_indices[{place}]", "must differ from the first")
    return first, second


def _check_places(places: Places, field: str, count: int, violations: Violations) -> None:
    for place in np.flatnonzero(places >= count)[:_MOST_NAMED].tolist():
        violations.add(f"{field}[{place}]", "must be the place of a participant, from 0")


def _takes_seen_id(ids: Sequence[str], seen: set[str]) -> bool:
    """Return whether somebody before had one of the ids, and take note of all of them."""
    shares = not seen.isdisjoint([each for each in ids if each])
    seen.update(ids)
    return shares
