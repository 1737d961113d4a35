"""Personal blocks: never again, both ways."""

from __future__ import annotations

from pairguard.history.blocks import MAX_BLOCKS, any_block
from pairguard.history.changes import Blocked
from pairguard.history.sections import LEDGER, ledger_of, sections_of
from pairguard.history.summary import blocks, summarise
from tests.history_changes import DAY, NOON, hashed, row_of

ANN = (hashed("ann"), hashed("phone of ann"))
BEA = (hashed("bea"),)


def blocked_by_others(*rows: bytes, now: float = NOON + DAY) -> float:
    signals = summarise(rows, now).signals
    assert signals is not None
    return signals["history.blocked_by_others_30d"]


def test_a_block_holds_both_ways_and_by_every_id() -> None:
    blocker = row_of([Blocked(NOON, ANN, by_this=True)])
    blocked = row_of([Blocked(NOON, BEA, by_this=False)])
    for each in ANN:
        assert blocks([blocker], [hashed("fresh session"), each])
    assert blocks([blocked], BEA)
    assert blocks([b"", blocked], BEA)
    assert not blocks([blocker, blocked], [hashed("cem")])


def test_lifting_one_block_leaves_the_one_in_the_other_direction() -> None:
    row = row_of(
        [
            Blocked(NOON, ANN, by_this=True),
            Blocked(NOON, ANN, by_this=False),
            Blocked(NOON + 1.0, ANN, by_this=True, lifted=True),
        ]
    )
    assert blocks([row], ANN)
    both = row_of([Blocked(NOON + 1.0, ANN, by_this=False, lifted=True)], row)
    assert not blocks([both], ANN)


def test_a_block_that_was_lifted_under_one_id_stands_under_the_others() -> None:
    row = row_of(
        [
            Blocked(NOON, ANN, by_this=True),
            Blocked(NOON + 1.0, ANN[:1], by_this=True, lifted=True),
        ]
    )
    assert not blocks([row], ANN[:1])
    assert blocks([row], ANN)


def test_a_row_tells_whether_any_block_stands() -> None:
    def any_in(*changes: Blocked) -> bool:
        return any_block(ledger_of(sections_of(row_of(changes)).get(LEDGER)))

    for by_this in (True, False):
        block = Blocked(NOON, ANN, by_this=by_this)
        lift = Blocked(NOON + 1.0, ANN, by_this=by_this, lifted=True)
        assert any_in(block)
        assert not any_in(block, lift)
    assert not any_block({})


def test_each_blocker_counts_once_whatever_its_ids() -> None:
    first = Blocked(NOON, ANN, by_this=False)
    again = Blocked(NOON + 60.0, (hashed("ann"), hashed("tablet of ann")), by_this=False)
    row = row_of([first, again])
    assert blocked_by_others(row) == 1.0
    assert blocked_by_others(row, row_of([first])) == 1.0


def test_blockers_of_one_moment_are_several() -> None:
    # What arrives in one batch has one time.
    row = row_of([Blocked(NOON, ids, by_this=False) for ids in (ANN, BEA, (hashed("cem"),))])
    assert blocked_by_others(row) == 3.0


def test_lifted_and_old_blocks_and_own_ones_do_not_count() -> None:
    row = row_of(
        [
            Blocked(NOON, ANN, by_this=False),
            Blocked(NOON + 1.0, ANN, by_this=False, lifted=True),
            Blocked(NOON, BEA, by_this=True),
        ]
    )
    assert blocked_by_others(row) == 0.0
    old = row_of([Blocked(NOON, ANN, by_this=False)])
    assert blocked_by_others(old, now=NOON + 31 * DAY) == 0.0
    assert blocks([old], ANN)  # however old


def test_no_block_of_ones_own_is_ever_dropped() -> None:
    many = [hashed(str(number)) for number in range(MAX_BLOCKS + 3)]
    # One change, for speed: a participant with that many ids.
    row = row_of([Blocked(NOON, tuple(many), by_this=True)])
    for each in (many[0], many[-1]):
        assert blocks([row], [each])


def test_being_blocked_by_a_crowd_has_an_end() -> None:
    many = [hashed(str(number)) for number in range(MAX_BLOCKS)]
    row = row_of(
        [
            Blocked(NOON, tuple(many), by_this=False),
            Blocked(NOON + 1.0, ANN, by_this=False),
            Blocked(NOON + 2.0, BEA, by_this=False, lifted=True),
            Blocked(NOON + 3.0, (hashed("cem"),), by_this=False),
        ]
    )
    assert blocks([row], ANN)
    assert blocks([row], [hashed("cem")])
    kept = sum(blocks([row], [each]) for each in many[:8])
    assert kept < 8  # the oldest went
    assert len(row) < 100 * MAX_BLOCKS
