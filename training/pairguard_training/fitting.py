"""From tables to a model: the steps of a fit in their order.

Owns the sequence, what each step may see, and the sentences and figures that tell how it went. It
must not know how a bundle is written (``bundle_build``) nor look at the test part.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pairguard.age.tables import AgeTables
from pairguard.policy.regions import Policy
from pairguard.risk.behaviour import BehaviourAgeModel
from pairguard.risk.catalogue import SignalCatalogue
from pairguard.risk.model import RiskModel
from pairguard_training.age_labels import AgeRows, age_rows
from pairguard_training.age_prior import FEWEST_PEOPLE, few_sides, with_fitted_prior
from pairguard_training.behaviour_fit import BehaviourFit, fit_behaviour
from pairguard_training.boosting import Cluster, Compute
from pairguard_training.check_fit import with_fitted_checks
from pairguard_training.declaration_fit import with_fitted_declarations
from pairguard_training.evidence_rows import evidence_rows
from pairguard_training.face_fit import with_fitted_faces
from pairguard_training.face_labels import face_rows
from pairguard_training.harm.crossing import fit_crossed
from pairguard_training.harm.lesson import HarmLesson
from pairguard_training.harm.pairs import MetPairs
from pairguard_training.harm.settings import HarmSettings
from pairguard_training.harm.tuning import TuningBudget, tune_harm
from pairguard_training.harm_fit import HarmFit
from pairguard_training.harm_labels import REPORT_WINDOW_DAYS, harm_rows
from pairguard_training.held_out import NOBODY_HELD_OUT, split_figures
from pairguard_training.manifest_figures import figure
from pairguard_training.range_fit import with_fitted_ranges
from pairguard_training.reference import Reference, sample_reference
from pairguard_training.splitting import TEST_SHARE, Part, Split, split_tables
from pairguard_training.stacking_fit import fit_stacking
from pairguard_training.tables.participants import participants
from pairguard_training.tables.reading import Tables
from pairguard_training.temperature_fit import HIGHEST, LOWEST, TemperatureFit, fit_temperature
from pairguard_training.verified_evidence import VerifiedItem, verified_items

Array = NDArray[np.float64]
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class FitSettings:
    """What a fit may choose.

    Attributes:
        seed: Seed of the split and of everything random.
        threads: Threads of LightGBM; the result does not depend on it.
        report_window_days: How long after the proposal a report counts.
        harm: How the harm model is trained.
        learn_harm: Whether there is to be one.
        tune: How long to search for other ways to train it; None: not at all.
        cluster: Trains the harm model's trees; None: this process does.
        test_share: Share of the people who are held out; 0: nobody, and nothing can be judged on
            these tables.
    """

    seed: int = 1
    threads: int = 1
    report_window_days: float = REPORT_WINDOW_DAYS
    harm: HarmSettings = field(default_factory=HarmSettings)
    learn_harm: bool = True
    tune: TuningBudget | None = None
    cluster: Cluster | None = None
    test_share: float = TEST_SHARE


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
    met: Callable[[MetPairs], None] | None = None,
) -> Fit:
    """Fit every part that the data can teach; what it cannot is left out and said.

    Args:
        tables: The data set.
        age_tables: Parameters of the posterior; its default prior and its error rates are replaced
            where enough ages are known.
        catalogue: The signals that the models may see.
        policy: Whose adult ages count.
        settings: Seeds and limits.
        say: Receives a line for each step.
        met: Receives the pairs that the harm model learns from.
    """
    split = split_tables(tables, seed=settings.seed, test_share=settings.test_share)
    fitting = _Fitting(tables, tables.of_labelled(), catalogue, policy, split, settings, say)
    fitting.metrics["split"] = split_figures(settings.test_share)
    if settings.test_share == 0.0:
        fitting.note(NOBODY_HELD_OUT)
    elif split.later_from is None:
        fitting.note("The data know too few times to hold out later ones: parts differ by person.")
    labelled = age_rows(fitting.labelled)
    age_tables = fitting.fit_prior(age_tables, labelled)
    age_tables = fitting.fit_error_rates(age_tables)
    behaviour, behaviour_fit, judging = fitting.fit_behaviour(age_tables, labelled)
    harm_fit = None
    if settings.learn_harm:
        harm_fit = fitting.fit_harm(
            RiskModel(age_tables, catalogue, judging, None), labelled, met or _unseen
        )
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
    """One fit on its way: what all steps share, and what they have to tell.

    ``labelled`` is what the age side is learned from: the rows of people of known age, so that
    nothing there grows with the others.
    """

    tables: Tables
    labelled: Tables
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
        rows = self._fitting_rows(labelled)
        fitted = with_fitted_prior(age_tables, rows)
        line = fitted.reference_age_years
        minors = float(fitted.prior("", "")[:line].sum())
        self.metrics["prior"] = {"people": rows.people, f"share_under_{line}": figure(minors)}
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
            for side in few_sides(age_tables, rows):
                name = "under" if side.start == 0 else "over"
                self.note(
                    f"Hardly anybody {name} {line} has an age label: their share in the prior is "
                    "at least that of the default prior, which is assumed."
                )
        return fitted

    def fit_error_rates(self, age_tables: AgeTables) -> AgeTables:
        # Of the training part alone: whoever judges posteriors or calibrates by them must not have
        # taught these tables. Of everything that they had shown, not of a few snapshots.
        rows = self._part(age_rows(self.labelled, snapshots_per_person=None), Part.TRAIN)
        items = verified_items(self.labelled, rows)
        age_tables, reports = with_fitted_checks(age_tables, items)
        age_tables, found = with_fitted_ranges(age_tables, items, rows)
        reports += found
        age_tables, found = with_fitted_declarations(age_tables, items)
        reports += found
        self.metrics["error_rates"] = {report.name: report.to_mapping() for report in reports}
        for report in reports:
            if report.changed:
                self.say(report.sentence())
        kept = [report.name for report in reports if not report.changed]
        if kept and len(kept) < len(reports):
            self.say(f"preset kept, for want of people or of reason: {', '.join(kept)}")
        if len(kept) == len(reports):
            self.note(
                f"No error rates learned: {rows.people} people with age labels had shown too "
                "little before. The presets count."
            )
        return self._fit_faces(age_tables, items)

    def _fit_faces(self, age_tables: AgeTables, items: Sequence[VerifiedItem]) -> AgeTables:
        fitted, reports = with_fitted_faces(
            age_tables,
            face_rows(age_tables, items),
            groups=self.split.groups,
            seed=self.settings.seed,
        )
        self.metrics["faces"] = {report.provider: report.to_mapping() for report in reports}
        for report in reports:
            self.say(report.sentence())
            for warning in report.warnings():
                self.note(warning)
        if not any(report.taken for report in reports):
            self.note("No errors of facial estimates learned. The presets count.")
        return fitted

    def fit_behaviour(
        self, age_tables: AgeTables, labelled: AgeRows
    ) -> tuple[BehaviourAgeModel | None, BehaviourFit | None, BehaviourAgeModel | None]:
        """Return the model that serves, how it came about, and one for the harm model's people.

        The last has seen nobody of the calibration part: harm is calibrated there, and a model
        that knows these people would seem surer of their ages than it is of strangers'.
        """
        rows = self._fitting_rows(labelled)
        groups = [self.split.groups[person] for person in rows.participants]
        fit = fit_behaviour(
            self.catalogue, rows, self._vectors(rows), groups=groups, compute=self.compute
        )
        if isinstance(fit, str):
            self.note(f"No behaviour age model: {fit}.")
            return None, None, None
        # All of these scores are by models that have not seen the person.
        usable: NDArray[np.bool_] = ~np.isnan(fit.out_of_fold[:, 0])
        prior = age_tables.prior("", "")
        found = fit_temperature(fit.out_of_fold[usable], prior, rows.where(usable))
        self.metrics["behaviour"] = {
            "rounds": fit.rounds,
            "training_people": fit.people,
            **found.to_mapping(),
        }
        self.say(f"behaviour age model: {fit.people} people, {fit.rounds} rounds")
        for sentence in found.sentences():
            self.say(sentence)
        if found.temperature == 0.0:
            self.note("No behaviour age model: it told nothing of the age of people not seen.")
            return None, None, None
        if np.isnan(found.around_the_line):
            self.note(
                f"The behaviour age model could be checked on {found.people_around_the_line} "
                "people of 15 to 20 years, which are too few, or too few on one side of 18: its "
                "temperature is a cautious guess."
            )
        parts = np.array([self.split.parts[person].value for person in rows.participants])
        strangers = usable & (parts == Part.CALIBRATION.value)
        temperature = found.temperature * self._stacked(age_tables, fit, found, rows, strangers)
        self.metrics["behaviour"]["temperature"] = figure(temperature)
        if temperature <= LOWEST:
            self.note("No behaviour age model: it told nothing that other evidence does not tell.")
            return None, None, None
        judging = fit.of_part(parts == Part.TRAIN.value, temperature, compute=self.compute)
        if judging is None:
            self.note(
                "Too few labelled people to train behaviour without those who calibrate harm: the "
                "harm model was fitted without it, though it serves."
            )
        return fit.tempered(temperature), fit, judging

    def _stacked(
        self,
        age_tables: AgeTables,
        fit: BehaviourFit,
        found: TemperatureFit,
        rows: AgeRows,
        strangers: NDArray[np.bool_],
    ) -> float:
        """Return the factor on the behaviour temperature that stacking won, 1: none.

        It is judged on ``strangers``, of whom neither the tables nor the scores have seen anybody.
        """
        evidence = evidence_rows(age_tables, self.catalogue, self.labelled, rows.where(strangers))
        stacked = fit_stacking(
            evidence,
            fit.out_of_fold[strangers][evidence.places] * found.temperature,
            [self.split.groups[person] for person in evidence.rows.participants],
            # What the people around the line refused is not raised again.
            most_behaviour_weight=1.0 if found.contradicted else HIGHEST / found.temperature,
            compute=self.compute,
        )
        self.metrics["stacking"] = stacked.to_mapping()
        self.say(stacked.sentence())
        return stacked.behaviour_weight

    def fit_harm(
        self, model: RiskModel, labelled: AgeRows, met: Callable[[MetPairs], None]
    ) -> HarmFit | None:
        rows = harm_rows(self.tables, report_window_days=self.settings.report_window_days)
        taught = frozenset(self._part(labelled, Part.TRAIN).participants)
        lesson = HarmLesson(self.tables, rows, self.split, taught, seed=self.settings.seed)
        figures: dict[str, Any] = {"report_window_days": self.settings.report_window_days}
        self.metrics["harm"] = figures | lesson.figures()
        for sentence in lesson.sentences():
            self.say(sentence)
        for note in lesson.notes():
            self.note(note)
        pairs = lesson.pairs(model, self.policy)
        met(pairs)
        training = lesson.training
        del lesson, rows  # a row for each pair that met, which nobody looks at any more
        settings = self._tuned(pairs.where(training)) if pairs.count else None
        compute = replace(self.compute, cluster=self.settings.cluster)
        fit = fit_crossed(self.catalogue, pairs, settings=settings, compute=compute)
        if isinstance(fit, str):
            self.note(f"No harm model: {fit}. Nothing is allowed unless the policy says age-only.")
            return None
        self.metrics["harm"] |= fit.figures
        for sentence in fit.sentences:
            self.say(sentence)
        for note in fit.fit.notes:
            self.note(note)
        if self.settings.cluster is not None:
            self.note(
                "The harm model was trained on a cluster: the same tables and seed need not give "
                "the same bytes again."
            )
        return fit.fit

    def _tuned(self, pairs: MetPairs) -> HarmSettings:
        """Return how the harm model is trained: as told, or what pairs of the part found best."""
        settings, budget = self.settings.harm, self.settings.tune
        if budget is None:
            return settings
        tuned = tune_harm(
            self.catalogue, pairs, start=settings, budget=budget, compute=self.compute
        )
        if isinstance(tuned, str):
            self.note(f"Not tuned: {tuned}.")
            return settings
        self.metrics["harm"]["tuning"] = tuned.figures
        self.say(tuned.sentence)
        return tuned.settings

    def _part(self, rows: AgeRows, part: Part) -> AgeRows:
        """Return a part's labelled people at the times that it may see."""
        mask = [
            self.split.parts[person] is part and self.split.admits(part, seconds)
            for person, seconds in zip(rows.participants, rows.seconds, strict=True)
        ]
        return rows.where(np.array(mask, dtype=np.bool_))

    def _fitting_rows(self, labelled: AgeRows) -> AgeRows:
        """Return all labelled people but those of the test part."""
        return self._part(labelled, Part.TRAIN).joined(self._part(labelled, Part.CALIBRATION))

    def _vectors(self, rows: AgeRows) -> Array:
        people = participants(self.labelled, rows.snapshot_ids, before_labels=True)
        if not people:
            return np.empty((0, len(self.catalogue.columns)))
        return np.stack([self.catalogue.vector(person).values for person in people])


def _unseen(_: MetPairs) -> None:
    """Look at nothing."""
