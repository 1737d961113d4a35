"""Who is proposed again is read as the first time, and nobody is told apart by it."""

from __future__ import annotations

import pickle

from hypothesis import given, settings
from hypothesis import strategies as st

from pairguard.risk.participant import Participant
from pairguard.server.pool_conversion import RankCandidatesCall, read_rank_candidates
from pairguard.server.pool_memory import PoolMemory
from pairguard.store.identity import IdentityKey, IdentityKeys
from pairguard.v1 import pair_risk_service_pb2, participant_pb2
from tests.domain import NOW

DAY = 86_400.0
YEAR = 366 * DAY


def message(number: int, *, observed: float = NOW - DAY, age: float = 30.0) -> bytes:
    """Return one of a few participants, as bytes."""
    found = participant_pb2.Participant(
        participant_id=f"somebody-{number}",
        linked_ids=[f"device-{number}"],
        signals={"vpn": float(number % 2), "nobody.knows": 1.0, "session_hour_local": 25.0},
        attributes={"client_os": "ios", "browser": "of their own"},
        interests=["gaming", "of nobody"],
        region="GB",
        language="en",
        entry_path="random_video",
    )
    item = found.age_evidence.add(evidence_id=f"item-{number}", provider="yoti")
    item.observed_time.FromSeconds(int(observed))
    item.self_declared.age_years = age
    return found.SerializeToString()


def asked(*candidates: bytes) -> pair_risk_service_pb2.RankCandidatesRequest:
    """Return a request that has gone over the wire."""
    request = pair_risk_service_pb2.RankCandidatesRequest()
    request.seeker.participant_id = "seeker"
    for each in candidates:
        request.candidates.add().participant.ParseFromString(each)
    return pair_risk_service_pb2.RankCandidatesRequest.FromString(request.SerializeToString())


def read(memory: PoolMemory, *candidates: bytes, now: float = NOW) -> RankCandidatesCall:
    return read_rank_candidates(asked(*candidates), now, memory)


@given(
    calls=st.lists(
        st.tuples(
            st.lists(st.integers(0, 3), min_size=1, max_size=3, unique=True),
            st.sampled_from([0.0, 5.0, -2 * DAY, YEAR]),
        ),
        min_size=1,
        max_size=8,
    ),
    age=st.sampled_from([17.5, 30.0, float("nan")]),
)
@settings(max_examples=60, deadline=None)
def test_what_is_remembered_is_what_is_read_anew(
    calls: list[tuple[list[int], float]], age: float
) -> None:
    memory = PoolMemory()
    for numbers, later in calls:
        people = [message(each, age=age) for each in numbers]
        remembered, anew = (read(each, *people, now=NOW + later) for each in (memory, PoolMemory()))
        assert [each.person.named for each in remembered.candidates] == [
            each.person.named for each in anew.candidates
        ]
        assert remembered.invalid == anew.invalid


def test_who_is_proposed_again_is_not_read_again() -> None:
    memory = PoolMemory()
    first, again = (read(memory, message(1)).candidates[0] for _ in range(2))
    assert again == first
    assert again.person.remembered is first.person.remembered


def test_one_changed_number_is_somebody_to_be_read() -> None:
    memory = PoolMemory()
    read(memory, message(1))
    changed = read(memory, message(1, age=17.0)).candidates[0]
    anew = read(PoolMemory(), message(1, age=17.0)).candidates[0]
    assert changed.person.named == anew.person.named


def test_what_lies_in_the_future_of_a_clock_that_went_back_is_refused() -> None:
    memory = PoolMemory()
    assert read(memory, message(1, observed=NOW)).candidates
    earlier = read(memory, message(1, observed=NOW), now=NOW - 30 * DAY)
    assert not earlier.candidates
    assert "age_evidence[0].observed_time" in earlier.invalid[0][1].violations[0].field


def test_what_is_wrong_is_refused_each_time() -> None:
    memory = PoolMemory()
    for _ in range(2):
        call = read(memory, message(1, age=float("nan")))
        assert not call.candidates
        assert len(call.invalid) == 1


def test_ids_are_hashed_once_for_one_set_of_keys() -> None:
    memory = PoolMemory()
    old, new = IdentityKey(b"o" * 32), IdentityKey(b"n" * 32)
    before, rotated = IdentityKeys([old]), IdentityKeys([new, old])
    person = read(memory, message(1)).candidates[0].person

    first = person.remembered.hashes(person.ids, before)
    assert first == before.hashes(("somebody-1", "device-1"))
    assert person.remembered.hashes(person.ids, before) is first
    assert person.remembered.hashes(person.ids, rotated) == rotated.hashes(person.ids)


def test_no_id_is_remembered() -> None:
    memory = PoolMemory()
    candidate = read(memory, message(1)).candidates[0]
    assert candidate.person.ids == ("somebody-1", "device-1")
    reading = candidate.person.remembered.reading
    assert reading == Participant(
        "",
        age_evidence=reading.age_evidence,
        signals=reading.signals,
        attributes=reading.attributes,
        interests=reading.interests,
        region="GB",
        language="en",
        entry_path="random_video",
    )
    kept = pickle.dumps([entry.key for entry in memory._recent._entries.values()])
    assert b"somebody" not in kept
    assert b"device" not in kept
