"""One running server for the tests that do not stop it, emptied before each."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pairguard.store.redis import RedisStore
from tests.redis_server import RedisServer, running_redis

Open = Callable[..., RedisStore]


@pytest.fixture(scope="session")
def shared_redis() -> Iterator[RedisServer]:
    with running_redis() as server:
        yield server


@pytest.fixture
def server(shared_redis: RedisServer) -> RedisServer:
    with shared_redis.client() as client:
        client.flushall()
    return shared_redis


@pytest.fixture
def own_server() -> Iterator[RedisServer]:
    with running_redis() as server:
        yield server


@pytest.fixture
def open_store(tmp_path: Path) -> Iterator[Open]:
    """Opens handles on a server; they share a key, as the replicas of a service do."""
    opened: list[RedisStore] = []

    def open_one(
        url: str, *, read_timeout_seconds: float = 1.0, key_path: Path | None = None
    ) -> RedisStore:
        store = RedisStore(
            url,
            key_path or tmp_path / "identity.key",
            connect_timeout_seconds=1.0,
            read_timeout_seconds=read_timeout_seconds,
            write_timeout_seconds=5.0,
        )
        opened.append(store)
        return store

    yield open_one
    for store in opened:
        store.close()


@pytest.fixture
def store(server: RedisServer, open_store: Open) -> RedisStore:
    return open_store(server.url)
