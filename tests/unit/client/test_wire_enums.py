"""The words of the client are those of the contract, one for one."""

from enum import StrEnum

import pytest

from pairguard.client import CheckMethod, Decision, EvidenceKind, VerificationMethod
from pairguard.client.wire_enums import WIRE_ENUMS, number_of, word_of
from pairguard.v1 import participant_pb2


@pytest.mark.parametrize("words", WIRE_ENUMS, ids=lambda words: words.__name__)
def test_each_member_of_the_contract_has_its_word(words: type[StrEnum]) -> None:
    wire, prefix = WIRE_ENUMS[words]
    names = {value.name: value.number for value in wire.values if value.number != 0}

    assert {prefix + word.name: number_of(word) for word in words} == names
    assert all(word_of(words, number_of(word)) is word for word in words)


def test_equal_words_of_two_vocabularies_keep_their_own_numbers() -> None:
    assert number_of(CheckMethod.DIGITAL_WALLET) == participant_pb2.CHECK_METHOD_DIGITAL_WALLET
    assert number_of(VerificationMethod.MODERATOR) == participant_pb2.VERIFICATION_METHOD_MODERATOR
    assert CheckMethod.ID_DOCUMENT is not VerificationMethod.ID_DOCUMENT  # type: ignore[comparison-overlap]


@pytest.mark.parametrize("number", [0, -1, 4, 99])
def test_a_number_that_is_unspecified_or_new_has_no_word(number: int) -> None:
    assert word_of(Decision, number) is None


def test_words_read_the_same_everywhere() -> None:
    assert str(Decision.ALLOW) == "ALLOW" == Decision.ALLOW.value
    assert f"{EvidenceKind.BEHAVIOUR}" == "BEHAVIOUR"
