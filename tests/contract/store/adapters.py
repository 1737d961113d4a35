"""The adapters that the contract suite runs against, and what it needs to know of each.

A new adapter is one more entry in ``HARNESSES``; the suite itself stays as it is.
"""

from __future__ import annotations

import sqlite3
import uuid
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any, Protocol

from pairguard.store.ports import ParticipantStore
from pairguard.store.redis import RedisStore
from pairguard.store.sqlite import SqliteStore
from tests.redis_server import RedisServer


class Harness(Protocol):
    """One empty store somewhere, of one kind."""

    @property
    def location(self) -> str:
        """Where the store is, for ``opened`` in another process."""

    def stored_bytes(self) -> bytes:
        """Return everything that is kept, keys apart."""

    def damage_row(self, id_hash: bytes) -> None:
        """Change a few bytes of the row of an id."""

    def break_down(self) -> None:
        """Make the store unusable without losing anything."""

    def recover(self) -> None:
        """Undo ``break_down``."""


def opened(location: str) -> ParticipantStore:
    """Return a further handle on a store, as another process would have.

    Waits long for everything: a busy machine is no finding.
    """
    kind, _, rest = location.partition("|")
    if kind == "sqlite":
        return SqliteStore(Path(rest), busy_timeout_seconds=20.0)
    url, prefix, key_path = rest.split("|")
    return RedisStore(
        url,
        Path(key_path),
        prefix=prefix,
        connect_timeout_seconds=5.0,
        read_timeout_seconds=5.0,
        write_timeout_seconds=20.0,
    )


class SqliteHarness:
    def __init__(self, directory: Path, _server: RedisServer) -> None:
        self._path = directory / "state.sqlite3"
        self._aside = directory / "aside"

    @property
    def location(self) -> str:
        return f"sqlite|{self._path}"

    def stored_bytes(self) -> bytes:
        files = sorted(self._path.parent.glob("state.sqlite3*"))
        return b"".join(file.read_bytes() for file in files if file.suffix != ".key")

    def damage_row(self, id_hash: bytes) -> None:
        with closing(sqlite3.connect(self._path)) as database, database:
            ((row,),) = database.execute(
                "SELECT row FROM participant_rows WHERE id_hash = ?", (id_hash,)
            ).fetchall()
            database.execute(
                "UPDATE participant_rows SET row = ? WHERE id_hash = ?", (_damaged(row), id_hash)
            )

    def break_down(self) -> None:
        self._path.rename(self._aside)

    def recover(self) -> None:
        self._aside.rename(self._path)


class RedisHarness:
    def __init__(self, directory: Path, server: RedisServer) -> None:
        self._server = server
        self._prefix = f"test-{uuid.uuid4().hex}:"
        self._key_path = directory / "identity.key"

    @property
    def location(self) -> str:
        return f"redis|{self._server.url}|{self._prefix}|{self._key_path}"

    def stored_bytes(self) -> bytes:
        with self._server.client() as client:
            keys = sorted(client.scan_iter(match=f"{self._prefix}*", count=1_000))
            return b"\n".join(key + b" " + _content(client, key) for key in keys)

    def damage_row(self, id_hash: bytes) -> None:
        with self._server.client() as client:
            # A row is the last thing in the cell of its id.
            (key,) = [
                key
                for key in client.scan_iter(match=f"{self._prefix}*{id_hash.hex()}*", count=1_000)
                if client.type(key) == b"string"
            ]
            client.set(key, _damaged(client.get(key)))

    def break_down(self) -> None:
        self._server.kill()

    def recover(self) -> None:
        self._server.start()


def _damaged(content: bytes) -> bytes:
    return content[:-3] + bytes(255 - byte for byte in content[-3:])


def _content(client: Any, key: bytes) -> bytes:
    readers: dict[bytes, Callable[[bytes], Any]] = {
        b"string": client.get,
        b"hash": client.hgetall,
        b"list": lambda key: client.lrange(key, 0, -1),
        b"set": client.smembers,
        b"zset": lambda key: client.zrange(key, 0, -1, withscores=True),
        b"stream": client.xrange,
    }
    kind = client.type(key)
    # b"none": it expired in between.
    return b"" if kind == b"none" else b" ".join(_texts(readers[kind](key)))


def _texts(value: Any) -> list[bytes]:
    if isinstance(value, bytes):
        return [value]
    if isinstance(value, dict):
        return [text for pair in value.items() for each in pair for text in _texts(each)]
    if isinstance(value, (list, tuple, set)):
        return [text for each in value for text in _texts(each)]
    return [str(value).encode()]


HARNESSES: Mapping[str, type[SqliteHarness | RedisHarness]] = {
    "sqlite": SqliteHarness,
    "redis": RedisHarness,
}
"""One fresh store of each kind for every test of the suite."""
