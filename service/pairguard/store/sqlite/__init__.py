"""The embedded store: one SQLite file, shared by the worker processes of one machine.

``store`` is the adapter, ``connections`` and ``schema`` the file under it; the other modules each
own the queries on one thing that is kept. Write-ahead logging: readers never wait for writers.
"""

from pairguard.store.sqlite.store import SqliteStore

__all__ = ["SqliteStore"]
