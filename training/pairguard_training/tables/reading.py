"""Reading a data set: five tables in, checked frames out, or every problem at once.

Owns the order of the checks and the options of a reader. It must not know what the rows mean to a
model (``participants`` turns them into the domain's values).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

import polars as pl

from pairguard.errors import TablesRefused
from pairguard.risk.catalogue import SignalCatalogue
from pairguard_training.tables import files, relations
from pairguard_training.tables.advice import catalogue_advice, label_advice, signal_advice
from pairguard_training.tables.columns import absent, conform
from pairguard_training.tables.schema import TABLES, TableSchema


@dataclass(frozen=True, slots=True)
class Tables:
    """A data set whose tables have passed every check; each column has its schema's type.

    Attributes:
        snapshots: Participants as they were at one time; every fixed column is there.
        age_evidence: Evidence about the age that a snapshot came with.
        pairs: Proposed pairs of snapshots.
        outcomes: What happened after a pair was formed.
        age_labels: Established ages.
        data_hash: sha256 (hex) over the files that were read.
        warnings: What was odd but usable, one line each.
    """

    snapshots: pl.DataFrame
    age_evidence: pl.DataFrame
    pairs: pl.DataFrame
    outcomes: pl.DataFrame
    age_labels: pl.DataFrame
    data_hash: str = ""
    warnings: tuple[str, ...] = field(default=())

    def for_fitting(self) -> Tables:
        """Return the same without what no fit looks at: ends of chats, and how a pair came about.

        The latest times stay, and that something was recorded at all.
        """
        looked_at = pl.col("kind").is_in(["report", "review_verdict"]) | (
            pl.int_range(pl.len()) == 0
        )
        for name in ("observed_time", "received_time"):
            looked_at |= (pl.col(name) == pl.col(name).max()).fill_null(value=False)
        return replace(
            self,
            pairs=self.pairs.drop("modality", "wait_seconds", "bundle_version", "policy_version"),
            outcomes=self.outcomes.filter(looked_at),
        )

    def of_labelled(self) -> Tables:
        """Return the same with the snapshots and the evidence of people with an age label alone."""
        people = self.age_labels["participant_id"].unique()
        snapshots = self.snapshots.filter(pl.col("participant_id").is_in(people.implode()))
        names = snapshots["snapshot_id"]
        evidence = self.age_evidence.filter(pl.col("snapshot_id").is_in(names.implode()))
        return replace(self, snapshots=snapshots, age_evidence=evidence)


def read_tables(
    directory: Path,
    *,
    catalogue: SignalCatalogue | None = None,
    missing_codes: Mapping[str, Sequence[float | str]] | None = None,
    not_after: datetime | None = None,
) -> Tables:
    """Read and check the five tables of a data set.

    A table is one file ``NAME.parquet`` or a folder ``NAME`` of Parquet files. Only ``snapshots``
    must be there. A missing optional column is all null. Timestamps without a zone are UTC.

    Args:
        directory: Where the tables are.
        catalogue: Signals that the models will know; signals outside it are named in a warning.
            None: any signal will do.
        missing_codes: Values that stand for "missing" by column, such as
            ``{"signal.height_cm": [0, -1], "age_evidence.birth_year": [0]}``; a name without a
            table is one of ``snapshots``.
        not_after: When the data was written: nothing may have happened later. None: not checked.

    Raises:
        TablesRefused: With every problem of every table; nothing of the data may be used.
    """
    if not directory.is_dir():
        raise TablesRefused([f"{directory}: no such folder; it should hold snapshots.parquet"])
    problems: list[str] = []
    warnings: list[str] = []
    raw: dict[str, pl.DataFrame] = {}
    paths: list[Path] = []
    unread: set[str] = set()
    for schema in TABLES:
        told = len(problems)
        found = files.table_files(directory, schema.name)
        paths += found
        if schema.required and not found:
            problems.append(f"{schema.name}: no file {schema.name}.parquet and no folder of parts")
        raw[schema.name] = files.read_parts(directory, found, problems)
        if len(problems) > told:
            unread.add(schema.name)
    _replace_missing_codes(raw, missing_codes or {}, problems)
    frames = {
        schema.name: _conform_table(raw.pop(schema.name), schema, problems, warnings)
        for schema in TABLES
    }
    # Rows that point to a table that could not be read would all seem to point to nothing.
    relations.check_references(frames, problems, unread=unread)
    if unread.isdisjoint({"snapshots", "pairs"}):
        relations.check_pairs(frames, problems)
    if unread.isdisjoint({"snapshots", "age_evidence"}):
        relations.check_evidence(frames, problems)
    if not_after is not None:
        relations.check_future(frames, not_after, problems)
    if frames["snapshots"].is_empty() and not problems:
        problems.append("snapshots: has no rows")
    if problems:
        raise TablesRefused(problems)
    warnings += signal_advice(frames["snapshots"], frozenset(missing_codes or {}))
    warnings += label_advice(frames["age_labels"])
    if catalogue is not None:
        warnings += catalogue_advice(frames["snapshots"], catalogue)
    return Tables(
        **frames,
        data_hash=files.content_hash(directory, tuple(paths)),
        warnings=tuple(warnings),
    )


def _conform_table(
    frame: pl.DataFrame, schema: TableSchema, problems: list[str], warnings: list[str]
) -> pl.DataFrame:
    """Return the table with every fixed column in its type, its families, and nothing else."""
    unread, rows = not frame.columns, frame.height
    # Each column of the frame is given up as soon as it has its type.
    held = {series.name: series for series in frame.get_columns()}
    del frame
    columns: list[pl.Series] = []
    for column in schema.columns:
        if column.name in held:
            found = held.pop(column.name)
            columns.append(conform(schema.name, found, column, problems))
            continue
        if column.required and not unread:
            problems.append(
                f"{schema.name}.{column.name}: the column is missing; "
                f"it should hold a {column.type.value} in every row"
            )
        columns.append(absent(column, rows))
    ignored: list[str] = []
    for name in list(held):
        described = schema.family(name)
        if described is None:
            ignored.append(name)
        else:
            columns.append(conform(schema.name, held.pop(name), described, problems))
    if ignored:
        shown = ", ".join(map(repr, ignored[:10])) + (", ..." if len(ignored) > 10 else "")
        warnings.append(f"{schema.name}: columns outside the schema are ignored: {shown}")
    return pl.DataFrame(columns)


def _replace_missing_codes(
    raw: dict[str, pl.DataFrame],
    codes: Mapping[str, Sequence[float | str]],
    problems: list[str],
) -> None:
    """Turn the codes for "missing" into null, before any range is checked."""
    for name, values in codes.items():
        table, _, column = name.partition(".")
        if table not in raw:
            table, column = "snapshots", name
        frame = raw[table]
        if column not in frame.columns:
            if frame.columns:
                problems.append(f"missing_codes: there is no column {column!r} in {table}")
            continue
        numeric = frame.schema[column].is_numeric()
        if any(isinstance(value, str) is numeric for value in values):
            kind = "numbers" if numeric else "texts"
            problems.append(f"missing_codes: the codes of {column!r} in {table} should be {kind}")
            continue
        mask = pl.lit(value=False)
        for value in values:
            mask |= pl.col(column) == value
        raw[table] = frame.with_columns(
            pl.when(mask.fill_null(value=False)).then(None).otherwise(pl.col(column)).alias(column)
        )
