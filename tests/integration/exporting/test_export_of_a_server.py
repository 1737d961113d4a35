"""From a server's journal to the tables: what was decided and what happened, as it was known."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

from pairguard.store.opening import open_store
from pairguard_training.exporting.export import ExportReport, export_journal
from pairguard_training.exporting.stretches import Limits
from pairguard_training.tables.reading import Tables, read_tables
from tests.domain import DAY
from tests.integration.server.platform_calls import (
    Clock,
    about,
    allowed,
    bare,
    between,
    decide,
    ended,
    erase,
    happened,
    import_decisions,
    keep_evidence,
    pair,
    participant,
    reference,
    report,
    started,
    verified,
)
from tests.integration.server.running_server import Running, lenient_policy, serving
from tests.redis_server import RedisServer

TINY = Limits(records=3)
"""So that few records are many stretches."""


class Platform:
    """A server with a store, and the folder that its journal is exported to."""

    def __init__(self, server: Running, clock: Clock, out: Path) -> None:
        self.server = server
        self.clock = clock
        self.out = out

    def export(self, limits: Limits = TINY) -> ExportReport:
        import_decisions(self.server)
        settings = self.server.settings
        store = open_store(settings.absolute_store, key_path=settings.key_file)
        try:
            return export_journal(store, self.out, lambda _: None, limits=limits)
        finally:
            store.close()

    def tables(self, limits: Limits = TINY) -> Tables:
        self.export(limits)
        return read_tables(self.out)


@pytest.fixture(params=["sqlite", "redis"])
def platform(
    request: pytest.FixtureRequest, bundle: Path, tmp_path: Path, redis_server: RedisServer
) -> Iterator[Platform]:
    clock = Clock()
    stores = {}
    if request.param == "redis":
        with redis_server.client() as client:
            client.flushall()
        stores = {"store": redis_server.url, "identity_key_file": tmp_path / "identity.key"}
    with serving(bundle, tmp_path, policy=lenient_policy(), clock=clock, **stores) as server:
        yield Platform(server, clock, tmp_path / "tables")


def row(frame: pl.DataFrame, **values: object) -> dict[str, object]:
    """Return the one row with these values."""
    found = frame.filter(pl.col(name) == value for name, value in values.items())
    assert found.height == 1, frame
    return found.row(0, named=True)


def test_an_allowed_pair_and_what_came_of_it(platform: Platform) -> None:
    decision = allowed(platform.server, "a", "b")
    happened(
        platform.server,
        started("chat", "a", "b", decision=decision),
        ended("chat", "a", "b", seconds=12, by="a"),
        report("complaint", "b", "a", chat="chat"),
        about("review_verdict", "verdict", "a", "report_event_ids: 'complaint' verdict: VERDICT_UPHELD"),
    )
    found = platform.tables()
    (one,) = found.pairs.iter_rows(named=True)
    assert one["pair_id"] == decision
    assert (one["decision"], one["allow_probability"]) == ("ALLOW", 1.0)
    assert one["chat_started"] is True
    assert found.outcomes["kind"].to_list() == [
        "chat_started", "chat_ended", "report", "review_verdict",
    ]  # fmt: skip
    told = row(found.outcomes, kind="report")
    assert told["category"] == "SEXUAL_CONDUCT"
    assert row(found.outcomes, kind="chat_ended")["duration_seconds"] == 12.0
    verdict = row(found.outcomes, kind="review_verdict")
    assert (verdict["verdict"], verdict["reported_id"]) == ("UPHELD", told["reported_id"])
    people = dict(found.snapshots.select("snapshot_id", "participant_id").iter_rows())
    assert {told["reporter_id"], told["reported_id"]} == {
        people[str(one["snapshot_a"])], people[str(one["snapshot_b"])],
    }  # fmt: skip
