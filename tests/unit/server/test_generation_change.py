"""One generation for all workers: when each is told what, and what becomes of a change."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pairguard.server.processes.change import ANSWER_SECONDS, LOST, GenerationChange, Outcome
from pairguard.server.processes.messages import (
    MOVED,
    Order,
    OrderKind,
    Prepared,
    Release,
    Switched,
)

NEXT = Release(7, "bundles/next")
READY = Prepared(7, "next", "policy")
REFUSED = Prepared(7, reason="BUNDLE_HASH_MISMATCH", problems=("calibration.json",))


@dataclass(eq=False)
class FakeWorker:
    """A worker that only listens."""

    name: str
    told: list[Order] = field(default_factory=list)

    def order(self, order: Order) -> None:
        self.told.append(order)

    @property
    def kinds(self) -> list[str]:
        return [each.kind.value for each in self.told]


def workers(count: int) -> list[FakeWorker]:
    return [FakeWorker(str(number)) for number in range(count)]


def change_of(all_of_them: list[FakeWorker]) -> GenerationChange[FakeWorker]:
    return GenerationChange(NEXT, all_of_them, now=0.0)


def result_of(change: GenerationChange[FakeWorker]) -> str:
    return "" if change.outcome is None else change.outcome.result


def is_switching(change: GenerationChange[FakeWorker]) -> bool:
    return change.is_switching


def test_one_tries_and_nobody_switches_before_all_are_ready() -> None:
    a, b, c = workers(3)
    change = change_of([a, b, c])
    assert (a.kinds, b.kinds, c.kinds) == (["prepare"], [], [])

    change.hear(a, READY, 1.0)
    assert (a.kinds, b.kinds, c.kinds) == (["prepare"], ["prepare"], ["prepare"])
    # The others must find what the first has found.
    assert b.told[0].release is not None
    assert b.told[0].release.bundle_version == "next"
    change.hear(c, READY, 2.0)
    assert not is_switching(change)
    change.hear(b, READY, 3.0)
    assert is_switching(change)
    assert {tuple(each.kinds) for each in (a, b, c)} == {("prepare", "switch")}

    for each in (a, b, c):
        assert result_of(change) == ""
        change.hear(each, Switched(7), 4.0)
    assert result_of(change) == "switched"
    assert change.release.bundle_version == "next"


def test_what_the_first_refuses_costs_the_others_nothing() -> None:
    a, b = workers(2)
    change = change_of([a, b])
    change.hear(a, REFUSED, 1.0)
    assert change.outcome == Outcome("refused", NEXT, REFUSED)
    assert b.kinds == ["drop"]
    assert {each.told[-1].refused for each in (a, b)} == {"BUNDLE_HASH_MISMATCH"}


def test_what_a_later_one_refuses_nobody_takes() -> None:
    a, b, c = workers(3)
    change = change_of([a, b, c])
    change.hear(a, READY, 1.0)
    change.hear(b, REFUSED, 2.0)
    assert result_of(change) == "refused"
    assert [each.kinds[-1] for each in (a, b, c)] == ["drop"] * 3
    change.hear(c, READY, 3.0)
    assert "switch" not in a.kinds + b.kinds + c.kinds


def test_what_moved_meanwhile_is_tried_again_and_is_no_refusal() -> None:
    a, b = workers(2)
    change = change_of([a, b])
    change.hear(a, READY, 1.0)
    change.hear(b, Prepared(7, reason=MOVED), 2.0)
    assert result_of(change) == "again"
    assert [each.refused for each in a.told if each.kind is OrderKind.DROP] == [""]


@pytest.mark.parametrize("when", ["before", "ready", "switching"])
def test_a_worker_that_ends_holds_up_nobody(when: str) -> None:
    a, b, c = workers(3)
    change = change_of([a, b, c])
    if when == "before":
        change.lose(c, 0.5)
    change.hear(a, READY, 1.0)
    change.hear(b, READY, 2.0)
    if when == "ready":
        change.lose(b, 2.5)
    change.hear(c, READY, 3.0)
    assert is_switching(change)
    change.hear(a, Switched(7), 4.0)
    if when != "ready":
        change.hear(b, Switched(7), 4.0)
    if when == "switching":
        change.lose(c, 5.0)
    else:
        change.hear(c, Switched(7), 5.0)
    assert result_of(change) == "switched"


def test_two_that_end_while_they_load_it_are_enough() -> None:
    a, b, c = workers(3)
    change = change_of([a, b, c])
    change.lose(a, 1.0)
    assert result_of(change) == ""
    assert (b.kinds, c.kinds) == (["prepare"], [])
    change.lose(b, 2.0)
    assert change.outcome is not None
    assert (change.outcome.result, change.outcome.answer.reason) == ("refused", LOST)
    assert c.kinds == ["drop"]


def test_with_nobody_left_it_is_tried_again() -> None:
    (a,) = workers(1)
    change = change_of([a])
    change.lose(a, 1.0)
    assert result_of(change) == "again"


def test_who_does_not_answer_is_late() -> None:
    a, b = workers(2)
    change = change_of([a, b])
    assert change.late(ANSWER_SECONDS - 1.0) == []
    assert change.late(ANSWER_SECONDS) == [a]
    change.hear(a, READY, ANSWER_SECONDS)
    assert change.late(2 * ANSWER_SECONDS) == [b]
    change.hear(b, READY, 2 * ANSWER_SECONDS)
    # A switch must be answered, too: who was not heard of may answer calls by the one before.
    assert set(change.late(3 * ANSWER_SECONDS)) == {a, b}


def test_answers_to_something_else_change_nothing() -> None:
    a, b = workers(2)
    change = change_of([a, b])
    change.hear(a, Prepared(6, "before", "policy"), 1.0)
    change.hear(b, READY, 1.0)
    change.hear(a, Switched(7), 1.0)
    assert (a.kinds, b.kinds) == (["prepare"], [])
    assert not is_switching(change)


@given(
    count=st.integers(1, 5),
    happens=st.lists(
        st.tuples(
            st.integers(0, 4), st.sampled_from(["ready", "refused", "moved", "lost", "switched"])
        ),
        max_size=40,
    ),
)
def test_nobody_switches_unless_all_who_live_are_ready(
    count: int, happens: list[tuple[int, str]]
) -> None:
    """Whatever comes in whatever order: all who live switch, or none does; and never both."""
    everybody = workers(count)
    change = change_of(everybody)
    lost: set[FakeWorker] = set()
    ready: set[FakeWorker] = set()
    for place, what in happens:
        worker = everybody[place % count]
        if worker in lost:
            continue
        if what == "lost":
            lost.add(worker)
            change.lose(worker, 1.0)
        elif what == "switched":
            change.hear(worker, Switched(7), 1.0)
        else:
            if what == "ready" and "prepare" in worker.kinds:
                ready.add(worker)
            answers = {"ready": READY, "refused": REFUSED, "moved": Prepared(7, reason=MOVED)}
            change.hear(worker, answers[what], 1.0)
        alive = [each for each in everybody if each not in lost]
        switched = [each for each in alive if "switch" in each.kinds]
        assert switched in ([], alive)
        if any("switch" in each.kinds for each in everybody):
            assert {each for each in everybody if "switch" in each.kinds} <= ready
        for each in everybody:
            assert not {"switch", "drop"} <= set(each.kinds)
            assert len(each.kinds) == len(set(each.kinds))
