"""The items of age evidence in a row.

Owns their list: each item once by the hash of its id, in the order in which they came. When there
are more than a row should have, those go first that a later item repeats word for word; nothing
that is said only once is ever dropped, and so the server refuses items beyond the cap instead.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from pairguard.history.changes import EvidenceKept

MAX_ITEMS: Final = 32
"""Items in one row before repeated ones make room."""

_HEAD = struct.Struct("<16s8sdI")


@dataclass(frozen=True, slots=True)
class KeptItem:
    """One item; see ``EvidenceKept``."""

    evidence: bytes
    claim: bytes
    time: float
    content: bytes


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
        evidence, claim, time, length = _HEAD.unpack_from(section, place)
        place += _HEAD.size
        if length > len(section) - place:
            raise ValueError("evidence ends within an item")
        items.append(KeptItem(evidence, claim, time, section[place : place + length]))
        place += length
    return items


def write_items(items: Sequence[KeptItem]) -> bytes:
    """Return the section of these items."""
    return b"".join(
        _HEAD.pack(item.evidence, item.claim, item.time, len(item.content)) + item.content
        for item in items
    )


def with_item(items: list[KeptItem], change: EvidenceKept) -> list[KeptItem]:
    """Return the items with one more; an id that is there already changes nothing."""
    if any(item.evidence == change.evidence for item in items):
        return items
    items = [*items, KeptItem(change.evidence, change.claim, change.time, change.content)]
    if len(items) <= MAX_ITEMS:
        return items
    latest = {item.claim: index for index, item in enumerate(items)}
    spare = [index for index, item in enumerate(items) if latest[item.claim] != index]
    gone = set(spare[: len(items) - MAX_ITEMS])
    return [item for index, item in enumerate(items) if index not in gone]


def would_fit(items: Sequence[KeptItem], claim: bytes) -> bool:
    """Return whether one more item with this claim can be kept without dropping any other claim."""
    claims = {item.claim for item in items}
    return len(claims | {claim}) <= MAX_ITEMS
