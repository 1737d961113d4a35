"""The proposed pairs of a data set, judged as the service would have judged them.

Owns what is told of a pair, and which pairs are judged together. It must not know where the tables
came from nor how scores are written.

Each pair is judged at the time when it was proposed, on what its two snapshots hold. Of what a
store would know besides, only ``history.*`` is in the tables: no holds, no personal blocks, nothing
spent of any day.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np
import polars as pl

from pairguard.policy.decision import DecisionKind
from pairguard.policy.judgement import Judge
from pairguard.policy.pool_judgement import PoolJudgement, PoolMember
from pairguard.policy.state import NOTHING_KEPT
from pairguard_training.progress import progress
from pairguard_training.tables.participants import SnapshotReader
from pairguard_training.tables.reading import Tables

PAIR_SCORES: Final = pl.Schema(
    {
        "pair_id": pl.String(),
        "snapshot_a": pl.String(),
        "snapshot_b": pl.String(),
        "proposed_time": pl.Datetime("us", "UTC"),
        "minor_adult_probability": pl.Float64(),
        "harm_probability": pl.Float64(),
        "risk_score": pl.Float64(),
        "decision": pl.String(),
        "reasons": pl.List(pl.String()),
    }
)
"""What is told of a pair; ``harm_probability`` is null where the bundle has no harm model."""

_PAIRS_AT_ONCE = 2_048
"""An assessment takes some ten thousand bytes until its pairs are judged."""


def pair_scores(judge: Judge, tables: Tables) -> Iterator[pl.DataFrame]:
    """Yield the scores of all pairs part by part, in their order: frames of ``PAIR_SCORES``.

    Every number and decision has the same bits as ``Judge.judge_pair`` gives.
    """
    reader = SnapshotReader(tables)
    with progress(tables.pairs.height, "scoring pairs") as advance:
        for part in tables.pairs.iter_slices(_PAIRS_AT_ONCE):
            yield _scored(judge, reader, part)
            advance(part.height)


def _scored(judge: Judge, reader: SnapshotReader, pairs: pl.DataFrame) -> pl.DataFrame:
    times = (pairs["proposed_time"].dt.epoch("us").cast(pl.Float64) / 1e6).to_list()
    # Somebody in several pairs of one moment is assessed once.
    members: dict[tuple[str, float], int] = {}
    first, second = (
        np.array(
            [
                members.setdefault(member, len(members))
                for member in zip(pairs[side].to_list(), times, strict=True)
            ],
            dtype=np.intp,
        )
        for side in ("snapshot_a", "snapshot_b")
    )
    people = reader.participants([name for name, _ in members])
    pool = PoolJudgement.of(
        judge,
        [PoolMember(person, NOTHING_KEPT) for person in people],
        now=[time for _, time in members],
        acquaintances={},
    )
    found = pool.pairs(first, second)
    harm = found.risk.harm
    return pairs.select("pair_id", "snapshot_a", "snapshot_b", "proposed_time").with_columns(
        pl.Series("minor_adult_probability", found.risk.minor_adult),
        pl.Series("harm_probability", [None] * pairs.height if harm is None else harm, pl.Float64),
        pl.Series("risk_score", found.risk.scores),
        pl.Series("decision", [DecisionKind(kind).name for kind in found.kinds.tolist()]),
        pl.Series(
            "reasons",
            [[code.value for code in found.reason_codes(row)] for row in range(pairs.height)],
            pl.List(pl.String),
        ),
    )
