"""Whether a Redis server keeps what it acknowledged through a power cut.

Owns what its configuration must say for that. Where a server does not let itself be asked, as some
hosted ones do not, nothing is promised. It says nothing of a failover: a replica that takes over
may lack the last writes, whatever the disks of the lost node hold.
"""

from __future__ import annotations

from typing import Any, Final

from pairguard.store.redis.connections import Connections

_QUESTIONS: Final = (
    ("CONFIG", "GET", "appendonly"),
    ("CONFIG", "GET", "appendfsync"),
    ("CONFIG", "GET", "maxmemory-policy"),
    ("INFO", "persistence"),
)


def promises_durability(connections: Connections) -> bool:
    """Return whether every node writes each change to its disk before it answers, and drops none.

    Raises:
        StoreUnavailable: A node does not answer.
    """
    return all(_promises(*replies) for replies in connections.ask_all_nodes(*_QUESTIONS))


def _promises(appends: Any, syncs: Any, evicts: Any, state: Any) -> bool:
    # Refusals are errors in the place of replies. Of the policies only these take what does not
    # expire by itself, holds among it, when memory is short.
    return (
        appends == [b"appendonly", b"yes"]
        and syncs == [b"appendfsync", b"always"]
        and isinstance(evicts, list)
        and not evicts[-1].startswith(b"allkeys-")
        and isinstance(state, bytes)
        and b"aof_last_write_status:ok" in state
    )
