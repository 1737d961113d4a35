"""Reading cells and replacing them, each by compare-and-set.

Owns their keys and the repetition when somebody else was quicker. It must not know what a change
means (``pairguard.store.redis.application``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Final

from pairguard.errors import StoreUnavailable
from pairguard.history.contacts import PREFIX_BYTES
from pairguard.store.redis.agreement import Agreement
from pairguard.store.redis.cells import HEAD_BYTES, Cell, read_cell, write_cell
from pairguard.store.redis.connections import Command, Connections, command, run
from pairguard.store.redis.scripts import REPLACE_CELLS, TRIM_REFERENCES

_CELLS_PER_COMMAND: Final = 100
_COMMANDS_AT_ONCE: Final = 5
_MAX_ATTEMPTS: Final = 100


@dataclass(frozen=True, slots=True)
class Replacement:
    """What a cell becomes.

    Attributes:
        cell: With any version.
        references: Numbers of the records that shall be found from this id.
    """

    cell: Cell
    references: tuple[int, ...] = ()


class Damaged(StoreUnavailable):
    """Raise when the server answers with what nobody can have written; others' state is sound."""


Change = Callable[[bytes, Cell], Replacement | None]
"""Makes what a cell becomes from its id and the cell; None: it stays."""


class CellStorage:
    """The cells of all ids.

    Args:
        agreement: Is verified with every reading.
        prefix: Of all keys.
    """

    def __init__(self, agreement: Agreement, prefix: bytes) -> None:
        self._agreement = agreement
        self._cell_prefix = prefix + b"cell:{"
        self._reference_prefix = prefix + b"references:{"

    @property
    def pattern(self) -> bytes:
        """Matches the keys of all cells."""
        return self._cell_prefix + b"*"

    @property
    def reference_pattern(self) -> bytes:
        """Matches the keys of all references."""
        return self._reference_prefix + b"*"

    def id_of(self, key: bytes) -> bytes:
        """Return the id that a cell's key was made of."""
        return bytes.fromhex(key[len(self._cell_prefix) : -1].decode())

    def read(self, connections: Connections, ids: Iterable[bytes]) -> dict[bytes, Cell]:
        """Return the cells of ids, in one round trip.

        Raises:
            StoreUnavailable: They cannot be read; ``Damaged``: one cannot be understood.
        """
        distinct = list(dict.fromkeys(ids))
        self._agreement.accepted(connections)
        keys = [self._agreement.key, *(self._cell_key(each) for each in distinct)]
        if connections.is_cluster:
            values = connections.send([command("GET", key) for key in keys])
        else:
            values = connections.ask(command("MGET", *keys))
        self._agreement.verify(values[0])
        try:
            return {
                each: read_cell(value) for each, value in zip(distinct, values[1:], strict=True)
            }
        except ValueError as error:
            raise Damaged(f"what the store keeps is damaged: {error}") from error

    def change(
        self,
        connections: Connections,
        ids: Sequence[bytes],
        change: Change,
        *,
        oldest: int = 0,
        read: Mapping[bytes, Cell] | None = None,
    ) -> None:
        """Change the cells of ids, each in one step, again for those that somebody else changed.

        Args:
            connections: With time enough for a write.
            ids: Whose cells.
            change: Is called again for a cell that was changed meanwhile.
            oldest: Lowest number of a record that is kept; references to older ones are dropped.
            read: Cells as read a moment ago.

        Raises:
            StoreUnavailable: Some may be changed.
        """
        waiting = list(dict.fromkeys(ids))
        cells = dict(read or {})
        for _ in range(_MAX_ATTEMPTS):
            missing = [each for each in waiting if each not in cells]
            if missing:
                cells |= self.read(connections, missing)
            planned = [(each, cells[each], change(each, cells[each])) for each in waiting]
            replacements = [(each, old, new) for each, old, new in planned if new is not None]
            if not replacements:
                return
            waiting = self._replace(connections, replacements, oldest)
            if not waiting:
                return
            cells = {}
        raise StoreUnavailable("others change the same participant all the time")

    def with_prefixes(self, connections: Connections, prefixes: AbstractSet[bytes]) -> set[bytes]:
        """Return the ids of all cells that begin with one of some prefixes; takes seconds."""
        names = {each.hex().encode() for each in prefixes}
        start = len(self._cell_prefix)
        end = start + 2 * PREFIX_BYTES
        return {
            self.id_of(key)
            for keys in (connections.scan(self.pattern) if names else ())
            for key in keys
            if key[start:end] in names
        }

    def references(self, connections: Connections, ids: Sequence[bytes]) -> list[list[int]]:
        """Return for each id the numbers of the records that speak of it, the earliest first."""
        found = connections.send(
            [command("LRANGE", self._reference_key(each), 0, -1) for each in ids]
        )
        return [[int(number) for number in numbers] for numbers in found]

    def drop_references(
        self, connections: Connections, each: bytes, numbers: Sequence[int]
    ) -> None:
        """Forget that records spoke of an id."""
        key = self._reference_key(each)
        for start in range(0, len(numbers), 500):
            part = numbers[start : start + 500]
            connections.send([command("LREM", key, 1, number) for number in part])

    def trim_references(self, connections: Connections, keys: Sequence[bytes], oldest: int) -> None:
        """Forget references to records that are older than the oldest kept one."""
        first = connections.send([command("LINDEX", key, 0) for key in keys])
        old = [
            key
            for key, number in zip(keys, first, strict=True)
            if number is not None and int(number) < oldest
        ]
        connections.send([run(TRIM_REFERENCES, [key], oldest) for key in old])

    def heads(self, connections: Connections, keys: Sequence[bytes]) -> list[bytes]:
        """Return the first bytes of cells by key; b"": it is gone."""
        return connections.send([command("GETRANGE", key, 0, HEAD_BYTES - 1) for key in keys])

    def _replace(
        self,
        connections: Connections,
        replacements: Sequence[tuple[bytes, Cell, Replacement]],
        oldest: int,
    ) -> list[bytes]:
        """Return the ids whose cells somebody else had changed."""
        size = 1 if connections.is_cluster else _CELLS_PER_COMMAND
        commands: list[Command] = []
        for start in range(0, len(replacements), size):
            keys: list[bytes] = []
            arguments: list[object] = [oldest]
            for each, old, new in replacements[start : start + size]:
                keys += (self._cell_key(each), self._reference_key(each))
                arguments += (
                    old.version,
                    write_cell(new.cell) if new.cell.says_something or new.cell.applied else b"",
                    " ".join(map(str, new.references)),
                )
            commands.append(run(REPLACE_CELLS, keys, *arguments))
        # Not all in one go: whoever reads for a decision waits for what was sent before.
        at_once = len(commands) if connections.is_cluster else _COMMANDS_AT_ONCE
        replies = [
            one
            for start in range(0, len(commands), at_once)
            for reply in connections.send(commands[start : start + at_once])
            for one in reply
        ]
        return [
            each
            for (each, _, _), replaced in zip(replacements, replies, strict=True)
            if not replaced
        ]

    def _cell_key(self, each: bytes) -> bytes:
        return self._cell_prefix + each.hex().encode() + b"}"

    def _reference_key(self, each: bytes) -> bytes:
        return self._reference_prefix + each.hex().encode() + b"}"
