"""Something that happens between two exchanges of a store with its server."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any

from pairguard.errors import StoreUnavailable
from pairguard.store.redis import RedisStore
from pairguard.store.redis.connections import Command


def sever(store: RedisStore, place: int, *, reply_is_lost: bool) -> None:
    """Break a store off for good at one of its exchanges, before the server saw it or after."""
    send = store._writing.send
    count = itertools.count()

    def severed(commands: Sequence[Command]) -> list[Any]:
        number = next(count)
        if number < place:
            return send(commands)
        if number == place and reply_is_lost:
            send(commands)
        raise StoreUnavailable("cut off")

    store._writing.send = severed  # type: ignore[method-assign]


def interrupt(store: RedisStore, place: int, event: Callable[[], object]) -> None:
    """Let something happen before one of the exchanges of a store."""
    send = store._writing.send
    count = itertools.count()

    def interrupted(commands: Sequence[Command]) -> list[Any]:
        if next(count) == place:
            event()
        return send(commands)

    store._writing.send = interrupted  # type: ignore[method-assign]
