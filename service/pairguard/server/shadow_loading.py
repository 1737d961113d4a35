"""The challenger that the settings name.

Owns what it is made of: what the settings do not name is that of what serves, so that a policy can
be tried alone, on the very model that serves, and a bundle alone, under the policy that holds.
"""

from __future__ import annotations

from pairguard.bundle.loading import load_bundle
from pairguard.policy.judgement import Judge
from pairguard.server.generation import Generation, read_policy, trusted_keys
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
    judge = live.judge
    policy = judge.policy if policy_file is None else read_policy(policy_file)
    if bundle_path is None:
        model, version, seconds = judge.model, live.bundle_version, 0.0
    else:
        keys = trusted_keys(settings.bundle_public_key_file)
        bundle = load_bundle(bundle_path, public_keys=keys)
        model, version, seconds = bundle.model, bundle.version, bundle.load_seconds
    return Generation(
        bundle_version=version,
        policy_version=policy.version,
        judge=Judge(model, policy),
        bundle_load_seconds=seconds,
    )
