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
