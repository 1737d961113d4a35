"""Keyed hashes in place of ids, and the key they are made with.

Owns how an id of the caller becomes what is stored: BLAKE2b (RFC 7693), keyed with 32 random
bytes from a file and cut to 128 bits, so that a stolen database can neither be read back nor be
tested against a list of known ids. It must not know what is stored under a hash.
"""

from __future__ import annotations

import os
import stat
from hashlib import blake2b
from pathlib import Path

from pairguard.errors import StoreUnavailable

KEY_BYTES = 32
HASH_BYTES = 16

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

    __slots__ = ("_hasher", "check_value")

    def __init__(self, key: bytes) -> None:
        if len(key) != KEY_BYTES:
            raise ValueError(f"an identity key is {KEY_BYTES} bytes long")
        # The key is absorbed once; each hash starts from a copy of that state.
        self._hasher = blake2b(digest_size=HASH_BYTES, key=key, person=b"pairguard.id")
        self.check_value = blake2b(
            digest_size=HASH_BYTES, key=key, person=b"pairguard.check"
        ).digest()

    def hash(self, raw_id: str) -> bytes:
        """Return the 16 bytes that stand for an id in the store."""
        hasher = self._hasher.copy()
        hasher.update(raw_id.encode("utf-8", "surrogatepass"))
        return hasher.digest()


def read_key(path: Path) -> IdentityKey:
    """Read the key of a store.

    Raises:
        StoreUnavailable: The file cannot be read, has another length, or is open to others.
    """
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            key = file.read(KEY_BYTES + 1)
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
    if len(key) != KEY_BYTES:
        raise StoreUnavailable(f"the identity key file {path} must hold exactly {KEY_BYTES} bytes")
    return IdentityKey(key)


def write_new_key(path: Path) -> IdentityKey:
    """Make a random key, durably and readable by its owner alone; replaces what is there."""
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(os.urandom(KEY_BYTES))
        file.flush()
        os.fsync(file.fileno())
    return read_key(path)
