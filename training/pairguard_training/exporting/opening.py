"""The store whose journal is exported.

Owns that an export never makes a store: a name that is wrong must not look like an empty journal.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pairguard.errors import ConfigurationRefused
from pairguard.store.opening import open_store, sqlite_path, store_problem
from pairguard.store.ports import ParticipantStore


@contextmanager
def journal_store(
    name: str, *, key_path: Path | None, password_path: Path | None
) -> Iterator[ParticipantStore]:
    """Open a store for a while.

    Args:
        name: As the server's setting ``store`` has it.
        key_path: File of the identity keys; None: beside the database of an embedded store.
        password_path: File of the password of a store that wants one.

    Raises:
        ConfigurationRefused: There is no such store.
        StoreUnavailable: It cannot be opened.
    """
    problem = store_problem(name)
    if problem is not None:
        raise ConfigurationRefused([f"--store {problem}"])
    path = sqlite_path(name)
    if path is not None and not (path.is_file() and path.stat().st_size):
        raise ConfigurationRefused([f"there is no store at {path}; only a server makes one"])
    if path is None and key_path is None:
        raise ConfigurationRefused(["a store in Redis needs --key-file, the servers' own"])
    if key_path is not None and not key_path.is_file():
        raise ConfigurationRefused([f"there is no identity key at {key_path}"])
    store = open_store(name, key_path=key_path, password_path=password_path)
    try:
        store.check()
        yield store
    finally:
        store.close()
