"""A worker that loads, takes and drops what its supervisor names, and nothing else."""

from __future__ import annotations

import gc
import os
import weakref
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from pairguard.bundle.publication import publish
from pairguard.errors import BundleRefused
from pairguard.server.generation_sources import Sources
from pairguard.server.processes.link import SupervisorLink
from pairguard.server.processes.messages import (
    MOVED,
    Message,
    Order,
    OrderKind,
    Prepared,
    Release,
    Switched,
    decode,
    encode_order,
)
from pairguard.server.processes.ordered_generation import OrderedGeneration
from pairguard.server.processes.release_watch import ReleaseWatch
from tests.unit.server.test_generation_following import Following, policy_text


class Ordered:
    """A worker's generation with both ends of its pipes, and what a supervisor would see."""

    def __init__(self, directory: Path) -> None:
        self.platform = Following(directory)
        publish(self.platform.root, self.platform.bundle("one"))
        self.told_from, told = os.pipe()
        orders, self.order_to = os.pipe()
        self.descriptors = (self.told_from, told, orders)
        self.link = SupervisorLink(told, orders, leads=True)
        self.link.follow(lambda: None)
        self.ordered = OrderedGeneration(
            self.link, self.platform.following._loading, public_key_file=None
        )
        self.watch = ReleaseWatch(
            Sources(self.platform.root, self.platform.policy, None),
            check_seconds=3_600.0,
            on_release=lambda: None,
        )

    def begin(self, release: Release) -> None:
        prepare = Order(OrderKind.PREPARE, release.number, release)
        os.write(self.order_to, encode_order(prepare))
        self.ordered.load()

    def prepare(self, release: Release) -> Message | None:
        self.ordered.obey(Order(OrderKind.PREPARE, release.number, release))
        return self.told()

    def told(self) -> Message | None:
        line = os.read(self.told_from, 65_536)
        assert line.count(b"\n") == 1
        return decode(line)


@pytest.fixture
def worker(tmp_path: Path) -> Iterator[Ordered]:
    found = Ordered(tmp_path)
    yield found
    os.close(found.order_to)
    found.ordered.stop()
    for each in found.descriptors:
        os.close(each)


def test_what_is_prepared_serves_when_it_is_told_to(worker: Ordered) -> None:
    worker.begin(worker.watch.snapshot())
    before = worker.platform.versions
    version = publish(
        worker.platform.root, worker.platform.bundle("two", created="2026-02-01T00:00:00Z")
    )
    worker.platform.policy.write_text(policy_text("second"))
    release = worker.watch.snapshot()

    assert worker.prepare(release) == Prepared(release.number, version, "second")
    assert worker.platform.versions == before
    assert worker.platform.value("pairguard_generation_prepared") == 1.0
    worker.ordered.obey(Order(OrderKind.SWITCH, release.number))

    assert worker.told() == Switched(release.number)
    assert worker.platform.versions == (version, "second")
    assert worker.platform.reloads("used") == 1
    assert worker.platform.value("pairguard_generation_prepared") == 0.0


def test_what_is_dropped_is_let_go_and_told(worker: Ordered) -> None:
    worker.begin(worker.watch.snapshot())
    before = worker.platform.versions
    worker.platform.policy.write_text(policy_text("second"))
    release = worker.watch.snapshot()
    worker.prepare(release)
    assert worker.ordered._prepared is not None
    held = weakref.ref(worker.ordered._prepared[1].generation)
    gc.collect()

    worker.ordered.obey(Order(OrderKind.DROP, release.number, refused="BUNDLE_INVALID"))

    assert held() is None
    assert worker.platform.versions == before
    assert worker.platform.is_stale()
    assert worker.platform.reloads("withdrawn") == 1
    assert worker.platform.log()[-1]["reason"] == "BUNDLE_INVALID"
    # What is told too late changes nothing.
    worker.ordered.obey(Order(OrderKind.SWITCH, release.number))
    assert worker.platform.versions == before


def test_what_does_not_verify_is_refused_and_nothing_is_held(worker: Ordered) -> None:
    worker.begin(worker.watch.snapshot())
    worker.platform.policy.write_text("adult_age = ")
    release = worker.watch.snapshot()
    answer = worker.prepare(release)
    assert isinstance(answer, Prepared)
    assert answer.reason == "POLICY_INVALID"
    assert answer.problems
    assert worker.platform.is_stale()
    assert worker.platform.value("pairguard_generation_prepared") == 0.0


def test_another_bundle_than_the_others_found_is_not_taken(worker: Ordered) -> None:
    release = replace(worker.watch.snapshot(), bundle_version="2026-01-01-000000000000")
    with pytest.raises(BundleRefused) as caught:
        worker.begin(release)
    assert caught.value.reason == MOVED
    worker.begin(replace(release, bundle_version=""))
    answer = worker.prepare(replace(release, number=9, bundle_mark="moved"))
    assert isinstance(answer, Prepared)
    assert answer.reason == MOVED
    assert not worker.platform.is_stale()


def test_who_begins_gets_what_the_others_serve_and_not_what_is_there_by_now(
    worker: Ordered,
) -> None:
    served = worker.watch.snapshot()
    version = worker.platform.root.joinpath("current").readlink().name
    publish(worker.platform.root, worker.platform.bundle("two", created="2026-02-01T00:00:00Z"))
    worker.platform.policy.write_text("adult_age = ")

    worker.begin(replace(served, stale=True))

    assert worker.platform.versions == (version, "first")
    assert worker.platform.is_stale()


def test_without_a_supervisor_nothing_is_loaded(worker: Ordered) -> None:
    worker.link.end_orders()
    with pytest.raises(BundleRefused):
        worker.ordered.load()


def test_a_change_is_handed_out_once_it_stands_still_and_once(worker: Ordered) -> None:
    watch = worker.watch
    first = watch.snapshot()
    watch.look()
    assert watch.take() is None
    worker.platform.policy.write_text(policy_text("second"))
    watch.look()
    assert watch.take() is None
    watch.look()
    release = watch.take()
    assert release is not None
    assert release.number > first.number
    assert release.policy_text == policy_text("second")
    assert release.bundle_mark == first.bundle_mark
    watch.look()
    assert watch.take() is None
    watch.look(asked=True)
    asked = watch.take()
    assert asked is not None
    assert asked.asked
    watch.again()
    watch.look()
    watch.look()
    assert watch.take() is not None
