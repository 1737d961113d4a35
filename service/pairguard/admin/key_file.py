"""The file of identity keys, rewritten: all of it or nothing, and never a second copy left.

Owns the order of keys in the file. It must not know what is stored under them. A key is named by
its key id, which tells nothing of it.
"""

from __future__ import annotations

import os
import secrets
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from pairguard.admin.refusal import CommandRefused
from pairguard.store.identity import KEY_BYTES, MAX_KEYS, IdentityKey, IdentityKeys, read_keys
from pairguard.store.segments.directory import directory_lock, sync_directory

_LOCK_SECONDS = 5.0


class KeyFile:
    """A file of identity keys as it stands, the current one first.

    Args:
        path: The file; it is read and must be a file and no link, since a link would be replaced
            and what it leads to stay as it is.

    Raises:
        StoreUnavailable: It cannot be read or holds no keys.
        CommandRefused: It is a link.
    """

    def __init__(self, path: Path) -> None:
        if path.is_symlink():
            raise CommandRefused(
                f"{path} is a link, as mounted secrets are: change a copy of the file, named by "
                "PAIRGUARD_IDENTITY_KEY_FILE, and put it where the link is made from"
            )
        self._path = path
        self.keys: IdentityKeys = read_keys(path)
        content = path.read_bytes()
        self._secrets = [content[p : p + KEY_BYTES] for p in range(0, len(content), KEY_BYTES)]

    @property
    def key_ids(self) -> tuple[str, ...]:
        """Names of the keys, the current one first."""
        return tuple(IdentityKey(each).key_id for each in self._secrets)

    def find(self, key_id: str) -> IdentityKey:
        """Return the key of a name.

        Raises:
            CommandRefused: There is none of this name.
        """
        return IdentityKey(self._secrets[self._place(key_id)])

    def add(self) -> str:
        """Put a new random key at the end, where nothing is hashed with it yet; return its name."""
        if len(self._secrets) == MAX_KEYS:
            raise CommandRefused(f"{self._path} holds {MAX_KEYS} keys already: retire one first")
        fresh = secrets.token_bytes(KEY_BYTES)
        self._rewrite([*self._secrets, fresh])
        return IdentityKey(fresh).key_id

    def promote(self, key_id: str) -> None:
        """Put a key to the front: new hashes are made with it."""
        place = self._place(key_id)
        others = self._secrets[:place] + self._secrets[place + 1 :]
        self._rewrite([self._secrets[place], *others])

    def remove(self, key_id: str) -> None:
        """Take a key out for good."""
        place = self._place(key_id)
        self._rewrite(self._secrets[:place] + self._secrets[place + 1 :])

    def _place(self, key_id: str) -> int:
        with suppress(ValueError):
            return self.key_ids.index(key_id.lower())
        raise CommandRefused(f"{self._path} holds no key {key_id}: see pairguard keys list")

    def _rewrite(self, keys: Sequence[bytes]) -> None:
        partial = self._path.with_name(f".{self._path.name}.{secrets.token_hex(8)}")
        try:
            status = self._path.stat()
            descriptor = os.open(
                partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600
            )
            try:
                with os.fdopen(descriptor, "wb") as file:
                    file.write(b"".join(keys))
                    file.flush()
                    if (status.st_uid, status.st_gid) != (os.geteuid(), os.getegid()):
                        os.fchown(descriptor, status.st_uid, status.st_gid)
                    os.fchmod(descriptor, stat.S_IMODE(status.st_mode))
                    os.fsync(descriptor)
                partial.replace(self._path)
            finally:
                partial.unlink(missing_ok=True)
            sync_directory(self._path.parent)
        except OSError as error:
            raise CommandRefused(
                f"{self._path} cannot be rewritten: {error.strerror}; nothing was changed, unless "
                "pairguard keys list says otherwise"
            ) from error
        self._secrets = list(keys)
        self.keys = read_keys(self._path)


@contextmanager
def locked(path: Path) -> Iterator[KeyFile]:
    """Give the file, to be changed by nobody else that asks in this way.

    Raises:
        CommandRefused: It is being changed.
        StoreUnavailable: It cannot be read.
    """
    try:
        with directory_lock(path.parent, timeout_seconds=_LOCK_SECONDS) as has_lock:
            if not has_lock:
                raise CommandRefused(f"{path.parent} is in use by another command")
            yield KeyFile(path)
    except OSError as error:
        raise CommandRefused(f"{path.parent} cannot be used: {error.strerror}") from error
