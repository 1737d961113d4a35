"""Records of the journal into frames.

Owns that each record gives all of its rows or is counted as left out, and the frames of a stretch
of the journal. It must not know where frames are written.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import polars as pl
from google.protobuf.message import DecodeError

from pairguard.store.ports import KeptRecord, RecordKind
from pairguard_training.exporting.decision_rows import decision_draft
from pairguard_training.exporting.drafts import Draft, Snapshot
from pairguard_training.exporting.event_rows import event_draft, evidence_draft
from pairguard_training.exporting.evidence_row import COLUMNS
from pairguard_training.exporting.tally import Reason, Tally, Thing
from pairguard_training.tables.columns import DTYPES
from pairguard_training.tables.schema import (
    AGE_EVIDENCE,
    ATTRIBUTE_PREFIX,
    PAIRS,
    SIGNAL_PREFIX,
    SNAPSHOTS,
    ColumnType,
    TableSchema,
)

CONVERSION_VERSION: Final = 1
"""Raised with each change of what a record gives, so that what was exported before is made anew."""
TIME: Final = pl.Datetime("us", "UTC")
_TEXT, _FLAG, _NUMBER = pl.String(), pl.Boolean(), pl.Float64()

MEETINGS: Final[Mapping[str, pl.DataType]] = {
    "pair_id": _TEXT, "decision_id": _TEXT, "ranked": _FLAG, "person_a": _TEXT,
    "person_b": _TEXT, "allowed": _FLAG, "proposed_time": TIME,
}  # fmt: skip
HAPPENINGS: Final[Mapping[str, pl.DataType]] = {
    "event_id": _TEXT, "kind": _TEXT, "chat_id": _TEXT, "decision_id": _TEXT, "person_a": _TEXT,
    "person_b": _TEXT, "category": _TEXT, "verdict": _TEXT, "duration_seconds": _NUMBER,
    "observed_time": TIME, "received_time": TIME, "report_ids": pl.List(pl.String()),
}  # fmt: skip
VERIFICATIONS: Final[Mapping[str, pl.DataType]] = {
    "participant_id": _TEXT, "evidence_id": _TEXT, "method": _TEXT, "age_years": _NUMBER,
    "verified_time": TIME,
}  # fmt: skip
LINKS: Final[Mapping[str, pl.DataType]] = {"participant_id": _TEXT, "linked_id": _TEXT}

_THINGS: Final = {
    RecordKind.DECISION: Thing.DECISIONS,
    RecordKind.EVENT: Thing.EVENTS,
    RecordKind.EVIDENCE: Thing.EVIDENCE,
}
_DRAFTS: Final[Mapping[RecordKind, Callable[[KeptRecord], Draft]]] = {
    RecordKind.DECISION: decision_draft,
    RecordKind.EVENT: event_draft,
    RecordKind.EVIDENCE: evidence_draft,
}


@dataclass(frozen=True, slots=True)
class Converted:
    """What a stretch of the journal gives.

    Attributes:
        frames: By table; ``snapshots``, ``age_evidence`` and ``pairs`` as the schema has them,
            without clusters and starts of chats, ``age_evidence`` with the time of its snapshot in
            ``day``; ``meetings``, ``happenings``, ``verifications`` and ``links`` as above.
        tally: What was read and left out.
        newest: The latest time of a record, microseconds since 1970; 0: none.
        key_ids: Which keys hashed the ids.
    """

    frames: Mapping[str, pl.DataFrame]
    tally: Tally
    newest: int
    key_ids: tuple[str, ...]


@dataclass(slots=True)
class _Rows:
    snapshots: list[Snapshot] = field(default_factory=list)
    age_evidence: list[tuple[Any, ...]] = field(default_factory=list)
    evidence_times: list[int] = field(default_factory=list)
    pairs: list[tuple[Any, ...]] = field(default_factory=list)
    meetings: list[tuple[Any, ...]] = field(default_factory=list)
    happenings: list[tuple[Any, ...]] = field(default_factory=list)
    verifications: dict[tuple[Any, ...], None] = field(default_factory=dict)
    links: dict[tuple[Any, ...], None] = field(default_factory=dict)


def converted(records: Iterable[KeptRecord]) -> Converted:
    """Return the frames of records."""
    rows, tally, newest, key_ids = _Rows(), Tally(), 0, set()
    for record in records:
        draft = _draft(record)
        tally.read.update(draft.tally.read)
        tally.left_out.update(draft.tally.left_out)
        newest = max(newest, draft.newest)
        if draft.newest:
            key_ids.add(draft.key_id)
        rows.snapshots += draft.snapshots
        rows.age_evidence += draft.age_evidence
        rows.evidence_times += [draft.newest] * len(draft.age_evidence)
        rows.pairs += draft.pairs
        rows.meetings += draft.meetings
        rows.happenings += draft.happenings
        rows.verifications.update(dict.fromkeys(draft.verifications))
        rows.links.update(dict.fromkeys(draft.links))
    return Converted(_frames(rows), tally, newest, tuple(sorted(key_ids)))


def _draft(record: KeptRecord) -> Draft:
    try:
        return _DRAFTS[record.kind](record)
    except KeyError:
        return _left_out(record, Reason.UNKNOWN_WORD)
    except (DecodeError, ValueError):
        return _left_out(record, Reason.UNREADABLE)


def _left_out(record: KeptRecord, reason: Reason) -> Draft:
    draft = Draft()
    draft.tally.found(_THINGS[record.kind])
    draft.tally.leave_out(_THINGS[record.kind], reason)
    return draft


def _frames(rows: _Rows) -> dict[str, pl.DataFrame]:
    return {
        "snapshots": _snapshots(rows.snapshots),
        "age_evidence": _of_schema(AGE_EVIDENCE, rows.age_evidence, COLUMNS).with_columns(
            pl.Series("day", rows.evidence_times, dtype=pl.Int64).cast(TIME)
        ),
        "pairs": _of_schema(PAIRS, rows.pairs, _PAIR_COLUMNS),
        "meetings": _frame(rows.meetings, MEETINGS),
        "happenings": _frame(rows.happenings, HAPPENINGS),
        "verifications": _frame(list(rows.verifications), VERIFICATIONS),
        "links": _frame(list(rows.links), LINKS),
    }


_PAIR_COLUMNS: Final = tuple(c.name for c in PAIRS.columns if c.name != "chat_started")
_SNAPSHOT_COLUMNS: Final = tuple(c.name for c in SNAPSHOTS.columns if c.name != "cluster_id")


def _of_schema(
    schema: TableSchema, rows: list[tuple[Any, ...]], names: tuple[str, ...]
) -> pl.DataFrame:
    """Return rows with the columns of a table, those that are not told all null."""
    types = {column.name: DTYPES[column.type] for column in schema.columns}
    frame = _frame(rows, {name: types[name] for name in names})
    return frame.select(
        pl.col(name) if name in frame.columns else pl.lit(None, dtype=types[name]).alias(name)
        for name in types
    )


def _frame(rows: list[tuple[Any, ...]], types: Mapping[str, pl.DataType]) -> pl.DataFrame:
    # Times come as microseconds, which is faster than making a datetime of each.
    raw = {name: pl.Int64() if each == TIME else each for name, each in types.items()}
    return pl.DataFrame(rows, schema=raw, orient="row").with_columns(
        pl.col(name).cast(TIME) for name, each in types.items() if each == TIME
    )


def _snapshots(snapshots: list[Snapshot]) -> pl.DataFrame:
    fixed = _of_schema(
        SNAPSHOTS, [each[: len(_SNAPSHOT_COLUMNS)] for each in snapshots], _SNAPSHOT_COLUMNS
    )
    signals: dict[str, tuple[list[int], list[float]]] = {}
    attributes: dict[str, list[str | None]] = {}
    for row, each in enumerate(snapshots):
        for name, value in each.signals.items():
            places, values = signals.setdefault(name, ([], []))
            places.append(row)
            values.append(value)
        for name, word in each.attributes.items():
            attributes.setdefault(name, [None] * len(snapshots))[row] = word
    columns = [
        _sparse(SIGNAL_PREFIX + name, *signals[name], len(snapshots)) for name in sorted(signals)
    ]
    columns += [
        pl.Series(ATTRIBUTE_PREFIX + name, attributes[name], dtype=DTYPES[ColumnType.TEXT])
        for name in sorted(attributes)
    ]
    return fixed.with_columns(columns)


def _sparse(name: str, places: list[int], values: list[float], length: int) -> pl.Series:
    whole = np.full(length, np.nan)
    whole[places] = values
    return pl.Series(name, whole).fill_nan(None)
