"""What the simulated service has counted: consistent for each, and telling of intent but weakly."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import polars as pl
import pytest
from sklearn.metrics import roc_auc_score

from pairguard.bundle.defaults import default_catalogue
from pairguard.risk.signal import SignalSource
from pairguard_training.simulation.behaviour import draw_behaviour
from pairguard_training.simulation.partner_choice import appeals, habits
from pairguard_training.simulation.past_meetings import WINDOWS, draw_past_meetings
from pairguard_training.simulation.platform import simulate
from pairguard_training.simulation.population import draw_population, log_prior
from pairguard_training.simulation.signals import CHATS
from pairguard_training.simulation.states import Array, Mask, states

WINDOW_SECONDS = (3_600.0, 86_400.0, 604_800.0, 2_592_000.0)


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> pl.DataFrame:
    """Every session with its history and, beside it, the truth; names without ``history.``."""
    directory = tmp_path_factory.mktemp("met")
    simulate(directory, participants=12_000, pairs=30_000, seed=5)
    snapshots = pl.read_parquet(directory / "snapshots.parquet")
    truth = pl.read_parquet(directory / "oracle" / "participants.parquet")
    columns = {
        name: name.removeprefix("signal.history.")
        for name in snapshots.columns
        if name.startswith("signal.history.")
    }
    kept = snapshots.select("participant_id", "signal.account_age_days", *columns)
    return kept.rename(columns).join(truth, on="participant_id", maintain_order="left")


def known(history: pl.DataFrame) -> pl.DataFrame:
    return history.drop_nulls("chats_started_24h")


def values(rows: pl.DataFrame, name: str) -> Array:
    """Return a column; NaN: unknown."""
    return rows[name].cast(pl.Float64).fill_null(float("nan")).to_numpy()


def windows(rows: pl.DataFrame, name: str) -> list[Array]:
    return [values(rows, f"{name}_{window}") for window in WINDOWS]


def test_all_that_the_catalogue_says_is_counted_is_simulated(history: pl.DataFrame) -> None:
    counted = {s.name for s in default_catalogue().signals if s.source is SignalSource.HISTORY}
    assert {name.removeprefix("history.") for name in counted} <= set(history.columns)


def test_a_history_is_unknown_as_a_whole_and_for_all_sessions(history: pl.DataFrame) -> None:
    names = [
        s.name.removeprefix("history.")
        for s in default_catalogue().signals
        if s.source is SignalSource.HISTORY
    ]
    # A share of nothing is unknown too, though the history is known.
    shares = {"adult_skip_rate_7d", "minor_skip_rate_7d", "minor_time_share_7d"}
    unknown = history["chats_started_24h"].is_null()
    assert 0.05 < unknown.mean() < 0.5  # type: ignore[operator]
    for name in names:
        nulls = history[name].is_null()
        if name in shares:
            idle = (history["chats_started_7d"] == 0).fill_null(value=False)
            assert idle.any()
            assert (nulls == (unknown | idle)).all()
        else:
            assert (nulls == unknown).all()
    by_participant = history.group_by("participant_id").agg(
        pl.col("chats_started_24h").is_null().n_unique()
    )
    assert (by_participant["chats_started_24h"] == 1).all()


def test_longer_windows_hold_the_shorter(history: pl.DataFrame) -> None:
    rows = known(history)
    for name in (
        "chats_started", "skips_made", "skips_suffered", "seconds_with_likely_minors",
        "seconds_with_likely_adults",
    ):  # fmt: skip
        for shorter, longer in pairwise(windows(rows, name)):
            assert (shorter <= longer).all()
            assert (shorter < longer).any()


def test_parts_are_never_more_than_the_whole(history: pl.DataFrame) -> None:
    rows = known(history)
    for chats, made, suffered in zip(
        *(windows(rows, name) for name in ("chats_started", "skips_made", "skips_suffered")),
        strict=True,
    ):
        assert (made + suffered <= chats).all()
    partners, chats = values(rows, "distinct_partners_30d"), values(rows, "chats_started_30d")
    assert (partners <= chats).all()
    assert ((partners > 0) == (chats > 0)).all()
    month, year = values(rows, "reports_received_30d"), values(rows, "reports_received_365d")
    of_kinds = values(rows, "child_safety_reports_30d") + values(rows, "sexual_reports_30d")
    assert (of_kinds <= month).all()
    assert (month <= year).all()
    assert (values(rows, "upheld_harm_365d") <= year).all()
    assert (of_kinds > 0).any()
    assert (values(rows, "known_days") <= values(rows, "signal.account_age_days")).all()


def test_seconds_fit_into_their_window_and_make_the_share(history: pl.DataFrame) -> None:
    rows = known(history)
    minors = windows(rows, "seconds_with_likely_minors")
    adults = windows(rows, "seconds_with_likely_adults")
    for with_minors, with_adults, chats, length in zip(
        minors, adults, windows(rows, "chats_started"), WINDOW_SECONDS, strict=True
    ):
        total = with_minors + with_adults
        assert ((total > 0.0) == (chats > 0.0)).all()
        assert (total <= length).mean() > 0.999
    share = values(rows, "minor_time_share_7d")
    met = ~np.isnan(share)
    assert np.allclose(share[met], minors[2][met] / (minors[2] + adults[2])[met])
    # A skip is a skip of a likely minor or of a likely adult: overall lies between.
    overall = windows(rows, "skips_made")[2][met] / windows(rows, "chats_started")[2][met]
    one, other = values(rows, "adult_skip_rate_7d")[met], values(rows, "minor_skip_rate_7d")[met]
    assert (np.minimum(one, other) <= overall + 1e-9).all()
    assert (overall <= np.maximum(one, other) + 1e-9).all()


def test_nobody_met_anybody_before_signing_up(history: pl.DataFrame) -> None:
    rows = known(history)
    new = rows.filter(pl.col("signal.account_age_days") < 7.0)
    assert new.height > 50
    assert (new["chats_started_30d"] == new["chats_started_7d"]).all()


def test_no_single_count_reads_the_intent_and_the_selective_ones_tell_some(
    history: pl.DataFrame,
) -> None:
    adults = known(history).filter(pl.col("true_age_years_on_day_0") >= 18.0)
    harmful = adults["intent"].is_in(["PREDATORY", "POSING"]).to_numpy()
    assert harmful.sum() > 100
    tells = {}
    for signal in default_catalogue().signals:
        if signal.source is SignalSource.HISTORY:
            found = values(adults, signal.name.removeprefix("history."))
            here = ~np.isnan(found)
            tells[signal.name] = float(roc_auc_score(harmful[here], found[here]))
    assert all(0.2 < tell < 0.87 for tell in tells.values()), tells
    assert tells["history.adult_skip_rate_7d"] > 0.62
    assert tells["history.minor_time_share_7d"] > 0.62


def test_no_habit_belongs_to_one_intent_or_age() -> None:
    for shares in (habits().shares, appeals().shares):
        assert np.allclose(shares.sum(axis=0), 1.0)
        # However long somebody is watched, a habit multiplies the odds of a state by less.
        assert (shares.max(axis=1) / shares.mean(axis=1)).max() < 40.0
    seeks_minors = habits().skips_adult > 2.0 * habits().skips_minor
    world = states()
    shown = habits().shares[seeks_minors].sum(axis=0)
    harmful = world.intent >= 2
    assert 0.5 < shown[harmful].mean() < 0.8
    assert shown[(world.age < 16.0) & (world.intent == 0)].mean() > 0.25
    assert 0.02 < shown[(world.age > 30.0) & (world.intent == 0)].mean() < 0.1


@pytest.mark.parametrize("of", ["minor", "choosing"])
def test_states_are_as_frequent_as_the_likelihood_of_past_meetings_says(of: str) -> None:
    rng = np.random.default_rng(8)
    population = draw_population(40_000, session_rate=0.0, days=10, rng=rng)
    sessions = len(population.owner)
    chats = rng.poisson(np.exp(CHATS.log_mean), sessions).astype(np.float64)
    counted: Mask = np.ones(len(population.state), dtype=np.bool_)
    met = draw_past_meetings(population, chats, counted, rng)
    belief = np.exp(log_prior(0.0)[population.region, population.entry])[population.owner]
    for weights, shares in met.mixtures:
        assert np.allclose(weights.max(axis=1), 1.0)
        belief *= weights @ shares
    belief /= belief.sum(axis=1, keepdims=True)
    world = states()
    true = {"minor": world.age < 18.0, "choosing": world.intent >= 1}[of]
    said = belief @ true.astype(np.float64)
    happened = true[population.state[population.owner]]
    order = np.argsort(said)
    for part in np.array_split(order, 8):
        expected = said[part].sum()
        spread = np.sqrt((said[part] * (1.0 - said[part])).sum())
        assert abs(happened[part].sum() - expected) < 4.0 * spread
    assert said[order[-1_000:]].mean() > 1.7 * said.mean()


def test_past_meetings_have_a_stream_of_their_own() -> None:
    population = draw_population(200, session_rate=1.0, days=10, rng=np.random.default_rng(1))
    one, other = (
        draw_behaviour(population, np.random.default_rng(2), np.random.default_rng(seed)).signals
        for seed in (3, 4)
    )
    changed = {n for n in one if not np.array_equal(one[n], other[n], equal_nan=True)}
    assert "history.chats_started_7d" in changed
    assert "history.chats_started_24h" not in changed
    assert all(name.startswith("history.") for name in changed)


def test_somebody_unknown_weighs_every_habit_alike() -> None:
    population = draw_population(50, session_rate=0.0, days=10, rng=np.random.default_rng(1))
    chats = np.full(len(population.owner), 9.0)
    nobody: Mask = np.zeros(50, dtype=np.bool_)
    met = draw_past_meetings(population, chats, nobody, np.random.default_rng(2))
    assert all(np.isnan(value).all() for value in met.signals.values())
    assert all((weights == 1.0).all() for weights, _ in met.mixtures)
