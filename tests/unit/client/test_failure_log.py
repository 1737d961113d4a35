"""What the client logs when it decides by itself."""

import logging

import grpc
import pytest

from pairguard.client import CallFailure, FailureKind, FieldViolation, RecordResult, RecordStatus
from pairguard.client.failure_log import FailureLog

DOWN = CallFailure(
    FailureKind.SERVICE_UNAVAILABLE,
    "SERVICE_UNAVAILABLE",
    grpc.StatusCode.UNAVAILABLE,
    "host 10.1.2.3 is down",
    (),
    3,
)
REFUSED = CallFailure(
    FailureKind.REQUEST_REFUSED,
    "FIELD_INVALID",
    grpc.StatusCode.INVALID_ARGUMENT,
    "participant-4711 is odd",
    (FieldViolation("participant_a.signals", "participant-4711 is odd"),),
    1,
)

# What the machine adds to a line: times and numbers, which may hold any digits.
NOT_SAID = {"created", "msecs", "relativeCreated", "thread", "process"}


def test_a_line_is_fixed_text_with_fields(caplog: pytest.LogCaptureFixture) -> None:
    log = FailureLog(clock=lambda: 0.0)

    log.rerouted(DOWN)
    log.rerouted(REFUSED)

    down, refused = caplog.records
    assert down.name == refused.name == "pairguard.client"
    assert down.getMessage() == refused.getMessage()
    assert (down.levelno, refused.levelno) == (logging.WARNING, logging.ERROR)
    fields = vars(refused)
    assert fields["failure_kind"] == "REQUEST_REFUSED"
    assert fields["failure_reason"] == "FIELD_INVALID"
    assert fields["grpc_code"] == "INVALID_ARGUMENT"
    assert fields["attempts"] == 1
    assert fields["refused_fields"] == ("participant_a.signals",)
    assert "4711" not in str(fields)
    assert "10.1.2.3" not in str(vars(down))


def test_an_outage_is_one_line_a_second(caplog: pytest.LogCaptureFixture) -> None:
    now = 0.0
    log = FailureLog(clock=lambda: now)
    for _ in range(100):
        log.rerouted(DOWN)
    now = 1.0
    log.rerouted(DOWN)

    assert [vars(record)["left_out"] for record in caplog.records] == [0, 99]


def test_refused_items_are_said_once_a_second_without_ids(caplog: pytest.LogCaptureFixture) -> None:
    now = 0.0
    log = FailureLog(clock=lambda: now)
    kept = RecordResult("item-4711", RecordStatus.DUPLICATE)
    wrong = RecordResult(
        "item-4712",
        RecordStatus.REFUSED,
        "FIELD_INVALID",
        (FieldViolation("report.category", "participant-4711 is odd"),),
    )

    log.refused([kept])
    log.refused([wrong, kept, wrong])
    log.refused([wrong])
    log.rerouted(DOWN)
    now = 1.0
    log.refused([wrong])

    first, rerouted, second = caplog.records
    assert first.levelno == logging.ERROR
    assert vars(first)["refused_count"] == 2
    assert vars(first)["refusal_reasons"] == ("FIELD_INVALID",)
    assert vars(first)["refused_fields"] == ("report.category",)
    assert "471" not in str({k: v for k, v in vars(first).items() if k not in NOT_SAID})
    assert "rerouted" in rerouted.getMessage()
    assert vars(second)["left_out"] == 1
