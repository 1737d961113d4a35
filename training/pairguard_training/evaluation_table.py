"""An evaluation as text for people and as JSON for programs.

Owns the layout. Every figure of a simulation is called simulated, every figure has its interval.
"""

from __future__ import annotations

import math
from dataclasses import asdict
from textwrap import wrap
from typing import Any

from pairguard.bundle.documents import canonical_json
from pairguard_training.comparison import OURS, Comparison
from pairguard_training.evaluation import Evaluation
from pairguard_training.figures import WIDTH, row, shown
from pairguard_training.people_table import calibration_text, rates_text, reliability_text

_DIGITS = 6
_COLUMNS: tuple[tuple[str, str], ...] = (
    ("roc_auc", "ROC-AUC"),
    ("pr_auc", "PR-AUC"),
    ("missed_at_1_percent", "missed at 1 %"),
    ("missed_at_5_percent", "missed at 5 %"),
    ("brier_skill", "Brier skill"),
    ("log_loss", "log loss"),
)
_NAME = 16
_CELL = 23


def evaluation_text(evaluation: Evaluation) -> str:
    """Return the whole evaluation as lines of text."""
    kind = (
        "SIMULATED data: no figure below speaks of a real platform"
        if (evaluation.simulated)
        else "recorded data; ages are those of the age labels, weighted for who was labelled"
    )
    settings = evaluation.settings
    lines = [
        kind,
        f"95 % intervals: bootstrap, {settings.resamples} draws of people, seed {settings.seed}",
        "missed at x %: share of the positives let through where x % of the others are stopped",
    ]
    for comparison in evaluation.comparisons:
        lines += ["", *_comparison(comparison)]
    if evaluation.calibration:
        lines += ["", *calibration_text(evaluation.calibration, evaluation.people)]
    if evaluation.reliability is not None:
        lines += ["", *reliability_text(evaluation.reliability)]
    if evaluation.rates is not None:
        lines += ["", *rates_text(evaluation.rates)]
    if evaluation.decisions is not None:
        decisions = evaluation.decisions
        counts = ", ".join(f"{name} {count}" for name, count in decisions.counts.items())
        lines += ["", f"decisions on {decisions.pairs} of the pairs under the policy: {counts}"]
        lines.append("  where none or all were seen: exact interval for pairs that share nobody")
        for key, text in (
            ("good_allowed", "good pairs that are allowed"),
            ("mixed_allowed", "mixed pairs that are allowed"),
            ("mixed_among_allowed", "mixed pairs among the allowed"),
        ):
            lines.append(f"  {text:<30} {shown(decisions.shares[key])}")
    lines += [f"note: {note}" for note in evaluation.notes]
    return "\n".join(lines)


def evaluation_json(evaluation: Evaluation) -> bytes:
    """Return the whole evaluation as JSON; null for what cannot be told."""
    return canonical_json(_plain(asdict(evaluation)))


def _comparison(comparison: Comparison) -> list[str]:
    base = comparison.models[OURS]["base_rate"]
    head = (
        f"{comparison.title}: {comparison.pairs} pairs, {comparison.positives:.4g} positive "
        f"(base rate {shown(base)}), {comparison.people} people or households"
    )
    lines = [*wrap(head, WIDTH, subsequent_indent="  "), _row("", list(comparison.models))]
    lines += [
        _row(title, [shown(measures[key]) for measures in comparison.models.values()])
        for key, title in _COLUMNS
    ]
    if comparison.differences:
        lines.append(_row(f"{OURS} minus", list(comparison.differences)))
        lines += [
            _row(
                title, [shown(found[key], signed=True) for found in comparison.differences.values()]
            )
            for key, title in _COLUMNS
        ]
    lines.append(f"  reliability of {OURS}: predicted and observed share by size of the prediction")
    lines += [
        f"    {bin_.low:8.4g} to {bin_.high:6.4g}: {bin_.pairs:6d} pairs, "
        f"predicted {bin_.predicted:.4g}, observed {bin_.observed:.4g}"
        for bin_ in comparison.reliability
    ]
    return lines


def _row(name: str, cells: list[str]) -> str:
    return row(name, cells, name_width=_NAME, width=_CELL)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    if isinstance(value, float):
        return float(f"{value:.{_DIGITS}g}") if math.isfinite(value) else None
    return value
