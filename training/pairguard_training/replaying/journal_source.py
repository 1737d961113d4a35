"""Logged decisions out of a service's journal, one after the other.

Owns how records are read in order and in bounded memory, and what cannot be replayed: that is
counted by why. Where records are kept, the store's port knows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from math import inf
from typing import Final

from pairguard.store.ports import ParticipantStore, RecordKind
from pairguard.store.record_fields import seconds
from pairguard.store.records import parsed
from pairguard.v1 import assessment_pb2, journal_pb2
from pairguard_training.replaying.logged import LoggedDecision
from pairguard_training.replaying.logged_records import logged_candidate, logged_pair

BATCH: Final = 500
ERASED: Final = "somebody in it was erased"
UNREADABLE: Final = "not readable by this version"
NOT_ASSESSED: Final = "not assessed"
RANKING: Final = "a ranking"
PAIR: Final = "a decision on one pair"
KEPT_UNRECORDED: Final = "a candidate of a ranking without what was kept"


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
        ranked: Take rankings, each candidate with its seeker, and not the decisions on pairs: to be
            offered is not to be paired, so that the two are not counted together.
    """

    def __init__(
        self,
        store: ParticipantStore,
        *,
        since: float = -inf,
        until: float = inf,
        ranked: bool = False,
    ) -> None:
        self._store = store
        self._ranked = ranked
        self._since = since
        self._until = until
        self.left_out: Counter[str] = Counter()
        """Records that cannot be replayed, by why."""
        self.shadow = ShadowCounts()
        """What the journal tells of challengers."""

    def decisions(self) -> Iterator[LoggedDecision]:
        """Yield the decisions in the order in which they were recorded.

        Raises:
            StoreUnavailable: The store cannot be read.
        """
        after = ""
        kinds = frozenset({RecordKind.DECISION})
        while batch := self._store.read_journal(after, BATCH, kinds=kinds):
            after = batch[-1].cursor
            for each in batch:
                try:
                    found = self._read(parsed(RecordKind.DECISION, each.payload))
                except ValueError:
                    self.left_out[UNREADABLE] += 1
                    continue
                yield from found

    def _read(self, message: journal_pb2.DecisionRecord) -> Sequence[LoggedDecision]:
        if not self._since <= seconds(message.decision_time) < self._until:
            return ()
        subject = message.WhichOneof("subject")
        if subject == "shadow":
            self.shadow.add(message.shadow)
        elif subject == "pair" and not self._ranked:
            logged = self._read_pair(message)
            return () if logged is None else (logged,)
        elif subject == "ranking" and self._ranked:
            return self._read_ranking(message)
        else:
            self.left_out[{"pair": PAIR, "ranking": RANKING}.get(subject or "", UNREADABLE)] += 1
        return ()

    def _read_ranking(self, message: journal_pb2.DecisionRecord) -> list[LoggedDecision]:
        found = []
        seeker_is_told = bool(message.ranking.seeker.participant.participant_id)
        for candidate in message.ranking.candidates:
            if not (seeker_is_told and candidate.participant.participant.participant_id):
                self.left_out[ERASED] += 1
                continue
            logged = logged_candidate(message, candidate)
            if logged is None:
                self.left_out[KEPT_UNRECORDED] += 1
            else:
                found.append(logged)
        return found

    def _read_pair(self, message: journal_pb2.DecisionRecord) -> LoggedDecision | None:
        pair = message.pair
        sides = pair.participant_a.participant, pair.participant_b.participant
        if not all(each.participant_id for each in sides):
            self.left_out[ERASED] += 1
            return None
        if not pair.assessment.HasField("minor_adult_probability"):
            self.left_out[NOT_ASSESSED] += 1
            return None
        return logged_pair(message)
