"""Differences are told by their size, and of few people nothing is."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from pairguard.drift.comparison import Finding, Verdict, compare
from pairguard.drift.groups import OTHER, Group, Unit
from pairguard.drift.reference import SECTION, DriftReference, PerUnit
from pairguard.drift.sightings import Sightings
from pairguard.drift.tally import Layout
from pairguard.drift.variables import Variable

REGION = Variable(Group.MIX, "region", (1_400, 400, 0), 200, words=("GB", "DE"))
SPEED = Variable(
    Group.SIGNAL,
    "speed",
    (500, 500, 500, 400),
    100,
    edges=(1.0, 2.0, 3.0),
    centres=(0.5, 1.5, 2.5, 3.5),
    deviation=1.1,
)
FLAG = Variable(
    Group.SIGNAL, "flag", (2_000, 0), 0, edges=(0.5,), centres=(0.0, 1.0), deviation=0.0
)
FACE = Variable(Group.EVIDENCE_KIND, "face", (1_500, 500), 0, (0.5,), (0.0, 1.0), 0.43)
VENDOR = Variable(Group.EVIDENCE_PROVIDER, "yoti", (1_500, 500), 0, (0.5,), (0.0, 1.0), 0.43)
VENDORS = Variable(Group.EVIDENCE_PROVIDER, OTHER, (2_000, 0), 0, (0.5,), (0.0, 1.0), 0.0)
DECISION = Variable(Group.DECISION, "decision", (800, 200, 0), 0, words=("ALLOW", "REROUTE"))
REFERENCE = DriftReference(
    (REGION, SPEED, FLAG, FACE, VENDOR, VENDORS, DECISION),
    participants=2_000,
    pairs=1_000,
    effective=PerUnit(1_800.0, 900.0),
    policy_version="p1",
)
ORDINARY: Sightings = {(Group.SIGNAL, "flag"): 0.0}


def people(count: int, **changes: int) -> list[Sightings]:
    """Return people as in the reference; changes: how many of them are changed, by what."""
    found: list[Sightings] = []
    for number in range(count):
        each = dict(ORDINARY)
        place = number % 20
        if place < 18:
            each[Group.MIX, "region"] = "GB" if place < 14 else "DE"
        if place < 19:
            each[Group.SIGNAL, "speed"] = (0.5, 1.5, 2.5, 3.5)[place // 5]
        if place % 4 == 0:
            each[Group.EVIDENCE_KIND, "face"] = 1.0
            each[Group.EVIDENCE_PROVIDER, "yoti"] = 1.0
        found.append(each)
    return found


def findings(
    seen: list[Sightings], *, pairs: list[Sightings] | None = None, same_policy: bool = True
) -> list[Finding]:
    layout = Layout(REFERENCE.variables)
    counts = layout.empty()
    for each in seen:
        layout.count(counts, Unit.PARTICIPANT, each)
    for each in pairs or []:
        layout.count(counts, Unit.PAIR, each)
    return compare(REFERENCE, layout, counts, same_policy=same_policy)


def beyond(found: list[Finding]) -> list[str]:
    return [
        f"{each.variable.name}{' unknown' if each.of_unknown else ''}"
        for each in found
        if each.verdict >= Verdict.SMALL
    ]


def test_the_same_people_differ_in_nothing() -> None:
    assert beyond(findings(people(2_000))) == []


def test_a_word_never_seen_is_found_and_its_share_told() -> None:
    seen = people(2_000)
    for each in seen[::10]:
        each[Group.MIX, "region"] = "FR"

    (first, *_) = found = findings(seen)

    assert beyond(found) == ["region"]
    assert first.verdict is Verdict.LARGE
    assert first.cell == OTHER
    assert 0.09 < first.unlisted_share < 0.12
    assert first.unlisted_share == first.after


def test_a_few_with_a_word_never_seen_are_not_told() -> None:
    seen = people(2_000)
    for each in seen[:4]:
        each[Group.MIX, "region"] = "FR"

    found = findings(seen)

    assert beyond(found) == []
    assert all(each.unlisted_share == 0.0 for each in found)


def test_a_flag_that_nobody_had_is_found() -> None:
    seen = people(2_000)
    for each in seen[::50]:
        each[Group.SIGNAL, "flag"] = 1.0

    assert beyond(findings(seen)) == ["flag"]


def test_a_new_provider_is_found() -> None:
    seen = people(2_000)
    for each in seen[::15]:
        each[Group.EVIDENCE_PROVIDER, "newcomer"] = 1.0

    (first, *_) = found = findings(seen)

    assert beyond(found) == [OTHER]
    assert first.variable.group is Group.EVIDENCE_PROVIDER
    assert first.unlisted_share == pytest.approx(1 / 15, abs=0.001)


def test_a_changed_share_of_unknown_is_found() -> None:
    seen = people(2_000)
    for each in seen[:1_000]:
        each.pop((Group.SIGNAL, "speed"), None)

    (first, *_) = found = findings(seen)

    assert beyond(found) == ["speed unknown"]
    assert first.before == 0.05
    assert first.after == pytest.approx(0.52, abs=0.02)


def test_a_shift_of_a_number_is_told_in_deviations() -> None:
    seen = people(2_000)
    for each in seen:
        if (Group.SIGNAL, "speed") in each:
            each[Group.SIGNAL, "speed"] = min(float(each[Group.SIGNAL, "speed"]) + 1.0, 3.5)

    (first, *_) = found = findings(seen)

    assert beyond(found) == ["speed"]
    assert first.distance is not None
    assert first.before is not None
    assert first.after is not None
    assert first.distance.value == pytest.approx((first.after - first.before) / 1.1)


@pytest.mark.parametrize("count", [0, 1, 10, 30])
def test_of_few_people_nothing_is_said(count: int) -> None:
    """Not even of people who differ in everything."""
    seen: list[Sightings] = [
        {(Group.MIX, "region"): "FR", (Group.SIGNAL, "speed"): 99.0} for _ in range(count)
    ]

    found = findings(seen)

    assert beyond(found) == []
    of_region = next(each for each in found if each.variable is REGION)
    assert of_region.verdict is Verdict.TOO_FEW


def test_more_of_the_same_people_tell_smaller_differences() -> None:
    bounds = [findings(people(count))[0].psi.bound for count in (200, 2_000, 20_000)]

    assert bounds == sorted(bounds, reverse=True)


def test_decisions_of_another_policy_are_not_compared() -> None:
    pairs: list[Sightings] = [{(Group.DECISION, "decision"): "REROUTE"}] * 500

    assert "decision" in beyond(findings(people(2_000), pairs=pairs))
    other = findings(people(2_000), pairs=pairs, same_policy=False)
    assert all(each.variable.group is not Group.DECISION for each in other)


def test_what_follows_the_day_is_compared_over_weeks_alone() -> None:
    variables = (replace(SPEED, follows_day=True), REGION)
    reference = replace(REFERENCE, variables=variables)
    layout = Layout(variables)

    days = compare(reference, layout, layout.empty())
    weeks = compare(reference, layout, layout.empty(), whole_weeks=True)

    assert {each.variable.name for each in days} == {"region"}
    assert {each.variable.name for each in weeks} == {"region", "speed"}


def test_the_document_is_read_as_it_was_written() -> None:
    text = json.dumps({SECTION: REFERENCE.to_mapping()})

    assert DriftReference.from_document(json.loads(text)) == REFERENCE


def test_a_document_of_an_older_bundle_has_no_reference() -> None:
    assert DriftReference.from_document({"columns": {}}) is None


@pytest.mark.parametrize(
    "change",
    [
        {"format": 2},
        {"format": None},
        {"variables": None},
        {"variables": [{"group": "nonsense"}]},
        {"variables": [REGION.to_mapping(), REGION.to_mapping()]},
        {"variables": [REGION.to_mapping() | {"counts": [1]}]},
        {"variables": [REGION.to_mapping() | {"counts": [1, -1, 2]}]},
        {"variables": [SPEED.to_mapping() | {"edges": [3.0, 2.0, 1.0]}]},
        {"variables": [SPEED.to_mapping() | {"centres": [0.5, "x", 2.5, 3.5]}]},
        {"participants": "many"},
    ],
)
def test_a_document_that_makes_no_sense_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="drift"):
        DriftReference.from_document({SECTION: REFERENCE.to_mapping() | change})
