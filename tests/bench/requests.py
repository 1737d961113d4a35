"""Varied `ScorePair` requests, as a video chat platform would send them.

Owns how the requests vary. Every request differs from every other: ids, times, estimates, signals.
"""

import random

from pairguard.bundle.defaults import default_catalogue
from pairguard.risk.signal import SignalKind, SignalSource
from pairguard.v1 import assessment_pb2 as assessments
from pairguard.v1 import participant_pb2 as participants
from pairguard.v1.pair_risk_service_pb2 import ScorePairRequest

_DAY_SECONDS = 86_400
_REGIONS = ("GB", "US", "DE", "BR", "KR", "")
_KNOWN_ADULT_SHARE = 0.6
_SIGNALS_EACH = 12


def bare_requests(count: int, *, seed: int) -> tuple[bytes, ...]:
    """Return requests with two ids and nothing else."""
    draw = random.Random(seed)
    return tuple(
        ScorePairRequest(
            participant_a=participants.Participant(participant_id=f"a{draw.getrandbits(64):x}"),
            participant_b=participants.Participant(participant_id=f"b{draw.getrandbits(64):x}"),
        ).SerializeToString()
        for _ in range(count)
    )


def platform_requests(count: int, *, seed: int, now: float) -> tuple[bytes, ...]:
    """Return requests with evidence, signals, attributes and interests, as serving sees them.

    Three in five participants bring a live facial estimate or a check besides their declared age;
    the others a declared age alone.
    """
    draw = random.Random(seed)
    return tuple(
        ScorePairRequest(
            participant_a=_participant(draw, "a", now),
            participant_b=_participant(draw, "b", now),
            context=assessments.PairContext(
                modality=assessments.MODALITY_VIDEO, wait_seconds=draw.uniform(0, 30)
            ),
        ).SerializeToString()
        for _ in range(count)
    )


def _participant(draw: random.Random, prefix: str, now: float) -> participants.Participant:
    participant = participants.Participant(
        participant_id=f"{prefix}{draw.getrandbits(64):x}",
        linked_ids=[f"device-{draw.getrandbits(64):x}"],
        region=draw.choice(_REGIONS),
        language="en",
        entry_path="random_video",
        interests=draw.sample(_CATALOGUE.interests, 3),
    )
    for signal in draw.sample(_NUMBERS, _SIGNALS_EACH):
        low = 0.0 if signal.minimum is None else signal.minimum
        high = low + 100.0 if signal.maximum is None else signal.maximum
        flag = signal.kind is SignalKind.FLAG
        participant.signals[signal.name] = 0.0 if flag else draw.uniform(low, high)
    for signal in _CATEGORIES:
        participant.attributes[signal.name] = draw.choice(signal.categories)
    declared = _item(participant, draw, now, participants.BINDING_ACCOUNT)
    declared.self_declared.age_years = draw.randint(18, 60)
    if draw.random() < _KNOWN_ADULT_SHARE:
        item = _item(participant, draw, now, participants.BINDING_LIVE_PERSON)
        if draw.random() < 0.5:
            item.provider = "yoti"
            item.facial_age_estimate.mean_years = draw.uniform(15, 60)
            item.facial_age_estimate.liveness = participants.LIVENESS_PASSED
        else:
            item.age_check.method = participants.CHECK_METHOD_DIGITAL_WALLET
            item.age_check.threshold_years = 18
            item.age_check.result = participants.CHECK_RESULT_OVER
    return participant


def _item(
    participant: participants.Participant,
    draw: random.Random,
    now: float,
    binding: participants.Binding.ValueType,
) -> participants.AgeEvidence:
    item = participant.age_evidence.add(evidence_id=f"e{draw.getrandbits(48):x}", binding=binding)
    item.observed_time.seconds = int(now) - draw.randint(0, 300 * _DAY_SECONDS)
    return item


_CATALOGUE = default_catalogue()
_REQUESTED = [s for s in _CATALOGUE.signals if s.source is SignalSource.REQUEST]
_NUMBERS = [s for s in _REQUESTED if s.kind is not SignalKind.CATEGORY]
_CATEGORIES = [s for s in _REQUESTED if s.kind is SignalKind.CATEGORY]
