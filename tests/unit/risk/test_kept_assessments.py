"""What is kept of an assessment is what a new one would be, to the bit, at any time."""

from __future__ import annotations

import functools
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields, is_dataclass, replace

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pairguard.age.evidence import CheckResult
from pairguard.age.tables import AgeTables
from pairguard.risk.behaviour import BehaviourAgeModel
from pairguard.risk.catalogue import SignalCatalogue
from pairguard.risk.model import ParticipantAssessment, RiskModel
from pairguard.risk.participant import Participant
from pairguard.risk.trees import TreeModel
from tests.domain import (
    DAY,
    NOW,
    TABLES,
    YEAR,
    captured_items,
    default_tables_document,
    document_check,
    merged,
)
from tests.unit.risk.trained import booster, harm_model, small_catalogue, text_of

WEEK = 7.0 * DAY
CATALOGUE = small_catalogue()
OTHER_TABLES = AgeTables.from_mapping(default_tables_document())
"""Like the others, with what is kept there; of the others nothing is."""

participants = st.builds(
    Participant,
    participant_id=st.sampled_from(["a", "b"]),
    age_evidence=st.lists(captured_items, max_size=3).map(tuple),
    signals=st.dictionaries(
        st.sampled_from(["vpn", "hour, local", "days", "device_known_days", "virtual_camera"]),
        st.sampled_from([-0.0, 0.0, 1.0, 7.0, 30.5, 400.0]),
        max_size=4,
    ),
    attributes=st.dictionaries(
        st.sampled_from(["os", "browser"]), st.sampled_from(["ios", "android", "vms"]), max_size=2
    ),
    interests=st.lists(st.sampled_from(["games", "music", "chess"]), max_size=2).map(tuple),
    region=st.sampled_from(["", "GB"]),
    history=st.one_of(
        st.none(),
        st.dictionaries(
            st.sampled_from(["history.reports", "history.skips"]), st.sampled_from([0.0, 3.0])
        ),
    ),
)
# Weeks, the seconds around their ends, and back again.
spans = st.lists(
    st.one_of(
        st.integers(-2, 9).flatmap(
            lambda weeks: st.sampled_from([-1.0, 0.0, 0.5, 1.0, 3600.0]).map(
                lambda seconds: weeks * WEEK + seconds
            )
        ),
        st.floats(-YEAR, 2 * YEAR),
    ),
    min_size=2,
    max_size=6,
)


@functools.cache
def behaviour(*, sees_history: bool) -> BehaviourAgeModel:
    columns = ["hour, local", "os", "interests=games", "interests=music", "interests=films"]
    columns.append("history.skips" if sees_history else "days")
    return BehaviourAgeModel(
        TreeModel(text_of(booster("multiclass"))),
        columns=[CATALOGUE.columns.index(name) for name in columns],
        knots_years=(10, 15, 18, 25, 60),
        knot_shares=(0.1, 0.2, 0.2, 0.3, 0.2),
        temperature=0.8,
    )


def model(tables: AgeTables = TABLES, *, sees_history: bool = False) -> RiskModel:
    return RiskModel(tables, CATALOGUE, behaviour(sees_history=sees_history), harm_model())


def bits(value: object) -> object:
    """Return all that a value holds, arrays as bytes; not what it only keeps for later."""
    if isinstance(value, np.ndarray):
        return value.tobytes()
    if isinstance(value, float):
        return value.hex()
    if isinstance(value, tuple):
        return tuple(bits(part) for part in value)
    if is_dataclass(value):
        return [bits(getattr(value, field.name)) for field in fields(value) if field.compare]
    return value


def fresh(participant: Participant, now: float, *, sees_history: bool) -> ParticipantAssessment:
    TABLES.item_cache.clear()
    TABLES.fusion_cache.clear()
    return model(sees_history=sees_history).assess_participant(participant, now)


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None, max_examples=100)
@given(sent=st.lists(participants, min_size=1, max_size=3), spans=spans, sees_history=st.booleans())
def test_whenever_it_is_asked_for_it_is_what_a_new_one_would_be(
    *, sent: list[Participant], spans: list[float], sees_history: bool
) -> None:
    keeping = model(OTHER_TABLES, sees_history=sees_history)
    for span in [*spans, *spans[:2]]:
        for one in sent:
            edge = one.age_evidence[0].observed_time if one.age_evidence else None
            now = (edge or NOW) + span
            kept = keeping.assess_participant(one, now)
            assert_same(kept, fresh(one, now, sees_history=sees_history))


def assert_same(kept: ParticipantAssessment, wanted: ParticipantAssessment) -> None:
    for name in ("values", "unknown_names", "behaviour_known", "history_known", "ready"):
        assert bits(getattr(kept, name)) == bits(getattr(wanted, name)), name
    for field in fields(wanted.age):
        if field.compare and field.name not in ("items", "readings"):
            found = bits(getattr(kept.age, field.name))
            assert found == bits(getattr(wanted.age, field.name)), field.name
    for reading, other in zip(kept.age.readings, wanted.age.readings, strict=True):
        assert bits(tuple(reading)[1:]) == bits(tuple(other)[1:])


def test_whatever_differs_is_told_apart() -> None:
    tables = AgeTables.from_mapping(
        merged(
            default_tables_document(),
            {
                "prior": {
                    "by_region": {
                        "GB": {"ages": [0, 100], "values": [1, 9], "source": "assumed"},
                        "GB|games": {"ages": [0, 100], "values": [9, 1], "source": "assumed"},
                    }
                }
            },
        )
    )
    sent = Participant(
        "a",
        age_evidence=(document_check(CheckResult.OVER),),
        signals={"days": 3.0},
        attributes={"os": "ios"},
        interests=("games",),
        region="GB",
        history={"history.skips": 0.0},
    )
    others = [
        sent,
        replace(sent, age_evidence=(document_check(CheckResult.UNDER),)),
        replace(sent, signals={"days": 4.0}),
        replace(sent, signals={"days": 3.0, "injected_media": 1.0}),
        replace(sent, signals={"days": 3.0, "device_known_days": 0.0}),
        replace(sent, signals={"days": 3.0, "vpn": 1.0}),
        replace(sent, attributes={"os": "android"}),
        replace(sent, interests=("music",)),
        replace(sent, region=""),
        replace(sent, entry_path="games"),
        replace(sent, history={"history.skips": 5.0}),
        replace(sent, history={"history.skips": -0.0}),
        replace(sent, history={"history.reports": 2.0}),
        replace(sent, history=None),
    ]
    keeping = model(tables, sees_history=True)
    for one in [*others, *reversed(others)]:
        kept = keeping.assess_participant(one, NOW + 9 * DAY)
        assert_same(kept, model(tables, sees_history=True).assess_participant(one, NOW + 9 * DAY))


def test_the_same_content_in_another_order_is_found_again() -> None:
    keeping = model()
    signals = {"hour, local": 3.0, "days": 9.0}
    first = keeping.assess_participant(Participant("a", signals=signals), NOW)
    turned = dict(reversed(signals.items()))
    second = keeping.assess_participant(Participant("b", signals=turned), NOW + 9 * DAY)
    assert second is first
    assert not first.values.flags.writeable


def test_history_that_no_age_model_sees_leaves_the_age_as_it_is() -> None:
    keeping = model()
    sent = Participant("a", signals={"days": 9.0}, history={"history.reports": 1.0})
    first = keeping.assess_participant(sent, NOW)
    assert keeping.assess_participant(replace(sent, participant_id="b"), NOW) is first
    later = keeping.assess_participant(replace(sent, history={"history.reports": 2.0}), NOW)
    assert later.age is first.age
    column = CATALOGUE.columns.index("history.reports")
    assert (first.values[column], later.values[column]) == (1.0, 2.0)
    assert keeping.assess_participant(replace(sent, history=None), NOW).history_known is False


def test_what_is_kept_stays_within_its_bound() -> None:
    keeping = model()
    for number in range(3_000):
        keeping.assess_participant(Participant("a", signals={"days": float(number)}), NOW)
    assert 0 < keeping._recent.size_bytes <= 12_000_000


def test_threads_find_what_one_alone_finds() -> None:
    catalogue: SignalCatalogue = CATALOGUE
    sent = [
        Participant("a", signals={"days": float(number % 7), "hour, local": float(number % 24)})
        for number in range(60)
    ]
    wanted = [fresh(one, NOW, sees_history=False).age.cumulative.tobytes() for one in sent]
    keeping = model()

    def work(turn: int) -> bool:
        right = True
        for place in range(len(sent) * 3):
            index = (place * (turn + 1)) % len(sent)
            assessed = keeping.assess_participant(sent[index], NOW)
            right &= assessed.age.cumulative.tobytes() == wanted[index]
            right &= assessed.values.size == len(catalogue.columns)
        return right

    with ThreadPoolExecutor(4) as threads:
        assert all(threads.map(work, range(4)))
