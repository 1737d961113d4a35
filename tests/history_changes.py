"""Hashes, and strategies for what can happen to a row."""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b

from hypothesis import strategies as st

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
    ReviewResult,
)
from pairguard.history.row import Row

NOON = 1_700_000_000.0
MINUTE, HOUR, DAY = 60.0, 3_600.0, 86_400.0


def hashed(name: str) -> bytes:
    """Return 16 bytes that stand for a name."""
    return blake2b(name.encode(), digest_size=16).digest()


def row_of(changes: Iterable[Change], row: bytes = b"") -> bytes:
    """Return a row after changes, written after each as a store would."""
    for change in changes:
        changed = Row(row)
        changed.apply(change)
        row = changed.written()
    return row


def started(chat: str, partner: str, *linked: str, time: float = NOON) -> ChatStarted:
    return ChatStarted(
        time,
        hashed(chat).hex(),
        tuple(hashed(each) for each in (partner, *linked)),
        "",
        chat.encode(),
    )


def with_devices(*devices: str, time: float = NOON) -> Linked:
    return Linked(time, tuple(hashed(each) for each in devices))


def ended(
    chat: str,
    partner: str,
    *linked: str,
    time: float = NOON,
    seconds: float | None = 60.0,
    skipped: bool = False,
    minor: float | None = 0.25,
) -> ChatEnded:
    ids = tuple(hashed(each) for each in (partner, *linked))
    return ChatEnded(time, hashed(chat).hex(), ids, seconds, skipped, False, minor)


def reported(
    report: str,
    *reporter: str,
    chat: str = "",
    time: float = NOON,
    category: str = "SEXUAL_CONDUCT",
) -> ReportReceived:
    ids = tuple(hashed(each) for each in reporter)
    chat_hash = hashed(chat).hex() if chat else ""
    return ReportReceived(time, hashed(report).hex(), chat_hash, category, ids)


def reviewed(
    result: ReviewResult, *reports: str, chat: str = "", review: str = "w", time: float = NOON
) -> Reviewed:
    return Reviewed(
        time,
        hashed(review).hex(),
        result,
        tuple(hashed(each).hex() for each in reports),
        hashed(chat).hex() if chat else "",
    )


def decided(
    *,
    time: float = NOON,
    allowed: bool = True,
    exposure: float | None = 0.1,
    own: float | None = 0.2,
    partner: float | None = 0.3,
) -> Decided:
    return Decided(time, allowed, exposure, own, partner)


# Within a day, so that nothing is too old to be told apart from its repetition; often the same.
times = st.one_of(st.sampled_from([0, 1, 4_000]), st.integers(0, 80_000)).map(
    lambda second: NOON + second
)
people = st.sampled_from(["ann", "bea", "cem", "dan"])
chats = st.sampled_from(["chat-1", "chat-2", "chat-3"])
probabilities = st.one_of(st.none(), st.integers(0, 16).map(lambda sixteenth: sixteenth / 16.0))
results = st.sampled_from(ReviewResult)
report_names = st.sampled_from(["report-1", "report-2", "report-3"])
flags = st.booleans()
categories = st.sampled_from(["SEXUAL_CONDUCT", "ADULT_POSING_AS_MINOR", "SPAM"])

decisions = st.builds(
    decided,
    time=times,
    allowed=flags,
    exposure=probabilities,
    own=probabilities,
    partner=probabilities,
)
devices_seen = st.builds(
    lambda names, time: with_devices(*names, time=time),
    st.sampled_from([("phone",), ("phone", "tablet")]),
    times,
)
starts = st.builds(started, chats, people, time=times)
ends = st.builds(ended, chats, people, time=times, skipped=flags, minor=probabilities)
reports = st.builds(
    lambda name, who, chat, time, category: reported(
        name, who, f"phone of {who}", chat=chat, time=time, category=category
    ),
    report_names,
    people,
    chats,
    times,
    categories,
)
reviews = st.builds(
    lambda result, named, chat, time: reviewed(result, *named, chat=chat, time=time),
    results,
    st.lists(report_names, max_size=2, unique=True),
    st.one_of(st.just(""), chats),
    times,
)
blocks = st.builds(
    lambda time, who, by_this, lifted: Blocked(time, (hashed(who),), by_this, lifted),
    times,
    people,
    flags,
    flags,
)
items = st.builds(
    lambda time, name: EvidenceKept(time, hashed(name), hashed(name)[:8], name.encode()),
    times,
    st.sampled_from(["item-1", "item-2", "item-3"]),
)
changes = st.one_of(
    decisions,
    devices_seen,
    starts,
    ends,
    reports,
    reviews,
    blocks,
    items,
    st.builds(ReportMade, times),
    st.builds(Exonerated, times),
    st.builds(
        Exposed, times, st.sampled_from([0.0, 0.25, 0.5]), st.one_of(st.none(), st.just(0.5))
    ),
)
