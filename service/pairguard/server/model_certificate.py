"""What the certificate of the bundle does for the promises of the policy.

Owns why a certificate is not used, and how that is told to people. It must not know who serves.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from pairguard.policy.certificate import (
    Certificate,
    CertificateMalformed,
    certifies,
    parse_certificate,
)
from pairguard.policy.certified_lines import PromiseOutcome

CERTIFICATE_NOT_USABLE: Final = "CERTIFICATE_NOT_USABLE"
"""A promise of the policy is kept by no certificate: the policy's own numbers were used."""


@dataclass(frozen=True, slots=True)
class CertificateFacts:
    """What is known of a certificate, told where the policy asks for promises.

    Attributes:
        problem: Why it is not used at all; "": it is.
        promises: What became of each promise.
        expire_time: Until when it may be used, seconds since 1970; None: it never may.
    """

    problem: str = ""
    promises: tuple[PromiseOutcome, ...] = ()
    expire_time: float | None = None

    @property
    def unkept(self) -> tuple[PromiseOutcome, ...]:
        """The promises that nothing keeps."""
        return tuple([each for each in self.promises if not each.kept])

    @property
    def why(self) -> str:
        """Why promises are not kept."""
        return self.problem or "the certificate does not cover them"

    def sentences(self) -> list[str]:
        """Return what people should know of the promises, nothing where none is asked for."""
        said = []
        if self.unkept:
            said.append(f"{CERTIFICATE_NOT_USABLE}: {self.why}; the policy's own numbers count")
        if self.promises and not self.problem and self.expire_time is not None:
            said.append(f"the certificate may be used until {time_text(self.expire_time)}")
        for each in self.promises:
            asked = f"{each.place}: {each.promise.kind} at most {each.promise.max_rate:g}"
            asked += f" at confidence {each.promise.confidence:g}"
            kept = "kept" if each.kept else "NOT KEPT"
            said.append(f"{asked}: {kept}, the number is {each.number:g}")
            if each.number < each.own:
                said.append(
                    f"  without certificate {each.own:g} would count, which is laxer: lower it"
                )
            if each.close_in_age_years:
                line = f"close_in_age_max_gap_years = {each.close_in_age_years}"
                said.append(
                    f"  {line} lets mixed pairs meet whatever the number is: they are misses "
                    "on top of the promised rate"
                )
        return said


def read_certificate(
    document: Mapping[str, Any], model_hash: str
) -> tuple[Certificate | None, str]:
    """Return the certificate of a bundle, or None and why it says nothing of this model."""
    if not certifies(document):
        return None, "the bundle carries no certificate"
    try:
        certificate = parse_certificate(document)
    except CertificateMalformed as error:
        return None, f"the certificate is malformed: {error}"
    if certificate.model_hash != model_hash:
        return None, "the certificate is of another model"
    return certificate, ""


def time_text(seconds: float) -> str:
    """Return a time as people read it."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
