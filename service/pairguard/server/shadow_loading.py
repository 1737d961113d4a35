"""The challenger that the settings name.

Owns what it is made of: what the settings do not name is that of what serves, so that a policy can
be tried alone, on the very model that serves, and a bundle alone, under the policy that holds.
"""

from __future__ import annotations

from pairguard.bundle.loading import load_bundle
from pairguard.server.generation import (
    Generation,
    compose_generation,
    read_policy,
    trusted_keys,
)
from pairguard.server.settings import Settings


def load_challenger(settings: Settings, live: Generation) -> Generation | None:
    """Load and verify the challenger beside what serves; None: the settings name none.

    Raises:
        BundleRefused: Its bundle does not verify.
        PolicyRefused: Its policy does not validate or cannot be read.
        ConfigurationRefused: The public keys cannot be used.
    """
    bundle_path, policy_file = settings.shadow_bundle_path, settings.shadow_policy_file
    if bundle_path is None and policy_file is None:
        return None
    # As it would serve: a policy's promises get their numbers from the challenger's certificate.
    policy = live.policy if policy_file is None else read_policy(policy_file)
    if bundle_path is None:
        bundle = live.bundle
    else:
        keys = trusted_keys(settings.bundle_public_key_file)
        bundle = load_bundle(bundle_path, public_keys=keys)
    if bundle is None or policy is None:
        raise ValueError("what serves does not tell what it was put together from")
    return compose_generation(bundle, policy)
