"""Evidence of the domain as a chat backend would tell it.

Owns the way back from what simulated tables hold to what the client sends, moved in time. It must
not know who sends it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pairguard.age.evidence as domain
from pairguard.client import evidence
from pairguard.client import vocabulary as words

_SOONEST = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Moved:
    """From simulated times to the present.

    Attributes:
        now: The present.
        seconds: How much later than the simulated time that is; nothing is told from the future.
    """

    now: datetime
    seconds: float = 0.0

    def time(self, seconds: float | None) -> datetime | None:
        """Return a time of the past, moved; None: unknown."""
        if seconds is None:
            return None
        return min(datetime.fromtimestamp(seconds + self.seconds, UTC), self.now - _SOONEST)


def told(said: domain.AgeEvidence, moved: Moved, *, evidence_id: str = "") -> evidence.AgeEvidence:
    """Return an item as the client sends it, under an id of its own where one is given."""
    expires = said.expire_time
    return evidence.AgeEvidence(
        _observation(said.observation, moved),
        evidence_id or said.evidence_id,
        moved.time(said.observed_time),
        None if expires is None else datetime.fromtimestamp(expires + moved.seconds, UTC),
        provider=said.provider,
        binding=words.Binding.__members__.get(said.binding.name),
    )


def _observation(said: domain.Observation, moved: Moved) -> evidence.Observation:
    match said:
        case domain.SelfDeclared():
            return evidence.SelfDeclared(
                age_years=said.age_years,
                birth_year=said.birth_year,
                declared_time=moved.time(said.declared_time),
                gate_years=said.gate_years,
            )
        case domain.PlatformAgeRange():
            return evidence.PlatformAgeRange(
                platform=words.Platform.__members__.get(said.platform.name),
                assurance=words.PlatformAssurance.__members__.get(said.assurance.name),
                lower_years=said.lower_years,
                upper_years=said.upper_years,
            )
        case domain.FacialAgeEstimate():
            return evidence.FacialAgeEstimate(
                mean_years=said.mean_years,
                liveness=words.Liveness.__members__.get(said.liveness.name),
                quality=said.quality,
                capture_session=said.capture_session,
            )
        case domain.AgeCheck():
            return evidence.AgeCheck(
                method=words.CheckMethod[said.method.name],
                threshold_years=said.threshold_years,
                result=words.CheckResult[said.result.name],
                liveness=words.Liveness.__members__.get(said.liveness.name),
                capture_session=said.capture_session,
            )
        case domain.VerifiedAge():
            return evidence.VerifiedAge(
                method=words.VerificationMethod[said.method.name],
                age_years=said.age_years,
                birth_year=said.birth_year,
                liveness=words.Liveness.__members__.get(said.liveness.name),
                capture_session=said.capture_session,
            )
