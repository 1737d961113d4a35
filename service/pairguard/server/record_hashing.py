"""Messages as they may be kept: ids hashed, and no text of a caller's that nobody knows.

Owns what becomes of every text that a caller can send. It must not know where records go, nor
which key hashes.

Each text field of the contract has a rule in one table, and a field without a rule is emptied, so
that a field that is added to the contract is not kept before somebody has decided that it may be.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from math import nan
from typing import Any, Final, TypeVar

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from pairguard.policy.document import is_region_code
from pairguard.server.event_conversion import is_reason_code
from pairguard.server.known_names import KnownNames
from pairguard.v1 import assessment_pb2, feedback_service_pb2, participant_pb2

UNLISTED_PROVIDER: Final = "unlisted"
"""Stands for a provider whose name is not kept: "" would say that none was told."""

# What a decision of this service is called. Whatever else a caller sends as one is hashed.
_DECISION_ID = re.compile(r"[0-9a-f]{32}")
# A name in the words of a table. Starts with a letter, so that no address and no date is one.
_NAME = re.compile(r"[a-z][a-z0-9_.-]{0,63}")
# Language, script and region of BCP 47; what may follow them is free enough to hold a name.
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z]{4})?(-([A-Za-z]{2}|[0-9]{3}))?")

_TEXT_TYPES = (FieldDescriptor.TYPE_STRING, FieldDescriptor.TYPE_BYTES)
# What ``RecordHashing.participant`` filters.
_FILTERED_MAPS = ("pairguard.v1.Participant.signals", "pairguard.v1.Participant.attributes")

_NO_RANGE = (nan, nan)  # neither below nor above nor in it

_Rule = Callable[[str], str]
_M = TypeVar("_M", bound=Message)


def add_kept(
    record: participant_pb2.Participant,
    history: Mapping[str, float] | None,
    kept_evidence: Iterable[participant_pb2.AgeEvidence],
) -> None:
    """Put beside what was sent of a participant what the service itself knew.

    Args:
        record: What was sent, fit to be kept.
        history: What the service itself counted, by catalogue name; kept as it was counted.
        kept_evidence: Evidence that was recorded before and not sent, hashed already.
    """
    if history:
        record.signals.update(history)
    record.age_evidence.extend(kept_evidence)


class RecordHashing:
    """Turns messages that were checked into messages that may be kept.

    Ids of participants are hashed as they are, since holds and history stand under the same
    hashes. Every other kind of id is hashed behind the name of its kind, so that a chat and an
    event of the same name do not meet. Texts are replaced by the lowercase hexadecimal form.

    Args:
        hasher: Returns the 16 bytes that stand for a text.
        known: Names that may be kept; for anything but participants and evidence none are needed.
    """

    def __init__(self, hasher: Callable[[str], bytes], known: KnownNames | None = None) -> None:
        self._hasher = hasher
        self._known = KnownNames() if known is None else known
        self._rules = self._text_rules()
        self._plans: dict[str, _Plan | None] = {}

    def event(
        self,
        message: feedback_service_pb2.Event,
        *,
        into: feedback_service_pb2.Event | None = None,
    ) -> feedback_service_pb2.Event:
        """Return an event as it may be kept; ``into``: where it is put, None: a new message."""
        return self._hashed(message, into)

    def age_evidence(self, message: participant_pb2.AgeEvidence) -> participant_pb2.AgeEvidence:
        """Return an item of evidence as it may be kept."""
        return self._hashed(message)

    def reference(
        self, message: participant_pb2.ParticipantReference
    ) -> participant_pb2.ParticipantReference:
        """Return a participant by id alone as it may be kept."""
        return self._hashed(message)

    def participant(
        self,
        message: participant_pb2.Participant,
        *,
        history: Mapping[str, float] | None = None,
        kept_evidence: Iterable[participant_pb2.AgeEvidence] = (),
    ) -> participant_pb2.Participant:
        """Return a participant as used.

        Args:
            message: What was sent.
            history: What the service itself counted, by catalogue name; kept as it was counted.
            kept_evidence: Evidence that was recorded before and not sent, hashed already.
        """
        record = self._hashed(message)
        signals = record.signals
        if signals:
            _clip(signals, dict(signals), self._known.ranges)
        attributes = record.attributes
        for name in [*attributes]:
            if attributes[name] not in self._known.categories.get(name, ()):
                del attributes[name]
        add_kept(record, history, kept_evidence)
        return record

    def context(self, message: assessment_pb2.PairContext) -> assessment_pb2.PairContext:
        """Return the circumstances of a pair as they may be kept."""
        return self._hashed(message)

    def age_assessment(self, message: assessment_pb2.AgeAssessment) -> assessment_pb2.AgeAssessment:
        """Return a belief as it may be kept."""
        return self._hashed(message)

    def pair_assessment(
        self, message: assessment_pb2.PairAssessment
    ) -> assessment_pb2.PairAssessment:
        """Return an answer as it may be kept, without the beliefs about the two persons.

        Names that nobody knows were in the answer and are not in the record.

        Args:
            message: What is answered.
        """
        record = self._hashed(message)
        for name in ("unknown_signals", "participant_a_assessment", "participant_b_assessment"):
            record.ClearField(name)
        return record

    def participant_id(self, text: str) -> bytes:
        """Return the 16 bytes that stand for an id of a participant."""
        return self._hasher(text)

    def text(self, kind: type[Message], name: str, text: str) -> str:
        """Return what is kept of a text in a field of a message; "": nothing."""
        rule = self._rules.get(f"{kind.DESCRIPTOR.full_name}.{name}")
        return "" if rule is None else rule(text)

    def request_id(self, text: str) -> str:
        """Return what stands for the id of a request; "" for none."""
        return self._id("request")(text)

    def _hashed(self, message: _M, into: _M | None = None) -> _M:
        record = type(message)() if into is None else into
        record.CopyFrom(message)
        record.DiscardUnknownFields()
        plan = self._plan(message.DESCRIPTOR)
        if plan is not None:
            plan.apply(record)
        return record

    def _plan(self, descriptor: Any) -> _Plan | None:
        """Return what to do with a message; None: it has no text, nor has any part of it."""
        if descriptor.full_name in self._plans:
            return self._plans[descriptor.full_name]
        plan = _Plan([], [], [], {})
        for place in descriptor.fields:
            rule = self._rules.get(place.full_name)
            if rule is not None:
                plan.texts.append((place.name, place.is_repeated, rule))
            elif place.type in _TEXT_TYPES or _is_map(place):
                if place.full_name not in _FILTERED_MAPS:
                    plan.dropped.append(place.name)
            elif place.message_type is not None:
                part = self._plan(place.message_type)
                choice = place.containing_oneof
                if part is not None and choice is not None:
                    plan.choices.setdefault(choice.name, {})[place.name] = part
                elif part is not None:
                    plan.parts.append((place.name, place.is_repeated, part))
        found = plan if plan.texts or plan.parts or plan.dropped or plan.choices else None
        self._plans[descriptor.full_name] = found
        return found

    def _text_rules(self) -> Mapping[str, _Rule]:
        """Return the rule of each text field of what is kept, by its full name."""
        own = self._id("")
        event, chat, evidence, capture = map(self._id, ("event", "chat", "evidence", "capture"))
        rules = {
            "Participant.participant_id": own,
            "Participant.linked_ids": own,
            "Participant.interests": self._interest,
            "Participant.region": lambda text: text if is_region_code(text) else "",
            "Participant.language": lambda text: text if _LANGUAGE.fullmatch(text) else "",
            "Participant.entry_path": self._entry_path,
            "ParticipantReference.participant_id": own,
            "ParticipantReference.linked_ids": own,
            "AgeEvidence.evidence_id": evidence,
            "AgeEvidence.provider": self._provider,
            "FacialAgeEstimate.capture_session": capture,
            "AgeCheck.capture_session": capture,
            "VerifiedAge.capture_session": capture,
            "Event.event_id": event,
            "Event.chat_id": chat,
            "Event.decision_id": self._decision_id,
            "ReviewVerdict.report_event_ids": event,
            "HoldPlaced.reason_code": _reason_code,
            "HoldReleased.reason_code": _reason_code,
            "EvidenceContribution.evidence_id": evidence,
            "EvidenceContribution.provider": self._provider,
            # The service's own words.
            "PairAssessment.decision_id": _keep,
            "PairAssessment.bundle_version": _keep,
            "PairAssessment.policy_version": _keep,
            "PairAssessment.degradations": _keep,
            "Reason.code": _keep,
            "Reason.analyst_text": _keep,
            "Reason.participant_text": _keep,
        }
        return {f"pairguard.v1.{name}": rule for name, rule in rules.items()}

    def _id(self, kind: str) -> _Rule:
        hasher, prefix = self._hasher, f"{kind}:" if kind else ""
        return lambda text: hasher(prefix + text).hex() if text else ""

    def _decision_id(self, text: str) -> str:
        return text if _DECISION_ID.fullmatch(text) else self._id("decision")(text)

    def _interest(self, text: str) -> str:
        return text if text in self._known.interests else ""

    def _provider(self, text: str) -> str:
        name = text.lower()
        if not name or name in self._known.providers or _NAME.fullmatch(name):
            return name
        return UNLISTED_PROVIDER

    def _entry_path(self, text: str) -> str:
        return text if text in self._known.entry_paths or _NAME.fullmatch(text) else ""


@dataclass(frozen=True, slots=True)
class _Plan:
    """What to do with a kind of message.

    Attributes:
        texts: Name of each text that has a rule, whether it is a list, and the rule.
        parts: The same of each message in it that has texts itself, with its plan.
        dropped: Names of the texts and maps that nothing is known about.
        choices: By the name of each choice between messages, the plans of those that have one.
    """

    texts: list[tuple[str, bool, _Rule]]
    parts: list[tuple[str, bool, _Plan]]
    dropped: list[str]
    choices: dict[str, dict[str, _Plan]]

    def apply(self, message: Any) -> None:
        """Apply the rules to a message, in place."""
        for name in self.dropped:
            message.ClearField(name)
        for name, repeated, rule in self.texts:
            value = getattr(message, name)
            if not value:
                continue
            if repeated:
                value[:] = [kept for text in value if (kept := rule(text))]
            else:
                setattr(message, name, rule(value))
        for name, repeated, plan in self.parts:
            if repeated:
                for item in getattr(message, name):
                    plan.apply(item)
            elif message.HasField(name):
                plan.apply(getattr(message, name))
        for choice, plans in self.choices.items():
            chosen = message.WhichOneof(choice)
            if chosen in plans:
                plans[chosen].apply(getattr(message, chosen))


def _clip(
    signals: Any, values: Mapping[str, float], ranges: Mapping[str, tuple[float, float]]
) -> None:
    """Clip numbers in a map as the catalogue does, and take out those that it does not have."""
    for name, value in values.items():
        low, high = ranges.get(name, _NO_RANGE)
        if value < low:
            signals[name] = low
        elif value > high:
            signals[name] = high
        elif not low <= value <= high:
            # No number, or not in the catalogue: unknown, which a map says by leaving it out.
            del signals[name]


def _keep(text: str) -> str:
    return text


def _is_map(place: Any) -> bool:
    return place.message_type is not None and place.message_type.GetOptions().map_entry is True


def _reason_code(text: str) -> str:
    return text if is_reason_code(text) else ""
