"""Who and when is for training, for calibration and for the test.

Owns the split by person and by time. It must not know what is fitted on which part.

People are divided, never rows: everybody who shares a cluster (household or device) falls into the
same part, by a hash of the group's smallest participant id and the seed. A pair belongs to a part
only if both of its people do; pairs across parts are left out. The test part is later than the
other two as well, where the data set knows several times.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import polars as pl
from numpy.typing import NDArray

from pairguard_training.tables.reading import Tables

TEST_SHARE = 0.25
"""Of the people, unless something else is asked for."""
LEAST_TEST_SHARE, MOST_TEST_SHARE = 0.1, 0.5
"""Between these, or nobody at all: fewer people tell nothing of a model, and cost it."""
CALIBRATION_SHARE = 1.0 / 3.0
"""Of those who are not tested."""
LATER_SHARE = 0.3
"""Share of the latest pairs (or snapshots) that the test looks at."""

_HASH_RANGE = float(1 << 64)


class Part(StrEnum):
    """What a participant or a pair is used for."""

    TRAIN = "train"
    CALIBRATION = "calibration"
    TEST = "test"


@dataclass(frozen=True, slots=True)
class SnapshotParts:
    """Who is used for what, by rows of the table ``snapshots``.

    Attributes:
        parts: (m,) place of the participant's part in ``Part``.
        groups: (m,) number of the participant's group, in the order of the groups' names.
    """

    parts: NDArray[np.int8]
    groups: NDArray[np.int32]

    def are(self, part: Part) -> NDArray[np.bool_]:
        """Return (m,) whose part it is."""
        found: NDArray[np.bool_] = self.parts == list(Part).index(part)
        return found


@dataclass(frozen=True, slots=True)
class Split:
    """A division of one data set.

    Attributes:
        parts: Part of each participant.
        groups: Group of each participant: those who share clusters share it.
        later_from: Seconds since 1970 from which on the test looks, up to which the other parts
            do; None: there is no test, or the data set knows too few times to be divided by them.
    """

    parts: Mapping[str, Part]
    groups: Mapping[str, str]
    later_from: float | None

    def of_pairs(
        self, first: list[str], second: list[str], seconds: NDArray[np.float64]
    ) -> NDArray[np.str_]:
        """Return (n,) the part of each pair; "" for pairs across parts or in the wrong time.

        Args:
            first: Participant ids.
            second: Participant ids, as many.
            seconds: (n,) times at which the pairs were proposed.
        """
        chosen = []
        for one, other, time in zip(first, second, seconds, strict=True):
            part = self.parts[one]
            chosen.append(
                part.value if part is self.parts[other] and self.admits(part, time) else ""
            )
        return np.array(chosen, dtype=np.str_)

    def of_snapshots(self, snapshots: pl.DataFrame) -> SnapshotParts:
        """Return the part and the group of each row of the table ``snapshots``."""
        people = pl.DataFrame(
            {
                "participant_id": list(self.parts),
                "part": [part.value for part in self.parts.values()],
                "group": [self.groups[person] for person in self.parts],
            },
            schema=dict.fromkeys(("participant_id", "part", "group"), pl.String),
        ).select(
            "participant_id",
            part=pl.col("part").replace_strict(
                {part.value: code for code, part in enumerate(Part)}, return_dtype=pl.Int8
            ),
            group=pl.col("group").rank("dense").cast(pl.Int32),
        )
        rows = snapshots.select("participant_id").join(
            people, on="participant_id", how="left", maintain_order="left"
        )
        return SnapshotParts(rows["part"].to_numpy(), rows["group"].to_numpy())

    def admitted(self, part: Part, seconds: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Return ``admits`` of (n,) times."""
        if self.later_from is None:
            return np.ones(seconds.size, dtype=np.bool_)
        later: NDArray[np.bool_] = seconds >= self.later_from
        return later if part is Part.TEST else ~later

    def admits(self, part: Part, seconds: float) -> bool:
        """Return whether a part may use something of this time."""
        if self.later_from is None:
            return True
        return bool(seconds >= self.later_from) == (part is Part.TEST)


def split_tables(tables: Tables, *, seed: int, test_share: float = TEST_SHARE) -> Split:
    """Divide the people of a data set, and its time.

    Args:
        tables: The data set.
        seed: Whoever is tested under one seed is tested under it whatever is asked for, as long as
            the share is no smaller.
        test_share: Of the people that are tested; 0: nobody, and every time teaches.
    """
    groups = _groups(tables.snapshots)
    parts = {
        person: _part(hash_fraction(group, seed=seed), test_share)
        for person, group in groups.items()
    }
    later_from = _later_from(tables) if test_share > 0.0 else None
    return Split(parts=parts, groups=groups, later_from=later_from)


def hash_fraction(text: str, *, seed: int) -> float:
    """Return a number in [0, 1) that depends on a text and a seed alone."""
    digest = hashlib.blake2b(
        text.encode("utf-8", "surrogatepass"), digest_size=8, key=seed.to_bytes(8, "big")
    )
    return int.from_bytes(digest.digest(), "big") / _HASH_RANGE


def _part(fraction: float, test_share: float) -> Part:
    if fraction >= 1.0 - test_share:
        return Part.TEST
    taught = (1.0 - test_share) * (1.0 - CALIBRATION_SHARE)
    return Part.TRAIN if fraction < taught else Part.CALIBRATION


def _groups(snapshots: pl.DataFrame) -> dict[str, str]:
    """Return the smallest participant id among those connected through clusters."""
    leader: dict[str, str] = {}

    def find(person: str) -> str:
        root = person
        while leader[root] != root:
            root = leader[root]
        while leader[person] != root:
            leader[person], person = root, leader[person]
        return root

    first_of: dict[str, str] = {}
    rows = snapshots.select("participant_id", "cluster_id").unique(maintain_order=True)
    for person, cluster in rows.iter_rows():
        leader.setdefault(person, person)
        if cluster is not None:
            one, other = find(person), find(first_of.setdefault(cluster, person))
            leader[max(one, other)] = min(one, other)
    return {person: find(person) for person in leader}


def _later_from(tables: Tables) -> float | None:
    times = tables.snapshots["observed_time"]
    if not tables.pairs.is_empty():
        times = tables.pairs["proposed_time"]
    seconds = np.asarray(times.dt.epoch("us").to_numpy(), dtype=np.float64) / 1e6
    line = float(np.quantile(seconds, 1.0 - LATER_SHARE, method="lower"))
    later = float((seconds >= line).mean())
    # Many rows at one time: no line divides them into an earlier and a later share.
    return line if 0.5 * LATER_SHARE <= later <= 2.0 * LATER_SHARE else None
