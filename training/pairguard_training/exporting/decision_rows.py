"""A decision of the journal as snapshots, evidence and pairs: the inputs as they were used.

Owns that nothing enters a snapshot but what stands in its decision's record, so that training sees
what serving saw and nothing that became known later. A ranking gives a pair for each candidate.
"""

from __future__ import annotations

import math

from pairguard.store.ports import KeptRecord
from pairguard.v1 import journal_pb2, participant_pb2
from pairguard_training.exporting import words
from pairguard_training.exporting.drafts import Draft, Link, Meeting, Pair, Snapshot
from pairguard_training.exporting.evidence_row import FromTheFuture, evidence_row
from pairguard_training.exporting.tally import Reason, Thing
from pairguard_training.exporting.verified_ages import verification

RECORD_VERSION = 1
"""The meaning of records that this module knows."""


def decision_draft(record: KeptRecord) -> Draft:
    """Return what a decision gives.

    Raises:
        ValueError: The record cannot be read.
        KeyError: It has a word that this version does not know.
    """
    message = journal_pb2.DecisionRecord.FromString(record.payload)
    draft = Draft()
    draft.tally.found(Thing.DECISIONS)
    if message.record_version != RECORD_VERSION:
        draft.tally.leave_out(Thing.DECISIONS, Reason.OTHER_VERSION)
        return draft
    if message.decision_id != record.record_id or not message.HasField("decision_time"):
        raise ValueError("not the record of this decision")
    draft.newest = words.microseconds(message.decision_time)
    draft.key_id = message.hash_key_id
    subject = message.WhichOneof("subject")
    if subject == "pair":
        _add_pair(draft, message)
    elif subject == "ranking":
        _add_ranking(draft, message)
    elif subject == "shadow":
        draft.tally.leave_out(Thing.DECISIONS, Reason.SHADOW)
    else:
        raise ValueError("a decision on nothing")
    return draft


def _add_pair(draft: Draft, message: journal_pb2.DecisionRecord) -> None:
    pair, name = message.pair, words.record_name(message.decision_id)
    sides = [
        _add_participant(draft, getattr(pair, f"participant_{side}"), f"{name}-{side}")
        for side in ("a", "b")
    ]
    _add_decided(
        draft,
        message,
        name,
        sides=(sides[0], sides[1]),
        decision=words.DECISIONS[pair.assessment.decision],
        allow_probability=words.optional_probability(pair, "allow_probability"),
        ranked=False,
    )


def _add_ranking(draft: Draft, message: journal_pb2.DecisionRecord) -> None:
    ranking, name = message.ranking, words.record_name(message.decision_id)
    seeker = _add_participant(draft, ranking.seeker, f"{name}-s")
    places = {each.candidate_index for each in ranking.candidates}
    if len(places) < len(ranking.candidates):
        raise ValueError("two candidates at one place")
    for candidate in ranking.candidates:
        pair_id = f"{name}-{candidate.candidate_index}"
        _add_decided(
            draft,
            message,
            pair_id,
            sides=(seeker, _add_participant(draft, candidate.participant, pair_id)),
            decision=words.DECISIONS[candidate.decision],
            allow_probability=words.optional_probability(candidate, "allow_probability"),
            ranked=True,
        )


def _add_decided(
    draft: Draft,
    message: journal_pb2.DecisionRecord,
    pair_id: str,
    *,
    sides: tuple[Snapshot | None, Snapshot | None],
    decision: str,
    allow_probability: float | None,
    ranked: bool,
) -> None:
    draft.tally.found(Thing.PAIRS)
    a, b = sides
    if a is None or b is None:
        draft.tally.leave_out(Thing.PAIRS, Reason.ERASED)
        return
    if decision == "UNSPECIFIED":
        draft.tally.leave_out(Thing.PAIRS, Reason.NO_DECISION)
        return
    if a.participant_id == b.participant_id:
        raise ValueError("a pair of one participant")
    context = message.context if message.HasField("context") else None
    waited = None if context is None else words.optional_number(context, "wait_seconds")
    draft.pairs.append(
        Pair(
            pair_id,
            a.snapshot_id,
            b.snapshot_id,
            draft.newest,
            None if context is None else words.MODALITIES[context.modality],
            waited if waited is not None and waited >= 0.0 else None,
            decision,
            allow_probability,
            message.bundle_version,
            message.policy_version,
        )
    )
    allowed = decision == "ALLOW"
    draft.meetings.append(
        Meeting(
            pair_id,
            message.decision_id,
            ranked,
            a.participant_id,
            b.participant_id,
            allowed,
            draft.newest,
        )
    )


def _add_participant(
    draft: Draft, record: journal_pb2.ParticipantRecord, snapshot_id: str
) -> Snapshot | None:
    """Add a participant as used; return None where it was erased."""
    draft.tally.found(Thing.PARTICIPANTS)
    used = record.participant
    if not used.participant_id:
        draft.tally.leave_out(Thing.PARTICIPANTS, Reason.ERASED)
        return None
    own = words.person(used.participant_id)
    snapshot = Snapshot(
        snapshot_id,
        own,
        draft.newest,
        words.told(used.region),
        words.told(used.language),
        words.told(used.entry_path),
        list(used.interests) or None,
        {name: value for name, value in used.signals.items() if math.isfinite(value)},
        dict(used.attributes),
    )
    draft.snapshots.append(snapshot)
    draft.links += [Link(own, words.person(each)) for each in used.linked_ids]
    of_others = frozenset(record.linked_evidence_ids)
    for item in used.age_evidence:
        _add_item(draft, item, snapshot, of_linked=item.evidence_id in of_others)
    return snapshot


def _add_item(
    draft: Draft, item: participant_pb2.AgeEvidence, snapshot: Snapshot, *, of_linked: bool
) -> None:
    tally, now = draft.tally, snapshot.observed_time
    tally.found(Thing.ITEMS)
    try:
        row = evidence_row(item, snapshot.snapshot_id, now, of_linked=of_linked)
        if item.HasField("verified_age") and not of_linked:
            observed = words.optional_microseconds(item, "observed_time")
            told = verification(
                item.verified_age,
                participant_id=snapshot.participant_id,
                evidence_id=words.told(item.evidence_id),
                time=now if observed is None else min(observed, now),
            )
            if told is not None:
                draft.verifications.append(told)
    except FromTheFuture:
        tally.leave_out(Thing.ITEMS, Reason.FROM_THE_FUTURE)
    except KeyError:
        tally.leave_out(Thing.ITEMS, Reason.UNKNOWN_WORD)
    except ValueError:
        tally.leave_out(Thing.ITEMS, Reason.INCOMPLETE)
    else:
        draft.age_evidence.append(row)
