"""Keyed hashes in place of ids, and the keys they are made with.

Owns how an id of the caller becomes what is stored: BLAKE2b (RFC 7693), keyed with 32 random
bytes from a file and cut to 128 bits, so that a stolen database can neither be read back nor be
tested against a list of known ids. It must not know what is stored under a hash.

A file holds one key or several of 32 bytes each, the current one first. New hashes are made with
the current key; what was stored under a retired one is found as long as that key is in the file.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from contextlib import suppress
from hashlib import blake2b
from hmac import compare_digest
from pathlib import Path

from pairguard.errors import StoreUnavailable

KEY_BYTES = 32
HASH_BYTES = 16
MAX_KEYS = 8
_NONCE_BYTES = 16
_TAG_BYTES = 16

# Read access for everybody, or write access for anybody but the owner. Reading by the group is
# let through: it is how mounted secrets reach a process that is not root.
_UNSAFE_MODE = stat.S_IROTH | stat.S_IWGRP | stat.S_IWOTH


class IdentityKey:
    """The secret that turns ids into hashes; never printed, compared or stored itself.

    Attributes:
        check_value: 16 bytes that tell whether two keys are the same one and nothing else.

    Raises:
        ValueError: The key is not 32 bytes long.
    """

    __slots__ = ("_hasher", "_sealer", "_tagger", "check_value")

    def __init__(self, key: bytes) -> None:
        if len(key) != KEY_BYTES:
            raise ValueError(f"an identity key is {KEY_BYTES} bytes long")
        # The key is absorbed once; each hash starts from a copy of that state.
        self._hasher = blake2b(digest_size=HASH_BYTES, key=key, person=b"pairguard.id")
        self._sealer = blake2b(digest_size=64, key=key, person=b"pairguard.seal")
        self._tagger = blake2b(digest_size=_TAG_BYTES, key=key, person=b"pairguard.tag")
        self.check_value = blake2b(
            digest_size=HASH_BYTES, key=key, person=b"pairguard.check"
        ).digest()

    @property
    def key_id(self) -> str:
        """Eight hexadecimal digits that name the key and tell nothing of it."""
        return self.check_value[:4].hex()

    def hash(self, raw_id: str) -> bytes:
        """Return the 16 bytes that stand for an id in the store."""
        hasher = self._hasher.copy()
        hasher.update(raw_id.encode("utf-8", "surrogatepass"))
        return hasher.digest()

    def seal(self, content: bytes) -> bytes:
        """Return content that only this key can read: nonce, tag, content under a key stream.

        Keyed BLAKE2b is a pseudorandom function; in counter mode it is a stream cipher, and the
        tag over nonce and cipher text shows any change (encrypt, then authenticate). What is sealed
        is as long as the content and 32 bytes more.
        """
        nonce = os.urandom(_NONCE_BYTES)
        covered = self._stream(nonce, content)
        return nonce + self._tag(nonce + covered) + covered

    def unseal(self, sealed: bytes) -> bytes:
        """Return the content that ``seal`` was given.

        Raises:
            ValueError: It was sealed with another key or changed.
        """
        nonce, tag = sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES : _NONCE_BYTES + _TAG_BYTES]
        covered = sealed[_NONCE_BYTES + _TAG_BYTES :]
        if not compare_digest(tag, self._tag(nonce + covered)):
            raise ValueError("what is sealed was sealed with another key or changed")
        return self._stream(nonce, covered)

    def _stream(self, nonce: bytes, content: bytes) -> bytes:
        length = len(content)
        blocks = []
        for counter in range((length + 63) // 64):
            block = self._sealer.copy()
            block.update(nonce + counter.to_bytes(8, "little"))
            blocks.append(block.digest())
        stream = b"".join(blocks)[:length]
        mixed = int.from_bytes(content, "little") ^ int.from_bytes(stream, "little")
        return mixed.to_bytes(length, "little")

    def _tag(self, content: bytes) -> bytes:
        tagger = self._tagger.copy()
        tagger.update(content)
        return tagger.digest()


class IdentityKeys:
    """The current key and those that it replaced.

    Attributes:
        current: What new hashes are made with.
        retired: What older hashes were made with, the latest first.

    Raises:
        ValueError: There is no key, one stands there twice, or there are too many.
    """

    __slots__ = ("_keys", "current", "hash", "retired")

    def __init__(self, keys: Sequence[IdentityKey]) -> None:
        checks = {key.check_value for key in keys}
        if not 1 <= len(keys) <= MAX_KEYS or len(checks) < len(keys):
            raise ValueError(f"there must be 1 to {MAX_KEYS} identity keys, each once")
        self._keys = tuple(keys)
        self.current = keys[0]
        self.retired = self._keys[1:]
        self.hash = self.current.hash

    @property
    def check_values(self) -> frozenset[bytes]:
        """The check values of all keys."""
        return frozenset(key.check_value for key in self._keys)

    def hashes(self, raw_ids: Sequence[str]) -> tuple[bytes, ...]:
        """Return what each id was or would be stored under, by the current key first."""
        hash_id = self.hash
        if not self.retired:
            return tuple([hash_id(raw_id) for raw_id in raw_ids])
        return tuple([key.hash(raw_id) for key in self._keys for raw_id in raw_ids])

    def unseal(self, sealed: bytes) -> bytes:
        """Return the content that one of the keys sealed.

        Raises:
            ValueError: None of them did.
        """
        for key in self._keys:
            with suppress(ValueError):
                return key.unseal(sealed)
        raise ValueError("what is sealed was sealed with none of these keys or changed")


def read_keys(path: Path) -> IdentityKeys:
    """Read the keys of a store.

    Raises:
        StoreUnavailable: The file cannot be read, has another length, or is open to others.
    """
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            content = file.read(MAX_KEYS * KEY_BYTES + 1)
    except OSError as error:
        raise StoreUnavailable(
            f"the identity key file {path} cannot be read ({error.strerror}); without it the "
            "stored holds cannot be matched to anybody: restore it from the backup"
        ) from error
    if mode & _UNSAFE_MODE:
        raise StoreUnavailable(
            f"the identity key file {path} has mode {stat.S_IMODE(mode):04o}; it must not be "
            "readable by everybody nor writable by others: set mode 0600 or 0440"
        )
    keys = [content[place : place + KEY_BYTES] for place in range(0, len(content), KEY_BYTES)]
    if not keys or len(keys[-1]) != KEY_BYTES or len(keys) > MAX_KEYS or len(set(keys)) < len(keys):
        raise StoreUnavailable(
            f"the identity key file {path} must hold 1 to {MAX_KEYS} different keys of exactly "
            f"{KEY_BYTES} bytes each"
        )
    return IdentityKeys([IdentityKey(key) for key in keys])


def write_new_key(path: Path) -> IdentityKeys:
    """Make a random key, durably and readable by its owner alone; replaces what is there."""
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(os.urandom(KEY_BYTES))
        file.flush()
        os.fsync(file.fileno())
    return read_keys(path)
