"""The adapters that the contract suite runs against, and what it needs to know of each.

A new adapter is one more entry in ``HARNESSES``; the suite itself stays as it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from pairguard.store.ports import HoldStore
from pairguard.store.sqlite import SqliteHoldStore


class Harness(Protocol):
    """One empty store somewhere, of one kind."""

    def __init__(self, directory: Path) -> None: ...

    def open(self) -> HoldStore:
        """Return a further handle on the same data, as another process would have."""

    def stored_bytes(self) -> bytes:
        """Return everything that is kept, keys apart."""

    def break_down(self) -> None:
        """Make what is kept unusable."""

    def recover(self) -> None:
        """Undo ``break_down``."""


class SqliteHarness:
    def __init__(self, directory: Path) -> None:
        self._path = directory / "holds.sqlite3"
        self._aside = directory / "aside"

    def open(self) -> HoldStore:
        return SqliteHoldStore(self._path)

    def stored_bytes(self) -> bytes:
        files = sorted(self._path.parent.glob("holds.sqlite3*"))
        return b"".join(file.read_bytes() for file in files if file.suffix != ".key")

    def break_down(self) -> None:
        self._path.rename(self._aside)

    def recover(self) -> None:
        self._aside.rename(self._path)


HARNESSES: Mapping[str, type[Harness]] = {"sqlite": SqliteHarness}
