"""What a caller reads about many pairs of one pool.

Owns the values of one part of such an answer, and when a part cannot be relied on. It must not know
calls.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pairguard.client.response_values import invalid_response
from pairguard.client.vocabulary import Decision
from pairguard.client.wire_enums import word_of
from pairguard.v1.pair_risk_service_pb2 import ScorePairsResponse

_HARM_MODEL_UNAVAILABLE = "HARM_MODEL_UNAVAILABLE"


@dataclass(frozen=True, slots=True)
class ScoredPairs:
    """A run of pairs, as columns of equal length in the order of the request.

    Advice and no decision: the pair that is then formed goes through ``score_pair``.

    Attributes:
        pair_offset: Pairs in the parts before this one.
        pair_count: Pairs in the whole answer.
        decisions: What ``score_pair`` would answer now.
        minor_adult_probabilities: Probability, 0-1, that exactly one is under the adult age.
        harm_probabilities: Probability, 0-1, of harm. None: no usable harm model.
        risk_scores: Risk scores, 0-1.
        reason_codes: Code of the leading reason of each.
        bundle_version: Version of the model bundle.
        policy_version: Version of the policy.
        degradations: What the service had to do without.
        unknown_signals: Names that were sent and ignored; in the first part only.
    """

    pair_offset: int
    pair_count: int
    decisions: tuple[Decision, ...]
    minor_adult_probabilities: tuple[float, ...]
    harm_probabilities: tuple[float, ...] | None
    risk_scores: tuple[float, ...]
    reason_codes: tuple[str, ...]
    bundle_version: str
    policy_version: str
    degradations: tuple[str, ...]
    unknown_signals: tuple[str, ...]


class PairsReading:
    """Reads the parts of one answer and sees to it that none is missing."""

    def __init__(self) -> None:
        self._read = 0
        self._count: int | None = None

    def part(self, message: ScorePairsResponse) -> ScoredPairs:
        """Return the next part.

        Raises:
            LocalFailure: It cannot be relied on.
        """
        degradations = tuple(message.degradations)
        unread = [] if message.pair_offset == self._read else ["pair_offset"]
        if self._count not in (None, message.pair_count):
            unread.append("pair_count")
        words = {number: word_of(Decision, number) for number in set(message.decisions)}
        decisions = tuple([word for n in message.decisions if (word := words[n]) is not None])
        size = len(message.decisions)
        if not size or len(decisions) != size:
            unread.append("decisions")
        mixed = _probabilities(message.minor_adult_probabilities, size)
        harm = _probabilities(message.harm_probabilities, size)
        scores = _probabilities(message.risk_scores, size)
        if mixed is None:
            unread.append("minor_adult_probabilities")
        if harm is None and (
            message.harm_probabilities or _HARM_MODEL_UNAVAILABLE not in degradations
        ):
            unread.append("harm_probabilities")
        if scores is None:
            unread.append("risk_scores")
        codes = tuple(message.reason_codes)
        places = message.reason_indices
        if len(places) != size or any(place >= len(codes) for place in set(places)):
            unread.append("reason_indices")
        if not message.bundle_version or not message.policy_version:
            unread.append("bundle_version or policy_version")
        if unread or mixed is None or scores is None:
            raise invalid_response(unread)
        self._count = message.pair_count
        self._read += size
        return ScoredPairs(
            pair_offset=message.pair_offset,
            pair_count=message.pair_count,
            decisions=decisions,
            minor_adult_probabilities=mixed,
            harm_probabilities=harm,
            risk_scores=scores,
            reason_codes=tuple([codes[place] for place in places]),
            bundle_version=message.bundle_version,
            policy_version=message.policy_version,
            degradations=degradations,
            unknown_signals=tuple(message.unknown_signals),
        )

    def end(self) -> None:
        """Take note that the answer has ended.

        Raises:
            LocalFailure: Pairs are missing.
        """
        if self._read != self._count:
            raise invalid_response(["pairs"])


def _probabilities(values: Sequence[float], size: int) -> tuple[float, ...] | None:
    found = tuple(values)
    if len(found) != size or not all([0.0 <= value <= 1.0 for value in found]):  # noqa: C419
        return None
    return found
