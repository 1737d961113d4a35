"""One bundle and one policy, loaded and swapped together.

Owns how the two become what judges, and who serves meanwhile: nobody. No answer mixes versions.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path

from pairguard.bundle.defaults import default_policy_text
from pairguard.bundle.loading import Bundle, load_bundle
from pairguard.bundle.signature import PublicKeys, read_public_keys
from pairguard.errors import BundleRefused, PolicyRefused
from pairguard.policy.judgement import Judge
from pairguard.policy.regions import Policy


@dataclass(frozen=True, slots=True, weakref_slot=True)
class Generation:
    """What judges now.

    Attributes:
        bundle_version: Version of the bundle.
        policy_version: Version of the policy.
        judge: The two, composed.
        bundle_load_seconds: How long loading and verifying the bundle took.
    """

    bundle_version: str
    policy_version: str
    judge: Judge
    bundle_load_seconds: float


class GenerationSlot:
    """The place of the generation that serves; empty until one was loaded."""

    def __init__(self) -> None:
        self._generation: Generation | None = None

    def put(self, generation: Generation) -> None:
        """Let a generation serve every call that begins from now on."""
        self._generation = generation

    @property
    def current(self) -> Generation:
        """The generation that serves.

        Raises:
            BundleRefused: With reason ``BUNDLE_NOT_LOADED`` while there is none.
        """
        generation = self._generation
        if generation is None:
            raise BundleRefused("no bundle is loaded", reason="BUNDLE_NOT_LOADED")
        return generation


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
    """Put a loaded bundle and a valid policy together."""
    return Generation(
        bundle_version=bundle.version,
        policy_version=policy.version,
        judge=Judge(bundle.model, policy),
        bundle_load_seconds=bundle.load_seconds,
    )


def read_policy(path: Path | None) -> Policy:
    """Read a policy document; None: the one of the package.

    Raises:
        PolicyRefused: With every problem found.
    """
    try:
        text = default_policy_text() if path is None else path.read_text(encoding="utf-8")
        document = tomllib.loads(text)
    except OSError as error:
        raise PolicyRefused([f"{path} cannot be read: {error.strerror}"]) from error
    except (ValueError, RecursionError) as error:
        raise PolicyRefused([f"{path} is not TOML: {error}"]) from error
    return Policy.from_mapping(document)
