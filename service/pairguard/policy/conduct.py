"""What a participant's own conduct and reputation forbid: reports, spent budgets, probing.

Owns the rules over what is kept of one participant. All of them reroute, none blocks or holds: a
count of what others say or of what was asked for is no finding of fault. Reports count by distinct
reporters who met the participant and by their share of all partners, so that a few colluders stop
nobody who meets many. It must not know the partner, but for the pair's ``minor_adult_probability``.

Each comparison is written so that a count that is no number, infinite or negative counts as its
worst.
"""

from __future__ import annotations

from math import inf

from pairguard.age.admission import Admission
from pairguard.policy.document import RegionPolicy
from pairguard.policy.reasons import ReasonCode
from pairguard.policy.state import KeptState

_SECONDS_PER_MINUTE = 60.0


def conduct_refusals(
    lines: RegionPolicy, kept: KeptState, *, own_pool: Admission, exposure: float
) -> tuple[ReasonCode, ...]:
    """Return why what is kept of a participant forbids a pair; empty: it does not.

    Stricter lines, more reports, exposure, reroutes or decisions never take a reason away.

    Args:
        lines: The policy lines to hold against it.
        kept: What is kept of the participant.
        own_pool: The participant's pool under the lines of its own region.
        exposure: What the pair would add to the participant's exposure, in [0, 1].
    """
    refusals = []
    if _reported(lines, kept):
        refusals.append(ReasonCode.REPORTED)
    spent = kept.exposure_24h
    if not spent >= 0.0 or not spent + exposure <= lines.max_exposure_per_day:
        refusals.append(ReasonCode.EXPOSURE_SPENT)
    if not 0.0 <= kept.reroutes_24h <= lines.max_reroutes_per_day:
        refusals.append(ReasonCode.REROUTES_SPENT)
    if not 0.0 <= kept.decisions_24h < lines.min_decisions_per_day and (
        _starts_nothing(lines, kept) or _fishes(lines, kept, own_pool)
    ):
        refusals.append(ReasonCode.PROBING)
    return tuple(refusals)


def met_recently(lines: RegionPolicy, seconds_since_last_met: float | None) -> bool:
    """Return whether two met within the policy's window; None: they never did."""
    if seconds_since_last_met is None:
        return False
    window_seconds = lines.recent_partner_minutes * _SECONDS_PER_MINUTE
    # A time that is no number, or lies ahead because a clock went back, is just now.
    since = seconds_since_last_met if 0.0 <= seconds_since_last_met < inf else 0.0
    return since < window_seconds


def _reported(lines: RegionPolicy, kept: KeptState) -> bool:
    reporters, partners = kept.reporters_30d, kept.partners_30d
    if 0.0 <= reporters < lines.min_reporters:
        return False
    share_counted = 0.0 <= partners < inf and 0.0 <= reporters < inf
    return not share_counted or not reporters < lines.min_reporter_share * partners


def _starts_nothing(lines: RegionPolicy, kept: KeptState) -> bool:
    """Return whether too few of the allowed pairs became chats; the first must have been due."""
    if not kept.chats_counted:
        return False
    allowed, started = kept.allowed_24h, kept.chats_started_24h
    due = lines.min_started_share * (allowed if 0.0 <= allowed < inf else inf)
    return due >= 1.0 and (started if 0.0 <= started < inf else 0.0) < due


def _fishes(lines: RegionPolicy, kept: KeptState, own_pool: Admission) -> bool:
    """Return whether nearly all proposed partners are likely minors, and this one is none."""
    mean = kept.partner_minor_mean_24h
    if mean is None or own_pool is Admission.MINORS:
        return False
    return not 0.0 <= mean <= lines.max_partner_minor_mean
