"""How a row is folded, written down as simply as it can be: what the service's own way is held to.

Owns nothing of the service's: each change reads the parts that it needs, changes them and writes
them back at once. Slow, and easy to believe.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from hashlib import blake2b
from typing import Any

from pairguard.history.blocks import add_block
from pairguard.history.changes import (
    Blocked,
    Change,
    ChatEnded,
    ChatStarted,
    Decided,
    EvidenceKept,
    Exonerated,
    Exposed,
    Linked,
    ReportMade,
    ReportReceived,
    Reviewed,
)
from pairguard.history.kept_evidence import read_items, with_item, write_items
from pairguard.history.reports import add_report, add_review, exonerate, mark_met
from pairguard.history.sections import (
    CHATS,
    CONTACTS,
    DEVICES,
    EVIDENCE,
    LEDGER,
    TILES,
    TIMES,
    Times,
    earlier,
    ledger_of,
    ledger_section,
    row_of,
    sections_of,
)
from pairguard.history.tiles import COUNTERS, Counter

_LEVELS = ((300, 13), (3_600, 25), (86_400, 31))
_TILE = struct.Struct(f"<I{COUNTERS}f")
_CONTACT = struct.Struct("<II8s")
_CHAT = struct.Struct("<8sI")
_STARTED, _ENDED = 1, 2
_DAY = 86_400.0


def reference_row(row: bytes, changes: Sequence[Change]) -> bytes:
    """Return a row after changes that one append brings."""
    reference = _Reference(row)
    for change in changes:
        reference.apply(change)
    return reference.written()


class _Reference:
    def __init__(self, row: bytes) -> None:
        self.sections = sections_of(row)
        self.counted_at: float | None = None

    def written(self) -> bytes:
        if self.counted_at is not None:
            self.put(TILES, _pruned(self.sections[TILES], self.counted_at))
        times = Times(self.sections.get(TIMES))
        self.put(TIMES, times.section(self.get(TIMES)))
        return row_of(self.sections)

    def get(self, tag: int) -> bytes:
        return self.sections.get(tag, b"")

    def put(self, tag: int, content: bytes) -> None:
        self.sections[tag] = content

    def apply(self, change: Change) -> None:
        times, ledger = Times(self.sections.get(TIMES)), ledger_of(self.sections.get(LEDGER))
        if isinstance(change, Linked):
            for each in change.ids:
                self.put(DEVICES, _met(self.get(DEVICES), change.time, (each,), 64))
            return
        assert not hasattr(change, "token"), "erasures are not folded in batches"
        times.see(change.time)
        if isinstance(change, Decided):
            if change.own_probability_minor is not None:
                times.decide(change.time, change.own_probability_minor)
            self.count(change.time, _decided(change))
        elif isinstance(change, Exposed):
            if change.own_probability_minor is not None:
                times.decide(change.time, change.own_probability_minor)
            self.count(change.time, {Counter.EXPOSURE: change.exposure})
        elif isinstance(change, EvidenceKept):
            items = with_item(read_items(self.get(EVIDENCE)), change)
            self.put(EVIDENCE, write_items(items))
        else:
            times.first_event = earlier(times.first_event, change.time)
            self.happened(change, times, ledger)
        self.put(TIMES, times.section(self.get(TIMES)))
        self.put(LEDGER, ledger_section(ledger))

    def happened(self, change: Change, times: Times, ledger: dict[str, Any]) -> None:
        if isinstance(change, (ChatStarted, ChatEnded)):
            self.chat(change, times, ledger)
        elif isinstance(change, ReportMade):
            self.count(change.time, {Counter.REPORTS_MADE: 1.0})
        elif isinstance(change, ReportReceived):
            kept = {each for _, _, each in _CONTACT.iter_unpack(self.get(CONTACTS))}
            met = not kept.isdisjoint(each[:8] for each in change.reporter)
            add_report(ledger, change, met=met or change.met)
        elif isinstance(change, Reviewed):
            add_review(ledger, change)
        elif isinstance(change, Exonerated):
            exonerate(ledger, change.time if change.until is None else change.until)
        elif isinstance(change, Blocked):
            add_block(ledger, change)

    def chat(self, change: ChatStarted | ChatEnded, times: Times, ledger: dict[str, Any]) -> None:
        times.first_chat = earlier(times.first_chat, change.time)
        contacts = _met(self.get(CONTACTS), change.time, change.partner[:5], 1_024)
        self.put(CONTACTS, contacts)
        mark_met(ledger, change.partner)
        flag = _STARTED if isinstance(change, ChatStarted) else _ENDED
        known, chats = _told(self.get(CHATS), change.chat, change.time, flag)
        self.put(CHATS, chats)
        opened: dict[str, Any] = ledger.setdefault("open", {})
        if isinstance(change, ChatEnded):
            opened.pop(change.chat, None)
            amounts = _ended(change)
            if amounts and not known & _ENDED:
                self.count(change.time, amounts)
            return
        if not known & _STARTED:
            self.count(change.time, {Counter.CHATS: 1.0})
            if not known:
                opened[change.chat] = [
                    change.time,
                    change.sealed_chat_id.hex(),
                    change.decision_id,
                    [each.hex() for each in change.partner],
                    change.time if change.start_time is None else change.start_time,
                ]
                for chat in [
                    name for name, each in opened.items() if each[0] <= change.time - _DAY
                ]:
                    del opened[chat]
                while len(opened) > 16:
                    del opened[next(iter(opened))]

    def count(self, time: float, amounts: Mapping[Counter, float]) -> None:
        self.put(TILES, _added(self.get(TILES), time, amounts))
        self.counted_at = time


def _decided(change: Decided) -> dict[Counter, float]:
    amounts = {Counter.DECISIONS: 1.0}
    if change.allowed:
        amounts[Counter.ALLOWED] = 1.0
        amounts[Counter.EXPOSURE] = 1.0 if change.exposure is None else change.exposure
    if change.partner_probability_minor is not None:
        amounts[Counter.PARTNERS] = 1.0
        amounts[Counter.PARTNER_MINOR] = change.partner_probability_minor
    return amounts


def _ended(change: ChatEnded) -> dict[Counter, float]:
    amounts: dict[Counter, float] = {}
    if change.skipped_by_this:
        amounts[Counter.SKIPS_MADE] = 1.0
    if change.skipped_by_partner:
        amounts[Counter.SKIPS_SUFFERED] = 1.0
    minor = change.partner_probability_minor
    if minor is None:
        return amounts
    seconds = change.duration_seconds or 0.0
    amounts[Counter.SECONDS_WITH_MINORS] = seconds * minor
    amounts[Counter.SECONDS_WITH_ADULTS] = seconds * (1.0 - minor)
    amounts[Counter.CHATS_WITH_MINORS] = minor
    amounts[Counter.CHATS_WITH_ADULTS] = 1.0 - minor
    if change.skipped_by_this:
        amounts[Counter.SKIPS_OF_MINORS] = minor
        amounts[Counter.SKIPS_OF_ADULTS] = 1.0 - minor
    return amounts


def _key(level: int, index: float) -> int:
    return level << 28 | min(max(int(index), 0), (1 << 28) - 1)


def _tiles(block: bytes) -> dict[int, list[float]]:
    return {key: values for key, *values in _TILE.iter_unpack(block[1:])}


def _block(tiles: Mapping[int, Sequence[float]]) -> bytes:
    records = b"".join(_TILE.pack(key, *tiles[key]) for key in sorted(tiles))
    return bytes((COUNTERS,)) + records if records else b""


def _added(block: bytes, time: float, amounts: Mapping[Counter, float]) -> bytes:
    tiles = _tiles(block)
    for level, (seconds, _) in enumerate(_LEVELS):
        tile = tiles.setdefault(_key(level, time // seconds), [0.0] * COUNTERS)
        for counter, amount in amounts.items():
            tile[counter] += amount
    return _block(tiles)


def _pruned(block: bytes, now: float) -> bytes:
    oldest = [_key(level, now // seconds - kept) for level, (seconds, kept) in enumerate(_LEVELS)]
    tiles = _tiles(block)
    return _block({key: tile for key, tile in tiles.items() if key >= oldest[key >> 28]})


def _met(contacts: bytes, time: float, ids: Sequence[bytes], limit: int) -> bytes:
    met = list(_CONTACT.iter_unpack(contacts))
    for index, each in enumerate(ids):
        minute, flags = int(time // 60.0), int(index == 0)
        for place, (before, old_flags, prefix) in enumerate(met):
            if prefix == each[:8]:
                minute, flags = max(minute, before), flags | old_flags
                del met[place]
                break
        place = sum(1 for before, _, _ in met if before <= minute)
        met.insert(place, (minute, flags, each[:8]))
    oldest = int((time - 30 * _DAY) // 60.0)
    kept = [each for each in met[-limit:] if each[0] >= oldest]
    return b"".join(_CONTACT.pack(*each) for each in kept)


def _told(chats: bytes, chat: str, time: float, flag: int) -> tuple[int, bytes]:
    digest = blake2b(chat.encode(), digest_size=8).digest()
    minute, known, told = int(time // 60.0), 0, []
    for name, word in _CHAT.iter_unpack(chats):
        if name == digest:
            known, minute = word & 3, max(minute, word >> 2)
        else:
            told.append((name, word))
    told = told[-63:]
    # The first ones alone: the list is in the order in which they came, whatever their times.
    while told and told[0][1] >> 2 < int((time - _DAY) // 60.0):
        del told[0]
    told.append((digest, minute << 2 | flag | known))
    return known, b"".join(_CHAT.pack(*each) for each in told)
