"""What is added to an event that only the service knows.

Owns how long a chat was, how old its two were taken to be, what a review or an appeal does to
holds, whether a start agrees with its decision. It must not know how anything is kept or found.
What is kept of somebody and cannot be read is unknown here: the event stands all the same, and
ends no hold for conduct.
"""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from math import nan
from typing import Final

from pairguard.errors import StoreUnavailable
from pairguard.history.changes import Exonerated, Reviewed
from pairguard.history.row import Row
from pairguard.history.summary import last_met, last_probability_minor, summarise
from pairguard.policy.reasons import HOLD_REASONS, ReasonCode
from pairguard.policy.regions import Policy
from pairguard.server.chat_agreement import agreement, met_by_ranking
from pairguard.server.decision_ids import is_of_pair
from pairguard.server.event_conversion import MAX_CHAT_SECONDS
from pairguard.server.kept_participants import open_chats_of, summary_of
from pairguard.server.response_conversion import set_time
from pairguard.store.effects import review_of
from pairguard.store.ports import KeptParticipant
from pairguard.store.record_fields import Ids, event_participants, ids_of, seconds
from pairguard.v1 import assessment_pb2, feedback_service_pb2, journal_pb2

_SECONDS_PER_HOUR: Final = 3600.0
_CONDUCT_HOLDS: Final = HOLD_REASONS - {ReasonCode.BELOW_MINIMUM_AGE}


class EventCompletion:
    """Adds to the events of one request what only the service knows.

    Args:
        known: What is kept of everybody in them, by their own id; None: that cannot be read.
        decisions: The decisions that they name, by id.
        now: Seconds since 1970.
        age_held: Who is held for an age under an id of its own, by own id.
    """

    def __init__(
        self,
        known: Mapping[bytes, KeptParticipant | None],
        decisions: Mapping[str, journal_pb2.DecisionRecord],
        now: float,
        *,
        age_held: Container[bytes] = (),
    ) -> None:
        self._known = known
        self._decisions = decisions
        self._now = now
        self._age_held = age_held
        self._starts: dict[str, float] = {}
        self._minors: dict[bytes, float | None] = {}
        self._said: list[tuple[Sequence[bytes], Reviewed | Exonerated]] = []

    def complete(
        self,
        messages: Sequence[journal_pb2.EventRecord],
        policy: Policy,
        participants: Sequence[tuple[Ids, ...]] | None = None,
    ) -> None:
        """Complete messages in place, all under one policy.

        Args:
            messages: Of one request.
            policy: What a review or an appeal does to holds.
            participants: Who is in each, where that was read already (``event_participants``).
        """
        if participants is None:
            participants = [event_participants(message.event) for message in messages]
        ends = []
        for message, people in zip(messages, participants, strict=True):
            kind = message.event.WhichOneof("event")
            if kind == "chat_started":
                self._started(message, people)
            elif kind == "chat_ended":
                ends.append((message, people))
            elif kind == "review_verdict":
                self._reviewed(message, people[0], policy)
            elif kind == "appeal_outcome":
                self._appealed(message, people[0])
            elif kind == "report":
                self._reported(message, people)
        # Last, so that an end finds its start also where it stands before it in the request.
        for message, people in ends:
            self._ended(message, people)

    def _started(self, message: journal_pb2.EventRecord, people: tuple[Ids, ...]) -> None:
        event = message.event
        self._starts[event.chat_id] = _event_seconds(message)
        self._tell_ages(message, people)
        decision = self._decisions.get(event.decision_id)
        if decision is None and event.decision_id:
            # It may still be on its way: looked for again by the upkeep. What a chat from a ranking
            # adds is counted now; a decision on the pair has counted it.
            if not is_of_pair(event.decision_id):
                _expose_by_ages(message)
            return
        message.reconciliation = agreement(message, decision)
        if decision is not None:
            _expose_by_ranking(message, decision)

    def _ended(self, message: journal_pb2.EventRecord, people: tuple[Ids, ...]) -> None:
        content = message.event.chat_ended
        self._tell_ages(message, people)
        if content.HasField("duration"):
            message.chat_duration.CopyFrom(content.duration)
            return
        start = self._starts.get(message.event.chat_id)
        for ids in people:
            with suppress(StoreUnavailable):  # damaged, so unknown
                for chat in open_chats_of(self._rows(ids), self._now):
                    if start is None and chat.chat == message.event.chat_id:
                        start = chat.start_time
        length = nan if start is None else _event_seconds(message) - start
        # Of an end that lies before its start nobody knows how long it was.
        if length >= 0.0:
            length = min(length, MAX_CHAT_SECONDS)
            message.chat_duration.seconds = int(length)
            message.chat_duration.nanos = int((length - int(length)) * 1e9)

    def _reported(self, message: journal_pb2.EventRecord, people: tuple[Ids, ...]) -> None:
        """Tell whether the two met, also where the reported has met too many since to show it."""
        reporter, reported = people
        with suppress(ValueError, StoreUnavailable):  # damaged, so unknown
            message.reporter_met_reported = (
                last_met(self._rows(reporter), reported) is not None
                or last_met(self._rows(reported), reporter) is not None
            )

    def _reviewed(self, message: journal_pb2.EventRecord, ids: Ids, policy: Policy) -> None:
        content = message.event.review_verdict
        ended: set[str] = set()
        old_enough = content.HasField("confirmed_age") and _confirmed_years(message) >= (
            policy.for_participant("").minimum_age
        )
        if old_enough and ids[0] in self._age_held:
            ended.add(ReasonCode.BELOW_MINIMUM_AGE)
        if content.verdict == feedback_service_pb2.VERDICT_UPHELD:
            hours = policy.upheld_hold_hours()
            message.hold_duration.FromSeconds(int(hours * _SECONDS_PER_HOUR))
        review = review_of(message)
        if review is not None:
            with suppress(StoreUnavailable):  # damaged, so nothing is known to be cleared
                was_upheld = self._upheld(ids)
                self._say(ids, review)
                if was_upheld and not self._upheld(ids):
                    ended |= _CONDUCT_HOLDS
        message.ended_hold_reasons.extend(sorted(ended))

    def _appealed(self, message: journal_pb2.EventRecord, ids: Ids) -> None:
        event = message.event
        if event.appeal_outcome.result != feedback_service_pb2.APPEAL_RESULT_OVERTURNED:
            return
        reasons = {str(reason) for reason in HOLD_REASONS}
        times = [self._now]
        if event.appeal_outcome.HasField("appeal_time"):
            times.append(seconds(event.appeal_outcome.appeal_time))
        if event.decision_id:
            # Only what followed from that decision ends; of one that is not kept that is nothing.
            decision = self._decisions.get(event.decision_id)
            reasons &= _held_reasons(decision, ids)
            if decision is not None:
                times.append(seconds(decision.decision_time))
        if not reasons.isdisjoint(_CONDUCT_HOLDS):
            # What was upheld since is not what was appealed against, and holds on.
            until = min(times)
            set_time(message.exonerated_until_time, until)
            self._say(ids, Exonerated(self._now, until))
            try:
                stands = self._upheld(ids)
            except StoreUnavailable:
                stands = True  # as far as anybody can tell
            if stands:
                reasons -= _CONDUCT_HOLDS
        message.ended_hold_reasons.extend(sorted(reasons))

    def _tell_ages(self, message: journal_pb2.EventRecord, people: tuple[Ids, ...]) -> None:
        (own_a, *_), (own_b, *_) = people
        minor_a, minor_b = self._minor(own_a), self._minor(own_b)
        if minor_a is not None:
            message.participant_a_probability_minor = minor_a
        if minor_b is not None:
            message.participant_b_probability_minor = minor_b

    def _minor(self, own: bytes) -> float | None:
        """Return P(minor) of a participant by the last decision; None: it is not known."""
        if own not in self._minors:
            minor = None
            with suppress(ValueError, StoreUnavailable):  # damaged, so unknown
                minor = last_probability_minor(self._rows((own,)))
            self._minors[own] = minor
        return self._minors[own]

    def _rows(self, ids: Sequence[bytes]) -> tuple[bytes, ...]:
        """Return what is kept of a participant.

        Raises:
            StoreUnavailable: It cannot be read.
        """
        kept = self._known[ids[0]]
        if kept is None:
            raise StoreUnavailable("what is kept of a participant cannot be read")
        return kept.rows

    def _say(self, ids: Sequence[bytes], change: Reviewed | Exonerated) -> None:
        """Take note of what an event of this request says of a participant's conduct."""
        self._said.append((ids, change))

    def _upheld(self, ids: Sequence[bytes]) -> bool:
        """Return whether a harm stands upheld, by what is kept and by this request so far.

        Raises:
            StoreUnavailable: What is kept is damaged.
        """
        kept = self._rows(ids)
        said = [change for others, change in self._said if not set(ids).isdisjoint(others)]
        if not said:
            return summary_of(kept, self._now).upheld_harm
        try:
            rows = []
            for written in kept or (b"",):
                row = Row(written)
                for change in said:
                    row.apply(change)
                rows.append(row.written())
            return summarise(rows, self._now).upheld_harm
        except ValueError as error:
            raise StoreUnavailable("what is kept of a participant is damaged") from error


def _held_reasons(
    decision: journal_pb2.DecisionRecord | None, ids: Sequence[bytes]
) -> frozenset[str]:
    """Return what a decision told that the participant with these ids is held for."""
    if decision is None:
        return frozenset()
    pair = decision.pair
    sides = {
        assessment_pb2.PARTICIPANT_ROLE_A: pair.participant_a,
        assessment_pb2.PARTICIPANT_ROLE_B: pair.participant_b,
    }
    own = {
        role for role, side in sides.items() if not set(ids).isdisjoint(ids_of(side.participant))
    }
    return frozenset(
        held.reason.code for held in pair.assessment.held_participants if held.participant in own
    )


def _expose_by_ranking(
    message: journal_pb2.EventRecord, decision: journal_pb2.DecisionRecord
) -> None:
    """Add what a chat adds that started from a ranking, and how old its two were taken to be."""
    met = met_by_ranking(message, decision)
    if met is None:
        return
    candidate, seeker_is_a = met
    close_in_age = ReasonCode.CLOSE_IN_AGE.value in candidate.reason_codes[:1]
    # Nobody is ranked unassessed; were it so, it would count as the worst.
    assessed = candidate.HasField("minor_adult_probability")
    message.exposure = candidate.minor_adult_probability if assessed else 1.0
    if close_in_age:
        message.exposure = 0.0  # both ages are verified, nothing is left to chance
    of_seeker, of_candidate = (
        each.assessment for each in (decision.ranking.seeker, candidate.participant)
    )
    first, second = (of_seeker, of_candidate) if seeker_is_a else (of_candidate, of_seeker)
    if first.HasField("probability_minor") and second.HasField("probability_minor"):
        message.participant_a_probability_minor = first.probability_minor
        message.participant_b_probability_minor = second.probability_minor


def _expose_by_ages(message: journal_pb2.EventRecord) -> None:
    """Add what a chat adds by the ages that its two were taken to have last, if they are known."""
    a, b = message.participant_a_probability_minor, message.participant_b_probability_minor
    if message.HasField("participant_a_probability_minor") and message.HasField(
        "participant_b_probability_minor"
    ):
        message.exposure = a * (1.0 - b) + b * (1.0 - a)


def _confirmed_years(message: journal_pb2.EventRecord) -> float:
    """Return the least age that a review confirmed, years; 0.0: it confirmed none."""
    confirmed = message.event.review_verdict.confirmed_age
    if confirmed.HasField("age_years"):
        return confirmed.age_years
    if not confirmed.HasField("birth_year"):
        return 0.0
    year = datetime.fromtimestamp(_event_seconds(message), UTC).year
    return float(year - confirmed.birth_year - 1)


def _event_seconds(message: journal_pb2.EventRecord) -> float:
    event = message.event
    return seconds(event.event_time if event.HasField("event_time") else message.receive_time)
