"""What can happen to the state of one id; each change touches one row and nothing else.

Owns the vocabulary. A record of the journal becomes a few of these for each id that it speaks of
(``pairguard.store.records``), and ``pairguard.history.row`` applies them. Times are the service's
own, seconds since 1970; probabilities are None where nothing was known; ids are keyed hashes.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class ReviewResult(StrEnum):
    """What a review said of a harm."""

    UPHELD = "UPHELD"
    CLEARED = "CLEARED"


@dataclass(frozen=True, slots=True)
class Decided:
    """A decision was made on a pair with this participant.

    Attributes:
        allowed: Whether it was ALLOW.
        exposure: What it adds to the exposure of both, in [0, 1]; None: not known.
        own_probability_minor: P(minor) of this participant.
        partner_probability_minor: P(minor) of the other.
    """

    time: float
    allowed: bool
    exposure: float | None
    own_probability_minor: float | None
    partner_probability_minor: float | None


@dataclass(frozen=True, slots=True)
class Linked:
    """The participant came with other ids; only in the row of its own.

    Attributes:
        ids: Those that were linked to it.
    """

    time: float
    ids: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Exposed:
    """The participant met another whom no decision on the pair has counted, but a ranking.

    Attributes:
        exposure: What that adds to its exposure, in [0, 1].
        own_probability_minor: P(minor) of this participant by then; None: not known.
    """

    time: float
    exposure: float
    own_probability_minor: float | None


@dataclass(frozen=True, slots=True)
class ChatStarted:
    """The participant was connected with another.

    Attributes:
        chat: Hash of the chat's id.
        partner: Ids of the other, its own first.
        decision_id: The decision that it started from; "": none.
        sealed_chat_id: The caller's id of the chat, sealed.
        start_time: When it started as the caller says; None: at ``time``.
    """

    time: float
    chat: str
    partner: tuple[bytes, ...]
    decision_id: str
    sealed_chat_id: bytes
    start_time: float | None = None


@dataclass(frozen=True, slots=True)
class ChatEnded:
    """A chat of the participant ended.

    Attributes:
        duration_seconds: None: not known, and counts as none.
        skipped_by_this: Whether this participant ended it within ten seconds.
        skipped_by_partner: Whether the other did.
        partner_probability_minor: P(minor) of the other when they met.
    """

    time: float
    chat: str
    partner: tuple[bytes, ...]
    duration_seconds: float | None
    skipped_by_this: bool
    skipped_by_partner: bool
    partner_probability_minor: float | None


@dataclass(frozen=True, slots=True)
class ReportMade:
    """The participant reported another."""

    time: float


@dataclass(frozen=True, slots=True)
class ReportReceived:
    """The participant was reported.

    Attributes:
        report: Hash of the report's event id.
        chat: Hash of the chat's id; "": none was named.
        category: Name in the contract without its prefix.
        reporter: Ids of the reporter, its own first.
        met: Whether the two are known to have met, whatever stands in this row.
    """

    time: float
    report: str
    chat: str
    category: str
    reporter: tuple[bytes, ...]
    met: bool = False


@dataclass(frozen=True, slots=True)
class Reviewed:
    """A review of the participant's conduct ended.

    Attributes:
        review: Hash of the review's event id.
        reports: Hashes of the reports that it speaks of; empty: all of the chat, or none.
        chat: Hash of the chat's id; "": none was named.
    """

    time: float
    review: str
    result: ReviewResult
    reports: tuple[str, ...]
    chat: str


@dataclass(frozen=True, slots=True)
class Exonerated:
    """An appeal found that what was upheld was wrong.

    Attributes:
        until: When what it takes back was upheld at the latest; None: at ``time``.
    """

    time: float
    until: float | None = None


@dataclass(frozen=True, slots=True)
class Blocked:
    """The participant never wants to meet another again, or the other way round.

    Attributes:
        other: Ids of the other.
        by_this: Whether this participant asked for it.
        lifted: Whether it was taken back instead.
    """

    time: float
    other: tuple[bytes, ...]
    by_this: bool
    lifted: bool = False


@dataclass(frozen=True, slots=True)
class EvidenceKept:
    """An item of age evidence was recorded.

    Attributes:
        evidence: Hash of its id.
        claim: What it says but for its times, hashed: of two with one claim the later is kept when
            there are too many.
        content: The item as it is kept; opaque here.
        own: Whether it was told of a participant whose own id this row is, and not merely of one
            who is linked to it: several people may share a device.
    """

    time: float
    evidence: bytes
    claim: bytes
    content: bytes
    own: bool = True


@dataclass(frozen=True, slots=True)
class Unlinked:
    """Another participant was erased: a token that leads to nobody takes the place of its ids."""

    ids: tuple[bytes, ...]
    token: bytes


Change = (
    Decided
    | Linked
    | Exposed
    | ChatStarted
    | ChatEnded
    | ReportMade
    | ReportReceived
    | Reviewed
    | Exonerated
    | Blocked
    | EvidenceKept
    | Unlinked
)
