"""The gates that a bundle passes before it serves.

Owns what each gate asks and says. It must not know how anything was measured, nor how a bundle is
published. What could not be measured does not pass, unless the limits say that it may be so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from pairguard.errors import PairguardError
from pairguard.policy.certificate import CertificateMalformed, parse_certificate
from pairguard_training.publishing.evaluation_document import EvaluationDocument, zoned_time
from pairguard_training.publishing.limits import GateLimits

REAL_DATA: Final = "real_data"
CERTIFICATE: Final = "certificate"
EVALUATION: Final = "evaluation"
MIXED_PAIRS: Final = "mixed_pairs"
CALIBRATION: Final = "calibration"
SLICES: Final = "slices"
GATES: Final = (REAL_DATA, CERTIFICATE, EVALUATION, MIXED_PAIRS, CALIBRATION, SLICES)

_NOT_JUDGED: Final = "there is no evaluation"


@dataclass(frozen=True, slots=True)
class Candidate:
    """What is to be published, and beside what.

    Attributes:
        version: Its version.
        model_hash: What makes its scores.
        certificate: Its certificate.
        champion_version: What serves now; None: nothing.
        champion_model_hash: What makes the scores of that; None: nothing does, or is not known.
        evaluation: How it was judged; None: it was not.
    """

    version: str
    model_hash: str
    certificate: Mapping[str, Any]
    champion_version: str | None
    champion_model_hash: str | None
    evaluation: EvaluationDocument | None


@dataclass(frozen=True, slots=True)
class GateResult:
    """What one gate found.

    Attributes:
        name: Of the gate.
        passed: Whether the bundle may pass.
        told: Why, in a sentence for people.
    """

    name: str
    passed: bool
    told: str


class GatesNotPassed(PairguardError):
    """Raise when a bundle may not be published; what serves goes on serving."""

    def __init__(self, failed: Sequence[GateResult]) -> None:
        self.problems = tuple(f"{each.name}: {each.told}" for each in failed)
        super().__init__("; ".join(self.problems), reason="GATES_NOT_PASSED")


def check_gates(candidate: Candidate, limits: GateLimits, *, now: datetime) -> list[GateResult]:
    """Ask every gate, in the order of ``GATES``.

    Args:
        candidate: What is to be published.
        limits: What the gates ask for.
        now: The time, with a time zone.
    """
    return [
        _real_data(candidate, limits),
        _certificate(candidate, limits, now),
        _evaluation(candidate, limits, now),
        _mixed_pairs(candidate, limits),
        _calibration(candidate, limits),
        _slices(candidate, limits),
    ]


def _real_data(candidate: Candidate, limits: GateLimits) -> GateResult:
    found = candidate.evaluation
    if found is not None and found.simulated is False:
        return GateResult(REAL_DATA, passed=True, told="it was judged on recorded data")
    if found is None or found.simulated is None:
        told = "nothing says that it was judged on recorded data"
    else:
        told = "it was judged on a SIMULATED platform: nothing follows for a real one"
    return GateResult(REAL_DATA, not limits.flag("real_data.required"), told)


def _certificate(candidate: Candidate, limits: GateLimits, now: datetime) -> GateResult:
    certificate = candidate.certificate
    if certificate.get("certified") is not True:
        required = limits.flag("certificate.required")
        told = "there is none: the bundle promises no miss rate"
        return GateResult(CERTIFICATE, not required, told if required else f"not asked for; {told}")
    if certificate.get("simulated") is not False:
        told = "it was made on simulated people, of whom nothing follows for real ones"
        return GateResult(CERTIFICATE, passed=False, told=told)
    problem = _unfit(certificate, candidate.model_hash, limits, now)
    if problem is not None:
        return GateResult(CERTIFICATE, passed=False, told=problem)
    return GateResult(CERTIFICATE, passed=True, told=f"in force until {certificate['expire_time']}")


def _unfit(
    certificate: Mapping[str, Any], model_hash: str, limits: GateLimits, now: datetime
) -> str | None:
    """Return why a certificate does not fit, None: it does."""
    if certificate.get("model_hash") != model_hash:
        return "it is another model's"
    expire_time = zoned_time(certificate.get("expire_time"))
    if expire_time is None:
        return "it does not say until when it holds"
    if "issue_time" in certificate:
        issue_time = zoned_time(certificate["issue_time"])
        if issue_time is None or issue_time > now:
            return "it does not hold yet"
    days_left = limits.number("certificate.min_days_left")
    if expire_time <= now:
        return f"it has expired, at {certificate['expire_time']}"
    if expire_time < now + timedelta(days=days_left):
        return f"it ends at {certificate['expire_time']}, in less than {days_left:g} days"
    try:
        parse_certificate(certificate)
    except CertificateMalformed as error:
        return f"no server would use it: {error}"
    return None


def _evaluation(candidate: Candidate, limits: GateLimits, now: datetime) -> GateResult:
    found = candidate.evaluation
    if found is None:
        told = "none is given: pairguard-train evaluate, then publish --evaluation FILE"
        return GateResult(EVALUATION, passed=False, told=told)
    problems: list[str] = []
    same_scores = found.model_hash is not None and found.model_hash == candidate.model_hash
    if found.bundle_version != candidate.version and not same_scores:
        problems.append(
            f"it is of {found.bundle_version or 'a bundle that it does not name'}, not of "
            f"{candidate.version}"
        )
    if found.champion_version != candidate.champion_version:
        beside = found.champion_version or "nothing"
        serves = candidate.champion_version or "nothing"
        problems.append(f"it compares with {beside}, and {serves} serves")
    if found.simulated is not True:  # the time of a simulation is nobody's
        problems += _aged(found.data_until, limits.number("evaluation.max_data_age_days"), now)
    if problems:
        return GateResult(EVALUATION, passed=False, told="; ".join(problems))
    told = "of this bundle" if found.bundle_version == candidate.version else "of the same models"
    if candidate.champion_version is not None:
        told += f", beside {candidate.champion_version}, which serves"
    return GateResult(EVALUATION, passed=True, told=told)


def _aged(data_until: datetime | None, most_days: float, now: datetime) -> list[str]:
    """Return what is wrong with the time of the data that were judged."""
    if data_until is None:
        return ["it does not say of which time the data are: pairguard-train evaluate again"]
    days = (now - data_until) / timedelta(days=1)
    if days < -1.0:
        return [f"its data end in the future, at {data_until}: a clock is wrong"]
    if days <= most_days:
        return []
    return [f"its data end at {data_until}, {days:.1f} days ago; at most {most_days:g} wanted"]


def _mixed_pairs(candidate: Candidate, limits: GateLimits) -> GateResult:
    if candidate.champion_version is None:
        return GateResult(
            MIXED_PAIRS, passed=True, told="nothing serves that it could be compared with"
        )
    if candidate.champion_model_hash == candidate.model_hash:
        return GateResult(
            MIXED_PAIRS, passed=True, told="what serves has the same models and the same scores"
        )
    found = candidate.evaluation
    passed, told = True, list[str]()
    for percent in (1, 5):
        limit = limits.number(f"mixed_pairs.max_difference_at_{percent}")
        interval = None if found is None else found.differences.get(percent)
        where = f"where {percent} % of good pairs are stopped"
        if interval is None:
            passed = False
            told.append(f"{where}: the difference is not known")
        else:
            passed &= interval.high < limit
            told.append(f"{where}: {interval} more, below {limit:g} wanted")
    return GateResult(MIXED_PAIRS, passed, f"mixed pairs allowed, {'; '.join(told)}")


def _calibration(candidate: Candidate, limits: GateLimits) -> GateResult:
    low, high = limits.number("calibration.min_slope"), limits.number("calibration.max_slope")
    found = candidate.evaluation
    if found is None:
        return GateResult(CALIBRATION, passed=False, told=_NOT_JUDGED)
    slope, excused = found.calibration_slope, limits.flag("calibration.may_be_unmeasured")
    if slope is None:
        return GateResult(CALIBRATION, excused, "the slope could not be measured")
    wanted = f"slope {slope}, {low:g} to {high:g} wanted"
    if slope.low > high or slope.high < low:
        return GateResult(CALIBRATION, passed=False, told=wanted)
    # Of an interval that is wide enough every slope reaches into the range.
    told_from, told_to = (limits.number(f"calibration.told_{end}") for end in ("from", "to"))
    if not told_from <= slope.low <= slope.high <= told_to:
        told = f"could not be told: the interval is not within {told_from:g} to {told_to:g}"
        return GateResult(CALIBRATION, excused, f"{wanted}; it {told}")
    return GateResult(CALIBRATION, passed=True, told=wanted)


def _slices(candidate: Candidate, limits: GateLimits) -> GateResult:
    found, most = candidate.evaluation, limits.number("slices.max_times_chance")
    if found is None:
        return GateResult(SLICES, passed=False, told=_NOT_JUDGED)
    worst, chance = found.worst_ratio, found.chance_ratio
    excused = limits.flag("slices.may_be_unmeasured")
    if worst is not None and chance is not None and chance > 0.0:
        told = (
            f"the worst group has {worst:.4g} times the best one's rate, chance explains "
            f"{chance:.4g}; at most {most:g} times that wanted"
        )
        told_up_to = limits.number("slices.told_up_to")
        if worst <= most * chance and chance > told_up_to:
            told += f"; where chance explains more than {told_up_to:g}, they could not be compared"
            return GateResult(SLICES, excused, told)
        return GateResult(SLICES, worst <= most * chance, told)
    # Half a measurement, such as a ratio beyond all bounds, is none that may be missing.
    passed = worst is None and chance is None and excused
    return GateResult(SLICES, passed, "the groups could not be compared")
