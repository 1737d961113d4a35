"""What every adapter refuses before it asks its store for anything.

Owns which arguments cannot be meant. It must not know how anything is kept.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from pairguard.store.identity import HASH_BYTES
from pairguard.store.ports import JournalRecord


def require_ids(ids: Sequence[bytes]) -> None:
    """Refuse a participant who could not be found, and an id that would be stored as it is.

    Raises:
        ValueError: There is no id, or one is not a hash.
    """
    if not ids:
        raise ValueError("a participant has at least one id, in a sequence")
    for each in ids:
        if type(each) is not bytes or len(each) != HASH_BYTES:
            raise ValueError(f"an id is a hash of {HASH_BYTES} bytes")


def require_records(records: Sequence[JournalRecord]) -> None:
    """Refuse records that no order of time has a place for.

    Raises:
        ValueError: A time is not finite.
    """
    if not all(math.isfinite(record.time) for record in records):
        raise ValueError("the time of a record must be finite")


def require_limit(limit: int) -> None:
    """Refuse a number of records that some stores would read as "all".

    Raises:
        ValueError: It is negative.
    """
    if limit < 0:
        raise ValueError("limit must be 0 or more")


def require_time(now: float) -> None:
    """Refuse a time with which no hold would be active.

    Raises:
        ValueError: It is not finite.
    """
    if not math.isfinite(now):
        raise ValueError("now must be finite")
