"""Bundles and policies that are changed while everything else goes wrong.

Owns a root with two versions and the policy file of all servers.
"""

from __future__ import annotations

import re
import shutil
import time
from pathlib import Path

from pairguard.bundle.directory import locate_bundle, read_bundle_files
from pairguard.bundle.manifest import CERTIFICATE
from pairguard.bundle.publication import publish
from pairguard.bundle.rewriting import rewrite_bundle

_BROKEN = "broken"


class Releases:
    """A bundle and its copy under another version, and a policy of many names."""

    def __init__(self, bundle: Path, directory: Path, policy: str) -> None:
        self.root = directory / "root"
        self.policy_file = directory / "policy.toml"
        self._policy = policy
        original = locate_bundle(bundle)
        copy = directory / "copy"
        certificate = read_bundle_files(original).contents[CERTIFICATE]
        rewrite_bundle(original, copy, {CERTIFICATE: certificate}, notes=["a copy"])
        self._bundles = [original, copy]
        self._number = 0
        self.change()

    def change(self) -> None:
        """Publish the other bundle and another policy."""
        self._number += 1
        publish(self.root, self._bundles[self._number % 2])
        text, count = re.subn(
            "(?m)^version = .*$", f'version = "soak-{self._number}"', self._policy
        )
        if count != 1:
            raise ValueError("the policy has no version of its own")
        new = self.policy_file.with_suffix(".new")
        new.write_text(text, encoding="utf-8")
        new.replace(self.policy_file)

    def break_for(self, seconds: float) -> None:
        """Make a bundle current for a while that does not verify."""
        link = self.root / "current"
        before = link.readlink()
        broken = self.root / _BROKEN
        shutil.copytree(self.root / before, broken)
        (broken / "calibration.json").write_bytes(b"{}")
        self._turn(_BROKEN)
        time.sleep(seconds)
        self._turn(str(before))
        shutil.rmtree(broken)

    def _turn(self, name: str) -> None:
        temporary = self.root / ".turned"
        temporary.symlink_to(name)
        temporary.replace(self.root / "current")
