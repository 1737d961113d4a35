"""The record of each ranking, kept before it is answered.

Owns how a ranking becomes one record, and what it counts for: one decision on the seeker. To be
offered is not to meet: no candidate is counted, and exposure is counted when a chat starts from the
ranking. Only where the platform reports no chats, the seeker is charged at once, with the most that
a chat with anybody in the answer would add.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from pairguard.age.admission import admission
from pairguard.policy.decision import DecisionKind
from pairguard.policy.document import RegionPolicy
from pairguard.policy.pool_lines import STRANGERS, Acquaintance
from pairguard.policy.state import StoredState
from pairguard.server.belief_record import belief_record
from pairguard.server.decision_records import DecisionRecords, write_inputs
from pairguard.server.kept_participants import KeptParticipants
from pairguard.server.pool_conversion import RankCandidatesCall
from pairguard.server.ranking import Ranking
from pairguard.server.recent_decisions import RecentDecisions
from pairguard.server.record_hashing import RecordHashing
from pairguard.server.response_conversion import DECISIONS, set_time
from pairguard.store.kept_state import between_of, write_counts
from pairguard.v1 import journal_pb2, pair_risk_service_pb2

_STRANGERS: Final = between_of(StoredState())


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
        call: RankCandidatesCall,
        ranking: Ranking,
        *,
        received: float,
    ) -> bool:
        """Record a ranking and count it; return whether it was recorded.

        Args:
            request: What was asked.
            call: The same, as it was read.
            ranking: What will be answered, and on what it was decided.
            received: ``perf_counter`` when the request came.
        """
        exposure = 0.0 if self._kept.chats_are_reported else most_exposure(ranking)
        lines, now = ranking.lines_with_each(), ranking.pool.now

        def fill(record: journal_pb2.DecisionRecord, hashing: RecordHashing) -> None:
            written, known = record.ranking, ranking.pool.known
            if exposure:
                written.exposure = exposure
            _write_seeker(written, ranking)
            sent = call.seeker_remembered.recorded(request.seeker, hashing)
            write_inputs(sent, known[0], into=written.seeker)
            _write_candidates(written, ranking, lines)
            for each, candidate, of_one in zip(
                known[1:], ranking.candidates, written.candidates, strict=True
            ):
                message = request.candidates[candidate.index].participant
                sent = candidate.remembered.recorded(message, hashing)
                write_inputs(sent, each, into=of_one.participant)
            _write_kept(written, ranking)

        position = self._records.write(
            request,
            fill,
            decision_id=ranking.decision_id,
            decision_time=now,
            generation=ranking.pool.generation,
            received=received,
        )
        self._recent.add(
            ranking.pool.known[0].ids,
            allowed=bool(ranking.offered),
            exposure=exposure,
            partner_minor=_mean_minor(ranking, lines),
            position=position,
            now=now,
        )
        return position is not None


def _write_seeker(written: journal_pb2.RankingDecision, ranking: Ranking) -> None:
    written.degradations.extend(ranking.degradations)
    if ranking.expire_time is not None:
        set_time(written.expire_time, ranking.expire_time)
    seeker = ranking.pool.judgement.sides[0]
    written.seeker.CopyFrom(
        belief_record(seeker.age, max(seeker.lines.adult_ages), admission(seeker.age, seeker.lines))
    )


def _write_kept(written: journal_pb2.RankingDecision, ranking: Ranking) -> None:
    """Write what the rules were told of what is kept, but of pairs that were judged as unread."""
    pool = ranking.pool
    seeker, *sides = pool.judgement.sides[: len(pool.known)]
    write_counts(written.seeker.kept_counts, seeker.kept)
    if not pool.readable[0]:
        return
    for place, (side, of_one) in enumerate(zip(sides, written.candidates, strict=True), start=1):
        if pool.readable[place]:
            of_one.kept_between.CopyFrom(_between(pool.judgement.acquaintance(0, place)))
            write_counts(of_one.participant.kept_counts, side.kept)


def _between(acquaintance: Acquaintance) -> journal_pb2.KeptBetween:
    if acquaintance is STRANGERS:
        return _STRANGERS
    return between_of(
        StoredState(
            personal_block=acquaintance.personal_block,
            seconds_since_last_met=acquaintance.seconds_since_last_met,
        )
    )


def most_exposure(ranking: Ranking) -> float:
    """Return the most that a chat with anybody in the answer would add; 0.0: with nobody."""
    return max([ranking.columns.exposures.item(place) for place in ranking.offered], default=0.0)


def _write_candidates(
    written: journal_pb2.RankingDecision, ranking: Ranking, lines: Sequence[RegionPolicy]
) -> None:
    """Write what was decided on each candidate."""
    columns, risk = ranking.columns, ranking.columns.risk
    decided = zip(
        ranking.candidates,
        ranking.sides_of_each,
        lines,
        columns.kinds.tolist(),
        ranking.bands,
        risk.minor_adult.tolist(),
        risk.scores.tolist(),
        strict=True,
    )
    for place, (candidate, side, under, kind, band, mixed, score) in enumerate(decided):
        allowed = kind == DecisionKind.ALLOW
        of_one = written.candidates.add(
            candidate_index=candidate.index,
            affinity=candidate.affinity,
            decision=DECISIONS[DecisionKind(kind)],
            risk_band=band if allowed else None,
            minor_adult_probability=mixed,
            risk_score=score,
            # Nothing in a ranking is drawn at random: the policy would always decide so.
            allow_probability=float(allowed),
            reason_codes=columns.reason_codes(place),
        )
        of_one.participant.CopyFrom(
            belief_record(side.age, max(under.adult_ages), admission(side.age, under), whole=False)
        )
    if risk.harm is not None and risk.harm_raw is not None:
        harms = zip(written.candidates, risk.harm.tolist(), risk.harm_raw.tolist(), strict=True)
        for of_one, harm, raw in harms:
            of_one.harm_probability = harm
            of_one.harm_raw_score = raw
    for number, place in enumerate(ranking.offered, start=1):
        written.candidates[place].place = number


def _mean_minor(ranking: Ranking, lines: Sequence[RegionPolicy]) -> float:
    """Return the mean P(minor) of the candidates, as the records have it; 0.0: there are none."""
    below = ranking.pool.judgement.risk.below
    minors = [
        below(max(under.adult_ages)).item(place) for place, under in enumerate(lines, start=1)
    ]
    return sum(minors) / len(minors) if minors else 0.0
