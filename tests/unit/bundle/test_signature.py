"""A signature says who stands behind a bundle, and changes nothing of it."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from pairguard.bundle.directory import read_bundle_files
from pairguard.bundle.loading import load_bundle
from pairguard.bundle.manifest import SIGNATURE
from pairguard.bundle.rewriting import rewrite_bundle
from pairguard.bundle.signature import make_keys, read_public_keys, sign_bundle
from pairguard.errors import BundleRefused, ConfigurationRefused
from tests.unit.bundle.example import example_without_models


@pytest.fixture
def private(tmp_path: Path) -> Path:
    make_keys(tmp_path / "private.pem", tmp_path / "public.pem")
    return tmp_path / "private.pem"


@pytest.fixture
def public(private: Path) -> Path:
    return private.with_name("public.pem")


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    example_without_models().write(tmp_path / "bundle")
    return tmp_path / "bundle"


def reason(bundle: Path, public: Path) -> str:
    with pytest.raises(BundleRefused) as caught:
        load_bundle(bundle, public_keys=read_public_keys(public))
    return caught.value.reason


def test_signing_changes_no_version_and_asks_nothing_of_others(
    bundle: Path, private: Path, public: Path
) -> None:
    version = load_bundle(bundle).version
    assert reason(bundle, public) == "BUNDLE_UNSIGNED"

    assert sign_bundle(bundle, private) == version

    assert load_bundle(bundle).version == version
    assert load_bundle(bundle, public_keys=read_public_keys(public)).version == version
    assert (bundle / SIGNATURE).stat().st_size == 64


def test_a_signature_of_another_bundle_or_another_key_is_refused(
    bundle: Path, private: Path, public: Path, tmp_path: Path
) -> None:
    sign_bundle(bundle, private)
    example_without_models().write(tmp_path / "other", notes=["another one"])
    shutil.copy(bundle / SIGNATURE, tmp_path / "other" / SIGNATURE)
    assert reason(tmp_path / "other", public) == "BUNDLE_SIGNATURE_INVALID"
    make_keys(tmp_path / "theirs.pem", tmp_path / "theirs-public.pem")
    assert reason(bundle, tmp_path / "theirs-public.pem") == "BUNDLE_SIGNATURE_INVALID"

    sign_bundle(bundle, tmp_path / "theirs.pem")
    assert reason(bundle, public) == "BUNDLE_SIGNATURE_INVALID"


@pytest.mark.parametrize("content", [b"", b"s" * 63, b"s" * 64])
def test_what_is_no_signature_is_refused(bundle: Path, public: Path, content: bytes) -> None:
    (bundle / SIGNATURE).write_bytes(content)
    assert reason(bundle, public) == "BUNDLE_SIGNATURE_INVALID"


@pytest.mark.parametrize("way", ["long", "link", "directory"])
def test_a_signature_is_a_small_file_also_where_nobody_wants_one(
    bundle: Path, tmp_path: Path, way: str
) -> None:
    place = bundle / SIGNATURE
    if way == "long":
        place.write_bytes(b"s" * 65)
    elif way == "link":
        place.symlink_to(tmp_path / "elsewhere")
    else:
        place.mkdir()
    with pytest.raises(BundleRefused) as caught:
        load_bundle(bundle)
    assert caught.value.reason == "BUNDLE_INVALID"


def test_a_file_that_was_changed_is_refused_for_its_hash(
    bundle: Path, private: Path, public: Path
) -> None:
    sign_bundle(bundle, private)
    (bundle / "calibration.json").write_bytes(b"{}")
    assert reason(bundle, public) == "BUNDLE_HASH_MISMATCH"
    with pytest.raises(BundleRefused):
        sign_bundle(bundle, private)


def test_another_certificate_needs_another_signature(
    bundle: Path, private: Path, public: Path, tmp_path: Path
) -> None:
    sign_bundle(bundle, private)
    rewrite_bundle(bundle, tmp_path / "certified", {"certificate.json": b'{"certified": true}'})
    assert reason(tmp_path / "certified", public) == "BUNDLE_UNSIGNED"


def test_while_keys_are_changed_either_is_trusted(
    bundle: Path, private: Path, public: Path, tmp_path: Path
) -> None:
    make_keys(tmp_path / "next.pem", tmp_path / "next-public.pem")
    both = tmp_path / "both.pem"
    both.write_bytes(public.read_bytes() + (tmp_path / "next-public.pem").read_bytes())
    for key in (private, tmp_path / "next.pem"):
        sign_bundle(bundle, key)
        read_public_keys(both).verify(read_bundle_files(bundle))


def test_keys_are_never_overwritten_and_the_private_one_is_its_owner_s(
    private: Path, public: Path, tmp_path: Path
) -> None:
    assert private.stat().st_mode & 0o777 == 0o600
    before = private.read_bytes()
    for one, two in ((private, tmp_path / "new"), (tmp_path / "new", public)):
        with pytest.raises(ConfigurationRefused, match="never overwritten"):
            make_keys(one, two)
    assert private.read_bytes() == before
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("mode", [0o604, 0o620, 0o602, 0o644, 0o666])
def test_a_private_key_that_is_open_to_others_is_not_used(
    bundle: Path, private: Path, mode: int
) -> None:
    private.chmod(mode)
    with pytest.raises(ConfigurationRefused, match=f"{mode:04o}"):
        sign_bundle(bundle, private)
    assert not (bundle / SIGNATURE).exists()


def test_a_public_key_that_others_may_change_is_not_trusted(public: Path) -> None:
    public.chmod(0o664)
    with pytest.raises(ConfigurationRefused, match="writable"):
        read_public_keys(public)


def test_what_is_no_key_is_refused(bundle: Path, private: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.pem"
    for content in (b"", b"no key", private.read_bytes()):
        other.write_bytes(content)
        other.chmod(0o600)
        with pytest.raises(ConfigurationRefused):
            read_public_keys(other)
    for content in (b"", b"no key", private.with_name("public.pem").read_bytes()):
        other.write_bytes(content)
        with pytest.raises(ConfigurationRefused):
            sign_bundle(bundle, other)
    with pytest.raises(ConfigurationRefused, match="cannot be read"):
        read_public_keys(tmp_path / "none")


def test_openssl_agrees(bundle: Path, private: Path, public: Path) -> None:
    manifest, signature = bundle / "bundle.json", bundle / SIGNATURE
    sign_bundle(bundle, private)
    verify = ["openssl", "pkeyutl", "-verify", "-rawin", "-pubin", "-inkey", str(public)]
    verified = subprocess.run(
        [*verify, "-in", str(manifest), "-sigfile", str(signature)],
        capture_output=True,
        check=False,
    )
    assert verified.returncode == 0, verified.stderr
    signature.unlink()
    sign = ["openssl", "pkeyutl", "-sign", "-rawin", "-inkey", str(private)]
    subprocess.run([*sign, "-in", str(manifest), "-out", str(signature)], check=True)
    read_public_keys(public).verify(read_bundle_files(bundle))


def test_the_extra_is_loaded_only_where_a_signature_is_wanted(bundle: Path, public: Path) -> None:
    code = (
        "import sys\nfrom pathlib import Path\n"
        "import pairguard.bundle.signature\nfrom pairguard.bundle.loading import load_bundle\n"
        f"load_bundle(Path({str(bundle)!r}))\nassert 'cryptography' not in sys.modules\n"
        "sys.modules['cryptography'] = None\n"
        f"pairguard.bundle.signature.read_public_keys(Path({str(public)!r}))\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert "pairguard[signatures]" in result.stderr.splitlines()[-1]
