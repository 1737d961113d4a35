from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from pairguard.risk.danger import between, either
from pairguard_training.harm import pairs, two_dangers
from pairguard_training.harm.pairs import MetPairs, Places, subsample
from pairguard_training.harm.settings import HarmSettings
from pairguard_training.harm.two_dangers import TwoDangers, fit_two_dangers
from tests.unit.training.met_pairs import CATALOGUE, SIGNS, met_pairs

SIGNALS = CATALOGUE.number_columns
SETTINGS = HarmSettings()


def as_learned(fit: TwoDangers, pairs: MetPairs) -> NDArray[np.float64]:
    """Return the chances of harm by the formula that was fitted, which minds the doer's own age."""
    people = fit.dangers.of_people(pairs.vectors)

    def chance(
        doer: Places, own: NDArray[np.float64], other: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        counts = other * (1.0 - (1.0 - fit.of_seeming_minors) * own)
        return between(people[doer, 0], people[doer, 1], counts)

    return either(
        chance(pairs.first, pairs.minor_first, pairs.minor_second),
        chance(pairs.second, pairs.minor_second, pairs.minor_first),
    )


@pytest.mark.parametrize(("level", "count"), [(-4.0, 20_000), (-9.9, 400_000)])
def test_the_fit_converges_and_its_sum_is_that_of_the_reports(level: float, count: int) -> None:
    pairs = met_pairs(count, level=level)
    # The second has one harmed pair in some ten thousand, most of the others are not looked at.
    assert (pairs.positives / pairs.count < 3e-4) == (level == -9.9)
    fit = fit_two_dangers(pairs, SIGNALS, SETTINGS, seed=1)
    assert fit.slope_left < 1e-7
    some = subsample(pairs, most=60_000, seed=1)
    expected = float(some.weights @ as_learned(fit, some))
    assert expected == pytest.approx(pairs.positives, rel=0.05)
    # Of all pairs, those that were left out as well: the prior is corrected.
    assert as_learned(fit, pairs).sum() == pytest.approx(pairs.positives, rel=0.1)


def test_what_is_served_counts_a_mixed_pair_for_a_half_at_most() -> None:
    fit = fit_two_dangers(met_pairs(3_000), SIGNALS, SETTINGS, seed=1)
    assert fit.dangers.to_mapping()["mixed_at_most"] == 0.5


def test_the_slope_of_the_loss_is_that_of_differences() -> None:
    draw = np.random.default_rng(1)
    count, width = 300, 3
    trials = two_dangers._Trials(
        signals=draw.normal(size=(count, width)),
        minor_own=draw.random(count),
        minor_other=draw.random(count),
        happened=draw.choice([0.0, 0.5, 1.0], count),
        weights=draw.uniform(0.5, 3.0, count),
        settings=SETTINGS,
    )
    at = np.concatenate([[-2.0, -1.0], draw.normal(size=2 * width), [0.3]])
    step = 1e-5 * np.eye(at.size)
    differences = [(trials.loss(at + by)[0] - trials.loss(at - by)[0]) / 2e-5 for by in step]
    assert trials.loss(at)[1] == pytest.approx(differences, rel=1e-6, abs=1e-6)


@pytest.mark.parametrize("adults_only", [False, True])
def test_it_is_learned_whether_those_who_seem_minors_are_a_danger_to_minors(
    *, adults_only: bool
) -> None:
    pairs = met_pairs(60_000, adults_only=adults_only)
    fit = fit_two_dangers(pairs, SIGNALS, SETTINGS, seed=1)
    assert (fit.of_seeming_minors < 0.5) is adults_only


def test_who_shows_signs_of_danger_is_dangerous_to_minors_above_all() -> None:
    pairs = met_pairs(30_000)
    fit = fit_two_dangers(pairs, SIGNALS, SETTINGS, seed=1)
    signs = [weight for weight in fit.dangers.weights if weight.name.startswith("sign ")]
    assert len(signs) > SIGNS // 2
    assert all(weight.minors >= 0.0 and weight.anybody >= 0.0 for weight in signs)
    assert sum(w.minors for w in signs) > sum(w.anybody for w in signs) > 0.0
    found = fit.probabilities(pairs)
    assert found[pairs.harmed].mean() > 1.3 * found[~pairs.harmed].mean()


def test_swapping_the_two_changes_no_probability() -> None:
    pairs = met_pairs(3_000)
    fit = fit_two_dangers(pairs, SIGNALS, SETTINGS, seed=1)
    swapped = replace(
        pairs,
        first=pairs.second,
        second=pairs.first,
        minor_first=pairs.minor_second,
        minor_second=pairs.minor_first,
    )
    assert fit.probabilities(swapped) == pytest.approx(fit.probabilities(pairs), rel=1e-12)


def test_the_same_pairs_and_seed_give_the_same_bits() -> None:
    one, two = (
        fit_two_dangers(met_pairs(61_000, level=-6.0), SIGNALS, SETTINGS, seed=3) for _ in range(2)
    )
    assert one.dangers.to_mapping() == two.dangers.to_mapping()


def test_how_many_are_looked_at_at_once_changes_no_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    found = met_pairs(3_000)
    fit = fit_two_dangers(found, SIGNALS, SETTINGS, seed=1)
    rows, chances = found.rows(), fit.probabilities(found)
    monkeypatch.setattr(pairs, "_ROWS_AT_ONCE", 700)
    monkeypatch.setattr(two_dangers, "_ROWS_AT_ONCE", 300)
    again = fit_two_dangers(found, SIGNALS, SETTINGS, seed=1)
    assert again.dangers.to_mapping() == fit.dangers.to_mapping()
    assert again.probabilities(found).tobytes() == chances.tobytes()
    assert found.rows().tobytes() == rows.tobytes()
    assert found.rows(slice(5, 2_900)).tobytes() == rows[5:2_900].tobytes()


def test_a_subsample_keeps_all_harmed_pairs_and_the_sum_of_weights() -> None:
    pairs = met_pairs(20_000)
    found = subsample(pairs, most=2_000, seed=1)
    assert found.count == 2_000
    assert found.positives == pairs.positives
    assert found.weights.sum() == pytest.approx(pairs.count)
    assert (found.weights[found.harmed] == 1.0).all()
    assert subsample(pairs, most=20_000, seed=1) is pairs
