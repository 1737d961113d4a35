"""The items of age evidence in a row.

Owns their list: each item once by the hash of its id, in the order in which they came. When there
are more than a row should have, those go first that a later item repeats word for word; nothing
that is said only once is ever dropped, and so the server refuses items beyond the cap instead.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from pairguard.history.changes import EvidenceKept

MAX_ITEMS: Final = 32
"""Items in one row before repeated ones make room."""

_HEAD = struct.Struct("<16s8sd?I")


@dataclass(frozen=True, slots=True)
class KeptItem:
    """One item; see ``EvidenceKept``."""

    evidence: bytes
    claim: bytes
    time: float
    content: bytes
    own: bool = True


def read_items(section: bytes) -> list[KeptItem]:
    """Return the items of a section.

    Raises:
        ValueError: The section is damaged.
    """
    items = []
    place = 0
    while place < len(section):
        if len(section) - place < _HEAD.size:
            raise ValueError("evidence ends within the head of an item")
        evidence, claim, time, own, length = _HEAD.unpack_from(section, place)
        place += _HEAD.size
        if length > len(section) - place:
            raise ValueError("evidence ends within an item")
        items.append(KeptItem(evidence, claim, time, section[place : place + length], own))
        place += length
    return items


def write_items(items: Sequence[KeptItem]) -> bytes:
    """Return the section of these items."""
    return b"".join(
        _HEAD.pack(item.evidence, item.claim, item.time, item.own, len(item.content)) + item.content
        for item in items
    )


def with_item(items: list[KeptItem], change: EvidenceKept) -> list[KeptItem]:
    """Return the items with one more.

    One that is there already changes nothing, but that what was told of somebody linked may turn
    out to be told of this one, too. Two people who share a link may have items of one id: both
    stay.
    """
    for place, item in enumerate(items):
        if item.evidence == change.evidence and item.content == change.content:
            if change.own and not item.own:
                return [*items[:place], replace(item, own=True), *items[place + 1 :]]
            return items
    new = KeptItem(change.evidence, change.claim, change.time, change.content, change.own)
    items = [*items, new]
    if len(items) <= MAX_ITEMS:
        return items
    # Of one call all are told at one time: which of them goes must not depend on who lists them.
    dated = sorted(items, key=lambda item: (item.time, item.evidence))
    latest = {item.claim: item.evidence for item in dated}
    spare = [item.evidence for item in dated if latest[item.claim] != item.evidence]
    gone = set(spare[: len(items) - MAX_ITEMS])
    return [item for item in items if item.evidence not in gone]


def would_fit(items: Sequence[KeptItem], claim: bytes) -> bool:
    """Return whether one more item with this claim can be kept without dropping any other claim."""
    claims = {item.claim for item in items}
    return len(claims | {claim}) <= MAX_ITEMS
