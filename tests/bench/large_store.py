"""A store with very many participants: what each takes, and how soon a server serves again.

Owns how the store is filled: rows are written straight into it, as the service would have written
them, since recording each in turn would take hours. The journal stays empty.
"""

import hashlib
import random
import sqlite3
import statistics
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from redis import Redis

from pairguard.history.changes import ChatEnded, ChatStarted, Decided, EvidenceKept, Linked
from pairguard.history.row import Row
from pairguard.store.effects import evidence_change
from pairguard.store.opening import open_store, sqlite_path
from pairguard.store.redis.cells import Cell, write_cell
from pairguard.v1 import participant_pb2 as participants
from tests.e2e.server_process import environment, started

_TEMPLATES = 1_000
_AT_ONCE = 10_000
_STARTS = 5


def participants_report(
    bundle: Path, workplace: Path, *, name: str, store: str, count: int, seed: int
) -> str:
    """Fill a store, start a server on it a few times, and describe what was found."""
    key_path = None if sqlite_path(store) is not None else workplace / "identity.key"
    opened = open_store(store, key_path=key_path)
    opened.check()
    opened.close()
    rows = [_row(random.Random(seed + number), time.time()) for number in range(_TEMPLATES)]
    path = sqlite_path(store)
    begun = time.perf_counter()
    size = _fill_sqlite(path, rows, count) if path is not None else _fill_redis(store, rows, count)
    filled = time.perf_counter() - begun
    settings = {"store": store}
    if key_path is not None:
        settings["identity_key_file"] = str(key_path)
    environ = environment(workplace, bundle.absolute(), **settings)
    starts = []
    for _ in range(_STARTS):
        begun = time.perf_counter()
        with started(workplace, environ) as server:
            server.wait_for("  gRPC ")
            starts.append(time.perf_counter() - begun)
    row_bytes = statistics.mean(map(len, rows))
    where = "disk" if path is not None else "memory (used_memory) and append-only file"
    return (
        f"{name}, {count:,} participants, {row_bytes:,.0f} bytes a row on average, each with 2 "
        f"items of evidence, 3 decisions and 2 chats; written straight in {filled:.0f} s: {where} "
        f"a participant {' and '.join(f'{each / count:,.0f}' for each in size)} bytes. Start of "
        f"the process to serving, {_STARTS} times: median {statistics.median(starts):.2f} s, "
        f"max {max(starts):.2f} s"
    )


def _row(draw: random.Random, now: float) -> bytes:
    row = Row()
    for _ in range(2):
        item = participants.AgeEvidence(evidence_id=draw.randbytes(16).hex(), provider="yoti")
        item.observed_time.FromSeconds(int(now - draw.uniform(0, 9e6)))
        item.facial_age_estimate.mean_years = draw.uniform(15, 60)
        kept: EvidenceKept = evidence_change(item, now)
        row.apply(kept)
    device = (draw.randbytes(16),)
    for _ in range(3):
        then = now - draw.uniform(0, 2e6)
        row.apply(Decided(then, True, draw.random() / 50, draw.random(), draw.random()))
        row.apply(Linked(then, device))
    for _ in range(2):
        then, chat = now - draw.uniform(0, 2e6), draw.randbytes(16).hex()
        partner = (draw.randbytes(16), draw.randbytes(16))
        decision = draw.randbytes(16).hex()
        row.apply(ChatStarted(then, chat, partner, decision, draw.randbytes(64)))
        row.apply(Linked(then, device))
        row.apply(ChatEnded(then + 60, chat, partner, 60.0, False, False, draw.random()))
    return row.written()


def _ids(count: int) -> Iterator[Sequence[bytes]]:
    for start in range(0, count, _AT_ONCE):
        yield [
            hashlib.blake2b(number.to_bytes(8, "little"), digest_size=16).digest()
            for number in range(start, min(start + _AT_ONCE, count))
        ]


def _fill_sqlite(path: Path, rows: Sequence[bytes], count: int) -> tuple[float, ...]:
    day = int(time.time() // 86_400)
    connection = sqlite3.connect(path)
    for ids in _ids(count):
        with connection:
            connection.executemany(
                "INSERT INTO participant_rows (id_hash, last_day, row) VALUES (?, ?, ?)",
                [(each, day, rows[number % len(rows)]) for number, each in enumerate(ids)],
            )
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    return (float(path.stat().st_size),)


def _fill_redis(store: str, rows: Sequence[bytes], count: int) -> tuple[float, ...]:
    client = Redis.from_url(store)
    before = client.info("memory")["used_memory"]
    for ids in _ids(count):
        pipeline = client.pipeline(transaction=False)
        for number, each in enumerate(ids):
            cell = Cell(base=1, row=rows[number % len(rows)])
            pipeline.set(f"pg:cell:{{{each.hex()}}}", write_cell(cell))
        pipeline.execute()
    used = client.info("memory")["used_memory"] - before
    written = client.info("persistence").get("aof_current_size", 0)
    client.close()
    return (float(used), float(written))
