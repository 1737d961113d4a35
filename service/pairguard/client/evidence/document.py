"""An identity document that any vendor read.

Owns what a document check keeps: a whole age or a year of birth, never the date. It must not know a
vendor's payload.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Unpack

from pairguard.client.evidence.birth import reduced_birth_date
from pairguard.client.evidence.builders import verified_age
from pairguard.client.evidence.payload import PayloadDetails, refuse
from pairguard.client.evidence.values import AgeEvidence
from pairguard.client.vocabulary import Binding, Liveness, VerificationMethod


def id_document(
    *,
    birth_date: str | date,
    observed_time: datetime | None,
    holder_matched: bool = False,
    liveness: Liveness | None = None,
    capture_session: str = "",
    provider: str = "",
    path: str = "birth_date",
    **details: Unpack[PayloadDetails],
) -> AgeEvidence:
    """Return what a genuine document says, without the date on it.

    Call it only for a document that the vendor found genuine and in force.

    Args:
        birth_date: ``YYYY-MM-DD``, or a ``date``. It becomes the whole age at ``observed_time`` at
            once, or the year of birth where that is not known.
        observed_time: When the document was shown. None: not known.
        holder_matched: Whether a selfie of the same check shows the face on the document. Only with
            a passed liveness test too is the result bound to the live person.
        liveness: Result of that selfie's liveness test. None: not tested or not told.
        capture_session: The caller's opaque id of the capture.
        provider: Who read the document.
        path: What errors call the date.
        **details: See ``PayloadDetails``.

    Raises:
        ValueError: The date is none, or impossible; the message does not repeat it.
        TypeError: Another argument has another type.
    """
    if not isinstance(holder_matched, bool):  # the text "false" would count as true
        raise TypeError(f"holder_matched must be a bool, not {type(holder_matched).__name__}")
    age = reduced_birth_date(birth_date, observed_time=observed_time, path=path)
    if age is None:
        refuse(path, "has no year")
    live = holder_matched and liveness is Liveness.PASSED
    return verified_age(
        method=VerificationMethod.ID_DOCUMENT,
        liveness=liveness,
        capture_session=capture_session,
        observed_time=observed_time,
        provider=provider,
        binding=Binding.LIVE_PERSON if live else None,
        **age,
        **details,
    )
