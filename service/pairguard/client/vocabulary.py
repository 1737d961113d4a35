"""The closed vocabularies of the contract, as Python enumerations.

Owns the words a caller writes and reads; each member has the name of the contract's member without
its prefix. It must not know protobuf: ``pairguard.client.wire_enums`` maps words to numbers.

There is no UNSPECIFIED: what is not told is None.
"""

from __future__ import annotations

from enum import StrEnum, auto, unique


class Word(StrEnum):
    """A word whose value is its name, so that it reads the same in code, logs and JSON."""

    @staticmethod
    def _generate_next_value_(
        name: str,
        start: int,  # noqa: ARG004 - the signature is the enum protocol's
        count: int,  # noqa: ARG004
        last_values: list[str],  # noqa: ARG004
    ) -> str:
        return name


@unique
class Decision(Word):
    """What to do with a proposed pair. Only ALLOW forms it."""

    ALLOW = auto()
    REROUTE = auto()
    BLOCK = auto()


@unique
class DecidedBy(Word):
    """Who decided: the service, or this library because the service gave no usable answer."""

    SERVICE = auto()
    CLIENT = auto()


@unique
class ParticipantRole(Word):
    """Which participant of a request something concerns."""

    A = auto()
    B = auto()
    BOTH = auto()


@unique
class Admission(Word):
    """Whom a participant may meet as far as age goes."""

    ADULTS = auto()
    MINORS = auto()
    UNKNOWN = auto()
    BARRED = auto()


@unique
class EvidenceKind(Word):
    """What kind of evidence moved a belief."""

    SELF_DECLARED = auto()
    PLATFORM_AGE_RANGE = auto()
    FACIAL_AGE_ESTIMATE = auto()
    AGE_CHECK = auto()
    VERIFIED_AGE = auto()
    BEHAVIOUR = auto()


@unique
class View(Word):
    """How much of an assessment to return. FULL needs the scope for it."""

    BASIC = auto()
    FULL = auto()


@unique
class Modality(Word):
    """How two participants would talk."""

    TEXT = auto()
    AUDIO = auto()
    VIDEO = auto()


@unique
class Binding(Word):
    """What ties an observation to the person who chats."""

    ACCOUNT = auto()
    DEVICE = auto()
    LIVE_PERSON = auto()


@unique
class CheckMethod(Word):
    """How an age check against a threshold is made."""

    ID_DOCUMENT = auto()
    DIGITAL_WALLET = auto()
    CREDIT_CARD = auto()
    MOBILE_OPERATOR = auto()
    OPEN_BANKING = auto()
    EMAIL = auto()
    FACIAL_THRESHOLD = auto()
    GUARDIAN = auto()


@unique
class CheckResult(Word):
    """What an age check said about its threshold."""

    OVER = auto()
    UNDER = auto()
    INCONCLUSIVE = auto()


@unique
class Liveness(Word):
    """Whether a living person was before the camera."""

    PASSED = auto()
    FAILED = auto()
    UNDETERMINED = auto()


@unique
class Platform(Word):
    """The operating system's store that gives age ranges."""

    APPLE = auto()
    GOOGLE = auto()


@unique
class PlatformAssurance(Word):
    """How a store came to its range, by the store's own names."""

    # Apple Declared Age Range; those after CONFIRMED are older.
    SELF_DECLARED = auto()
    GUARDIAN_DECLARED = auto()
    CONFIRMED = auto()
    PAYMENT_CHECKED = auto()
    GOVERNMENT_ID_CHECKED = auto()
    CHECKED_BY_OTHER_METHOD = auto()
    GUARDIAN_PAYMENT_CHECKED = auto()
    GUARDIAN_GOVERNMENT_ID_CHECKED = auto()
    GUARDIAN_CHECKED_BY_OTHER_METHOD = auto()
    # Google Play Age Signals: `ageRangeSource`, then the older `userStatus`.
    TIER_A = auto()
    TIER_B = auto()
    TIER_C = auto()
    TIER_D = auto()
    VERIFIED = auto()
    SUPERVISED = auto()
    SUPERVISED_APPROVAL_PENDING = auto()
    SUPERVISED_APPROVAL_DENIED = auto()
    UNKNOWN = auto()
    DECLARED = auto()


@unique
class VerificationMethod(Word):
    """How an exact age was established."""

    ID_DOCUMENT = auto()
    DIGITAL_WALLET = auto()
    MODERATOR = auto()


@unique
class ChatEnder(Word):
    """Who ended a chat."""

    PARTICIPANT_A = auto()
    PARTICIPANT_B = auto()
    PLATFORM = auto()


@unique
class ChatEndManner(Word):
    """How a chat ended."""

    LEFT = auto()
    SKIPPED = auto()
    REPORTED = auto()
    BLOCKED = auto()
    CONNECTION_LOST = auto()
    TIME_LIMIT = auto()
    MODERATED = auto()
    UNSAFE = auto()


@unique
class ReportCategory(Word):
    """What a report or a review is about."""

    CHILD_SEXUAL_EXPLOITATION = auto()
    ADULT_POSING_AS_MINOR = auto()
    UNDERAGE = auto()
    SEXUAL_CONDUCT = auto()
    SEXTORTION = auto()
    HARASSMENT = auto()
    VIOLENCE = auto()
    SELF_HARM = auto()
    SPAM = auto()
    OTHER = auto()


@unique
class Verdict(Word):
    """What a moderator found."""

    UPHELD = auto()
    CLEARED = auto()
    INCONCLUSIVE = auto()


@unique
class HoldKind(Word):
    """What a hold stops: meeting anybody, or being erased."""

    PAIRING = auto()
    LEGAL = auto()


@unique
class AppealResult(Word):
    """How an appeal ended."""

    CONFIRMED = auto()
    OVERTURNED = auto()


@unique
class RecordStatus(Word):
    """What became of an item to record; a duplicate is as good as recorded."""

    RECORDED = auto()
    DUPLICATE = auto()
    REFUSED = auto()


@unique
class ErasureStatus(Word):
    """What became of an erasure."""

    ERASED = auto()
    NOTHING_KEPT = auto()
    DELAYED_BY_LEGAL_HOLD = auto()
