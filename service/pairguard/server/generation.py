"""One bundle and one policy, loaded and swapped together.

Owns how the two become what judges, and who serves meanwhile: nobody. No answer mixes versions.
Where the policy asks for promises, the bundle's certificate gives it numbers for as long as it
holds; whether it does is asked of the clock for each answer.
"""

from __future__ import annotations

import time
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from math import inf
from pathlib import Path
from typing import Any

from pairguard.bundle.defaults import default_policy_text
from pairguard.bundle.loading import Bundle, load_bundle
from pairguard.bundle.signature import PublicKeys, read_public_keys
from pairguard.errors import BundleRefused, PolicyRefused
from pairguard.policy.certified_lines import asks_for_promises, certified_policy
from pairguard.policy.judgement import Judge
from pairguard.policy.regions import Policy
from pairguard.server.model_certificate import CertificateFacts, read_certificate, time_text


@dataclass(frozen=True, slots=True, weakref_slot=True)
class Generation:
    """What judges now.

    Attributes:
        bundle_version: Version of the bundle.
        policy_version: Version of the policy.
        judge: The two, composed.
        bundle_load_seconds: How long loading and verifying the bundle took.
        certificate: What the certificate does for the promises of the policy.
        certified_from: From when on it may be used, seconds since 1970.
        uncertified: The same two without it, from ``certificate.expire_time`` on and before
            ``certified_from``; None: it makes no difference here.
        reference: What the bundle says its training data looked like.
        bundle: What it was put together from; None: in a test.
        policy: The document as it stands, before any certificate gave it numbers; None: as above.
    """

    bundle_version: str
    policy_version: str
    judge: Judge
    bundle_load_seconds: float
    reference: Mapping[str, Any] = field(default_factory=dict)
    certificate: CertificateFacts = field(default_factory=CertificateFacts)
    certified_from: float = -inf
    uncertified: Generation | None = None
    bundle: Bundle | None = None
    policy: Policy | None = None

    def at(self, now: float) -> Generation:
        """Return what judges at a time, seconds since 1970; no number is no time."""
        if self.uncertified is None:
            return self
        until = self.certificate.expire_time
        holds = until is not None and self.certified_from <= now < until
        return self if holds else self.uncertified


class GenerationSlot:
    """The place of the generation that serves; empty until one was loaded.

    Args:
        clock: Seconds since 1970.
        on_unkept: Called once for each generation of which an answer finds that no certificate
            keeps a promise of the policy, at the start or when it expires.
    """

    def __init__(
        self,
        clock: Callable[[], float] = time.time,
        *,
        on_unkept: Callable[[Generation], None] | None = None,
    ) -> None:
        self._generation: Generation | None = None
        self._clock = clock
        self._on_unkept = on_unkept
        self._told: Generation | None = None

    def put(self, generation: Generation) -> None:
        """Let a generation serve every call that begins from now on."""
        self._generation = generation
        self._told = None  # what served before is not to be kept in memory by this

    @property
    def current(self) -> Generation:
        """The generation that serves, by the certificate if that holds now.

        Raises:
            BundleRefused: With reason ``BUNDLE_NOT_LOADED`` while there is none.
        """
        generation = self._generation
        if generation is None:
            raise BundleRefused("no bundle is loaded", reason="BUNDLE_NOT_LOADED")
        if generation.uncertified is not None:
            generation = generation.at(self._clock())
        if generation.certificate.unkept and generation is not self._told:
            self._told = generation
            if self._on_unkept is not None:
                self._on_unkept(generation)
        return generation

    def unkept_promises(self) -> int:
        """Return how many promises of the policy no certificate keeps now, over all regions."""
        generation = self._generation
        return 0 if generation is None else len(generation.at(self._clock()).certificate.unkept)

    def promises_expire_time(self) -> float | None:
        """Return until when the certificate may be used, seconds since 1970; None: none is."""
        generation = self._generation
        return None if generation is None else generation.certificate.expire_time


def load_generation(
    bundle_path: Path, policy_file: Path | None, *, public_key_file: Path | None = None
) -> Generation:
    """Load and verify both.

    Raises:
        BundleRefused: The bundle does not verify.
        PolicyRefused: The policy does not validate or cannot be read.
        ConfigurationRefused: The public keys cannot be used.
    """
    policy = read_policy(policy_file)
    bundle = load_bundle(bundle_path, public_keys=trusted_keys(public_key_file))
    return compose_generation(bundle, policy)


def trusted_keys(path: Path | None) -> PublicKeys | None:
    """Return whose signature a bundle must have; None: a signature is not wanted.

    Raises:
        ConfigurationRefused: The keys cannot be used.
    """
    return None if path is None else read_public_keys(path)


def compose_generation(bundle: Bundle, policy: Policy) -> Generation:
    """Put a verified bundle and a policy together."""
    return replace(_composed(bundle, policy), bundle=bundle, policy=policy)


def _composed(bundle: Bundle, policy: Policy) -> Generation:
    if not asks_for_promises(policy):
        return _generation(bundle, policy, CertificateFacts())
    certificate, problem = read_certificate(bundle.certificate, bundle.manifest.model_hash)
    cautious, unkept = certified_policy(policy, certificate, usable=False)
    if certificate is None:
        return _generation(bundle, cautious, CertificateFacts(problem, unkept))
    until = certificate.expire_time
    outside = (
        f"the certificate holds from {time_text(certificate.issue_time)} to {time_text(until)} only"
    )
    certified, outcomes = certified_policy(policy, certificate, usable=True)
    return replace(
        _generation(bundle, certified, CertificateFacts("", outcomes, until)),
        certified_from=certificate.issue_time,
        uncertified=_generation(bundle, cautious, CertificateFacts(outside, unkept, until)),
    )


def _generation(bundle: Bundle, policy: Policy, facts: CertificateFacts) -> Generation:
    return Generation(
        bundle_version=bundle.version,
        policy_version=policy.version,
        judge=Judge(bundle.model, policy),
        bundle_load_seconds=bundle.load_seconds,
        certificate=facts,
        reference=bundle.reference,
    )


def read_policy(path: Path | None) -> Policy:
    """Read a policy document; None: the one of the package.

    Raises:
        PolicyRefused: With every problem found.
    """
    try:
        text = default_policy_text() if path is None else path.read_text(encoding="utf-8")
    except OSError as error:
        raise PolicyRefused([f"{path} cannot be read: {error.strerror}"]) from error
    except ValueError as error:
        raise PolicyRefused([f"{path} is not TOML: {error}"]) from error
    return parse_policy(text, path)


def parse_policy(text: str, path: Path | None) -> Policy:
    """Return what the text of a policy document says; ``path``: where it was read.

    Raises:
        PolicyRefused: With every problem found.
    """
    try:
        document = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise PolicyRefused([f"{path} is not TOML: {error}"]) from error
    return Policy.from_mapping(document)
