"""Fitting to one simulated platform and judging on another, beside the oracle.

Owns both measurements: mixed pairs let through, and harm found. It must not know how large the
platforms are meant to be (``sizes``) nor how results are shown.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from pairguard.bundle.defaults import default_age_tables, default_catalogue
from pairguard.policy.regions import Policy
from pairguard_training.assessing import Assessed, assess_snapshots
from pairguard_training.baselines import fit_side_by_side
from pairguard_training.boosting import Compute
from pairguard_training.fitting import Fit, FitSettings, fit_model
from pairguard_training.harm.pairs import MetPairs
from pairguard_training.harm_labels import harm_rows, pairs_with_people
from pairguard_training.metrics import RankedScores
from pairguard_training.pair_rows import pair_rows
from pairguard_training.quality.sizes import Platform
from pairguard_training.resampling import Estimate, Resamples
from pairguard_training.simulation.platform import simulate
from pairguard_training.tables.reading import Tables, read_tables
from pairguard_training.truth import ORACLE_FOLDER

Array = NDArray[np.float64]
Say = Callable[[str], None]

OURS, ORACLE, SIDE_BY_SIDE = "pairguard", "oracle", "LightGBM, side by side"


@dataclass(frozen=True, slots=True)
class Quality:
    """One measurement, all of it of simulations.

    Attributes:
        title: What is measured.
        learned_seed: Seed of the platform that was learned from.
        judged_seed: Of the one that was judged.
        counts: What was learned from and judged on, by name.
        measures: Each model's share, and what follows from them, with intervals of 95 %.
        bound: What ``ratio`` is to be at most or at least.
    """

    title: str
    learned_seed: int
    judged_seed: int
    counts: dict[str, int]
    measures: dict[str, Estimate]
    bound: float


@dataclass(frozen=True, slots=True)
class Bench:
    """What every measurement needs.

    Attributes:
        policy: Whose adult ages count.
        threads: Threads of LightGBM.
        resamples: Draws of the bootstrap.
        say: Receives a line for each step.
    """

    policy: Policy
    threads: int
    resamples: int
    say: Say

    def mixed_pairs(
        self, learned: Platform, judged: Platform, *, bound: float, seeds: tuple[int, int]
    ) -> Quality:
        """Measure the mixed pairs let through where 5 % of the good pairs are stopped."""
        with tempfile.TemporaryDirectory(prefix="pairguard-quality-") as room:
            tables = self._simulated(Path(room) / "learned", learned, seeds[0])
            fit = self._fitted(tables, learn_harm=False)
            judged_at = Path(room) / "judged"
            held_out = self._simulated(judged_at, judged, seeds[1])
            pairs = _with_truth(held_out, judged_at)
        labels = pairs["mixed"].to_numpy().astype(np.float64)
        assessed = self._assessed(fit, held_out, pairs, before_labels=True)
        sides = _sides(pairs)
        features = fit.model.pair_features
        ours = pair_rows(features, self.policy, assessed, *sides).minor_adult
        scores = {
            OURS: RankedScores(ours, labels),
            ORACLE: RankedScores(pairs["minor_adult_probability_before_labels"].to_numpy(), labels),
        }

        def measure(drawn: Array) -> dict[str, float]:
            found = {
                name: scored.measure(drawn).missed_at_5_percent for name, scored in scores.items()
            }
            return {**found, "ratio": _ratio(found[OURS], found[ORACLE])}

        return Quality(
            title="mixed pairs let through where 5 % of the good pairs are stopped",
            learned_seed=seeds[0],
            judged_seed=seeds[1],
            counts={
                "verified people": tables.age_labels["participant_id"].n_unique(),
                "of them taught ages": int(fit.metrics["prior"]["people"]),
                "judged pairs": pairs.height,
                "judged mixed pairs": int(labels.sum()),
            },
            measures=self._estimates(pairs, measure, np.ones(pairs.height)),
            bound=bound,
        )

    def harm(
        self,
        learned: Platform,
        judged: Platform,
        *,
        bound: float,
        negatives: float,
        seeds: tuple[int, int],
    ) -> Quality:
        """Measure the harm found where 1 % of the pairs without harm are stopped."""
        met: list[MetPairs] = []
        with tempfile.TemporaryDirectory(prefix="pairguard-quality-") as room:
            tables = self._simulated(Path(room) / "learned", learned, seeds[0])
            fit = self._fitted(tables, met=met.append)
            judged_at = Path(room) / "judged"
            held_out = self._simulated(judged_at, judged, seeds[1])
            pairs = _with_truth(held_out, judged_at)
        rng = np.random.default_rng(seeds[1])
        kept = pairs["harm_if_met"].to_numpy() | (rng.random(pairs.height) < negatives)
        pairs = pairs.filter(pl.Series(kept))
        harmed = pairs["harm_if_met"].to_numpy()
        # What was left out at random stands behind what was kept.
        weights = np.where(harmed, 1.0, 1.0 / negatives)
        assessed = self._assessed(fit, held_out, pairs, before_labels=False)
        chances = self._harm_scores(fit, assessed, pairs)
        chances[ORACLE] = pairs["harm_probability_bayes"].to_numpy()
        chances[SIDE_BY_SIDE] = self._side_by_side(met[0], assessed, pairs, seeds[0])
        labels = harmed.astype(np.float64)
        scores = {name: RankedScores(chance, labels) for name, chance in chances.items()}

        def measure(drawn: Array) -> dict[str, float]:
            found = {
                name: 1.0 - scored.measure(drawn).missed_at_1_percent
                for name, scored in scores.items()
            }
            found["ratio"] = _ratio(found[OURS], found[ORACLE])
            found[f"minus {SIDE_BY_SIDE}"] = found[OURS] - found[SIDE_BY_SIDE]
            return found

        figures = fit.metrics["harm"]
        return Quality(
            title="harm found where 1 % of the pairs without harm are stopped, every pair judged",
            learned_seed=seeds[0],
            judged_seed=seeds[1],
            counts={
                "reported positives": int(harm_rows(tables).harmed.sum()),
                "of them taught harm": int(figures["training_positives"]),
                "judged pairs": pairs.height,
                "judged true positives": int(labels.sum()),
            },
            measures=self._estimates(pairs, measure, weights),
            bound=bound,
        )

    def _simulated(self, directory: Path, platform: Platform, seed: int) -> Tables:
        verified = "" if platform.verified is None else f", {platform.verified} verified"
        self.say(
            f"simulating {platform.participants} participants{verified}, {platform.pairs} pairs, "
            f"seed {seed}"
        )
        simulate(
            directory,
            participants=platform.participants,
            pairs=platform.pairs,
            verified=platform.verified,
            seed=seed,
        )
        return read_tables(directory, catalogue=default_catalogue())

    def _fitted(
        self,
        tables: Tables,
        *,
        learn_harm: bool = True,
        met: Callable[[MetPairs], None] | None = None,
    ) -> Fit:
        self.say("fitting to everybody: another platform is judged")
        return fit_model(
            tables,
            age_tables=default_age_tables(),
            catalogue=default_catalogue(),
            policy=self.policy,
            settings=FitSettings(threads=self.threads, learn_harm=learn_harm, test_share=0.0),
            say=_quiet,
            met=met,
        )

    def _assessed(
        self, fit: Fit, tables: Tables, pairs: pl.DataFrame, *, before_labels: bool
    ) -> Assessed:
        self.say(f"judging {pairs.height} pairs")
        one, other = _sides(pairs)
        return assess_snapshots(
            fit.model, tables, [*one, *other], before_labels=before_labels, title="judging"
        )

    def _harm_scores(self, fit: Fit, assessed: Assessed, pairs: pl.DataFrame) -> dict[str, Array]:
        features = fit.model.pair_features
        rows = pair_rows(features, self.policy, assessed, *_sides(pairs))
        if fit.model.harm is None:
            return {OURS: np.zeros(pairs.height)}
        return {OURS: fit.model.harm.scored_rows(rows.features)[1]}

    def _side_by_side(
        self, met: MetPairs, assessed: Assessed, pairs: pl.DataFrame, seed: int
    ) -> Array:
        """Return what LightGBM makes of the two people's features, ages among them, in a row."""
        scorer = fit_side_by_side(
            np.column_stack([met.minor_first, met.vectors[met.first]]),
            np.column_stack([met.minor_second, met.vectors[met.second]]),
            met.harmed.astype(np.float64),
            met.weights,
            compute=Compute(threads=self.threads, seed=seed),
        )
        line = max(self.policy.default.adult_ages)
        known = {
            name: np.concatenate([[each.age.probability_below(line)], each.values])
            for name, each in assessed.assessments.items()
        }
        one, other = (np.stack([known[name] for name in side]) for side in _sides(pairs))
        return scorer(one, other)

    def _estimates(
        self, pairs: pl.DataFrame, measure: Callable[[Array], dict[str, float]], weights: Array
    ) -> dict[str, Estimate]:
        groups = [pairs["participant_a"].to_list(), pairs["participant_b"].to_list()]
        return Resamples(groups, count=self.resamples, seed=1).estimate(measure, weights)


def _with_truth(tables: Tables, directory: Path) -> pl.DataFrame:
    truth = pl.read_parquet(directory / ORACLE_FOLDER / "pairs.parquet")
    return pairs_with_people(tables).join(
        truth, on="pair_id", how="inner", maintain_order="left", validate="1:1"
    )


def _sides(pairs: pl.DataFrame) -> tuple[list[str], list[str]]:
    return pairs["snapshot_a"].to_list(), pairs["snapshot_b"].to_list()


def _ratio(ours: float, oracle: float) -> float:
    return ours / oracle if oracle > 0.0 else float("nan")


def _quiet(_: str) -> None:
    """Say nothing: a fit tells a dozen lines."""
