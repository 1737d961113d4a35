"""Of whom nothing was said is judged once, unless something that is kept may be a reason."""

from __future__ import annotations

import itertools
from dataclasses import replace
from math import nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pairguard.age.evidence import SelfDeclared
from pairguard.age.tables import AgeTables
from pairguard.bundle.defaults import default_catalogue
from pairguard.policy.judgement import Judge, Judgement
from pairguard.policy.reasons import ReasonCode
from pairguard.policy.regions import Policy
from pairguard.policy.state import NOTHING_KEPT, NOTHING_KEPT_OF_CHATS, KeptState, StoredState
from pairguard.risk.model import RiskModel
from pairguard.risk.participant import Participant
from tests.domain import (
    NOW,
    YEAR,
    default_policy_document,
    default_tables_document,
    live,
    merged,
)

YOUNG = {"ages": [17, 18], "values": [200, 1], "source": "assumed"}
MODEL = RiskModel(
    AgeTables.from_mapping(
        merged(default_tables_document(), {"prior": {"by_entry_path": {"random_video": YOUNG}}})
    ),
    default_catalogue(),
    None,
    None,
)
POLICY = Policy.from_mapping(
    merged(
        default_policy_document(),
        {
            "default": {"allow_without_harm_model": True, "exploration": {"reroute_share": 0.1}},
            "regions": {
                "FR": {
                    "minimum_age": 18,
                    "adult_age": 21,
                    "thresholds": {"block_minor_adult": 0.1},
                },
                "KR": {"thresholds": {"reroute_minor_adult": 0.3, "reroute_risk": 0.5}},
            },
        },
    )
)
WARM = Judge(MODEL, POLICY)


def anew(
    a: Participant,
    b: Participant,
    state: StoredState,
    draw: float | None = None,
    *,
    now: float = NOW,
) -> Judgement:
    """Return what is judged by a judge that has judged nobody before and keeps nothing."""
    judge = Judge(MODEL, POLICY)
    assessed = judge.model.assess_participant(a, now), judge.model.assess_participant(b, now)
    regions = (
        judge.policy.for_participant(a.located_region),
        judge.policy.for_participant(b.located_region),
    )
    return judge._judged((a, b), assessed, regions, state, draw=draw, unsaid=False)


people = st.builds(
    Participant,
    participant_id=st.sampled_from(["a", "b"]),
    linked_ids=st.sampled_from([(), ("device",)]),
    region=st.sampled_from(["", "GB", "FR", "KR"]),
    language=st.sampled_from(["", "en"]),
    entry_path=st.sampled_from(["", "random_video"]),
    signals=st.sampled_from([{}, {}, {"vpn": 1.0}]),
    interests=st.sampled_from([(), (), ("music",)]),
    age_evidence=st.sampled_from([(), (), (live(SelfDeclared(30)),)]),
    history=st.sampled_from([None, {}, {"history.upheld_harm_365d": 1.0}]),
)
KEPT = (
    NOTHING_KEPT,
    NOTHING_KEPT_OF_CHATS,
    KeptState(),
    KeptState(chats_counted=True),
    KeptState(held_for=("BELOW_MINIMUM_AGE",)),
    KeptState(upheld_harm=True),
    KeptState(reroutes_24h=10_000.0, decisions_24h=10_000.0),
    KeptState(reroutes_24h=3.0, decisions_24h=5.0, partner_minor_mean_24h=0.3),
    KeptState(decisions_24h=900.0, partner_minor_mean_24h=1.0),
    KeptState(exposure_24h=0.48),  # spent by this pair, where its risk is no reason by itself
)
kept = st.sampled_from(KEPT) | st.builds(
    KeptState,
    decisions_24h=st.floats(0, 400),
    allowed_24h=st.floats(0, 100),
    reroutes_24h=st.floats(0, 400) | st.just(nan),
    exposure_24h=st.floats(0, 1) | st.just(nan),
    chats_counted=st.booleans(),
    chats_started_24h=st.floats(0, 100),
    partner_minor_mean_24h=st.none() | st.floats(0, 1),
    reporters_30d=st.sampled_from([0.0, 1.0, 3.0, 9.0]),
    partners_30d=st.sampled_from([0.0, 5.0, 200.0]),
)
states = st.builds(
    StoredState,
    readable=st.sampled_from([True, True, False]),
    a=kept,
    b=kept,
    personal_block=st.sampled_from([False, False, True]),
    seconds_since_last_met=st.sampled_from([None, None, 1.0]),
)


def told(judgement: Judgement) -> tuple[object, ...]:
    return judgement.decision, judgement.checks, judgement.lines


@given(people, people, states, st.sampled_from([None, None, 0.0, 0.99]), st.booleans())
def test_a_judge_that_has_judged_before_judges_as_a_new_one(
    a: Participant, b: Participant, state: StoredState, draw: float | None, later: bool
) -> None:
    now = NOW + YEAR if later else NOW

    found = WARM.judge_pair(a, b, now=now, state=state, draw=draw)

    expected = anew(a, b, state, draw, now=now)
    assert told(found) == told(expected)
    assert found.a is expected.a or found.a.age.items == expected.a.age.items
    assert found.b is expected.b or found.b.age.items == expected.b.age.items


@pytest.mark.parametrize("entry_path", ["", "random_video"])
@pytest.mark.parametrize(("region", "other"), [("KR", "KR"), ("KR", "FR"), ("FR", "KR")])
def test_strangers_are_judged_by_what_is_kept_of_them(
    region: str, other: str, entry_path: str
) -> None:
    a = Participant("a", region=region, entry_path=entry_path)
    b = Participant("b", region=other, entry_path=entry_path)
    for kept_a, kept_b in itertools.product(KEPT, KEPT):
        state = StoredState(a=kept_a, b=kept_b)

        found = WARM.judge_pair(a, b, now=NOW, state=state)

        assert told(found) == told(anew(a, b, state))


def test_two_of_whom_nothing_was_said_are_judged_once() -> None:
    judge = Judge(MODEL, POLICY)
    been_here = StoredState(a=KeptState(decisions_24h=3.0, reroutes_24h=3.0), b=NOTHING_KEPT)

    first = judge.judge_pair(Participant("a"), Participant("b"), now=NOW, state=StoredState())
    again = judge.judge_pair(Participant("c"), Participant("d"), now=NOW, state=StoredState())
    later = judge.judge_pair(Participant("c"), Participant("d"), now=NOW, state=been_here)

    assert again is first
    assert later is first


def test_what_is_kept_between_them_or_cannot_be_read_is_never_passed_over() -> None:
    judge = Judge(MODEL, POLICY)
    new = StoredState()
    judge.judge_pair(Participant("a"), Participant("b"), now=NOW, state=new)

    for state, code in (
        (replace(new, personal_block=True), ReasonCode.PERSONAL_BLOCK),
        (replace(new, seconds_since_last_met=0.0), ReasonCode.RECENT_PARTNER),
        (replace(new, readable=False), ReasonCode.STORE_UNAVAILABLE),
        (replace(new, a=KeptState(held_for=("HELD_BY_HAND",))), ReasonCode.HELD),
        (replace(new, b=KeptState(held_for=("HELD_BY_HAND",))), ReasonCode.HELD),
        (replace(new, a=KeptState(reroutes_24h=1e4)), ReasonCode.REROUTES_SPENT),
        (replace(new, b=KeptState(reroutes_24h=1e4)), ReasonCode.REROUTES_SPENT),
        (replace(new, b=KeptState(exposure_24h=1e4)), ReasonCode.EXPOSURE_SPENT),
        (replace(new, b=KeptState(reporters_30d=9.0, partners_30d=9.0)), ReasonCode.REPORTED),
    ):
        found = judge.judge_pair(Participant("a"), Participant("b"), now=NOW, state=state)

        assert code in {reason.code for reason in found.decision.reasons}


def test_no_more_than_a_few_hundred_are_kept() -> None:
    judge = Judge(MODEL, POLICY)

    regions = [f"{one}{two}" for one in "ABCDEFGHIJ" for two in "ABCDEFGHIJKLMNOPQRSTUVWXYZ"]
    for region in regions:
        judge.judge_pair(
            Participant("a", region=region), Participant("b"), now=NOW, state=StoredState()
        )

    assert len(judge._strangers) <= 256
