"""Holds as trust and safety sees them."""

from __future__ import annotations

import time

import pytest

from pairguard.store.ports import LEGAL_HOLD, Hold, RecordKind
from pairguard.v1 import journal_pb2
from tests.integration.admin.deployment import Deployment, hold_placed

RAW = "raw-participant-id"


@pytest.fixture
def held(deployment: Deployment) -> Deployment:
    with deployment.store() as store:
        key = store.keys.current
        store.append([hold_placed(key, RAW)])
        store.write_hold([key.hash(RAW)], Hold("UPHELD_HARM", time.time(), time.time() + 3_600))
        store.write_hold([key.hash(RAW)], Hold(LEGAL_HOLD, time.time()))
    return deployment


def reasons(deployment: Deployment, *ids: str) -> list[str]:
    arguments = [part for each in ids for part in ("--id", each)]
    documents = deployment.run("hold", "show", *arguments, "--json").documents
    return sorted(each["reason"] for each in documents)


def test_holds_are_shown_and_the_raw_id_is_not(held: Deployment) -> None:
    result = held.run("hold", "show", "--id", RAW)

    assert result.code == 0
    assert "UPHELD_HARM" in result.out
    assert "until released" in result.out
    assert RAW not in result.out + result.err
    with held.store() as store:
        assert store.keys.hash(RAW).hex() in result.out


def test_ids_are_read_from_standard_input(held: Deployment) -> None:
    result = held.process("hold", "show", "--id", "-", "--json", stdin=f"other\n{RAW}\n")

    assert result.code == 0, result.err
    assert len(result.documents) == 2


def test_a_release_ends_all_but_legal_holds_and_stands_in_the_journal(held: Deployment) -> None:
    (document,) = held.run("hold", "release", "--id", RAW, "--json").documents

    assert document == {"ended": 2, "left": 0}
    assert reasons(held, RAW) == []
    with held.store() as store:
        (*_, last) = store.read_journal("", 100, kinds=frozenset({RecordKind.EVENT}))
        event = journal_pb2.EventRecord.FromString(last.payload).event
        assert event.hold_released.reason_code == "OPERATOR"
        assert event.hold_released.participant.participant_id == store.keys.hash(RAW).hex()
        delayed = store.erase([store.keys.hash(RAW)], now=time.time())
        assert delayed.status == "DELAYED_BY_LEGAL_HOLD"


def test_one_reason_ends_alone(held: Deployment) -> None:
    (document,) = held.run(
        "hold", "release", "--id", RAW, "--reason", "UPHELD_HARM", "--json"
    ).documents

    assert document == {"ended": 1, "left": 1}
    assert reasons(held, RAW) == ["PLATFORM_SPAM_RING"]


def test_a_hold_on_an_id_that_is_not_named_stays(held: Deployment) -> None:
    (document,) = held.run("hold", "release", "--id", "somebody else", "--json").documents

    assert document == {"ended": 0, "left": 0}
    assert len(reasons(held, RAW)) == 2


def test_a_hold_under_a_retired_key_ends_too(held: Deployment) -> None:
    (added,) = held.run("keys", "add", "--json").documents
    held.run("keys", "promote", added["key_id"])

    (document,) = held.run("hold", "release", "--id", RAW, "--json").documents

    assert document == {"ended": 2, "left": 0}


@pytest.mark.parametrize(
    "arguments",
    [
        ("show",),
        ("show", "--id", ""),
        ("release", "--id", RAW, "--reason", "free text"),
        ("release", "--id", RAW, "--reason", "lower"),
    ],
)
def test_what_is_no_id_or_no_reason_is_refused(
    held: Deployment, arguments: tuple[str, ...]
) -> None:
    assert held.run("hold", *arguments).code == 2
    assert len(reasons(held, RAW)) == 2
