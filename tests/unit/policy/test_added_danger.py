"""Evidence of danger that is added never opens a pool or a pair that was closed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pairguard.age.admission import Admission, admission
from pairguard.age.evidence import (
    AgeCheck,
    AgeEvidence,
    Binding,
    CheckMethod,
    CheckResult,
    FacialAgeEstimate,
    Liveness,
    Platform,
    PlatformAgeRange,
    PlatformAssurance,
    SelfDeclared,
    VerificationMethod,
    VerifiedAge,
)
from pairguard.age.posterior import AgeAssessment, assess_age
from pairguard.age.tables import AgeTables
from pairguard.errors import InvalidInput
from pairguard.policy.checks import CheckPlanner
from pairguard.policy.decision import DecisionKind, decide
from pairguard.policy.pools import Side
from pairguard.policy.reasons import Party, ReasonCode
from pairguard.policy.regions import Policy
from pairguard.risk.pair import minor_adult_probability, pair_risk
from tests.domain import (
    DAY,
    NOW,
    TABLES,
    YEAR,
    assessed,
    default_policy_document,
    default_tables_document,
    document_check,
    live,
    merged,
    verified,
)

POLICY = Policy.from_mapping(default_policy_document())
MINORS_MAY_MEET = Policy.from_mapping(
    merged(default_policy_document(), {"default": {"minors_may_meet": True}})
)
OVER = document_check(CheckResult.OVER)
WALLET = live(AgeCheck(CheckMethod.DIGITAL_WALLET, 18, CheckResult.OVER))


def face(
    years: float,
    liveness: Liveness = Liveness.PASSED,
    *,
    provider: str = "",
    binding: Binding = Binding.LIVE_PERSON,
) -> AgeEvidence:
    return AgeEvidence(
        FacialAgeEstimate(years, liveness), observed_time=NOW, provider=provider, binding=binding
    )


def told(observation: Any, **facts: Any) -> AgeEvidence:
    return AgeEvidence(observation, **{"observed_time": NOW, "binding": Binding.ACCOUNT, **facts})


def age_range(
    lower: int | None, upper: int | None, assurance: PlatformAssurance, **facts: Any
) -> AgeEvidence:
    return told(PlatformAgeRange(Platform.APPLE, assurance, lower, upper), **facts)


def pool(*evidence: AgeEvidence, tampered: bool = False, policy: Policy = POLICY) -> Admission:
    assessment = assess_age(
        TABLES,
        prior=TABLES.prior("", ""),
        evidence=evidence,
        now=NOW,
        tampered_capture=tampered,
    )
    return admission(assessment, policy.for_pair("US", "US"))


def test_a_failed_liveness_test_takes_nothing_from_evidence_of_minority() -> None:
    before = assessed(face(14), OVER)
    after = assessed(face(14), OVER, face(14, Liveness.FAILED))
    assert after.probability_below(18) >= before.probability_below(18)
    assert after.conflict
    assert pool(face(14), OVER, face(14, Liveness.FAILED)) is Admission.UNKNOWN


def test_signs_of_tampering_end_no_conflict() -> None:
    assert pool(face(14), OVER) is Admission.UNKNOWN
    assert pool(face(14), OVER, tampered=True) is Admission.UNKNOWN
    assert pool(face(35), verified(15), WALLET, tampered=True) is not Admission.ADULTS


@pytest.mark.parametrize(
    "unusable",
    [
        told(VerifiedAge(VerificationMethod.ID_DOCUMENT, 30), expire_time=NOW - DAY),
        face(35, Liveness.FAILED),
        told(
            VerifiedAge(VerificationMethod.MODERATOR, 17),
            observed_time=NOW - 3 * YEAR,
            expire_time=NOW - DAY,
        ),
    ],
)
def test_an_unusable_item_never_speaks_for_adulthood(unusable: AgeEvidence) -> None:
    for adult_age in (18, 19, 21):
        alone = assessed(unusable).probability_below(adult_age)
        assert alone >= assessed().probability_below(adult_age) - 1e-12


@pytest.mark.parametrize(
    "hidden",
    [
        [face(15), OVER, *[told(AgeCheck(CheckMethod.FACIAL_THRESHOLD, 1, CheckResult.OVER))] * 15],
        [face(15), *[face(30)] * 9],
        [told(SelfDeclared(14)), OVER, face(33), *[told(SelfDeclared(30))] * 2],
        [
            told(SelfDeclared(14)),
            OVER,
            face(33),
            *[age_range(0, 120, PlatformAssurance.SELF_DECLARED)] * 9,
        ],
        [live(AgeCheck(CheckMethod.OPEN_BANKING, 18, CheckResult.UNDER)), OVER, WALLET],
    ],
)
def test_a_strong_item_is_not_hidden_by_many_others(hidden: list[AgeEvidence]) -> None:
    assert pool(*hidden) is not Admission.ADULTS


@pytest.mark.parametrize("observed_time", [0.0, -62_135_596_800.0, NOW - 60 * YEAR])
@pytest.mark.parametrize(
    "observation",
    [
        VerifiedAge(VerificationMethod.ID_DOCUMENT, 15),
        VerifiedAge(VerificationMethod.ID_DOCUMENT, birth_year=2010),
        AgeCheck(CheckMethod.ID_DOCUMENT, 18, CheckResult.UNDER),
    ],
)
def test_a_clock_that_stood_still_turns_no_minor_into_an_adult(
    observation: VerifiedAge | AgeCheck, observed_time: float
) -> None:
    item = live(observation, observed_time=observed_time)
    assert assessed(item).probability_below(18) > 0.9
    assert pool(item, OVER, age_range(18, None, PlatformAssurance.CONFIRMED)) is Admission.UNKNOWN


def test_a_year_of_birth_ages_by_the_calendar_and_not_faster() -> None:
    for years_ago in (0.0, 0.5, 1.0, 2.0, 2.9):
        item = live(
            VerifiedAge(VerificationMethod.ID_DOCUMENT, birth_year=2009),
            observed_time=NOW - years_ago * YEAR,
        )
        # In 2026 they are 16 or 17.
        assert assessed(item).probability_below(18) > 0.95


def test_a_parents_phone_is_one_proof_however_much_it_says() -> None:
    items = [
        age_range(18, None, PlatformAssurance.VERIFIED),
        told(AgeCheck(CheckMethod.MOBILE_OPERATOR, 18, CheckResult.OVER), binding=Binding.DEVICE),
        told(SelfDeclared(40)),
        told(AgeCheck(CheckMethod.CREDIT_CARD, 18, CheckResult.OVER)),
    ]
    assert pool(*items) is not Admission.ADULTS
    prior, together = assessed(), assessed(*items)
    # A child of ten uses an older person's account more often than not.
    odds_before = prior.probabilities[10] / prior.probabilities[18:].sum()
    odds_after = together.probabilities[10] / together.probabilities[18:].sum()
    assert odds_after >= 0.4 * odds_before


def test_a_number_that_is_none_allows_nothing() -> None:
    adult = assessed(OVER, face(33))
    lines = POLICY.for_pair("US", "US")
    side = Side(adult, lines, history_known=True)
    nothing = float("nan")
    for risk in (pair_risk(nothing, 0.0), pair_risk(0.001, nothing), pair_risk(nothing, nothing)):
        assert decide(lines, side, side, risk=risk).kind is not DecisionKind.ALLOW


def test_errors_of_checks_can_not_be_declared_impossible() -> None:
    changes = {"age_check": {"ID_DOCUMENT": {"false_over": {"value": 0}}}}
    with pytest.raises(InvalidInput, match=r"age_check\.ID_DOCUMENT\.false_over"):
        AgeTables.from_mapping(merged(default_tables_document(), changes))


@pytest.mark.parametrize("region", ["", "US", "KR", "FR"])
def test_a_bare_id_is_asked_for_a_check_wherever_it_is(region: str) -> None:
    plan = CheckPlanner(TABLES, POLICY).plan(region, assessed())
    assert plan.reason is ReasonCode.AGE_UNKNOWN
    assert sum(f.option.document_free for f in plan.forecasts) >= 2
    adult_age = max(POLICY.for_participant(region).adult_ages)
    assert all(f.option.threshold_years >= adult_age for f in plan.forecasts)


@pytest.mark.parametrize(
    "posing",
    [
        [told(SelfDeclared(14)), face(20)],
        [
            told(SelfDeclared(15)),
            age_range(13, 15, PlatformAssurance.GUARDIAN_DECLARED),
            live(AgeCheck(CheckMethod.ID_DOCUMENT, 13, CheckResult.OVER)),
        ],
        [live(AgeCheck(CheckMethod.CREDIT_CARD, 18, CheckResult.UNDER))] * 5,
        [live(AgeCheck(CheckMethod.DIGITAL_WALLET, 18, CheckResult.UNDER))] * 2,
        [
            told(
                VerifiedAge(VerificationMethod.ID_DOCUMENT, 15),
                observed_time=NOW - 2 * YEAR,
                expire_time=NOW - DAY,
            )
        ],
        [told(VerifiedAge(VerificationMethod.ID_DOCUMENT, 15), observed_time=None)],
        [live(VerifiedAge(VerificationMethod.ID_DOCUMENT, 9))],
    ],
)
def test_the_minors_pool_opens_to_nothing_weaker_than_established_minority(
    posing: list[AgeEvidence],
) -> None:
    assert pool(*posing, policy=MINORS_MAY_MEET) is not Admission.MINORS


def test_faces_from_two_vendors_share_their_errors() -> None:
    one = assessed(face(26, provider="a"))
    two = assessed(face(26, provider="a"), face(26, provider="b"))
    assert two.probability_below(18) > one.probability_below(18) / 2


def test_an_assurance_that_is_not_told_is_worth_no_more_than_a_word() -> None:
    word = assessed(age_range(18, None, PlatformAssurance.SELF_DECLARED)).probability_below(18)
    for assurance in (PlatformAssurance.UNSPECIFIED, PlatformAssurance.UNKNOWN):
        assert assessed(age_range(18, None, assurance)).probability_below(18) >= word
    supervised = assessed(age_range(None, None, PlatformAssurance.SUPERVISED))
    assert supervised.probability_below(18) > 0.5


def test_a_hold_follows_from_the_participants_own_region_only() -> None:
    policy = Policy.from_mapping(
        merged(default_policy_document(), {"regions": {"FR": {"minimum_age": 18}}})
    )
    fifteen, adult = assessed(verified(15)), assessed(OVER, face(33))
    lines = policy.for_pair("US", "FR")
    decision = decide(
        lines,
        Side(fifteen, policy.for_participant("US"), history_known=True),
        Side(adult, policy.for_participant("FR"), history_known=True),
        risk=pair_risk(minor_adult_probability(fifteen, adult, lines.adult_ages), 0.0),
    )
    assert decision.kind is DecisionKind.REROUTE
    assert decision.holds == ()


@pytest.mark.parametrize("policy", [POLICY, MINORS_MAY_MEET])
def test_what_a_minor_reads_does_not_tell_an_adult_from_an_unknown_age(policy: Policy) -> None:
    lines = policy.for_pair("US", "US")
    minor = assessed(verified(15))

    def read_by_minor(other: AgeAssessment) -> set[str]:
        decision = decide(
            lines,
            Side(minor, lines, history_known=True),
            Side(other, lines, history_known=True),
            risk=pair_risk(minor_adult_probability(minor, other, lines.adult_ages), 0.0),
        )
        return {
            reason.participant_text
            for reason in decision.reasons
            if reason.party in (Party.A, Party.BOTH)
        }

    adult, unknown = assessed(OVER, face(33)), assessed()
    assert read_by_minor(adult) == read_by_minor(unknown)


def test_a_document_shown_to_a_tampered_camera_opens_no_minors_pool() -> None:
    for shown in (live(AgeCheck(CheckMethod.ID_DOCUMENT, 18, CheckResult.UNDER)), verified(15)):
        assert assessed(shown).established_minor
        tampered = assess_age(
            TABLES, prior=TABLES.prior("", ""), evidence=[shown], now=NOW, tampered_capture=True
        )
        assert not tampered.established_minor


def test_a_country_counts_as_itself_and_its_subdivisions() -> None:
    policy = Policy.from_mapping(
        merged(default_policy_document(), {"regions": {"US-MS": {"adult_age": 21}}})
    )
    assert policy.for_participant("US").adult_ages == {18, 21}
    assert policy.for_participant("US-MS").adult_ages == {21}
    assert policy.for_participant("US-CA").adult_ages == {18}
    for garbage in ("kr", "us-ms", "Korea", "??"):
        assert policy.for_participant(garbage) is policy.for_participant("")


@pytest.mark.parametrize(
    "young",
    [
        age_range(None, 9, PlatformAssurance.SUPERVISED),
        age_range(None, 9, PlatformAssurance.GUARDIAN_DECLARED),
        live(AgeCheck(CheckMethod.DIGITAL_WALLET, 10, CheckResult.UNDER)),
        live(AgeCheck(CheckMethod.OPEN_BANKING, 10, CheckResult.UNDER)),
        live(AgeCheck(CheckMethod.EMAIL, 10, CheckResult.UNDER)),
    ],
)
@pytest.mark.parametrize("adult", [WALLET, OVER, verified(34)])
def test_a_statement_about_few_young_ages_is_a_side_of_a_conflict(
    young: AgeEvidence, adult: AgeEvidence
) -> None:
    assert pool(adult) is Admission.ADULTS
    assert pool(adult, young) is not Admission.ADULTS


@pytest.mark.parametrize("count", [1, 3, 10, 30])
@pytest.mark.parametrize("binding", Binding)
@pytest.mark.parametrize(
    "assurance",
    [
        PlatformAssurance.GUARDIAN_DECLARED,
        PlatformAssurance.CONFIRMED,
        PlatformAssurance.PAYMENT_CHECKED,
        PlatformAssurance.GOVERNMENT_ID_CHECKED,
    ],
)
def test_a_range_is_an_accounts_word_however_often_it_is_sent(
    count: int, binding: Binding, assurance: PlatformAssurance
) -> None:
    assert pool(*[age_range(18, None, assurance, binding=binding)] * count) is Admission.UNKNOWN


@pytest.mark.parametrize(
    "item",
    [
        None,
        face(30, Liveness.FAILED),
        told(FacialAgeEstimate(25, Liveness.PASSED), expire_time=NOW - DAY),
        live(AgeCheck(CheckMethod.CREDIT_CARD, 18, CheckResult.UNDER)),
        told(SelfDeclared(30)),
    ],
)
def test_behaviour_opens_no_pool_without_an_item_that_speaks_for_adulthood(
    item: AgeEvidence | None,
) -> None:
    behaviour = np.where(np.arange(101) < 18, -4.0, 4.0)
    assessment = assess_age(
        TABLES,
        prior=TABLES.prior("", ""),
        evidence=[] if item is None else [item],
        behaviour_log=behaviour,
        now=NOW,
    )
    assert assessment.probability_below(18) < 0.02
    assert admission(assessment, POLICY.for_pair("US", "US")) is Admission.UNKNOWN


def test_neither_behaviour_nor_a_prior_alone_bars_anybody() -> None:
    policy = Policy.from_mapping(
        merged(
            default_policy_document(),
            {"default": {"minimum_age": 18, "gates": {"barred_min_probability": 0.5}}},
        )
    )
    likely_child = np.where(np.arange(101) < 13, 4.0, -4.0)
    assessment = assess_age(
        TABLES, prior=TABLES.prior("", ""), evidence=[], behaviour_log=likely_child, now=NOW
    )
    assert assessment.probability_below(18) > 0.5
    assert admission(assessment, policy.for_pair("US", "US")) is Admission.UNKNOWN


def test_a_word_bars_nobody_against_verified_documents() -> None:
    for years in (5, 8, 9):
        assessment = assessed(verified(34), OVER, told(SelfDeclared(years)))
        assert assessment.conflict
        assert admission(assessment, POLICY.for_pair("US", "US")) is Admission.UNKNOWN


def test_more_evidence_of_minority_explains_nothing_away() -> None:
    moderator = live(VerifiedAge(VerificationMethod.MODERATOR, 18))
    teen = age_range(
        16, 17, PlatformAssurance.TIER_A, binding=Binding.DEVICE, observed_time=NOW - YEAR
    )
    assert pool(moderator, teen) is not Admission.ADULTS
    assert pool(moderator, teen, told(SelfDeclared(15))) is not Admission.ADULTS
    card_over = told(AgeCheck(CheckMethod.CREDIT_CARD, 25, CheckResult.OVER))
    card_under = told(AgeCheck(CheckMethod.CREDIT_CARD, 18, CheckResult.UNDER))
    assert assessed(OVER, card_over, card_under).probability_below(18) >= assessed(
        OVER, card_over
    ).probability_below(18)


def test_injected_media_take_the_worth_of_a_document_shown_to_a_camera() -> None:
    for shown in (OVER, verified(30)):
        assert pool(shown) is Admission.ADULTS
        assert pool(shown, tampered=True) is Admission.UNKNOWN
    assert pool(WALLET, tampered=True) is Admission.ADULTS  # no camera has a part in it


times = st.sampled_from([NOW, NOW - 0.2 * YEAR, NOW - YEAR, NOW - 3 * YEAR, 0.0])
expiries = st.sampled_from([None, None, None, NOW - DAY])
bindings = st.sampled_from(Binding)
plausible_items = st.one_of(
    st.builds(
        lambda years, binding, gate: told(SelfDeclared(years, gate_years=gate), binding=binding),
        st.sampled_from([13, 14, 15, 17, 18, 19, 25, 30, 40]),
        bindings,
        st.sampled_from([None, 13, 18]),
    ),
    st.builds(
        lambda ends, assurance, binding, time: age_range(
            ends[0], ends[1], assurance, binding=binding, observed_time=time
        ),
        st.sampled_from([(13, 15), (16, 17), (18, None), (None, 12), (None, 17), (0, 120)]),
        st.sampled_from(PlatformAssurance),
        bindings,
        times,
    ),
    st.builds(
        lambda years, liveness, binding: face(years, liveness, binding=binding),
        st.sampled_from([12, 14, 15, 17, 20, 22, 26, 30, 35, 45]),
        st.sampled_from(Liveness),
        bindings,
    ),
    st.builds(
        lambda method, result, threshold, binding, time, expiry: told(
            AgeCheck(method, threshold, result),
            binding=binding,
            observed_time=time,
            expire_time=expiry,
        ),
        st.sampled_from(CheckMethod),
        st.sampled_from([CheckResult.OVER, CheckResult.OVER, CheckResult.UNDER]),
        st.sampled_from([13, 18, 18, 21, 25]),
        bindings,
        times,
        expiries,
    ),
    st.builds(
        lambda years, method, binding, time, expiry: told(
            VerifiedAge(method, years), binding=binding, observed_time=time, expire_time=expiry
        ),
        st.sampled_from([9, 13, 15, 17, 18, 20, 30]),
        st.sampled_from(VerificationMethod),
        bindings,
        times,
        expiries,
    ),
)

dangers = st.one_of(
    st.sampled_from(list(CheckMethod)).map(
        lambda method: live(AgeCheck(method, 18, CheckResult.UNDER))
    ),
    st.sampled_from(VerificationMethod).map(lambda method: live(VerifiedAge(method, 15))),
    st.sampled_from([10, 14, 17, 25, 35]).map(lambda years: face(years, Liveness.FAILED)),
    st.just(face(14)),
    st.none(),  # the session is tampered with
)


def test_an_unusable_item_of_any_kind_only_lowers_the_age() -> None:
    moderator = told(
        VerifiedAge(VerificationMethod.MODERATOR, 20),
        observed_time=NOW - YEAR,
        binding=Binding.LIVE_PERSON,
    )
    declared = [told(SelfDeclared(18, gate_years=13), binding=b) for b in Binding]
    base = [*declared, face(35), moderator]
    rejected = face(25, Liveness.FAILED)
    for years in range(13, 26):
        before = assessed(*base).probability_below(years)
        assert assessed(*base, rejected).probability_below(years) >= before


@given(st.lists(plausible_items, max_size=4), plausible_items)
def test_an_unusable_item_lowers_the_age_whatever_is_known(
    evidence: list[AgeEvidence], item: AgeEvidence
) -> None:
    unusable = replace(item, expire_time=NOW - DAY)
    before, after = assessed(*evidence), assessed(*evidence, unusable)
    for years in (13, 16, 18, 21):
        assert after.probability_below(years) >= before.probability_below(years) - 1e-12


@settings(max_examples=600, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(plausible_items, max_size=4), dangers)
def test_added_danger_never_opens_the_adults_pool(
    evidence: list[AgeEvidence], danger: AgeEvidence | None
) -> None:
    if pool(*evidence) is Admission.ADULTS:
        return
    added = [] if danger is None else [danger]
    assert pool(*evidence, *added, tampered=danger is None) is not Admission.ADULTS


DECLARED_14 = told(SelfDeclared(14), observed_time=NOW - DAY)


@pytest.mark.parametrize(
    "weak",
    [
        document_check(CheckResult.OVER, 13),
        live(AgeCheck(CheckMethod.OPEN_BANKING, 13, CheckResult.OVER)),
        live(AgeCheck(CheckMethod.DIGITAL_WALLET, 13, CheckResult.OVER)),
    ],
)
def test_a_check_that_says_little_of_adulthood_settles_no_declared_minority(
    weak: AgeEvidence,
) -> None:
    assert assessed(DECLARED_14, weak, face(40)).conflict


def test_a_check_settles_nothing_that_was_declared_after_it() -> None:
    later = replace(
        DECLARED_14,
        observation=SelfDeclared(14, declared_time=NOW - DAY),
        observed_time=NOW - YEAR,
    )
    checked = replace(OVER, observed_time=NOW - 30 * DAY)
    assert assessed(later, checked).conflict
    assert not assessed(later, OVER).conflict


@pytest.mark.parametrize("liveness", [Liveness.FAILED, Liveness.UNDETERMINED])
@pytest.mark.parametrize(
    "observation",
    [
        VerifiedAge(VerificationMethod.ID_DOCUMENT, 15),
        AgeCheck(CheckMethod.ID_DOCUMENT, 18, CheckResult.UNDER),
    ],
)
def test_a_childs_document_shown_by_nobody_alive_opens_no_minors_pool(
    observation: VerifiedAge | AgeCheck, liveness: Liveness
) -> None:
    assert pool(live(observation), policy=MINORS_MAY_MEET) is Admission.MINORS
    shown = live(replace(observation, liveness=liveness))
    assert pool(shown, policy=MINORS_MAY_MEET) is Admission.UNKNOWN


@pytest.mark.parametrize(
    "own_face",
    [
        face(40, Liveness.FAILED),
        face(40, Liveness.UNDETERMINED),
        replace(face(40), observed_time=NOW - 2 * DAY, expire_time=NOW - DAY),
    ],
)
def test_an_adults_face_stands_against_a_childs_document_whatever_is_wrong_with_it(
    own_face: AgeEvidence,
) -> None:
    assert pool(verified(15), policy=MINORS_MAY_MEET) is Admission.MINORS
    assert pool(verified(15), face(40), policy=MINORS_MAY_MEET) is Admission.UNKNOWN
    assert pool(verified(15), own_face, policy=MINORS_MAY_MEET) is Admission.UNKNOWN


def test_a_face_that_failed_its_liveness_test_lifts_no_bar() -> None:
    child = verified(8)
    assert pool(child) is Admission.BARRED
    for liveness in (Liveness.FAILED, Liveness.UNDETERMINED):
        assert pool(child, face(8, liveness)) is Admission.BARRED
    assert pool(child, face(35, Liveness.FAILED)) is Admission.BARRED


@pytest.mark.parametrize(
    "said",
    [
        [told(SelfDeclared(13))],
        [told(SelfDeclared(14)), age_range(13, 15, PlatformAssurance.GUARDIAN_DECLARED)],
        [age_range(13, 17, PlatformAssurance.SUPERVISED)] * 3,
    ],
)
def test_no_word_of_an_account_and_no_behaviour_makes_a_childs_face_a_proof(
    said: list[AgeEvidence],
) -> None:
    shown = face(14)
    assert assessed(shown).established_minor
    assert pool(shown, policy=MINORS_MAY_MEET) is Admission.UNKNOWN
    assert pool(shown, *said, policy=MINORS_MAY_MEET) is Admission.UNKNOWN
    likely_child = np.where(np.arange(101) < 18, 4.0, -4.0)
    behaving = assess_age(
        TABLES,
        prior=TABLES.prior("", ""),
        evidence=[shown, *said],
        behaviour_log=likely_child,
        now=NOW,
    )
    assert behaving.probability_below(18) > 0.99
    lines = MINORS_MAY_MEET.for_pair("US", "US")
    assert admission(behaving, lines) is Admission.UNKNOWN
    assert pool(verified(15), *said, policy=MINORS_MAY_MEET) is Admission.MINORS


@pytest.mark.parametrize(
    "empty",
    [
        age_range(0, 120, PlatformAssurance.VERIFIED),
        age_range(0, 120, PlatformAssurance.SUPERVISED),
        live(AgeCheck(CheckMethod.EMAIL, 0, CheckResult.OVER)),
    ],
)
def test_an_item_that_says_the_same_of_all_ages_changes_nothing(empty: AgeEvidence) -> None:
    for known in ([DECLARED_14], [verified(15)], [OVER]):
        before, after = assessed(*known), assessed(*known, empty)
        assert after.probabilities.tobytes() == before.probabilities.tobytes()


@settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(plausible_items, max_size=5),
    st.booleans(),
    st.sampled_from([None, NOW, NOW - 300 * DAY]),
)
def test_what_a_session_shows_makes_nobody_older_and_opens_nothing(
    evidence: list[AgeEvidence], tampered: bool, device_since: float | None
) -> None:
    before = assessed(*evidence)
    after = assess_age(
        TABLES,
        prior=TABLES.prior("", ""),
        evidence=evidence,
        now=NOW,
        tampered_capture=tampered,
        device_since=device_since,
    )
    for years in (13, 16, 18, 21):
        assert after.probability_below(years) >= before.probability_below(years)
        if after.established_minor:
            assert after.probability_at_least(years) >= before.probability_at_least(years) - 1e-12
    lines = MINORS_MAY_MEET.for_pair("US", "US")
    pools = admission(before, lines), admission(after, lines)
    assert pools[0] is pools[1] or pools[1] in (Admission.UNKNOWN, Admission.BARRED)
    assert pools[0] is not Admission.BARRED or pools[1] is Admission.BARRED
