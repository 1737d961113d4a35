"""A bundle gets its certificate and its report later, and nothing else of it changes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pairguard.bundle.directory import read_bundle_files
from pairguard.bundle.loading import load_bundle
from pairguard.bundle.manifest import CERTIFICATE, HARM_MODEL, MANIFEST, REPORT
from pairguard.bundle.rewriting import rewrite_bundle
from pairguard.errors import BundleRefused


def test_everything_else_stays_to_the_byte(tmp_path: Path, bundle_directory: Path) -> None:
    before = read_bundle_files(bundle_directory)
    certificate = json.dumps({"certified": True}).encode()
    rewrite_bundle(
        bundle_directory,
        tmp_path / "copy",
        {CERTIFICATE: certificate, REPORT: b"<!doctype html>"},
        notes=["Certified."],
    )
    after = read_bundle_files(tmp_path / "copy")
    changed = {name for name in after.contents if after.contents[name] != before.contents.get(name)}
    assert changed == {CERTIFICATE, REPORT, MANIFEST}
    assert after.version != before.version
    assert after.manifest.notes == (*before.manifest.notes, "Certified.")
    assert load_bundle(tmp_path / "copy").certificate == {"certified": True}


def test_what_scores_is_never_replaced(tmp_path: Path, bundle_directory: Path) -> None:
    with pytest.raises(BundleRefused, match=HARM_MODEL):
        rewrite_bundle(bundle_directory, tmp_path / "copy", {HARM_MODEL: b"another"})
    assert not (tmp_path / "copy").exists()
