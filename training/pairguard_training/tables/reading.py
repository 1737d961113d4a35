"""Reading a data set: five tables in, checked frames out, or every problem at once.

Owns the order of the checks and the options of a reader. It must not know what the rows mean to a
model (``participants`` turns them into the domain's values).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from types import MappingProxyType

import numpy as np
import polars as pl
import pyarrow as pa

from pairguard.errors import TablesRefused
from pairguard.risk.catalogue import SignalCatalogue
from pairguard_training.tables import files, narrowing, relations
from pairguard_training.tables.advice import catalogue_advice, label_advice, signal_advice
from pairguard_training.tables.findings import Findings
from pairguard_training.tables.id_index import IdIndex, Places
from pairguard_training.tables.schema import TABLES, TableSchema
from pairguard_training.tables.table_reader import KeptParts, TableReader


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
        rows: How many rows each table had when it was read; a fit keeps fewer.
    """

    snapshots: pl.DataFrame
    age_evidence: pl.DataFrame
    pairs: pl.DataFrame
    outcomes: pl.DataFrame
    age_labels: pl.DataFrame
    data_hash: str = ""
    warnings: tuple[str, ...] = field(default=())
    rows: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))

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
    for_fitting: bool = False,
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
        for_fitting: Keep only what a fit looks at (``narrowing``): pairs have ``row_a`` and
            ``row_b`` in place of ``snapshot_a`` and ``snapshot_b``. Everything is checked.

    Raises:
        TablesRefused: With every problem of every table; nothing of the data may be used.
    """
    if not directory.is_dir():
        raise TablesRefused([f"{directory}: no such folder; it should hold snapshots.parquet"])
    reading = _Reading(directory, missing_codes or {}, not_after, for_fitting=for_fitting)
    for schema in TABLES:
        reading.read(schema)
    frames, problems, warnings = reading.frames, reading.all_problems(), reading.warnings
    if frames["snapshots"].is_empty() and reading.is_whole("snapshots"):
        problems.insert(0, "snapshots: has no rows")
    if problems:
        raise TablesRefused(problems)
    warnings += signal_advice(frames["snapshots"], frozenset(missing_codes or {}))
    warnings += label_advice(frames["age_labels"], frames["snapshots"]["participant_id"])
    if catalogue is not None:
        warnings += catalogue_advice(frames["snapshots"], catalogue)
    return Tables(
        **frames,
        data_hash=files.content_hash(directory, tuple(reading.paths)),
        warnings=tuple(warnings),
        rows=MappingProxyType(reading.rows),
    )


class _Reading:
    """A data set on its way in, table by table, each part by part.

    A table is read after those that it points to, so that each of its parts can be checked whole.
    """

    def __init__(
        self,
        directory: Path,
        codes: Mapping[str, Sequence[float | str]],
        not_after: datetime | None,
        *,
        for_fitting: bool,
    ) -> None:
        self._directory, self._not_after, self._for_fitting = directory, not_after, for_fitting
        self._codes: dict[str, dict[str, Sequence[float | str]]] = {}
        names = {schema.name for schema in TABLES}
        for name, values in codes.items():
            table, _, column = name.partition(".")
            if table not in names:
                table, column = "snapshots", name
            self._codes.setdefault(table, {})[column] = values
        self._of_files: list[str] = []
        self._of_codes: list[str] = []
        self._of_tables: list[str] = []
        self._unread: set[str] = set()
        self._indexes: dict[str, IdIndex | None] = {}
        self._owners: Places = np.empty(0, dtype=np.int32)
        self.paths: list[Path] = []
        self.warnings: list[str] = []
        self.frames: dict[str, pl.DataFrame] = {}
        self.rows: dict[str, int] = {}

    def all_problems(self) -> list[str]:
        """Return a line for each problem of what was read."""
        return [*self._of_files, *self._of_codes, *self._of_tables]

    def is_whole(self, name: str) -> bool:
        """Return whether a table was read without a problem of its files."""
        return name not in self._unread

    def read(self, schema: TableSchema) -> None:
        """Read and check the next table."""
        told, name = len(self._of_files), schema.name
        found = files.table_files(self._directory, name)
        self.paths += found
        if schema.required and not found:
            self._of_files.append(f"{name}: no file {name}.parquet and no folder of parts")
        parts = files.table_parts(self._directory, found, self._of_files)
        codes = self._usable_codes(name, parts.schema)
        table, kept, relations_found, times = (
            TableReader(schema, parts.schema),
            KeptParts(),
            Findings(),
            Findings(),
        )
        # What it points to; a table that could not be read whole is not blamed for it.
        kept.add(self._related(name, table.take(pl.DataFrame(schema=parts.schema)), Findings()))
        for raw in parts.frames(self._of_files):
            relations_found.offset = times.offset = table.rows
            part = table.take(raw.with_columns(codes))
            if self._not_after is not None:
                relations.check_future(name, part, self._not_after, times)
            kept.add(self._related(name, part, relations_found))
        self.rows[name], frame = table.rows, kept.frame()
        pa.default_memory_pool().release_unused()
        if len(self._of_files) > told:
            self._unread.add(name)
            relations_found = Findings()
        self._index(schema, table, frame)
        self.frames[name] = frame
        if name == "outcomes" and self._for_fitting:
            self.frames[name] = narrowing.outcomes_for_fitting(frame)
        self._of_tables += [*table.problems(), *relations_found.lines(), *times.lines()]
        self.warnings += table.warnings()

    def _usable_codes(self, name: str, found: Mapping[str, pl.DataType]) -> list[pl.Expr]:
        """Return what turns codes for "missing" into null, before any range is checked."""
        changes = []
        for column, values in self._codes.get(name, {}).items():
            if column not in found:
                if found:
                    self._of_codes.append(f"missing_codes: there is no column {column!r} in {name}")
                continue
            numeric = found[column].is_numeric()
            if any(isinstance(value, str) is numeric for value in values):
                kind = "numbers" if numeric else "texts"
                self._of_codes.append(
                    f"missing_codes: the codes of {column!r} in {name} should be {kind}"
                )
                continue
            mask = pl.lit(value=False)
            for value in values:
                mask |= pl.col(column) == value
            changes.append(
                pl.when(mask.fill_null(value=False))
                .then(None)
                .otherwise(pl.col(column))
                .alias(column)
            )
        return changes

    def _related(self, name: str, part: pl.DataFrame, found: Findings) -> pl.DataFrame:
        """Check what a part points to, and return what is kept of it."""
        if name == "snapshots":
            return narrowing.snapshots_for_fitting(part) if self._for_fitting else part
        if name == "age_evidence":
            if "snapshots" not in self._unread:
                places = self._places("age_evidence.snapshot_id", part, "snapshots", found)
                times = self.frames["snapshots"]["observed_time"]
                relations.check_evidence(part, times, places, found)
            return narrowing.evidence_for_fitting(part) if self._for_fitting else part
        if name == "pairs" and "snapshots" not in self._unread:
            sides = (
                self._places("pairs.snapshot_a", part, "snapshots", found),
                self._places("pairs.snapshot_b", part, "snapshots", found),
            )
            relations.check_pairs(self._owners, sides, found)
            if self._for_fitting:
                return narrowing.pairs_for_fitting(part, sides)
        elif name == "outcomes":
            if "pairs" not in self._unread:
                self._places("outcomes.pair_id", part, "pairs", found)
            if self._for_fitting:
                return narrowing.outcomes_for_fitting(part)
        return part

    def _places(self, where: str, part: pl.DataFrame, target: str, found: Findings) -> Places:
        """Return where the ids of a column stand in another table; -1: nowhere, which is told."""
        ids, index = part[where.partition(".")[2]], self._indexes.get(target)
        if index is None:  # a column of ids that could not be read is named already
            return np.full(len(ids), -1, dtype=np.int32)
        places = index.places(ids)
        relations.check_reference(where, f"{target}.{_KEYS[target]}", ids, places, found)
        return places

    def _index(self, schema: TableSchema, table: TableReader, frame: pl.DataFrame) -> None:
        """Find ids that occur twice, and keep where ids stand for the tables that point here."""
        for column in schema.columns:
            if column.unique:
                ids = frame[column.name]
                index = IdIndex(ids)
                table.repeats(column, index.repeated())
                usable = ids.null_count() < len(ids) or frame.is_empty()
                self._indexes[schema.name] = index if usable else None
        if schema.name == "snapshots":
            numbers = frame["participant_id"].rank("dense").cast(pl.Int32).fill_null(-1)
            self._owners = numbers.to_numpy()
        if schema.name == "outcomes":
            self._indexes.clear()


_KEYS = {"snapshots": "snapshot_id", "pairs": "pair_id"}
