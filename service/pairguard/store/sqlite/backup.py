"""A copy of the embedded store, and a store from a copy.

Owns that a copy is one state of the database, complete and on the disk before it has its name, and
that nothing is overwritten by mistake. It must not know who asked.

The store's own key lies beside its copy as it lies beside the database; a key that was handed in is
kept by whoever handed it in.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Final

from pairguard.errors import PairguardError, StoreUnavailable
from pairguard.store.sqlite.connections import Session
from pairguard.store.sqlite.schema import require_fit
from pairguard.store.sqlite.store import SqliteStore

_KEY_SUFFIX: Final = ".key"
_PARTIAL_SUFFIX: Final = ".partial"


class CopyRefused(PairguardError):
    """Raise when a copy would overwrite something, or is not fit to be a store."""

    def __init__(self, message: str) -> None:
        super().__init__(message, reason="COPY_REFUSED")


def backup(store: SqliteStore, target: Path) -> None:
    """Copy a store that may be in use to a new file.

    Args:
        store: What is copied; it is read and written on meanwhile.
        target: The new file; the store's own key comes beside it with ``.key`` appended.

    Raises:
        CopyRefused: There is a file of this name or of the key's.
        StoreUnavailable: The store could not be read or the file not be written.
    """
    key_target = _beside(target, _KEY_SUFFIX)
    for path in (target, key_target):
        if path.exists():
            raise CopyRefused(f"{path} is there already: choose another name")
    connections = store.connections

    def copy(session: Session) -> None:
        _copy(session.connection, _beside(target, _PARTIAL_SUFFIX))

    connections.run(copy)
    with _as_unavailable(target):
        if connections.key_is_ours:
            _write(key_target, connections.key_path.read_bytes())
        partial = _beside(target, _PARTIAL_SUFFIX)
        # A link and not a new name: a file that came in between is not overwritten.
        target.hardlink_to(partial)
        partial.unlink()
        _sync_directory(target.parent)


def restore(
    source: Path, target: Path, *, key_path: Path | None = None, replace: bool = False
) -> None:
    """Make a store from a copy.

    Who was erased after the copy was made is in it again: those erasures must be asked for anew.

    Args:
        source: The copy, with its key beside it unless ``key_path`` is given.
        target: The database of the store; its directory must be there.
        key_path: The key file that was handed in to the store, and stays where it is.
        replace: Put the copy in the place of a store that is there. One that is in use is never
            replaced.

    Raises:
        CopyRefused: The copy is damaged or not fit, or there is a store already.
        StoreUnavailable: A file could not be read or written.
    """
    key_target = _beside(target, _KEY_SUFFIX)
    if not replace:
        for path in (target, *([] if key_path else [key_target])):
            if path.exists():
                raise CopyRefused(f"{path} is there already: a store is replaced only when told")
    source_key = key_path or _beside(source, _KEY_SUFFIX)
    partial = _beside(target, _PARTIAL_SUFFIX)
    with _as_unavailable(target):
        _require_sound(source, source_key)
        if target.exists():
            _require_unused(target)
        with closing(_open(source, "ro")) as connection:
            _copy(connection, partial)
        # The log of what is replaced would be taken for that of the copy.
        for suffix in ("-wal", "-shm"):
            _beside(target, suffix).unlink(missing_ok=True)
        partial.replace(target)
        if key_path is None:
            key_partial = _beside(key_target, _PARTIAL_SUFFIX)
            key_partial.unlink(missing_ok=True)
            _write(key_partial, source_key.read_bytes())
            key_partial.replace(key_target)
        _sync_directory(target.parent)


def _copy(connection: sqlite3.Connection, partial: Path) -> None:
    """Copy a database at one moment and verify the copy."""
    partial.unlink(missing_ok=True)
    _write(partial, b"")
    with closing(_open(partial, "rw")) as copied:
        # Synced once it is whole.
        copied.execute("PRAGMA synchronous = OFF")
        connection.backup(copied)
        # One file, that can be read where nothing can be written.
        copied.execute("PRAGMA journal_mode = DELETE")
        _require_intact(copied, partial)
    descriptor = os.open(partial, os.O_RDWR | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _require_sound(source: Path, key_path: Path) -> None:
    if not source.is_file():
        raise CopyRefused(f"there is no file {source}")
    try:
        with closing(_open(source, "ro")) as connection:
            _require_intact(connection, source)
            require_fit(connection, key_path)
    except (sqlite3.DatabaseError, StoreUnavailable) as error:
        raise CopyRefused(f"{source} is not fit to be a store: {error}") from error


def _require_intact(connection: sqlite3.Connection, path: Path) -> None:
    (verdict,) = connection.execute("PRAGMA integrity_check (1)").fetchone()
    if verdict != "ok":
        raise CopyRefused(f"{path} is damaged: {verdict}")


def _require_unused(target: Path) -> None:
    """Refuse a database that any connection has open: only the last one may leave the log."""
    with closing(_open(target, "rw")) as connection:
        try:
            connection.execute("PRAGMA journal_mode = DELETE").fetchone()
        except sqlite3.OperationalError as error:
            raise CopyRefused(f"{target} is in use: stop every process that has it open") from error
        except sqlite3.DatabaseError:
            # It is none any more, and whoever says so has told to replace it.
            return


def _open(path: Path, mode: str) -> sqlite3.Connection:
    uri = f"{path.absolute().as_uri()}?mode={mode}"
    return sqlite3.connect(uri, uri=True, timeout=0.0, isolation_level=None)


def _write(path: Path, content: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _sync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _as_unavailable(target: Path) -> Iterator[None]:
    """Tell errors of files and databases as those of a store, and leave no half copy."""
    try:
        yield
    except (OSError, sqlite3.Error) as error:
        raise StoreUnavailable(f"{target} cannot be written: {error}") from error
    finally:
        with suppress(OSError):
            _beside(target, _PARTIAL_SUFFIX).unlink(missing_ok=True)


def _beside(path: Path, suffix: str) -> Path:
    return path.with_name(path.name + suffix)
