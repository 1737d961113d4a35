from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from pairguard.errors import StoreUnavailable
from pairguard.store.ports import ParticipantStore
from tests.contract.store.adapters import HARNESSES, Harness, opened
from tests.redis_server import RedisServer, running_redis


@pytest.fixture(scope="session")
def redis_server() -> Iterator[RedisServer]:
    with running_redis() as server:
        yield server


@pytest.fixture(params=sorted(HARNESSES))
def harness(request: pytest.FixtureRequest, tmp_path: Path, redis_server: RedisServer) -> Harness:
    return HARNESSES[request.param](tmp_path, redis_server)


@pytest.fixture
def store(harness: Harness) -> Iterator[ParticipantStore]:
    found = opened(harness.location)
    yield found
    with suppress(StoreUnavailable):
        found.close()
