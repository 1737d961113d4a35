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
from pairguard_training.assessing import Assessed, assess_snapshots, pair_rows
from pairguard_training.behaviour_fit import BehaviourFit, fit_behaviour
from pairguard_training.boosting import Compute
from pairguard_training.harm_fit import HarmFit, HarmPairs, fit_harm
from pairguard_training.harm_labels import REPORT_WINDOW_DAYS, HarmRows, harm_rows
from pairguard_training.reference import Reference, sample_reference
from pairguard_training.splitting import Part, Split, split_tables
from pairguard_training.tables.participants import participants
from pairguard_training.tables.reading import Tables
from pairguard_training.temperature_fit import fit_temperature

Array = NDArray[np.float64]
Say = Callable[[str], None]


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
class Fit:
    """A fitted model and everything that its bundle says about it.

    Attributes:
        model: Ready to serve.
        behaviour: How its learned age row came about; None: there is none.
        harm: The same of its harm model.
        reference: What the training part looks like to it.
        metrics: Figures of the fit by name; None: cannot be told. Only evaluation judges.
        notes: Sentences for people.
    """

    model: RiskModel
    behaviour: BehaviourFit | None
    harm: HarmFit | None
    reference: Reference
    metrics: dict[str, Any]
    notes: tuple[str, ...]


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
    split = split_tables(tables, seed=settings.seed)
    fitting = _Fitting(tables, catalogue, policy, split, settings, say)
    if split.later_from is None:
        fitting.note("The data know too few times to hold out later ones: parts differ by person.")
    labelled = age_rows(tables)
    age_tables = fitting.fit_prior(age_tables, labelled)
    behaviour, behaviour_fit = fitting.fit_behaviour(age_tables, labelled)
    harm_fit = fitting.fit_harm(RiskModel(age_tables, catalogue, behaviour, None))
    model = RiskModel(age_tables, catalogue, behaviour, harm_fit.model if harm_fit else None)
    return Fit(
        model=model,
        behaviour=behaviour_fit,
        harm=harm_fit,
        reference=sample_reference(tables, model, policy=policy, split=split, seed=settings.seed),
        metrics=fitting.metrics,
        notes=tuple(fitting.notes),
    )


@dataclass(frozen=True, slots=True)
class _Fitting:
    """One fit on its way: what all steps share, and what they have to tell."""

    tables: Tables
    catalogue: SignalCatalogue
    policy: Policy
    split: Split
    settings: FitSettings
    say: Say
    metrics: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    @property
    def compute(self) -> Compute:
        return Compute(threads=self.settings.threads, seed=self.settings.seed)

    def note(self, text: str) -> None:
        self.notes.append(text)
        self.say(f"note: {text}")

    def fit_prior(self, age_tables: AgeTables, labelled: AgeRows) -> AgeTables:
        rows = self._part(labelled, Part.TRAIN)
        fitted = with_fitted_prior(age_tables, rows)
        line = fitted.reference_age_years
        minors = float(fitted.prior("", "")[:line].sum())
        self.metrics["prior"] = {"people": rows.people, f"share_under_{line}": _figure(minors)}
        if fitted is age_tables:
            self.note(
                f"No prior learned: {rows.people} people with age labels to learn from "
                f"(effective {rows.effective_people:.0f}); {FEWEST_PEOPLE} effective ones are "
                "needed. The default prior counts."
            )
        else:
            self.say(
                f"prior over ages: from {rows.people} people with age labels, "
                f"{minors:.1%} under {line}"
            )
        return fitted

    def fit_behaviour(
        self, age_tables: AgeTables, labelled: AgeRows
    ) -> tuple[BehaviourAgeModel | None, BehaviourFit | None]:
        rows, others = (self._part(labelled, part) for part in (Part.TRAIN, Part.CALIBRATION))
        vectors = self._vectors(rows)
        fit = fit_behaviour(self.catalogue, rows, vectors, compute=self.compute)
        if isinstance(fit, str):
            self.note(f"No behaviour age model: {fit}.")
            return None, None
        # All of these scores are by models that have not seen the person.
        scored = np.concatenate(
            [
                fit.out_of_fold(vectors, compute=self.compute),
                fit.model.log_likelihoods(self._vectors(others)),
            ]
        )
        usable = ~np.isnan(scored).any(axis=1)
        prior = age_tables.prior("", "")
        found = fit_temperature(scored[usable], prior, rows.joined(others).where(usable))
        self.metrics["behaviour"] = {
            "rounds": fit.rounds,
            "training_people": fit.people,
            "temperature_people": found.people,
            "temperature_people_aged_15_to_20": found.people_around_the_line,
            "temperature_over_all_ages": _figure(found.over_all_ages),
            "temperature_at_15_to_20": _figure(found.around_the_line),
            "temperature": _figure(found.temperature),
            "calibration_slope_at_15_to_20": _figure(found.slope_around_the_line),
        }
        self.say(
            f"behaviour age model: {fit.people} people, {fit.rounds} rounds; temperature "
            f"{found.over_all_ages:.2f} over all ages, {found.around_the_line:.2f} at true ages "
            f"15-20 ({found.people_around_the_line} people): {found.temperature:.2f} counts; "
            f"slope of P(minor) at 15-20 then {found.slope_around_the_line:.2f}, on the people "
            "who chose the temperature"
        )
        if found.temperature == 0.0:
            self.note("No behaviour age model: it told nothing of the age of people not seen.")
            return None, None
        if np.isnan(found.around_the_line):
            self.note(
                f"The behaviour age model was checked on {found.people_around_the_line} people of "
                "15 to 20 years only: its temperature is a cautious guess."
            )
        return fit.tempered(found.temperature), fit

    def fit_harm(self, model: RiskModel) -> HarmFit | None:
        rows = harm_rows(self.tables, report_window_days=self.settings.report_window_days)
        parts = self.split.of_pairs(rows.participants_a, rows.participants_b, rows.seconds)
        learned, held_out = (
            np.flatnonzero(parts == part.value) for part in (Part.TRAIN, Part.CALIBRATION)
        )
        features = PairFeatures(model.catalogue)
        assessed = Assessed({}, {}, {})
        if rows.harmed[learned].any():
            sides = (rows.snapshots_a, rows.snapshots_b)
            names = [side[i] for i in np.concatenate([learned, held_out]) for side in sides]
            assessed = assess_snapshots(model, self.tables, names, title="assessing participants")
        else:
            learned, held_out = learned[:0], held_out[:0]
        learning, checking = (
            self._harm_pairs(features, assessed, rows, chosen) for chosen in (learned, held_out)
        )
        fit = fit_harm(features, learning, checking, compute=self.compute)
        figures: dict[str, Any] = {
            "report_window_days": self.settings.report_window_days,
            "training_pairs": int((parts == Part.TRAIN.value).sum()),
            "training_positives": learning.positives,
            "calibration_pairs": int(checking.harmed.size),
            "calibration_positives": checking.positives,
        }
        self.metrics["harm"] = figures
        if isinstance(fit, str):
            self.note(f"No harm model: {fit}. Nothing is allowed unless the policy says age-only.")
            return None
        predicted = float(fit.calibrated(checking.features).sum())
        kind = fit.model.calibration.to_mapping()["kind"]
        figures |= {
            "rounds": fit.rounds,
            "calibration": kind,
            "calibration_predicted": _figure(predicted),
        }
        self.say(
            f"harm model: {learning.harmed.size} pairs, {learning.positives} harmed, {fit.rounds} "
            f"rounds; {kind} calibration on {checking.harmed.size} pairs of other people: "
            f"{predicted:.2f} predicted, {checking.positives} harmed"
        )
        for note in fit.notes:
            self.note(note)
        return fit

    def _harm_pairs(
        self,
        features: PairFeatures,
        assessed: Assessed,
        rows: HarmRows,
        chosen: NDArray[np.intp],
    ) -> HarmPairs:
        made = pair_rows(
            features,
            self.policy,
            assessed,
            [rows.snapshots_a[i] for i in chosen],
            [rows.snapshots_b[i] for i in chosen],
        )
        groups = self.split.groups
        return HarmPairs(
            features=made.features,
            harmed=rows.harmed[chosen],
            groups_a=[groups[rows.participants_a[i]] for i in chosen],
            groups_b=[groups[rows.participants_b[i]] for i in chosen],
        )

    def _part(self, rows: AgeRows, part: Part) -> AgeRows:
        """Return a part's labelled people at the times that it may see."""
        mask = [
            self.split.parts[person] is part and self.split.admits(part, seconds)
            for person, seconds in zip(rows.participants, rows.seconds, strict=True)
        ]
        return rows.where(np.array(mask, dtype=np.bool_))

    def _vectors(self, rows: AgeRows) -> Array:
        people = participants(self.tables, rows.snapshot_ids, before_labels=True)
        if not people:
            return np.empty((0, len(self.catalogue.columns)))
        return np.stack([self.catalogue.vector(person).values for person in people])


def _figure(value: float) -> float | None:
    """Return a figure for the manifest: six digits, None for what cannot be told."""
    return None if not np.isfinite(value) else float(f"{value:.6g}")
