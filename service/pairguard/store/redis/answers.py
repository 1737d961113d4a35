"""Answers that a repeat of their request gets again.

Owns their form: the expiry, the hash of the request, the response. Redis forgets them by itself; a
purge only counts for more where the clocks differ.
"""

from __future__ import annotations

import math
import struct
from typing import Final

from pairguard.errors import StoreUnavailable
from pairguard.store.ports import KeptAnswer
from pairguard.store.redis.connections import Connections, command, run
from pairguard.store.redis.scripts import KEEP_ANSWER

_FORM = struct.Struct("<d16s")
_EXPIRY = struct.Struct("<d")
_MAX_SECONDS: Final = 7.0 * 86_400.0
"""Longer than any answer is kept; what a clock that runs wild asks for ends, too."""


class Answers:
    """The kept answers.

    Args:
        prefix: Of all keys.
    """

    def __init__(self, prefix: bytes) -> None:
        self._prefix = prefix + b"answer:"

    def keep(
        self, connections: Connections, key: bytes, answer: KeptAnswer, now: float
    ) -> KeptAnswer:
        """Keep an answer unless one is kept, and return the kept one."""
        seconds = min(answer.expire_time - now, _MAX_SECONDS)
        if seconds <= 0.0:
            return self.find(connections, key, now) or answer
        value = _FORM.pack(answer.expire_time, answer.request_hash) + answer.response
        milliseconds = max(math.ceil(seconds * 1000.0), 1)
        script = run(KEEP_ANSWER, [self._key(key)], value, _EXPIRY.pack(now), milliseconds)
        return _answer(connections.ask(script))

    def find(self, connections: Connections, key: bytes, now: float) -> KeptAnswer | None:
        """Return a kept answer; None: there is none or it has expired."""
        value = connections.ask(command("GET", self._key(key)))
        answer = None if value is None else _answer(value)
        return answer if answer is not None and answer.expire_time > now else None

    def purge(self, connections: Connections, now: float) -> int:
        """Forget expired answers and return how many."""
        count = 0
        for keys in connections.scan(self._prefix + b"*"):
            values = connections.send(
                [command("GETRANGE", key, 0, _EXPIRY.size - 1) for key in keys]
            )
            ended = [
                key
                for key, value in zip(keys, values, strict=True)
                if len(value) == _EXPIRY.size and _EXPIRY.unpack(value)[0] <= now
            ]
            count += sum(connections.send([command("DEL", key) for key in ended]))
        return count

    def count(self, connections: Connections) -> int:
        """Return how many answers are kept."""
        return sum(len(set(keys)) for keys in connections.scan(self._prefix + b"*"))

    def _key(self, key: bytes) -> bytes:
        return self._prefix + key.hex().encode()


def _answer(value: bytes) -> KeptAnswer:
    try:
        expire_time, request_hash = _FORM.unpack_from(value)
    except struct.error as error:
        raise StoreUnavailable("a kept answer is damaged") from error
    return KeptAnswer(request_hash, value[_FORM.size :], expire_time)
