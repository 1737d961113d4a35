"""What the store said about the two participants of a proposed pair, as the rules read it.

Owns the values only. Every number comes from what the service itself counted, over all ids of a
participant; where it comes from, and over which windows it was summed, is not known here. A count
that is no number, infinite or negative is read as the worst that it could be.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class KeptState:
    """What is kept of one participant; the defaults are those of one about whom nothing is kept.

    Attributes:
        held_for: Reasons of the holds that have not ended: names of ``ReasonCode`` or a caller's
            own codes; empty: not held.
        chats_counted: Whether the platform reports chats, so that none started means none.
        decisions_24h: Decisions asked for with this participant within 24 h.
        allowed_24h: ALLOW among them.
        reroutes_24h: Any other among them.
        exposure_24h: Sum of ``Decision.exposure`` over them.
        chats_started_24h: Chats started within 24 h.
        partner_minor_mean_24h: Mean P(minor) of the partners proposed within 24 h, in [0, 1];
            None: no decision.
        reporters_30d: Distinct reporters who met the participant, cleared reports left out.
        partners_30d: Distinct partners met within 30 days.
        upheld_harm: Whether a review upheld a harm within 365 days.
    """

    held_for: tuple[str, ...] = ()
    chats_counted: bool = False
    decisions_24h: float = 0.0
    allowed_24h: float = 0.0
    reroutes_24h: float = 0.0
    exposure_24h: float = 0.0
    chats_started_24h: float = 0.0
    partner_minor_mean_24h: float | None = None
    reporters_30d: float = 0.0
    partners_30d: float = 0.0
    upheld_harm: bool = False


NOTHING_KEPT = KeptState()
NOTHING_KEPT_OF_CHATS = KeptState(chats_counted=True)
"""The same where the platform reports chats."""


@dataclass(frozen=True, slots=True)
class StoredState:
    """What the store said about two participants and what is between them.

    Attributes:
        readable: Whether it could be read whole.
        a: What is kept of the first.
        b: What is kept of the second.
        personal_block: Whether one of the two asked never to meet the other.
        seconds_since_last_met: Since the two last met; None: never, within what is kept.
    """

    readable: bool = True
    a: KeptState = NOTHING_KEPT
    b: KeptState = NOTHING_KEPT
    personal_block: bool = False
    seconds_since_last_met: float | None = None
