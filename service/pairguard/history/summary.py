"""What the rows of one participant say now: ``history.*`` signals and the facts that rules look at.

Owns how rows of several ids become one participant, and the meaning of every signal that the
service counts itself. It must not know what a rule or a model makes of them.

Lists (reporters, partners, blocks, evidence) are united over the ids; counters are never added over
ids, since the same meeting stands under each (``pairguard.history.tiles``). History is unknown, not
zero, until an event spoke of one of the ids, and what chats tell until a chat was told of: a
platform that reports no chats has none to count.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from pairguard.history.blocks import blocker_count, is_blocked
from pairguard.history.chats import ENDED, KEEP_SECONDS, chat_flags
from pairguard.history.contacts import PREFIX_BYTES, contact_count, last_contact
from pairguard.history.kept_evidence import KeptItem, read_items
from pairguard.history.reports import counted_reports
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
    ledger_of,
    section_of,
    sections_of,
)
from pairguard.history.tiles import WINDOWS, Counter, window_sums

_SECONDS_PER_DAY: Final = 86_400.0
_DAY, _WEEK = WINDOWS.index("24h"), WINDOWS.index("7d")
_MONTH: Final = WINDOWS.index("30d")
_LEAST_CHATS: Final = 3.0
"""Weight of chats under which a share says nothing and is unknown."""

CHILD_SAFETY: Final = frozenset({"CHILD_SEXUAL_EXPLOITATION", "ADULT_POSING_AS_MINOR"})
SEXUAL: Final = frozenset({"SEXUAL_CONDUCT", "SEXTORTION"})

_WINDOWED: Final = {
    "chats_started": Counter.CHATS,
    "skips_made": Counter.SKIPS_MADE,
    "skips_suffered": Counter.SKIPS_SUFFERED,
    "seconds_with_likely_minors": Counter.SECONDS_WITH_MINORS,
    "seconds_with_likely_adults": Counter.SECONDS_WITH_ADULTS,
}
_WINDOWED_SIGNALS: Final = tuple(
    (f"history.{name}_{window}", row, counter)
    for name, counter in _WINDOWED.items()
    for row, window in enumerate(WINDOWS)
)


@dataclass(frozen=True, slots=True)
class OpenChat:
    """A chat that has started and not ended.

    Attributes:
        chat: Hash of its id.
        start_time: Seconds since 1970, by the caller's clock if it told.
        sealed_chat_id: The caller's id of it, sealed.
        decision_id: The decision that it started from; "": none.
        partner: Ids of the other, hashed, its own first.
    """

    chat: str
    start_time: float
    sealed_chat_id: bytes
    decision_id: str
    partner: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Summary:
    """What is kept of one participant, as of now.

    Attributes:
        signals: ``history.*`` by name; None: unknown, since no event spoke of it.
        evidence: Items of age evidence, the earliest first.
        decisions_24h: Decisions asked for.
        allowed_24h: Of them ALLOW.
        exposure_24h: Sum of ``minor_adult_probability`` over the allowed.
        chats_started_24h: Chats that started.
        partner_minor_mean_24h: Mean P(minor) of the proposed partners where it was known; None: it
            never was.
        reporters_30d: Distinct reporters who met the participant, without the cleared reports.
        partners_30d: Distinct partners.
        upheld_harm: Whether a review upheld a harm within a year.
        probability_minor: P(minor) by the last decision; None: there was none.
        open_chats: Chats that have not ended.
    """

    signals: Mapping[str, float] | None = None
    evidence: tuple[KeptItem, ...] = ()
    decisions_24h: float = 0.0
    allowed_24h: float = 0.0
    exposure_24h: float = 0.0
    chats_started_24h: float = 0.0
    partner_minor_mean_24h: float | None = None
    reporters_30d: float = 0.0
    partners_30d: float = 0.0
    upheld_harm: bool = False
    probability_minor: float | None = None
    open_chats: tuple[OpenChat, ...] = ()


NOTHING_KEPT: Final = Summary()


def summarise(rows: Sequence[bytes], now: float) -> Summary:
    """Return what the rows of a participant's ids say at a time, seconds since 1970.

    Raises:
        ValueError: A row is damaged.
    """
    if not rows:
        return NOTHING_KEPT
    read = [sections_of(row) for row in rows]
    times = [Times(sections.get(TIMES)) for sections in read]
    ledgers = [ledger_of(sections.get(LEDGER)) for sections in read]
    sums = window_sums([sections.get(TILES, b"") for sections in read], now).tolist()
    partners = float(contact_count([sections.get(CONTACTS, b"") for sections in read], now))
    month = now - 30.0 * _SECONDS_PER_DAY
    reports = counted_reports(ledgers, now)
    reporters = float(reports.reporters(month))
    signals = None
    if any(each.first_event for each in times):
        first_seen = min(each.first_seen for each in times if each.first_seen)
        devices = contact_count([sections.get(DEVICES, b"") for sections in read], now)
        signals = {
            "history.reports_made_30d": sums[_MONTH][Counter.REPORTS_MADE],
            "history.reports_received_30d": reporters,
            "history.reports_received_365d": float(reports.reporters()),
            "history.child_safety_reports_30d": float(reports.reporters(month, CHILD_SAFETY)),
            "history.sexual_reports_30d": float(reports.reporters(month, SEXUAL)),
            "history.upheld_harm_365d": float(reports.upheld),
            "history.blocked_by_others_30d": float(blocker_count(ledgers, month)),
            "history.devices_30d": float(devices),
            "history.known_days": max(now - first_seen, 0.0) / _SECONDS_PER_DAY,
        }
        if any(each.first_chat for each in times):
            signals |= {name: sums[row][counter] for name, row, counter in _WINDOWED_SIGNALS}
            signals["history.distinct_partners_30d"] = partners
            signals |= _selectivity(sums[_WEEK])
    day = sums[_DAY]
    known = [each for each in times if each.decided]
    decided = max(known, key=lambda each: (each.decided, each.probability_minor), default=None)
    return Summary(
        signals=signals,
        evidence=_evidence([sections.get(EVIDENCE, b"") for sections in read]),
        decisions_24h=day[Counter.DECISIONS],
        allowed_24h=day[Counter.ALLOWED],
        exposure_24h=day[Counter.EXPOSURE],
        chats_started_24h=day[Counter.CHATS],
        partner_minor_mean_24h=(
            min(day[Counter.PARTNER_MINOR] / day[Counter.PARTNERS], 1.0)
            if day[Counter.PARTNERS]
            else None
        ),
        reporters_30d=reporters,
        partners_30d=partners,
        upheld_harm=reports.upheld > 0,
        probability_minor=None if decided is None else decided.probability_minor,
        open_chats=_open_chats(read, ledgers, now),
    )


def last_met(rows: Iterable[bytes], ids: Sequence[bytes]) -> float | None:
    """Return when a participant met the one with these ids last, seconds since 1970; or None.

    Raises:
        ValueError: A row is damaged.
    """
    prefixes = [each[:PREFIX_BYTES] for each in ids]
    found = []
    for row in rows:
        contacts = section_of(row, CONTACTS)
        # Nearly never is any of them anywhere in the list.
        if any([each in contacts for each in prefixes]):  # noqa: C419 - a generator is slower
            met = last_contact(sections_of(row).get(CONTACTS, b""), ids)
            if met is not None:
                found.append(met)
    return max(found, default=None)


def blocks(rows: Iterable[bytes], ids: Sequence[bytes]) -> bool:
    """Return whether a participant blocked the one with these ids, or was blocked by it.

    Raises:
        ValueError: A row is damaged.
    """
    for row in rows:
        # Nearly no ledger has the word, which begins the name of both lists.
        if b'"block' in section_of(row, LEDGER):
            ledger = ledger_of(sections_of(row).get(LEDGER))
            if is_blocked(ledger, [each.hex() for each in ids]):
                return True
    return False


def _selectivity(week: Sequence[float]) -> dict[str, float]:
    """Return whom a participant skips and stays with; what rests on too little is left out."""
    found = {}
    for name, skips, chats in (
        ("history.adult_skip_rate_7d", Counter.SKIPS_OF_ADULTS, Counter.CHATS_WITH_ADULTS),
        ("history.minor_skip_rate_7d", Counter.SKIPS_OF_MINORS, Counter.CHATS_WITH_MINORS),
    ):
        if week[chats] >= _LEAST_CHATS:
            found[name] = min(week[skips] / week[chats], 1.0)
    minors = week[Counter.SECONDS_WITH_MINORS]
    seconds = minors + week[Counter.SECONDS_WITH_ADULTS]
    enough = week[Counter.CHATS_WITH_ADULTS] + week[Counter.CHATS_WITH_MINORS] >= _LEAST_CHATS
    if enough and seconds > 0.0:
        found["history.minor_time_share_7d"] = minors / seconds
    return found


def _evidence(sections: Sequence[bytes]) -> tuple[KeptItem, ...]:
    items: dict[bytes, KeptItem] = {}
    for section in sections:
        for item in read_items(section):
            items.setdefault(item.evidence, item)
    if len(items) < 2:
        return tuple(items.values())
    return tuple(sorted(items.values(), key=lambda item: (item.time, item.evidence)))


def _open_chats(
    read: Sequence[Mapping[int, bytes]], ledgers: Sequence[Ledger], now: float
) -> tuple[OpenChat, ...]:
    found = {}
    for ledger in ledgers:
        for chat, entry in ledger.get("open", {}).items():
            time, sealed, decision_id, partner, start_time = entry
            ended = any(chat_flags(sections.get(CHATS, b""), chat) & ENDED for sections in read)
            if not ended and time > now - KEEP_SECONDS:
                found[chat] = OpenChat(
                    chat,
                    start_time,
                    bytes.fromhex(sealed),
                    decision_id,
                    tuple(bytes.fromhex(each) for each in partner),
                )
    return tuple(found.values())
