"""Of whom nothing is known is judged once, and never as somebody of whom something is."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from pairguard.age.evidence import SelfDeclared
from pairguard.bundle.defaults import default_catalogue
from pairguard.policy.judgement import Judge, Judgement
from pairguard.policy.reasons import ReasonCode
from pairguard.policy.regions import Policy
from pairguard.policy.state import NOTHING_KEPT, NOTHING_KEPT_OF_CHATS, KeptState, StoredState
from pairguard.risk.model import RiskModel
from pairguard.risk.participant import Participant
from tests.domain import NOW, TABLES, YEAR, default_policy_document, live, merged

MODEL = RiskModel(TABLES, default_catalogue(), None, None)
POLICY = Policy.from_mapping(
    merged(
        default_policy_document(),
        {
            "default": {"allow_without_harm_model": True, "exploration": {"reroute_share": 0.1}},
            "regions": {"FR": {"minimum_age": 18, "adult_age": 21}},
        },
    )
)
WARM = Judge(MODEL, POLICY)

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
kept = st.sampled_from(
    [
        NOTHING_KEPT,
        NOTHING_KEPT_OF_CHATS,
        KeptState(),
        KeptState(chats_counted=True),
        KeptState(held_for=("BELOW_MINIMUM_AGE",)),
        KeptState(upheld_harm=True),
        KeptState(reroutes_24h=10_000.0, decisions_24h=10_000.0),
    ]
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

    expected = Judge(MODEL, POLICY).judge_pair(a, b, now=now, state=state, draw=draw)
    assert told(found) == told(expected)
    assert found.a is expected.a or found.a.age.items == expected.a.age.items
    assert found.b is expected.b or found.b.age.items == expected.b.age.items


def test_two_of_whom_nothing_is_known_are_judged_once() -> None:
    judge = Judge(MODEL, POLICY)

    first = judge.judge_pair(Participant("a"), Participant("b"), now=NOW, state=StoredState())
    again = judge.judge_pair(Participant("c"), Participant("d"), now=NOW, state=StoredState())

    assert again is first


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

    assert len(judge._newcomers) <= 256
