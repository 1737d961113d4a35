"""Logged decisions out of a service's journal, one after the other.

Owns how records are read in order and in bounded memory, and what cannot be replayed: that is
counted by why. Where records are kept, the store's port knows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from math import inf
from typing import Final

from pairguard.policy.decision import DecisionKind
from pairguard.policy.reasons import Party, Reason, ReasonCode
from pairguard.store.kept_state import read_kept
from pairguard.store.ports import ParticipantStore, RecordKind
from pairguard.store.record_fields import optional_probability, seconds
from pairguard.store.records import parsed
from pairguard.v1 import assessment_pb2, journal_pb2
from pairguard_training.replaying.kept_reasons import carried_reasons, state_told_by_reasons
from pairguard_training.replaying.logged import LoggedDecision, LoggedRisk
from pairguard_training.replaying.record_inputs import RecordUnreadable, participant_of

BATCH: Final = 500
ERASED: Final = "somebody in it was erased"
UNREADABLE: Final = "not readable by this version"
NOT_ASSESSED: Final = "not assessed"
RANKING: Final = "a ranking"

_STORE_UNAVAILABLE: Final = "STORE_UNAVAILABLE"
_KINDS: Final = {
    assessment_pb2.Decision.Value(f"DECISION_{kind.name}"): kind for kind in DecisionKind
}
_PARTIES: Final = {
    assessment_pb2.PARTICIPANT_ROLE_A: Party.A,
    assessment_pb2.PARTICIPANT_ROLE_B: Party.B,
    assessment_pb2.PARTICIPANT_ROLE_BOTH: Party.BOTH,
}


@dataclass(slots=True)
class ShadowCounts:
    """What challengers would have decided, by the decision that was answered.

    Attributes:
        transitions: By versions of the challenger's bundle and policy, answered and its own
            decision.
    """

    transitions: Counter[tuple[str, str, str, str]] = field(default_factory=Counter)

    def add(self, shadow: journal_pb2.ShadowDecisions) -> None:
        """Count one record."""
        versions = shadow.bundle_version, shadow.policy_version
        for each in shadow.decisions:
            answered, challenger = (
                assessment_pb2.Decision.Name(value).removeprefix("DECISION_")
                for value in (each.decision, each.challenger_decision)
            )
            self.transitions[(*versions, answered, challenger)] += 1


class JournalSource:
    """The decisions of a journal.

    Args:
        store: Where it is kept.
        since: Decisions from this time on, seconds since 1970.
        until: And before this.
    """

    def __init__(self, store: ParticipantStore, *, since: float = -inf, until: float = inf) -> None:
        self._store = store
        self._since = since
        self._until = until
        self.left_out: Counter[str] = Counter()
        """Records that cannot be replayed, by why."""
        self.shadow = ShadowCounts()
        """What the journal tells of challengers."""

    def decisions(self) -> Iterator[LoggedDecision]:
        """Yield the decisions on pairs in the order in which they were recorded.

        Raises:
            StoreUnavailable: The store cannot be read.
        """
        after = ""
        kinds = frozenset({RecordKind.DECISION})
        while batch := self._store.read_journal(after, BATCH, kinds=kinds):
            after = batch[-1].cursor
            for each in batch:
                try:
                    logged = self._read(parsed(RecordKind.DECISION, each.payload))
                except ValueError:
                    self.left_out[UNREADABLE] += 1
                    continue
                if logged is not None:
                    yield logged

    def _read(self, message: journal_pb2.DecisionRecord) -> LoggedDecision | None:
        if not self._since <= seconds(message.decision_time) < self._until:
            return None
        subject = message.WhichOneof("subject")
        if subject == "shadow":
            self.shadow.add(message.shadow)
            return None
        if subject != "pair":
            self.left_out[RANKING if subject == "ranking" else UNREADABLE] += 1
            return None
        pair = message.pair
        sides = pair.participant_a.participant, pair.participant_b.participant
        if not all(each.participant_id for each in sides):
            self.left_out[ERASED] += 1
            return None
        if not pair.assessment.HasField("minor_adult_probability"):
            self.left_out[NOT_ASSESSED] += 1
            return None
        return logged_pair(message)


def logged_pair(message: journal_pb2.DecisionRecord) -> LoggedDecision:
    """Return the decision of a record on a pair of which nobody was erased.

    Raises:
        RecordUnreadable: It says what this version does not know.
    """
    pair, answer = message.pair, message.pair.assessment
    kind = _KINDS.get(answer.decision)
    if kind is None:
        raise RecordUnreadable("an unknown decision")
    reasons = tuple([_reason(each) for each in answer.reasons])
    a, b = participant_of(pair.participant_a), participant_of(pair.participant_b)
    state = read_kept(pair)
    carried: tuple[Reason, ...] = ()
    is_recorded = state is not None
    if state is None:
        readable = _STORE_UNAVAILABLE not in answer.degradations
        state = state_told_by_reasons(kind, reasons, (a.history, b.history), readable=readable)
        carried = carried_reasons(reasons)
    minor_a = optional_probability(pair, "participant_a_probability_minor")
    minor_b = optional_probability(pair, "participant_b_probability_minor")
    return LoggedDecision(
        decision_id=message.decision_id,
        time=seconds(message.decision_time),
        a=a,
        b=b,
        people=(a.participant_id, b.participant_id),
        state=state,
        state_recorded=is_recorded,
        carried=carried,
        kind=kind,
        reasons=reasons,
        risk=LoggedRisk(
            answer.minor_adult_probability,
            answer.harm_probability if answer.HasField("harm_probability") else None,
            answer.risk_score,
        ),
        minors=None if minor_a is None or minor_b is None else (minor_a, minor_b),
        allow_probability=optional_probability(pair, "allow_probability"),
        asked=frozenset(
            party
            for each in answer.age_checks
            if (party := _PARTIES.get(each.participant)) is not None
        ),
        bundle_version=message.bundle_version,
        policy_version=message.policy_version,
    )


def _reason(message: assessment_pb2.Reason) -> Reason:
    code, party = ReasonCode.__members__.get(message.code), _PARTIES.get(message.participant)
    if code is None or party is None:
        raise RecordUnreadable("a reason that this version does not know")
    return Reason(code, party)
