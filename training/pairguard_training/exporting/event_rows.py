"""Events and recorded evidence of the journal, before it is known which pairs they are about.

Owns what of an event goes into ``outcomes``, and which recorded ages may label somebody. Recorded
evidence enters no snapshot here: what was known at a decision stands in the decision's own record.
"""

from __future__ import annotations

import math
from typing import Any

from pairguard.store.ports import KeptRecord
from pairguard.store.record_fields import PARTICIPANT_FIELDS, seconds
from pairguard.v1 import feedback_service_pb2, journal_pb2, participant_pb2
from pairguard_training.exporting import words
from pairguard_training.exporting.decision_rows import RECORD_VERSION
from pairguard_training.exporting.drafts import OF_REVIEW, Draft, Happening, Link
from pairguard_training.exporting.tally import Reason, Thing
from pairguard_training.exporting.verified_ages import verification

_APPEALS = {
    feedback_service_pb2.APPEAL_RESULT_OVERTURNED: "CLEARED",
    feedback_service_pb2.APPEAL_RESULT_CONFIRMED: "UPHELD",
}


def event_draft(record: KeptRecord) -> Draft:
    """Return what an event gives.

    Raises:
        ValueError: The record cannot be read.
        KeyError: It has a word that this version does not know.
    """
    message = journal_pb2.EventRecord.FromString(record.payload)
    draft = Draft()
    draft.tally.found(Thing.EVENTS)
    if message.record_version != RECORD_VERSION:
        draft.tally.leave_out(Thing.EVENTS, Reason.OTHER_VERSION)
        return draft
    event = message.event
    kind = event.WhichOneof("event")
    if event.event_id != record.record_id or not message.HasField("receive_time"):
        raise ValueError("not the record of this event")
    if kind is None or kind not in PARTICIPANT_FIELDS:
        raise KeyError("a kind of event of a newer program")
    draft.newest = words.microseconds(message.receive_time)
    draft.key_id = message.hash_key_id
    content = getattr(event, kind)
    people = [getattr(content, name) for name in PARTICIPANT_FIELDS[kind]]
    if not all(each.participant_id for each in people):
        draft.tally.leave_out(Thing.EVENTS, Reason.ERASED)
        return draft
    _add_links(draft, people)
    observed = words.optional_microseconds(event, "event_time")
    happening = Happening(
        event.event_id,
        kind,
        words.told(event.chat_id),
        words.told(event.decision_id),
        words.person(people[0].participant_id),
        words.person(people[1].participant_id) if len(people) > 1 else None,
        words.CATEGORIES[content.category] if kind in ("report", "review_verdict") else None,
        _verdict(kind, content),
        _duration(message),
        draft.newest if observed is None else observed,
        draft.newest,
        list(content.report_event_ids) if kind == "review_verdict" else [],
    )
    if kind == "review_verdict" and content.HasField("confirmed_age"):
        _add_confirmed_age(draft, happening, content.confirmed_age)
    draft.happenings.append(happening)
    return draft


def evidence_draft(record: KeptRecord) -> Draft:
    """Return what recorded evidence gives: a label, if it tells an exact age.

    Raises:
        ValueError: The record cannot be read.
        KeyError: It has a word that this version does not know.
    """
    message = journal_pb2.EvidenceRecord.FromString(record.payload)
    draft = Draft()
    draft.tally.found(Thing.EVIDENCE)
    if message.record_version != RECORD_VERSION:
        draft.tally.leave_out(Thing.EVIDENCE, Reason.OTHER_VERSION)
        return draft
    if not message.HasField("receive_time"):
        raise ValueError("not the record of an item")
    draft.newest = words.microseconds(message.receive_time)
    draft.key_id = message.hash_key_id
    if not message.participant.participant_id:
        draft.tally.leave_out(Thing.EVIDENCE, Reason.ERASED)
        return draft
    _add_links(draft, [message.participant])
    item = message.age_evidence
    if item.HasField("verified_age"):
        observed = words.optional_microseconds(item, "observed_time")
        told = verification(
            item.verified_age,
            participant_id=words.person(message.participant.participant_id),
            evidence_id=words.told(item.evidence_id),
            time=draft.newest if observed is None else min(observed, draft.newest),
        )
        if told is not None:
            draft.verifications.append(told)
    return draft


def _add_links(draft: Draft, people: list[participant_pb2.ParticipantReference]) -> None:
    for each in people:
        own = words.person(each.participant_id)
        draft.links += [Link(own, words.person(linked)) for linked in each.linked_ids]


def _add_confirmed_age(
    draft: Draft, happening: Happening, content: participant_pb2.VerifiedAge
) -> None:
    told = verification(
        content,
        participant_id=happening.person_a,
        # As the service keeps it: the event is the item.
        evidence_id=happening.event_id,
        time=min(happening.observed_time, happening.received_time),
        method=OF_REVIEW,
    )
    if told is not None:
        draft.verifications.append(told)


def _verdict(kind: str, content: Any) -> str | None:
    """Return what was found; an appeal that succeeded clears, one that did not upholds."""
    if kind == "review_verdict":
        return words.VERDICTS[content.verdict]
    return _APPEALS.get(content.result) if kind == "appeal_outcome" else None


def _duration(message: journal_pb2.EventRecord) -> float | None:
    if not message.HasField("chat_duration"):
        return None
    value = seconds(message.chat_duration)
    return value if math.isfinite(value) and value >= 0.0 else None
