"""An evaluation as text for people and as JSON for programs.

Owns the layout. Every figure of a simulation is called simulated, every figure has its interval.
"""

from __future__ import annotations

import math
from dataclasses import fields, is_dataclass
from datetime import datetime
from textwrap import wrap
from typing import Any

from pairguard.bundle.documents import canonical_json
from pairguard_training.comparison import OURS, Comparison
from pairguard_training.evaluation import Evaluation
from pairguard_training.figures import WIDTH, row, shown
from pairguard_training.gates import gate_figures
from pairguard_training.people_table import calibration_text, rates_text, reliability_text
from pairguard_training.resampling import Estimate
from pairguard_training.week_table import decisions_text, exposure_text, price_text

_DIGITS = 6
_COLUMNS: tuple[tuple[str, str], ...] = (
    ("roc_auc", "ROC-AUC"),
    ("pr_auc", "PR-AUC"),
    ("missed_at_1_percent", "missed at 1 %"),
    ("missed_at_5_percent", "missed at 5 %"),
    ("recall_at_budget_1_percent", "caught by 1 %"),
    ("recall_at_budget_5_percent", "caught by 5 %"),
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
        "caught by x %: share of the positives among the x % of all pairs that score highest",
    ]
    if evaluation.champion is not None:
        lines.append(f"champion: bundle {evaluation.champion.version}")
    for comparison in evaluation.comparisons:
        lines += ["", *_comparison(comparison)]
    if evaluation.calibration:
        lines += ["", *calibration_text(evaluation.calibration, evaluation.people)]
    if evaluation.reliability is not None:
        lines += ["", *reliability_text(evaluation.reliability)]
    if evaluation.rates is not None:
        lines += ["", *rates_text(evaluation.rates)]
    if evaluation.decisions is not None:
        lines += ["", *decisions_text(evaluation.decisions)]
    if evaluation.exposure is not None:
        lines += ["", *exposure_text(evaluation.exposure)]
    if evaluation.price is not None:
        lines += ["", *price_text(evaluation.price)]
    lines += [f"note: {note}" for note in evaluation.notes]
    return "\n".join(lines)


def evaluation_json(
    evaluation: Evaluation,
    *,
    bundle_version: str,
    model_hash: str,
    data_hash: str,
    data_until: datetime,
) -> bytes:
    """Return the whole evaluation as JSON; null for what cannot be told.

    Args:
        evaluation: What was measured.
        bundle_version: Of the bundle that was judged.
        model_hash: Of what makes its scores, which a certificate or a report does not change.
        data_hash: Of the tables that it was judged on.
        data_until: When the latest session or proposed pair of these tables was, with a time zone.
    """
    champion = evaluation.champion
    document = {
        field.name: getattr(evaluation, field.name)
        for field in fields(evaluation)
        if field.name != "champion"
    }
    document |= {
        "bundle_version": bundle_version,
        "model_hash": model_hash,
        "champion_version": None if champion is None else champion.version,
        "data_hash": data_hash,
        "data_until": data_until.isoformat(),
        "seed": evaluation.settings.seed,
        "gates": gate_figures(evaluation),
    }
    return canonical_json(_plain(document))


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
        f"    {bin_.low:8.4g} to {bin_.high:6.4g}: {bin_.pairs:6d} pairs, predicted "
        f"{bin_.predicted:.4g}, observed "
        + shown(Estimate(bin_.observed, bin_.observed_low, bin_.observed_high))
        for bin_ in comparison.reliability
    ]
    return lines


def _row(name: str, cells: list[str]) -> str:
    return row(name, cells, name_width=_NAME, width=_CELL)


def _plain(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    if isinstance(value, float):
        return float(f"{value:.{_DIGITS}g}") if math.isfinite(value) else None
    return value
