"""Rows of the tables as the domain's values, so that training sees what serving sees.

Owns the conversion from columns to ``Participant`` and ``AgeEvidence``. It must not check: the
tables were checked when they were read.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from types import MappingProxyType
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from pairguard.age.evidence import (
    AgeCheck,
    AgeEvidence,
    Binding,
    CheckMethod,
    CheckResult,
    FacialAgeEstimate,
    Liveness,
    Observation,
    Platform,
    PlatformAgeRange,
    PlatformAssurance,
    SelfDeclared,
    VerificationMethod,
    VerifiedAge,
)
from pairguard.risk.participant import Participant
from pairguard_training.tables.narrowing import ROW_A, ROW_B
from pairguard_training.tables.reading import Tables
from pairguard_training.tables.schema import ATTRIBUTE_PREFIX, HISTORY_PREFIX, SIGNAL_PREFIX

Rows = NDArray[np.int32]
"""Where rows stand in a table: four bytes each, for tables of many millions."""

_PROCESSING_DAYS = 7
"""A label may be written down so long after the check that gave it."""
_EMPTY: Mapping[str, Any] = MappingProxyType({})


def participants(
    tables: Tables,
    snapshot_ids: Sequence[str] | None = None,
    *,
    before_labels: bool = False,
) -> list[Participant]:
    """Return the participants of snapshots.

    Args:
        tables: The data set.
        snapshot_ids: Which snapshots, in which order, repeats allowed; None: all, in their order.
        before_labels: Whether to leave out the check that gave a participant its age label, and
            everything observed at or after it: a label must not be learned from itself.

    Raises:
        KeyError: For a snapshot that is not in the tables.
    """
    return SnapshotReader(tables, before_labels=before_labels).participants(snapshot_ids)


def snapshot_rows(snapshots: pl.DataFrame, snapshot_ids: Sequence[str] | pl.Series) -> Rows:
    """Return (n,) where snapshots stand in their table; -1: not there."""
    wanted = pl.DataFrame({"snapshot_id": snapshot_ids}, schema={"snapshot_id": pl.String})
    rows = snapshots.select("snapshot_id", row=pl.int_range(pl.len(), dtype=pl.Int32))
    found = wanted.join(rows, on="snapshot_id", how="left", maintain_order="left")["row"]
    return found.fill_null(-1).to_numpy()


def pair_sides(tables: Tables) -> tuple[Rows, Rows]:
    """Return (n,) rows of the first and (n,) of the second snapshot of each pair; -1: not there."""
    if ROW_A in tables.pairs.columns:
        return tables.pairs[ROW_A].to_numpy(), tables.pairs[ROW_B].to_numpy()
    return (
        snapshot_rows(tables.snapshots, tables.pairs["snapshot_a"]),
        snapshot_rows(tables.snapshots, tables.pairs["snapshot_b"]),
    )


class SnapshotReader:
    """Reads participants part by part; where each snapshot and its evidence stand is found once.

    Args:
        tables: The data set.
        before_labels: As for ``participants``.
    """

    def __init__(self, tables: Tables, *, before_labels: bool = False) -> None:
        self._snapshots = tables.snapshots
        evidence = age_evidence_before_labels(tables) if before_labels else tables.age_evidence
        places = snapshot_rows(self._snapshots, evidence["snapshot_id"])
        # A part of the snapshots may be all that is looked at.
        inside = places >= 0
        if not inside.all():
            evidence, places = evidence.filter(pl.Series(inside)), places[inside]
        self._evidence = evidence
        self._evidence_order = np.argsort(places, kind="stable")
        self._evidence_from = np.searchsorted(
            places[self._evidence_order], np.arange(self._snapshots.height + 1)
        )

    @cached_property
    def _places(self) -> dict[str, int]:
        """Return where each snapshot stands, for those who ask by name again and again."""
        return {name: row for row, name in enumerate(self._snapshots["snapshot_id"].to_list())}

    def participants(self, snapshot_ids: Sequence[str] | Rows | None = None) -> list[Participant]:
        """Return the participants of snapshots, by name or by row; see ``participants``.

        Raises:
            KeyError: For a snapshot that is not in the tables.
        """
        order = self._order(snapshot_ids)
        evidence = self._evidence_of(np.unique(order))
        rows = self._snapshots[order]
        signals, histories = _signals(rows)
        attributes = _attributes(rows)
        interests = rows["interests"].to_list()
        return [
            Participant(
                participant_id=participant_id,
                age_evidence=evidence.get(snapshot_id, ()),
                signals=signals[index],
                attributes=attributes[index],
                interests=tuple(interests[index] or ()),
                region=region or "",
                language=language or "",
                entry_path=entry_path or "",
                history=histories[index],
            )
            for index, (snapshot_id, participant_id, region, language, entry_path) in enumerate(
                rows.select(
                    "snapshot_id", "participant_id", "region", "language", "entry_path"
                ).iter_rows()
            )
        ]

    def seconds(self, snapshot_ids: Sequence[str] | Rows | None = None) -> NDArray[np.float64]:
        """Return (n,) seconds since 1970 UTC at which snapshots were taken."""
        times = self._snapshots["observed_time"][self._order(snapshot_ids)]
        return np.asarray(times.dt.epoch("us").to_numpy(), dtype=np.float64) / 1e6

    def _order(self, snapshot_ids: Sequence[str] | Rows | None) -> Rows:
        if snapshot_ids is None:
            return np.arange(self._snapshots.height, dtype=np.int32)
        if isinstance(snapshot_ids, np.ndarray):
            return snapshot_ids
        return np.array([self._places[name] for name in snapshot_ids], dtype=np.int32)

    def _evidence_of(self, places: Rows) -> dict[str, tuple[AgeEvidence, ...]]:
        """Return the items of snapshots that have any."""
        starts, ends = self._evidence_from[places], self._evidence_from[places + 1]
        counts = ends - starts
        within = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
        rows = self._evidence_order[np.repeat(starts, counts) + within]
        return _evidence_by_snapshot(self._evidence[rows])


def observed_seconds(
    tables: Tables, snapshot_ids: Sequence[str] | None = None
) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Return (n,) seconds since 1970 UTC at which snapshots were taken: the ``now`` of a score."""
    snapshots = tables.snapshots
    if snapshot_ids is not None:
        places = {name: row for row, name in enumerate(snapshots["snapshot_id"].to_list())}
        snapshots = snapshots[np.array([places[name] for name in snapshot_ids], dtype=np.int64)]
    return np.asarray(snapshots["observed_time"].dt.epoch("us").to_numpy(), dtype=np.float64) / 1e6


def age_evidence_before_labels(tables: Tables) -> pl.DataFrame:
    """Return the age evidence without the checks that labelled somebody, and anything later.

    A label without a time was given when the check that it names was made. Where that check is not
    among the evidence, it may stand there under no name or another, and some days before the label:
    whatever may be it is left out, a document, a wallet or a verdict, by the label's method where
    that is told. So is any of these that has no time.
    """
    if tables.age_labels.is_empty() or tables.age_evidence.is_empty():
        return tables.age_evidence
    labels = tables.age_labels.select(
        "participant_id",
        "verified_time",
        pl.col("evidence_id").alias("label_evidence_id"),
        pl.col("method").alias("label_method"),
    )
    # Only what labelled people showed can be left out.
    owners = tables.snapshots.select("snapshot_id", "participant_id").join(
        labels, on="participant_id", how="semi"
    )
    joined = (
        tables.age_evidence.select(
            "snapshot_id", "evidence_id", "observed_time", "kind", "method",
            row=pl.int_range(pl.len(), dtype=pl.Int32),
        )
        .join(owners, on="snapshot_id", maintain_order="left")
        .join(labels, on="participant_id", how="left", maintain_order="left")
    )  # fmt: skip
    labelled = (pl.col("evidence_id") == pl.col("label_evidence_id")).fill_null(value=False)
    of_label = pl.col("observed_time").filter(labelled).min().over("participant_id")
    verified = pl.coalesce("verified_time", of_label)
    later = (pl.col("observed_time") >= verified).fill_null(value=False)
    unfound = ~labelled.any().over("participant_id")
    in_the_days_before = pl.col("observed_time") >= verified - pl.duration(days=_PROCESSING_DAYS)
    may_be_it = (verified.is_null() | in_the_days_before).fill_null(value=True)
    may_have_labelled = (
        pl.col("participant_id").is_in(labels["participant_id"].implode())
        & (pl.col("observed_time").is_null() | (unfound & may_be_it))
        & pl.col("kind").is_in(["verified_age", "age_check"])
        & pl.col("method").is_in(list(_VERIFICATIONS)).fill_null(value=False)
        & (pl.col("method") == pl.col("label_method")).fill_null(value=True)
    )
    kept = np.ones(tables.age_evidence.height, dtype=np.bool_)
    kept[joined.filter(labelled | later | may_have_labelled)["row"].to_numpy()] = False
    return tables.age_evidence.filter(pl.Series(kept))


def _signals(
    rows: pl.DataFrame,
) -> tuple[list[Mapping[str, float]], list[Mapping[str, float] | None]]:
    """Split the signal columns into what a caller sends and what the service counts itself."""
    columns = [name for name in rows.columns if name.startswith(SIGNAL_PREFIX)]
    names = [name.removeprefix(SIGNAL_PREFIX) for name in columns]
    own = [(c, n) for c, n in zip(columns, names, strict=True) if n.startswith(HISTORY_PREFIX)]
    sent = [(c, n) for c, n in zip(columns, names, strict=True) if not n.startswith(HISTORY_PREFIX)]
    histories = _known(rows, own)
    return _known(rows, sent), [history or None for history in histories]


def _attributes(rows: pl.DataFrame) -> list[Mapping[str, str]]:
    columns = [name for name in rows.columns if name.startswith(ATTRIBUTE_PREFIX)]
    return _known(rows, [(name, name.removeprefix(ATTRIBUTE_PREFIX)) for name in columns])


def _known(rows: pl.DataFrame, columns: list[tuple[str, str]]) -> list[Mapping[str, Any]]:
    """Return for each row the values that are known, by name; null (NaN was made null) is not."""
    if not columns:
        return [_EMPTY] * rows.height
    names = [name for _, name in columns]
    return [
        {name: value for name, value in zip(names, row, strict=True) if value is not None}
        for row in rows.select([column for column, _ in columns]).iter_rows()
    ]


def _evidence_by_snapshot(evidence: pl.DataFrame) -> dict[str, tuple[AgeEvidence, ...]]:
    """Return the items of each snapshot in the order of the table.

    A participant's snapshots repeat most items; each is made once.
    """
    fields = [name for name in evidence.columns if name != "snapshot_id"]
    rows = evidence.with_row_index("row").group_by(fields, maintain_order=True).agg("row")
    items: list[AgeEvidence] = [_NO_ITEM] * evidence.height
    seconds = [
        (pl.col(name).dt.epoch("us") / 1e6).alias(name)
        for name in ("observed_time", "declared_time", "expire_time")
    ]
    for (kind,), group in rows.with_columns(seconds).group_by("kind", maintain_order=True):
        columns, observe = _OBSERVATIONS[str(kind)]
        for (
            places,
            evidence_id,
            observed,
            expire,
            provider,
            binding,
            of_linked,
            *values,
        ) in group.select("row", *_EVERY_KIND, *columns).iter_rows():
            item = AgeEvidence(
                observation=observe(*values),
                evidence_id=evidence_id or "",
                observed_time=observed,
                expire_time=expire,
                provider=provider or "",
                binding=_BINDINGS[binding or "UNSPECIFIED"],
                of_linked=bool(of_linked),
            )
            for place in places:
                items[place] = item
    collected: dict[str, list[AgeEvidence]] = {}
    for snapshot_id, item in zip(evidence["snapshot_id"].to_list(), items, strict=True):
        collected.setdefault(snapshot_id, []).append(item)
    return {snapshot_id: tuple(found) for snapshot_id, found in collected.items()}


_EVERY_KIND = (
    "evidence_id", "observed_time", "expire_time", "provider", "binding", "of_linked",
)  # fmt: skip
# Looking a member up in a plain dict is several times faster than calling its enum.
_BINDINGS = {member.value: member for member in Binding}
_METHODS = {member.value: member for member in CheckMethod}
_RESULTS = {member.value: member for member in CheckResult}
_LIVENESS = {member.value: member for member in Liveness}
_PLATFORMS = {member.value: member for member in Platform}
_ASSURANCES = {member.value: member for member in PlatformAssurance}
_VERIFICATIONS = {member.value: member for member in VerificationMethod}
_NO_ITEM = AgeEvidence(SelfDeclared())


def _platform_age_range(
    platform: str | None, assurance: str | None, lower: int | None, upper: int | None
) -> Observation:
    return PlatformAgeRange(
        _PLATFORMS[platform or "UNSPECIFIED"], _ASSURANCES[assurance or "UNSPECIFIED"], lower, upper
    )


def _facial_age_estimate(
    mean_years: float, liveness: str | None, quality: float | None, session: str | None
) -> Observation:
    return FacialAgeEstimate(
        mean_years, _LIVENESS[liveness or "UNSPECIFIED"], quality, session or ""
    )


def _age_check(
    method: str, threshold_years: float, result: str, liveness: str | None, session: str | None
) -> Observation:
    return AgeCheck(
        _METHODS[method],
        threshold_years,
        _RESULTS[result],
        liveness=_LIVENESS[liveness or "UNSPECIFIED"],
        capture_session=session or "",
    )


def _verified_age(
    method: str,
    age_years: float | None,
    birth_year: int | None,
    liveness: str | None,
    session: str | None,
) -> Observation:
    return VerifiedAge(
        _VERIFICATIONS[method],
        age_years,
        birth_year,
        liveness=_LIVENESS[liveness or "UNSPECIFIED"],
        capture_session=session or "",
    )


# The columns of each kind, in the order in which its function takes them.
_OBSERVATIONS: dict[str, tuple[tuple[str, ...], Callable[..., Observation]]] = {
    "self_declared": (("age_years", "birth_year", "declared_time", "gate_years"), SelfDeclared),
    "platform_age_range": (
        ("platform", "assurance", "lower_years", "upper_years"),
        _platform_age_range,
    ),
    "facial_age_estimate": (
        ("mean_years", "liveness", "quality", "capture_session"),
        _facial_age_estimate,
    ),
    "age_check": (
        ("method", "threshold_years", "result", "liveness", "capture_session"),
        _age_check,
    ),
    "verified_age": (
        ("method", "age_years", "birth_year", "liveness", "capture_session"),
        _verified_age,
    ),
}
