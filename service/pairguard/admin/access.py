"""How a command comes to the store and the local journal that the server's settings name.

Owns that a command never makes a store where there is none. It must not know what is done with it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pairguard.admin.refusal import CommandRefused
from pairguard.server.settings import Settings
from pairguard.store.opening import open_store, sqlite_path
from pairguard.store.ports import ParticipantStore


def database_path(settings: Settings) -> Path | None:
    """Return the file of an embedded store; None: the store is not embedded."""
    return sqlite_path(settings.absolute_store)


def key_path(settings: Settings) -> Path:
    """Return the file of the identity keys."""
    chosen = settings.key_file
    if chosen is not None:
        return chosen.absolute()
    path = database_path(settings)
    assert path is not None  # noqa: S101 - ``key_file`` is None for an embedded store alone
    return path.with_name(path.name + ".key")


@contextmanager
def opened(settings: Settings) -> Iterator[ParticipantStore]:
    """Open the store for a while.

    Raises:
        CommandRefused: There is none yet: only a server makes one.
        StoreUnavailable: It cannot be opened.
    """
    path = database_path(settings)
    if path is not None and not (path.is_file() and path.stat().st_size):
        raise CommandRefused(
            f"there is no store at {path}; PAIRGUARD_STORE and PAIRGUARD_SETTINGS_FILE must be "
            "those of the server, and the working directory too where the path is relative"
        )
    if path is None and not key_path(settings).is_file():
        raise CommandRefused(
            f"there is no identity key at {key_path(settings)}; PAIRGUARD_IDENTITY_KEY_FILE must "
            "name the file that the servers of this store have"
        )
    store = open_store(
        settings.absolute_store,
        key_path=settings.key_file,
        password_path=settings.store_password_file,
    )
    try:
        yield store
    finally:
        store.close()
