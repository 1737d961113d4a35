"""What one participant's evidence says, item by item, before it is combined.

Owns which items count: copies once, captures that were shown before not as captures, and which
captures may be of one sitting. It must not know what items say together (``pairguard.age.fusion``).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from pairguard.age.evidence import AgeEvidence
from pairguard.age.item import ItemLikelihood
from pairguard.age.likelihood import item_likelihoods
from pairguard.age.tables import AgeTables

_ONE_SITTING_SECONDS = 3600.0


class ToldEvidence(NamedTuple):
    """What one participant's evidence says item by item.

    Attributes:
        evidence: The distinct items.
        sessions: The capture session of each, as far as it tells sittings apart; "": not told.
        items: What each says; None: nothing.
        tampered_capture: As it was told to ``told_evidence``.
        device_since: The same.
    """

    evidence: tuple[AgeEvidence, ...]
    sessions: tuple[str, ...]
    items: tuple[ItemLikelihood | None, ...]
    tampered_capture: bool
    device_since: float | None


def told_evidence(
    tables: AgeTables,
    evidence: Sequence[AgeEvidence],
    *,
    now: float,
    tampered_capture: bool,
    device_since: float | None,
) -> ToldEvidence:
    """Return what evidence says item by item; the arguments are those of ``assess_age``."""
    distinct = distinct_evidence(evidence)
    sessions = tuple([item.observation.capture_session for item in distinct])
    told = any(sessions)
    replayed = replayed_sessions(distinct) if told else frozenset()
    items = item_likelihoods(
        tables,
        distinct,
        now=now,
        tampered=tampered_capture,
        replayed=replayed,
        device_since=device_since,
    )
    if told and len(set(sessions) - {""}) > 1:
        sessions = _sittings(distinct, items, sessions)
    return ToldEvidence(distinct, sessions, items, tampered_capture, device_since)


def _sittings(
    evidence: Sequence[AgeEvidence],
    items: Sequence[ItemLikelihood | None],
    sessions: tuple[str, ...],
) -> tuple[str, ...]:
    """Return the capture sessions as far as they tell sittings apart.

    Two vendors name two sessions of one sitting: where a face and a document of different sessions
    are not known to lie more than an hour apart, neither session counts as told.
    """
    seen = [
        (item.model.attack_group, session, made.observed_time)
        for item, session, made in zip(items, sessions, evidence, strict=True)
        if item is not None and item.model.camera and session
    ]
    unsure = {
        session
        for group, session, time in seen
        for other_group, other, other_time in seen
        if other_group != group
        and other != session
        and (time is None or other_time is None or abs(time - other_time) <= _ONE_SITTING_SECONDS)
    }
    shared = {s for g, s, _ in seen if any(s == t and g != h for h, t, _ in seen)}
    unsure -= shared
    return tuple(["" if session in unsure else session for session in sessions])


def distinct_evidence(evidence: Sequence[AgeEvidence]) -> tuple[AgeEvidence, ...]:
    """Return the items without further copies of one id, in the order given.

    Copies whose contents differ contradict each other; both stay, and the edge refuses them within
    one request.
    """
    if len({item.evidence_id for item in evidence}) == len(evidence):
        return tuple(evidence)  # copies share their id, and hashing whole items is dear
    seen: set[AgeEvidence] = set()
    distinct = []
    for item in evidence:
        if item.evidence_id:
            if item in seen:
                continue
            seen.add(item)
        distinct.append(item)
    return tuple(distinct)


def replayed_sessions(evidence: Sequence[AgeEvidence]) -> frozenset[str]:
    """Return the captures that were shown at several times: nobody sits before a camera twice.

    Several results of one capture within an hour are what one sitting gives; a time that is not
    told contradicts none.
    """
    times: dict[str, tuple[float, float]] = {}
    for item in evidence:
        session = item.observation.capture_session
        if session and item.observed_time is not None:
            first, last = times.get(session, (item.observed_time, item.observed_time))
            times[session] = min(first, item.observed_time), max(last, item.observed_time)
    if not times:
        return frozenset()
    return frozenset(s for s, (a, b) in times.items() if b - a > _ONE_SITTING_SECONDS)
