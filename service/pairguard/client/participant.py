"""One person of a proposed pair, as a chat backend knows them.

Owns the values that a caller fills in. It must not know how they are sent.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from pairguard.client.arguments import (
    require_mapping,
    require_number,
    require_text,
    require_texts,
)
from pairguard.client.evidence import AgeEvidence


@dataclass(frozen=True, slots=True)
class ParticipantInput:
    """One person of a proposed pair. Only the id is needed; all else may stay unknown.

    Copies what it is given, so that later changes to a list or dict of the caller's change nothing.

    Attributes:
        participant_id: The caller's opaque id of the account or session. Only a keyed hash of it is
            ever stored.
        age_evidence: What is known about the age, in any order.
        linked_ids: Other opaque ids of the same person: account, device, hashes of addresses. Holds
            and history follow all of them.
        signals: Numbers, and flags as 0 or 1, by their name in the signal catalogue. Leave out what
            is unknown: it is never 0.
        attributes: Categories by their name in the signal catalogue.
        interests: Interest tags of the signal catalogue.
        region: ISO 3166-1 alpha-2 (``GB``) or 3166-2 (``US-TX``). Empty: unknown, the strictest.
        language: BCP 47 (``pt-BR``). Empty: unknown.
        entry_path: How the participant came in, in the words of the age tables. Empty: unknown.

    Raises:
        TypeError: A field has another type.
        ValueError: ``participant_id`` is empty.
    """

    participant_id: str
    age_evidence: Sequence[AgeEvidence] = ()
    linked_ids: Sequence[str] = field(default=(), kw_only=True)
    signals: Mapping[str, float] = field(default_factory=dict, kw_only=True, hash=False)
    attributes: Mapping[str, str] = field(default_factory=dict, kw_only=True, hash=False)
    interests: Sequence[str] = field(default=(), kw_only=True)
    region: str = field(default="", kw_only=True)
    language: str = field(default="", kw_only=True)
    entry_path: str = field(default="", kw_only=True)

    def __post_init__(self) -> None:
        """Refuse what cannot be sent, and copy what could change later."""
        require_text("participant_id", self.participant_id)
        if not self.participant_id:
            raise ValueError("participant_id must not be empty")
        if not isinstance(self.age_evidence, (tuple, list)):
            raise TypeError("age_evidence must be a tuple or list of AgeEvidence")
        for item in self.age_evidence:
            if not isinstance(item, AgeEvidence):
                raise TypeError(f"age_evidence holds AgeEvidence, not {type(item).__name__}")
        require_texts("linked_ids", self.linked_ids)
        require_texts("interests", self.interests)
        require_mapping("signals", self.signals)
        for value in self.signals.values():
            # A flag may be a bool: the contract takes flags as 0 and 1.
            if not isinstance(value, bool):
                require_number("a value in signals", value)
        require_mapping("attributes", self.attributes)
        for category in self.attributes.values():
            require_text("a value in attributes", category)
        for name in ("region", "language", "entry_path"):
            require_text(name, getattr(self, name))
        self._freeze()

    @property
    def reference(self) -> ParticipantReference:
        """The same person by ids alone, as events name them."""
        return ParticipantReference(self.participant_id, self.linked_ids)

    def _freeze(self) -> None:
        for name in ("age_evidence", "linked_ids", "interests"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        for name in ("signals", "attributes"):
            object.__setattr__(self, name, MappingProxyType(dict(getattr(self, name))))


@dataclass(frozen=True, slots=True)
class ParticipantReference:
    """One person by ids alone.

    Attributes:
        participant_id: The caller's opaque id of the account or session. Only a keyed hash of it is
            ever stored.
        linked_ids: Other opaque ids of the same person, as in ``ParticipantInput``. What is
            recorded of a person follows all of them.

    Raises:
        TypeError: A field has another type.
        ValueError: ``participant_id`` is empty.
    """

    participant_id: str
    linked_ids: Sequence[str] = ()

    def __post_init__(self) -> None:
        """Refuse what cannot be sent, and copy what could change later."""
        require_text("participant_id", self.participant_id)
        if not self.participant_id:
            raise ValueError("participant_id must not be empty")
        require_texts("linked_ids", self.linked_ids)
        object.__setattr__(self, "linked_ids", tuple(self.linked_ids))


def require_reference(name: str, value: object) -> None:
    """Raise ``TypeError`` unless ``value`` is a ``ParticipantReference``."""
    if not isinstance(value, ParticipantReference):
        raise TypeError(f"{name} must be a ParticipantReference, not {type(value).__name__}")
