"""Who never wants to meet whom, in the ledger of an id.

Owns two of its names, ``blocks`` (whom this participant blocked) and ``blocked_by``: by the hash of
each id of the other the time, 1 where the block was lifted then, and what stands for the other as
one person. What was lifted leaves its time, so that a block that arrives late cannot undo it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from pairguard.history.changes import Blocked
from pairguard.history.people import distinct_people
from pairguard.history.sections import Ledger

MAX_BLOCKS: Final = 4_096
"""Ids in one list. A block that this participant asked for is never dropped, and one that was asked
for by another stands in that one's row too."""

_PERSON_DIGITS: Final = 16


def add_block(ledger: Ledger, change: Blocked) -> None:
    """Take note of a block, or that it was lifted; of both at one time the block stands.

    A block that comes after a lift stands, whatever its time: a clock that went back must not undo
    what somebody asks for now.
    """
    placed = ledger.setdefault("blocks" if change.by_this else "blocked_by", {})
    lifted = int(change.lifted)
    for other in change.other:
        earlier = placed.get(other.hex())
        time = change.time
        if earlier is not None and earlier[1] and not lifted:
            time = max(time, earlier[0])
        if earlier is None or (time, -lifted) >= (earlier[0], -earlier[1]):
            person = change.other[0].hex()[:_PERSON_DIGITS]
            placed[other.hex()] = [time, lifted, person]
    beyond = len(placed) - MAX_BLOCKS
    if beyond > 0:
        spare = [name for name, entry in placed.items() if entry[1]]
        if not change.by_this:
            standing = (name for name, entry in placed.items() if not entry[1])
            spare += sorted(standing, key=lambda name: placed[name][0])
        for name in spare[:beyond]:
            del placed[name]


def is_blocked(ledger: Ledger, names: Iterable[str]) -> bool:
    """Return whether there is a block between this participant and any of these hashes."""
    lists: tuple[Mapping[str, Any], ...] = (
        ledger.get("blocks", {}),
        ledger.get("blocked_by", {}),
    )
    return any(name in placed and not placed[name][1] for name in names for placed in lists)


def others_in_blocks(ledger: Ledger) -> list[str]:
    """Return the hashes in both lists, also those whose block was lifted."""
    return [*ledger.get("blocks", {}), *ledger.get("blocked_by", {})]


def any_block(ledger: Ledger) -> bool:
    """Return whether there is a block between this participant and anybody."""
    lists = (ledger.get("blocks", {}), ledger.get("blocked_by", {}))
    return any(not entry[1] for placed in lists for entry in placed.values())


def blocker_count(ledgers: Sequence[Ledger], since: float) -> int:
    """Return how many people have blocked a participant after a time and still do."""
    return distinct_people(
        [
            (other[:_PERSON_DIGITS], person)
            for ledger in ledgers
            for other, (time, lifted, person) in ledger.get("blocked_by", {}).items()
            if time > since and not lifted
        ]
    )


def unlink_blocks(ledger: Ledger, names: Mapping[str, str]) -> None:
    """Take out who was erased: its own blocks lead to nobody; blocks of it are the blocker's own.

    Args:
        ledger: Of the other one of the two.
        names: What takes the place of each hash of the erased.
    """
    placed = ledger.get("blocked_by")
    if not placed:
        return
    people = {old[:_PERSON_DIGITS]: new[:_PERSON_DIGITS] for old, new in names.items()}
    ledger["blocked_by"] = {
        names.get(name, name): [time, lifted, people.get(person, person)]
        for name, (time, lifted, person) in placed.items()
    }
