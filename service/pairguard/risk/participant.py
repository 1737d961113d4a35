"""One participant of a proposed pair, as the caller and the store describe it.

Owns the value that every other part of the domain reads; it must not know where it came from.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from pairguard.age.evidence import AgeEvidence

_EMPTY: Mapping[str, float] = MappingProxyType({})
_EMPTY_TEXT: Mapping[str, str] = MappingProxyType({})
_SECONDS_PER_DAY = 86_400.0

TAMPERED_CAPTURE_SIGNALS = ("virtual_camera", "injected_media", "replayed_capture")
"""Flags of a session in which nothing that a camera saw is believed for adulthood."""
HIDDEN_LOCATION_SIGNALS = ("vpn", "time_zone_mismatch")
"""Flags of a session that does not show where the participant is."""
DEVICE_SIGNAL = "device_known_days"
"""Days for which the account has been seen on the device that it uses now."""


@dataclass(frozen=True, slots=True)
class Participant:
    """A participant, opaque but for what was said about it.

    Attributes:
        participant_id: The caller's opaque id, 1-128 bytes.
        linked_ids: Further opaque ids (account, device) that holds and history follow.
        age_evidence: Evidence about the age, in any order.
        signals: Finite numbers and 0/1 flags by catalogue name; a name that is absent is unknown.
        attributes: Categories by catalogue name; absent is unknown.
        interests: Tags; empty means unknown, not "none".
        region: ISO 3166-1 or 3166-2 code in upper case; "": unknown.
        language: BCP 47 tag; "": unknown.
        entry_path: How the participant came in, e.g. ``random_video``; "": unknown.
        history: What the service itself counted, by catalogue name (``history.*``); None or
            empty: unknown.
    """

    participant_id: str
    linked_ids: tuple[str, ...] = ()
    age_evidence: tuple[AgeEvidence, ...] = ()
    signals: Mapping[str, float] = field(default_factory=lambda: _EMPTY)
    attributes: Mapping[str, str] = field(default_factory=lambda: _EMPTY_TEXT)
    interests: tuple[str, ...] = ()
    region: str = ""
    language: str = ""
    entry_path: str = ""
    history: Mapping[str, float] | None = None

    @property
    def tampered_capture(self) -> bool:
        """Whether the session shows signs that its camera was deceived."""
        return self._flagged(TAMPERED_CAPTURE_SIGNALS)

    @property
    def location_hidden(self) -> bool:
        """Whether the session hides where the participant is."""
        return self._flagged(HIDDEN_LOCATION_SIGNALS)

    @property
    def located_region(self) -> str:
        """The region as far as it can be believed: "" where the session hides the location.

        Rules follow this one, so that nobody chooses a laxer country by choosing an exit node.
        """
        return "" if self.location_hidden else self.region

    def device_since(self, now: float) -> float | None:
        """Return since when the account is on its device, seconds since 1970; None: not told."""
        days = self.signals.get(DEVICE_SIGNAL)
        return None if days is None else now - max(days, 0.0) * _SECONDS_PER_DAY

    def _flagged(self, names: tuple[str, ...]) -> bool:
        signals = self.signals
        # Asked several times of each participant: a list is faster than a generator.
        return bool(signals) and any([signals.get(name, 0.0) > 0.0 for name in names])  # noqa: C419
