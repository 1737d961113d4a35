"""Requests that are sent again: the same id gets the same answer.

Owns the window, what makes two requests the same, and when a repeat is judged anew all the same:
an ALLOW is never repeated where a hard rule would stop the pair by now. Answers are kept sealed,
since they may hold ids of the caller's.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from hashlib import blake2b
from typing import Final, TypeVar

from pairguard.errors import FieldViolation, InvalidInput, StoreUnavailable
from pairguard.policy.reasons import ReasonCode
from pairguard.server.call_facts import calling
from pairguard.server.kept_participants import KeptParticipants
from pairguard.server.metrics import Metrics
from pairguard.store.ports import KeptAnswer, ParticipantStore
from pairguard.v1 import pair_risk_service_pb2

REPEAT_SECONDS: Final = 120.0
"""How long an answer is repeated."""
REQUEST_ID_NOT_KEPT: Final = "REQUEST_ID_NOT_KEPT"
"""The request id could not be looked up or kept: a repeat is judged anew."""

HARD_REASONS: Final = frozenset(
    {
        ReasonCode.HELD,
        ReasonCode.BELOW_MINIMUM_AGE,
        ReasonCode.PERSONAL_BLOCK,
        ReasonCode.STORE_UNAVAILABLE,
        ReasonCode.AGE_EVIDENCE_CONFLICT,
        ReasonCode.AGE_UNKNOWN,
        ReasonCode.LIKELY_MINOR,
        ReasonCode.POOLS_DIFFER,
        ReasonCode.MINORS_NOT_PAIRED,
        ReasonCode.AGE_GAP_TOO_WIDE,
        ReasonCode.MINOR_ADULT_RISK,
        ReasonCode.REPORTED,
        ReasonCode.HARM_MODEL_UNAVAILABLE,
    }
)
"""Reasons for which an ALLOW is not repeated, besides any BLOCK. The others follow from the ALLOW
itself (the two met, the budget was spent on them) or compare scores that wander."""


_Request = pair_risk_service_pb2.ScorePairRequest | pair_risk_service_pb2.RankCandidatesRequest
_Response = TypeVar(
    "_Response",
    pair_risk_service_pb2.ScorePairResponse,
    pair_risk_service_pb2.RankCandidatesResponse,
)


@dataclass(frozen=True, slots=True)
class RequestKey:
    """What a request is kept under, and what tells it from another with its id."""

    key: bytes
    request_hash: bytes


class Repeats:
    """Keeps answers and finds them again.

    Args:
        store: Where they are kept.
        kept: Where the keys come from.
        metrics: Where failures and repeats are counted.
        clock: Seconds since 1970.
    """

    def __init__(
        self,
        store: ParticipantStore,
        kept: KeptParticipants,
        metrics: Metrics,
        *,
        clock: Callable[[], float],
    ) -> None:
        self._store = store
        self._kept = kept
        self._metrics = metrics
        self._clock = clock

    def look_up(
        self, request: _Request, kind: type[_Response]
    ) -> tuple[RequestKey | None, _Response | None]:
        """Return what a request is kept under and the answer, of a kind, that it got before.

        Without a key it cannot be told whether there was one, and nothing can be kept; without an
        answer there was none.

        Raises:
            InvalidInput: Another request had the same id; ``REQUEST_ID_REUSED``.
        """
        try:
            key = self._key_of(request)
        except StoreUnavailable:
            return None, None
        try:
            answer = self._store.find_answer(key.key, now=self._clock())
            return key, None if answer is None else self._read(answer, key, kind)
        except StoreUnavailable:
            self._metrics.count_store_error("find_answer")
            return None, None

    def _key_of(self, request: _Request) -> RequestKey:
        hash_text, caller = self._kept.keys.hash, calling().name
        content = blake2b(request.SerializeToString(deterministic=True)).hexdigest()
        if not isinstance(request, pair_risk_service_pb2.ScorePairRequest):
            # Bytes alone do not tell the requests of two calls apart.
            content = f"{type(request).__name__}:{content}"
        return RequestKey(
            hash_text(f"answer:{len(caller)}:{caller}:{request.request_id}"),
            hash_text(f"content:{content}"),
        )

    def keep(self, key: RequestKey, response: _Response) -> _Response:
        """Keep an answer and return it, or the one that another call kept first.

        Raises:
            InvalidInput: That call had the same id and asked something else.
            StoreUnavailable: It cannot be kept.
        """
        now = self._clock()
        sealed = self._kept.keys.current.seal(response.SerializeToString())
        mine = KeptAnswer(key.request_hash, sealed, now + REPEAT_SECONDS)
        kept = self._store.keep_answer(key.key, mine, now=now)
        return response if kept == mine else self._read(kept, key, type(response))

    def _read(self, answer: KeptAnswer, key: RequestKey, kind: type[_Response]) -> _Response:
        if answer.request_hash != key.request_hash:
            violation = FieldViolation("request_id", "came with another request before")
            raise InvalidInput([violation], reason="REQUEST_ID_REUSED")
        try:
            content = self._kept.keys.unseal(answer.response)
            return kind.FromString(content)
        except ValueError as error:
            raise StoreUnavailable("a kept answer cannot be read") from error
