"""Which store a text names, and how it is opened.

Owns the forms of the name: ``sqlite:PATH``, ``redis://HOST:PORT/DB``, ``rediss://`` over TLS,
``redis+cluster://HOST:PORT``, ``unix://PATH?db=DB``. A password never stands in it: it comes from a
file. Nothing is connected here.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final
from urllib.parse import parse_qs, quote, urlsplit

from pairguard.errors import StoreUnavailable
from pairguard.store.ports import ParticipantStore

SQLITE: Final = "sqlite:"
READ_TIMEOUT_SECONDS: Final = 0.02
_REDIS: Final = ("redis", "rediss", "unix", "redis+cluster", "rediss+cluster")


def store_problem(name: str) -> str | None:
    """Return what is wrong with the name of a store; None: nothing."""
    if name.startswith(SQLITE):
        return None if name.removeprefix(SQLITE) else "must name a file behind sqlite:"
    parts = urlsplit(name)
    if parts.scheme not in _REDIS:
        return f"must begin with {SQLITE} or one of {', '.join(f'{each}://' for each in _REDIS)}"
    if parts.password or "password" in parse_qs(parts.query):
        return "must not hold a password; put it into the file of store_password_file"
    if parts.scheme == "unix":
        return None if parts.path else "must name a socket behind unix://"
    try:
        known = bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        known = False
    return None if known else "must name a host, and a port from 1 to 65,535 if any"


def sqlite_path(name: str) -> Path | None:
    """Return the file of an embedded store; None: the name is that of another kind."""
    return Path(name.removeprefix(SQLITE)) if name.startswith(SQLITE) else None


def open_store(
    name: str,
    *,
    key_path: Path | None,
    password_path: Path | None = None,
    read_timeout_seconds: float = READ_TIMEOUT_SECONDS,
) -> ParticipantStore:
    """Return the store of a name; it connects at its first use.

    Args:
        name: See the module; checked by ``store_problem`` before.
        key_path: File of the identity keys; None: beside the database of an embedded store.
        password_path: File of the password of a store that wants one.
        read_timeout_seconds: How long a decision waits for a store over the network.

    Raises:
        StoreUnavailable: The password cannot be read, or the store's client is not installed.
        ValueError: A store that is not embedded needs ``key_path``.
    """
    path = sqlite_path(name)
    if path is not None:
        from pairguard.store.sqlite import SqliteStore  # noqa: PLC0415 - one of two is loaded

        return SqliteStore(path, key_path=key_path)
    if key_path is None:
        raise ValueError("a store of several machines needs a file of identity keys")
    try:
        from pairguard.store.redis import RedisStore  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise StoreUnavailable(
            "a Redis store needs the extra: pip install 'pairguard[redis]'"
        ) from error
    return RedisStore(
        _with_password(name, password_path),
        key_path,
        read_timeout_seconds=read_timeout_seconds,
    )


def _with_password(name: str, path: Path | None) -> str:
    if path is None:
        return name
    try:
        password = path.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise StoreUnavailable(
            f"the store's password file {path} cannot be read: {error.strerror}"
        ) from error
    parts = urlsplit(name)
    user = parts.username or ""
    place = parts.netloc.rpartition("@")[2]
    return parts._replace(netloc=f"{user}:{quote(password, safe='')}@{place}").geturl()
