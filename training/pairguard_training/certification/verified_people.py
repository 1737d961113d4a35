"""The verified people that a certificate may count: kept out of training, one of each household.

Owns who they are, what their labels leave open, and what the model says of them without the check
that labelled them or anything later. It must not know how a number is found.

A label in whole years leaves the time of the birthday open. Whoever may be a minor by the label
counts as one where minors are counted, and whoever may be an adult where adults are.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from pairguard.age.posterior import AgeAssessment
from pairguard.policy.certificate import ALL, ELSEWHERE
from pairguard.policy.regions import Policy
from pairguard.risk.model import RiskModel
from pairguard.risk.pair import minor_adult_probability
from pairguard_training.age_labels import SECONDS_PER_YEAR
from pairguard_training.assessing import assess_snapshots
from pairguard_training.splitting import Part, Split, hash_fraction
from pairguard_training.tables.reading import Tables

Array = NDArray[np.float64]
Index = NDArray[np.intp]
Mask = NDArray[np.bool_]
PairScores = Callable[[Index, Index], Array]

_CLOSED = 1.0
"""Score of somebody whom rules that no document can loosen keep out of a pool."""


@dataclass(frozen=True, slots=True)
class VerifiedPeople:
    """n people, no two of one household.

    Attributes:
        ids: Their ids.
        strata: (n,) stratum of each.
        adult_ages: (n,) adult age of each one's region.
        youngest: (n,) the lowest age that the label leaves open, years.
        oldest: (n,) the highest.
        sampling: (n,) with which probability each was verified.
        adult_gate: (n,) the lowest gate that admits each to the adults' pool, in [0, 1].
        minor_gate: (n,) the same of the minors' pool.
        pair_scores: ``minor_adult_probability`` of pairs of places.
    """

    ids: Sequence[str]
    strata: NDArray[np.str_]
    adult_ages: NDArray[np.int64]
    youngest: Array
    oldest: Array
    sampling: Array
    adult_gate: Array
    minor_gate: Array
    pair_scores: PairScores

    @property
    def may_be_minor(self) -> Mask:
        """Whether each may be under the adult age of the own region."""
        result: Mask = self.youngest < self.adult_ages
        return result

    @property
    def may_be_adult(self) -> Mask:
        """Whether each may be at or over it."""
        result: Mask = self.oldest >= self.adult_ages
        return result


@dataclass(frozen=True, slots=True)
class Holdout:
    """Who may be counted, and how they were found.

    Attributes:
        people: The people.
        content_hash: sha256, hexadecimal, of who they are and what is known of their ages.
        counts: Numbers of people at each step, in order, by what was asked.
        sampling_known: Whether the tables tell with which probability people were verified.
    """

    people: VerifiedPeople
    content_hash: str
    counts: dict[str, int]
    sampling_known: bool


def stratum_of(region: str, regions: Collection[str]) -> str:
    """Return the stratum of a located region, where some regions are told apart."""
    if not regions:
        return ALL
    if region in regions:
        return region
    country = region.partition("-")[0]
    return country if country in regions else ELSEWHERE


def held_out_people(
    model: RiskModel,
    tables: Tables,
    split: Split,
    *,
    policy: Policy,
    regions: Collection[str] = (),
    unseen: bool = False,
) -> Holdout:
    """Find and score the people of a certificate.

    Left out are people whose region is not known or hidden: they are judged by the strictest lines
    of all regions, and so by the strictest number.

    Args:
        model: What is certified.
        tables: The data set.
        split: The one that the model was fitted under.
        policy: Whose adult ages count.
        regions: Regions that are strata of their own; none: everybody is one stratum.
        unseen: Whether the model saw none of these people: then all of them count, at any time.
    """
    labels = _last_labelled(tables, split, unseen=unseen)
    counts = {"verified and kept out of training": labels.height}
    sampling_known = labels["sampling_probability"].count() > 0
    if sampling_known:
        labels = labels.filter(pl.col("sampling_probability").is_not_null())
    else:
        labels = labels.with_columns(sampling_probability=pl.lit(1.0))
    counts["verified with a known probability, or all with an unknown one"] = labels.height
    assessed = assess_snapshots(
        model,
        tables,
        labels["snapshot_id"].to_list(),
        before_labels=True,
        title="assessing, verified people",
    )
    located = [bool(assessed.participants[s].located_region) for s in labels["snapshot_id"]]
    labels = labels.filter(pl.Series(located, dtype=pl.Boolean))
    counts["whose region is known"] = labels.height
    labels = _one_of_each_household(labels, split)
    counts["one of each household"] = labels.height
    snapshots = labels["snapshot_id"].to_list()
    places = [assessed.participants[name].located_region for name in snapshots]
    lines = [policy.for_participant(place) for place in places]
    ages = [assessed.assessments[name].age for name in snapshots]
    people = VerifiedPeople(
        ids=labels["participant_id"].to_list(),
        strata=np.array([stratum_of(place, regions) for place in places], dtype=np.str_),
        adult_ages=np.array([max(each.adult_ages) for each in lines], dtype=np.int64),
        youngest=labels["youngest"].to_numpy(),
        oldest=labels["oldest"].to_numpy(),
        sampling=labels["sampling_probability"].to_numpy(),
        adult_gate=np.array(
            [adult_gate(age, max(each.adult_ages)) for age, each in zip(ages, lines, strict=True)]
        ),
        minor_gate=np.array(
            [minor_gate(age, min(each.adult_ages)) for age, each in zip(ages, lines, strict=True)]
        ),
        pair_scores=_pair_scores(ages, [each.adult_ages for each in lines]),
    )
    return Holdout(people, _content_hash(labels), counts, sampling_known)


def adult_gate(age: AgeAssessment, adult_age: int) -> float:
    """Return the lowest ``adults_max_probability_minor`` that may admit somebody, in [0, 1].

    Of the other conditions only those count that no document can loosen, so that what is promised
    holds whatever the other lines say; see ``pairguard.age.admission``.
    """
    if age.informative_count == 0 or age.conflict or age.for_adulthood_count == 0:
        return _CLOSED
    return age.probability_below(adult_age)


def minor_gate(age: AgeAssessment, adult_age: int) -> float:
    """Return the lowest ``minors_max_probability_adult`` that may admit somebody, in [0, 1]."""
    if age.informative_count == 0 or age.conflict or not age.established_minor:
        return _CLOSED
    return age.probability_at_least(adult_age)


def _pair_scores(ages: Sequence[AgeAssessment], adult_ages: Sequence[frozenset[int]]) -> PairScores:
    def scores(first: Index, second: Index) -> Array:
        return np.array(
            [
                minor_adult_probability(ages[a], ages[b], adult_ages[a] | adult_ages[b])
                for a, b in zip(first.tolist(), second.tolist(), strict=True)
            ],
            dtype=np.float64,
        )

    return scores


def _last_labelled(tables: Tables, split: Split, *, unseen: bool) -> pl.DataFrame:
    """Return the last snapshot of each person with a label, with what the label leaves open."""
    joined = tables.snapshots.select("snapshot_id", "participant_id", "observed_time").join(
        tables.age_labels.select(
            "participant_id", "age_years", "verified_time", "sampling_probability"
        ),
        on="participant_id",
        how="inner",
        maintain_order="left",
    )
    seconds = joined["observed_time"].dt.epoch("us").cast(pl.Float64) / 1e6
    used = [
        unseen or (split.parts[person] is Part.TEST and split.admits(Part.TEST, time))
        for person, time in zip(joined["participant_id"], seconds, strict=True)
    ]
    elapsed = (
        (pl.col("observed_time") - pl.col("verified_time")).dt.total_seconds().cast(pl.Float64)
        / SECONDS_PER_YEAR
    ).fill_null(0.0)
    whole = pl.col("age_years") == pl.col("age_years").floor()
    return (
        joined.filter(pl.Series(used, dtype=pl.Boolean))
        .sort("participant_id", "observed_time", "snapshot_id")
        .unique("participant_id", keep="last", maintain_order=True)
        .with_columns(youngest=pl.col("age_years").cast(pl.Float64) + elapsed)
        .with_columns(
            # The day before the next birthday at the latest.
            oldest=pl.col("youngest") + pl.when(whole).then(1.0 - 1e-9).otherwise(0.0)
        )
    )


def _one_of_each_household(labels: pl.DataFrame, split: Split) -> pl.DataFrame:
    """Return one person of each household, chosen by a hash of the id: people of one are alike."""
    chosen: dict[str, tuple[float, str]] = {}
    for person in labels["participant_id"]:
        drawn = hash_fraction(f"of the household {person}", seed=0), person
        group = split.groups[person]
        chosen[group] = min(chosen.get(group, drawn), drawn)
    names = [name for _, name in chosen.values()]
    return labels.filter(pl.col("participant_id").is_in(names))


def _content_hash(labels: pl.DataFrame) -> str:
    """Return a hash of who counts that no order of rows changes."""
    columns = ["participant_id", "snapshot_id", "youngest", "oldest", "sampling_probability"]
    digest = hashlib.sha256()
    for row in labels.sort("participant_id").select(columns).iter_rows():
        digest.update(repr(row).encode("utf-8", "surrogatepass"))
    return digest.hexdigest()
