"""What a worker that begins is to load, when others serve and when nobody does."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import pytest

from pairguard.bundle.publication import publish
from pairguard.server.generation_sources import Sources
from pairguard.server.processes.merged_metrics import SupervisorMetrics
from pairguard.server.processes.messages import MOVED, Order, Prepared, Serving, Switched
from pairguard.server.processes.releases import Releases
from tests.unit.server.test_generation_following import Following, policy_text


class Told:
    """A worker that is told things; it is the test that answers for it."""

    def __init__(self) -> None:
        self.orders: list[Order] = []
        self.is_killed = False

    def order(self, order: Order) -> None:
        self.orders.append(order)

    def kill(self) -> None:
        self.is_killed = True


class Supervised:
    """Releases of a platform with one worker that serves."""

    def __init__(self, directory: Path) -> None:
        self.platform = Following(directory)
        self.version = publish(self.platform.root, self.platform.bundle("one"))
        self.metrics = SupervisorMetrics(dict)
        self.releases = Releases(
            Sources(self.platform.root, self.platform.policy, None),
            self.metrics,
            check_seconds=3_600.0,
            on_release=lambda: None,
        )
        self.worker: Any = Told()

    def serve(self) -> None:
        serving = Serving(self.version, "first", has_harm_model=False, metrics_address="")
        self.releases.hear(self.worker, serving, 0.0)

    def go_on(self, now: float = 0.0, *, anybody_begins: bool = False) -> None:
        self.releases.go_on([self.worker], anybody_begins=anybody_begins, now=now)

    def is_changing(self) -> bool:
        return self.releases.is_changing

    def ask(self) -> None:
        self.releases._watch.look(asked=True)

    def changes(self, result: str) -> float:
        name = "pairguard_workers_changes_total"
        return self.metrics.registry.get_sample_value(name, {"result": result}) or 0.0


@pytest.fixture
def supervised(tmp_path: Path) -> Supervised:
    return Supervised(tmp_path)


def test_one_loads_first_and_the_others_must_find_the_same(supervised: Supervised) -> None:
    releases = supervised.releases
    assert releases.may_begin(others=False)
    assert not releases.may_begin(others=True)
    supervised.serve()
    assert releases.may_begin(others=True)
    assert releases.to_load.bundle_version == supervised.version


def test_nobody_begins_during_a_change_and_none_is_begun_while_somebody_begins(
    supervised: Supervised,
) -> None:
    supervised.serve()
    supervised.platform.policy.write_text(policy_text("second"))
    supervised.ask()
    supervised.go_on(anybody_begins=True)
    assert not supervised.is_changing()
    supervised.go_on()
    assert supervised.is_changing()
    assert not supervised.releases.may_begin(others=True)

    number = supervised.worker.orders[-1].number
    ready = Prepared(number, supervised.version, "second")
    supervised.releases.hear(supervised.worker, ready, 1.0)
    supervised.releases.hear(supervised.worker, Switched(number), 2.0)
    supervised.go_on(3.0)
    assert supervised.releases.may_begin(others=True)
    assert supervised.releases.to_load.policy_text == policy_text("second")
    assert supervised.changes("switched") == 1.0


def test_what_is_refused_nobody_begins_with_and_who_begins_is_told(
    supervised: Supervised, capsys: pytest.CaptureFixture[str]
) -> None:
    supervised.serve()
    supervised.platform.policy.write_text("adult_age = ")
    supervised.ask()
    supervised.go_on()
    number = supervised.worker.orders[-1].number
    refused = Prepared(number, reason="POLICY_INVALID", problems=("it is not TOML",))
    supervised.releases.hear(supervised.worker, refused, 1.0)
    supervised.go_on(2.0)
    assert supervised.releases.to_load.stale
    assert supervised.releases.to_load.policy_text == policy_text("first")
    assert supervised.changes("refused") == 1.0
    said = capsys.readouterr().err
    assert "refused (POLICY_INVALID)" in said
    assert "it is not TOML" in said


def test_what_moved_is_tried_again_when_it_stands_still(supervised: Supervised) -> None:
    supervised.serve()
    supervised.platform.policy.write_text(policy_text("second"))
    supervised.releases._watch.look()
    supervised.releases._watch.look()
    supervised.go_on()
    number = supervised.worker.orders[-1].number
    supervised.releases.hear(supervised.worker, Prepared(number, reason=MOVED), 1.0)
    supervised.go_on(2.0)
    assert supervised.changes("again") == 1.0
    assert not supervised.releases.to_load.stale
    supervised.releases._watch.look()
    supervised.releases._watch.look()
    supervised.go_on(3.0)
    assert supervised.is_changing()


def test_who_does_not_answer_is_ended(supervised: Supervised) -> None:
    supervised.serve()
    supervised.ask()
    supervised.go_on()
    supervised.go_on(59.0)
    assert not supervised.worker.is_killed
    supervised.go_on(60.0)
    assert supervised.worker.is_killed
    supervised.releases.lose(supervised.worker, 61.0)
    supervised.go_on(62.0)
    assert not supervised.is_changing()


def test_where_nobody_serves_what_served_and_what_there_is_are_tried_in_turns(
    supervised: Supervised,
) -> None:
    supervised.serve()
    served = supervised.releases.to_load
    supervised.platform.policy.write_text(policy_text("second"))
    tried = []
    for _ in range(3):
        supervised.releases.refused_by_the_only_one()
        tried.append(cast("str", supervised.releases.to_load.policy_text))
    assert tried == [policy_text("second"), served.policy_text, policy_text("second")]
    # Nobody knows yet what the bundle is: one loads it first.
    assert not supervised.releases.may_begin(others=True)
