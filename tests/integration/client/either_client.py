"""Both clients behind one blocking face, so that one suite tests them both."""

import asyncio
import threading
from collections.abc import Coroutine, Iterator, Sequence
from typing import Any, TypeAlias, TypeVar

from pairguard.client import (
    AgeEvidence,
    AioClient,
    AssessedAge,
    CandidateInput,
    CandidateRanking,
    Client,
    ClientOptions,
    Erasure,
    Event,
    PairDecision,
    ParticipantInput,
    ParticipantReference,
    RecordedDecision,
    RecordedEvidence,
    RecordResult,
    ScoredPairs,
)

_T = TypeVar("_T")

# Longer than any call of the tests: a call that exceeds it hangs.
_PATIENCE_SECONDS = 30


class LoopThread:
    """An event loop in a thread of its own."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()

    def run(self, coroutine: Coroutine[Any, Any, _T]) -> _T:
        """Return the result of a coroutine that runs on the loop."""
        future = asyncio.run_coroutine_threadsafe(coroutine, self._loop)
        return future.result(_PATIENCE_SECONDS)

    def close(self) -> None:
        """End the loop."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_PATIENCE_SECONDS)
        self._loop.close()


class AwaitedClient:
    """An ``AioClient`` on a loop in another thread."""

    def __init__(self, loop: LoopThread, options: ClientOptions) -> None:
        self._loop = loop

        async def make() -> AioClient:
            return AioClient(options)

        self._client = loop.run(make())

    def score_pair(
        self, a: ParticipantInput, b: ParticipantInput, **arguments: Any
    ) -> PairDecision:
        return self._loop.run(self._client.score_pair(a, b, **arguments))

    def assess_age(self, participant: ParticipantInput, **arguments: Any) -> AssessedAge:
        return self._loop.run(self._client.assess_age(participant, **arguments))

    def record_events(self, events: Sequence[Event], **arguments: Any) -> tuple[RecordResult, ...]:
        return self._loop.run(self._client.record_events(events, **arguments))

    def record_age_evidence(
        self, participant: ParticipantReference, evidence: Sequence[AgeEvidence], **arguments: Any
    ) -> RecordedEvidence:
        return self._loop.run(self._client.record_age_evidence(participant, evidence, **arguments))

    def erase_participant(self, participant: ParticipantReference, **arguments: Any) -> Erasure:
        return self._loop.run(self._client.erase_participant(participant, **arguments))

    def get_decision(self, decision_id: str, **arguments: Any) -> RecordedDecision:
        return self._loop.run(self._client.get_decision(decision_id, **arguments))

    def rank_candidates(
        self, seeker: ParticipantInput, candidates: Sequence[CandidateInput], **arguments: Any
    ) -> CandidateRanking:
        return self._loop.run(self._client.rank_candidates(seeker, candidates, **arguments))

    def score_pairs(
        self,
        participants: Sequence[ParticipantInput],
        pairs: Sequence[tuple[int, int]] | None = None,
        **arguments: Any,
    ) -> Iterator[ScoredPairs]:
        parts = self._client.score_pairs(participants, pairs, **arguments)

        async def following() -> ScoredPairs | None:
            return await anext(parts, None)

        while (part := self._loop.run(following())) is not None:
            yield part

    def close(self) -> None:
        self._loop.run(self._client.close())


EitherClient: TypeAlias = Client | AwaitedClient
"""What the suite asks."""


class ClientMaker:
    """Makes clients of one of the two kinds and closes them at the end."""

    def __init__(self, loop: LoopThread | None) -> None:
        self._loop = loop
        self._made: list[EitherClient] = []

    def __call__(self, address: str, **options: Any) -> EitherClient:
        values = ClientOptions(
            address, **({"timeout_seconds": 10.0, "record_timeout_seconds": 10.0} | options)
        )
        client: EitherClient = (
            Client(values) if self._loop is None else AwaitedClient(self._loop, values)
        )
        self._made.append(client)
        return client

    def close(self) -> None:
        """Close all that were made."""
        for client in self._made:
            client.close()
