"""The record of each ranking, kept before it is answered.

Owns how a ranking becomes one record, and what it counts for: one decision on the seeker. To be
offered is not to meet: no candidate is counted, and exposure is counted when a chat starts from the
ranking. Only where the platform reports no chats, the seeker is charged at once, with the most that
a chat with anybody in the answer would add.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Final

from pairguard.age.admission import Admission, admission
from pairguard.policy.decision import DecisionKind
from pairguard.policy.document import RegionPolicy
from pairguard.policy.pool_lines import STRANGERS, Acquaintance
from pairguard.policy.state import StoredState
from pairguard.risk.pool import RiskColumns
from pairguard.server.belief_record import belief_bytes
from pairguard.server.decision_records import DecisionRecords
from pairguard.server.kept_participants import KeptParticipants
from pairguard.server.participant_writing import ParticipantWriting
from pairguard.server.pool_seat import Seat
from pairguard.server.ranking import Ranking
from pairguard.server.recent_decisions import RecentDecisions
from pairguard.server.response_conversion import DECISIONS, set_time
from pairguard.store.kept_state import between_of, counts_bytes
from pairguard.store.wire import Numbers, enclosed, tag
from pairguard.v1 import journal_pb2, pair_risk_service_pb2, participant_pb2

_RANKING: Final = tag(journal_pb2.DecisionRecord, "ranking")
_SEEKER: Final = tag(journal_pb2.RankingDecision, "seeker")
_CANDIDATE: Final = tag(journal_pb2.RankingDecision, "candidates")
_PARTICIPANT: Final = tag(journal_pb2.RankingCandidate, "participant")
_KEPT_BETWEEN: Final = tag(journal_pb2.RankingCandidate, "kept_between")
_NUMBERS: Final = Numbers(journal_pb2.RankingCandidate, "minor_adult_probability", "risk_score")
_HARM: Final = Numbers(journal_pb2.RankingCandidate, "harm_probability", "harm_raw_score")


class RankingJournal:
    """Keeps rankings.

    Args:
        records: What writes them down.
        kept: Tells whether chats are reported.
        recent: Where decisions count until they are imported.
    """

    def __init__(
        self,
        records: DecisionRecords,
        kept: KeptParticipants,
        recent: RecentDecisions,
    ) -> None:
        self._records = records
        self._kept = kept
        self._recent = recent

    def keep(
        self,
        request: pair_risk_service_pb2.RankCandidatesRequest,
        ranking: Ranking,
        *,
        received: float,
    ) -> bool:
        """Record a ranking and count it; return whether it was recorded.

        Args:
            request: What was asked.
            ranking: What will be answered, and on what it was decided.
            received: ``perf_counter`` when the request came.
        """
        exposure = 0.0 if self._kept.chats_are_reported else most_exposure(ranking)
        lines = ranking.lines_with_each()

        def subject(writing: ParticipantWriting) -> bytes:
            head = journal_pb2.RankingDecision(degradations=ranking.degradations)
            if exposure:
                head.exposure = exposure
            if ranking.expire_time is not None:
                set_time(head.expire_time, ranking.expire_time)
            return enclosed(
                _RANKING,
                head.SerializeToString()
                + enclosed(_SEEKER, _seeker(request, ranking, writing))
                + _candidates(request, ranking, lines, writing),
            )

        seeker, now = ranking.pool.seats[0], ranking.pool.now
        position = self._records.write(
            request,
            subject,
            decision_id=ranking.decision_id,
            decision_time=now,
            generation=ranking.pool.generation,
            received=received,
        )
        self._recent.add(
            seeker.known.ids,
            allowed=bool(ranking.offered),
            exposure=exposure,
            partner_minor=_mean_minor(ranking, lines),
            position=position,
            now=now,
        )
        return position is not None


def _seeker(
    request: pair_risk_service_pb2.RankCandidatesRequest,
    ranking: Ranking,
    writing: ParticipantWriting,
) -> bytes:
    """Return the seeker, as fields of a ``ParticipantRecord``."""
    seat = ranking.pool.seats[0]
    side = seat.member.side
    return (
        belief_bytes(side.age, max(side.lines.adult_ages), admission(side.age, side.lines))
        + writing.inputs(request.seeker, seat.known)
        + counts_bytes(side.kept)
    )


def _candidates(
    request: pair_risk_service_pb2.RankCandidatesRequest,
    ranking: Ranking,
    lines: Sequence[RegionPolicy],
    writing: ParticipantWriting,
) -> bytes:
    """Return what was decided on each candidate, and on what, as fields of a ``RankingDecision``.

    What the rules were told of what is kept is left out where one of the two was judged as unread.
    """
    columns, risk, pool = ranking.columns, ranking.columns.risk, ranking.pool
    harms = _harms(risk)
    decided = zip(
        ranking.candidates,
        pool.seats[1:],
        lines,
        columns.kinds.tolist(),
        ranking.bands,
        risk.minor_adult.tolist(),
        risk.scores.tolist(),
        strict=True,
    )
    offered_as = {place: number for number, place in enumerate(ranking.offered, start=1)}
    seeker_readable = pool.seats[0].member.readable
    parts = []
    for place, (candidate, seat, under, kind, band, mixed, score) in enumerate(decided):
        counted = seeker_readable and seat.member.readable
        asked = (writing, max(under.adult_ages), seat.member.standing(under).admission, counted)
        record = seat.recorded(asked)
        if record is None:
            sent = request.candidates[candidate.index].participant
            record = _candidate(seat, asked, sent)
            seat.keep_record(asked, record)
        own = journal_pb2.RankingCandidate(
            candidate_index=candidate.index,
            affinity=candidate.affinity,
            place=offered_as.get(place),
        )
        written = (
            own.SerializeToString()
            + _decided(kind, band, *columns.reason_codes(place))
            + _NUMBERS.written(mixed, score)
            + (harms[place] if harms else b"")
            + enclosed(_PARTICIPANT, record)
            + (_between(pool.judgement.acquaintance(0, place + 1)) if counted else b"")
        )
        parts.append(enclosed(_CANDIDATE, written))
    return b"".join(parts)


def _harms(risk: RiskColumns) -> list[bytes]:
    """Return the harm of each candidate, fields of a ``RankingCandidate``; []: no model."""
    if risk.harm is None or risk.harm_raw is None:
        return []
    return [*map(_HARM.written, risk.harm.tolist(), risk.harm_raw.tolist())]


@lru_cache(maxsize=1_024)
def _decided(kind: int, band: int, *reason_codes: str) -> bytes:
    """Return what many candidates have alike, as fields of a ``RankingCandidate``."""
    allowed = kind == DecisionKind.ALLOW
    return journal_pb2.RankingCandidate(
        decision=DECISIONS[DecisionKind(kind)],
        risk_band=band if allowed else None,
        # Nothing in a ranking is drawn at random: the policy would always decide so.
        allow_probability=float(allowed),
        reason_codes=reason_codes,
    ).SerializeToString()


def _candidate(
    seat: Seat,
    asked: tuple[ParticipantWriting, int, Admission, bool],
    sent: participant_pb2.Participant,
) -> bytes:
    """Return a candidate, as fields of a ``ParticipantRecord``."""
    writing, adult_age, pool, counted = asked
    side = seat.member.side
    belief = belief_bytes(side.age, adult_age, pool, whole=False)
    counts = counts_bytes(side.kept) if counted else b""
    return belief + writing.inputs(sent, seat.known) + counts


def _between(acquaintance: Acquaintance) -> bytes:
    return _STRANGERS if acquaintance is STRANGERS else _written_between(acquaintance)


def _written_between(acquaintance: Acquaintance) -> bytes:
    state = StoredState(
        personal_block=acquaintance.personal_block,
        seconds_since_last_met=acquaintance.seconds_since_last_met,
    )
    return enclosed(_KEPT_BETWEEN, between_of(state).SerializeToString())


_STRANGERS: Final = _written_between(STRANGERS)


def most_exposure(ranking: Ranking) -> float:
    """Return the most that a chat with anybody in the answer would add; 0.0: with nobody."""
    return max([ranking.columns.exposures.item(place) for place in ranking.offered], default=0.0)


def _mean_minor(ranking: Ranking, lines: Sequence[RegionPolicy]) -> float:
    """Return the mean P(minor) of the candidates, as the records have it; 0.0: there are none."""
    below = ranking.pool.judgement.risk.below
    minors = [
        below(max(under.adult_ages)).item(place) for place, under in enumerate(lines, start=1)
    ]
    return sum(minors) / len(minors) if minors else 0.0
