"""What a fit costs against bare LightGBM, what it holds, and what snapshots cost together.

Owns the rows, the order of the measurements and their ratios. Times are processor seconds of this
process with one thread, so that what else runs on the machine counts less; the two sides take
turns, and ratios are taken inside each turn.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np

from pairguard.bundle.loading import load_bundle
from pairguard.risk.catalogue import SignalCatalogue
from pairguard.risk.features import PairFeatures
from pairguard.risk.model import RiskModel
from pairguard_training import harm_fit
from pairguard_training.boosting import Compute, Rows, train
from pairguard_training.harm_fit import HarmPairs, HarmTrees, fit_trees
from pairguard_training.pair_stream import AgeChances, Members, PairStream
from pairguard_training.simulation.platform import simulate
from pairguard_training.tables.participants import SnapshotReader
from pairguard_training.tables.reading import read_tables
from tests.bench.compare import bootstrap_interval

_COMPUTE_SEED = 1
_EXECUTION = {"num_threads": 1, "verbosity": -1, "seed": _COMPUTE_SEED}
_PEOPLE_OF_A_STREAM = 200_000
_SNAPSHOTS = 4_000


def training_report(*, rows: int, columns: int, rounds: int, seed: int) -> str:
    """Measure a fit on ready rows and describe it.

    Args:
        rows: Rows that the trees learn from; half as many more calibrate.
        columns: Of each row.
        rounds: Turns.
        seed: Of the rows.
    """
    features = _features(columns)
    columns = len(features.names)
    learned, other = _pairs(rows, columns, seed), _pairs(rows // 2, columns, seed + 1)
    settings = {
        **harm_fit._SETTINGS,
        "monotone_constraints": list(features.monotone_constraints),
    }
    compute = Compute(threads=1, seed=_COMPUTE_SEED)
    found = fit_trees(features, learned, other, compute=compute)
    assert isinstance(found, HarmTrees)
    held = np.asarray(learned.features)
    labels, ones = learned.harmed.astype(np.float64), np.ones(rows)

    def bare() -> None:
        lightgbm.train(
            settings | _EXECUTION,
            lightgbm.Dataset(held, label=labels),
            num_boost_round=found.rounds,
        )

    def bare_with_rounds() -> None:
        bare()
        _bare_search(learned, settings, compute)

    def ours() -> None:
        train(Rows(held, labels, ones), settings, rounds=found.rounds, compute=compute, title="")

    def whole() -> None:
        assert isinstance(fit_trees(features, learned, other, compute=compute), HarmTrees)

    times: dict[str, list[float]] = {}
    for turn in range(rounds):
        order = [("bare", bare), ("ours", ours), ("search", bare_with_rounds), ("whole", whole)]
        for name, call in order if turn % 2 else reversed(order):
            times.setdefault(name, []).append(_seconds(call))
    return "\n".join(
        [
            f"{rows:,} rows x {columns}, {learned.positives:,} events, {found.rounds} rounds",
            f"{rounds} turns, seed {seed}; processor seconds, medians, 95 % intervals",
            f"bare LightGBM, trees alone {statistics.median(times['bare']):.2f}",
            _ratio("trees alone as trained here", times["ours"], times["bare"]),
            f"bare LightGBM, and the same search {statistics.median(times['search']):.2f}",
            _ratio("whole fit: search, trees, calibration", times["whole"], times["search"]),
            _ratio("whole fit, against trees alone", times["whole"], times["bare"]),
        ]
    )


def streaming_report(*, rows: int, columns: int, seed: int) -> str:
    """Fit streamed pairs in a process of its own, and tell how much memory it ever had."""
    program = (
        "from tests.bench.training import stream_in_this_process as run;"
        f"run(rows={rows}, columns={columns}, seed={seed})"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def stream_in_this_process(*, rows: int, columns: int, seed: int) -> None:
    """Fit the harm model's trees to pairs that are made when asked for; print the cost."""
    features = _features(columns)
    columns = len(features.names)
    rng = np.random.default_rng(seed)
    people = min(_PEOPLE_OF_A_STREAM, rows)
    members = _members(features, people, rng)
    names = [f"person-{person}" for person in range(people)]
    parts = []
    for count in (rows, rows // 10):
        first = rng.integers(0, people, count)
        second = (first + rng.integers(1, people, count)) % people
        danger = members.ages.below[18][first] - members.ages.below[18][second]
        harmed = np.zeros(count, dtype=np.bool_)
        # So few that they choose no rounds: every run has the same.
        harmed[np.argpartition(-np.abs(danger) - rng.random(count), 100)[:100]] = True
        parts.append(
            HarmPairs(
                PairStream(members, first, second),
                harmed,
                [names[person] for person in first.tolist()],
                [names[person] for person in second.tolist()],
            )
        )
    before = _peak_bytes()
    began = time.process_time()
    found = fit_trees(features, *parts, compute=Compute(threads=1, seed=_COMPUTE_SEED))
    assert isinstance(found, HarmTrees)
    sys.stdout.write(
        f"{rows:,} streamed pairs x {columns} of {people:,} people, {found.rounds} rounds, "
        f"{time.process_time() - began:.0f} processor seconds: "
        f"{_peak_bytes() / 1e9:.2f} GB at most, {before / 1e9:.2f} GB before the fit; "
        f"as an array the rows alone are {rows * columns * 8 / 1e9:.2f} GB\n"
    )


def snapshots_report(bundle: Path, *, rounds: int, seed: int) -> str:
    """Measure the assessment of snapshots together against one by one."""
    with tempfile.TemporaryDirectory() as workplace:
        simulate(Path(workplace), participants=_SNAPSHOTS, pairs=10, seed=seed)
        tables = read_tables(Path(workplace))
    reader = SnapshotReader(tables)
    names = tables.snapshots["snapshot_id"].to_list()[:_SNAPSHOTS]
    people, now = reader.participants(names), reader.seconds(names).tolist()

    def alone(model: RiskModel) -> None:
        for person, time_ in zip(people, now, strict=True):
            model.assess_participant(person, time_)

    def together(model: RiskModel) -> None:
        model.assess_participants(people, now)

    times: dict[str, list[float]] = {}
    for turn in range(rounds):
        order = [("alone", alone), ("together", together)]
        for name, call in order if turn % 2 else reversed(order):
            model = load_bundle(bundle).model  # its own, so that neither finds the other's items
            times.setdefault(name, []).append(_seconds(lambda c=call, m=model: c(m)))  # type: ignore[misc]
    one = 1e6 / len(names)
    return "\n".join(
        [
            f"{len(names):,} snapshots, {rounds} turns, processor microseconds of each",
            *(f"{name} {one * statistics.median(found):.0f}" for name, found in times.items()),
            _ratio("one by one, against together", times["alone"], times["together"]),
        ]
    )


def _bare_search(pairs: HarmPairs, settings: dict[str, Any], compute: Compute) -> None:
    """Look for the rounds on the same rows as the fit, with LightGBM alone."""
    inner, outer = harm_fit.set_aside(pairs, compute.seed)
    if min(pairs.harmed[inner].sum(), pairs.harmed[outer].sum()) < harm_fit.FEWEST_FOR_ROUNDS:
        return
    rows, labels = np.asarray(pairs.features), pairs.harmed.astype(np.float64)
    dataset = lightgbm.Dataset(rows[inner], label=labels[inner])
    lightgbm.train(
        settings | _EXECUTION,
        dataset,
        num_boost_round=harm_fit.MOST_ROUNDS,
        valid_sets=[dataset.create_valid(rows[outer], label=labels[outer])],
        callbacks=[lightgbm.early_stopping(harm_fit.MOST_ROUNDS // 8, verbose=False)],
    )


def _features(columns: int) -> PairFeatures:
    """Return features of about so many columns: three for each signal, and two with a direction."""
    signals: list[dict[str, Any]] = [
        {"name": f"signal {place}", "kind": "number"} for place in range(max(columns // 3 - 1, 1))
    ]
    signals.append({"name": "reports", "kind": "number", "direction": "increasing"})
    return PairFeatures(SignalCatalogue.from_mapping({"signals": signals, "interests": []}))


def _pairs(count: int, columns: int, seed: int) -> HarmPairs:
    rng = np.random.default_rng(seed)
    rows = rng.normal(0.0, 1.0, (count, columns))
    rows[:, 0] = rng.random(count)
    rows[:, 3:][rng.random((count, columns - 3)) < 0.1] = np.nan
    danger = 3.0 * rows[:, 0] + rows[:, 1] + np.nan_to_num(rows[:, 3]) - 7.0
    people = [f"person-{place}" for place in rng.integers(0, max(count // 3, 2), 2 * count)]
    harmed = rng.random(count) < 1.0 / (1.0 + np.exp(-danger))
    return HarmPairs(rows, harmed, people[:count], people[count:])


def _members(features: PairFeatures, people: int, rng: np.random.Generator) -> Members:
    signals = max(place for place in features._order) + 1
    values = rng.normal(0.0, 1.0, (people, signals))
    values[rng.random(values.shape) < 0.1] = np.nan
    return Members(
        places={},
        features=features,
        ready=features.ready_matrix(values),
        ages=AgeChances(
            {18: rng.beta(0.3, 0.7, people)}, (frozenset({18}),), np.zeros(people, dtype=np.intp)
        ),
    )


def _seconds(call: Callable[[], object]) -> float:
    began = time.process_time()
    call()
    return time.process_time() - began


def _ratio(name: str, subject: list[float], baseline: list[float]) -> str:
    ratios = [one / other for one, other in zip(subject, baseline, strict=True)]
    low, high = bootstrap_interval(ratios)
    return (
        f"{name:43} {statistics.median(subject):.2f} s, "
        f"{statistics.median(ratios):.3f} [{low:.3f}, {high:.3f}] times, "
        f"single turns {min(ratios):.3f} to {max(ratios):.3f}"
    )


def _peak_bytes() -> int:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak


def training_reports(given: argparse.Namespace, seed: int) -> Iterator[str]:
    """Yield what this part has to tell, one measurement after the other."""
    turns = max(given.rounds // 5, 3)
    yield training_report(rows=given.rows, columns=given.columns, rounds=turns, seed=seed)
    yield streaming_report(rows=given.streamed_rows, columns=given.columns, seed=seed)
    yield snapshots_report(given.bundle, rounds=turns, seed=seed)
