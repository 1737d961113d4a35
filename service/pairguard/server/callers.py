"""Who may call, and what: the callers that a document names.

Owns scopes, the form of the document, and how a caller is found by what it presents. It must not
know where the document is kept nor how a call presents anything. A token itself is never in here:
the document holds its SHA-256, and a token is as long as its hash and random, so that the hash
tells nothing of it.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from enum import StrEnum
from hashlib import sha256
from hmac import compare_digest
from math import inf, isfinite, isnan, nan
from typing import Any, Final

from pairguard.errors import ConfigurationRefused

MAX_ENTRIES: Final = 256
_LINES: Final = frozenset(
    {"name", "sha256", "certificate", "scopes", "expire"}
    | {"max_calls_per_second", "max_concurrent_calls"}
)
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_HEX_DIGEST: Final = re.compile(r"[0-9a-f]{64}")
_MAX_CERTIFICATE_NAME: Final = 256
_LEAST_RATE: Final = 0.01
_MOST_CALLS: Final = 1_000_000


class Scope(StrEnum):
    """What a caller may do."""

    SCORE = "score"
    """Have pairs judged."""
    FULL_VIEW = "full_view"
    """See what is believed about an age."""
    FEEDBACK = "feedback"
    """Record events and age evidence, which can hold participants and release them."""
    ERASE = "erase"
    """Have participants erased."""
    ADMIN = "admin"
    """Look decisions up, with all that they were made on."""


_SCOPES: Final = frozenset(scope.value for scope in Scope)


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls.

    Attributes:
        name: As the operator named it; "": callers are not told apart.
        scopes: What it may do.
        expire_time: Seconds since 1970 from which on it is refused; infinite: never.
        max_calls_per_second: How many calls it may begin in a second; infinite: any number.
        max_concurrent_calls: How many may be worked on at once; infinite: any number.
    """

    name: str
    scopes: frozenset[Scope]
    expire_time: float = inf
    max_calls_per_second: float = inf
    max_concurrent_calls: float = inf

    @property
    def is_limited(self) -> bool:
        """Whether anything of it is."""
        return min(self.max_calls_per_second, self.max_concurrent_calls) < inf


ANYBODY: Final = Caller("", frozenset(Scope))
"""The caller where callers are not told apart: all that the settings allow."""


class Callers:
    """The callers of one document.

    Args:
        by_digest: Callers by the SHA-256 of their tokens.
        by_certificate: Callers by a name in their certificates.
    """

    def __init__(
        self, by_digest: Mapping[bytes, Caller], by_certificate: Mapping[str, Caller]
    ) -> None:
        # What is compared is a hash, and nobody chooses the hash of a guess: the time that the look
        # into the table takes says nothing of a token. The comparison takes the same time always.
        self._by_digest = {digest: (digest, caller) for digest, caller in by_digest.items()}
        self._by_certificate = {name.encode(): caller for name, caller in by_certificate.items()}

    @property
    def use_certificates(self) -> bool:
        """Whether a caller is known by its certificate."""
        return bool(self._by_certificate)

    @property
    def names(self) -> frozenset[str]:
        """Names of all callers."""
        every = [caller for _, caller in self._by_digest.values()]
        return frozenset(caller.name for caller in (*every, *self._by_certificate.values()))

    def with_token(self, token: str) -> Caller | None:
        """Return whose token it is; None: nobody's."""
        digest = sha256(token.encode("utf-8", "surrogatepass")).digest()
        found = self._by_digest.get(digest)
        return found[1] if found is not None and compare_digest(found[0], digest) else None

    def with_certificate(self, names: Iterable[bytes]) -> Caller | None:
        """Return whose certificate has one of these names; None: nobody's, or not one caller's."""
        found = {self._by_certificate[name] for name in names if name in self._by_certificate}
        return found.pop() if len(found) == 1 else None


def parse_callers(text: str) -> Callers:
    """Read a document of callers: a TOML file of ``[[callers]]`` tables.

    Raises:
        ConfigurationRefused: With every problem found; none of them repeats a value, since what
            stands in the wrong place may be a token.
    """
    try:
        document = tomllib.loads(text)
    except ValueError as error:
        where = re.search(r" \(at [^)]*\)", str(error))
        raise ConfigurationRefused([f"is not TOML{where[0] if where else ''}"]) from None
    problems: list[str] = []
    tables = document.pop("callers", [])
    if document:
        problems.append("must hold [[callers]] tables and nothing else")
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        problems.append("callers: must be written as [[callers]] tables")
        tables = []
    elif not 1 <= len(tables) <= MAX_ENTRIES:
        problems.append(f"must have 1 to {MAX_ENTRIES} [[callers]] tables")
    by_digest: dict[bytes, Caller] = {}
    by_certificate: dict[str, Caller] = {}
    for place, table in enumerate(tables, start=1):
        found = _table_problems(table)
        problems += [f"callers, table {place}: {problem}" for problem in found]
        if found:
            continue
        caller = Caller(
            table["name"],
            frozenset(Scope(scope) for scope in table["scopes"]),
            _expire_time(table.get("expire")),
            float(table.get("max_calls_per_second", inf)),
            float(table.get("max_concurrent_calls", inf)),
        )
        if "sha256" in table:
            digest = bytes.fromhex(table["sha256"])
            if digest in by_digest:
                problems.append(f"callers, table {place}: sha256: stands in another table too")
            by_digest[digest] = caller
        else:
            if table["certificate"] in by_certificate:
                problems.append(f"callers, table {place}: certificate: stands in another table too")
            by_certificate[table["certificate"]] = caller
    if problems:
        raise ConfigurationRefused(problems)
    return Callers(by_digest, by_certificate)


def name_problem(name: object) -> str | None:
    """Return what is wrong with the name of a caller; None: nothing."""
    if isinstance(name, str) and _NAME.fullmatch(name):
        return None
    return "must be 1-64 letters, digits, '.', '_' and '-', the first a letter or digit"


def _table_problems(table: Mapping[str, Any]) -> list[str]:
    problems = []
    if not table.keys() <= _LINES:
        problems.append(f"may have only the lines {', '.join(sorted(_LINES))}")
    if "token" in table:
        problems.append("a token does not belong here, only its sha256; make a new one")
    problem = name_problem(table.get("name"))
    if problem is not None:
        problems.append(f"name: {problem}")
    if ("sha256" in table) == ("certificate" in table):
        problems.append("must have either sha256 or certificate")
    digest, certificate = table.get("sha256", "0" * 64), table.get("certificate", "-")
    if not (isinstance(digest, str) and _HEX_DIGEST.fullmatch(digest)):
        problems.append("sha256: must be 64 lower-case hexadecimal digits")
    if not (isinstance(certificate, str) and 1 <= len(certificate) <= _MAX_CERTIFICATE_NAME):
        problems.append(f"certificate: must be a text of 1-{_MAX_CERTIFICATE_NAME} characters")
    scopes = table.get("scopes")
    known = isinstance(scopes, list) and all(
        isinstance(scope, str) and scope in _SCOPES for scope in scopes
    )
    if not (scopes and known):
        problems.append(f"scopes: must be a list of {', '.join(Scope)}")
    if isnan(_expire_time(table.get("expire"))):
        problems.append("expire: must be a date, or a date and time with a time zone")
    return problems + _limit_problems(table)


def _limit_problems(table: Mapping[str, Any]) -> list[str]:
    rate, concurrent = (
        table.get(name, 1) for name in ("max_calls_per_second", "max_concurrent_calls")
    )
    problems = []
    if not (_is_number(rate) and _LEAST_RATE <= rate <= _MOST_CALLS):
        problems.append(f"max_calls_per_second: must be from {_LEAST_RATE} to {_MOST_CALLS}")
    if not (_is_number(concurrent) and concurrent == int(concurrent) and concurrent >= 1):
        problems.append("max_concurrent_calls: must be a whole number of at least 1")
    return problems


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value)


def _expire_time(value: object) -> float:
    """Return the time from which on a caller is refused; NaN: it cannot be told."""
    if value is None:
        return inf
    if isinstance(value, datetime):
        return value.timestamp() if value.tzinfo is not None else nan
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day, tzinfo=UTC).timestamp()
    return nan
