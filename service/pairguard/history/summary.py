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
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final, NamedTuple

from pairguard.history.blocks import blocker_count, is_blocked
from pairguard.history.chats import ENDED, KEEP_SECONDS, chat_flags
from pairguard.history.contacts import PREFIX_BYTES, contact_count, last_contact
from pairguard.history.kept_evidence import KeptItem, read_items
from pairguard.history.reports import counted_reports
from pairguard.history.sections import (
    CHATS,
    CONTACTS,
    DAMAGE,
    DEVICES,
    EVIDENCE,
    LEDGER,
    TILES,
    TIMES,
    Times,
    ledger_of,
    section_of,
    sections_of,
)
from pairguard.history.tiles import WINDOWS, Counter, window_sums

_SECONDS_PER_DAY: Final = 86_400.0
_DAY, _WEEK = WINDOWS.index("24h"), WINDOWS.index("7d")
_MONTH: Final = WINDOWS.index("30d")
# Decisions change the tiles of a row and little else, and come far more often than events: what the
# other sections say is found once for their content.
_REMEMBERED: Final = 2_048
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
        refused_24h: Any other among them; by the id with most where ids differ.
        exposure_24h: Sum of ``minor_adult_probability`` over the allowed.
        chats_started_24h: Chats that started.
        partner_minor_mean_24h: Mean P(minor) of the proposed partners where it was known; None: it
            never was.
        reporters_30d: Distinct reporters who met the participant, without the cleared reports.
        partners_30d: Distinct partners.
        upheld_harm: Whether a review upheld a harm within a year.
        probability_minor: P(minor) by the last decision; None: there was none.
    """

    signals: Mapping[str, float] | None = None
    evidence: tuple[KeptItem, ...] = ()
    decisions_24h: float = 0.0
    allowed_24h: float = 0.0
    refused_24h: float = 0.0
    exposure_24h: float = 0.0
    chats_started_24h: float = 0.0
    partner_minor_mean_24h: float | None = None
    reporters_30d: float = 0.0
    partners_30d: float = 0.0
    upheld_harm: bool = False
    probability_minor: float | None = None


NOTHING_KEPT: Final = Summary()


BLOCK_LIST: Final = b'"block'
"""Begins the name of both lists of blocks; nearly no ledger has it."""


def summarise(rows: Sequence[bytes], now: float) -> Summary:
    """Return what the rows of a participant's ids say at a time, seconds since 1970.

    Raises:
        ValueError: A row is damaged.
    """
    if not rows:
        return NOTHING_KEPT
    read = [sections_of(row) for row in rows]
    times = [Times(sections.get(TIMES)) for sections in read]
    blocks_of_tiles = _all(read, TILES)
    sums = window_sums(blocks_of_tiles, now).tolist()
    partners = _contact_count(_all(read, CONTACTS), now)
    said = _said_by_others(_all(read, LEDGER), now)
    signals = None
    if any(each.first_event for each in times):
        first_seen = min(each.first_seen for each in times if each.first_seen)
        signals = {
            "history.reports_made_30d": sums[_MONTH][Counter.REPORTS_MADE],
            "history.reports_received_30d": said.reporters_30d,
            "history.reports_received_365d": said.reporters_365d,
            "history.child_safety_reports_30d": said.child_safety_30d,
            "history.sexual_reports_30d": said.sexual_30d,
            "history.upheld_harm_365d": said.upheld_365d,
            "history.blocked_by_others_30d": said.blockers_30d,
            "history.devices_30d": _contact_count(_all(read, DEVICES), now),
            "history.known_days": max(now - first_seen, 0.0) / _SECONDS_PER_DAY,
        }
        if any(each.first_chat for each in times):
            signals |= {name: sums[row][counter] for name, row, counter in _WINDOWED_SIGNALS}
            signals["history.distinct_partners_30d"] = partners
            signals |= _selectivity(sums[_WEEK])
    day = sums[_DAY]
    return Summary(
        signals=signals,
        evidence=_evidence(_all(read, EVIDENCE)),
        decisions_24h=day[Counter.DECISIONS],
        allowed_24h=day[Counter.ALLOWED],
        refused_24h=_refused(blocks_of_tiles, day, now),
        exposure_24h=day[Counter.EXPOSURE],
        chats_started_24h=day[Counter.CHATS],
        partner_minor_mean_24h=(
            min(day[Counter.PARTNER_MINOR] / day[Counter.PARTNERS], 1.0)
            if day[Counter.PARTNERS]
            else None
        ),
        reporters_30d=said.reporters_30d,
        partners_30d=partners,
        upheld_harm=said.upheld_365d > 0.0,
        probability_minor=_last_probability_minor(times),
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


def may_have_met(rows: Iterable[bytes], ids: Sequence[bytes]) -> bool:
    """Return whether ``last_met`` of whole rows may be a time: nearly never; False is certain.

    Of ids their first ``PREFIX_BYTES`` will do.
    """
    prefixes = [each[:PREFIX_BYTES] for each in ids]
    return any([each in row for row in rows for each in prefixes])  # noqa: C419 - as above


def may_block(rows: Iterable[bytes]) -> bool:
    """Return whether ``blocks`` of whole rows may be true for anybody; False is certain."""
    return any([BLOCK_LIST in row for row in rows])  # noqa: C419 - as above


def blocks(rows: Iterable[bytes], ids: Sequence[bytes]) -> bool:
    """Return whether a participant blocked the one with these ids, or was blocked by it.

    Raises:
        ValueError: A row is damaged.
    """
    for row in rows:
        if BLOCK_LIST in section_of(row, LEDGER):
            ledger = ledger_of(sections_of(row).get(LEDGER))
            if is_blocked(ledger, [each.hex() for each in ids]):
                return True
    return False


def may_have_upheld_harm(row: bytes, now: float) -> bool:
    """Return whether a review upheld a harm within a year and none took it back.

    True also of a row that is damaged.
    """
    try:
        ledger = ledger_of(sections_of(row).get(LEDGER))
        return counted_reports((ledger,), now).upheld > 0
    except DAMAGE:
        return True


def open_chats(rows: Sequence[bytes], now: float) -> tuple[OpenChat, ...]:
    """Return the chats of a participant that have started and not ended.

    Raises:
        ValueError: A row is damaged.
    """
    read = [sections_of(row) for row in rows]
    found = {}
    for sections in read:
        for chat, entry in ledger_of(sections.get(LEDGER)).get("open", {}).items():
            time, sealed, decision_id, partner, start_time = entry
            ended = any(chat_flags(each.get(CHATS, b""), chat) & ENDED for each in read)
            if not ended and time > now - KEEP_SECONDS:
                found[chat] = OpenChat(
                    chat,
                    start_time,
                    bytes.fromhex(sealed),
                    decision_id,
                    tuple(bytes.fromhex(each) for each in partner),
                )
    return tuple(found.values())


def last_probability_minor(rows: Sequence[bytes]) -> float | None:
    """Return P(minor) by the last decision on a participant; None: there was none.

    Raises:
        ValueError: A row is damaged so that it shows at once; nothing else is looked at.
    """
    return _last_probability_minor([Times(section_of(row, TIMES)) for row in rows])


def _refused(blocks_of_tiles: Sequence[bytes], day: Sequence[float], now: float) -> float:
    """Return how many decisions of a day were no ALLOW.

    Decisions and ALLOWs are each the greatest over the ids, so that an id with many ALLOWs would
    hide what was refused under another.
    """
    together = day[Counter.DECISIONS] - day[Counter.ALLOWED]
    different = {each for each in blocks_of_tiles if each}
    if len(different) < 2:
        return together
    each_alone = (window_sums([each], now)[_DAY] for each in different)
    return max(
        together, *(float(sums[Counter.DECISIONS] - sums[Counter.ALLOWED]) for sums in each_alone)
    )


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


class _SaidByOthers(NamedTuple):
    """Counts of what others said of a participant."""

    reporters_30d: float
    reporters_365d: float
    child_safety_30d: float
    sexual_30d: float
    upheld_365d: float
    blockers_30d: float


def _all(read: Sequence[Mapping[int, bytes]], tag: int) -> tuple[bytes, ...]:
    return tuple([sections.get(tag, b"") for sections in read])


@lru_cache(maxsize=_REMEMBERED)
def _contact_count(lists: tuple[bytes, ...], now: float) -> float:
    return float(contact_count(lists, now))


@lru_cache(maxsize=_REMEMBERED)
def _said_by_others(sections: tuple[bytes, ...], now: float) -> _SaidByOthers:
    ledgers = [ledger_of(each) for each in sections]
    month = now - 30.0 * _SECONDS_PER_DAY
    reports = counted_reports(ledgers, now)
    return _SaidByOthers(
        reporters_30d=float(reports.reporters(month)),
        reporters_365d=float(reports.reporters()),
        child_safety_30d=float(reports.reporters(month, CHILD_SAFETY)),
        sexual_30d=float(reports.reporters(month, SEXUAL)),
        upheld_365d=float(reports.upheld),
        blockers_30d=float(blocker_count(ledgers, month)),
    )


@lru_cache(maxsize=_REMEMBERED)
def _evidence(sections: tuple[bytes, ...]) -> tuple[KeptItem, ...]:
    # Two participants may have items of one id: where an id is linked to both, both items count.
    items: dict[tuple[bytes, bytes], KeptItem] = {}
    for section in sections:
        for item in read_items(section):
            earlier = items.setdefault((item.evidence, item.content), item)
            if item.own and not earlier.own:
                items[item.evidence, item.content] = replace(earlier, own=True)
    if len(items) < 2:
        return tuple(items.values())
    return tuple(sorted(items.values(), key=lambda item: (item.time, item.evidence, item.content)))


def _last_probability_minor(times: Sequence[Times]) -> float | None:
    known = [(each.decided, each.probability_minor) for each in times if each.decided]
    return max(known)[1] if known else None
