"""Statements on any number of keys.

Owns how a list of keys becomes a few statements that a connection has prepared already. It must
not know what is asked.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from typing import Any, Final

from pairguard.store.identity import HASH_BYTES

_KEYS_PER_STATEMENT: Final = 512


class Selection:
    """A SELECT with ``{}`` in place of a list of keys.

    Shorter lists are filled up to a power of two by repeating a key, so that the statement cache
    of a connection holds ten statements and not hundreds.

    Args:
        statement: With ``?1`` and on for its other parameters.
        others: How many those are.
    """

    __slots__ = ("_statements",)

    def __init__(self, statement: str, *, others: int = 0) -> None:
        sizes = [1 << power for power in range(_KEYS_PER_STATEMENT.bit_length())]
        self._statements = {
            size: statement.replace("{}", ",".join(f"?{others + key + 1}" for key in range(size)))
            for size in sizes
        }

    def rows(
        self, connection: sqlite3.Connection, keys: Sequence[Any], *others: Any
    ) -> list[tuple[Any, ...]]:
        """Return the rows of all keys, in no order; each key should be given once."""
        found: list[tuple[Any, ...]] = []
        for chunk in chunks(keys, _KEYS_PER_STATEMENT):
            size = 1 << (len(chunk) - 1).bit_length()
            values = (*others, *chunk, *[chunk[0]] * (size - len(chunk)))
            found += connection.execute(self._statements[size], values).fetchall()
        return found


def chunks(values: Sequence[Any], size: int) -> Iterator[Sequence[Any]]:
    """Return the values in runs of at most ``size``."""
    for start in range(0, len(values), size):
        yield values[start : start + size]


def joined(hashes: Sequence[bytes]) -> bytes:
    """Return hashes as one value."""
    return b"".join(hashes)


def split(value: bytes) -> list[bytes]:
    """Return the hashes of ``joined``."""
    return [value[place : place + HASH_BYTES] for place in range(0, len(value), HASH_BYTES)]
