"""The simulation: the same bytes from the same seed, and the published rates it follows."""

from __future__ import annotations

import tomllib
from importlib import resources
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from pairguard.age.face import FaceErrorCurves
from pairguard.bundle.defaults import default_age_tables
from pairguard.risk.catalogue import SignalCatalogue
from pairguard_training.simulation.declaration import draw_declarations, listed_age
from pairguard_training.simulation.error_groups import (
    ERROR_GROUPS,
    draw_error_groups,
    error_factors,
    group_shares,
)
from pairguard_training.simulation.face import Faces, draw_faces
from pairguard_training.simulation.face_errors import FACE_ERRORS, PRESETS, face_errors
from pairguard_training.simulation.platform import SimulationSummary, simulate
from pairguard_training.simulation.population import Population, age_at, draw_population
from pairguard_training.simulation.states import Array, Intent, prior, states
from pairguard_training.tables.reading import Tables, read_tables

_PARTICIPANTS = 4000
_PAIRS = 10_000


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, SimulationSummary]:
    directory = tmp_path_factory.mktemp("simulated")
    return directory, simulate(directory, participants=_PARTICIPANTS, pairs=_PAIRS, seed=7, days=60)


@pytest.fixture(scope="module")
def tables(run: tuple[Path, SimulationSummary]) -> Tables:
    return read_tables(run[0], catalogue=_default_catalogue())


@pytest.fixture(scope="module")
def crowd() -> tuple[Population, Array]:
    """Many participants, and their ages on day 0."""
    rng = np.random.default_rng(3)
    population = draw_population(60_000, session_rate=0.0, days=60, rng=rng)
    return population, states().age[population.state]


def drawn_faces(population: Population, errors: str = "platform") -> Faces:
    rng = np.random.default_rng(6)
    groups = draw_error_groups(population, rng)
    return draw_faces(population, groups, errors=face_errors(errors), days=60, rng=rng)


def _default_catalogue() -> SignalCatalogue:
    text = resources.files("pairguard.risk").joinpath("default_signals.toml").read_text("utf-8")
    return SignalCatalogue.from_mapping(tomllib.loads(text))


def _bytes(directory: Path) -> dict[str, bytes]:
    return {
        path.relative_to(directory).as_posix(): path.read_bytes()
        for path in sorted(directory.rglob("*.parquet"))
    }


def test_the_same_seed_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("first", "second"):
        simulate(tmp_path / name, participants=300, pairs=500, seed=11, days=30)
    simulate(tmp_path / "other", participants=300, pairs=500, seed=12, days=30)
    first, second, other = (_bytes(tmp_path / name) for name in ("first", "second", "other"))
    assert len(first) == 8
    assert first == second
    assert all(first[name] != other[name] for name in first)


def test_every_table_passes_the_checks_without_a_warning(tables: Tables) -> None:
    assert tables.warnings == ()
    assert tables.snapshots["participant_id"].n_unique() == _PARTICIPANTS
    assert tables.pairs.height == _PAIRS
    assert tables.outcomes.height > 0
    assert tables.age_labels.height > 0


def test_every_signal_is_in_the_default_catalogue_and_its_range(tables: Tables) -> None:
    catalogue = _default_catalogue()
    for signal in catalogue.number_columns:
        values = tables.snapshots[f"signal.{signal.name}"].drop_nulls()
        inside = np.ones(len(values), dtype=bool)
        if signal.minimum is not None:
            inside &= (values >= signal.minimum).to_numpy()
        if signal.maximum is not None:
            inside &= (values <= signal.maximum).to_numpy()
        # Tails of logarithmic scales may leave the range in one session of thousands.
        assert inside.mean() > 0.999, signal.name
    for signal in catalogue.category_columns:
        words = tables.snapshots[f"attribute.{signal.name}"].drop_nulls().unique()
        assert set(words) <= set(signal.categories)
    tags = set(tables.snapshots["interests"].drop_nulls().explode())
    assert tags <= set(catalogue.interests)


def test_base_rates_are_those_of_a_rare_event(run: tuple[Path, SimulationSummary]) -> None:
    summary = run[1]
    assert 0.19 < summary.minor_share < 0.25
    assert 0.003 < summary.harmful_share < 0.015
    assert 0.25 < summary.mixed_share < 0.40
    assert summary.mixed_allowed_share < summary.mixed_share
    assert 1e-3 < summary.label_share < 1e-2
    assert summary.label_share < summary.harm_share / 1.5


def test_children_are_listed_as_adults_as_often_as_was_found(
    crowd: tuple[Population, Array],
) -> None:
    # Ofcom / Yonder 2022, where no gate at 18 forces the lie.
    population, age = crowd
    rng = np.random.default_rng(4)
    declared = draw_declarations(population, np.full(len(age), 2026.0), rng)
    listed = listed_age(declared, population, np.zeros(len(age)))
    free = (declared.gate == 13) & ~np.isnan(listed)
    for low, high, line, share in (
        (8, 18, 18, 0.32),
        (8, 13, 18, 0.23),
        (8, 16, 16, 0.47),
        (8, 13, 16, 0.39),
    ):
        chosen = free & (age >= low) & (age < high)
        found = (listed[chosen] >= line).mean()
        error = np.sqrt(share * (1 - share) / chosen.sum())
        assert abs(found - share) < 0.02 + 3 * error


def test_behind_a_gate_at_18_every_child_has_lied(crowd: tuple[Population, Array]) -> None:
    population, age = crowd
    declared = draw_declarations(population, np.full(len(age), 2026.0), np.random.default_rng(5))
    children = (declared.gate == 18) & (declared.age_years >= 0) & (age < 18)
    assert children.sum() > 1000
    assert (declared.age_years[children] >= 18).all()


def test_faces_of_children_look_older_as_independent_tests_found(
    crowd: tuple[Population, Array],
) -> None:
    population, age = crowd
    faces = drawn_faces(population)
    then = age_at(age, faces.time_days)
    honest = faces.held & ~np.isnan(faces.mean_years[:, 0]) & (then >= 13) & (then < 17)
    for provider, bias in ((0, 1.4), (1, 3.2)):
        error = (faces.mean_years[:, 0] - then)[honest & (faces.provider == provider)]
        # The median is nearly free of spoofs and tails.
        assert abs(np.median(error) - bias) < 0.45
    adult = faces.mean_years[honest, 0] >= 18
    assert 0.26 < adult.mean() < 0.58


def test_the_worst_group_has_nearly_twice_the_error_of_the_best(
    crowd: tuple[Population, Array],
) -> None:
    factors = error_factors()
    assert factors.max() / factors.min() == pytest.approx(1.9, abs=0.05)
    assert np.allclose(group_shares().sum(axis=1), 1.0)
    population, age = crowd
    rng = np.random.default_rng(6)
    groups = draw_error_groups(population, rng)
    faces = draw_faces(population, groups, errors=face_errors("independent"), days=60, rng=rng)
    then = age_at(age, faces.time_days)
    estimated = faces.held & ~np.isnan(faces.mean_years[:, 0]) & (then >= 18)
    off = np.abs(faces.mean_years[:, 0] - then)
    found = {
        name: np.median(off[estimated & (groups == index)])
        for index, name in enumerate(ERROR_GROUPS)
        if (estimated & (groups == index)).sum() > 500
    }
    assert found["e_europe_f"] > 1.1 * found["e_europe_m"]
    assert found["w_africa_f"] > 1.6 * found["e_europe_m"]


def test_everybody_of_one_person_has_one_error_group(crowd: tuple[Population, Array]) -> None:
    population, _ = crowd
    groups = draw_error_groups(population, np.random.default_rng(6))
    again = np.flatnonzero(np.diff(population.person) == 0)
    assert len(again) > 100
    assert (groups[again] == groups[again + 1]).all()
    assert ((groups % 2 == 1) == population.female).all()


@pytest.mark.parametrize("name", sorted(PRESETS))
def test_a_preset_of_the_tables_is_simulated_as_the_tables_have_it(name: str) -> None:
    model = default_age_tables().face_models[PRESETS[name]]
    assert isinstance(model, FaceErrorCurves)
    age = np.arange(8.0, 75.0) + 0.5
    for provider in (0, 1):
        bias, scale = face_errors(name).at(age, np.full(len(age), provider))
        assert np.allclose(age + bias, model.centre_years[8:75])
        assert np.allclose(scale, model.scale_below_years[8:75])


def test_independent_tests_find_more_children_taken_for_adults_than_a_vendor(
    crowd: tuple[Population, Array],
) -> None:
    population, age = crowd
    shares = {}
    for name in FACE_ERRORS:
        faces = drawn_faces(population, name)
        then = age_at(age, faces.time_days)
        child = faces.held & ~np.isnan(faces.mean_years[:, 0]) & (then >= 13) & (then < 17)
        shares[name] = (faces.mean_years[child, 0] >= 18).mean()
    # NIST's median: .60 of those of 13-16 are estimated 17-22; the vendor's figure is far kinder.
    assert shares["independent"] > 1.8 * shares["vendor-selfie"]


def test_unknown_errors_of_faces_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="face errors are 'kind'"):
        simulate(tmp_path, participants=10, pairs=0, seed=1, faces="kind")
    assert list(tmp_path.iterdir()) == []


def test_frames_of_one_capture_share_their_error(crowd: tuple[Population, Array]) -> None:
    population, age = crowd
    faces = drawn_faces(population)
    two = faces.held & ~np.isnan(faces.mean_years).any(axis=1)
    errors = faces.mean_years[two] - age_at(age, faces.time_days)[two][:, None]
    assert np.mean(errors[:, 0] * errors[:, 1]) > 0.6 * np.mean(errors**2)


def test_only_adults_are_harmful_and_the_prior_is_a_distribution() -> None:
    shares = prior()
    assert np.allclose(shares.sum(axis=2), 1.0)
    assert (shares > 0.0).all()
    world = states()
    assert (world.age[world.intent >= Intent.PREDATORY] > 18.0).all()


def test_the_old_rule_is_what_the_log_says(tables: Tables) -> None:
    pairs = tables.pairs
    allowed = pairs.filter(pl.col("decision") == "ALLOW")
    explored = pairs.filter((pl.col("decision") != "ALLOW") & (pl.col("allow_probability") > 0))
    assert set(pairs["allow_probability"].unique()) == {0.0, 0.98}
    assert (allowed["allow_probability"] == 0.98).all()
    share = explored.height / (allowed.height + explored.height)
    assert abs(share - 0.02) < 0.006
    assert not pairs.filter(pl.col("decision") != "ALLOW")["chat_started"].any()


def test_only_started_chats_have_outcomes_and_none_is_from_the_future(tables: Tables) -> None:
    joined = tables.outcomes.join(tables.pairs, on="pair_id", how="left")
    assert joined["chat_started"].all()
    assert (joined["received_time"] >= joined["observed_time"]).all()
    assert (joined["observed_time"] >= joined["proposed_time"]).all()
    reports = joined.filter(pl.col("kind") == "report")
    delay = (reports["received_time"] - reports["observed_time"]).dt.total_seconds().to_numpy()
    assert delay.mean() > 3600


def test_verdicts_follow_reports(tables: Tables) -> None:
    reports = tables.outcomes.filter(pl.col("kind") == "report")
    verdicts = tables.outcomes.filter(pl.col("kind") == "review_verdict")
    assert 0 < verdicts.height < reports.height
    matched = verdicts.join(reports, on=["pair_id", "reported_id"], how="semi", nulls_equal=False)
    assert matched.height == verdicts.height
    assert set(verdicts["verdict"].unique()) <= {"UPHELD", "CLEARED", "INCONCLUSIVE"}


def test_labels_name_the_check_that_gave_them(tables: Tables) -> None:
    labels = tables.age_labels.filter(pl.col("evidence_id").is_not_null())
    checks = tables.age_evidence.filter(pl.col("kind") == "verified_age").unique("evidence_id")
    joined = labels.join(checks, on="evidence_id", how="left", suffix="_check")
    assert joined.height == labels.height
    assert (joined["age_years"] == joined["age_years_check"]).all()
    assert set(tables.age_labels["sampling_probability"].unique()) == {0.15, 0.25, 0.35}


def test_a_run_without_pairs_has_empty_pairs_and_outcomes(tmp_path: Path) -> None:
    summary = simulate(tmp_path, participants=50, pairs=0, seed=1, days=10)
    tables = read_tables(tmp_path)
    assert summary.pairs == tables.pairs.height == tables.outcomes.height == 0
    assert tables.snapshots.height == 50


@pytest.mark.parametrize(("participants", "pairs", "days"), [(0, 1, 1), (5, -1, 1), (5, 1, 0)])
def test_numbers_out_of_range_are_refused(
    tmp_path: Path, participants: int, pairs: int, days: int
) -> None:
    with pytest.raises(ValueError, match="should be at least"):
        simulate(tmp_path, participants=participants, pairs=pairs, seed=1, days=days)


def test_as_many_are_verified_as_are_wanted_and_nothing_else_changes(tmp_path: Path) -> None:
    usual = simulate(tmp_path / "usual", participants=900, pairs=300, seed=4)
    more = simulate(tmp_path / "more", participants=900, pairs=300, seed=4, verified=600)
    everybody = simulate(tmp_path / "all", participants=900, pairs=300, seed=4, verified=900)
    assert usual.labelled_participants < 250
    assert 540 <= more.labelled_participants <= 660
    assert everybody.labelled_participants == 900
    for table in ("snapshots", "pairs"):
        same = [(tmp_path / name / f"{table}.parquet").read_bytes() for name in ("usual", "more")]
        assert same[0] == same[1]
    shares = pl.read_parquet(tmp_path / "more" / "age_labels.parquet")["sampling_probability"]
    assert shares.max() == 1.0
    with pytest.raises(ValueError, match="verified"):
        simulate(tmp_path / "none", participants=10, pairs=0, seed=1, verified=11)
