"""One pair out of a ranking, as if it had been proposed alone: for whoever looks at judged pairs.

Owns which pair that is. One of all candidates is taken by chance, offered or not: those who are
offered are no sample of those who were proposed. It must not know who looks, nor what for.
"""

from __future__ import annotations

from pairguard.policy.decision import DecisionKind
from pairguard.server.ranking import Ranking
from pairguard.server.scoring import ScoredPair

_SEEKER = 0


def ranked_pair(ranking: Ranking) -> ScoredPair | None:
    """Return the seeker with one of its candidates; None: there is none, or it was not readable.

    Judged once more, with the same inputs at the same time, since a ranking keeps less of each
    candidate: the same decision to the bit.

    Args:
        ranking: What was answered.
    """
    if not ranking.candidates:
        return None
    # Ids are random but for their first digit; other digits choose whether anybody looks at all.
    place = int(ranking.decision_id[-12:], 16) % len(ranking.candidates)
    pool = ranking.pool
    known = pool.known_pair(_SEEKER, place + 1)
    if known is None:
        return None
    generation = pool.generation
    judgement = generation.judge.judge_pair(
        known.a.participant, known.b.participant, now=pool.now, state=known.state
    )
    is_allowed = judgement.decision.kind is DecisionKind.ALLOW
    return ScoredPair(
        decision_id=ranking.decision_id,
        decision_time=pool.now,
        expire_time=ranking.expire_time if is_allowed else None,
        generation=generation,
        known=known,
        judgement=judgement,
        held=(),
        degradations=ranking.degradations,
        candidate_index=ranking.candidates[place].index,
    )
