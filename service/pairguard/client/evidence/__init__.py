"""What a caller can say about somebody's age, and the functions that say it.

Owns the public names: values, one builder for each kind of evidence in the contract's own words,
and one function for each payload of a vendor or standard. It must not know how evidence is sent nor
what it is worth.

Each item speaks of the age when it was observed. Leave out what is not known: absence never makes
an answer less cautious. Ages are years; ranges are checked by the service.

Every ``from_...`` takes a vendor's payload as a dict and returns a tuple of ``AgeEvidence``: empty
where the payload says nothing of the age, more than one item where it says several things. They
keep ages, liveness and a quality figure, and nothing else of a payload. What they do not know they
refuse: ``ValueError`` that names the path of the field, ``TypeError`` for what is no dict.
"""

from pairguard.client.evidence.apple import from_apple_declared_age_range
from pairguard.client.evidence.builders import (
    EvidenceDetails,
    age_check,
    facial_age_estimate,
    platform_age_range,
    self_declared,
    verified_age,
)
from pairguard.client.evidence.camara import from_camara_age_verification
from pairguard.client.evidence.card import from_stripe_payment_method
from pairguard.client.evidence.didit import from_didit_age_estimation, from_didit_id_verification
from pairguard.client.evidence.document import id_document
from pairguard.client.evidence.google_play import from_google_play_age_signals
from pairguard.client.evidence.mdoc import from_mdoc
from pairguard.client.evidence.openid import from_openid_claims
from pairguard.client.evidence.payload import PayloadDetails
from pairguard.client.evidence.persona import from_persona_government_id, from_persona_selfie
from pairguard.client.evidence.sd_jwt import from_sd_jwt_pid
from pairguard.client.evidence.values import (
    AgeCheck,
    AgeEvidence,
    FacialAgeEstimate,
    Observation,
    PlatformAgeRange,
    SelfDeclared,
    VerifiedAge,
)
from pairguard.client.evidence.yoti import (
    from_yoti_age_check,
    from_yoti_age_estimation,
    from_yoti_age_verification,
)

__all__ = [
    "AgeCheck",
    "AgeEvidence",
    "EvidenceDetails",
    "FacialAgeEstimate",
    "Observation",
    "PayloadDetails",
    "PlatformAgeRange",
    "SelfDeclared",
    "VerifiedAge",
    "age_check",
    "facial_age_estimate",
    "from_apple_declared_age_range",
    "from_camara_age_verification",
    "from_didit_age_estimation",
    "from_didit_id_verification",
    "from_google_play_age_signals",
    "from_mdoc",
    "from_openid_claims",
    "from_persona_government_id",
    "from_persona_selfie",
    "from_sd_jwt_pid",
    "from_stripe_payment_method",
    "from_yoti_age_check",
    "from_yoti_age_estimation",
    "from_yoti_age_verification",
    "id_document",
    "platform_age_range",
    "self_declared",
    "verified_age",
]
