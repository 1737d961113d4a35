"""The state of one id, and how a change changes it.

Owns what each kind of change does to which part of a row; each part has its form in a module of its
own (``pairguard.history.sections`` and those that it names). Parts are read only when they are
needed: most changes need few of them.

Applying the same changes in another order gives the same answers later, except where a cap forces
out the oldest: a report that arrives before the chat it speaks of counts once the chat is known, a
verdict before its report waits for it, an end before its start is one chat.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Final

from pairguard.history.blocks import add_block, unlink_blocks
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
    Unlinked,
)
from pairguard.history.chats import (
    ENDED,
    KEEP_SECONDS,
    STARTED,
    note_chat,
    open_chat_list,
)
from pairguard.history.contacts import last_contact, note_contact, open_contacts, with_names
from pairguard.history.kept_evidence import read_items, with_item, write_items
from pairguard.history.reports import (
    add_report,
    add_review,
    exonerate,
    mark_met,
    unlink_reports,
)
from pairguard.history.sections import (
    CHATS,
    CONTACTS,
    DEVICES,
    EVIDENCE,
    LEDGER,
    TILES,
    TIMES,
    Ledger,
    Times,
    earlier,
    ledger_of,
    ledger_section,
    row_of,
    sections_of,
)
from pairguard.history.tiles import Counter, Tiles

SKIP_SECONDS: Final = 10.0
"""A chat that somebody leaves within it was skipped."""
MAX_OPEN_CHATS: Final = 16
MAX_DEVICES: Final = 64


MOST_IDS_OF_A_PARTNER: Final = 5
"""Ids of one partner that the list of contacts takes, its own first: no partner may fill it."""

_ONE_CHAT: Final = {Counter.CHATS: 1.0}
# Names of the ledger as they stand in it.
_OPEN: Final = b'"open"'
_REPORTS: Final = b'"reports"'


class Row:
    """A row while it is changed.

    Args:
        row: As it was written; b"": there is none yet.
        sections: Of a row that was read already; they are this one's from now on.

    Raises:
        ValueError: The row is damaged.
    """

    __slots__ = (
        "_changed_at",
        "_chats",
        "_contacts",
        "_devices",
        "_ledger",
        "_noted",
        "_sections",
        "_tiles",
        "_times",
    )

    def __init__(self, row: bytes = b"", *, sections: dict[int, bytes] | None = None) -> None:
        if sections is None:
            sections = sections_of(row)
        self._sections = sections
        self._times = Times(sections.get(TIMES))
        # Each part is opened by the first change that touches it; the others stay as they stand.
        self._tiles: Tiles | None = None
        self._contacts: bytearray | None = None
        self._devices: bytearray | None = None
        self._chats: bytearray | None = None
        self._ledger: Ledger | None = None
        self._changed_at = self._times.last_seen
        self._noted: float | None = None

    def written(self) -> bytes:
        """Return the row as it is to be kept."""
        return row_of(self.sections_written())

    def sections_written(self) -> dict[int, bytes]:
        """Return the sections of the row as it is to be kept."""
        sections = self._sections
        sections[TIMES] = self._times.section(sections.get(TIMES, b""))
        if self._tiles is not None:
            # By the time of the last change and not by the latest of all: once a clock that ran
            # ahead is right again, what it counts must not look old.
            sections[TILES] = self._tiles.block(self._changed_at)
        if self._contacts is not None:
            sections[CONTACTS] = bytes(self._contacts)
        if self._devices is not None:
            sections[DEVICES] = bytes(self._devices)
        if self._chats is not None:
            sections[CHATS] = bytes(self._chats)
        if self._ledger is not None:
            sections[LEDGER] = ledger_section(self._ledger)
        return sections

    def apply(self, change: Change) -> None:
        """Apply one change.

        Raises:
            ValueError: The row is damaged.
        """
        effect = self._EFFECTS.get(type(change))
        if effect is None:
            raise TypeError(f"{type(change).__name__} is no change of a row")
        effect(self, change)

    def _decided(self, change: Decided) -> None:
        self._times.see(change.time)
        amounts = {Counter.DECISIONS: 1.0}
        if change.allowed:
            amounts[Counter.ALLOWED] = 1.0
            # Nothing is allowed unassessed; were it, it would count as the worst.
            amounts[Counter.EXPOSURE] = 1.0 if change.exposure is None else change.exposure
        if change.partner_probability_minor is not None:
            amounts[Counter.PARTNERS] = 1.0
            amounts[Counter.PARTNER_MINOR] = change.partner_probability_minor
        if change.own_probability_minor is not None:
            self._times.decide(change.time, change.own_probability_minor)
        self._count(change.time, amounts)

    def _linked(self, change: Linked) -> None:
        for each in change.ids:
            note_contact(self._read_devices(), change.time, (each,), limit=MAX_DEVICES)

    def _exposed(self, change: Exposed) -> None:
        self._times.see(change.time)
        if change.own_probability_minor is not None:
            self._times.decide(change.time, change.own_probability_minor)
        self._count(change.time, {Counter.EXPOSURE: change.exposure})

    def _chat_started(self, change: ChatStarted) -> None:
        flags = self._chat(change, STARTED)
        if flags & STARTED:
            return
        self._count(change.time, _ONE_CHAT)
        if flags & ENDED:
            return
        opened = self._read_ledger().setdefault("open", {})
        opened[change.chat] = [
            change.time,
            change.sealed_chat_id.hex(),
            change.decision_id,
            [each.hex() for each in change.partner],
            change.time if change.start_time is None else change.start_time,
        ]
        if len(opened) > 1:
            oldest = change.time - KEEP_SECONDS
            for chat in [chat for chat, entry in opened.items() if entry[0] <= oldest]:
                del opened[chat]
        while len(opened) > MAX_OPEN_CHATS:
            del opened[next(iter(opened))]

    def _chat_ended(self, change: ChatEnded) -> None:
        flags = self._chat(change, ENDED)
        if self._may_say(_OPEN):
            self._read_ledger().get("open", {}).pop(change.chat, None)
        amounts = _ended(change)
        if amounts and not flags & ENDED:
            self._count(change.time, amounts)

    def _report_made(self, change: ReportMade) -> None:
        self._event(change.time)
        self._count(change.time, {Counter.REPORTS_MADE: 1.0})

    def _report_received(self, change: ReportReceived) -> None:
        self._event(change.time)
        met = last_contact(self._read_contacts(), change.reporter) is not None
        add_report(self._read_ledger(), change, met=met or change.met)

    def _reviewed(self, change: Reviewed) -> None:
        self._event(change.time)
        add_review(self._read_ledger(), change)

    def _exonerated(self, change: Exonerated) -> None:
        self._event(change.time)
        exonerate(self._read_ledger(), change.time if change.until is None else change.until)

    def _blocked(self, change: Blocked) -> None:
        self._event(change.time)
        add_block(self._read_ledger(), change)

    def _evidence_kept(self, change: EvidenceKept) -> None:
        self._times.see(change.time)
        items = read_items(self._sections.get(EVIDENCE, b""))
        self._sections[EVIDENCE] = write_items(with_item(items, change))

    def _unlinked(self, change: Unlinked) -> None:
        # Each id gets another name, so that those who were two people stay two.
        token = int.from_bytes(change.token, "little")
        names = {
            each: (token ^ index).to_bytes(len(change.token), "little")
            for index, each in enumerate(dict.fromkeys(change.ids))
        }
        self._contacts = bytearray(with_names(self._read_contacts(), names))
        self._devices = bytearray(with_names(self._read_devices(), names))
        texts = {old.hex(): new.hex() for old, new in names.items()}
        ledger = self._read_ledger()
        unlink_reports(ledger, texts)
        unlink_blocks(ledger, texts)
        for entry in ledger.get("open", {}).values():
            entry[3] = [texts.get(each, each) for each in entry[3]]

    def _count(self, time: float, amounts: Mapping[Counter, float]) -> None:
        if self._tiles is None:
            self._tiles = Tiles(self._sections.get(TILES, b""))
        self._tiles.add(time, amounts)
        self._changed_at = time

    def _read_ledger(self) -> Ledger:
        if self._ledger is None:
            self._ledger = ledger_of(self._sections.get(LEDGER))
        return self._ledger

    def _may_say(self, name: bytes) -> bool:
        """Return whether the ledger may have a name; reading it to find out costs a change."""
        return self._ledger is not None or name in self._sections.get(LEDGER, b"")

    def _read_contacts(self) -> bytearray:
        if self._contacts is None:
            self._contacts = open_contacts(self._sections.get(CONTACTS, b""))
        return self._contacts

    def _read_devices(self) -> bytearray:
        if self._devices is None:
            self._devices = open_contacts(self._sections.get(DEVICES, b""))
        return self._devices

    def _event(self, time: float) -> None:
        if time == self._noted:
            return
        self._times.see(time)
        self._times.first_event = earlier(self._times.first_event, time)
        self._noted = time

    def _chat(self, change: ChatStarted | ChatEnded, flag: int) -> int:
        """Take note of a meeting and return what was known of the chat before."""
        time = change.time
        self._event(time)
        times = self._times
        if not 0.0 < times.first_chat <= time:
            times.first_chat = earlier(times.first_chat, time)
        partner = change.partner[:MOST_IDS_OF_A_PARTNER]
        note_contact(self._read_contacts(), time, partner)
        if self._may_say(_REPORTS):
            mark_met(self._read_ledger(), change.partner)
        if self._chats is None:
            self._chats = open_chat_list(self._sections.get(CHATS, b""))
        return note_chat(self._chats, change.chat, time, flag)

    _EFFECTS: ClassVar[Mapping[type, Callable[[Row, Any], None]]] = {
        Decided: _decided,
        Linked: _linked,
        Exposed: _exposed,
        ChatStarted: _chat_started,
        ChatEnded: _chat_ended,
        ReportMade: _report_made,
        ReportReceived: _report_received,
        Reviewed: _reviewed,
        Exonerated: _exonerated,
        Blocked: _blocked,
        EvidenceKept: _evidence_kept,
        Unlinked: _unlinked,
    }


def _ended(change: ChatEnded) -> dict[Counter, float]:
    amounts: dict[Counter, float] = {}
    if change.skipped_by_this:
        amounts[Counter.SKIPS_MADE] = 1.0
    if change.skipped_by_partner:
        amounts[Counter.SKIPS_SUFFERED] = 1.0
    minor = change.partner_probability_minor
    if minor is None:
        return amounts
    adult = 1.0 - minor
    seconds = change.duration_seconds or 0.0
    amounts |= {
        Counter.SECONDS_WITH_MINORS: seconds * minor,
        Counter.SECONDS_WITH_ADULTS: seconds * adult,
        Counter.CHATS_WITH_MINORS: minor,
        Counter.CHATS_WITH_ADULTS: adult,
    }
    if change.skipped_by_this:
        amounts |= {Counter.SKIPS_OF_MINORS: minor, Counter.SKIPS_OF_ADULTS: adult}
    return amounts
