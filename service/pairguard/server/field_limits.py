"""Limits that many fields of the contract share.

Owns the length of texts, ids and lists, the range of times, and how their violation reads. It must
not know any field.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from google.protobuf.timestamp_pb2 import Timestamp

from pairguard.server.violations import Violations

MAX_TEXT_BYTES: Final = 128
TOO_LONG: Final = f"must be at most {MAX_TEXT_BYTES} bytes of UTF-8"
ID_LENGTH: Final = f"must be from 1 to {MAX_TEXT_BYTES} bytes of UTF-8"
TIME_RANGE: Final = "must be a time from 0001-01-01 to 9999-12-31, nanos from 0 to 999,999,999"
IN_FUTURE: Final = "must not lie in the future"

MAX_LINKED_IDS: Final = 16

_MIN_SECONDS: Final = -62_135_596_800
_MAX_SECONDS: Final = 253_402_300_799


def too_long(text: str, max_bytes: int = MAX_TEXT_BYTES) -> bool:
    """Return whether a text has more bytes of UTF-8 than it may have."""
    # Most texts are short, and no character has more than four bytes.
    return len(text) * 4 > max_bytes and len(text.encode()) > max_bytes


def seconds_of(time: Timestamp) -> float | None:
    """Return a time in seconds since 1970; None for one that the message type does not allow."""
    seconds, nanos = time.seconds, time.nanos
    if not (_MIN_SECONDS <= seconds <= _MAX_SECONDS and 0 <= nanos <= 999_999_999):
        return None
    return seconds + nanos * 1e-9


def too_many(limit: int) -> str:
    """Return what is wrong with a list that has more entries than it may have."""
    return f"must have at most {limit} entries"


def check_id(text: str, field: str, violations: Violations) -> None:
    """Remember a violation unless a text is an id."""
    if not text or too_long(text):
        violations.add(field, ID_LENGTH)


def check_ids(texts: Sequence[str], field: str, limit: int, violations: Violations) -> None:
    """Remember a violation for each text that is no id, or one for too many of them."""
    if len(texts) > limit:
        violations.add(field, too_many(limit))
        return
    for index, text in enumerate(texts):
        if not text or too_long(text):
            violations.add(f"{field}[{index}]", ID_LENGTH)
