"""The life of the connections to one SQLite file: one a thread, none beyond its first error.

Owns how a connection is opened, verified, given up and opened anew, so that a store recovers when
its file does, and how that survives threads that end and processes that fork. It must not know
what is asked of a connection (``pairguard.store.sqlite``).
"""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from pairguard.errors import StoreUnavailable
from pairguard.store.identity import IdentityKey
from pairguard.store.sqlite_schema import prepare

_Result = TypeVar("_Result")


@dataclass(frozen=True, slots=True, eq=False)
class Session:
    """A connection, the key that fits its database, and where it was opened."""

    connection: sqlite3.Connection
    key: IdentityKey
    thread: threading.Thread
    device: int
    inode: int

    def is_on(self, path: Path) -> bool:
        """Tell whether the path still names the file that this connection has open.

        A file that was replaced or removed under a connection still takes writes, and loses them.
        """
        status = path.stat()
        return status.st_ino == self.inode and status.st_dev == self.device


class SqliteConnections:
    """Sessions on one database file, each for the thread that asks.

    Nothing is opened by the constructor.

    Args:
        path: The database; it is made at first use, its directory must be there.
        key_path: The file with the identity key; None: the store's own, beside the database.
        busy_timeout_seconds: How long a statement waits for another's lock.
        first_open_timeout_seconds: How long the first use waits instead, while other processes
            may be making the same database.
    """

    def __init__(
        self,
        path: Path,
        *,
        key_path: Path | None,
        busy_timeout_seconds: float,
        first_open_timeout_seconds: float,
    ) -> None:
        self._path = path.absolute()
        self._key_is_ours = key_path is None
        self._key_path = (key_path or path.with_name(path.name + ".key")).absolute()
        self._busy_timeout_seconds = busy_timeout_seconds
        self._first_open_timeout_seconds = first_open_timeout_seconds
        self._lock = threading.Lock()
        self._writing = threading.Lock()
        self._local = threading.local()
        self._sessions: list[Session] = []
        self._inherited: list[Session] = []
        self._process_id = os.getpid()
        self._was_open = False
        self._closed = False

    def run(self, operation: Callable[[Session], _Result]) -> _Result:
        """Run an operation on this thread's session, which does not outlive an error.

        Raises:
            StoreUnavailable: The database could not be opened or the operation failed on it.
        """
        session: Session | None = None
        try:
            session = self._session()
            return operation(session)
        except StoreUnavailable:
            raise
        except (sqlite3.Error, OSError, MemoryError, ValueError) as error:
            self._discard(session)
            # The texts of these errors name files and states, never a bound value.
            raise StoreUnavailable(f"the store {self._path} cannot be used: {error}") from error
        except BaseException:
            self._discard(session)
            raise

    def run_alone(self, operation: Callable[[Session], _Result]) -> _Result:
        """Run an operation that writes, one thread of this process at a time; see ``run``."""
        self._leave_parent_process()
        with self._writing:
            return self.run(operation)

    def close(self) -> None:
        """Close the connections of all threads; nothing can be run afterwards."""
        self._closed = True
        self._leave_parent_process()
        with self._lock:
            sessions, self._sessions = self._sessions, []
        for session in sessions:
            with suppress(sqlite3.Error):
                session.connection.close()

    def _session(self) -> Session:
        if self._closed:
            raise StoreUnavailable("the store is closed")
        self._leave_parent_process()
        session: Session | None = getattr(self._local, "session", None)
        if session is not None and not session.is_on(self._path):
            self._discard(session)
            session = None
        if session is None:
            with self._lock:
                session = self._open()
                self._close_ended_threads()
                self._sessions.append(session)
                self._was_open = True
            self._local.session = session
        return session

    def _open(self) -> Session:
        if not self._was_open:
            # Made here rather than by SQLite for its mode, which the log files inherit. Never
            # opened here when it exists: closing it would drop the locks of our connections.
            with suppress(FileExistsError):
                flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
                os.close(os.open(self._path, flags, 0o600))
        deadline = time.monotonic() + (
            self._busy_timeout_seconds if self._was_open else self._first_open_timeout_seconds
        )
        while True:
            try:
                return self._connect()
            except sqlite3.OperationalError as error:
                # Changing to write-ahead logging answers busy without waiting.
                busy = error.sqlite_errorcode & 0xFF in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
                if not busy or self._was_open or time.monotonic() > deadline:
                    raise
                time.sleep(0.005)

    def _connect(self) -> Session:
        status = self._path.stat()
        connection = sqlite3.connect(
            f"{self._path.as_uri()}?mode=rw",
            uri=True,
            timeout=self._busy_timeout_seconds,
            isolation_level=None,
            # Only ``close`` crosses threads.
            check_same_thread=False,
        )
        try:
            _configure(connection)
            key = prepare(
                connection,
                self._key_path,
                key_is_ours=self._key_is_ours,
                may_create=not self._was_open,
            )
        except BaseException:
            connection.close()
            raise
        return Session(
            connection=connection,
            key=key,
            thread=threading.current_thread(),
            device=status.st_dev,
            inode=status.st_ino,
        )

    def _discard(self, session: Session | None) -> None:
        if session is None:
            return
        self._local.session = None
        with self._lock:
            self._sessions = [each for each in self._sessions if each is not session]
        with suppress(sqlite3.Error):
            session.connection.close()

    def _close_ended_threads(self) -> None:
        for session in [each for each in self._sessions if not each.thread.is_alive()]:
            self._sessions.remove(session)
            with suppress(sqlite3.Error):
                session.connection.close()

    def _leave_parent_process(self) -> None:
        """Set the connections of a forked parent aside; using or closing them here is unsafe."""
        if self._process_id == os.getpid():
            return
        self._process_id = os.getpid()
        self._inherited += self._sessions
        self._sessions = []
        self._lock = threading.Lock()
        self._writing = threading.Lock()
        self._local = threading.local()


def _configure(connection: sqlite3.Connection) -> None:
    (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
    if mode != "wal":
        raise StoreUnavailable("the store's file system cannot share memory between processes")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA fullfsync = ON")
    connection.execute("PRAGMA trusted_schema = OFF")
