"""Decisions of this process that the store does not count yet.

Owns the stretch between a decision and its import: what somebody was allowed a moment ago counts
towards the exposure budget at once, not only when the journal has been imported. Where both count
for a moment, a participant has been exposed more than it was, never less. What other processes
decided within the stretch (a few tenths of a second) is not seen: ``docs/failure-modes.md``.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from pairguard.store.segments.framing import Position

BUCKET_SECONDS: Final = 0.25
_LOST_SECONDS: Final = 86_400.0


@dataclass(slots=True)
class Amounts:
    """Sums over decisions of one participant; ``RecentDecisions.of`` alone tells ``refused``."""

    decisions: float = 0.0
    allowed: float = 0.0
    exposure: float = 0.0
    partner_minor: float = 0.0
    refused: float = 0.0


@dataclass(slots=True)
class _Bucket:
    """The decisions of a quarter of a second, all in one segment."""

    segment: str
    end: int
    closes: float
    amounts: dict[bytes, Amounts] = field(default_factory=dict)


class RecentDecisions:
    """Sums by id over what has been decided and not been imported."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._buckets: deque[_Bucket] = deque()
        self._sums: dict[bytes, Amounts] = {}
        self._lost: deque[_Bucket] = deque()

    def add(
        self,
        ids: Sequence[bytes],
        *,
        allowed: bool,
        exposure: float,
        partner_minor: float,
        position: Position | None,
        now: float,
    ) -> None:
        """Count a decision on one participant; see ``add_each``.

        Args:
            ids: Hashes of the participant.
            allowed: Whether it was ALLOW.
            exposure: What it adds to the exposure.
            partner_minor: P(minor) of the other.
            position: Where its record ends.
            now: Seconds since 1970.
        """
        self.add_each(
            ((ids, partner_minor),), allowed=allowed, exposure=exposure, position=position, now=now
        )

    def add_each(
        self,
        participants: Iterable[tuple[Sequence[bytes], float]],
        *,
        allowed: bool,
        exposure: float,
        position: Position | None,
        now: float,
    ) -> None:
        """Count a decision.

        Args:
            participants: Hashes of each participant, and P(minor) of the other.
            allowed: Whether it was ALLOW.
            exposure: What it adds to the exposure of each.
            position: Where its record ends; None: it is in no segment, will never be
                imported, and counts here for a day.
            now: Seconds since 1970.
        """
        with self._lock:
            bucket = self._bucket(position, now)
            for ids, partner_minor in participants:
                for each in ids:
                    for sums in (bucket.amounts, self._sums):
                        amounts = sums.get(each)
                        if amounts is None:
                            sums[each] = Amounts(1.0, float(allowed), exposure, partner_minor)
                        else:
                            amounts.decisions += 1.0
                            amounts.allowed += allowed
                            amounts.exposure += exposure
                            amounts.partner_minor += partner_minor

    def of(self, ids: Sequence[bytes]) -> Amounts | None:
        """Return the sums of the id that has most of each; None: nothing was decided."""
        sums = self._sums
        if sums.keys().isdisjoint(ids):  # nearly always: faster than to look for each
            return None
        found = [amounts for each in ids if (amounts := sums.get(each)) is not None]
        if not found:
            return None
        return Amounts(
            decisions=max(each.decisions for each in found),
            allowed=max(each.allowed for each in found),
            exposure=max(each.exposure for each in found),
            partner_minor=max(each.partner_minor for each in found),
            # Of the id that was refused most: not what is left of the most decided and allowed.
            refused=max(each.decisions - each.allowed for each in found),
        )

    def settle(self, is_imported: Callable[[str, int], bool]) -> None:
        """Forget what has been imported.

        Args:
            is_imported: Tells of a segment and an end whether the store has all before it.
        """
        while True:
            with self._lock:
                if not self._buckets:
                    return
                bucket = self._buckets[0]
                segment, end = bucket.segment, bucket.end
            if not is_imported(segment, end):
                return
            with self._lock:
                # It may have grown meanwhile; then it stays for another turn.
                if self._buckets and self._buckets[0] is bucket and bucket.end == end:
                    self._forget(self._buckets.popleft())

    @property
    def waiting(self) -> int:
        """How many ids have decisions that the store does not count."""
        return len(self._sums)

    def _bucket(self, position: Position | None, now: float) -> _Bucket:
        while self._lost and self._lost[0].closes + _LOST_SECONDS < now:
            self._forget(self._lost.popleft())
        segment, end = ("", 0) if position is None else (position.segment, position.end)
        buckets = self._lost if position is None else self._buckets
        last = buckets[-1] if buckets else None
        if last is None or last.segment != segment or not now < last.closes:
            last = _Bucket(segment, end, now + BUCKET_SECONDS)
            buckets.append(last)
        last.end = max(last.end, end)
        return last

    def _forget(self, bucket: _Bucket) -> None:
        for each, gone in bucket.amounts.items():
            amounts = self._sums[each]
            # ALLOWs first: who reads between the two finds more refused than there was, never less.
            amounts.allowed -= gone.allowed
            amounts.decisions -= gone.decisions
            amounts.exposure = max(amounts.exposure - gone.exposure, 0.0)
            amounts.partner_minor = max(amounts.partner_minor - gone.partner_minor, 0.0)
            if amounts.decisions <= 0.0:
                del self._sums[each]
