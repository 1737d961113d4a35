"""An evaluation as text for people and as JSON for programs.

Owns the layout. Every figure of a simulation is called simulated, every figure has its interval.
"""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import Any

from pairguard.bundle.documents import canonical_json
from pairguard_training.comparison import OURS, Comparison
from pairguard_training.evaluation import Evaluation
from pairguard_training.resampling import Estimate

_DIGITS = 6
_COLUMNS: tuple[tuple[str, str], ...] = (
    ("roc_auc", "ROC-AUC"),
    ("pr_auc", "PR-AUC"),
    ("missed_at_1_percent", "missed at 1 %"),
    ("missed_at_5_percent", "missed at 5 %"),
    ("brier_skill", "Brier skill"),
    ("log_loss", "log loss"),
)
_WIDTH = 26
_NAME = 30


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
        lines += ["", "calibration of P(under 18), slope 1 and intercept 0 are exact"]
        lines.append(_row("", ["slope", "intercept", "slope at 15-20", "intercept at 15-20"]))
        lines += [
            _row(name, [_shown(estimate) for estimate in found.values()])
            for name, found in evaluation.calibration.items()
        ]
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
            lines.append(f"  {text:<{_NAME}} {_shown(decisions.shares[key])}")
    lines += [f"note: {note}" for note in evaluation.notes]
    return "\n".join(lines)


def evaluation_json(evaluation: Evaluation) -> bytes:
    """Return the whole evaluation as JSON; null for what cannot be told."""
    return canonical_json(_plain(asdict(evaluation)))


def _comparison(comparison: Comparison) -> list[str]:
    base = comparison.models[OURS]["base_rate"]
    head = (
        f"{comparison.title}: {comparison.pairs} pairs, {comparison.positives:.4g} positive "
        f"(base rate {_shown(base)}), {comparison.people} people or households"
    )
    lines = [
        head,
        _row("", [title for _, title in _COLUMNS]),
    ]
    for name, measures in comparison.models.items():
        lines.append(_row(name, [_shown(measures[key]) for key, _ in _COLUMNS]))
    for name, measures in comparison.differences.items():
        cells = [_shown(measures[key], signed=True) for key, _ in _COLUMNS]
        lines.append(_row(f"minus {name}", cells))
    lines.append(f"  reliability of {OURS}: predicted and observed share by size of the prediction")
    lines += [
        f"    {bin_.low:8.4g} to {bin_.high:6.4g}: {bin_.pairs:6d} pairs, "
        f"predicted {bin_.predicted:.4g}, observed {bin_.observed:.4g}"
        for bin_ in comparison.reliability
    ]
    return lines


def _row(name: str, cells: list[str]) -> str:
    return f"  {name:<{_NAME}}" + "".join(f"{cell:>{_WIDTH}}" for cell in cells)


def _shown(estimate: Estimate, *, signed: bool = False) -> str:
    """Return a figure with its interval; small figures with one digit more."""
    if not math.isfinite(estimate.value):
        return "unknown"
    form = "+.3f" if signed else (".4f" if abs(estimate.value) < 0.0995 else ".3f")
    if not math.isfinite(estimate.low):
        return f"{estimate.value:{form}} [?]"
    return f"{estimate.value:{form}} [{estimate.low:{form}}, {estimate.high:{form}}]"


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    if isinstance(value, float):
        return float(f"{value:.{_DIGITS}g}") if math.isfinite(value) else None
    return value
