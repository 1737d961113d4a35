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
from unittest import mock

import lightgbm
import numpy as np

from pairguard.bundle.loading import load_bundle
from pairguard.risk.catalogue import SignalCatalogue
from pairguard.risk.features import PairFeatures
from pairguard.risk.model import RiskModel
from pairguard_training.boosting import Compute, Rows, train
from pairguard_training.harm import teaching
from pairguard_training.harm.any_rows import LabelledRows, RowsFit, fit_rows
from pairguard_training.harm.settings import HarmSettings
from pairguard_training.simulation.platform import simulate
from pairguard_training.tables.participants import SnapshotReader
from pairguard_training.tables.reading import read_tables
from tests.bench.compare import bootstrap_interval
from tests.bench.repeated_tables import write_repeated

_COMPUTE_SEED = 1
_EXECUTION = {"num_threads": 1, "verbosity": -1, "seed": _COMPUTE_SEED}
_PEOPLE, _PAIRS = 20_000, 100_000
_SNAPSHOTS = 4_000


def training_report(*, rows: int, columns: int, rounds: int, seed: int) -> str:
    """Measure a fit on ready rows and describe it.

    Args:
        rows: Rows to learn from.
        columns: Of each row.
        rounds: Turns.
        seed: Of the rows.
    """
    features = _features(columns)
    columns = len(features.names)
    labelled = _pairs(features, rows, seed)
    compute = Compute(threads=1, seed=_COMPUTE_SEED)
    found = fit_rows(labelled, compute=compute)
    assert isinstance(found, RowsFit)
    settings = HarmSettings().untaught_trees | {
        "monotone_constraints": list(features.monotone_constraints)
    }
    labels, ones = labelled.harmed.astype(np.float64), np.ones(rows)

    def bare() -> None:
        lightgbm.train(
            settings | _EXECUTION,
            lightgbm.Dataset(labelled.table, label=labels),
            num_boost_round=found.rounds,
        )

    def ours() -> None:
        train(
            Rows(labelled.table, labels, ones),
            settings,
            rounds=found.rounds,
            compute=compute,
            title="",
        )

    def bare_on_all_rows() -> None:
        for lesson, count in lessons:
            lightgbm.train(
                settings | _EXECUTION,
                lightgbm.Dataset(lesson.features, label=lesson.labels, weight=lesson.weights),
                num_boost_round=count,
            )

    def whole() -> None:
        assert isinstance(fit_rows(labelled, compute=compute), RowsFit)

    lessons = _lessons(labelled, compute)
    times: dict[str, list[float]] = {}
    for turn in range(rounds):
        order = [("bare", bare), ("ours", ours), ("all", bare_on_all_rows), ("whole", whole)]
        for name, call in order if turn % 2 else reversed(order):
            times.setdefault(name, []).append(_seconds(call))
    trained = ", ".join(f"{lesson.labels.size:,} x {count}" for lesson, count in lessons)
    return "\n".join(
        [
            f"{rows:,} rows x {columns}, {labelled.positives:,} events, {found.rounds} rounds",
            f"a whole fit trains rows x rounds: {trained}",
            f"{rounds} turns, seed {seed}; processor seconds, medians, 95 % intervals",
            f"bare LightGBM, all rows once {statistics.median(times['bare']):.2f}",
            _ratio("trees alone as trained here", times["ours"], times["bare"]),
            f"bare LightGBM, the rows and rounds of a fit {statistics.median(times['all']):.2f}",
            _ratio("whole fit: folds, choice, trees, calibration", times["whole"], times["all"]),
            _ratio("whole fit, against all rows once", times["whole"], times["bare"]),
        ]
    )


def _lessons(labelled: LabelledRows, compute: Compute) -> list[tuple[Rows, int]]:
    """Return the rows and rounds of everything that a fit trains."""
    lessons: list[tuple[Rows, int]] = []

    def noted(rows: Rows, *given: Any, rounds: int, **named: Any) -> lightgbm.Booster:
        lessons.append((rows, rounds))
        return train(rows, *given, rounds=rounds, **named)

    with mock.patch.object(teaching, "train", noted):
        fit_rows(labelled, compute=compute)
    return lessons


def fit_report(*, worlds: int, pairings: int, seed: int) -> str:
    """Run ``pairguard-train fit`` in a process of its own on tables of many pairs; tell its memory.

    Args:
        worlds: How often a simulated world is repeated.
        pairings: How many times as many pairs each has.
        seed: Of the world.
    """
    with tempfile.TemporaryDirectory() as workplace:
        tables = Path(workplace) / "tables"
        simulate(Path(workplace) / "world", participants=_PEOPLE, pairs=_PAIRS, seed=seed)
        pairs = write_repeated(Path(workplace) / "world", tables, worlds=worlds, pairings=pairings)
        fit = ["fit", "--tables", str(tables), "--out", f"{workplace}/fitted", "--threads", "1"]
        program = (
            "import sys, time; from pairguard_training.__main__ import main;"
            "from tests.bench.training import peak_bytes; "
            "ended = main(sys.argv[1:]); "
            "print(peak_bytes(), time.process_time());"
            "sys.exit(ended)"
        )
        done = subprocess.run(
            [sys.executable, "-c", program, *fit], capture_output=True, text=True, check=True
        )
    peak, seconds = done.stdout.split()[-2:]
    return (
        f"pairguard-train fit, {pairs:,} pairs of {worlds * _PEOPLE:,} people: "
        f"{int(peak) / 1e9:.2f} GB at most, {float(seconds):.0f} processor seconds"
    )


def peak_bytes() -> int:
    """Return the most memory that this process ever had."""
    status = Path("/proc/self/status")
    if status.is_file():
        words = status.read_text().split()
        return 1_024 * int(words[words.index("VmHWM:") + 1])
    # On Linux this may be that of whoever started the process.
    unit = 1 if sys.platform == "darwin" else 1_024
    return unit * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


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


def _features(columns: int) -> PairFeatures:
    """Return features of about so many columns: three for each signal, and two with a direction."""
    signals: list[dict[str, Any]] = [
        {"name": f"signal {place}", "kind": "number"} for place in range(max(columns // 3 - 1, 1))
    ]
    signals.append({"name": "reports", "kind": "number", "direction": "increasing"})
    return PairFeatures(SignalCatalogue.from_mapping({"signals": signals, "interests": []}))


def _pairs(features: PairFeatures, count: int, seed: int) -> LabelledRows:
    rng = np.random.default_rng(seed)
    columns = len(features.names)
    rows = rng.normal(0.0, 1.0, (count, columns))
    rows[:, 0] = rng.random(count)
    rows[:, 3:][rng.random((count, columns - 3)) < 0.1] = np.nan
    danger = 3.0 * rows[:, 0] + rows[:, 1] + np.nan_to_num(rows[:, 3]) - 7.0
    first, second = rng.integers(0, max(count // 3, 2), (2, count))
    harmed = rng.random(count) < 1.0 / (1.0 + np.exp(-danger))
    return LabelledRows(rows, features, harmed, np.ones(count), first, second)


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


def training_reports(given: argparse.Namespace, seed: int) -> Iterator[str]:
    """Yield what this part has to tell, one measurement after the other."""
    turns = max(given.rounds // 5, 3)
    yield training_report(rows=given.rows, columns=given.columns, rounds=turns, seed=seed)
    yield fit_report(worlds=given.worlds, pairings=given.pairings, seed=seed)
    yield snapshots_report(given.bundle, rounds=turns, seed=seed)
