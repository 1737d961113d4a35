"""Fields as bytes are what the generated classes write and read."""

from __future__ import annotations

import pytest
from google.protobuf.wrappers_pb2 import UInt64Value
from hypothesis import given
from hypothesis import strategies as st

from pairguard.store.wire import Numbers, enclosed, length, number_tag, tag, varint
from pairguard.v1.journal_pb2 import KeptCounts, ParticipantRecord, RankingCandidate
from pairguard.v1.participant_pb2 import Participant

NUMBERS = ("decisions_24h", "exposure_24h", "partner_minor_mean_24h", "partners_30d")


@given(st.integers(1, 2**64 - 1))
def test_a_number_is_written_as_the_library_writes_it(value: int) -> None:
    assert UInt64Value(value=value).SerializeToString() == b"\x08" + varint(value)


@pytest.mark.parametrize("count", [0, 1, 127, 128, 4_095, 4_096, 16_383, 16_384, 3_000_000])
def test_a_length_is_a_number_whatever_it_is(count: int) -> None:
    assert length(count) == varint(count)


@given(st.text(max_size=300), st.lists(st.text(max_size=20), max_size=5))
def test_texts_are_read_back(own: str, linked: list[str]) -> None:
    written = enclosed(tag(Participant, "participant_id"), own.encode())
    written += b"".join(enclosed(tag(Participant, "linked_ids"), each.encode()) for each in linked)

    assert Participant.FromString(written) == Participant(participant_id=own, linked_ids=linked)


@given(st.integers(0, 40_000))
def test_a_message_within_another_is_read_back_whatever_its_length(size: int) -> None:
    inner = Participant(participant_id="x" * size)
    written = enclosed(tag(ParticipantRecord, "participant"), inner.SerializeToString())

    assert ParticipantRecord.FromString(written) == ParticipantRecord(participant=inner)


@given(st.lists(st.floats(width=32), max_size=5))
def test_a_packed_list_is_read_back(values: list[float]) -> None:
    record = ParticipantRecord(age_probabilities=values)
    packed = record.SerializeToString()[2:]

    written = enclosed(tag(ParticipantRecord, "age_probabilities"), packed)

    assert ParticipantRecord.FromString(written).SerializeToString() == record.SerializeToString()


@given(st.lists(st.floats(allow_nan=False), min_size=4, max_size=4))
def test_numbers_of_64_bits_are_read_back_and_those_with_presence_are_present(
    values: list[float],
) -> None:
    read = KeptCounts.FromString(Numbers(KeptCounts, *NUMBERS).written(*values))

    assert [getattr(read, name) for name in NUMBERS] == values
    assert read.HasField("partner_minor_mean_24h")


def test_a_field_whose_number_takes_two_bytes_is_found() -> None:
    written = Numbers(RankingCandidate, "allow_probability", "harm_raw_score").written(0.5, -2.0)

    assert RankingCandidate.FromString(written).allow_probability == 0.5


def test_a_field_that_is_written_otherwise_is_refused() -> None:
    with pytest.raises(TypeError, match="upheld_harm"):
        tag(KeptCounts, "upheld_harm")
    with pytest.raises(TypeError, match="held_for"):
        number_tag(KeptCounts, "held_for")
    with pytest.raises(TypeError, match="age_probabilities"):
        Numbers(ParticipantRecord, "age_probabilities")


def test_one_number_is_wanted_for_each_field() -> None:
    with pytest.raises(ValueError, match="zip"):
        Numbers(KeptCounts, *NUMBERS).written(1.0)
