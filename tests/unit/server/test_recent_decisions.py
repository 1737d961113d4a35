"""What was decided and is not imported yet: at least what each of the ids did."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pairguard.server import recent_decisions
from pairguard.server.recent_decisions import Amounts, RecentDecisions
from pairguard.store.segments.framing import Position

IDS = (b"own", b"linked", b"other")
DECISIONS = st.lists(
    st.tuples(
        st.lists(st.sampled_from(IDS), min_size=1, max_size=3, unique=True),
        st.booleans(),
        st.floats(0, 1),
        st.floats(0, 1),
    ),
    max_size=20,
)


@given(decisions=DECISIONS, asked=st.lists(st.sampled_from(IDS), min_size=1, unique=True))
def test_several_ids_together_have_done_no_less_than_each_of_them(
    decisions: list[tuple[list[bytes], bool, float, float]], asked: list[bytes]
) -> None:
    recent = RecentDecisions()
    for ids, allowed, exposure, partner_minor in decisions:
        recent.add(
            ids,
            allowed=allowed,
            exposure=exposure,
            partner_minor=partner_minor,
            position=None,
            now=0.0,
        )
    together = recent.of(asked)
    for each in asked:
        alone = [row for row in decisions if each in row[0]]
        if not alone:
            continue
        assert together is not None
        assert together.decisions >= len(alone)
        assert together.allowed >= sum(allowed for _, allowed, _, _ in alone)
        assert together.refused >= sum(not allowed for _, allowed, _, _ in alone)
        assert together.exposure >= sum(exposure for _, _, exposure, _ in alone) - 1e-9


def test_what_was_decided_under_a_linked_id_alone_counts() -> None:
    recent = RecentDecisions()
    recent.add([IDS[1]], allowed=True, exposure=0.4, partner_minor=0.9, position=None, now=0.0)
    for ids in (IDS[:2], IDS[1:2], [IDS[1], IDS[0]]):
        found = recent.of(ids)
        assert found is not None
        assert found.exposure == 0.4
    assert recent.of(IDS[:1]) is None


def test_what_was_refused_under_one_id_is_not_made_up_for_by_what_was_allowed_under_another() -> (
    None
):
    recent = RecentDecisions()
    for ids, allowed in (([IDS[0]], False), ([IDS[1]], True)):
        for _ in range(10):
            recent.add(
                ids, allowed=allowed, exposure=0.0, partner_minor=0.0, position=None, now=0.0
            )
    found = recent.of(IDS[:2])
    assert found is not None
    assert found.refused == 10.0


def test_while_a_decision_is_forgotten_no_less_is_refused_than_remains(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    refused: list[float] = []

    class Watched(Amounts):
        """Tells what another thread would find after each step."""

        def __setattr__(self, name: str, value: float) -> None:
            super().__setattr__(name, value)
            if name in {"decisions", "allowed"} and hasattr(self, "allowed"):
                refused.append(self.decisions - self.allowed)

    recent = RecentDecisions()
    monkeypatch.setattr(recent_decisions, "Amounts", Watched)
    for second, allowed in ((0.0, True), (0.0, True), (1.0, False)):
        position = Position(f"segment-{second}", 1)
        recent.add(
            IDS[:1],
            allowed=allowed,
            exposure=0.0,
            partner_minor=0.0,
            position=position,
            now=second,
        )
    refused.clear()
    recent.settle(lambda segment, _end: segment == "segment-0.0")
    assert refused
    assert min(refused) == 1.0
