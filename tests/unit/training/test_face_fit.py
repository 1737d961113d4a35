"""Error models of facial estimates, refitted from verified people whose errors have no curve."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from pairguard.age.evidence import (
    AgeEvidence,
    Binding,
    FacialAgeEstimate,
    Liveness,
)
from pairguard.age.tables import AgeTables
from pairguard.bundle.defaults import default_age_tables
from pairguard.bundle.documents import canonical_json
from pairguard_training.age_prior import smoothed_density
from pairguard_training.calibration_line import calibration_line
from pairguard_training.damage import tables_with_preset
from pairguard_training.face_density import Estimates
from pairguard_training.face_fit import FEWEST_PEOPLE, with_fitted_faces
from pairguard_training.face_kindness import seen_minors
from pairguard_training.face_labels import FaceRows, face_rows
from pairguard_training.metrics import RankedScores
from pairguard_training.verified_evidence import VerifiedItem

Array = NDArray[np.float64]

PRESETS = default_age_tables()


def ages_of(count: int, rng: np.random.Generator, *, youngest: float = 13.0) -> Array:
    ages: Array = youngest + np.minimum(rng.gamma(1.6, 7.0, count), 60.0)
    return ages


def estimates_of(ages: Array, rng: np.random.Generator) -> Array:
    """Draw estimates: skewed upward at 13-24, long tails, old people too young, round ages."""
    scale = np.interp(ages, [13, 18, 25, 40, 70], [2.0, 2.4, 3.2, 4.5, 6.0])
    upward = rng.random(ages.size) < np.clip((27.0 - ages) / 8.0, 0.0, 0.8)
    errors = np.where(
        upward,
        scale * (1.5 * np.exp(0.6 * rng.standard_normal(ages.size)) - 1.0),
        scale * 0.9 * rng.standard_t(3, ages.size),
    )
    estimates = np.where(ages < 35.0, ages, 35.0 + 0.75 * (ages - 35.0)) + errors
    attracted = rng.random(ages.size) < 0.3
    estimates = np.where(attracted, 5.0 * np.round(estimates / 5.0), estimates)
    told: Array = np.round(np.clip(estimates, 1.0, 100.0), 1)
    return told


def items_of(
    ages: Array, estimates: Array, *, provider: str = "acme", weights: Array | None = None
) -> list[VerifiedItem]:
    return [
        VerifiedItem(
            f"p{place:05d}",
            AgeEvidence(
                FacialAgeEstimate(float(estimate), Liveness.PASSED),
                evidence_id=f"e{place}",
                observed_time=1.7e9,
                provider=provider,
                binding=Binding.LIVE_PERSON,
            ),
            float(age),
            1.7e9,
            1.0 if weights is None else float(weights[place]),
        )
        for place, (age, estimate) in enumerate(zip(ages, estimates, strict=True))
    ]


def honest(rows: FaceRows) -> FaceRows:
    """Return the rows without a word of attacks."""
    return replace(rows, own=np.ones_like(rows.own), others=np.eye(101)[np.newaxis])


def probability_minor(tables: AgeTables, prior: Array, estimates: Array) -> Array:
    model = tables.face_model("acme")
    joint = np.exp([model.log_density(float(x)) for x in estimates]) * prior
    share: Array = joint[:, :18].sum(axis=1) / joint.sum(axis=1)
    return share


@pytest.fixture(scope="module")
def world() -> tuple[Array, Array, Array, Array]:
    """Ages and estimates of people to learn from, and of others."""
    rng = np.random.default_rng(11)
    taught, judged = ages_of(2_000, rng), ages_of(6_000, rng)
    return taught, estimates_of(taught, rng), judged, estimates_of(judged, rng)


def test_people_teach_errors_that_no_preset_has(
    world: tuple[Array, Array, Array, Array],
) -> None:
    taught, told, judged, seen = world
    rows = honest(face_rows(PRESETS, items_of(taught, told))["acme"])
    tables, (report,) = with_fitted_faces(PRESETS, {"acme": rows}, groups={}, seed=1)
    assert report.taken
    assert report.fitted_age_score > report.preset_age_score + 0.05
    minor = (judged < 18.0).astype(np.float64)
    even = np.ones(judged.size)
    prior = smoothed_density(taught, np.ones(taught.size))
    before, after = (probability_minor(which, prior, seen) for which in (PRESETS, tables))
    worse, better = (RankedScores(p, minor).measure(even) for p in (before, after))
    assert better.log_loss < worse.log_loss - 0.01
    assert better.pr_auc > worse.pr_auc - 0.005
    line = calibration_line(after, minor, even)
    assert 0.9 < line.slope < 1.1
    parts = np.array_split(np.argsort(after), 12)
    gap = np.mean([abs(after[part].mean() - minor[part].mean()) for part in parts])
    assert gap < 0.02
    # The document is what serves, and small.
    preset = tables.document["facial_age_estimate"]["presets"]["fitted acme"]
    assert len(canonical_json(preset)) < 150_000
    assert "2000 verified people" in preset["distribution"]["source"]
    assert AgeTables.from_mapping(tables.document).face_model("ACME") is not None
    assert tables.face_model("other") is tables.face_models["independent"]


def test_the_fit_depends_on_the_people_and_the_seed_alone(
    world: tuple[Array, Array, Array, Array],
) -> None:
    taught, told, _, _ = world
    items = items_of(taught[:300], told[:300])
    documents = [
        with_fitted_faces(PRESETS, face_rows(PRESETS, order), groups={}, seed=1)[0].document
        for order in (items, items[::-1])
    ]
    assert canonical_json(documents[0]) == canonical_json(documents[1])
    assert documents[0] != PRESETS.document


def test_spoofed_estimates_are_not_learned_as_errors(
    world: tuple[Array, Array, Array, Array],
) -> None:
    taught, told, _, _ = world
    rng = np.random.default_rng(5)
    rate = PRESETS.face_attack[Liveness.PASSED][taught.astype(int)]
    shown = rng.choice(101, taught.size, p=PRESETS.presented_age) + rng.random(taught.size)
    spoofed = np.where(rng.random(taught.size) < rate, np.round(shown, 1), told)
    clean, mixed = (
        with_fitted_faces(PRESETS, {"acme": rows}, groups={}, seed=1)[0].face_model("acme")
        for rows in (
            honest(face_rows(PRESETS, items_of(taught, told))["acme"]),
            face_rows(PRESETS, items_of(taught, spoofed))["acme"],
        )
    )
    young = slice(13, 17)
    difference = mixed.probability_at_least(27.0) - clean.probability_at_least(27.0)
    seen = (spoofed >= 27.0)[taught < 17.0].mean() - (told >= 27.0)[taught < 17.0].mean()
    assert seen > 0.01
    assert abs(difference[young].mean()) < seen / 2.0


def test_ages_without_verified_people_keep_the_preset() -> None:
    rng = np.random.default_rng(3)
    ages = ages_of(1_500, rng, youngest=25.0)
    estimates: Array = np.round(ages - 4.0 + 2.0 * rng.standard_normal(ages.size), 1)
    rows = face_rows(PRESETS, items_of(ages, estimates))
    tables, (report,) = with_fitted_faces(PRESETS, rows, groups={}, seed=1)
    assert report.taken
    model, preset = tables.face_model("acme"), PRESETS.face_model("acme")
    for threshold in (14.0, 18.0, 21.0, 25.0):
        kept = preset.probability_at_least(threshold)
        assert model.probability_at_least(threshold)[8:18] == pytest.approx(kept[8:18], abs=0.02)
    assert model.probability_at_least(30.0)[31] < preset.probability_at_least(30.0)[31] - 0.2


def test_too_few_people_or_none_the_wiser_keep_the_preset() -> None:
    rng = np.random.default_rng(4)
    ages = ages_of(FEWEST_PEOPLE - 1, rng)
    rows = face_rows(PRESETS, items_of(ages, estimates_of(ages, rng)))
    tables, (report,) = with_fitted_faces(PRESETS, rows, groups={}, seed=1)
    assert tables is PRESETS
    assert not report.taken
    assert f"{FEWEST_PEOPLE} are needed" in report.sentence()
    # Estimates that the preset describes: nothing is better on people not used.
    ages = ages_of(400, rng)
    bias = np.interp(ages, [13, 14.5, 17, 20, 25, 30, 45], [2.8, 3.2, 3.0, 2.6, 1.2, 0.3, -0.5])
    scale = np.interp(ages, [13, 14.5, 17, 20, 25, 30, 45], [2.1, 2.0, 2.2, 2.6, 3.2, 3.5, 4.2])
    errors = bias + scale * rng.standard_t(4, ages.size)
    estimates = np.round(np.clip(ages + errors, 1.0, 99.0), 1).astype(np.float64)
    rows = {"acme": honest(face_rows(PRESETS, items_of(ages, estimates))["acme"])}
    tables, (report,) = with_fitted_faces(PRESETS, rows, groups={}, seed=1)
    assert tables is PRESETS
    assert "not surely better" in report.reason
    assert report.to_mapping()["bands"]["13-17"]["people"] > 20


def test_where_all_are_one_household_nobody_is_left_out_and_nothing_is_taken(
    world: tuple[Array, Array, Array, Array],
) -> None:
    taught, told, _, _ = world
    items = items_of(taught[:200], told[:200])
    household = {item.participant: "one" for item in items}
    tables, (report,) = with_fitted_faces(
        PRESETS, face_rows(PRESETS, items), groups=household, seed=1
    )
    assert tables is PRESETS
    assert (report.taken, report.gain_nats) == (False, 0.0)


def test_many_people_of_whom_one_weighs_nearly_everything_are_few() -> None:
    rng = np.random.default_rng(6)
    ages = ages_of(300, rng)
    weights = np.full(300, 1.0)
    weights[0] = 5_000.0
    rows = face_rows(PRESETS, items_of(ages, np.full(300, 24.0), weights=weights))
    tables, (report,) = with_fitted_faces(PRESETS, rows, groups={}, seed=1)
    assert tables is PRESETS
    assert "effective 1" in report.reason


@pytest.mark.parametrize("seed", range(3))
def test_few_minors_make_no_provider_much_kinder_to_them(seed: int) -> None:
    """Adults of whom a provider is nearly always right say little of children."""
    rng = np.random.default_rng(seed)
    ages = np.concatenate([rng.uniform(15.0, 18.0, 5), rng.uniform(18.0, 60.0, 400)])
    estimates = np.round(ages + rng.normal(0.0, 1.0, ages.size), 1)
    rows = {"acme": honest(face_rows(PRESETS, items_of(ages, estimates))["acme"])}
    tables, (report,) = with_fitted_faces(PRESETS, rows, groups={}, seed=1)
    assert report.taken
    fitted, preset = tables.face_model("acme"), PRESETS.face_model("acme")
    for threshold in (18.0, 21.0, 25.0):
        kept = preset.probability_at_least(threshold)[14:17]
        assert fitted.probability_at_least(threshold)[14:17].mean() > 0.45 * kept.mean()
    # Of adults nothing of it remains.
    assert fitted.probability_at_least(28.0)[24] < 0.4 * preset.probability_at_least(28.0)[24]


def test_a_preset_that_is_kinder_than_verified_minors_show_is_told() -> None:
    kind = tables_with_preset(PRESETS, "vendor_selfie")
    rng = np.random.default_rng(8)
    ages = ages_of(60, rng)
    bias = np.interp(ages, [13, 14.5, 17, 20, 25, 30, 45], [2.8, 3.2, 3.0, 2.6, 1.2, 0.3, -0.5])
    errors = bias + 2.2 * rng.standard_t(4, 60)
    estimates = np.round(np.clip(ages + errors, 1.0, 99.0), 1).astype(np.float64)
    for count, words in ((60, "fitted model is served"), (35, "It still counts")):
        rows = face_rows(kind, items_of(ages[:count], estimates[:count]))
        _, (report,) = with_fitted_faces(kind, rows, groups={}, seed=1)
        assert report.taken is (count == 60)
        (warning,) = report.warnings()
        assert "preset 'vendor_selfie' is KINDER" in warning
        assert words in warning
        minors = report.minors
        assert minors is not None
        assert minors.people == int((ages[:count] < 18.0).sum())
        assert f"{minors.over} of {minors.people} minors" in warning
        # The preset in whose manner they err is not blamed.
        same = face_rows(PRESETS, items_of(ages[:count], estimates[:count]))
        _, (fair,) = with_fitted_faces(PRESETS, same, groups={}, seed=1)
        assert fair.warnings() == []


def test_minors_who_seem_adults_are_counted_exactly() -> None:
    items = items_of(np.array([14.5, 16.5, 30.5]), np.array([19.0, 20.0, 30.0]))
    rows = honest(face_rows(PRESETS, items)["acme"])
    model = PRESETS.face_model("acme")
    one, other = model.probability_at_least(18.0)[[14, 16]]
    found = seen_minors(model, rows, 18)
    assert (found.people, found.over) == (2, 2)
    assert found.expected == pytest.approx(one + other)
    assert found.chance == pytest.approx(one * other)
    single = seen_minors(model, replace(rows, estimates=np.array([19.0, 15.0, 30.0])), 18)
    assert single.chance == pytest.approx(1.0 - (1.0 - one) * (1.0 - other))
    nobody = seen_minors(model, rows.where(rows.ages > 20), 18)
    assert (nobody.people, nobody.chance, nobody.too_kind) == (0, 1.0, False)


def test_no_name_teaches_only_estimates_without_a_name(
    world: tuple[Array, Array, Array, Array],
) -> None:
    taught, told, _, _ = world
    rows = face_rows(PRESETS, items_of(taught[:600], told[:600], provider=""))
    tables, (report,) = with_fitted_faces(PRESETS, rows, groups={}, seed=1)
    assert report.taken
    assert tables.document["facial_age_estimate"]["providers"] == {"": "fitted (no name)"}
    assert tables.face_model("") is tables.face_models["fitted (no name)"]
    assert tables.face_model("unheard-of") is tables.face_models["independent"]
    assert any("send its name" in warning for warning in report.warnings())


def test_several_estimates_of_a_person_weigh_as_one() -> None:
    once = items_of(np.array([15.0, 30.0]), np.array([18.0, 31.0]), weights=np.array([2.0, 1.0]))
    again = replace(once[0], evidence=replace(once[0].evidence, evidence_id="again"))
    failed = replace(
        once[1],
        evidence=replace(once[1].evidence, observation=FacialAgeEstimate(50.0, Liveness.FAILED)),
    )
    rows = face_rows(PRESETS, [*once, again, failed])["acme"]
    assert rows.people == 2
    assert rows.weights.tolist() == [1.0, 1.0, 1.0]
    assert rows.estimates.tolist() == [18.0, 18.0, 31.0]
    assert rows.newest == "2023-11-14"


def test_what_a_provider_tells_is_found_out() -> None:
    rng = np.random.default_rng(2)
    whole = Estimates.of(np.round(rng.normal(25, 5, 500)), np.ones(500))
    assert whole.resolution_years == 1.0
    tenths = np.round(rng.normal(25, 5, 2_000), 1)
    some = Estimates.of(np.where(rng.random(2_000) < 0.3, 25.0, tenths), np.ones(2_000))
    assert some.resolution_years == 0.1
    assert some.nodes[some.atoms].tolist() == [25.0]
    assert some.places(np.array([24.9, 25.0, 25.3])).tolist() == [25, 26, 27]
