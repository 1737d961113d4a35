"""The end of a journal that can only be read forwards."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from itertools import islice
from typing import cast

from hypothesis import given
from hypothesis import strategies as st

from pairguard.admin.viewing import last_cursor, latest
from pairguard.store.ports import KeptRecord, ParticipantStore, RecordKind

WIDTH = 12


class Numbers:
    """Of a store, a journal whose records have these numbers; every third is an event."""

    def __init__(self, numbers: Sequence[int]) -> None:
        self._numbers = sorted(numbers)
        self.reads = 0

    def read_journal(
        self, after: str, limit: int, *, kinds: frozenset[RecordKind] | None = None
    ) -> tuple[KeptRecord, ...]:
        self.reads += 1
        start = bisect_right(self._numbers, int(after or -1))
        kept = map(self._record, islice(self._numbers, start, None))
        return tuple(islice((r for r in kept if kinds is None or r.kind in kinds), limit))

    def records(self) -> list[KeptRecord]:
        return [self._record(number) for number in self._numbers]

    def _record(self, number: int) -> KeptRecord:
        kind = RecordKind.DECISION if number % 3 else RecordKind.EVENT
        return KeptRecord(f"{number:0{WIDTH}d}", kind, str(number), b"")


NUMBERS = st.lists(st.integers(1, 10_000), unique=True, max_size=60)


@given(NUMBERS)
def test_the_last_record_is_found_whatever_the_gaps(numbers: list[int]) -> None:
    store = Numbers(numbers)

    assert last_cursor(cast("ParticipantStore", store)) == (
        f"{max(numbers):0{WIDTH}d}" if numbers else ""
    )


@given(NUMBERS, st.integers(1, 30), st.sampled_from([None, *RecordKind]))
def test_the_latest_are_the_last_of_all(
    numbers: list[int], wanted: int, kind: RecordKind | None
) -> None:
    store = Numbers(numbers)
    kinds = None if kind is None else frozenset({kind})

    found = latest(cast("ParticipantStore", store), wanted, kinds)

    expected = [record for record in store.records() if kinds is None or record.kind in kinds]
    assert found == expected[-wanted:]


def test_a_long_journal_is_not_read_through() -> None:
    store = Numbers(range(1, 200_000))

    last_cursor(cast("ParticipantStore", store))

    assert store.reads < 60
