"""From tables to the pairs that the harm model may learn from, and what is said about them.

Owns who may teach, what each pair stands for, and the figures and sentences about labels. It must
not know how anything is trained.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pairguard.policy.regions import Policy
from pairguard.risk.catalogue import SignalCatalogue
from pairguard.risk.features import PairFeatures
from pairguard.risk.model import RiskModel
from pairguard.risk.pair import minor_adult_probability
from pairguard_training.assessing import Assessed, adult_ages_of, assess_snapshots
from pairguard_training.harm.pairs import MetPairs
from pairguard_training.harm.selection import selection_weights
from pairguard_training.harm_labels import HarmRows
from pairguard_training.manifest_figures import figure
from pairguard_training.splitting import Part, Split
from pairguard_training.tables.reading import Tables

UNDER_REPORTING = (
    "Harm is what was reported in time, upheld where it was reviewed: harm that nobody reports is "
    "not in it, so every harm probability is too low by a share that the data do not tell."
)

Array = NDArray[np.float64]
Places = NDArray[np.intp]


class HarmLesson:
    """The allowed, mature pairs of people who are not tested.

    Attributes:
        chosen: Their places among all allowed, mature pairs.
        training: Whether both people of each chosen pair are of the training part.
    """

    def __init__(
        self, tables: Tables, rows: HarmRows, split: Split, taught: frozenset[str]
    ) -> None:
        """Choose the pairs.

        Args:
            tables: The data set.
            rows: Its allowed, mature pairs.
            split: Who is tested, and when.
            taught: Participants who taught the age side that the pairs are assessed with.
        """
        self._tables, self._rows, self._split, self._taught = tables, rows, split, taught
        sides = zip(rows.participants_a, rows.participants_b, rows.seconds, strict=True)
        teaches = [
            Part.TEST not in {split.parts[a], split.parts[b]} and split.admits(Part.TRAIN, time)
            for a, b, time in sides
        ]
        self.chosen: Places = np.flatnonzero(np.array(teaches, dtype=np.bool_))
        self.training = np.array(
            [
                split.parts[rows.participants_a[row]] is Part.TRAIN
                and split.parts[rows.participants_b[row]] is Part.TRAIN
                for row in self.chosen
            ],
            dtype=np.bool_,
        )
        self._selection = selection_weights(rows.allow_probability[self.chosen])

    @property
    def positives(self) -> int:
        """Harmed pairs among the chosen."""
        return int(self._rows.harmed[self.chosen].sum())

    def figures(self) -> dict[str, Any]:
        """Return what the manifest keeps about labels and selection."""
        reports, selection = self._rows.reports, self._selection
        return {
            "training_pairs": int(self.chosen.size),
            "training_positives": self.positives,
            "reports": {
                "in_time": reports.in_time,
                "late": reports.late,
                "upheld": reports.upheld,
                "dismissed": reports.dismissed,
                "set_aside": {
                    "not_of_the_pair": reports.strangers,
                    "of_those_who_report_nearly_everybody": reports.prolific,
                    "about_those_only_ever_cleared": reports.cleared_before,
                    "inconclusive": reports.inconclusive,
                },
                "answering_by_those_at_fault": reports.answering,
                "pairs_left_out": self._rows.unknown,
            },
            "selection": {
                "randomised_pairs": selection.randomised,
                "effective_pairs": figure(selection.effective_size),
                "weights_bounded": selection.bounded,
                "allowed_at_probability_0": selection.contradictory,
                "proposed_without_support": self._without_support(),
            },
        }

    def sentences(self) -> tuple[str, str]:
        """Return what a run says about labels and selection."""
        reports, selection = self._rows.reports, self._selection
        labels = (
            f"harm reports: {reports.in_time} in time, {reports.upheld} upheld, "
            f"{reports.dismissed} cleared, {reports.set_aside} set aside; {reports.late} came too "
            f"late; {self._rows.unknown} pairs left out of which nothing else is known"
        )
        met = (
            f"pairs that met: {self.chosen.size} teach, worth {selection.effective_size:.0f} of "
            f"equal weight; chance might have stopped {selection.randomised} of them"
        )
        return labels, met

    def notes(self) -> list[str]:
        """Return what has to be known of any harm model learned from this."""
        notes = [UNDER_REPORTING]
        selection = self._selection
        stopped = self._without_support()
        if stopped:
            notes.append(
                f"{stopped} of {self._tables.pairs.height} proposed pairs had no chance of being "
                "allowed, so nothing was seen of pairs like them; no outcome was made up for them."
            )
        if selection.bounded:
            notes.append(
                f"{selection.bounded} pairs had so small a chance of being allowed that their "
                "weights were bounded: what is like them counts for less than it should."
            )
        if selection.contradictory:
            notes.append(
                f"{selection.contradictory} pairs met though their recorded chance of being "
                "allowed is 0: check how allow_probability is recorded."
            )
        if self._rows.unknown:
            reports = self._rows.reports
            notes.append(
                f"{reports.set_aside} reports were set aside as not to be relied on, and "
                f"{reports.late} came too late; {self._rows.unknown} pairs of which nothing else "
                "is known were left out."
            )
        return notes

    def pairs(self, model: RiskModel, policy: Policy) -> MetPairs:
        """Assess the people of the pairs, where any pair came to harm.

        Args:
            model: The age side, which has not seen those who are to be strangers to it.
            policy: Whose adult ages count.
        """
        rows = self._rows
        chosen = self.chosen if self.positives else self.chosen[:0]
        sides = [
            [names[place] for place in chosen] for names in (rows.snapshots_a, rows.snapshots_b)
        ]
        assessed = assess_snapshots(
            model, self._tables, [*sides[0], *sides[1]], title="assessing participants"
        )
        return self._met(model.catalogue, policy, assessed, sides, chosen)

    def _met(
        self,
        catalogue: SignalCatalogue,
        policy: Policy,
        assessed: Assessed,
        sides: list[list[str]],
        chosen: Places,
    ) -> MetPairs:
        rows, split = self._rows, self._split
        row_of = {name: row for row, name in enumerate(assessed.assessments)}
        first, second = (np.array([row_of[n] for n in side], dtype=np.intp) for side in sides)
        minors = np.empty((2, chosen.size))
        mixed = np.empty(chosen.size)
        people, found = assessed.participants, assessed.assessments
        for place, (one, other) in enumerate(zip(*sides, strict=True)):
            ages = adult_ages_of(policy, people[one], people[other])
            a, b = found[one].age, found[other].age
            mixed[place] = minor_adult_probability(a, b, ages)
            minors[:, place] = (a.probability_below(max(ages)), b.probability_below(max(ages)))
        values = np.array([found[name].values for name in row_of])
        values = values.reshape(len(row_of), len(catalogue.columns))

        names = [
            [ids[place] for place in chosen] for ids in (rows.participants_a, rows.participants_b)
        ]
        groups = [[split.groups[person] for person in side] for side in names]
        numbered = {group: number for number, group in enumerate(sorted({*groups[0], *groups[1]}))}
        return MetPairs(
            vectors=values,
            first=first,
            second=second,
            minor_first=minors[0],
            minor_second=minors[1],
            harmed=rows.harmed[chosen],
            by_first=rows.by_a[chosen],
            by_second=rows.by_b[chosen],
            weights=self._selection.weights if chosen.size else np.empty(0),
            groups_first=np.array([numbered[group] for group in groups[0]], dtype=np.intp),
            groups_second=np.array([numbered[group] for group in groups[1]], dtype=np.intp),
            strangers=np.array(
                [self._taught.isdisjoint(sides) for sides in zip(*names, strict=True)],
                dtype=np.bool_,
            ),
            mixed=mixed,
            features=PairFeatures(catalogue),
        )

    def _without_support(self) -> int:
        chances = self._tables.pairs["allow_probability"].drop_nulls()
        return int((chances <= 0.0).sum())
