"""What a store promises, whatever it is made of.

Owns the values and the protocol that every adapter fulfils; ``tests/contract/store`` holds each
adapter to it. It must not know how anything is kept, nor what a hold does to a decision.

Every method raises ``StoreUnavailable`` when it cannot answer or cannot promise; the caller then
takes the state as unread, never as empty.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

_REASON = re.compile(r"[A-Z][A-Z0-9_]{0,63}")


@dataclass(frozen=True, slots=True)
class Hold:
    """A participant meets nobody until the hold ends.

    A hold counts from when it is written, also where a clock that runs behind puts ``start_time``
    into the future: a difference between clocks never frees anybody.

    Attributes:
        reason: UPPER_SNAKE_CASE constant, at most 64 characters, never free text.
        start_time: When it was decided, seconds since 1970 UTC.
        expire_time: When it ends by itself, seconds since 1970 UTC; None: only by a release.

    Raises:
        ValueError: A time is not finite or the reason is not such a constant.
    """

    reason: str
    start_time: float
    expire_time: float | None = None

    def __post_init__(self) -> None:
        """Refuse what no store could compare safely."""
        if _REASON.fullmatch(self.reason) is None:
            raise ValueError("the reason of a hold is an UPPER_SNAKE_CASE constant")
        if not math.isfinite(self.start_time):
            raise ValueError("start_time of a hold must be finite")
        if self.expire_time is not None and not math.isfinite(self.expire_time):
            raise ValueError("expire_time of a hold must be finite, or None for no end")


class HoldStore(Protocol):
    """Holds by participant; safe for several threads and several processes at once.

    Ids are the caller's opaque strings. They are kept only as keyed hashes, and a hold belongs to
    each id it was written for: whoever comes back with one of them is still held.
    """

    def read_holds(
        self, participants: Sequence[Sequence[str]], *, now: float
    ) -> tuple[tuple[Hold, ...], ...]:
        """Return the active holds of each participant, in one trip for all of them.

        Args:
            participants: For each participant all of its ids, own and linked, at least one.
            now: Seconds since 1970 UTC; a hold is active while ``now`` is before its expiry.

        Returns:
            For each participant, in order, the distinct holds on any of its ids, ordered by
            reason and time; empty when there are none.
        """

    def write_hold(self, ids: Sequence[str], hold: Hold) -> None:
        """Put a hold on all of these ids at once; it survives a power cut when this returns.

        A hold of the same reason that is still active is extended and never shortened: the later
        expiry stays, and no expiry is the latest of all.
        """

    def release_holds(self, ids: Sequence[str], *, now: float, reason: str | None) -> int:
        """End the active holds on these ids; durable when this returns.

        Args:
            ids: The ids that are freed; a hold on another id of the same person stays.
            now: Seconds since 1970 UTC, from which the holds are no longer active.
            reason: Only holds of this reason end, so that a passed age check frees nobody whom a
                reviewer holds; None: all of them.

        Returns:
            How many holds ended, counted for each id.
        """

    def purge_expired(self, now: float) -> int:
        """Forget the holds that ended at or before ``now``; return how many."""

    def check(self) -> None:
        """Return when holds can be read and written at this moment, for readiness."""

    def close(self) -> None:
        """Give up all connections; every later call raises ``StoreUnavailable``.

        No other call may be under way.
        """
