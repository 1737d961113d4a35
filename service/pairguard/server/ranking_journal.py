"""The record of each ranking, kept before it is answered.

Owns how a ranking becomes one record, and what it counts for: one decision on the seeker. To be
offered is not to meet: no candidate is counted, and exposure is counted when a chat starts from the
ranking. Only where the platform reports no chats, the seeker is charged at once, with the most that
a chat with anybody in the answer would add.
"""

from __future__ import annotations

from pairguard.age.admission import admission
from pairguard.policy.decision import DecisionKind
from pairguard.server.belief_record import belief_record
from pairguard.server.decision_records import DecisionRecords, write_inputs
from pairguard.server.kept_participants import KeptParticipants
from pairguard.server.ranking import Ranking
from pairguard.server.recent_decisions import RecentDecisions
from pairguard.server.record_hashing import RecordHashing
from pairguard.server.response_conversion import DECISIONS, set_time
from pairguard.store.kept_state import between_of, write_counts
from pairguard.v1 import journal_pb2, pair_risk_service_pb2


class RankingJournal:
    """Keeps rankings.

    Args:
        records: What writes them down.
        kept: Tells whether chats are reported.
        recent: Where decisions count until they are imported.
    """

    def __init__(
        self, records: DecisionRecords, kept: KeptParticipants, recent: RecentDecisions
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

        def fill(record: journal_pb2.DecisionRecord, hashing: RecordHashing) -> None:
            _write(record.ranking, request, ranking, exposure, hashing)

        position = self._records.write(
            request,
            fill,
            decision_id=ranking.decision_id,
            decision_time=ranking.pool.now,
            generation=ranking.pool.generation,
            received=received,
        )
        self._recent.add(
            ranking.pool.known[0].ids,
            allowed=bool(ranking.offered),
            exposure=exposure,
            partner_minor=_mean_minor(ranking),
            position=position,
            now=ranking.pool.now,
        )
        return position is not None


def _write(
    written: journal_pb2.RankingDecision,
    request: pair_risk_service_pb2.RankCandidatesRequest,
    ranking: Ranking,
    exposure: float,
    hashing: RecordHashing,
) -> None:
    pool = ranking.pool
    written.degradations.extend(ranking.degradations)
    if exposure:
        written.exposure = exposure
    if ranking.expire_time is not None:
        set_time(written.expire_time, ranking.expire_time)
    seeker = pool.judgement.sides[0]
    written.seeker.CopyFrom(
        belief_record(seeker.age, max(seeker.lines.adult_ages), admission(seeker.age, seeker.lines))
    )
    write_inputs(hashing, request.seeker, pool.known[0], into=written.seeker)
    write_counts(written.seeker.kept_counts, seeker.kept)
    places = {place: number for number, place in enumerate(ranking.offered, start=1)}
    for place, candidate in enumerate(ranking.candidates):
        of_one = written.candidates.add(candidate_index=candidate.index)
        _write_candidate(of_one, ranking, place)
        number = places.get(place)
        if number is not None:
            of_one.place = number
        sent = request.candidates[candidate.index].participant
        write_inputs(hashing, sent, pool.known[place + 1], into=of_one.participant)
        _write_kept(of_one, ranking, place)


def _write_kept(written: journal_pb2.RankingCandidate, ranking: Ranking, place: int) -> None:
    """Write what the rules were told of what is kept, unless it was judged as unread."""
    known = ranking.pool.known_pair(0, place + 1)
    if known is not None:
        written.kept_between.CopyFrom(between_of(known.state))
        write_counts(written.participant.kept_counts, known.state.b)


def most_exposure(ranking: Ranking) -> float:
    """Return the most that a chat with anybody in the answer would add; 0.0: with nobody."""
    return max([ranking.columns.exposures.item(place) for place in ranking.offered], default=0.0)


def _write_candidate(written: journal_pb2.RankingCandidate, ranking: Ranking, place: int) -> None:
    """Write what was decided on one candidate."""
    columns, risk = ranking.columns, ranking.columns.risk
    lines, age = ranking.lines_with(place), ranking.pool.judgement.sides[place + 1].age
    written.participant.CopyFrom(
        belief_record(age, max(lines.adult_ages), admission(age, lines), whole=False)
    )
    affinity = ranking.candidates[place].affinity
    if affinity is not None:
        written.affinity = affinity
    kind = DecisionKind(columns.kinds.item(place))
    written.decision = DECISIONS[kind]
    if kind is DecisionKind.ALLOW:
        written.risk_band = ranking.bands[place]
    written.minor_adult_probability = risk.minor_adult.item(place)
    written.risk_score = risk.scores.item(place)
    if risk.harm is not None and risk.harm_raw is not None:
        written.harm_probability = risk.harm.item(place)
        written.harm_raw_score = risk.harm_raw.item(place)
    # Nothing in a ranking is drawn at random: the policy would always decide so.
    written.allow_probability = float(kind is DecisionKind.ALLOW)
    written.reason_codes.extend(columns.reason_codes(place))


def _mean_minor(ranking: Ranking) -> float:
    """Return the mean P(minor) of the candidates, as the records have it; 0.0: there are none."""
    sides = ranking.pool.judgement.sides
    minors = [
        sides[place + 1].age.probability_below(max(ranking.lines_with(place).adult_ages))
        for place in range(len(ranking.candidates))
    ]
    return sum(minors) / len(minors) if minors else 0.0
