"""What is looked at of a participant and of a judged pair, by name.

Owns the one way from the domain's values to what is counted, for serving and for training: the two
can only differ where the people do. It must not know how anything is counted. Nothing here names a
person: no id, no time, no age that was established.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from pairguard.age.evidence import (
    AgeCheck,
    AgeEvidence,
    FacialAgeEstimate,
    PlatformAgeRange,
    VerifiedAge,
)
from pairguard.drift.groups import UNNAMED, Group
from pairguard.policy.decision import Decision
from pairguard.policy.reasons import ReasonCode
from pairguard.risk.catalogue import SignalCatalogue
from pairguard.risk.model import ParticipantAssessment
from pairguard.risk.participant import Participant

Key = tuple[Group, str]
Sightings = dict[Key, float | str]

FRESH_SECONDS: Final = 30 * 86_400.0
"""How old what a vendor said may be to speak of the vendor as it is."""

KEPT_STATE_REASONS: Final = frozenset(
    {
        ReasonCode.HELD,
        ReasonCode.UPHELD_HARM,
        ReasonCode.PERSONAL_BLOCK,
        ReasonCode.RECENT_PARTNER,
        ReasonCode.STORE_UNAVAILABLE,
        ReasonCode.REPORTED,
        ReasonCode.EXPOSURE_SPENT,
        ReasonCode.REROUTES_SPENT,
        ReasonCode.PROBING,
    }
)
"""Reasons that come from what the service remembers, of which a reference knows nothing."""


class Sighting:
    """Looks at participants and pairs.

    Args:
        catalogue: The layout of vectors.
    """

    def __init__(self, catalogue: SignalCatalogue) -> None:
        numbers, ordered = len(catalogue.number_columns), len(catalogue.signals)
        self._columns = [
            (index, (Group.SIGNAL if index < numbers else Group.INTEREST, _plain(name)))
            for index, name in enumerate(catalogue.columns)
            if index < numbers or index >= ordered
        ]
        self._categories = tuple(signal.name for signal in catalogue.category_columns)

    def of_participant(
        self,
        participant: Participant,
        assessment: ParticipantAssessment,
        *,
        adult_age: int,
        now: float,
    ) -> Sightings:
        """Return what is known of one participant; what is not known is left out.

        Args:
            participant: With what is kept.
            assessment: What was made of it.
            adult_age: The highest that counts in the participant's own region.
            now: Seconds since 1970.
        """
        values = assessment.values.tolist()
        found: Sightings = {
            key: value
            for index, key in self._columns
            if (value := values[index]) == value  # false for NaN alone
        }
        for name in self._categories:
            text = participant.attributes.get(name)
            if text:
                found[Group.ATTRIBUTE, name] = text
        for name in ("region", "language", "entry_path"):
            text = getattr(participant, name)
            if text:
                found[Group.MIX, name] = text
        if assessment.history_known:
            found[Group.KNOWN, "history"] = 1.0
        if assessment.behaviour_known:
            found[Group.KNOWN, "behaviour"] = 1.0
        if participant.age_evidence:
            found |= _of_evidence(participant.age_evidence)
            found |= of_vendors(participant.age_evidence, now)
        found[Group.SCORE, "probability_minor"] = assessment.age.probability_below(adult_age)
        return found


def of_pair(decision: Decision) -> Sightings:
    """Return what is known of one pair that was decided on.

    A decision that what is kept led to is left out: a reference has no such state, and there are
    counters of their own for it.
    """
    risk, leading = decision.risk, decision.reasons[0].code
    found: Sightings = {
        (Group.PAIR_SCORE, "minor_adult_probability"): risk.minor_adult_probability,
        (Group.PAIR_SCORE, "risk_score"): risk.risk_score,
    }
    if risk.harm_probability is not None:
        found[Group.PAIR_SCORE, "harm_probability"] = risk.harm_probability
    if leading not in KEPT_STATE_REASONS:
        found[Group.DECISION, "decision"] = decision.kind.name
        found[Group.DECISION, "leading_reason"] = leading.value
    return found


def _fresh(items: Iterable[AgeEvidence], now: float) -> tuple[AgeEvidence, ...]:
    """Return the items that are not older than ``FRESH_SECONDS``, the latest last."""
    taken = [
        item
        for item in items
        if item.observed_time is None or now - item.observed_time < FRESH_SECONDS
    ]
    return tuple(sorted(taken, key=lambda item: item.observed_time or 0.0))


def _of_evidence(items: Iterable[AgeEvidence]) -> Sightings:
    """Return which kinds, methods and providers somebody's evidence has."""
    found: Sightings = {}
    for item in items:
        found[Group.EVIDENCE_KIND, item.kind] = 1.0
        if item.provider:
            found[Group.EVIDENCE_PROVIDER, item.provider] = 1.0
        match item.observation:
            case AgeCheck(method=method):
                found[Group.EVIDENCE_METHOD, f"check {method.value}"] = 1.0
            case VerifiedAge(method=verification):
                found[Group.EVIDENCE_METHOD, f"verified {verification.value}"] = 1.0
            case PlatformAgeRange(platform=platform, assurance=assurance):
                found[Group.EVIDENCE_METHOD, f"{platform.value} {assurance.value}"] = 1.0
    return found


def of_vendors(items: Iterable[AgeEvidence], now: float) -> Sightings:
    """Return what each provider said last of somebody, if that is not too long ago.

    Args:
        items: Evidence of one participant.
        now: Seconds since 1970.
    """
    found: Sightings = {}
    for item in _fresh(items, now):
        provider = item.provider or UNNAMED
        match item.observation:
            case FacialAgeEstimate() as face:
                found[Group.FACE_MEAN_YEARS, provider] = face.mean_years
                found[Group.FACE_LIVENESS, provider] = face.liveness.value
                if face.quality is not None:
                    found[Group.FACE_QUALITY, provider] = face.quality
            case AgeCheck() as check:
                source = f"{provider} {check.method.value}"
                found[Group.CHECK_THRESHOLD, source] = f"{check.threshold_years:g}"
                found[Group.CHECK_RESULT, source] = check.result.value
            case PlatformAgeRange(lower_years=lower, upper_years=upper) as reported:
                band = f"{_open(lower)}-{_open(upper)}"
                found[Group.RANGE_YEARS, reported.platform.value] = band
    return found


def _open(years: int | None) -> str:
    return "" if years is None else str(years)


def _plain(column: str) -> str:
    return column.removeprefix("interests=")
