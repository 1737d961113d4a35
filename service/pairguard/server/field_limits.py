"""Limits that many fields of the contract share.

Owns the length of texts and the range of times. It must not know any field.
"""

from __future__ import annotations

from typing import Final

from google.protobuf.timestamp_pb2 import Timestamp

MAX_TEXT_BYTES: Final = 128
TOO_LONG: Final = f"must be at most {MAX_TEXT_BYTES} bytes of UTF-8"

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
