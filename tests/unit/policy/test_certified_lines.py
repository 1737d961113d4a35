"""A certificate gives numbers to promises, and loosens nothing that the document does not open."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pairguard.age.evidence import CheckResult
from pairguard.bundle.defaults import default_catalogue
from pairguard.errors import PolicyRefused
from pairguard.policy.certificate import (
    ACROSS,
    ALL,
    ELSEWHERE,
    Certificate,
    CertificateMalformed,
    parse_certificate,
)
from pairguard.policy.certified_lines import certified_policy
from pairguard.policy.decision import DecisionKind
from pairguard.policy.judgement import Judge
from pairguard.policy.pool_judgement import PoolJudgement, PoolMember
from pairguard.policy.promises import LINES, Promise, PromiseKind, strictest_promises
from pairguard.policy.regions import Policy, strictest
from pairguard.policy.state import KeptState, StoredState
from pairguard.risk.model import RiskModel
from pairguard.risk.participant import Participant
from tests.domain import NOW, TABLES, default_policy_document, document_check, merged, verified
from tests.unit.policy.certificates import (
    ASKED,
    asking,
    certificate_document,
    certificate_documents,
    policy_documents,
    promise_entry,
    some_promises,
    stratum,
)

MODEL = RiskModel(TABLES, default_catalogue(), None, None)
MIXED = PromiseKind.MIXED_PAIRS_ALLOWED
NUMBERS = {kind: lines.number.rpartition(".")[2] for kind, lines in LINES.items()}
REGIONS = ("", "US", "KR", "FR", "US-CA")

regions = st.sampled_from(REGIONS)
kinds = st.sampled_from(list(PromiseKind))


def certified(policy: Policy, document: dict[str, Any], *, usable: bool = True) -> Policy:
    return certified_policy(policy, parse_certificate(document), usable=usable)[0]


def number(policy: Policy, kind: PromiseKind, region: str = "GB") -> float:
    found: float = getattr(policy.for_participant(region), NUMBERS[kind])
    return found


POLICY = Policy.from_mapping(asking())
WITHOUT = Policy.from_mapping(default_policy_document())


# ---- the lines --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lines", "place"),
    [
        ({"thresholds": {"max_minor_adult_miss_rate": 0.02}}, "default.thresholds.confidence"),
        ({"thresholds": {"confidence": 0.95}}, "default.thresholds.confidence"),
        ({"gates": {"confidence": 0.95}}, "default.gates.confidence"),
        (
            {"thresholds": {"max_minor_adult_miss_rate": 0.0, "confidence": 0.95}},
            "default.thresholds.max_minor_adult_miss_rate",
        ),
        (
            {"thresholds": {"max_minor_adult_miss_rate": 0.6, "confidence": 0.95}},
            "default.thresholds.max_minor_adult_miss_rate",
        ),
        (
            {"gates": {"max_minor_admitted_rate": float("nan"), "confidence": 0.95}},
            "default.gates.max_minor_admitted_rate",
        ),
        (
            {"gates": {"max_adult_admitted_rate": 0.1, "confidence": 1.0}},
            "default.gates.confidence",
        ),
        (
            merged(ASKED, {"thresholds": {"certified_reroute_minor_adult": 0.31}}),
            "default.thresholds.certified_reroute_minor_adult",
        ),
        (
            merged(ASKED, {"thresholds": {"certified_reroute_minor_adult": 0.04}}),
            "default.thresholds.certified_reroute_minor_adult",
        ),
        (
            {"gates": {"certified_minors_max_probability_adult": 0.1}},
            "default.gates.certified_minors_max_probability_adult",
        ),
        ({"gates": {"max_minor_rate": 0.1}}, "default.gates.max_minor_rate"),
    ],
)
def test_a_bad_line_of_a_promise_is_named(lines: dict[str, Any], place: str) -> None:
    with pytest.raises(PolicyRefused) as caught:
        Policy.from_mapping(merged(default_policy_document(), {"default": lines}))
    assert [problem for problem in caught.value.problems if problem.startswith(f"{place}: ")]


def test_a_region_asks_for_what_the_default_asks_for_unless_it_says_otherwise() -> None:
    policy = Policy.from_mapping(
        asking(regions={"GB": {"thresholds": {"max_minor_adult_miss_rate": 0.001}}})
    )

    assert Promise(MIXED, 0.001, 0.95) in policy.regions["GB"].promises
    assert Promise(MIXED, 0.02, 0.95) not in policy.regions["GB"].promises
    assert Promise(PromiseKind.MINORS_ADMITTED, 0.02, 0.95) in policy.regions["GB"].promises


@given(promises=st.lists(some_promises, max_size=6))
def test_the_strictest_promises_keep_every_other_and_none_keeps_another(
    promises: list[Promise],
) -> None:
    kept = strictest_promises(promises)

    assert all(any(one.keeps(each) for one in kept) for each in promises)
    assert not any(one.keeps(other) for one in kept for other in kept if one != other)


@given(document=policy_documents, certificate=certificate_documents(), a=regions, b=regions)
def test_a_pair_has_the_stricter_number_and_the_promises_of_both(
    document: dict[str, Any], certificate: dict[str, Any], a: str, b: str
) -> None:
    policy = certified(Policy.from_mapping(document), certificate)
    one, other = policy.for_participant(a), policy.for_participant(b)
    pair = policy.for_pair(a, b)

    for name in NUMBERS.values():
        assert getattr(pair, name) == min(getattr(one, name), getattr(other, name))
    assert pair.unkept == one.unkept | other.unkept
    for promise in one.promises | other.promises:
        assert any(each.keeps(promise) for each in pair.promises)
    assert strictest(other, one).promises == pair.promises


# ---- which number counts ----------------------------------------------------------------------


def test_a_usable_certificate_sets_the_number_in_either_direction() -> None:
    document = certificate_document(
        promise_entry(MIXED, stratum(ALL, 0.07)),
        promise_entry(PromiseKind.MINORS_ADMITTED, stratum(ALL, 0.004)),
        promise_entry(PromiseKind.ADULTS_ADMITTED, stratum(ALL, 0.01)),
    )
    lines = certified(POLICY, document).for_participant("GB")

    assert lines.reroute_minor_adult == 0.07
    assert lines.adults_max_probability_minor == 0.004
    assert lines.minors_max_probability_adult == 0.01
    assert not lines.unkept


def test_without_a_line_that_opens_it_a_certificate_only_tightens() -> None:
    document = certificate_document(
        *(promise_entry(kind, stratum(ALL, 0.9)) for kind in PromiseKind)
    )
    lines = certified(POLICY, document).for_participant("GB")

    assert lines.reroute_minor_adult == 0.1  # as far as the document opens it
    assert lines.adults_max_probability_minor == 0.08
    assert lines.minors_max_probability_adult == 0.05  # not opened: its own number
    assert not lines.unkept


def test_without_a_certificate_the_own_numbers_count_and_the_lines_say_so() -> None:
    policy, outcomes = certified_policy(POLICY, None, usable=False)

    assert all(number(policy, kind) == number(WITHOUT, kind) for kind in PromiseKind)
    assert policy.for_participant("GB").unkept == frozenset(PromiseKind)
    assert {each.place for each in outcomes} == {"default", "KR"}
    assert not any(each.kept for each in outcomes)


def test_a_policy_without_promises_is_what_it_was() -> None:
    policy, outcomes = certified_policy(
        WITHOUT, parse_certificate(certificate_document()), usable=True
    )

    assert policy.default == WITHOUT.default
    assert not outcomes


@pytest.mark.parametrize(
    "entry",
    [
        promise_entry(MIXED, stratum(ALL, 0.07), max_rate=0.021),
        promise_entry(MIXED, stratum(ALL, 0.07), confidence=0.94),
        promise_entry(MIXED, stratum(ALL, 0.07, 19)),
        promise_entry(MIXED, stratum(ALL, 0.07, 18, 19)),
        promise_entry(MIXED, stratum(ALL, None)),
        promise_entry(PromiseKind.MINORS_ADMITTED, stratum(ALL, 0.07)),
        promise_entry(MIXED, stratum("US", 0.07), stratum(ACROSS, 0.07)),
        promise_entry(MIXED, stratum(ELSEWHERE, 0.07), stratum(ACROSS, None)),
        promise_entry(MIXED, stratum("GB", None), stratum(ELSEWHERE, 0.07), stratum(ACROSS, 0.07)),
    ],
)
def test_what_a_certificate_does_not_cover_is_not_kept(entry: dict[str, Any]) -> None:
    lines = certified(POLICY, certificate_document(entry)).for_participant("GB")

    assert MIXED in lines.unkept
    assert lines.reroute_minor_adult == 0.05


def test_a_stricter_promise_keeps_a_weaker_one() -> None:
    entry = promise_entry(MIXED, stratum(ALL, 0.06), max_rate=0.001, confidence=0.99)
    lines = certified(POLICY, certificate_document(entry)).for_participant("GB")

    assert MIXED not in lines.unkept
    assert lines.reroute_minor_adult == 0.06


def test_the_number_of_a_weaker_promise_tightens_and_keeps_nothing() -> None:
    entry = promise_entry(MIXED, stratum(ALL, 0.01), max_rate=0.1)
    lines = certified(POLICY, certificate_document(entry)).for_participant("GB")

    assert lines.reroute_minor_adult == 0.01
    assert MIXED in lines.unkept


def test_a_certificate_that_may_not_be_used_only_tightens() -> None:
    entries = (promise_entry(MIXED, stratum(ALL, 0.01)), promise_entry(MIXED, stratum(ALL, 0.09)))

    for entry, expected in zip(entries, (0.01, 0.05), strict=True):
        lines = certified(POLICY, certificate_document(entry), usable=False).for_participant("GB")
        assert lines.reroute_minor_adult == expected
        assert lines.unkept == frozenset(PromiseKind)


def test_regions_have_their_own_number_and_everybody_else_the_strictest() -> None:
    policy = Policy.from_mapping(asking(regions={"GB": {}, "US": {}, "US-CA": {}}))
    entry = promise_entry(
        MIXED,
        stratum("GB", 0.09),
        stratum("US", 0.06),
        stratum(ELSEWHERE, 0.07),
        stratum(ACROSS, 0.08),
    )
    policy = certified(policy, certificate_document(entry))

    assert number(policy, MIXED, "GB") == 0.08  # pairs of GB and others are bound as well
    assert number(policy, MIXED, "US") == 0.06
    assert number(policy, MIXED, "US-CA") == 0.06
    assert number(policy, MIXED, "FR") == 0.06
    assert number(policy, MIXED, "") == 0.05  # KR is among those whom an unknown region may mean
    assert MIXED in policy.for_participant("").unkept
    assert MIXED not in policy.for_participant("FR").unkept


@given(document=policy_documents, certificate=certificate_documents(), usable=st.booleans())
@settings(max_examples=60)
def test_no_certificate_widens_beyond_what_the_document_opens(
    document: dict[str, Any], certificate: dict[str, Any], usable: bool
) -> None:
    before = Policy.from_mapping(document)
    after = certified(before, certificate, usable=usable)

    for region in REGIONS:
        own, lines = before.for_participant(region), after.for_participant(region)
        for kind, named in LINES.items():
            name, opened = NUMBERS[kind], getattr(own, named.widest.rpartition(".")[2])
            assert getattr(lines, name) <= max(getattr(own, name), opened) <= named.highest
            if not usable or (kind in lines.unkept and region == "FR"):
                assert getattr(lines, name) <= getattr(own, name)
    changed = {*NUMBERS.values(), "unkept"}
    for name in type(before.default).__slots__:
        if name not in changed:
            assert getattr(after.default, name) == getattr(before.default, name)


@given(document=policy_documents, certificate=certificate_documents())
@settings(max_examples=60)
def test_a_promise_that_is_said_to_be_kept_has_a_number_that_keeps_it(
    document: dict[str, Any], certificate: dict[str, Any]
) -> None:
    """Looked up in the document itself, stratum by stratum."""
    policy = certified(Policy.from_mapping(document), certificate)

    for lines, code in ((policy.default, None), (policy.regions["US"], "US")):
        for promise in lines.promises:
            if promise.kind in lines.unkept:
                continue
            keeping = [
                entry
                for entry in certificate["promises"]
                if entry["kind"] == promise.kind
                and entry["max_rate"] <= promise.max_rate
                and entry["confidence"] >= promise.confidence
            ]
            used = getattr(lines, NUMBERS[promise.kind])
            assert any(
                all(
                    each["threshold"] is not None
                    and used <= each["threshold"]
                    and 18 in each["adult_ages"]
                    for each in entry["strata"]
                    if each["stratum"] in (code, ALL, ACROSS)
                    # People of the policy's own regions are under their own lines.
                    or (code is None and (each["stratum"] == ELSEWHERE or 18 in each["adult_ages"]))
                )
                for entry in keeping
            )


@given(document=policy_documents, certificate=certificate_documents())
def test_losing_a_certificate_by_time_never_widens_what_it_tightened(
    document: dict[str, Any], certificate: dict[str, Any]
) -> None:
    policy = Policy.from_mapping(document)
    before, after = (certified(policy, certificate, usable=usable) for usable in (True, False))

    for region in REGIONS:
        for kind in PromiseKind:
            assert number(after, kind, region) <= number(before, kind, region)
            assert number(after, kind, region) <= number(policy, kind, region)


def test_a_region_of_another_adult_age_leaves_the_promises_of_the_others_kept() -> None:
    entry = promise_entry(
        MIXED,
        stratum("KR", 0.02, 19),
        stratum("US", 0.06),
        stratum(ELSEWHERE, 0.07),
        stratum(ACROSS, 0.08, 18, 19),
    )
    policy = certified(POLICY, certificate_document(entry))

    assert number(policy, MIXED, "FR") == 0.06
    assert number(policy, MIXED, "KR") == number(policy, MIXED, "") == 0.02
    assert not any(MIXED in policy.for_participant(code).unkept for code in ("FR", "KR", ""))


def test_people_whose_adult_age_has_changed_are_kept_no_promise() -> None:
    """People of KR were judged under 19; without lines of their own they are under 18."""
    document = asking()
    del document["regions"]["KR"]
    entry = promise_entry(
        MIXED, stratum("KR", 0.02, 19), stratum(ELSEWHERE, 0.07), stratum(ACROSS, 0.08, 18, 19)
    )
    policy = certified(Policy.from_mapping(document), certificate_document(entry))

    assert MIXED in policy.default.unkept
    assert number(policy, MIXED, "KR") == 0.05


@pytest.mark.parametrize(
    "strata",
    [
        (stratum("US", None), stratum("GB", 0.01), stratum(ELSEWHERE, 0.07), stratum(ACROSS, 0.08)),
        (stratum("KR", 0.5, 19), stratum("GB", 0.01), stratum(ELSEWHERE, None), stratum(ACROSS, 1)),
        (stratum("US", 0.01), stratum(ELSEWHERE, 0.07, 19), stratum(ACROSS, 0.08, 18, 19)),
        (stratum("US", None), stratum(ELSEWHERE, 0.07), stratum(ACROSS, 0.01, 18, 19)),
        (stratum("US", 0.01), stratum(ACROSS, None)),
    ],
)
def test_what_one_stratum_demands_counts_although_another_has_no_number(
    strata: tuple[dict[str, Any], ...],
) -> None:
    lines = certified(POLICY, certificate_document(promise_entry(MIXED, *strata)))

    assert MIXED in lines.default.unkept
    assert lines.default.reroute_minor_adult == 0.01


@given(document=policy_documents, certificate=certificate_documents(), usable=st.booleans())
@settings(max_examples=60)
def test_what_is_not_kept_is_as_strict_as_the_own_number_and_every_stratum_that_fits(
    document: dict[str, Any], certificate: dict[str, Any], usable: bool
) -> None:
    before = Policy.from_mapping(document)
    after, used_whole = (certified(before, certificate, usable=each) for each in (usable, True))
    for own, lines, whole in (
        (before.default, after.default, used_whole.default),
        (before.regions["KR"], after.regions["KR"], used_whole.regions["KR"]),
    ):
        (adult_age,) = own.adult_ages
        for promise in own.promises:
            if promise.kind not in lines.unkept:
                continue
            used = getattr(lines, NUMBERS[promise.kind])
            assert used <= getattr(own, NUMBERS[promise.kind])
            if promise.kind not in whole.unkept:
                continue  # it would be kept, but for the time: the number is known
            if own is before.regions["KR"] and any(
                each["stratum"] == "KR"
                for entry in certificate["promises"]
                for each in entry["strata"]
            ):
                continue  # its own number is enough for it
            demanded: dict[str, float] = {}
            for entry in certificate["promises"]:
                if entry["kind"] != promise.kind:
                    continue
                keeps = entry["max_rate"] <= promise.max_rate
                keeps = keeps and entry["confidence"] >= promise.confidence
                for each in entry["strata"]:
                    if each["threshold"] is None or adult_age not in each["adult_ages"]:
                        continue
                    if keeps:  # of numbers that keep it in a stratum the highest is enough
                        name = each["stratum"]
                        demanded[name] = max(demanded.get(name, 0.0), each["threshold"])
                    else:
                        assert used <= each["threshold"]
            assert all(used <= each for each in demanded.values())


@given(document=policy_documents, certificate=certificate_documents(), data=st.data())
@settings(max_examples=60)
def test_a_stratum_that_goes_missing_sets_no_number_above_the_policys_own(
    document: dict[str, Any], certificate: dict[str, Any], data: st.DataObject
) -> None:
    """Nor above what any other stratum demands, which the property before this one says."""
    policy = Policy.from_mapping(document)
    changed = copy.deepcopy(certificate)
    entry = data.draw(st.sampled_from(changed["promises"]))
    data.draw(st.sampled_from(entry["strata"]))["threshold"] = None
    before, after = certified(policy, certificate), certified(policy, changed)

    for region in REGIONS:
        for kind in PromiseKind:
            one, other = number(before, kind, region), number(after, kind, region)
            assert other <= max(one, number(policy, kind, region))


# ---- what no certificate opens ----------------------------------------------------------------


MINORS = [(verified(years),) for years in (11.0, 14.2, 16.5)]
ADULTS = [(verified(24.0),), (verified(41.0),), (verified(30.0), document_check(CheckResult.OVER))]


@given(
    document=policy_documents,
    certificate=st.one_of(st.none(), certificate_documents()),
    minor=st.sampled_from(MINORS),
    adult=st.sampled_from(ADULTS),
    places=st.tuples(regions, regions),
    usable_swapped=st.tuples(st.booleans(), st.booleans()),
)
@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow], deadline=None)
def test_a_verified_mixed_pair_is_never_allowed_whatever_the_certificate_says(
    document: dict[str, Any],
    certificate: dict[str, Any] | None,
    minor: Any,
    adult: Any,
    *,
    places: tuple[str, str],
    usable_swapped: tuple[bool, bool],
) -> None:
    usable, swapped = usable_swapped
    parsed = None if certificate is None else parse_certificate(certificate)
    policy, _ = certified_policy(Policy.from_mapping(document), parsed, usable=usable)
    pair = [
        Participant("a", age_evidence=minor, region=places[0], history={}),
        Participant("b", age_evidence=adult, region=places[1], history={}),
    ]
    if swapped:
        pair.reverse()
    judge = Judge(MODEL, policy)

    judged = judge.judge_pair(*pair, now=NOW, state=StoredState())
    pool = PoolJudgement.of(
        judge, [PoolMember(each, KeptState()) for each in pair], now=NOW, acquaintances={}
    )
    columns = pool.pairs(np.array([0]), np.array([1]))

    assert judged.decision.kind is not DecisionKind.ALLOW
    assert columns.kinds.tolist() == [judged.decision.kind]


# ---- reading ----------------------------------------------------------------------------------


def test_a_certificate_is_read() -> None:
    certificate = parse_certificate(certificate_document())

    assert certificate.expire_time - certificate.issue_time == 61 * 86_400
    assert certificate.kept(Promise(MIXED, 0.02, 0.95), "GB", 18) == 0.03
    assert certificate.kept(Promise(MIXED, 0.02, 0.95), None, 19) is None


@pytest.mark.parametrize(
    "changes",
    [
        {"certified": False},
        {"certified": "true"},
        {"format_version": 2},
        {"model_hash": "abc"},
        {"issue_time": "2026-11-01"},
        {"issue_time": 5},
        {"expire_time": "2026-10-01T00:00:00Z"},
        {"expire_time": "2029-01-01T00:00:00Z"},
        {"promises": []},
        {"promises": {}},
        {"promises": [5]},
        {"promises": [promise_entry(MIXED)]},
        {"promises": [promise_entry(MIXED, stratum(ALL, 0.1)) | {"kind": "all_is_well"}]},
        {"promises": [promise_entry(MIXED, stratum(ALL, 0.1), max_rate=0)]},
        {"promises": [promise_entry(MIXED, stratum(ALL, 0.1), confidence=1)]},
        {"promises": [promise_entry(MIXED, stratum(ALL, 0.1), max_rate=10**400)]},
        {"promises": [promise_entry(MIXED, stratum(ALL, 1.1))]},
        {"promises": [promise_entry(MIXED, stratum(ALL, float("nan")))]},
        {"promises": [promise_entry(MIXED, stratum("everybody", 0.1))]},
        {"promises": [promise_entry(MIXED, stratum(ALL, 0.1), stratum(ALL, 0.1))]},
        {"promises": [promise_entry(MIXED, stratum(ALL, 0.1), stratum("US", 0.1))]},
        {"promises": [promise_entry(MIXED, stratum(ACROSS, 0.1))]},
        {"promises": [promise_entry(MIXED, stratum("US", 0.1), stratum(ELSEWHERE, 0.1))]},
        {"promises": [promise_entry(MIXED, stratum(ALL, 0.1) | {"adult_ages": []})]},
        {"promises": [promise_entry(MIXED, {"stratum": ALL, "adult_ages": [18]})]},
    ],
)
def test_a_malformed_certificate_is_refused_whole(changes: dict[str, Any]) -> None:
    with pytest.raises(CertificateMalformed):
        parse_certificate(certificate_document() | changes)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=6,
)


@given(document=certificate_documents(), value=json_values, data=st.data())
@settings(max_examples=60)
def test_any_document_is_read_or_refused(
    document: dict[str, Any], value: Any, data: st.DataObject
) -> None:
    changed: Any = copy.deepcopy(document)
    place: Any = changed
    while isinstance(place, dict | list) and place:
        key = data.draw(st.sampled_from(sorted(place) if isinstance(place, dict) else [0]))
        if data.draw(st.booleans()) or not isinstance(place[key], dict | list) or not place[key]:
            place[key] = value
            break
        place = place[key]
    try:
        found: Certificate | None = parse_certificate(changed)
    except CertificateMalformed:
        found = None
    if found is not None:
        certified_policy(POLICY, found, usable=True)


def test_the_time_of_a_certificate_has_an_end_and_a_beginning() -> None:
    certificate = parse_certificate(certificate_document())

    assert certificate.holds_at(NOW)
    assert certificate.holds_at(certificate.issue_time)
    assert not certificate.holds_at(certificate.expire_time)
    assert not certificate.holds_at(certificate.issue_time - 1)
    assert not certificate.holds_at(float("nan"))


@pytest.mark.parametrize(
    ("table", "number", "widest"),
    [
        ("thresholds", "reroute_minor_adult", "certified_reroute_minor_adult"),
        ("gates", "adults_max_probability_minor", "certified_adults_max_probability_minor"),
    ],
)
def test_a_region_that_sets_its_own_number_is_widened_by_its_own_line_alone(
    table: str, number: str, widest: str
) -> None:
    strict = asking(regions={"DE": {table: {number: 0.01}}})
    opened = asking(regions={"DE": {table: {number: 0.01, widest: 0.02}}})
    certificate = parse_certificate(certificate_document(*EVERY_PROMISE_WIDE))
    found, _ = certified_policy(Policy.from_mapping(strict), certificate, usable=True)
    assert getattr(found.for_participant("DE"), number) == 0.01
    assert getattr(found.for_participant("GB"), number) > 0.01
    found, _ = certified_policy(Policy.from_mapping(opened), certificate, usable=True)
    assert getattr(found.for_participant("DE"), number) == 0.02


EVERY_PROMISE_WIDE = tuple(promise_entry(kind, stratum(ALL, 0.2)) for kind in PromiseKind)
