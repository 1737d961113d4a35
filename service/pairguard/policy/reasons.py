"""Why a decision was made, in codes and in two kinds of words.

Owns the closed list of reasons. The text for analysts says everything; the text for participants
says nothing about the partner's age or history, and is the same for whoever of the two it concerns
unless the reason lies with the participant who reads it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Party(StrEnum):
    """Whom a reason concerns; the values are the contract's roles without their prefix."""

    A = "A"
    B = "B"
    BOTH = "BOTH"


class ReasonCode(StrEnum):
    """Every reason there is, in the order of the rules; stable across versions."""

    HELD = "HELD"
    UPHELD_HARM = "UPHELD_HARM"
    BELOW_MINIMUM_AGE = "BELOW_MINIMUM_AGE"
    PERSONAL_BLOCK = "PERSONAL_BLOCK"
    RECENT_PARTNER = "RECENT_PARTNER"
    STORE_UNAVAILABLE = "STORE_UNAVAILABLE"
    AGE_EVIDENCE_CONFLICT = "AGE_EVIDENCE_CONFLICT"
    AGE_UNKNOWN = "AGE_UNKNOWN"
    LIKELY_MINOR = "LIKELY_MINOR"
    POOLS_DIFFER = "POOLS_DIFFER"
    MINORS_NOT_PAIRED = "MINORS_NOT_PAIRED"
    AGE_GAP_TOO_WIDE = "AGE_GAP_TOO_WIDE"
    MINOR_ADULT_RISK = "MINOR_ADULT_RISK"
    HARM_RISK = "HARM_RISK"
    COMBINED_RISK = "COMBINED_RISK"
    REPORTED = "REPORTED"
    HARM_MODEL_UNAVAILABLE = "HARM_MODEL_UNAVAILABLE"
    EXPOSURE_SPENT = "EXPOSURE_SPENT"
    REROUTES_SPENT = "REROUTES_SPENT"
    PROBING = "PROBING"
    EXPLORATION = "EXPLORATION"
    ADULTS_MEET = "ADULTS_MEET"
    MINORS_MEET = "MINORS_MEET"
    CLOSE_IN_AGE = "CLOSE_IN_AGE"
    UNKNOWN_WITHIN_THRESHOLD = "UNKNOWN_WITHIN_THRESHOLD"
    AGE_CERTAIN_ENOUGH = "AGE_CERTAIN_ENOUGH"
    NO_CHECK_WOULD_SETTLE = "NO_CHECK_WOULD_SETTLE"
    EVIDENCE_UNUSABLE = "EVIDENCE_UNUSABLE"
    LOCATION_HIDDEN = "LOCATION_HIDDEN"


HOLD_REASONS = frozenset(
    {
        ReasonCode.UPHELD_HARM,
        ReasonCode.BELOW_MINIMUM_AGE,
        ReasonCode.MINOR_ADULT_RISK,
        ReasonCode.HARM_RISK,
        ReasonCode.COMBINED_RISK,
    }
)
"""What the service itself holds a participant for; any other reason of a hold is a caller's."""


@dataclass(frozen=True, slots=True)
class Reason:
    """One reason and whom it concerns."""

    code: ReasonCode
    party: Party

    @property
    def analyst_text(self) -> str:
        """What happened, for those who answer for decisions."""
        return _TEXTS[self.code][0]

    @property
    def participant_text(self) -> str:
        """What may be shown to the participant concerned."""
        return _TEXTS[self.code][1]


_NOT_THIS_ONE = "This match was not made. You can be matched with somebody else."
_CHECK = "Please confirm your age to be matched. There are several ways to do it."
_WAIT = "Matching is not possible right now. Please try again in a moment."
_MATCHED = "You were matched."

_TEXTS: dict[ReasonCode, tuple[str, str]] = {
    ReasonCode.HELD: (
        "A hold on this participant or on an id linked to it has not ended.",
        "Matching is paused for this account. You can ask for a review.",
    ),
    ReasonCode.UPHELD_HARM: (
        "A review upheld a harm by this participant, and its hold has not ended.",
        "Matching is paused for this account after a review. You can appeal.",
    ),
    ReasonCode.BELOW_MINIMUM_AGE: (
        "The participant is likely below the minimum age of the region.",
        "This service is not open to everybody. You can ask for a review.",
    ),
    ReasonCode.PERSONAL_BLOCK: (
        "One of the two asked never to meet the other.",
        _NOT_THIS_ONE,
    ),
    ReasonCode.RECENT_PARTNER: ("The two met within the policy's window.", _NOT_THIS_ONE),
    ReasonCode.STORE_UNAVAILABLE: (
        "Holds could not be read, so nothing is allowed on them.",
        _WAIT,
    ),
    ReasonCode.AGE_EVIDENCE_CONFLICT: (
        "Items of age evidence contradict each other beyond what their errors explain.",
        _CHECK,
    ),
    ReasonCode.AGE_UNKNOWN: (
        "The age is not known well enough for the adults' pool nor established for the minors'.",
        _CHECK,
    ),
    ReasonCode.LIKELY_MINOR: (
        "The participant is more likely a minor than not, and the age is not established.",
        _CHECK,
    ),
    ReasonCode.POOLS_DIFFER: (
        "The stricter of their regions has the two in no one pool, or one of them past a limit.",
        _NOT_THIS_ONE,
    ),
    ReasonCode.MINORS_NOT_PAIRED: (
        "The policy pairs no minors, or not these two.",
        "Matching is not open to your age group here.",
    ),
    ReasonCode.AGE_GAP_TOO_WIDE: (
        "The two minors are probably further apart in age than the policy allows.",
        _NOT_THIS_ONE,
    ),
    ReasonCode.MINOR_ADULT_RISK: (
        "The probability that the pair mixes a minor and an adult is above the threshold.",
        _NOT_THIS_ONE,
    ),
    ReasonCode.HARM_RISK: (
        "The probability of a harm report is above the threshold.",
        _NOT_THIS_ONE,
    ),
    ReasonCode.COMBINED_RISK: ("The risk score is above the threshold.", _NOT_THIS_ONE),
    ReasonCode.REPORTED: (
        "Enough of those who met the participant reported it; not reviewed, and no hold.",
        _NOT_THIS_ONE,
    ),
    ReasonCode.HARM_MODEL_UNAVAILABLE: (
        "There is no usable harm model and the policy does not allow on the age part alone.",
        _WAIT,
    ),
    ReasonCode.EXPOSURE_SPENT: (
        "This pair would take the participant's exposure within a day above the budget.",
        _NOT_THIS_ONE,
    ),
    ReasonCode.REROUTES_SPENT: (
        "More of the participant's pairs were refused within a day than the policy lets pass.",
        _NOT_THIS_ONE,
    ),
    ReasonCode.PROBING: (
        "Many decisions within a day, but hardly a chat started or hardly a partner but minors.",
        _NOT_THIS_ONE,
    ),
    ReasonCode.EXPLORATION: (
        "Nothing forbids the pair; it was turned away by chance, to learn from.",
        _NOT_THIS_ONE,
    ),
    ReasonCode.ADULTS_MEET: ("Both participants are admitted to the adults' pool.", _MATCHED),
    ReasonCode.MINORS_MEET: ("Both are established minors within the age gap.", _MATCHED),
    ReasonCode.CLOSE_IN_AGE: (
        "Verified, live-bound ages on both sides of the adult age, within the allowance.",
        _MATCHED,
    ),
    ReasonCode.UNKNOWN_WITHIN_THRESHOLD: (
        "An unknown age was allowed by the policy under the pair threshold.",
        _MATCHED,
    ),
    ReasonCode.AGE_CERTAIN_ENOUGH: (
        "The age lies outside the uncertain zone; no check would change the admission.",
        "No age check is needed.",
    ),
    ReasonCode.NO_CHECK_WOULD_SETTLE: (
        "No age check that the policy offers would settle the age often enough.",
        "No age check is on offer that would settle your age. You can ask for a review.",
    ),
    ReasonCode.EVIDENCE_UNUSABLE: (
        "Evidence was not believed for adulthood: expired, not live, tampered with or older.",
        "An earlier age check does not count any more. You can make a new one.",
    ),
    ReasonCode.LOCATION_HIDDEN: (
        "The session hides where the participant is, so the strictest rules of all regions hold.",
        "Your location could not be told, so the strictest rules hold.",
    ),
}
