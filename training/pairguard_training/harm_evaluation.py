"""Judging the harm model: reports as recorded and, in a simulation, as expected.

Owns the comparison of harm probabilities. What was recorded speaks only of pairs that an earlier
policy allowed; only a simulation knows what the others would have come to.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pairguard.policy.regions import Policy
from pairguard.risk.model import RiskModel
from pairguard_training.assessing import adult_ages_of, assess_snapshots
from pairguard_training.baselines import baseline_scores, fit_baselines, person_matrix
from pairguard_training.champion import Champion
from pairguard_training.comparison import (
    CHAMPION,
    ORACLE,
    OURS,
    Comparison,
    EvaluationSettings,
    JudgedPairs,
    compare,
)
from pairguard_training.harm_labels import HarmRows, harm_rows, newest_time
from pairguard_training.splitting import LATER_SHARE, Part, Split
from pairguard_training.tables.reading import Tables
from pairguard_training.truth import Truth

Array = NDArray[np.float64]

_SECONDS_PER_DAY = 86_400.0
FEWEST_REPORTED = 5
"""Harmed pairs below which reports as recorded are not measured."""
FEWEST_POSITIVES = 20
"""Harmed pairs below which the baselines are not trained."""


def compare_harm(
    model: RiskModel,
    tables: Tables,
    truth: Truth,
    pairs: JudgedPairs,
    *,
    policy: Policy,
    split: Split,
    settings: EvaluationSettings,
    notes: list[str],
    champion: Champion | None = None,
) -> list[Comparison]:
    """Compare harm probabilities on the held-out pairs; notes say what could not be measured."""
    if model.harm is None:
        notes.append("The bundle has no harm model: harm not measured.")
        return []
    rows = harm_rows(tables, report_window_days=settings.report_window_days)
    outcome = dict(zip(rows.pair_ids, rows.harmed.tolist(), strict=True))
    inside = np.array([name in outcome for name in pairs.ids], dtype=np.bool_)
    recorded = pairs.where(inside)
    harmed = np.array([outcome[name] for name in recorded.ids], dtype=np.float64)
    measurable = FEWEST_REPORTED <= harmed.sum() < harmed.size
    if not measurable:
        notes.append(
            f"{int(harmed.sum())} harm reports in {harmed.size} held-out pairs whose report window "
            "has closed: reports as recorded not measured."
        )
        if not harmed.size:
            notes += _too_short(tables, split, settings.report_window_days)
        if not truth.label_chance or not pairs.ids:
            return []
    scores = {OURS: _harm_probabilities(model, tables, policy, pairs)}
    if champion is not None and champion.model.harm is None:
        notes.append("The champion has no harm model: harm not compared with it.")
    elif champion is not None:
        scores[CHAMPION] = _harm_probabilities(champion.model, tables, policy, pairs)
    if truth.oracle_label:
        scores[ORACLE] = np.array([truth.oracle_label[name] for name in pairs.ids])
    scores |= _baselines(
        model, tables, pairs, rows=rows, split=split, settings=settings, notes=notes
    )
    comparisons = []
    if measurable:
        comparisons.append(
            compare(
                "harm reports, as recorded among the pairs that met",
                recorded,
                harmed,
                np.ones(harmed.size),
                scores={name: score[inside] for name, score in scores.items()},
                settings=settings,
            )
        )
    if truth.label_chance:
        chance = np.array([truth.label_chance[name] for name in pairs.ids])
        comparisons.append(
            compare(
                "harm reports, expected if every proposed pair met",
                pairs,
                chance,
                np.ones(chance.size),
                scores=scores,
                settings=settings,
            )
        )
    return comparisons


def _too_short(tables: Tables, split: Split, window_days: float) -> list[str]:
    """Return why no window has closed, where the time that is tested is shorter than one."""
    if split.later_from is None or tables.pairs.is_empty() or tables.outcomes.is_empty():
        return []
    tested_days = (newest_time(tables).timestamp() - split.later_from) / _SECONDS_PER_DAY
    if tested_days >= window_days:
        return []
    told = (
        f"The time that is tested, the latest {LATER_SHARE:.0%} of the pairs, spans "
        f"{tested_days:.1f} days and the report window {window_days:g}: no report of it can have "
        f"come in. Give more days (over {window_days / LATER_SHARE:.0f} where pairs come evenly) "
        "or fit with a shorter window."
    )
    return [told]


def _harm_probabilities(
    model: RiskModel, tables: Tables, policy: Policy, pairs: JudgedPairs
) -> Array:
    assessed = assess_snapshots(model, tables, pairs.snapshots, title="assessing, harm")
    people, assessments = assessed.participants, assessed.assessments
    found = [
        model.assess_pair(
            assessments[a], assessments[b], adult_ages_of(policy, people[a], people[b])
        ).harm_probability
        for a, b in pairs.sides
    ]
    # What cannot be computed is never a way out: it counts as certain.
    return np.array([1.0 if value is None else value for value in found])


def _baselines(
    model: RiskModel,
    tables: Tables,
    pairs: JudgedPairs,
    *,
    rows: HarmRows,
    split: Split,
    settings: EvaluationSettings,
    notes: list[str],
) -> dict[str, Array]:
    """Train the baselines on the allowed, mature pairs of people who are not judged."""
    people = split.of_snapshots(tables.snapshots)
    judged = np.any([people.are(part) for part in settings.judged], axis=0)
    learning = np.flatnonzero(
        ~judged[rows.first] & ~judged[rows.second] & split.admitted(Part.TRAIN, rows.seconds)
    )
    labels = rows.harmed[learning].astype(np.float64)
    if labels.sum() < FEWEST_POSITIVES:
        notes.append(f"{int(labels.sum())} harmed pairs for the baselines: harm without them.")
        return {}
    names = tables.snapshots["snapshot_id"]
    names_a, names_b = (names[side[learning]].to_list() for side in (rows.first, rows.second))
    unique = list(dict.fromkeys([*names_a, *names_b]))
    place = {name: row for row, name in enumerate(unique)}
    matrix = person_matrix(model.catalogue, tables, unique, before_labels=False)
    scorers = fit_baselines(
        matrix[[place[name] for name in names_a]],
        matrix[[place[name] for name in names_b]],
        labels,
        np.ones(labels.size),
        settings=settings,
    )
    return baseline_scores(scorers, model.catalogue, tables, pairs, before_labels=False)
