"""The oracle: its probabilities are frequencies, and its densities are distributions."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from pairguard_training.calibration_line import calibration_line
from pairguard_training.simulation import declaration, harm, platform_range
from pairguard_training.simulation.declaration import Declarations
from pairguard_training.simulation.face import Faces, face_log_likelihood
from pairguard_training.simulation.face_errors import face_errors
from pairguard_training.simulation.platform import simulate
from pairguard_training.simulation.platform_range import PlatformRanges
from pairguard_training.simulation.population import Population, draw_population
from pairguard_training.simulation.states import Array, Index, Mask, states

_EDGES = np.array([0.0, 0.001, 0.01, 0.03, 0.1, 0.2, 0.35, 0.5, 0.65, 0.8, 0.9, 0.97, 1.01])


@pytest.fixture(scope="module")
def oracle(tmp_path_factory: pytest.TempPathFactory) -> dict[str, pl.DataFrame]:
    """One session a participant, so that sessions are independent."""
    directory = tmp_path_factory.mktemp("oracle")
    simulate(directory, participants=16_000, pairs=16_000, seed=21, days=60)
    return _read(directory)


def _read(directory: Path) -> dict[str, pl.DataFrame]:
    names = ("participants", "snapshots", "pairs")
    return {name: pl.read_parquet(directory / "oracle" / f"{name}.parquet") for name in names}


def _worst_bin(probability: Array, truth: Mask) -> float:
    """Return the largest gap between what was said and what happened, in standard errors."""
    place = np.digitize(probability, _EDGES)
    gaps = []
    for index in range(1, len(_EDGES)):
        here = place == index
        expected = probability[here].sum()
        spread = np.sqrt((probability[here] * (1 - probability[here])).sum())
        if here.sum() >= 30 and spread > 1.0:
            gaps.append(abs(truth[here].sum() - expected) / spread)
    assert len(gaps) >= 5
    return float(max(gaps))


@pytest.mark.parametrize("column", ["probability_minor", "probability_minor_before_labels"])
def test_minors_are_as_frequent_as_the_oracle_says(
    oracle: dict[str, pl.DataFrame], column: str
) -> None:
    sessions = oracle["snapshots"]
    truth = (sessions["true_age_years"] < 18.0).to_numpy()
    said = sessions[column].to_numpy()
    assert _worst_bin(said, truth) < 3.5
    # The measure would see an oracle that is off by a fifth in its log-odds.
    log_odds = np.log(np.clip(said, 1e-12, 1 - 1e-12) / np.clip(1 - said, 1e-12, 1.0))
    assert _worst_bin(1 / (1 + np.exp(-1.25 * log_odds)), truth) > 3.5


@pytest.mark.parametrize("faces", ["platform", "independent"])
def test_minors_near_the_line_are_as_frequent_as_the_oracle_says(
    oracle: dict[str, pl.DataFrame], tmp_path: Path, faces: str
) -> None:
    sessions = oracle["snapshots"]
    if faces != "platform":
        simulate(tmp_path, participants=16_000, pairs=16_000, seed=22, faces=faces)
        sessions = _read(tmp_path)["snapshots"]
        said = sessions["probability_minor_before_labels"].to_numpy()
        assert _worst_bin(said, (sessions["true_age_years"] < 18.0).to_numpy()) < 3.5
    near = sessions.filter((pl.col("true_age_years") >= 15) & (pl.col("true_age_years") < 21))
    truth = (near["true_age_years"] < 18.0).to_numpy()
    said = near["probability_minor_given_15_to_20_before_labels"].to_numpy()
    assert _worst_bin(said, truth) < 3.5
    # Whoever is chosen by the true age is not as often a minor as the plain probability says.
    plain = near["probability_minor_before_labels"].to_numpy()
    line, chosen = (
        calibration_line(np.clip(claim, 1e-9, 1 - 1e-9), truth.astype(float), np.ones(len(truth)))
        for claim in (said, plain)
    )
    assert line.slope == pytest.approx(1.0, abs=0.12)
    assert chosen.slope < line.slope - 0.1


def test_probabilities_of_every_answer_of_a_face_sum_to_one() -> None:
    rng = np.random.default_rng(2)
    population = draw_population(30, session_rate=0.0, days=10, rng=rng)
    rows = np.arange(30)
    total = np.zeros((30, states().count))
    for over in (0, 1):
        for liveness in (0, 1, 2):
            answered = Faces(
                held=np.ones(30, bool),
                time_days=np.zeros(30),
                provider=np.zeros(30, int),
                mean_years=np.full((30, 2), np.nan),
                over=np.full(30, over),
                liveness=np.full(30, liveness),
                errors=face_errors("platform"),
            )
            total += np.exp(face_log_likelihood(answered, population, rows))
    assert np.allclose(total, 1.0)


def test_the_density_of_an_estimate_integrates_to_one() -> None:
    rng = np.random.default_rng(2)
    grid = np.arange(-120.0, 240.0, 0.25)
    population = draw_population(len(grid), session_rate=0.0, days=10, rng=rng)
    one_region = replace(population, region=np.full(len(grid), 3))
    estimated = Faces(
        held=np.ones(len(grid), bool),
        time_days=np.zeros(len(grid)),
        provider=np.ones(len(grid), int),
        mean_years=np.stack([grid, np.full(len(grid), np.nan)], axis=1),
        over=np.full(len(grid), -1),
        liveness=np.full(len(grid), -1),
        errors=face_errors("independent"),
    )
    density = np.exp(face_log_likelihood(estimated, one_region, np.arange(len(grid))))
    assert np.allclose(density.sum(axis=0) * 0.25, 1.0, atol=1e-3)


def test_mixed_pairs_are_as_frequent_as_the_oracle_says(oracle: dict[str, pl.DataFrame]) -> None:
    pairs = oracle["pairs"]
    truth = pairs["mixed"].to_numpy()
    assert _worst_bin(pairs["minor_adult_probability"].to_numpy(), truth) < 3.5


def test_what_is_shown_before_the_label_tells_less(oracle: dict[str, pl.DataFrame]) -> None:
    sessions = oracle["snapshots"]
    truth = (sessions["true_age_years"] < 18.0).to_numpy()
    brier = {
        name: float(np.mean((sessions[name].to_numpy() - truth) ** 2))
        for name in ("probability_minor", "probability_minor_before_labels")
    }
    base = float(truth.mean() * (1 - truth.mean()))
    assert brier["probability_minor"] < brier["probability_minor_before_labels"] < 0.6 * base


def test_harm_is_as_frequent_as_the_oracle_says(oracle: dict[str, pl.DataFrame]) -> None:
    pairs = oracle["pairs"]
    truth = pairs["harm_if_met"].to_numpy()
    for name in ("harm_probability_bayes", "harm_probability_clairvoyant"):
        said = pairs[name].to_numpy()
        spread = np.sqrt((said * (1 - said)).sum())
        assert abs(truth.sum() - said.sum()) < 3.5 * spread
        # And it ranks: the upper tenth has most of the harm that the lower half has, many times.
        upper = said >= np.quantile(said, 0.9)
        lower = said <= np.quantile(said, 0.5)
        assert truth[upper].mean() > 3.0 * truth[lower].mean()


def test_reports_are_as_frequent_as_the_label_rate_says() -> None:
    rates = harm.rates()
    assert rates.harm.shape == rates.label.shape == (3, 6, 6)
    assert np.allclose(rates.harm, rates.harm.swapaxes(1, 2))
    assert np.allclose(rates.label, rates.label.swapaxes(1, 2))
    # Most harm is never reported.
    harmful = rates.harm > 0.1
    assert (rates.label[harmful] < 0.45 * rates.harm[harmful]).all()


def test_what_children_and_adults_may_declare_are_distributions() -> None:
    table = declaration._table()
    assert np.allclose(table.sum(axis=3), 1.0)
    assert (table >= 0.0).all()
    gates = ((0, 13), (1, 18))
    for row, gate in gates:
        # No child gets in with an age that the form turns away.
        assert table[row, 0, :gate, :gate].sum() == 0.0


def test_probabilities_of_every_platform_range_sum_to_one() -> None:
    rng = np.random.default_rng(2)
    population = draw_population(40, session_rate=0.0, days=10, rng=rng)
    said = declaration.draw_declarations(population, np.full(40, 2026.5), rng)
    rows = np.arange(40)
    total = np.exp(_range_log_likelihood(population, said, rows, band=-1, assurance=-1))
    for band in range(4):
        for assurance in range(3):
            total += np.exp(_range_log_likelihood(population, said, rows, band, assurance))
    assert np.allclose(total, 1.0)


def _range_log_likelihood(
    population: Population, said: Declarations, rows: Index, band: int, assurance: int
) -> Array:
    count = len(rows)
    ranges = PlatformRanges(np.full(count, band), np.full(count, assurance), np.zeros(count, int))
    return platform_range.platform_log_likelihood(ranges, said, population, rows)
