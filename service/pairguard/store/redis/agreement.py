"""That the identity keys of this machine are those that the kept hashes were made with.

Owns the value that tells so, which every call reads along with what it wants: a server that was
emptied, replaced or is another's is noticed before anything it says is believed. Also the version
of all that is kept. It must not know what else is kept.

A store has a random id, which each machine remembers beside its keys once it has used the store. So
a server that lost its data is not begun anew by whichever process starts next: all others would
take it for the store in which nobody is held.
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import mkstemp
from typing import Final

from pairguard.errors import StoreUnavailable
from pairguard.store.identity import IdentityKeys, read_keys, write_new_key
from pairguard.store.redis.connections import Connections, command, run
from pairguard.store.redis.scripts import REPLACE_VALUE

SCHEMA_VERSION: Final = 1
OLDEST_COMPATIBLE_VERSION: Final = 1
"""The oldest program that can go on with what this one writes."""
_MAX_WAIT_SECONDS: Final = 0.1
_STORE_ID_BYTES: Final = 16
_STORE_SUFFIX: Final = ".store"


class Agreement:
    """What this process and the server agree on.

    Args:
        connections: With time enough for a write.
        key: Where the value lies.
        key_path: File of the identity keys. Made at first use where neither it nor the value is
            there; handed in, it belongs to the server once it was used on it.
    """

    def __init__(self, connections: Connections, key: bytes, key_path: Path) -> None:
        self.key = key
        self._connections = connections
        self._key_path = key_path.absolute()
        self._store_path = self._key_path.with_name(self._key_path.name + _STORE_SUFFIX)
        self._store_id = ""
        self._lock = threading.Lock()
        self._keys: IdentityKeys | None = None
        self._accepted: bytes | None = None

    @property
    def keys(self) -> IdentityKeys:
        """The identity keys; the server is asked only where there is no file of them yet.

        Raises:
            StoreUnavailable: They cannot be read, or not be made.
        """
        if self._keys is None and self._key_path.exists():
            self._keys = read_keys(self._key_path)
        if self._keys is None:
            self.accepted()
        if self._keys is None:
            self._keys = read_keys(self._key_path)
        return self._keys

    def accepted(self, connections: Connections | None = None) -> bytes:
        """Return the value that the server must have.

        Args:
            connections: Ask for it in the time that these have; None: with time for a write.

        Raises:
            StoreUnavailable: There is no agreement, or none could be reached.
        """
        if self._accepted is None:
            # Who waits here waits for somebody else's attempt, and must not do so in a queue.
            if not self._lock.acquire(timeout=_MAX_WAIT_SECONDS):
                raise StoreUnavailable("the store is being opened")
            try:
                if self._accepted is None:
                    self._agree(connections or self._connections)
            finally:
                self._lock.release()
        if self._accepted is None:
            raise StoreUnavailable("the store and this program have not agreed")
        return self._accepted

    def verify(self, value: bytes | None) -> None:
        """Return when the value is one that this program can go on with.

        Raises:
            StoreUnavailable: It is not.
        """
        if value == self._accepted and value is not None:
            return
        if value is None:
            raise self._emptied()
        self._accept(value)

    def known_checks(self) -> frozenset[bytes]:
        """Return the check values of all keys that have been the current one.

        Raises:
            StoreUnavailable: There is no agreement.
        """
        return frozenset(map(bytes.fromhex, _known(_document(self._asked()))))

    def forget_check(self, check: bytes, *, current: bytes) -> None:
        """Ask no more for a key, and for the current one in its place.

        Args:
            check: Check value of the key that goes.
            current: Check value of the key that stays.

        Raises:
            StoreUnavailable: There is no agreement, or it could not be changed.
        """
        if check == current:
            raise ValueError("the current key is not taken out of use")
        value = self._asked()
        document = _document(value)
        left = (_known(document) - {check.hex()}) | {current.hex()}
        text = _text({**document, "key_checks": sorted(left)})
        if text == value:
            return
        if not self._connections.ask(run(REPLACE_VALUE, [self.key], value, text)):
            raise StoreUnavailable("the agreement on keys was changed meanwhile: try again")
        self._accept(text)

    def _asked(self) -> bytes:
        self.accepted()
        value: bytes | None = self._connections.ask(command("GET", self.key))
        self.verify(value)
        return value or b""

    def _agree(self, connections: Connections) -> None:
        value = connections.ask(command("GET", self.key))
        if value is None and self._used_store_id():
            raise self._emptied()
        if value is None and self._key_path.exists():
            value = self._claim(read_keys(self._key_path))
        elif not self._key_path.exists():
            with _locked(self._key_path.parent):
                pending = self._key_path.with_name(self._key_path.name + ".new")
                value = connections.ask(command("GET", self.key))
                if value is None:
                    value = self._claim(self._own_keys(pending))
                self._finish(pending, value)
        self._accept(value)

    def _claim(self, keys: IdentityKeys) -> bytes | None:
        text = _text(
            {
                "schema_version": SCHEMA_VERSION,
                "oldest_compatible_version": OLDEST_COMPATIBLE_VERSION,
                "key_checks": [keys.current.check_value.hex()],
                "store_id": secrets.token_hex(_STORE_ID_BYTES),
            }
        )
        # Of several machines that begin at once one is first; the others must be given its key.
        self._connections.ask(command("SET", self.key, text, "NX"))
        value: bytes | None = self._connections.ask(command("GET", self.key))
        return value

    def _own_keys(self, pending: Path) -> IdentityKeys:
        if self._key_path.exists():
            return read_keys(self._key_path)
        if pending.exists():
            # Left by a process that ended before it knew whether its key is the one: it may be.
            with suppress(StoreUnavailable):
                return read_keys(pending)
        keys = write_new_key(pending)
        _to_disk(pending.parent)
        return keys

    def _finish(self, pending: Path, value: bytes | None) -> None:
        """Give a new key its name once the server is known to belong to it."""
        if value is None or self._key_path.exists() or not pending.exists():
            return
        if read_keys(pending).current.check_value.hex() in _known(_document(value)):
            pending.rename(self._key_path)
            _to_disk(self._key_path.parent)
        else:
            pending.unlink()

    def _accept(self, value: bytes | None) -> None:
        document = _document(value)
        oldest = document.get("oldest_compatible_version")
        if not isinstance(oldest, int) or oldest > SCHEMA_VERSION:
            raise StoreUnavailable(
                f"the store has schema version {document.get('schema_version')}, made for programs "
                f"that know version {oldest}; this one knows {SCHEMA_VERSION}: update it"
            )
        store_id, used = str(document.get("store_id", "")), self._used_store_id()
        if store_id and used and store_id != used:
            raise StoreUnavailable(
                "the store's server was emptied and begun anew, or is another than this machine "
                f"used before: restore its data{self._way_to_begin()}"
            )
        known = _known(document)
        keys = self._keys
        if keys is None or not _fits(known, keys):
            # It may have been changed since it was read: a key comes to all machines before any
            # of them begins to use it.
            keys = read_keys(self._key_path)
        if not _fits(known, keys):
            raise StoreUnavailable(
                f"the store's ids were hashed with another key than {self._key_path} holds; what "
                "is kept would be missed: put the key there that belongs to this store, and leave "
                "a retired key in the file behind the current one"
            )
        current = keys.current.check_value.hex()
        if value is not None and current not in known:
            # Remembered before it is used.
            text = _text({**document, "key_checks": sorted({*known, current})})
            if self._connections.ask(run(REPLACE_VALUE, [self.key], value, text)):
                value = text
        if store_id and not used:
            self._remember(store_id)
        self._store_id = store_id or used
        self._keys, self._accepted = keys, value

    def _used_store_id(self) -> str:
        """Return the id of the store that this process or this machine has used; "": none yet."""
        if self._store_id:
            return self._store_id
        try:
            return self._store_path.read_text(encoding="ascii").strip()
        except FileNotFoundError:
            return ""
        except (OSError, ValueError) as error:
            raise StoreUnavailable(
                f"{self._store_path}, which names this machine's store, cannot be read"
            ) from error

    def _remember(self, store_id: str) -> None:
        # Where keys are mounted read-only, only running processes know which store is theirs.
        with suppress(OSError):
            descriptor, name = mkstemp(
                prefix=f"{self._store_path.name}.", dir=self._key_path.parent
            )
            try:
                with os.fdopen(descriptor, "w", encoding="ascii") as file:
                    file.write(store_id + "\n")
                    file.flush()
                    os.fsync(file.fileno())
                Path(name).replace(self._store_path)
            finally:
                Path(name).unlink(missing_ok=True)
            _to_disk(self._key_path.parent)

    def _emptied(self) -> StoreUnavailable:
        return StoreUnavailable(
            "the store's server is empty although it was in use: restore its data"
            + self._way_to_begin()
        )

    def _way_to_begin(self) -> str:
        return f", or begin a store in which nobody is held by removing {self._store_path}"


def _text(document: Mapping[str, object]) -> bytes:
    return json.dumps(document, sort_keys=True).encode()


def _known(document: Mapping[str, object]) -> frozenset[str]:
    """Return the check values of all keys that were ever used."""
    checks = document.get("key_checks")
    return frozenset(map(str, checks)) if isinstance(checks, list) else frozenset()


def _fits(known: frozenset[str], keys: IdentityKeys) -> bool:
    return bool(known) and known <= {each.hex() for each in keys.check_values}


def _document(value: bytes | None) -> dict[str, object]:
    try:
        document = json.loads(value or b"")
    except ValueError:
        document = None
    if not isinstance(document, dict):
        raise StoreUnavailable("the store in Redis does not tell its version and key")
    return document


@contextmanager
def _locked(directory: Path) -> Iterator[None]:
    """Let one process of this machine at a time make a key there."""
    try:
        descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)
    except OSError as error:
        raise StoreUnavailable(
            f"the identity key cannot be kept in {directory} ({error.strerror})"
        ) from error


def _to_disk(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
