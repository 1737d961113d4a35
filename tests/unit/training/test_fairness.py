"""Reliability and errors of admission: counts add up, and an exact claim is found exact."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from numpy.typing import NDArray

from pairguard.age.admission import Admission
from pairguard.age.evidence import (
    AgeCheck,
    AgeEvidence,
    CheckMethod,
    CheckResult,
    FacialAgeEstimate,
    Platform,
    PlatformAgeRange,
    PlatformAssurance,
    SelfDeclared,
    VerificationMethod,
    VerifiedAge,
)
from pairguard.age.parameters import AGE_GRID
from pairguard_training.admission_rates import (
    FALSE_ACCEPTANCE,
    FALSE_REJECTION,
    POSING,
    admission_rates,
)
from pairguard_training.age_reliability import (
    BAND_NAMES,
    FEWEST_PEOPLE,
    BandRow,
    ReliabilityRow,
    age_reliability,
    band_of,
    calibration_lines,
)
from pairguard_training.judged_people import STRENGTHS, JudgedPeople, strongest
from pairguard_training.people_table import calibration_text, rates_text, reliability_text
from pairguard_training.proportions import Proportion

MODEL = "model"
PEOPLE = 6_000


def exact_people(*, sharper: float = 1.0) -> JudgedPeople:
    """People whose ages are drawn from their posteriors; ``sharper`` claims more than is known."""
    rng = np.random.default_rng(7)
    centre = rng.uniform(11.0, 32.0, PEOPLE)[:, np.newaxis]
    log = -0.5 * ((AGE_GRID + 0.5 - centre) / 2.5) ** 2
    truth = _normalised(log)
    whole = (truth.cumsum(axis=1) < rng.random(PEOPLE)[:, np.newaxis]).sum(axis=1)
    claimed = _normalised(sharper * log)
    minor = claimed[:, :18].sum(axis=1)
    line = claimed[:, 15:21].sum(axis=1)
    edges = (0, 13, 16, 18, 21, 25, 101)
    admissions = [
        Admission.ADULTS if p < 0.02 else Admission.MINORS if p > 0.98 else Admission.UNKNOWN
        for p in minor
    ]
    return JudgedPeople(
        snapshots=[f"s{i}" for i in range(PEOPLE)],
        households=[f"h{i}" for i in range(PEOPLE)],
        ages=whole + rng.random(PEOPLE),
        adult_ages=np.full(PEOPLE, 18.0),
        weights=np.ones(PEOPLE),
        minor={MODEL: np.clip(minor, 1e-9, 1 - 1e-9)},
        minor_near_line={
            MODEL: np.clip(claimed[:, 15:18].sum(axis=1) / np.maximum(line, 1e-12), 1e-9, 1 - 1e-9)
        },
        line_mass=line,
        bands=np.stack([claimed[:, a:b].sum(axis=1) for a, b in pairwise(edges)], axis=1),
        admissions=admissions,
        strongest=rng.integers(0, len(STRENGTHS), PEOPLE),
        intents=[POSING if x < 0.02 else "SOCIAL" for x in rng.random(PEOPLE)],
        slices={
            "region": rng.choice(["GB", "US", "BR"], PEOPLE).tolist(),
            "audit.group": ["rare"] * (FEWEST_PEOPLE - 1)
            + ["other"] * (PEOPLE - FEWEST_PEOPLE + 1),
        },
    )


def _normalised(log: NDArray[np.float64]) -> NDArray[np.float64]:
    weights = np.exp(log - log.max(axis=1, keepdims=True))
    shares: NDArray[np.float64] = weights / weights.sum(axis=1, keepdims=True)
    return shares


@pytest.fixture(scope="module")
def people() -> JudgedPeople:
    return exact_people()


def test_an_exact_claim_has_slope_one_over_all_and_given_the_choice(people: JudgedPeople) -> None:
    found = calibration_lines(people, MODEL, count=3, seed=1)[MODEL]
    assert found["slope"].value == pytest.approx(1.0, abs=0.06)
    assert found["slope_given_15_to_20"].value == pytest.approx(1.0, abs=0.12)
    # Whoever is chosen by the true age makes even an exact claim look too sure, as much as it says.
    assert found["slope_at_15_to_20"].value < 0.9
    assert found["slope_at_15_to_20"].value == pytest.approx(
        found["slope_at_15_to_20_if_exact"].value, abs=0.12
    )


def test_a_claim_that_is_too_sure_is_found_out_by_both() -> None:
    found = calibration_lines(exact_people(sharper=1.6), MODEL, count=3, seed=1)[MODEL]
    assert found["slope"].value < 0.9
    assert found["slope_given_15_to_20"].value < 0.8


def test_every_person_is_in_one_bin_one_band_and_one_group_of_each_slice(
    people: JudgedPeople,
) -> None:
    found = age_reliability(people, MODEL, count=2, seed=1)
    minors = int((people.ages < 18).sum())
    parts: list[Sequence[ReliabilityRow | BandRow]] = [
        found.bins,
        found.bands,
        found.slices["region"],
    ]
    for rows in parts:
        assert sum(row.minors.of for row in rows) == PEOPLE
        assert sum(row.minors.count for row in rows) == minors
    few = found.unmeasured["audit.group"]
    assert few == {"rare": FEWEST_PEOPLE - 1}
    assert sum(row.minors.of for row in found.slices["audit.group"]) + few["rare"] == PEOPLE
    for bin_ in found.bins:
        assert bin_.minors.low - 0.01 <= bin_.predicted <= bin_.minors.high + 0.01


def test_false_acceptance_and_rejection_add_up_over_bands_evidence_and_groups(
    people: JudgedPeople,
) -> None:
    found = admission_rates(people, policy="p", seed=1)
    minor = people.ages < 18
    admitted = np.array([a is Admission.ADULTS for a in people.admissions])
    whole = found.overall
    assert whole.false_acceptance.count == (minor & admitted).sum()
    assert whole.false_acceptance.of == minor.sum()
    assert whole.false_rejection.count == (~minor & ~admitted).sum()
    assert whole.false_acceptance.of + whole.false_rejection.of == PEOPLE
    for rows in (found.by_evidence, found.slices["region"]):
        assert sum(row.false_acceptance.count for row in rows) == whole.false_acceptance.count
        assert sum(row.false_rejection.of for row in rows) == whole.false_rejection.of
    assert set(whole.accepted_by_band) == {"<13", "13-15", "16-17"}
    assert set(whole.rejected_by_band) == {"18-20", "21-24", "25+"}
    assert _total(whole.accepted_by_band) == whole.false_acceptance.count
    assert _total(whole.rejected_by_band) == whole.false_rejection.count


def _total(shares: dict[str, Proportion]) -> int:
    return sum(share.count for share in shares.values())


def test_where_one_is_an_adult_later_those_of_eighteen_are_minors(people: JudgedPeople) -> None:
    later = replace(people, adult_ages=np.full(PEOPLE, 19.0))
    found = admission_rates(later, policy="p", seed=1)
    assert "18-20" in found.overall.accepted_by_band
    eighteen = ((people.ages >= 18) & (people.ages < 19)).sum()
    assert found.overall.accepted_by_band["18-20"].of == eighteen


def test_adults_who_pose_are_counted_apart(people: JudgedPeople) -> None:
    found = admission_rates(people, policy="p", seed=1).to_minors
    posing, others = found["adults who pose as minors"], found["adults who do not"]
    assert posing.of + others.of == found["adults"].of
    assert posing.count + others.count == found["adults"].count
    assert 0 < posing.of < others.of
    unknown = admission_rates(replace(people, intents=[""] * PEOPLE), policy="p", seed=1)
    assert "adults who pose as minors" not in unknown.to_minors


def test_the_worst_group_is_measured_against_what_chance_does(people: JudgedPeople) -> None:
    alike = admission_rates(people, policy="p", seed=1).spreads
    assert {spread.rate for spread in alike} == {FALSE_ACCEPTANCE, FALSE_REJECTION}
    rejected = next(s for s in alike if s.divided_by == "region" and s.rate == FALSE_REJECTION)
    assert 1.0 <= rejected.ratio < 2.0
    assert rejected.by_chance > 1.0
    regions = people.slices["region"]
    refused = [
        Admission.UNKNOWN if region == "BR" else admitted
        for region, admitted in zip(regions, people.admissions, strict=True)
    ]
    worse = admission_rates(replace(people, admissions=refused), policy="p", seed=1).spreads
    rejected = next(s for s in worse if s.divided_by == "region" and s.rate == FALSE_REJECTION)
    assert rejected.worst == "BR"
    assert rejected.ratio > 1.5 * rejected.by_chance


def test_the_tables_fit_and_no_rate_stands_without_its_count(people: JudgedPeople) -> None:
    rates = rates_text(admission_rates(people, policy="p", seed=1))
    lines = [
        *calibration_text(calibration_lines(people, MODEL, count=3, seed=1), PEOPLE),
        *reliability_text(age_reliability(people, MODEL, count=3, seed=1)),
        *rates,
    ]
    assert max(map(len, lines)) <= 110
    text = "\n".join(rates)
    assert f"not measured, under {FEWEST_PEOPLE} people: audit.group rare (49)" in text
    assert "%" not in text.replace("95 %", "")


def test_bands_are_of_whole_years() -> None:
    ages = np.array([0.0, 12.99, 13.0, 15.99, 16.0, 17.99, 18.0, 20.99, 21.0, 25.0, 90.0])
    names = [BAND_NAMES[i] for i in band_of(ages)]
    assert names == [
        "<13", "<13", "13-15", "13-15", "16-17", "16-17", "18-20", "18-20", "21-24", "25+", "25+",
    ]  # fmt: skip


def test_the_strongest_item_counts_and_an_inconclusive_check_is_none() -> None:
    declared = AgeEvidence(SelfDeclared(age_years=20.0))
    face = AgeEvidence(FacialAgeEstimate(25.0))
    own_word = AgeEvidence(PlatformAgeRange(Platform.APPLE, PlatformAssurance.SELF_DECLARED, 18))
    by_guardian = AgeEvidence(
        PlatformAgeRange(Platform.APPLE, PlatformAssurance.GUARDIAN_DECLARED, 13, 15)
    )
    verified = AgeEvidence(VerifiedAge(VerificationMethod.MODERATOR, age_years=30.0))

    def check(method: CheckMethod, result: CheckResult) -> AgeEvidence:
        return AgeEvidence(AgeCheck(method, 18.0, result))

    card = check(CheckMethod.CREDIT_CARD, CheckResult.OVER)
    nothing = check(CheckMethod.ID_DOCUMENT, CheckResult.INCONCLUSIVE)
    found = [
        STRENGTHS[strongest(held)]
        for held in ((), (declared, own_word), (by_guardian, declared), (declared, face, nothing),
                     (face, card), (card, verified))
    ]  # fmt: skip
    assert found == [
        "nothing", "declared age", "store's range", "face", "card, phone or bank", "verified age",
    ]  # fmt: skip
