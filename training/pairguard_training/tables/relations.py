"""Checks that need more than one column: references between tables, and evidence by its kind.

Owns what rows must agree on. It must not know how files are read nor where ids are looked up; it
sees parts of tables whose columns have their types. Problems name tables, columns and rows, never
ids.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np
import polars as pl

from pairguard.age.evidence import CheckMethod, VerificationMethod
from pairguard_training.tables.findings import Findings
from pairguard_training.tables.id_index import Places
from pairguard_training.tables.schema import MAXIMUM_AGE_YEARS

# Clocks of a platform's machines differ by seconds; evidence later than this is from the future.
CLOCK_TOLERANCE_SECONDS = 300

_CHECK_METHODS = [member.value for member in CheckMethod]
_VERIFICATION_METHODS = [member.value for member in VerificationMethod]


def check_reference(
    where: str, target: str, ids: pl.Series, places: Places, found: Findings
) -> None:
    """Check that what the rows of a part point to exists.

    Args:
        where: Table and column.
        target: The column that it points to.
        ids: The column.
        places: Where its ids stand in the other table; -1: nowhere.
        found: Receives what is wrong.
    """
    dangling = pl.Series(places < 0) & ids.is_not_null()
    found.rows(f"{where}: refers to nothing in {target}", dangling)


def check_pairs(owners: Places, sides: tuple[Places, Places], found: Findings) -> None:
    """Check that each pair of a part joins two different participants.

    Args:
        owners: Number of the participant of each snapshot; -1: not told.
        sides: Rows of both snapshots; -1: not there.
        found: Receives what is wrong.
    """
    if not owners.size:
        return
    first, second = (np.where(side >= 0, owners[side], -1) for side in sides)
    same = pl.Series((first == second) & (first >= 0))
    found.rows("pairs: both snapshots belong to one participant", same)


def check_evidence(
    evidence: pl.DataFrame, snapshot_times: pl.Series, places: Places, found: Findings
) -> None:
    """Check that each item of a part has the fields that its kind needs, and no later time.

    Args:
        evidence: The part.
        snapshot_times: When each snapshot was taken.
        places: Rows of the items' snapshots; -1: not there.
        found: Receives what is wrong.
    """
    kind = evidence["kind"]
    one_of_two = evidence["age_years"].is_null() == evidence["birth_year"].is_null()
    for name in ("self_declared", "verified_age"):
        mask = (kind == name) & one_of_two
        found.rows(f"age_evidence: {name} needs one of age_years and birth_year, not both", mask)
    for name, column in (
        ("facial_age_estimate", "mean_years"),
        ("age_check", "method"),
        ("age_check", "threshold_years"),
        ("age_check", "result"),
        ("verified_age", "method"),
    ):
        mask = (kind == name) & evidence[column].is_null()
        found.rows(f"age_evidence: {name} needs {column}", mask)
    for name, words in (("age_check", _CHECK_METHODS), ("verified_age", _VERIFICATION_METHODS)):
        mask = (kind == name) & ~evidence["method"].is_in(words)
        what = f"age_evidence: method of {name} must be one of {', '.join(words)}"
        found.rows(what, mask)
    crossed = evidence["lower_years"] > evidence["upper_years"]
    found.rows("age_evidence: lower_years is above upper_years", crossed)
    open_range = (
        (kind == "platform_age_range")
        & evidence["lower_years"].is_null()
        & evidence["upper_years"].is_null()
    )
    found.rows(
        "age_evidence: platform_age_range needs lower_years or upper_years; leave out what was "
        "not shared",
        open_range,
    )
    _check_times(evidence, snapshot_times, places, found)


def check_future(table: str, frame: pl.DataFrame, not_after: datetime, found: Findings) -> None:
    """Check that nothing in a part happened after the data was written.

    Args:
        table: Its name.
        frame: The part.
        not_after: When that was.
        found: Receives what is wrong.
    """
    limit = not_after + timedelta(seconds=CLOCK_TOLERANCE_SECONDS)
    text = f"is later than {not_after:%Y-%m-%dT%H:%M:%SZ}, when the data was written"
    for column in _TIMES[table]:
        found.rows(f"{table}.{column}: {text}", frame[column] > limit)


_TIMES = {
    "snapshots": ("observed_time",),
    "age_evidence": ("observed_time", "declared_time"),
    "pairs": ("proposed_time",),
    "outcomes": ("observed_time", "received_time"),
    "age_labels": ("verified_time",),
}


def _check_times(
    evidence: pl.DataFrame, snapshot_times: pl.Series, places: Places, found: Findings
) -> None:
    """Check that no evidence was observed, and nobody born, after the snapshot."""
    there = pl.Series(places).set(pl.Series(places < 0), None)
    taken = snapshot_times.gather(there).alias("taken")
    limit = pl.DataFrame([taken]).select(
        limit=pl.col("taken") + pl.duration(seconds=CLOCK_TOLERANCE_SECONDS)
    )["limit"]
    for column in ("observed_time", "declared_time"):
        found.rows(
            f"age_evidence.{column}: is later than the observed_time of its snapshot: evidence "
            "from the future",
            evidence[column] > limit,
        )
    ages = taken.dt.year() - evidence["birth_year"]
    out_of_range = (ages < 0) | (ages > MAXIMUM_AGE_YEARS)
    found.rows("age_evidence.birth_year: gives an age outside 0-120 years", out_of_range)
