"""What one participant may be exposed to, ask for and be refused within a day."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from pairguard.store.ports import KeptParticipant
from pairguard.v1.assessment_pb2 import DECISION_ALLOW, DECISION_REROUTE
from tests.domain import DAY
from tests.integration.server.platform_calls import (
    Clock,
    allowed,
    bare,
    codes,
    decide,
    happened,
    import_decisions,
    pair,
    participant,
    started,
)
from tests.integration.server.running_server import BrokenStore, Running, lenient_policy, serving
from tests.unit.server.requests import ADULT

YOUNG = ADULT.replace("age_years: 40", "age_years: 15")


def one_exposure(bundle: Path, directory: Path) -> float:
    with serving(bundle, directory, policy=lenient_policy()) as server:
        return decide(server, pair("a", "b")).minor_adult_probability


def allowed_until_spent(server: Running, name: str = "p", limit: int = 12) -> int:
    """Return how many pairs of one participant are allowed before the budget ends."""
    for count in range(limit):
        answer = decide(server, pair("spender", f"{name}{count}"))
        if answer.decision != DECISION_ALLOW:
            assert codes(answer) == ["EXPOSURE_SPENT"]
            return count
    return limit


@pytest.fixture(scope="module")
def exposure(bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> float:
    return one_exposure(bundle, tmp_path_factory.mktemp("exposure"))


def test_the_budget_counts_every_allow_before_and_after_its_import(
    bundle: Path, tmp_path: Path, exposure: float
) -> None:
    clock = Clock()
    policy = lenient_policy(max_exposure_per_day=str(5.5 * exposure))
    with serving(bundle, tmp_path, policy=policy, clock=clock) as server:
        # At once, so that the last ones are decided before the first are imported.
        assert allowed_until_spent(server) == 5
        import_decisions(server)
        assert allowed_until_spent(server, "q") == 0
        # The partners are exposed each for themselves.
        assert decide(server, pair("p0", "p1")).decision == DECISION_ALLOW
        # Another session on the same device would be another one, and is not.
        linked = participant("spender-2", "spender")
        assert codes(decide(server, pair(linked, "q1"))) == ["EXPOSURE_SPENT"]
        clock.now += DAY / 2
        assert allowed_until_spent(server, "r") == 0
    with serving(bundle, tmp_path, policy=policy, clock=clock) as server:
        assert allowed_until_spent(server, "s") == 0
        # Of yesterday nothing is left but what the hour of it reaches.
        clock.now += DAY / 2 + 3_601
        assert allowed_until_spent(server, "t") == 5


def test_decisions_of_a_server_that_died_count_for_the_next_one(
    bundle: Path, tmp_path: Path, exposure: float
) -> None:
    policy = lenient_policy(max_exposure_per_day=str(5.5 * exposure))
    with serving(bundle, tmp_path, policy=policy) as server:
        for n in range(3):
            allowed(server, "spender", f"p{n}")
        # As after a kill: another begins while the files of the first lie there.
        with serving(bundle, tmp_path, policy=policy) as second:
            assert allowed_until_spent(second, "q") == 2


def test_reroutes_are_counted_and_capped(bundle: Path, tmp_path: Path) -> None:
    with serving(bundle, tmp_path, policy=lenient_policy(max_reroutes_per_day="3")) as server:
        for n in range(4):
            assert decide(server, pair("a", bare(f"u{n}"))).decision == DECISION_REROUTE
        assert codes(decide(server, pair("a", "b"))) == ["REROUTES_SPENT"]
        import_decisions(server)
        assert codes(decide(server, pair("a", "c"))) == ["REROUTES_SPENT"]
        allowed(server, "b", "c")


def test_who_asks_much_and_starts_nothing_probes(bundle: Path, tmp_path: Path) -> None:
    policy = lenient_policy(
        min_decisions_per_day="10", min_started_share="0.5", recent_partner_minutes="0.0"
    )
    with serving(bundle, tmp_path, policy=policy) as server:
        for n in range(10):
            allowed(server, "asker", f"p{n}")
        # As long as the platform reports no chats at all, none is no sign.
        allowed(server, "asker", "p10")
        for n in range(11):
            decision = allowed(server, "user", f"p{n}")
            happened(server, started(f"c{n}", "user", f"p{n}", decision=decision))

        assert "PROBING" in codes(decide(server, pair("asker", "p11")))
        allowed(server, "user", "p11")


def test_who_is_offered_hardly_anybody_but_minors_fishes(bundle: Path, tmp_path: Path) -> None:
    with serving(bundle, tmp_path, policy=lenient_policy(min_decisions_per_day="10")) as server:
        for n in range(10):
            assert (
                decide(server, pair("fisher", participant(f"m{n}", more=YOUNG))).decision
                == DECISION_REROUTE
            )
        assert codes(decide(server, pair("fisher", "grown"))) == ["PROBING"]
        import_decisions(server)
        assert codes(decide(server, pair("fisher", "grown-2"))) == ["PROBING"]
        allowed(server, "grown", "grown-2")


class RacingStore(BrokenStore):
    """A store that is read a moment before something happens."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.after_read: Callable[[], object] = lambda: None

    def read(
        self, participants: Sequence[Sequence[bytes]], *, now: float
    ) -> tuple[KeptParticipant, ...]:
        found = super().read(participants, now=now)
        self.after_read()
        return found


def test_what_is_imported_while_a_decision_is_made_counts_for_it(
    bundle: Path, tmp_path: Path, exposure: float
) -> None:
    policy = lenient_policy(max_exposure_per_day=str(2.5 * exposure))
    store = RacingStore(tmp_path / "kept.sqlite3")
    with serving(bundle, tmp_path, policy=policy, store=store) as server:
        for n in range(2):
            allowed(server, "p", f"q{n}")
        store.after_read = lambda: import_decisions(server)
        assert codes(decide(server, pair("p", "q2"))) == ["EXPOSURE_SPENT"]
