"""What ``ScorePairs`` does, from request to the last chunk.

Owns the order, the size of the chunks, and that a batch leaves room for other calls: it gives way
between parts of a chunk, ends when nobody waits for it, and not more than some run at once. Nothing
is held or recorded.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import BoundedSemaphore
from typing import Final

import numpy as np

from pairguard.policy.decision import DecisionKind
from pairguard.policy.pair_columns import CODES, PairColumns
from pairguard.server.call_facts import current_call
from pairguard.server.errors import DeadlinePassed, TooManyBatches
from pairguard.server.metrics import Metrics
from pairguard.server.model_certificate import CERTIFICATE_NOT_USABLE
from pairguard.server.pool_conversion import read_score_pairs
from pairguard.server.pool_scoring import PoolScoring, ReadPool
from pairguard.server.response_conversion import DECISIONS
from pairguard.server.scoring import HARM_MODEL_UNAVAILABLE, STORE_UNAVAILABLE
from pairguard.v1.pair_risk_service_pb2 import ScorePairsRequest, ScorePairsResponse

CHUNK_PAIRS: Final = 16_384
_PAIRS_AT_ONCE: Final = 16_384
_DECISIONS: Final = np.array([0, *(DECISIONS[kind] for kind in DecisionKind)])
_CODES: Final = [code.value for code in CODES]


class BatchSlots:
    """How many batches run at once; one more is refused at once.

    Args:
        worker_threads: Calls that are worked on at once. One of them is kept free of batches, where
            there is more than one.
    """

    def __init__(self, worker_threads: int) -> None:
        self._free = BoundedSemaphore(max(worker_threads - 1, 1))

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Hold a slot.

        Raises:
            TooManyBatches: None is free.
        """
        if not self._free.acquire(blocking=False):
            raise TooManyBatches
        try:
            yield
        finally:
            self._free.release()


class ScorePairs:
    """Answers for the pairs of pools.

    Args:
        scoring: What judges them.
        slots: How many batches may run.
        metrics: Where pairs are counted.
        clock: Seconds since 1970.
    """

    def __init__(
        self,
        scoring: PoolScoring,
        slots: BatchSlots,
        metrics: Metrics,
        *,
        clock: Callable[[], float],
    ) -> None:
        self._scoring = scoring
        self._slots = slots
        self._metrics = metrics
        self._clock = clock

    def answer(
        self, request: ScorePairsRequest, *, is_awaited: Callable[[], bool]
    ) -> Iterator[ScorePairsResponse]:
        """Answer one request, chunk by chunk.

        Args:
            request: As it came.
            is_awaited: Tells whether somebody still waits for the answer.

        Raises:
            InvalidInput: The request is wrong.
            TooManyBatches: As many as may run are running.
            BundleRefused: No bundle is loaded yet.
            DeadlinePassed: Nobody waits any more.
        """
        with self._slots.taken():
            call = read_score_pairs(request, self._clock())
            pool = self._scoring.read(call.participants)
            degradations = self._observe_pool(pool)
            count = call.first.size
            for start in range(0, count, CHUNK_PAIRS):
                chunk = slice(start, min(start + CHUNK_PAIRS, count))
                parts = []
                for at in range(chunk.start, chunk.stop, _PAIRS_AT_ONCE):
                    if not is_awaited():
                        raise DeadlinePassed
                    part = slice(at, min(at + _PAIRS_AT_ONCE, chunk.stop))
                    parts.append(pool.pairs(call.first[part], call.second[part]))
                    time.sleep(0)  # lets whoever waits for the interpreter have it
                response = _response(parts)
                response.pair_offset = start
                response.pair_count = count
                response.bundle_version = pool.generation.bundle_version
                response.policy_version = pool.generation.policy_version
                response.degradations.extend(degradations)
                if start == 0:
                    response.unknown_signals.extend(pool.unknown_names)
                self._metrics.observe_batch(parts)
                yield response
            if pool.judgement.risk.disagreed:
                self._metrics.count_pool_disagreement()

    def _observe_pool(self, pool: ReadPool) -> tuple[str, ...]:
        degradations = []
        if pool.generation.judge.model.harm is None:
            degradations.append(HARM_MODEL_UNAVAILABLE)
        if any(lines.unkept for lines in pool.judgement.line_sets):
            degradations.append(CERTIFICATE_NOT_USABLE)
        if not all(pool.readable):
            degradations.append(STORE_UNAVAILABLE)
        facts = current_call.get()
        facts.bundle_version = pool.generation.bundle_version
        facts.policy_version = pool.generation.policy_version
        degradations.sort()
        facts.degradations = tuple(degradations)
        self._metrics.count_unknown_signals(pool.assessed)
        self._metrics.count_degradations(degradations)
        return tuple(degradations)


def _response(parts: list[PairColumns]) -> ScorePairsResponse:
    """Write one chunk."""
    kinds = np.concatenate([part.kinds for part in parts])
    leading = np.concatenate([part.leading for part in parts])
    codes = np.flatnonzero(np.bincount(leading))
    places = np.zeros(len(CODES), dtype=np.intp)
    places[codes] = np.arange(codes.size)
    response = ScorePairsResponse(
        decisions=_DECISIONS[kinds].tolist(),
        reason_indices=places[leading].tolist(),
        reason_codes=[_CODES[code] for code in codes.tolist()],
    )
    for part in parts:
        response.minor_adult_probabilities.extend(part.risk.minor_adult.tolist())
        response.risk_scores.extend(part.risk.scores.tolist())
        if part.risk.harm is not None:
            response.harm_probabilities.extend(part.risk.harm.tolist())
    return response
