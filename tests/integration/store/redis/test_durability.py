"""What the configuration of a server promises."""

from __future__ import annotations

import pytest

from tests.integration.store.redis.conftest import Open
from tests.redis_server import RedisServer, running_redis


def test_a_server_that_syncs_every_write_promises(server: RedisServer, open_store: Open) -> None:
    assert open_store(server.url).promises_durability()


@pytest.mark.parametrize(
    "options",
    [
        ("--appendfsync", "everysec"),
        ("--appendonly", "no"),
        ("--maxmemory-policy", "allkeys-lru"),
        ("--rename-command", "CONFIG", ""),
    ],
    ids=["once a second", "never", "forgets when full", "does not tell"],
)
def test_any_other_does_not(open_store: Open, options: tuple[str, ...]) -> None:
    with running_redis(*options) as server:
        assert not open_store(server.url).promises_durability()


def test_a_server_whose_configuration_changes_is_believed_anew(
    own_server: RedisServer, open_store: Open
) -> None:
    store = open_store(own_server.url)
    assert store.promises_durability()
    own_server.client().config_set("appendfsync", "everysec")
    assert not store.promises_durability()
