"""The life of the connections to one SQLite file: one a thread, anew after errors.

Owns how a connection is opened, verified, given up and opened anew, so that a store recovers when
its file does, and how that survives threads that end and processes that fork. It must not know
what is asked of a connection.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from pairguard.errors import StoreUnavailable
from pairguard.store.identity import IdentityKeys
from pairguard.store.sqlite.schema import prepare

_Result = TypeVar("_Result")
_LOG_LIMIT_BYTES = 64 * 2**20
_EMPTY_LOG_TIMEOUT_SECONDS = 0.05
_REFUSED_WRITES = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_FULL})


@dataclass(frozen=True, slots=True, eq=False)
class Session:
    """A connection, the keys that fit its database, and where it was opened."""

    connection: sqlite3.Connection
    keys: IdentityKeys
    thread: threading.Thread
    device: int
    inode: int

    def is_on(self, path: str) -> bool:
        """Tell whether the path still names the file that this connection has open.

        A file that was replaced or removed under a connection still takes writes, and loses them.
        """
        # By name and not as an object: this stands in the way of every reading.
        status = os.stat(path)  # noqa: PTH116
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
        self._path_name = str(self._path)
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

    @property
    def path(self) -> Path:
        """The database."""
        return self._path

    @property
    def key_path(self) -> Path:
        """The file with its keys."""
        return self._key_path

    @property
    def key_is_ours(self) -> bool:
        """Whether the keys are the store's own, made with the database."""
        return self._key_is_ours

    def run(self, operation: Callable[[Session], _Result], *, power_safe: bool = True) -> _Result:
        """Run an operation on this thread's session, which outlives no error but a refused write.

        Args:
            operation: What to do.
            power_safe: Whether what it commits must survive a power cut and not only the end of
                this process; there is a session for each.

        Raises:
            StoreUnavailable: The database could not be opened or the operation failed on it.
        """
        session: Session | None = None
        try:
            session = self._session(power_safe=power_safe)
            return operation(session)
        except StoreUnavailable:
            raise
        except (sqlite3.Error, OSError, MemoryError, ValueError) as error:
            if session is None or not _is_as_before(session, error):
                self._discard(session)
            # What SQLite and the system say names files and states, never a value. The module
            # between says of a value that it cannot decode what it is.
            of_module = isinstance(error, sqlite3.Error) and not hasattr(error, "sqlite_errorcode")
            told = "a value cannot be read" if of_module else str(error)
            raise StoreUnavailable(f"the store {self._path} cannot be used: {told}") from error
        except BaseException:
            self._discard(session)
            raise

    def run_alone(
        self, operation: Callable[[Session], _Result], *, power_safe: bool = True
    ) -> _Result:
        """Run an operation that writes, one thread of this process at a time; see ``run``."""
        self._leave_parent_process()
        with self._writing:
            return self.run(operation, power_safe=power_safe)

    def empty_log(self) -> bool:
        """Try to move the log into the database and cut it off; return whether it is empty.

        Gives up soon where somebody reads or writes, because others wait for it to end.
        """
        if self._closed:
            return False
        self._leave_parent_process()
        with self._writing, suppress(sqlite3.Error, OSError):
            # A connection of its own, for its shorter patience.
            connection = sqlite3.connect(
                f"{self._path.as_uri()}?mode=rw",
                uri=True,
                timeout=_EMPTY_LOG_TIMEOUT_SECONDS,
                isolation_level=None,
            )
            with closing(connection):
                (busy, _, _) = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
                return not busy
        return False

    def close(self) -> None:
        """Close the connections of all threads; nothing can be run afterwards."""
        self._closed = True
        self._leave_parent_process()
        with self._lock:
            sessions, self._sessions = self._sessions, []
        for session in sessions:
            with suppress(sqlite3.Error):
                session.connection.close()

    def _session(self, *, power_safe: bool) -> Session:
        if self._closed:
            raise StoreUnavailable("the store is closed")
        self._leave_parent_process()
        name = "session" if power_safe else "swift_session"
        session: Session | None = getattr(self._local, name, None)
        if session is not None and not session.is_on(self._path_name):
            self._discard(session)
            session = None
        if session is None:
            with self._lock:
                session = self._open(power_safe=power_safe)
                self._close_ended_threads()
                self._sessions.append(session)
                self._was_open = True
            setattr(self._local, name, session)
        return session

    def _open(self, *, power_safe: bool) -> Session:
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
                return self._connect(power_safe=power_safe)
            except sqlite3.OperationalError as error:
                # Changing to write-ahead logging answers busy without waiting.
                busy = error.sqlite_errorcode & 0xFF in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
                if not busy or self._was_open or time.monotonic() > deadline:
                    raise
                time.sleep(0.005)

    def _connect(self, *, power_safe: bool) -> Session:
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
            _configure(connection, power_safe=power_safe)
            keys = prepare(
                connection,
                self._key_path,
                key_is_ours=self._key_is_ours,
                trace_path=self._path.with_name(self._path.name + ".begun"),
                may_create=not self._was_open,
            )
        except BaseException:
            connection.close()
            raise
        return Session(
            connection=connection,
            keys=keys,
            thread=threading.current_thread(),
            device=status.st_dev,
            inode=status.st_ino,
        )

    def _discard(self, session: Session | None) -> None:
        if session is None:
            return
        for name in ("session", "swift_session"):
            held: Session | None = getattr(self._local, name, None)
            if held is session:
                delattr(self._local, name)
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


def _is_as_before(session: Session, error: Exception) -> bool:
    """Tell whether a refused write left a connection that can read on.

    On a full disk it must: a connection that was opened anew would have to write to read at all.
    """
    code = getattr(error, "sqlite_errorcode", None)
    if not isinstance(code, int) or session.connection.in_transaction:
        return False
    return code & 0xFF in _REFUSED_WRITES or code == sqlite3.SQLITE_IOERR_WRITE


def _configure(connection: sqlite3.Connection, *, power_safe: bool) -> None:
    (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
    if mode != "wal":
        raise StoreUnavailable("the store's file system cannot share memory between processes")
    connection.execute("PRAGMA fullfsync = ON")
    connection.execute("PRAGMA trusted_schema = OFF")
    # What is deleted or overwritten is overwritten with zeros, so that an erasure is one.
    connection.execute("PRAGMA secure_delete = ON")
    connection.execute(f"PRAGMA journal_size_limit = {_LOG_LIMIT_BYTES}")
    if power_safe:
        connection.execute("PRAGMA synchronous = FULL")
    else:
        connection.execute("PRAGMA synchronous = NORMAL")
        # Moving the log into the database waits for the disk: left to those who wait for it anyway,
        # unless they do not come.
        connection.execute("PRAGMA wal_autocheckpoint = 8000")
