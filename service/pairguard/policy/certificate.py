"""A bundle's certificate as far as a policy is concerned: which number keeps which promise, where.

Owns what the service reads of ``certificate.json``, whole or not at all, and when it may be used.
What else stands there is for people. It must not know files, the clock or a policy's lines: the
time comes in as a parameter.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from math import isfinite
from typing import Any, Final

from pairguard.policy.document import is_region_code
from pairguard.policy.promises import Promise, PromiseKind

FORMAT_VERSION: Final = 1
ALL: Final = "all"
"""The stratum of everybody whose region is known, where regions were not told apart."""
ELSEWHERE: Final = "elsewhere"
"""The stratum of every known region that has none of its own."""
ACROSS: Final = "across"
"""The stratum of pairs whose two are of different strata."""
MOST_VALID_SECONDS: Final = 400 * 86_400.0
"""A certificate that claims to hold for longer is not believed."""

_SHA256 = re.compile(r"[0-9a-f]{64}")
_MOST_PROMISES = 64
_MOST_STRATA = 512


class CertificateMalformed(ValueError):
    """Raise when a certificate cannot be read; nothing of it may be used."""


@dataclass(frozen=True, slots=True)
class Stratum:
    """One number of a certificate.

    Attributes:
        adult_ages: The adult ages under which people were judged.
        threshold: The highest number that keeps the promise, in [0, 1]; None: none was found.
    """

    adult_ages: frozenset[int]
    threshold: float | None


@dataclass(frozen=True, slots=True)
class CertifiedPromise:
    """A promise with the numbers that keep it, by the name of the stratum."""

    promise: Promise
    strata: Mapping[str, Stratum]

    def number(self, code: str | None, adult_age: int, configured: Collection[str]) -> float | None:
        """Return the number that keeps the promise for people under the lines of a region.

        A region with a stratum of its own has that one's number; every other region, and one that
        is not known (None), has the strictest of all strata of its adult age. Pairs are also bound
        by the number of those across strata. None: some stratum that counts has no number, or one
        whose people the lines may be about has another adult age.

        Args:
            code: Of the region; None: the lines of all that are not configured.
            adult_age: Under the lines, years.
            configured: The regions with lines of their own.
        """
        numbers = []
        for name, stratum in self._binding(code, adult_age, configured).items():
            if stratum.threshold is None or adult_age not in stratum.adult_ages:
                return None
            if name != ACROSS and len(stratum.adult_ages) > 1:
                return None
            numbers.append(stratum.threshold)
        return min(numbers, default=None)

    def demands(self, code: str | None, adult_age: int) -> dict[str, float]:
        """Return what each stratum that fits demands, whether the others do or not.

        Of a region with a stratum of its own that and the one across; of every other region, and
        where its own has no number, all strata of its adult age.
        """
        found = {
            name: stratum.threshold
            for name, stratum in self.strata.items()
            if stratum.threshold is not None and adult_age in stratum.adult_ages
        }
        if code is not None and code in found and not self._is_told_apart_further(code):
            return {name: found[name] for name in (code, ACROSS) if name in found}
        return found

    def _binding(
        self, code: str | None, adult_age: int, configured: Collection[str]
    ) -> Mapping[str, Stratum]:
        """Return the strata whose numbers bind the lines of a region; none: it is not covered."""
        if code is not None and code in self.strata:
            if not self._is_told_apart_further(code):
                return {name: self.strata[name] for name in (code, ACROSS) if name in self.strata}
        elif not self.strata.keys() & {ALL, ELSEWHERE}:
            return {}
        return {
            name: stratum
            for name, stratum in self.strata.items()
            if adult_age in stratum.adult_ages or _may_be_about(code, name, configured)
        }

    def _is_told_apart_further(self, code: str | None) -> bool:
        """Return whether anybody of a region may be of one of its parts that are strata."""
        return any(name.startswith(f"{code}-") for name in self.strata)


@dataclass(frozen=True, slots=True)
class Certificate:
    """What a certificate promises.

    Attributes:
        model_hash: The model that it speaks of, ``Manifest.model_hash``.
        issue_time: From when on it may be used, seconds since 1970.
        expire_time: Until when.
        promises: What is promised.
    """

    model_hash: str
    issue_time: float
    expire_time: float
    promises: tuple[CertifiedPromise, ...]

    def holds_at(self, now: float) -> bool:
        """Return whether it may be used at a time; never where the time is no number."""
        return self.issue_time <= now < self.expire_time

    def kept(
        self, promise: Promise, code: str | None, adult_age: int, configured: Collection[str] = ()
    ) -> float | None:
        """Return the highest number that keeps a promise under the lines of a region; None: none.

        Each of these numbers keeps the promise by itself. Arguments as of
        ``CertifiedPromise.number``.
        """
        numbers = [
            each.number(code, adult_age, configured)
            for each in self.promises
            if each.promise.keeps(promise)
        ]
        return max((number for number in numbers if number is not None), default=None)

    def demanded(self, promise: Promise, code: str | None, adult_age: int) -> list[float]:
        """Return numbers above which a promise is not kept for some of those it is about.

        What keeps it in all strata lies at or below each of them: that of a stratum that has one,
        although others have none, and those of weaker promises of its kind. Of several numbers that
        keep it in one stratum the highest is enough.
        """
        enough: dict[str, float] = {}
        numbers: list[float] = []
        for each in self.promises:
            demands = each.demands(code, adult_age)
            if each.promise.keeps(promise):
                for name, number in demands.items():
                    enough[name] = max(enough.get(name, 0.0), number)
            elif each.promise.kind is promise.kind:
                numbers += demands.values()
        return [*numbers, *enough.values()]


def _may_be_about(code: str | None, name: str, configured: Collection[str]) -> bool:
    """Return whether the lines of a region may hold for people of a stratum."""
    if name in {ALL, ELSEWHERE, ACROSS}:
        return True
    country = name.partition("-")[0]
    if code is None:
        return name not in configured and country not in configured
    return code in {name, country} or name == code.partition("-")[0]


def certifies(document: Mapping[str, Any]) -> bool:
    """Return whether a document claims to be a certificate; an uncertified bundle's does not."""
    return document.get("certified") is True


def parse_certificate(document: Mapping[str, Any]) -> Certificate:
    """Read a certificate.

    Raises:
        CertificateMalformed: Anything that the service reads is missing or makes no sense.
    """
    if not certifies(document):
        raise CertificateMalformed("is none: nothing was certified")
    if document.get("format_version") != FORMAT_VERSION:
        raise CertificateMalformed(f"format_version must be {FORMAT_VERSION}")
    model_hash = document.get("model_hash")
    if not isinstance(model_hash, str) or _SHA256.fullmatch(model_hash) is None:
        raise CertificateMalformed("model_hash must be a sha256")
    issued, expires = (_seconds(document, name) for name in ("issue_time", "expire_time"))
    if not 0.0 < expires - issued <= MOST_VALID_SECONDS:
        raise CertificateMalformed("expire_time must follow issue_time, within 400 days")
    promises = _list(document, "promises", _MOST_PROMISES)
    return Certificate(model_hash, issued, expires, tuple(_promise(each) for each in promises))


def _promise(document: Any) -> CertifiedPromise:
    table = _mapping(document, "promises")
    kind = table.get("kind")
    if not isinstance(kind, str) or kind not in set(PromiseKind):
        raise CertificateMalformed(f"kind must be one of {', '.join(PromiseKind)}")
    promise = Promise(PromiseKind(kind), _share(table, "max_rate"), _share(table, "confidence"))
    strata: dict[str, Stratum] = {}
    for each in _list(table, "strata", _MOST_STRATA):
        stratum = _mapping(each, "strata")
        name = stratum.get("stratum")
        known = isinstance(name, str) and (name in {ALL, ELSEWHERE, ACROSS} or is_region_code(name))
        if not isinstance(name, str) or not known or name in strata:
            raise CertificateMalformed("stratum must be a region, all, elsewhere or across, once")
        strata[name] = Stratum(_adult_ages(stratum), _threshold(stratum))
    people = strata.keys() - {ACROSS}
    if not people or (ALL in people and len(people) > 1):
        raise CertificateMalformed("strata must be all, or regions and elsewhere")
    if kind == PromiseKind.MIXED_PAIRS_ALLOWED and len(people) > 1 and ACROSS not in strata:
        raise CertificateMalformed("strata of pairs must include those across")
    return CertifiedPromise(promise, strata)


def _adult_ages(table: Mapping[str, Any]) -> frozenset[int]:
    ages = table.get("adult_ages")
    if not isinstance(ages, Sequence) or not ages:
        raise CertificateMalformed("adult_ages must be whole years")
    if any(not isinstance(age, int) or isinstance(age, bool) for age in ages):
        raise CertificateMalformed("adult_ages must be whole years")
    return frozenset(ages)


def _threshold(table: Mapping[str, Any]) -> float | None:
    if "threshold" in table and table["threshold"] is None:
        return None
    return _number(table, "threshold", 0.0, 1.0)


def _share(table: Mapping[str, Any], name: str) -> float:
    value = _number(table, name, 0.0, 1.0)
    if value in (0.0, 1.0):
        raise CertificateMalformed(f"{name} must lie between 0 and 1")
    return value


def _number(table: Mapping[str, Any], name: str, low: float, high: float) -> float:
    value = table.get(name)
    # Compared before anything is made of it: a whole number can be too large for a float.
    if isinstance(value, (int, float)) and not isinstance(value, bool) and low <= value <= high:
        return float(value)
    raise CertificateMalformed(f"{name} must be a number from {low:g} to {high:g}")


def _seconds(table: Mapping[str, Any], name: str) -> float:
    text = table.get(name)
    try:
        time = datetime.fromisoformat(text) if isinstance(text, str) else None
        seconds = time.timestamp() if time is not None and time.tzinfo is not None else None
    except (ValueError, OverflowError):
        seconds = None
    if seconds is None or not isfinite(seconds):
        raise CertificateMalformed(f"{name} must be a time such as 2026-01-31T12:00:00Z")
    return seconds


def _list(table: Mapping[str, Any], name: str, most: int) -> list[Any]:
    value = table.get(name)
    if isinstance(value, list) and 0 < len(value) <= most:
        return value
    raise CertificateMalformed(f"{name} must be a list of 1 to {most}")


def _mapping(value: Any, name: str) -> Mapping[str, Any]:
    if isinstance(value, Mapping):
        return value
    raise CertificateMalformed(f"{name} must hold objects")
