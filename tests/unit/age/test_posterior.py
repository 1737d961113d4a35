"""The posterior over the age of one participant."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import combinations, islice
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pairguard.age.company import Company
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
)
from pairguard.age.likelihood import item_likelihood
from pairguard.age.posterior import AgeAssessment, assess_age, contributions
from pairguard.age.tables import AgeTables
from pairguard.age.told import distinct_evidence
from tests.domain import (
    DAY,
    NOW,
    TABLES,
    YEAR,
    assessed,
    captured_items,
    default_tables_document,
    document_check,
    evidence_items,
    evidence_lists,
    live,
    verified,
)


def p_minor(assessment: AgeAssessment) -> float:
    return assessment.probability_below(18)


def face(years: float, liveness: Liveness = Liveness.PASSED, *, provider: str = "") -> AgeEvidence:
    return AgeEvidence(
        FacialAgeEstimate(years, liveness),
        observed_time=NOW,
        provider=provider,
        binding=Binding.LIVE_PERSON,
    )


@given(evidence_lists)
def test_any_evidence_gives_a_finite_normalised_posterior(evidence: list[AgeEvidence]) -> None:
    assessment = assessed(*evidence)
    assert np.isfinite(assessment.probabilities).all()
    assert (assessment.probabilities >= 0).all()
    assert assessment.probabilities.sum() == pytest.approx(1.0, abs=1e-12)
    for years in (13, 16, 18, 21):
        assert 1e-9 <= assessment.probability_below(years) <= 1 - 1e-9
    assert sum(assessment.band_probabilities()) == pytest.approx(1.0)
    assert 0.0 <= assessment.entropy_nats <= math.log(101) + 1e-12


@given(evidence_lists.flatmap(lambda items: st.tuples(st.just(items), st.permutations(items))))
def test_the_order_of_evidence_changes_no_bit(
    orders: tuple[list[AgeEvidence], list[AgeEvidence]],
) -> None:
    first, second = assessed(*orders[0]), assessed(*orders[1])
    assert first.probabilities.tobytes() == second.probabilities.tobytes()
    assert first.conflict == second.conflict


@given(evidence_items)
def test_a_copy_with_the_same_id_counts_once(item: AgeEvidence) -> None:
    if item.evidence_id:
        assert (
            assessed(item, item).probabilities.tobytes() == assessed(item).probabilities.tobytes()
        )
        assert distinct_evidence([item, item]) == (item,)


@given(evidence_lists)
def test_what_was_computed_before_changes_no_bit(evidence: list[AgeEvidence]) -> None:
    warm = assessed(*evidence)
    TABLES.item_cache.clear()
    TABLES.fusion_cache.clear()
    assert assessed(*evidence).probabilities.tobytes() == warm.probabilities.tobytes()


@given(
    st.sampled_from([m for m in CheckMethod if m is not CheckMethod.FACIAL_THRESHOLD]),
    st.floats(0, 20),
    st.floats(0, 20),
    st.sampled_from(Binding),
)
def test_evidence_for_adulthood_loses_force_with_time(
    method: CheckMethod, years_ago: float, more_years: float, binding: Binding
) -> None:
    def after(years: float) -> float:
        item = AgeEvidence(
            AgeCheck(method, 25, CheckResult.OVER),
            observed_time=NOW - years * YEAR,
            binding=binding,
        )
        relative = item_likelihood(TABLES, item, now=NOW)
        assert relative is not None
        # The relative likelihood of a sixteen-year-old against the best age.
        return float(relative.relative[16])

    assert after(years_ago + more_years) >= after(years_ago) - 1e-12


def test_expired_evidence_speaks_no_more_for_adulthood() -> None:
    expired = AgeEvidence(
        AgeCheck(CheckMethod.ID_DOCUMENT, 18, CheckResult.OVER),
        observed_time=NOW - 30 * DAY,
        expire_time=NOW - DAY,
        binding=Binding.LIVE_PERSON,
    )
    assert p_minor(assessed(expired)) == pytest.approx(p_minor(assessed()), rel=0.02)


def test_expired_evidence_still_speaks_for_minority() -> None:
    def item(expire_time: float | None) -> AgeEvidence:
        return AgeEvidence(
            AgeCheck(CheckMethod.ID_DOCUMENT, 18, CheckResult.UNDER),
            observed_time=NOW - 30 * DAY,
            expire_time=expire_time,
            binding=Binding.LIVE_PERSON,
        )

    assert p_minor(assessed(item(NOW - DAY))) >= p_minor(assessed(item(None))) - 1e-9
    assert p_minor(assessed(item(NOW - DAY))) > 0.9


def test_evidence_of_minority_ages_with_the_person_by_the_calendar() -> None:
    def declared_fifteen(years_ago: float) -> float:
        return p_minor(
            assessed(
                AgeEvidence(
                    SelfDeclared(age_years=15, declared_time=NOW - years_ago * YEAR),
                    observed_time=NOW,
                    binding=Binding.ACCOUNT,
                )
            )
        )

    assert declared_fifteen(0) > 0.9
    assert declared_fifteen(2) > 0.8
    assert declared_fifteen(4) < 0.5


def test_an_unknown_time_makes_evidence_for_adulthood_weaker() -> None:
    dated = p_minor(assessed(live(AgeCheck(CheckMethod.ID_DOCUMENT, 18, CheckResult.OVER))))
    undated = p_minor(
        assessed(live(AgeCheck(CheckMethod.ID_DOCUMENT, 18, CheckResult.OVER), observed_time=None))
    )
    assert undated > dated


@pytest.mark.parametrize("liveness", [Liveness.UNSPECIFIED, Liveness.UNDETERMINED, Liveness.FAILED])
def test_a_face_without_passed_liveness_speaks_less_for_adulthood(liveness: Liveness) -> None:
    assert p_minor(assessed(face(35, liveness))) > p_minor(assessed(face(35)))


def test_a_tampered_capture_says_nearly_nothing() -> None:
    prior = TABLES.prior("", "")
    tampered = assess_age(TABLES, prior=prior, evidence=[face(35)], now=NOW, tampered_capture=True)
    assert abs(p_minor(tampered) - p_minor(assessed())) < 0.06
    assert not tampered.established_minor


def test_behind_an_eighteen_gate_a_declared_adult_age_says_nearly_nothing() -> None:
    def declared(gate: float | None) -> float:
        return p_minor(
            assessed(
                AgeEvidence(
                    SelfDeclared(age_years=19, gate_years=gate),
                    observed_time=NOW,
                    binding=Binding.ACCOUNT,
                )
            )
        )

    assert declared(18) > declared(None)
    assert declared(18) > p_minor(assessed()) - 0.1


@given(st.integers(1, 8), st.sampled_from([20.0, 30.0, 45.0]))
def test_retakes_of_one_vendor_are_never_many_proofs(copies: int, years: float) -> None:
    one = p_minor(assessed(face(years, provider="yoti")))
    many = p_minor(assessed(*[face(years, provider="yoti") for _ in range(copies)]))
    limit = 1.0 / TABLES.face_correlation  # k / (1 + (k - 1) r) stays below 1 / r
    prior = p_minor(assessed())

    def log_odds(p: float) -> float:
        return math.log(p / (1 - p))

    shift_one = log_odds(one) - log_odds(prior)
    shift_many = log_odds(many) - log_odds(prior)
    assert abs(shift_many) <= limit * abs(shift_one) + 0.7


def test_items_of_one_borrowed_identity_move_no_further_than_its_attack_rate_allows() -> None:
    methods = (
        CheckMethod.ID_DOCUMENT,
        CheckMethod.DIGITAL_WALLET,
        CheckMethod.OPEN_BANKING,
        CheckMethod.CREDIT_CARD,
        CheckMethod.MOBILE_OPERATOR,
        CheckMethod.GUARDIAN,
    )
    together = assessed(*[live(AgeCheck(method, 18, CheckResult.OVER)) for method in methods])
    # Every age under 18 keeps at least its largest attack rate times what an adult would show.
    highest_rates = np.max([TABLES.checks[method].attack for method in methods], axis=0)
    prior_odds = p_minor(assessed()) / (1 - p_minor(assessed()))
    odds = p_minor(together) / (1 - p_minor(together))
    adult_share = float(TABLES.presented_age[18:].sum())
    assert odds >= prior_odds * float(highest_rates[:18].min()) * adult_share * 0.9


def test_items_that_no_age_explains_together_are_a_conflict() -> None:
    assert assessed(verified(16), face(45)).conflict
    assert assessed(verified(16), verified(40)).conflict
    assert not assessed(verified(34), face(33)).conflict
    assert not assessed(verified(16), face(17)).conflict


def test_behaviour_weighs_and_is_no_party_to_a_conflict() -> None:
    behaviour = np.where(np.arange(101) < 18, 3.0, -3.0)
    over = document_check(CheckResult.OVER)
    assessment = assess_age(
        TABLES, prior=TABLES.prior("", ""), evidence=[over], behaviour_log=behaviour, now=NOW
    )
    assert not assessment.conflict
    assert p_minor(assessment) > 0.5 > p_minor(assessed(over))


def test_an_inconclusive_check_and_an_open_range_say_nothing() -> None:
    nothing = assessed(
        live(AgeCheck(CheckMethod.ID_DOCUMENT, 18, CheckResult.INCONCLUSIVE)),
        live(PlatformAgeRange(Platform.APPLE, PlatformAssurance.CONFIRMED)),
    )
    assert nothing.informative_count == 0
    assert nothing.probabilities.tobytes() == assessed().probabilities.tobytes()


def test_a_declared_age_never_establishes_one() -> None:
    for binding in Binding:
        item = AgeEvidence(SelfDeclared(age_years=15), observed_time=NOW, binding=binding)
        assert not assessed(item).established_minor


def test_contributions_have_the_sign_of_what_an_item_says() -> None:
    assessment = assessed(document_check(CheckResult.OVER), face(15))
    over, young = contributions(TABLES, assessment, adult_age_years=18)
    assert over < 0 < young


@given(evidence_lists)
def test_one_item_contributes_all_that_moved_the_log_odds(evidence: list[AgeEvidence]) -> None:
    item = evidence[:1]
    if not item:
        return
    assessment = assessed(*item)
    (contribution,) = contributions(TABLES, assessment, adult_age_years=18)
    prior, posterior = p_minor(assessed()), p_minor(assessment)
    moved = math.log(posterior / (1 - posterior)) - math.log(prior / (1 - prior))
    assert contribution == pytest.approx(moved, abs=1e-9)


def test_exact_verified_live_years_come_only_from_verification() -> None:
    assert assessed(verified(17)).verified_live_years == 17
    assert assessed(document_check(CheckResult.UNDER)).verified_live_years is None
    assert assessed(verified(17), verified(19)).verified_live_years is None


def test_what_is_kept_of_companies_stays_bounded() -> None:
    tables = AgeTables.from_mapping(default_tables_document())
    sources = [
        AgeEvidence(AgeCheck(method, 18, result), observed_time=NOW, binding=binding)
        for method in CheckMethod
        for result in (CheckResult.OVER, CheckResult.UNDER)
        for binding in (Binding.ACCOUNT, Binding.LIVE_PERSON)
    ]
    for trio in islice(combinations(sources, 3), 1500):
        assessed(*trio, tables=tables)
    kept = [value for value in tables.fusion_cache.values() if isinstance(value, Company)]
    assert 0 < len(kept) <= 384


def test_a_doubted_liveness_counts_whatever_was_seen_before() -> None:
    def check(liveness: Liveness) -> AgeEvidence:
        observation = AgeCheck(CheckMethod.ID_DOCUMENT, 18, CheckResult.OVER, liveness)
        return AgeEvidence(observation, observed_time=NOW, binding=Binding.ACCOUNT)

    tables = AgeTables.from_mapping(default_tables_document())
    passed = assessed(check(Liveness.PASSED), tables=tables)
    doubted = assessed(check(Liveness.UNDETERMINED), tables=tables)
    first_seen = assessed(
        check(Liveness.UNDETERMINED), tables=AgeTables.from_mapping(tables.document)
    )
    assert not passed.readings
    assert len(doubted.readings) == len(first_seen.readings) == 1


def test_what_follows_from_an_assessment_is_kept_for_few_lines() -> None:
    assessment = assessed(document_check(CheckResult.OVER))
    lines = [object() for _ in range(20)]
    for number, one in enumerate(lines):
        assessment.conclude(one, number)
        assert assessment.conclusion(one) == number
    assert sum(assessment.conclusion(one) is not None for one in lines) <= 8


def test_what_is_kept_of_items_and_of_what_they_say_together_stays_bounded() -> None:
    tables = AgeTables.from_mapping(default_tables_document())
    for number in range(4_500):
        item = AgeEvidence(SelfDeclared(18.0 + number / 100.0), observed_time=NOW)
        assessed(item, tables=tables)
    assert 4_000 < len(tables.item_cache) <= 4_096
    assert 3_000 < len(tables.fusion_cache) <= 3_072
    assert any(isinstance(value, Company) for value in tables.fusion_cache.values())


class Forgetful(dict[Any, Any]):
    """A cache from which everything has gone before it is asked for again."""

    def __setitem__(self, key: Any, value: Any) -> None:
        """Keep nothing."""


@given(st.lists(captured_items, max_size=4), st.booleans())
def test_what_is_forgotten_in_between_changes_nothing(
    evidence: list[AgeEvidence], tampered: bool
) -> None:
    found = [
        assess_age(
            tables,
            prior=TABLES.prior("", ""),
            evidence=evidence,
            now=NOW,
            tampered_capture=tampered,
            device_since=NOW - 50 * DAY,
        )
        for tables in (TABLES, replace(TABLES, item_cache=Forgetful()))
    ]
    first, second = ([reading.cumulative.tobytes() for reading in one.readings] for one in found)
    assert first == second
    assert found[0].cumulative.tobytes() == found[1].cumulative.tobytes()
