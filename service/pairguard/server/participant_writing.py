"""A participant as it stands in the record of a decision, as bytes.

Owns that what is written is what ``RecordHashing.participant`` makes of the same participant, with
less work: ids are hashed once for a call, names and values of the catalogue are written once for a
bundle. It must not know what else is in a record.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from typing import Final

from pairguard.risk.participant import Participant
from pairguard.server.kept_participants import KnownParticipant
from pairguard.server.known_names import KnownNames
from pairguard.server.record_hashing import RecordHashing
from pairguard.store.wire import enclosed, length, number_tag, tag
from pairguard.v1 import journal_pb2, participant_pb2

_Message = participant_pb2.Participant
_ATTRIBUTE = _Message.AttributesEntry

_PARTICIPANT: Final = tag(journal_pb2.ParticipantRecord, "participant")
_LINKED_EVIDENCE: Final = tag(journal_pb2.ParticipantRecord, "linked_evidence_ids")
_ID: Final = tag(_Message, "participant_id")
_LINKED: Final = tag(_Message, "linked_ids")
_EVIDENCE: Final = tag(_Message, "age_evidence")
_SIGNALS: Final = tag(_Message, "signals")
_ATTRIBUTES: Final = tag(_Message, "attributes")
_INTERESTS: Final = tag(_Message, "interests")
_SIGNAL_NAME: Final = tag(_Message.SignalsEntry, "key")
_SIGNAL_VALUE: Final = number_tag(_Message.SignalsEntry, "value")
_TEXTS: Final = {name: tag(_Message, name) for name in ("region", "language", "entry_path")}
_MOST_TEXTS: Final = 1_024
_MOST_SETS: Final = 64

_Pack = Callable[..., bytes]

_double = struct.Struct("<d").pack
_NUMBER_BYTES: Final = 8


class ParticipantWriting:
    """Writes participants for one key and the names of one bundle.

    Args:
        hashing: What may be kept of a message.
        known: The names that it keeps.
    """

    def __init__(self, hashing: RecordHashing, known: KnownNames) -> None:
        self.hashing = hashing
        self._ranges = known.ranges
        self._signals = {name: _before_number(name) for name in known.ranges}
        self._history: dict[tuple[str, ...], tuple[_Pack, list[bytes | float]]] = {}
        self._attributes = {
            (name, value): _attribute(name, value)
            for name, values in known.categories.items()
            for value in values
        }
        self._interests = {name: enclosed(_INTERESTS, name.encode()) for name in known.interests}
        self._texts: dict[tuple[str, str], bytes] = {}

    def inputs(self, sent: participant_pb2.Participant, known: KnownParticipant) -> bytes:
        """Return what was known of a participant, as fields of a ``ParticipantRecord``.

        Args:
            sent: As it was sent.
            known: With what is kept of it.
        """
        used = known.participant
        parts = self._ids(used, known.ids)
        if sent.age_evidence or known.kept_evidence:
            parts += [
                enclosed(_EVIDENCE, self.hashing.age_evidence(item).SerializeToString())
                for item in sent.age_evidence
            ]
            parts += [enclosed(_EVIDENCE, item.content) for item in known.kept_evidence]
        if used.signals:
            parts += self._numbers(used)
        if known.summary.signals:
            parts.append(self._counted(known.summary.signals))
        if used.attributes:
            entries = self._attributes
            parts += [entries.get(entry, b"") for entry in used.attributes.items()]
        if used.interests:
            parts += [self._interests.get(name, b"") for name in used.interests]
        if used.region:
            parts.append(self._text("region", used.region))
        if used.language:
            parts.append(self._text("language", used.language))
        if used.entry_path:
            parts.append(self._text("entry_path", used.entry_path))
        written = [enclosed(_PARTICIPANT, b"".join(parts))]
        written += [
            enclosed(_LINKED_EVIDENCE, item.evidence.hex().encode())
            for item in known.kept_evidence
            if not item.own
        ]
        return b"".join(written)

    def _ids(self, used: Participant, hashes: tuple[bytes, ...]) -> list[bytes]:
        if not hashes:  # the key could not be read when the call began
            hash_id = self.hashing.participant_id
            hashes = tuple([hash_id(each) for each in (used.participant_id, *used.linked_ids)])
        own, *linked = [each.hex().encode() for each in hashes]
        return [enclosed(_ID, own), *[enclosed(_LINKED, each) for each in linked]]

    def _numbers(self, used: Participant) -> list[bytes]:
        """Return the signals of the catalogue, clipped as it does; the others are unknown."""
        ranges, before = self._ranges, self._signals
        parts = []
        for name, value in used.signals.items():
            limits = ranges.get(name)
            if limits is None:
                continue
            low, high = limits
            if value < low:
                value = low  # noqa: PLW2901 - clipped
            elif value > high:
                value = high  # noqa: PLW2901 - clipped
            elif value != value:  # noqa: PLR0124 - no number
                continue
            parts.append(before[name] + _double(value))
        return parts

    def _counted(self, history: Mapping[str, float]) -> bytes:
        """Return what the service itself counted, all of it at once: it has few sets of names."""
        names = tuple(history)
        found = self._history.get(names)
        if found is None:
            before = [_before_number(name) for name in names]
            pack = struct.Struct("<" + "".join(f"{len(each)}sd" for each in before)).pack
            if len(self._history) >= _MOST_SETS:
                self._history.clear()
            found = self._history[names] = (pack, [part for each in before for part in (each, 0.0)])
        pack, parts = found
        parts = parts.copy()
        parts[1::2] = history.values()
        return pack(*parts)

    def _text(self, name: str, text: str) -> bytes:
        written = self._texts.get((name, text))
        if written is None:
            kept = self.hashing.text(_Message, name, text)
            written = enclosed(_TEXTS[name], kept.encode()) if kept else b""
            if len(self._texts) >= _MOST_TEXTS:
                self._texts.clear()
            self._texts[name, text] = written
        return written


def _before_number(name: str) -> bytes:
    """Return an entry of the signals up to its number."""
    before = enclosed(_SIGNAL_NAME, name.encode()) + _SIGNAL_VALUE
    return _SIGNALS + length(len(before) + _NUMBER_BYTES) + before


def _attribute(name: str, value: str) -> bytes:
    return enclosed(_ATTRIBUTES, _ATTRIBUTE(key=name, value=value).SerializeToString())
