"""Checks that need more than one column: references between tables, and evidence by its kind.

Owns what rows must agree on. It must not know how files are read; it sees columns that already
have their types. Problems name tables, columns and rows, never ids.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta

import polars as pl

from pairguard.age.evidence import CheckMethod, VerificationMethod
from pairguard_training.tables.columns import rows_where
from pairguard_training.tables.schema import MAXIMUM_AGE_YEARS

# Clocks of a platform's machines differ by seconds; evidence later than this is from the future.
CLOCK_TOLERANCE_SECONDS = 300

_CHECK_METHODS = [member.value for member in CheckMethod]
_VERIFICATION_METHODS = [member.value for member in VerificationMethod]


def check_references(
    frames: dict[str, pl.DataFrame], problems: list[str], *, unread: Collection[str] = ()
) -> None:
    """Check that what a row points to exists; ``unread`` names tables that could not be read."""
    for table, column, target_table, target_column in (
        ("age_evidence", "snapshot_id", "snapshots", "snapshot_id"),
        ("pairs", "snapshot_a", "snapshots", "snapshot_id"),
        ("pairs", "snapshot_b", "snapshots", "snapshot_id"),
        ("outcomes", "pair_id", "pairs", "pair_id"),
    ):
        if table in unread or target_table in unread:
            continue
        targets = frames[target_table][target_column].drop_nulls()
        if targets.is_empty() and not frames[target_table].is_empty():
            continue  # a column of ids that could not be read is named already
        values = frames[table][column]
        dangling = ~values.is_in(targets.implode()) & values.is_not_null()
        where = f"{table}.{column}"
        _report(problems, where, dangling, f"refers to nothing in {target_table}.{target_column}")


def check_pairs(frames: dict[str, pl.DataFrame], problems: list[str]) -> None:
    """Check that a pair joins two different participants."""
    pairs = frames["pairs"]
    if pairs.is_empty():
        return
    # Numbers for names: there may be many millions of pairs.
    owners = (
        frames["snapshots"]
        .select("snapshot_id", owner=pl.col("participant_id").rank("dense"))
        .unique("snapshot_id")
    )
    first, second = (
        pairs.select(snapshot_id=side).join(
            owners, on="snapshot_id", how="left", maintain_order="left"
        )["owner"]
        for side in ("snapshot_a", "snapshot_b")
    )
    same = first == second
    _report(problems, "pairs", same, "both snapshots belong to one participant")


def check_evidence(frames: dict[str, pl.DataFrame], problems: list[str]) -> None:
    """Check that each item of evidence has the fields that its kind needs."""
    evidence = frames["age_evidence"]
    if evidence.is_empty():
        return
    kind = evidence["kind"]
    one_of_two = evidence["age_years"].is_null() == evidence["birth_year"].is_null()
    for name in ("self_declared", "verified_age"):
        mask = (kind == name) & one_of_two
        _report(
            problems,
            "age_evidence",
            mask,
            f"{name} needs one of age_years and birth_year, not both",
        )
    for name, column in (
        ("facial_age_estimate", "mean_years"),
        ("age_check", "method"),
        ("age_check", "threshold_years"),
        ("age_check", "result"),
        ("verified_age", "method"),
    ):
        mask = (kind == name) & evidence[column].is_null()
        _report(problems, "age_evidence", mask, f"{name} needs {column}")
    for name, words in (("age_check", _CHECK_METHODS), ("verified_age", _VERIFICATION_METHODS)):
        mask = (kind == name) & ~evidence["method"].is_in(words)
        _report(
            problems, "age_evidence", mask, f"method of {name} must be one of {', '.join(words)}"
        )
    crossed = evidence["lower_years"] > evidence["upper_years"]
    _report(problems, "age_evidence", crossed, "lower_years is above upper_years")
    open_range = (
        (kind == "platform_age_range")
        & evidence["lower_years"].is_null()
        & evidence["upper_years"].is_null()
    )
    _report(
        problems,
        "age_evidence",
        open_range,
        "platform_age_range needs lower_years or upper_years; leave out what was not shared",
    )
    _check_times(frames, problems)


def check_future(frames: dict[str, pl.DataFrame], not_after: datetime, problems: list[str]) -> None:
    """Check that nothing happened after the data was written.

    Args:
        frames: The tables.
        not_after: When that was.
        problems: Receives one line for each problem.
    """
    limit = not_after + timedelta(seconds=CLOCK_TOLERANCE_SECONDS)
    for table, column in (
        ("snapshots", "observed_time"),
        ("age_evidence", "observed_time"),
        ("age_evidence", "declared_time"),
        ("pairs", "proposed_time"),
        ("outcomes", "observed_time"),
        ("outcomes", "received_time"),
        ("age_labels", "verified_time"),
    ):
        times = frames[table][column]
        text = f"is later than {not_after:%Y-%m-%dT%H:%M:%SZ}, when the data was written"
        _report(problems, f"{table}.{column}", times > limit, text)


def _check_times(frames: dict[str, pl.DataFrame], problems: list[str]) -> None:
    """Check that no evidence was observed, and nobody born, after the snapshot."""
    evidence = frames["age_evidence"].select(
        "snapshot_id", "observed_time", "declared_time", "birth_year"
    )
    snapshots = (
        frames["snapshots"]
        .select("snapshot_id", pl.col("observed_time").alias("snapshot_time"))
        .unique("snapshot_id")
    )
    joined = evidence.join(snapshots, on="snapshot_id", how="left", maintain_order="left")
    limit = joined["snapshot_time"] + pl.duration(seconds=CLOCK_TOLERANCE_SECONDS)
    limits = joined.select(limit=limit)["limit"]
    for column in ("observed_time", "declared_time"):
        _report(
            problems,
            f"age_evidence.{column}",
            joined[column] > limits,
            "is later than the observed_time of its snapshot: evidence from the future",
        )
    ages = joined["snapshot_time"].dt.year() - joined["birth_year"]
    out_of_range = (ages < 0) | (ages > MAXIMUM_AGE_YEARS)
    _report(problems, "age_evidence.birth_year", out_of_range, "gives an age outside 0-120 years")


def _report(problems: list[str], where: str, mask: pl.Series, text: str) -> None:
    if mask.fill_null(value=False).any():
        problems.append(f"{where}: {text}: {rows_where(mask)}")
