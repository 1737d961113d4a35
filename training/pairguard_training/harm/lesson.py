"""From tables to the pairs that the harm model may learn from, and what is said about them.

Owns who may teach, what each pair stands for, and the figures and sentences about labels. It must
not know how anything is trained.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from pairguard.policy.regions import Policy
from pairguard.risk.features import PairFeatures
from pairguard.risk.model import RiskModel
from pairguard_training.assessing import assessed_rows
from pairguard_training.harm.pairs import MetPairs, kept_places
from pairguard_training.harm.selection import selection_weights
from pairguard_training.harm_labels import HarmRows
from pairguard_training.manifest_figures import figure
from pairguard_training.pair_chances import GatheredChances
from pairguard_training.splitting import Part, Split
from pairguard_training.tables.participants import Rows
from pairguard_training.tables.reading import Tables

UNDER_REPORTING = (
    "Harm is what was reported in time, upheld where it was reviewed: harm that nobody reports is "
    "not in it, so every harm probability is too low by a share that the data do not tell."
)

MOST_LOOKED_AT = 1_000_000
"""Pairs whose people are assessed and kept: some two million snapshots, a kilobyte each at most."""

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]
Places = NDArray[np.intp]


class HarmLesson:
    """The allowed, mature pairs of people who are not tested.

    Attributes:
        chosen: Their places among all allowed, mature pairs.
        looked_at: Of these, whom the model is learned from: all, or so many as memory allows.
        training: Whether both people of each pair that is looked at are of the training part.
    """

    def __init__(
        self,
        tables: Tables,
        rows: HarmRows,
        split: Split,
        taught: frozenset[str],
        *,
        seed: int = 1,
        most: int = MOST_LOOKED_AT,
    ) -> None:
        """Choose the pairs.

        Args:
            tables: The data set.
            rows: Its allowed, mature pairs.
            split: Who is tested, and when.
            taught: Participants who taught the age side that the pairs are assessed with.
            seed: Of the pairs that are looked at.
            most: So many are looked at: all that were harmed, and a sample of the others.
        """
        self._tables, self._rows, self._taught = tables, rows, taught
        self._people = split.of_snapshots(tables.snapshots)
        tested = self._people.are(Part.TEST)
        self.chosen: Places = np.flatnonzero(
            ~tested[rows.first] & ~tested[rows.second] & split.admitted(Part.TRAIN, rows.seconds)
        )
        self._selection = selection_weights(rows.allow_probability[self.chosen])
        kept = kept_places(rows.harmed[self.chosen], most=most, seed=seed)
        self.looked_at = self.chosen[kept.places]
        self._weights = self._selection.weights[kept.places] * kept.weights
        trains = self._people.are(Part.TRAIN)
        self.training: Mask = (
            trains[rows.first[self.looked_at]] & trains[rows.second[self.looked_at]]
        )

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
                    "before_the_pair": reports.early,
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
        left_out = self.chosen.size - self.looked_at.size
        if left_out:
            notes.append(
                f"{left_out} of {self.chosen.size} pairs that met, all without harm, were left out "
                "by lot: those that were looked at stand for them as well."
            )
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
        looked_at = self.looked_at if self.positives else self.looked_at[:0]
        sides = self._rows.first[looked_at], self._rows.second[looked_at]
        people, first, second = _in_order_of_appearance(*sides)
        catalogue = model.catalogue
        vectors = np.empty((people.size, len(catalogue.columns)))
        gathered, done = GatheredChances(policy), 0
        # A posterior is some ten thousand bytes: of each part a few numbers are kept.
        for part in assessed_rows(model, self._tables, people, title="assessing participants"):
            for each in part.assessments.values():
                vectors[done] = each.values
                done += 1
            gathered.add(part)
        chances = gathered.chances().of_pairs(first, second)
        # Numbered from 0 on, in the order of their names.
        numbers = np.unique(self._people.groups[np.concatenate(sides)], return_inverse=True)[1]
        owners = self._tables.snapshots["participant_id"]
        taught = owners.is_in(pl.Series(list(self._taught), dtype=pl.String).implode()).to_numpy()
        rows = self._rows
        return MetPairs(
            vectors=vectors,
            first=first,
            second=second,
            minor_first=chances.minor_first,
            minor_second=chances.minor_second,
            harmed=rows.harmed[looked_at],
            by_first=rows.by_a[looked_at].astype(np.float64),
            by_second=rows.by_b[looked_at].astype(np.float64),
            weights=self._weights if looked_at.size else np.empty(0),
            groups_first=numbers[: looked_at.size].astype(np.intp),
            groups_second=numbers[looked_at.size :].astype(np.intp),
            strangers=~(taught[sides[0]] | taught[sides[1]]),
            mixed=chances.minor_adult,
            features=PairFeatures(catalogue),
        )

    def _without_support(self) -> int:
        chances = self._tables.pairs["allow_probability"].drop_nulls()
        return int((chances <= 0.0).sum())


def _in_order_of_appearance(first: Rows, second: Rows) -> tuple[Rows, Places, Places]:
    """Return each row once, those of the first sides before, and where the sides are in these."""
    rows, seen_at, places = np.unique(
        np.concatenate([first, second]), return_index=True, return_inverse=True
    )
    order = np.argsort(seen_at)
    rank = np.empty(order.size, dtype=np.intp)
    rank[order] = np.arange(order.size)
    places = rank[places]
    return rows[order], places[: first.size], places[first.size :]
