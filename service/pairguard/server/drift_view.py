"""What is known of drift at one moment.

Owns the values that go from whoever counts (``drift_watch``) to whoever tells (``drift_figures``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from pairguard.drift.comparison import Finding

USABLE, MISSING, UNUSABLE, OFF, NO_BUNDLE = "usable", "missing", "unusable", "off", "no_bundle"
STATES: Final = (USABLE, MISSING, UNUSABLE, OFF, NO_BUNDLE)
"""What there is to compare with; MISSING: an older bundle, UNUSABLE: a section that makes no sense,
OFF: the setting says so, NO_BUNDLE: none was loaded yet."""


@dataclass(frozen=True, slots=True)
class WindowFindings:
    """One window beside the reference.

    Attributes:
        name: ``hour`` or ``day``.
        participants: How many were counted.
        pairs: How many were counted.
        findings: The largest difference first.
    """

    name: str
    participants: int
    pairs: int
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class DriftView:
    """What is known of drift now.

    Attributes:
        state: One of ``STATES``.
        since: When counting began, seconds since 1970; 0: it did not.
        same_policy: Whether the policy that serves is that of the reference.
        errors: Times that counting failed, since the process began.
        windows: Each window; empty where there is nothing to compare with.
    """

    state: str
    since: float
    same_policy: bool
    errors: int
    windows: tuple[WindowFindings, ...]
