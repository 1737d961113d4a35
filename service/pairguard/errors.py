"""The errors of the domain: one tree, each with a reason a program can read.

Owns what went wrong and where. It must not know how an error is answered: status codes and
details are chosen in one table in ``pairguard.server``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FieldViolation:
    """One field that cannot be accepted.

    Attributes:
        field: Path from the request or document, e.g. ``participant_a.age_evidence[2].provider``.
        description: What was wrong and what would be right. Never repeats the value of an id.
    """

    field: str
    description: str


class PairguardError(Exception):
    """The root of every error that pairguard raises on purpose.

    Attributes:
        reason: UPPER_SNAKE_CASE constant, stable across versions.
        metadata: Additional facts for programs; never personal data.
    """

    def __init__(
        self, message: str, *, reason: str, metadata: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.reason = reason
        self.metadata: Mapping[str, str] = dict(metadata or {})


class InvalidInput(PairguardError):
    """Raise when the caller sent something that can never be right; not for missing facts."""

    def __init__(
        self, violations: Sequence[FieldViolation], *, reason: str = "INVALID_INPUT"
    ) -> None:
        self.violations = tuple(violations)
        text = "; ".join(f"{v.field}: {v.description}" for v in self.violations)
        super().__init__(text, reason=reason)


class _Refused(PairguardError):
    """A document that was read and is not fit for use; lists every problem at once."""

    def __init__(self, problems: Sequence[str], *, reason: str) -> None:
        self.problems = tuple(problems)
        super().__init__("; ".join(self.problems), reason=reason)


class PolicyRefused(_Refused):
    """Raise when a policy document does not validate; nothing of it may be used."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__(problems, reason="POLICY_INVALID")


class ConfigurationRefused(_Refused):
    """Raise when settings contradict each other or are unknown; the process must not start."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__(problems, reason="CONFIGURATION_INVALID")


class TablesRefused(_Refused):
    """Raise when training tables cannot be used; lists every problem found in all of them."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__(problems, reason="TABLES_INVALID")


class BundleRefused(PairguardError):
    """Raise when a model bundle does not verify; whatever served before goes on serving."""


class StoreUnavailable(PairguardError):
    """Raise when stored state cannot be read or promised; not for state that is absent."""

    def __init__(self, message: str) -> None:
        super().__init__(message, reason="STORE_UNAVAILABLE")
