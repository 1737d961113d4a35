"""The five tables of a data set: names, types, ranges and permitted words of their columns.

Owns what a data set looks like, as plain values. It must not know how files are read or repaired
(``columns``, ``reading``) nor what the columns are worth.

Words in the tables are the contract's enum names without their prefix; null means absent.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType

from pairguard.age.evidence import (
    EVIDENCE_KINDS,
    Binding,
    CheckMethod,
    CheckResult,
    Liveness,
    Platform,
    PlatformAssurance,
    VerificationMethod,
)

SIGNAL_PREFIX = "signal."
ATTRIBUTE_PREFIX = "attribute."
AUDIT_PREFIX = "audit."
HISTORY_PREFIX = "history."

MAXIMUM_AGE_YEARS = 120.0
EARLIEST_BIRTH_YEAR = 1890
LATEST_BIRTH_YEAR = 2100

DECISIONS = ("ALLOW", "REROUTE", "BLOCK")
MODALITIES = ("UNSPECIFIED", "TEXT", "AUDIO", "VIDEO")
VERDICTS = ("UNSPECIFIED", "UPHELD", "CLEARED", "INCONCLUSIVE")
# The names of the feedback event's fields in the contract.
OUTCOME_KINDS = (
    "chat_started",
    "chat_ended",
    "report",
    "review_verdict",
    "hold_placed",
    "hold_released",
    "personal_block",
    "personal_block_lifted",
    "appeal_outcome",
)
REPORT_CATEGORIES = (
    "UNSPECIFIED",
    "CHILD_SEXUAL_EXPLOITATION",
    "ADULT_POSING_AS_MINOR",
    "UNDERAGE",
    "SEXUAL_CONDUCT",
    "SEXTORTION",
    "HARASSMENT",
    "VIOLENCE",
    "SELF_HARM",
    "SPAM",
    "OTHER",
)


class ColumnType(StrEnum):
    """What a column holds once it has been read."""

    TEXT = "text"
    NUMBER = "number"
    WHOLE = "whole number"
    TIME = "timestamp"
    FLAG = "true or false"
    TEXTS = "list of texts"
    ANY = "text or number"


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table.

    Attributes:
        name: Name in the file.
        type: What it holds.
        required: Whether the column must be there with a value in every row.
        unique: Whether every value may occur once only.
        words: Permitted texts; empty: any.
        minimum: Lowest permitted number; None: none.
        maximum: Highest permitted number; None: none.
        nan_is_missing: Whether NaN stands for null; elsewhere NaN is an error.
    """

    name: str
    type: ColumnType
    required: bool = False
    unique: bool = False
    words: tuple[str, ...] = ()
    minimum: float | None = None
    maximum: float | None = None
    nan_is_missing: bool = False


@dataclass(frozen=True, slots=True)
class TableSchema:
    """One table: its fixed columns and the prefixes of its open families of columns."""

    name: str
    columns: tuple[Column, ...]
    required: bool = False
    families: Mapping[str, ColumnType] = field(default_factory=lambda: MappingProxyType({}))

    def family(self, column: str) -> Column | None:
        """Return the description of a column that belongs to an open family, else None."""
        for prefix, column_type in self.families.items():
            if column.startswith(prefix) and len(column) > len(prefix):
                return Column(column, column_type, nan_is_missing=True)
        return None


def _id(name: str, *, unique: bool = False, required: bool = True) -> Column:
    return Column(name, ColumnType.TEXT, required=required, unique=unique)


def _text(name: str, words: tuple[str, ...] = (), *, required: bool = False) -> Column:
    return Column(name, ColumnType.TEXT, required=required, words=words)


def _words(*enums: type[StrEnum]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(member.value for enum in enums for member in enum))


def _time(name: str, *, required: bool = False) -> Column:
    return Column(name, ColumnType.TIME, required=required)


def _age(name: str, *, required: bool = False, whole: bool = False) -> Column:
    return Column(
        name,
        ColumnType.WHOLE if whole else ColumnType.NUMBER,
        required=required,
        minimum=0.0,
        maximum=MAXIMUM_AGE_YEARS,
    )


SNAPSHOTS = TableSchema(
    "snapshots",
    (
        _id("snapshot_id", unique=True),
        _id("participant_id"),
        _time("observed_time", required=True),
        _text("region"),
        _text("language"),
        _text("entry_path"),
        _text("cluster_id"),
        Column("interests", ColumnType.TEXTS),
    ),
    required=True,
    families=MappingProxyType(
        {
            SIGNAL_PREFIX: ColumnType.NUMBER,
            ATTRIBUTE_PREFIX: ColumnType.TEXT,
            AUDIT_PREFIX: ColumnType.ANY,
        }
    ),
)

AGE_EVIDENCE = TableSchema(
    "age_evidence",
    (
        _id("snapshot_id"),
        _id("evidence_id", required=False),
        _text("kind", EVIDENCE_KINDS, required=True),
        _time("observed_time"),
        _time("declared_time"),
        _time("expire_time"),
        _text("provider"),
        _text("binding", _words(Binding)),
        _text("method", _words(CheckMethod, VerificationMethod)),
        _text("platform", _words(Platform)),
        _text("assurance", _words(PlatformAssurance)),
        _age("age_years"),
        Column(
            "birth_year",
            ColumnType.WHOLE,
            minimum=EARLIEST_BIRTH_YEAR,
            maximum=LATEST_BIRTH_YEAR,
        ),
        _age("gate_years"),
        _age("lower_years", whole=True),
        _age("upper_years", whole=True),
        _age("mean_years"),
        _age("threshold_years"),
        _text("result", _words(CheckResult)),
        _text("liveness", _words(Liveness)),
        Column("quality", ColumnType.NUMBER),
        _text("capture_session"),
        # Told of somebody linked alone, who may be another person: it restricts and never admits.
        Column("of_linked", ColumnType.FLAG),
    ),
)

PAIRS = TableSchema(
    "pairs",
    (
        _id("pair_id", unique=True),
        _id("snapshot_a"),
        _id("snapshot_b"),
        _time("proposed_time", required=True),
        _text("modality", MODALITIES),
        Column("wait_seconds", ColumnType.NUMBER, minimum=0.0),
        _text("decision", DECISIONS),
        Column("allow_probability", ColumnType.NUMBER, minimum=0.0, maximum=1.0),
        Column("chat_started", ColumnType.FLAG),
        _text("bundle_version"),
        _text("policy_version"),
    ),
)

OUTCOMES = TableSchema(
    "outcomes",
    (
        _id("pair_id"),
        _text("kind", OUTCOME_KINDS, required=True),
        _text("category", REPORT_CATEGORIES),
        _text("verdict", VERDICTS),
        _text("reporter_id"),
        _text("reported_id"),
        Column("duration_seconds", ColumnType.NUMBER, minimum=0.0),
        _time("observed_time"),
        _time("received_time"),
    ),
)

AGE_LABELS = TableSchema(
    "age_labels",
    (
        _id("participant_id", unique=True),
        _age("age_years", required=True),
        _time("verified_time"),
        _text("method", _words(VerificationMethod)),
        Column("sampling_probability", ColumnType.NUMBER, minimum=0.0, maximum=1.0),
        _text("evidence_id"),
    ),
)

TABLES: tuple[TableSchema, ...] = (SNAPSHOTS, AGE_EVIDENCE, PAIRS, OUTCOMES, AGE_LABELS)
