"""What keeps one participant from meeting anybody, whoever the other is.

Owns which of the rules over pairs look at one of the two alone. It must not know a partner.
"""

from __future__ import annotations

from pairguard.age.admission import Admission
from pairguard.policy.conduct import conduct_refusals
from pairguard.policy.decision import held_reasons
from pairguard.policy.document import UnknownMayMeet
from pairguard.policy.pools import Side, own_admission
from pairguard.policy.reasons import ReasonCode

_ORDER = {code: place for place, code in enumerate(ReasonCode)}
_LIKELY = 0.5


def own_refusals(side: Side) -> tuple[ReasonCode, ...]:
    """Return why a participant meets nobody now, in the order of the rules; empty: it may.

    Under the lines of its own region, with nothing added to its exposure.
    """
    lines, age = side.lines, side.age
    pool = own_admission(side)
    codes = set(held_reasons(side.kept.held_for))
    codes |= set(conduct_refusals(lines, side.kept, own_pool=pool, exposure=0.0))
    if pool is Admission.BARRED:
        codes.add(ReasonCode.BELOW_MINIMUM_AGE)
    elif pool is Admission.UNKNOWN:
        if age.conflict:
            codes.add(ReasonCode.AGE_EVIDENCE_CONFLICT)
        elif not age.probability_below(max(lines.adult_ages)) < _LIKELY:
            codes.add(ReasonCode.LIKELY_MINOR)
        elif lines.unknown_may_meet is UnknownMayMeet.NOBODY:
            codes.add(ReasonCode.AGE_UNKNOWN)
    elif pool is Admission.MINORS and not lines.minors_may_meet:
        # But for the narrow allowance across the adult age.
        allowance = lines.close_in_age_max_gap_years and age.verified_live_years is not None
        if not allowance:
            codes.add(ReasonCode.MINORS_NOT_PAIRED)
    return tuple(sorted(codes, key=_ORDER.__getitem__))
