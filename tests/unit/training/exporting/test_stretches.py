"""The journal in stretches: the same ones whether it is read at once or over a year."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from pairguard.store.ports import KeptRecord, RecordKind
from pairguard_training.exporting.stretches import Bounds, Limits, Stretch, stretches

LIMITS = st.builds(
    Limits,
    records=st.integers(1, 5),
    bytes=st.integers(1, 60),
    chunk_bytes=st.integers(1, 100),
)
SIZES = st.lists(st.integers(0, 40), max_size=30)


class JournalOnly:
    """As much of a store as is read here."""

    def __init__(self, records: Sequence[KeptRecord]) -> None:
        self.records = records
        self.most = 0

    def read_journal(
        self,
        after: str,
        limit: int,
        *,
        kinds: frozenset[RecordKind] | None = None,  # noqa: ARG002 - the port
    ) -> tuple[KeptRecord, ...]:
        assert limit >= 1
        found = tuple([each for each in self.records if each.cursor > after][:limit])
        self.most = max(self.most, len(found))
        return found


def record(number: int, size: int) -> KeptRecord:
    return KeptRecord(f"{number + 1:04}", RecordKind.EVENT, f"e{number}", bytes(size))


def read(records: Sequence[KeptRecord], known: Sequence[Bounds], limits: Limits) -> list[Stretch]:
    return list(stretches(JournalOnly(records), known, limits))  # type: ignore[arg-type]


@given(sizes=SIZES, limits=LIMITS, cuts=st.lists(st.integers(0, 30), max_size=3))
def test_many_readings_give_what_one_gives(
    sizes: list[int], limits: Limits, cuts: list[int]
) -> None:
    records = [record(number, size) for number, size in enumerate(sizes)]
    known: list[Bounds] = []
    for cut in sorted(cuts):
        known = [each.bounds for each in read(records[:cut], known, limits)]
    found = read(records, known, limits)
    assert found == read(records, [], limits)
    assert [each for stretch in found for each in stretch.records] == records
    for stretch in found:
        assert len(stretch.records) <= limits.records
        assert stretch.sizes <= max(limits.bytes, *sizes)
    assert all(stretch.bounds.closed for stretch in found[:-1])


@given(sizes=SIZES, limits=LIMITS, data=st.data())
def test_a_change_is_seen_in_its_stretch_and_in_no_other(
    sizes: list[int], limits: Limits, data: st.DataObject
) -> None:
    records = [record(number, size) for number, size in enumerate([*sizes, 1, 1])]
    before = read(records, [], limits)
    place = data.draw(st.integers(0, len(records) - 1))
    if data.draw(st.booleans()):
        del records[place]
    else:
        records[place] = KeptRecord(records[place].cursor, RecordKind.EVENT, "e", b"other")
    known = [each.bounds for each in before]
    after = {each.bounds.after: each for each in read(records, known, limits)}
    for stretch in before:
        now = after.get(stretch.bounds.after)
        touched = any(each.cursor == f"{place + 1:04}" for each in stretch.records)
        if stretch.bounds.closed:
            assert (now is None or now.digest != stretch.digest) == touched
    assert [e for s in after.values() for e in s.records] == records


def test_long_records_are_read_a_few_at_a_time() -> None:
    journal = JournalOnly([record(number, 1_000) for number in range(500)])
    found = list(stretches(journal, [], Limits(chunk_bytes=5_000)))  # type: ignore[arg-type]
    assert sum(len(each.records) for each in found) == 500
    assert journal.most == 8  # the first, before anything is known
