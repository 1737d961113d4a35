"""Who stands behind a bundle: an ed25519 signature of the manifest's bytes, beside the manifest.

Owns keys, signing and verifying. It must not know who wants a signature. The manifest names the
hash of every other file, so that its signature covers the whole bundle; the signature itself is
named nowhere, so that signing changes no version.

Formats are those of other tools, so that a bundle can be signed and verified without this package
(``openssl pkeyutl -sign -rawin``): ``bundle.sig`` holds the 64 bytes of RFC 8032, a private key is
PKCS #8 in PEM, public keys are SubjectPublicKeyInfo in PEM, one or more behind each other.
"""

from __future__ import annotations

import os
import re
import secrets
import stat
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Final

from pairguard.bundle.directory import BundleFiles, read_bundle_files
from pairguard.bundle.manifest import MANIFEST, SIGNATURE
from pairguard.bundle.writing import synchronise_directory
from pairguard.errors import BundleRefused, ConfigurationRefused

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import (
        Ed25519PrivateKey,
        Ed25519PublicKey,
    )

MOST_PUBLIC_KEYS: Final = 8
_MOST_BYTES: Final = 65_536
_OPEN_TO_OTHERS: Final = stat.S_IROTH | stat.S_IWOTH | stat.S_IXOTH | stat.S_IWGRP
_WRITABLE_BY_OTHERS: Final = stat.S_IWOTH | stat.S_IWGRP
_PEM = re.compile(rb"-----BEGIN PUBLIC KEY-----.*?-----END PUBLIC KEY-----", re.DOTALL)


@dataclass(frozen=True, slots=True)
class PublicKeys:
    """Keys, the signature of one of which a bundle must have: several while a key is changed."""

    keys: tuple[Ed25519PublicKey, ...]

    def verify(self, files: BundleFiles) -> None:
        """Return where one of the keys signed this bundle.

        Raises:
            BundleRefused: ``BUNDLE_UNSIGNED`` without a signature, ``BUNDLE_SIGNATURE_INVALID``
                with that of another key or of another manifest.
        """
        if files.signature is None:
            raise BundleRefused(
                f"there is no {SIGNATURE}: a signed bundle is wanted", reason="BUNDLE_UNSIGNED"
            )
        exceptions = _cryptography("exceptions")
        for key in self.keys:
            try:
                key.verify(files.signature, files.contents[MANIFEST])
            except exceptions.InvalidSignature:
                continue
            return
        raise BundleRefused(
            f"{SIGNATURE} is no signature of this {MANIFEST} by any key that is trusted",
            reason="BUNDLE_SIGNATURE_INVALID",
        )


def read_public_keys(path: Path) -> PublicKeys:
    """Read the keys that are trusted.

    Raises:
        ConfigurationRefused: The file cannot be read, others may write to it, it does not hold
            one to ``MOST_PUBLIC_KEYS`` ed25519 keys in PEM, or ``cryptography`` is not installed.
    """
    serialization = _serialization()
    content = _read(path, unsafe_mode=_WRITABLE_BY_OTHERS, unsafe="writable by others")
    blocks = _PEM.findall(content)
    if not 1 <= len(blocks) <= MOST_PUBLIC_KEYS:
        problem = f"{path} must hold one to {MOST_PUBLIC_KEYS} public keys in PEM"
        raise ConfigurationRefused([problem])
    keys = []
    for block in blocks:
        try:
            key = serialization.load_pem_public_key(block)
        except ValueError:
            key = None
        if not isinstance(key, _ed25519().Ed25519PublicKey):
            raise ConfigurationRefused([f"{path} holds a key that is no ed25519 public key"])
        keys.append(key)
    return PublicKeys(tuple(keys))


def sign_bundle(directory: Path, private_key: Path) -> str:
    """Put a signature beside the manifest of a bundle, in place of an earlier one.

    Args:
        directory: The directory of one version.
        private_key: File of the key.

    Returns:
        The version, which is what it was before.

    Raises:
        BundleRefused: The bundle's files are not what its manifest says.
        ConfigurationRefused: The key cannot be used.
        OSError: The signature could not be written; an earlier one stays.
    """
    key = _read_private_key(private_key)
    files = read_bundle_files(directory)
    put_signature(directory, key.sign(files.contents[MANIFEST]))
    return files.version


def put_signature(directory: Path, signature: bytes) -> None:
    """Write a signature to a bundle in one step.

    Raises:
        OSError: It could not be written; an earlier one stays.
    """
    # Beside the directory: readers refuse a file in it that the format does not know.
    temporary = directory.with_name(f".{SIGNATURE}-{secrets.token_hex(8)}")
    try:
        with temporary.open("xb") as file:
            file.write(signature)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(directory / SIGNATURE)
    finally:
        temporary.unlink(missing_ok=True)
    synchronise_directory(directory)


def make_keys(private_key: Path, public_key: Path) -> None:
    """Make a new pair of keys, in two files; none is ever overwritten.

    Raises:
        ConfigurationRefused: One of the files is there already, or ``cryptography`` is not
            installed.
        OSError: A file could not be written.
    """
    serialization = _serialization()
    taken = [f"{path} is there already" for path in (private_key, public_key) if _exists(path)]
    if taken:
        raise ConfigurationRefused([f"{each}; a key is never overwritten" for each in taken])
    key = _ed25519().Ed25519PrivateKey.generate()
    secret = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    public = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    _write_new(private_key, secret, 0o600)
    _write_new(public_key, public, 0o644)


def _read_private_key(path: Path) -> Ed25519PrivateKey:
    serialization = _serialization()
    content = _read(path, unsafe_mode=_OPEN_TO_OTHERS, unsafe="open to others")
    try:
        key: object = serialization.load_pem_private_key(content, password=None)
    except (TypeError, ValueError):
        key = None
    private: type[Ed25519PrivateKey] = _ed25519().Ed25519PrivateKey
    if not isinstance(key, private):
        raise ConfigurationRefused(
            [f"{path} must hold an ed25519 private key, PKCS #8 in PEM without a password"]
        )
    return key


def _read(path: Path, *, unsafe_mode: int, unsafe: str) -> bytes:
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            content = file.read(_MOST_BYTES)
    except OSError as error:
        raise ConfigurationRefused([f"{path} cannot be read: {error.strerror}"]) from error
    if mode & unsafe_mode:
        problem = f"{path} has mode {stat.S_IMODE(mode):04o}; it must not be {unsafe}"
        raise ConfigurationRefused([problem])
    return content


def _write_new(path: Path, content: bytes, mode: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _exists(path: Path) -> bool:
    return os.path.lexists(path)


def _cryptography(name: str) -> ModuleType:
    # Imported only where a signature is made or wanted: it is an extra.
    try:
        return import_module(f"cryptography.{name}")
    except ImportError as error:
        raise ConfigurationRefused(
            ["signatures need the extra: pip install 'pairguard[signatures]'"]
        ) from error


def _serialization() -> ModuleType:
    return _cryptography("hazmat.primitives.serialization")


def _ed25519() -> ModuleType:
    return _cryptography("hazmat.primitives.asymmetric.ed25519")
