"""Age evidence from messages to values.

Owns every limit that the contract sets on evidence. It must not know what evidence is worth.

Paths of fields are put together only for a violation: nearly all requests have none.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from enum import StrEnum
from math import isfinite
from typing import Any, Final, TypeVar

from google.protobuf.descriptor import EnumDescriptor
from google.protobuf.timestamp_pb2 import Timestamp

from pairguard.age.evidence import (
    AgeCheck,
    AgeEvidence,
    Binding,
    CheckMethod,
    CheckResult,
    FacialAgeEstimate,
    Liveness,
    Observation,
    Platform,
    PlatformAgeRange,
    PlatformAssurance,
    SelfDeclared,
    VerificationMethod,
    VerifiedAge,
)
from pairguard.server.field_limits import IN_FUTURE, TIME_RANGE, TOO_LONG, seconds_of, too_long
from pairguard.server.violations import NOT_FINITE, REQUIRED, UNKNOWN_ENUM_NUMBER, Violations
from pairguard.v1 import participant_pb2

CLOCK_TOLERANCE_SECONDS: Final = 60.0
"""How far the caller's clock may run ahead before an observation counts as from the future."""

EARLIEST_SECONDS = 1_104_537_600.0
"""2005-01-01: an earlier time is a clock that stood wrong, and would make children adults."""

MAX_AGE_YEARS: Final = 120

_AGE_RANGE = f"must be from 0 to {MAX_AGE_YEARS} years"
_BIRTH_YEAR_RANGE = f"must make an age from 0 to {MAX_AGE_YEARS} years"
_TOO_EARLY = "must not lie before 2005-01-01; leave it out if the time is not known"
_EITHER_AGE = "needs either age_years or birth_year, and not both"

_Enum = TypeVar("_Enum", bound=StrEnum)


def _enum_values(contract: EnumDescriptor, domain: type[_Enum]) -> Mapping[int, _Enum]:
    """Return the domain's value for each number of a contract's enum that it has one for."""
    prefix = contract.values[0].name.removesuffix("UNSPECIFIED")
    names = {value.number: value.name.removeprefix(prefix) for value in contract.values}
    return {n: domain[name] for n, name in names.items() if name in domain.__members__}


_BINDINGS = _enum_values(participant_pb2.Binding.DESCRIPTOR, Binding)
_CHECK_METHODS = _enum_values(participant_pb2.CheckMethod.DESCRIPTOR, CheckMethod)
_CHECK_RESULTS = _enum_values(participant_pb2.CheckResult.DESCRIPTOR, CheckResult)
_LIVENESS = _enum_values(participant_pb2.Liveness.DESCRIPTOR, Liveness)
_PLATFORMS = _enum_values(participant_pb2.Platform.DESCRIPTOR, Platform)
_ASSURANCES = _enum_values(participant_pb2.PlatformAssurance.DESCRIPTOR, PlatformAssurance)
_VERIFICATIONS = _enum_values(participant_pb2.VerificationMethod.DESCRIPTOR, VerificationMethod)


class EvidenceReader:
    """Reads the evidence of one participant.

    Args:
        place: Path of the participant in the request.
        now: The server's clock, seconds since 1970.
        violations: Where what is wrong is put; what is read is worth nothing if anything is.
    """

    __slots__ = ("_index", "_now", "_place", "_violations")

    def __init__(self, place: str, now: float, violations: Violations) -> None:
        self._place = place
        self._now = now
        self._violations = violations
        self._index: int | None = None

    def read(self, messages: Any) -> tuple[AgeEvidence, ...]:
        """Return the items; those that are wrong are left out and remembered."""
        items: list[AgeEvidence] = []
        by_id: dict[str, AgeEvidence] = {}
        for index, message in enumerate(messages):
            self._index = index
            item = self._item(message)
            if item is None:
                continue
            items.append(item)
            if not item.evidence_id:
                continue
            earlier = by_id.setdefault(item.evidence_id, item)
            if earlier is not item and earlier != item:
                self._refuse("evidence_id", "is that of an earlier item with another content")
        return tuple(items)

    def read_item(self, message: participant_pb2.AgeEvidence) -> AgeEvidence | None:
        """Return an item that stands by itself; paths start at it. None: it is wrong."""
        self._index = None
        return self._item(message)

    def read_verified_age(
        self, message: participant_pb2.VerifiedAge, name: str
    ) -> VerifiedAge | None:
        """Return a verified age that is no item of evidence; ``name`` is its field."""
        self._index = None
        return self._verified(message, name)

    def _item(self, message: participant_pb2.AgeEvidence) -> AgeEvidence | None:
        observed_time = expire_time = None
        if message.HasField("observed_time"):
            observed_time = self._past(message.observed_time, "observed_time")
        if message.HasField("expire_time"):
            expire_time = self._time(message.expire_time, "expire_time")
            if (
                expire_time is not None
                and observed_time is not None
                and expire_time < observed_time
            ):
                self._refuse("expire_time", "must not lie before observed_time")
        if too_long(message.evidence_id):
            self._refuse("evidence_id", TOO_LONG)
        if too_long(message.provider):
            self._refuse("provider", TOO_LONG)
        binding = _BINDINGS.get(message.binding)
        if binding is None:
            self._refuse("binding", UNKNOWN_ENUM_NUMBER)
        observation = self._observation(message)
        if observation is None or binding is None:
            return None
        return AgeEvidence(
            observation=observation,
            evidence_id=message.evidence_id,
            observed_time=observed_time,
            expire_time=expire_time,
            provider=message.provider,
            binding=binding,
        )

    def _observation(self, message: participant_pb2.AgeEvidence) -> Observation | None:
        match message.WhichOneof("observation"):
            case "self_declared":
                return self._self_declared(message.self_declared)
            case "platform_age_range":
                return self._platform_range(message.platform_age_range)
            case "facial_age_estimate":
                return self._face(message.facial_age_estimate)
            case "age_check":
                return self._check(message.age_check)
            case "verified_age":
                return self._verified(message.verified_age)
        self._refuse("observation", "exactly one that this service knows is required")
        return None

    def _self_declared(self, message: participant_pb2.SelfDeclared) -> Observation | None:
        age_years, birth_year = self._either_age(message, "self_declared")
        gate_years = declared_time = None
        if message.HasField("gate_years"):
            gate_years = self._age(message.gate_years, "self_declared.gate_years")
        if message.HasField("declared_time"):
            declared_time = self._past(message.declared_time, "self_declared.declared_time")
        return SelfDeclared(
            age_years=age_years,
            birth_year=birth_year,
            declared_time=declared_time,
            gate_years=gate_years,
        )

    def _platform_range(self, message: participant_pb2.PlatformAgeRange) -> Observation | None:
        lower = upper = None
        if message.HasField("lower_years"):
            lower = message.lower_years
            self._age(lower, "platform_age_range.lower_years")
        if message.HasField("upper_years"):
            upper = message.upper_years
            self._age(upper, "platform_age_range.upper_years")
        if lower is None and upper is None:
            self._refuse("platform_age_range", "needs lower_years or upper_years")
        elif lower is not None and upper is not None and lower > upper:
            self._refuse("platform_age_range.upper_years", "must not lie below lower_years")
        platform = _PLATFORMS.get(message.platform)
        assurance = _ASSURANCES.get(message.assurance)
        if platform is None:
            self._refuse("platform_age_range.platform", UNKNOWN_ENUM_NUMBER)
        if assurance is None:
            self._refuse("platform_age_range.assurance", UNKNOWN_ENUM_NUMBER)
        if platform is None or assurance is None:
            return None
        return PlatformAgeRange(platform, assurance, lower_years=lower, upper_years=upper)

    def _face(self, message: participant_pb2.FacialAgeEstimate) -> Observation | None:
        if not message.HasField("mean_years"):
            self._refuse("facial_age_estimate.mean_years", REQUIRED)
        mean_years = self._age(message.mean_years, "facial_age_estimate.mean_years")
        quality = None
        if message.HasField("quality"):
            quality = message.quality
            if not isfinite(quality):
                self._refuse("facial_age_estimate.quality", NOT_FINITE)
        liveness = self._capture(message, "facial_age_estimate")
        if liveness is None:
            return None
        return FacialAgeEstimate(
            mean_years=mean_years,
            liveness=liveness,
            quality=quality,
            capture_session=message.capture_session,
        )

    def _check(self, message: participant_pb2.AgeCheck) -> Observation | None:
        method = self._required_enum(message.method, _CHECK_METHODS, "age_check.method")
        result = self._required_enum(message.result, _CHECK_RESULTS, "age_check.result")
        if not message.HasField("threshold_years"):
            self._refuse("age_check.threshold_years", REQUIRED)
        threshold_years = self._age(message.threshold_years, "age_check.threshold_years")
        liveness = self._capture(message, "age_check")
        if method is None or result is None or liveness is None:
            return None
        return AgeCheck(
            method,
            threshold_years=threshold_years,
            result=result,
            liveness=liveness,
            capture_session=message.capture_session,
        )

    def _verified(
        self, message: participant_pb2.VerifiedAge, name: str = "verified_age"
    ) -> VerifiedAge | None:
        age_years, birth_year = self._either_age(message, name)
        method = self._required_enum(message.method, _VERIFICATIONS, f"{name}.method")
        liveness = self._capture(message, name)
        if method is None or liveness is None:
            return None
        return VerifiedAge(
            method,
            age_years=age_years,
            birth_year=birth_year,
            liveness=liveness,
            capture_session=message.capture_session,
        )

    def _capture(
        self,
        message: participant_pb2.FacialAgeEstimate
        | participant_pb2.AgeCheck
        | participant_pb2.VerifiedAge,
        name: str,
    ) -> Liveness | None:
        """Check what is told of a capture; return its liveness, None where it is refused."""
        if too_long(message.capture_session):
            self._refuse(f"{name}.capture_session", TOO_LONG)
        liveness = _LIVENESS.get(message.liveness)
        if liveness is None:
            self._refuse(f"{name}.liveness", UNKNOWN_ENUM_NUMBER)
        return liveness

    def _either_age(
        self, message: participant_pb2.SelfDeclared | participant_pb2.VerifiedAge, name: str
    ) -> tuple[float | None, int | None]:
        has_age, has_year = message.HasField("age_years"), message.HasField("birth_year")
        if has_age is has_year:
            self._refuse(name, _EITHER_AGE)
        if has_age:
            return self._age(message.age_years, f"{name}.age_years"), None
        if has_year:
            this_year = datetime.fromtimestamp(self._now, UTC).year
            if not this_year - MAX_AGE_YEARS <= message.birth_year <= this_year:
                self._refuse(f"{name}.birth_year", _BIRTH_YEAR_RANGE)
            return None, message.birth_year
        return None, None

    def _required_enum(self, number: int, values: Mapping[int, _Enum], name: str) -> _Enum | None:
        value = values.get(number)
        if value is None:
            self._refuse(name, UNKNOWN_ENUM_NUMBER if number else REQUIRED)
        return value

    def _age(self, years: float, name: str) -> float:
        # Written so that NaN is refused too.
        if not 0.0 <= years <= MAX_AGE_YEARS:
            self._refuse(name, _AGE_RANGE)
        return years

    def _past(self, time: Timestamp, name: str) -> float | None:
        seconds = self._time(time, name)
        if seconds is not None and seconds > self._now + CLOCK_TOLERANCE_SECONDS:
            self._refuse(name, IN_FUTURE)
        if seconds is not None and seconds < EARLIEST_SECONDS:
            self._refuse(name, _TOO_EARLY)
        return seconds

    def _time(self, time: Timestamp, name: str) -> float | None:
        seconds = seconds_of(time)
        if seconds is None:
            self._refuse(name, TIME_RANGE)
        return seconds

    def _refuse(self, name: str, description: str) -> None:
        field = name if self._index is None else f"age_evidence[{self._index}].{name}"
        self._violations.add(f"{self._place}.{field}" if self._place else field, description)
