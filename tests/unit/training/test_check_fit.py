"""Error rates of checks and ranges: learned where many people show them, kept where few do."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pairguard.age.evidence import (
    AgeCheck,
    AgeEvidence,
    Binding,
    CheckMethod,
    CheckResult,
    Liveness,
    Platform,
    PlatformAgeRange,
    PlatformAssurance,
)
from pairguard.age.fusion_plan import AttackMixture
from pairguard.age.observation import probability_over
from pairguard.age.tables import MIN_ERROR, AgeTables
from pairguard_training.age_labels import AgeRows, age_rows
from pairguard_training.check_fit import with_fitted_checks
from pairguard_training.error_rates import FEWEST_PEOPLE, PRESET_PEOPLE, Trial, fit_rates
from pairguard_training.range_fit import with_fitted_ranges
from pairguard_training.rate_report import RateReport
from pairguard_training.verified_evidence import VerifiedItem, verified_items
from tests.domain import NOW, TABLES, assessed, default_tables_document, merged
from tests.unit.training.tables_of_rows import DAY_0, snapshot, tables_of_rows

METHOD = CheckMethod.EMAIL


def checked(
    person: str,
    age: float,
    *,
    over: bool,
    provider: str = "",
    weight: float = 1.0,
    liveness: Liveness = Liveness.UNSPECIFIED,
    method: CheckMethod = METHOD,
) -> VerifiedItem:
    result = CheckResult.OVER if over else CheckResult.UNDER
    item = AgeEvidence(
        AgeCheck(method, 18.0, result, liveness=liveness),
        evidence_id=f"{person} {over}",
        provider=provider,
        binding=Binding.LIVE_PERSON,
    )
    return VerifiedItem(person, item, age, NOW, weight)


def checked_people(
    ages: list[float], erring: int, *, provider: str = "", method: CheckMethod = METHOD
) -> list[VerifiedItem]:
    """Return a check of each person, of whom the first few are put on the wrong side."""
    return [
        checked(
            f"{provider} {age} {i}",
            age,
            over=(age >= 18) != (i < erring),
            provider=provider,
            method=method,
        )
        for i, age in enumerate(ages)
    ]


def by_name(reports: list[RateReport]) -> dict[str, RateReport]:
    return {report.name.removeprefix("age_check."): report for report in reports}


def simulated(tables: AgeTables, count: int, *, live: bool) -> list[VerifiedItem]:
    """Draw checks as the tables say that they come out, attacks and borrowed accounts included."""
    rng = np.random.default_rng(7)
    rates = tables.checks[METHOD]
    mixture = AttackMixture.from_rates(rates.attack, tables.posing["identity"])
    over = mixture.rows(tables.fusion_weights, probability_over(tables, METHOD, 18.0))
    if not live:
        over = over + tables.borrowed_account * (tables.mean_over_older(over) - over)
    ages = np.where(rng.random(count) < 0.5, rng.uniform(9, 17, count), rng.uniform(19, 50, count))
    binding = Binding.LIVE_PERSON if live else Binding.ACCOUNT
    items = []
    for i, age in enumerate(ages.tolist()):
        is_over = bool(rng.random() < over[int(age)])
        result = CheckResult.OVER if is_over else CheckResult.UNDER
        evidence = AgeEvidence(AgeCheck(METHOD, 18.0, result), binding=binding)
        items.append(VerifiedItem(f"p{i}", evidence, age, NOW, 1.0))
    return items


@pytest.mark.parametrize("live", [True, False])
@pytest.mark.parametrize(("over", "under"), [(0.15, 0.2), (0.004, 0.003)])
def test_the_rates_of_many_people_are_recovered_from_under_attacks_and_borrowing(
    live: bool, over: float, under: float
) -> None:
    document = merged(
        default_tables_document(),
        {"age_check": {"EMAIL": {"false_over": {"value": over}, "false_under": {"value": under}}}},
    )
    items = simulated(AgeTables.from_mapping(document), 20_000, live=live)
    tables, _ = with_fitted_checks(TABLES, items)
    rates = tables.check_rates(METHOD, "")
    # On borrowed accounts the honest error hides among the older people's checks.
    assert rates.false_over == pytest.approx(over, abs=0.012 if live else 0.03)
    assert rates.false_under == pytest.approx(under, abs=0.012)


def test_attacks_are_not_taken_for_errors() -> None:
    preset = TABLES.checks[METHOD].false_over
    share = float(TABLES.checks[METHOD].attack[14]) * float(TABLES.presented_age[18:].sum())
    items = checked_people([14.5] * 1000, round(1000 * (share + preset)))
    no_attack = {"ages": [0], "values": [1e-4], "source": "assumed"}
    unattacked = AgeTables.from_mapping(
        merged(default_tables_document(), {"age_check": {"EMAIL": {"attack": no_attack}}})
    )
    fitted = [
        with_fitted_checks(tables, items)[0].check_rates(METHOD, "").false_over
        for tables in (TABLES, unattacked)
    ]
    assert fitted == pytest.approx([preset, preset + share], abs=0.004)


def test_few_people_keep_the_preset() -> None:
    items = checked_people([14.5] * (FEWEST_PEOPLE - 1), 5)
    tables, reports = with_fitted_checks(TABLES, items)
    assert tables is TABLES
    report = by_name(reports)["EMAIL.providers.(no name).false_over"]
    assert (report.fitted, report.people) == (0.0224, FEWEST_PEOPLE - 1)
    assert not report.changed


def test_many_rows_of_which_one_weighs_nearly_everything_are_few_people() -> None:
    items = [checked(f"p{i}", 14.5, over=True, weight=0.001) for i in range(500)]
    items.append(checked("heavy", 14.5, over=True, weight=1000.0))
    assert with_fitted_checks(TABLES, items)[0] is TABLES


@pytest.mark.parametrize("method", [CheckMethod.CREDIT_CARD, CheckMethod.ID_DOCUMENT])
def test_thirty_people_without_an_error_make_no_check_that_admits_children_kinder(
    method: CheckMethod,
) -> None:
    report = with_fitted_checks(TABLES, checked_people([14.5] * 30, 0, method=method))[1][0]
    assert report.people == 30
    assert report.fitted == report.preset


def test_a_kinder_rate_stays_above_what_the_people_can_show() -> None:
    # No error among n people bounds a rate at about 2.3 / n; the preset is worth fifty more.
    for people in (300, 1000, 5000):
        trials = [Trial(f"p{i}", erred=False, elsewhere=0.0, weight=1.0) for i in range(people)]
        report, _ = fit_rates(("over", "under"), (0.03, 0.03), trials, [])
        assert 2.0 / (people + PRESET_PEOPLE) < report.fitted < 0.03


def test_errors_that_admit_children_are_believed_at_once() -> None:
    report = with_fitted_checks(TABLES, checked_people([14.5] * 40, 12))[1][0]
    assert 0.05 < report.fitted < report.observed  # type: ignore[operator]


def test_a_rate_that_takes_adults_for_children_moves_only_as_far_as_it_must() -> None:
    preset = TABLES.checks[METHOD].false_under
    unchanged = with_fitted_checks(TABLES, checked_people([30.5] * 200, 5))[1][-1]
    raised = with_fitted_checks(TABLES, checked_people([30.5] * 200, 60))[1][-1]
    lowered = with_fitted_checks(TABLES, checked_people([30.5] * 2000, 0))[1][-1]
    assert unchanged.fitted == preset
    assert preset < raised.fitted < 0.3
    assert 0.0 < lowered.fitted < preset


def test_people_within_a_year_of_the_threshold_are_left_out() -> None:
    near = [checked(f"p{i}", 17.5, over=True) for i in range(500)]
    near += [checked(f"q{i}", 18.5, over=False) for i in range(500)]
    tables, reports = with_fitted_checks(TABLES, near)
    assert tables is TABLES
    assert reports == []


def test_copies_of_one_person_count_once() -> None:
    once = checked_people([14.5] * 100, 20)
    copies = [
        VerifiedItem(item.participant, item.evidence, item.age_years, NOW + 1, item.weight)
        for item in once[:20]
        for _ in range(30)
    ]
    alone, repeated = (with_fitted_checks(TABLES, items)[1][0] for items in (once, once + copies))
    assert repeated.fitted == alone.fitted
    assert repeated.effective_people == pytest.approx(alone.effective_people)


def test_failed_captures_and_facial_thresholds_teach_nothing() -> None:
    failed = [checked(f"p{i}", 14.5, over=True, liveness=Liveness.FAILED) for i in range(100)]
    faces = [
        checked(f"q{i}", 14.5, over=True, method=CheckMethod.FACIAL_THRESHOLD) for i in range(100)
    ]
    assert with_fitted_checks(TABLES, failed + faces) == (TABLES, [])


def test_a_provider_gets_rates_of_its_own_and_leaves_the_method_as_it_was() -> None:
    items = checked_people([14.5] * 200, 60, provider="Id.Example")
    items += checked_people([30.5] * 10, 0, provider="id.example")
    tables, reports = with_fitted_checks(TABLES, items)
    own = tables.check_rates(METHOD, "ID.example")
    assert own.false_over > 0.1
    assert own.false_under == TABLES.checks[METHOD].false_under
    assert tables.check_rates(METHOD, "another").false_over == TABLES.checks[METHOD].false_over
    assert tables.check_rates(METHOD, "").false_over == TABLES.checks[METHOD].false_over
    assert by_name(reports)["EMAIL.providers.id.example.false_over"].people == 200
    rates = tables.document["age_check"]["EMAIL"]["providers"]["id.example"]
    assert "200 people" in rates["false_over"]["source"]
    assert rates["false_under"] == TABLES.document["age_check"]["EMAIL"]["false_under"]


def test_checks_without_a_name_teach_nothing_of_those_with_one() -> None:
    items = checked_people([14.5] * 3_000, 10) + checked_people([30.5] * 3_000, 10)
    tables, _ = with_fitted_checks(TABLES, items)
    preset = TABLES.checks[METHOD]
    assert tables.check_rates(METHOD, "").false_over < preset.false_over
    for name in ("unheard-of", "acme"):
        assert tables.check_rates(METHOD, name).false_over == preset.false_over
        assert tables.check_rates(METHOD, name).false_under == preset.false_under


def test_what_was_fitted_before_is_where_the_next_fit_starts() -> None:
    items = checked_people([14.5] * 200, 60, provider="acme")
    once, _ = with_fitted_checks(TABLES, items)
    twice, reports = with_fitted_checks(once, items)
    assert reports[0].preset == once.check_rates(METHOD, "acme").false_over
    assert twice.check_rates(METHOD, "acme").false_over > reports[0].preset


def test_the_order_of_the_items_changes_nothing() -> None:
    items = checked_people([14.5] * 150, 20) + checked_people([30.5] * 150, 20)
    forth, back = with_fitted_checks(TABLES, items), with_fitted_checks(TABLES, items[::-1])
    assert forth[0].document == back[0].document


def test_a_sentence_shows_preset_and_fitted() -> None:
    report = with_fitted_checks(TABLES, checked_people([14.5] * 200, 60))[1][0]
    sentence = report.sentence()
    assert f"preset {report.preset:.3g}, fitted {report.fitted:.3g}; 200 people" in sentence


def test_the_labels_own_check_and_later_ones_are_not_counted(tmp_path: Path) -> None:
    def row(person: str, name: str, days: float) -> dict[str, object]:
        return {
            "snapshot_id": person,
            "evidence_id": name,
            "kind": "age_check",
            "method": "EMAIL",
            "threshold_years": 18.0,
            "result": "OVER",
            "observed_time": DAY_0 + timedelta(days=days),
        }

    tables = tables_of_rows(
        tmp_path,
        snapshots=[snapshot("a"), snapshot("nobody"), snapshot("a2", participant_id="a")],
        age_evidence=[
            row("a", "earlier", -40),
            row("a2", "earlier", -40),
            row("a", "label", -31),
            row("a", "later", -5),
            # Told of somebody with the same device, who may be another person.
            row("a", "of-linked", -40) | {"of_linked": True},
            row("nobody", "unlabelled", -40),
        ],
        age_labels=[
            {
                "participant_id": "a",
                "age_years": 15.0,
                "verified_time": DAY_0 - timedelta(days=30),
                "sampling_probability": 0.25,
                "evidence_id": "label",
            }
        ],
    )
    (item,) = verified_items(tables, age_rows(tables, snapshots_per_person=None))
    assert (item.participant, item.evidence.evidence_id) == ("a", "earlier")
    assert item.age_years == pytest.approx(15.5 - 10 / 365.25)
    assert item.weight == 4.0


def ranged(person: str, age: float, lower: int | None, upper: int | None) -> VerifiedItem:
    reported = PlatformAgeRange(Platform.APPLE, PlatformAssurance.GUARDIAN_DECLARED, lower, upper)
    return VerifiedItem(person, AgeEvidence(reported, binding=Binding.DEVICE), age, NOW, 1.0)


def seen(*groups: tuple[str, int, float]) -> AgeRows:
    """Return people by the first letter of their names, their number and their age."""
    names = [f"{letter}{i}" for letter, count, _ in groups for i in range(count)]
    ages = np.array([age for _, count, age in groups for _ in range(count)])
    return AgeRows(names, names, ages, np.ones(len(names)), np.full(len(names), NOW))


def test_ranges_teach_how_often_they_lie_above_and_below() -> None:
    items = [ranged(f"c{i}", 14.5, *((18, None) if i < 280 else (13, 15))) for i in range(600)]
    items += [ranged(f"a{i}", 30.5, *((16, 17) if i < 90 else (18, None))) for i in range(600)]
    tables, reports = with_fitted_ranges(TABLES, items, seen(("c", 600, 14.5), ("a", 600, 30.5)))
    overstated, understated = tables.range_errors["GUARDIAN"]
    assert [report.observed for report in reports] == pytest.approx([280 / 600, 0.15])
    # Nearly half of the children's ranges are adults', of which borrowed accounts explain a part.
    assert 0.25 < overstated < 280 / 600
    assert 0.08 < understated < 0.15
    assert tables.range_errors["CONFIRMED"] == TABLES.range_errors["CONFIRMED"]
    source = tables.document["platform_age_range"]["assurance"]["GUARDIAN"]["overstated"]["source"]
    assert "600 people" in source


def test_who_is_near_to_any_line_between_ranges_is_left_out() -> None:
    # A child of 13.5 is near to a line that others' ranges have, whatever range it shared itself.
    items = [ranged(f"c{i}", 13.5, 18, None) for i in range(300)] + [ranged("d0", 30.5, 13, 15)]
    tables, reports = with_fitted_ranges(TABLES, items, seen(("c", 300, 13.5), ("d", 1, 30.5)))
    assert tables is TABLES
    assert [report.people for report in reports] == [0, 1]


def guardians(children: int, adults: int, others: int) -> tuple[float, float]:
    """Return the rates where so many hold a true range, and so many adults hold none."""
    items = [ranged(f"c{i}", 14.5, 13, 15) for i in range(children)]
    items += [ranged(f"a{i}", 30.5, 18, None) for i in range(adults)]
    people = seen(("c", 2 * children, 14.5), ("a", adults, 30.5), ("n", others, 30.5))
    return with_fitted_ranges(TABLES, items, people)[0].range_errors["GUARDIAN"]


def test_a_range_that_hardly_any_adult_has_is_hardly_ever_an_adults() -> None:
    before = TABLES.range_errors["GUARDIAN"]
    assert guardians(300, 0, 0) == (guardians(300, 0, 2_000)[0], before[1])
    few, many = (guardians(300, 0, others)[1] for others in (100, 2_000))
    # Of two thousand adults a thousand would have one if adults were given them like children.
    assert many < 0.2 * before[1] < few <= before[1]
    assert guardians(15, 0, 2_000)[1] == before[1]  # fifteen children do not tell how usual it is


def test_a_range_that_adults_have_as_often_says_no_more_by_being_there() -> None:
    assert guardians(300, 600, 0) == guardians(300, 600, 500)


@given(
    rate=st.floats(MIN_ERROR, 0.05),
    span=st.sampled_from([(None, 12), (13, 15), (16, 17), (None, 17), (13, None), (18, None)]),
    contradicted=st.booleans(),
)
@settings(max_examples=40)
def test_to_hold_what_adults_hardly_hold_makes_nobody_older(
    rate: float, span: tuple[int | None, int | None], contradicted: bool
) -> None:
    changes = {"GUARDIAN": {"understated": {"value": rate}}}
    rarer = AgeTables.from_mapping(
        merged(default_tables_document(), {"platform_age_range": {"assurance": changes}})
    )
    evidence = [ranged("a", 15.0, *span).evidence]
    if contradicted:
        confirmed = PlatformAgeRange(Platform.APPLE, PlatformAssurance.CONFIRMED, 18, None)
        evidence.append(AgeEvidence(confirmed, binding=Binding.DEVICE))
    before, after = (assessed(*evidence, tables=each) for each in (TABLES, rarer))
    assert after.probability_below(18) >= before.probability_below(18) - 1e-12
