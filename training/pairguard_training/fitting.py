"""From tables to a model: the steps of a fit in their order.

Owns the sequence, what each step may see, and the sentences and figures that tell how it went. It
must not know how a bundle is written (``bundle_build``) nor look at the test part.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pairguard.age.tables import AgeTables
from pairguard.policy.regions import Policy
from pairguard.risk.behaviour import BehaviourAgeModel
from pairguard.risk.catalogue import SignalCatalogue
from pairguard.risk.features import PairFeatures
from pairguard.risk.pair import RiskModel
from pairguard_training.age_labels import AgeRows, age_rows
from pairguard_training.age_prior import FEWEST_PEOPLE, with_fitted_prior
from pairguard_training.assessing import Assessed, PairRows, assess_snapshots, pair_rows
from pairguard_training.behaviour_fit import BehaviourFit, fit_behaviour
from pairguard_training.boosting import Compute
from pairguard_training.harm_fit import HarmFit, HarmPairs, fit_harm
from pairguard_training.harm_labels import REPORT_WINDOW_DAYS, harm_rows
from pairguard_training.splitting import Part, Split, hash_fraction, split_tables
from pairguard_training.tables.participants import participants
from pairguard_training.tables.reading import Tables
from pairguard_training.temperature_fit import fit_temperature

Array = NDArray[np.float64]
Say = Callable[[str], None]

REFERENCE_ROWS = 3_000


@dataclass(frozen=True, slots=True)
class FitSettings:
    """What a fit may choose.

    Attributes:
        seed: Seed of the split and of everything random.
        threads: Threads of LightGBM; the result does not depend on it.
        report_window_days: How long after the proposal a report counts.
    """

    seed: int = 1
    threads: int = 1
    report_window_days: float = REPORT_WINDOW_DAYS


@dataclass(frozen=True, slots=True)
class Reference:
    """A sample of the training part, as the finished model sees it, for drift.

    Attributes:
        vectors: (n, columns) catalogue vectors.
        probability_minor: (n,) under the highest adult age of the person's own region.
        minor_adult: (m,) of pairs.
        harm: (m,) of pairs; None: there is no harm model.
    """

    vectors: Array
    probability_minor: Array
    minor_adult: Array
    harm: Array | None


@dataclass(frozen=True, slots=True)
class Fit:
    """A fitted model and everything that its bundle says about it.

    Attributes:
        model: Ready to serve.
        behaviour: How its learned age row came about; None: there is none.
        harm: The same of its harm model.
        reference: What the training part looks like to it.
        metrics: Figures on people who were not trained on, by name; None: cannot be told.
        notes: Sentences for people.
    """

    model: RiskModel
    behaviour: BehaviourFit | None
    harm: HarmFit | None
    reference: Reference
    metrics: dict[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def fit_model(
    tables: Tables,
    *,
    age_tables: AgeTables,
    catalogue: SignalCatalogue,
    policy: Policy,
    settings: FitSettings,
    say: Say,
) -> Fit:
    """Fit every part that the data can teach; what it cannot is left out and said.

    Args:
        tables: The data set.
        age_tables: Parameters of the posterior; its default prior is replaced where ages are known.
        catalogue: The signals that the models may see.
        policy: Whose adult ages count.
        settings: Seeds and limits.
        say: Receives a line for each step.
    """
    compute = Compute(threads=settings.threads, seed=settings.seed)
    split = split_tables(tables, seed=settings.seed)
    metrics: dict[str, Any] = {}
    notes = _split_notes(split)
    labelled = age_rows(tables)
    age_tables = _fit_prior(age_tables, _part(labelled, split, Part.TRAIN), metrics, notes, say)
    behaviour, behaviour_fit = _fit_behaviour(
        tables, age_tables, catalogue, labelled, split, compute, metrics, notes, say
    )
    without_harm = RiskModel(age_tables, catalogue, behaviour, None)
    harm_fit = _fit_harm(tables, without_harm, policy, split, settings, compute, metrics, notes, say)
    model = RiskModel(
        age_tables, catalogue, behaviour, None if harm_fit is None else harm_fit.model
    )
    for note in notes:
        say(f"note: {note}")
    return Fit(
        model=model,
        behaviour=behaviour_fit,
        harm=harm_fit,
        reference=_reference(tables, model, harm_fit, policy, split, settings),
        metrics=metrics,
        notes=tuple(notes),
    )


def _split_notes(split: Split) -> list[str]:
    if split.later_from is None:
        return ["The data set knows too few times to hold out later ones: parts differ by person only."]
    return []


def _part(rows: AgeRows, split: Split, part: Part) -> AgeRows:
    """Return a part's labelled people at the times that it may see."""
    mask = [
        split.parts[person] is part and split.admits(part, seconds)
        for person, seconds in zip(rows.participants, rows.seconds, strict=True)
    ]
    return rows.where(np.array(mask, dtype=np.bool_))


def _fit_prior(
    age_tables: AgeTables, rows: AgeRows, metrics: dict[str, Any], notes: list[str], say: Say
) -> AgeTables:
    fitted = with_fitted_prior(age_tables, rows)
    minors = float(fitted.prior("", "")[: fitted.reference_age_years].sum())
    metrics["prior_minor_share"] = _figure(minors)
    metrics["prior_people"] = rows.people
    if fitted is age_tables:
        notes.append(
            f"{rows.people} people with age labels to learn from; {FEWEST_PEOPLE} effective ones "
            "are needed for a prior: the default prior counts."
        )
    else:
        say(f"prior over ages: from {rows.people} labelled people; {minors:.1%} under 18")
    return fitted


def _fit_behaviour(
    tables: Tables,
    age_tables: AgeTables,
    catalogue: SignalCatalogue,
    labelled: AgeRows,
    split: Split,
    compute: Compute,
    metrics: dict[str, Any],
    notes: list[str],
    say: Say,
) -> tuple[BehaviourAgeModel | None, BehaviourFit | None]:
    rows, others = (_part(labelled, split, part) for part in (Part.TRAIN, Part.CALIBRATION))
    fit = fit_behaviour(catalogue, rows, _vectors(tables, catalogue, rows), compute=compute)
    if isinstance(fit, str):
        notes.append(f"No behaviour age model: {fit}.")
        return None, None
    vectors = _vectors(tables, catalogue, others)
    tempering = fit_temperature(fit.model, age_tables.prior("", ""), others, vectors)
    metrics["behaviour"] = {
        "rounds": fit.rounds,
        "training_people": fit.people,
        "calibration_people": tempering.people,
        "calibration_people_aged_15_to_20": tempering.people_around_the_line,
        "temperature_all_ages": _figure(tempering.over_all_ages),
        "temperature_ages_15_to_20": _figure(tempering.around_the_line),
        "temperature": _figure(tempering.temperature),
        "calibration_slope_ages_15_to_20": _figure(tempering.slope_around_the_line),
    }
    say(
        f"behaviour age model: {fit.people} people, {fit.rounds} rounds; temperature "
        f"{tempering.over_all_ages:.2f} over all ages, {tempering.around_the_line:.2f} at true "
        f"ages 15-20 ({tempering.people_around_the_line} people): {tempering.temperature:.2f} "
        f"counts; calibration slope at 15-20 then {tempering.slope_around_the_line:.2f} (on the "
        "people who chose it)"
    )
    if tempering.temperature == 0.0:
        notes.append("No behaviour age model: it told nothing about the age of people not seen.")
        return None, None
    if np.isnan(tempering.around_the_line):
        notes.append(
            f"The behaviour age model is checked on {tempering.people_around_the_line} people of "
            "15 to 20 years only: its temperature is a cautious guess."
        )
    return fit.tempered(tempering.temperature), fit


def _fit_harm(
    tables: Tables,
    model: RiskModel,
    policy: Policy,
    split: Split,
    settings: FitSettings,
    compute: Compute,
    metrics: dict[str, Any],
    notes: list[str],
    say: Say,
) -> HarmFit | None:
    rows = harm_rows(tables, report_window_days=settings.report_window_days)
    parts = split.of_pairs(rows.participants_a, rows.participants_b, rows.seconds)
    learned = np.flatnonzero(parts == Part.TRAIN.value)
    held_out = np.flatnonzero(parts == Part.CALIBRATION.value)
    features = PairFeatures(model.catalogue)
    used = np.concatenate([learned, held_out])
    assessed = Assessed({}, {}, {})
    if rows.harmed[learned].any():
        names = [snapshots[i] for i in used for snapshots in (rows.snapshots_a, rows.snapshots_b)]
        assessed = assess_snapshots(model, tables, names, title="assessing participants")
    else:
        learned, held_out = learned[:0], held_out[:0]

    def gather(indices: NDArray[np.intp]) -> HarmPairs:
        made: PairRows = pair_rows(
            features,
            policy,
            assessed,
            [rows.snapshots_a[i] for i in indices],
            [rows.snapshots_b[i] for i in indices],
        )
        return HarmPairs(
            features=made.features,
            harmed=rows.harmed[indices],
            groups_a=[split.groups[rows.participants_a[i]] for i in indices],
            groups_b=[split.groups[rows.participants_b[i]] for i in indices],
        )

    learning, checking = gather(learned), gather(held_out)
    fit = fit_harm(features, learning, checking, compute=compute)
    metrics["harm"] = {
        "report_window_days": settings.report_window_days,
        "training_pairs": int(learning.harmed.size),
        "training_positives": learning.positives,
        "calibration_pairs": int(checking.harmed.size),
        "calibration_positives": checking.positives,
    }
    if isinstance(fit, str):
        notes.append(f"No harm model: {fit}. Nothing is allowed unless the policy says age-only.")
        return None
    notes.extend(fit.notes)
    predicted = float(fit.calibrated(checking.features).sum())
    kind = fit.model.calibration.to_mapping()["kind"]
    metrics["harm"] |= {
        "rounds": fit.rounds,
        "calibration": kind,
        "calibration_predicted": _figure(predicted),
    }
    say(
        f"harm model: {learning.harmed.size} pairs, {learning.positives} harmed, {fit.rounds} "
        f"rounds; {kind} calibration on {checking.harmed.size} pairs of other people: "
        f"{predicted:.2f} predicted, {checking.positives} harmed"
    )
    return fit


def _reference(
    tables: Tables,
    model: RiskModel,
    harm_fit: HarmFit | None,
    policy: Policy,
    split: Split,
    settings: FitSettings,
) -> Reference:
    """Look at a sample of the training part, chosen by hash."""
    owners = dict(zip(tables.snapshots["snapshot_id"], tables.snapshots["participant_id"], strict=True))
    of_part = [name for name, person in owners.items() if split.parts[person] is Part.TRAIN]
    chosen = _sample(of_part or list(owners), settings.seed)
    pairs = tables.pairs.select("pair_id", "snapshot_a", "snapshot_b")
    inside = [
        row
        for row in pairs.iter_rows()
        if all(split.parts[owners[name]] is Part.TRAIN for name in row[1:])
    ]
    kept = set(_sample([row[0] for row in inside], settings.seed))
    inside = [row for row in inside if row[0] in kept]
    firsts, seconds = [row[1] for row in inside], [row[2] for row in inside]
    assessed = assess_snapshots(
        model, tables, [*chosen, *firsts, *seconds], title="reference distributions"
    )
    made = pair_rows(PairFeatures(model.catalogue), policy, assessed, firsts, seconds)
    ages = [max(policy.for_participant(assessed.participants[n].region).adult_ages) for n in chosen]
    return Reference(
        vectors=np.stack([assessed.assessments[name].values for name in chosen]),
        probability_minor=np.array(
            [
                assessed.assessments[name].age.probability_below(age)
                for name, age in zip(chosen, ages, strict=True)
            ]
        ),
        minor_adult=made.minor_adult,
        harm=None if harm_fit is None else harm_fit.calibrated(made.features),
    )


def _sample(names: list[str], seed: int) -> list[str]:
    if len(names) <= REFERENCE_ROWS:
        return names
    ranked = sorted(names, key=lambda name: hash_fraction(f"reference {name}", seed=seed))
    kept = set(ranked[:REFERENCE_ROWS])
    return [name for name in names if name in kept]


def _vectors(tables: Tables, catalogue: SignalCatalogue, rows: AgeRows) -> Array:
    people = participants(tables, rows.snapshot_ids, before_labels=True)
    if not people:
        return np.empty((0, len(catalogue.columns)))
    return np.stack([catalogue.vector(person).values for person in people])


def _figure(value: float) -> float | None:
    """Return a figure for the manifest: six digits, None for what cannot be told."""
    return None if not np.isfinite(value) else float(f"{value:.6g}")
