"""Logged decisions out of the five tables.

Owns what tables tell of a decision and what they do not: no reasons, and of what was kept only what
``history.*`` says. So a pair that was stopped and that nothing in the tables forbids stays
"perhaps": a hold, a block or a spent budget may have stopped it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import polars as pl

from pairguard.policy.decision import DecisionKind
from pairguard.policy.regions import Policy
from pairguard_training.harm_labels import harm_rows, newest_time, pairs_with_people
from pairguard_training.replaying.kept_reasons import state_of_histories
from pairguard_training.replaying.logged import LoggedDecision
from pairguard_training.replaying.outcomes import SECONDS_PER_DAY, Outcomes
from pairguard_training.splitting import split_tables
from pairguard_training.tables.participants import participants
from pairguard_training.tables.reading import Tables
from pairguard_training.truth import Truth

_CHUNK: Final = 2_000


def table_decisions(tables: Tables) -> Iterator[LoggedDecision]:
    """Yield the pairs of a data set in the order of their table, some thousand at a time."""
    groups = split_tables(tables, seed=0).groups  # who shares a household, whatever the seed
    pairs = pairs_with_people(tables)
    seconds = pairs["proposed_time"].dt.epoch("us").cast(pl.Float64).to_numpy() / 1e6
    for start in range(0, pairs.height, _CHUNK):
        chunk = pairs.slice(start, _CHUNK)
        ids_a, ids_b = chunk["snapshot_a"].to_list(), chunk["snapshot_b"].to_list()
        names = list(dict.fromkeys([*ids_a, *ids_b]))
        known = dict(zip(names, participants(tables, names), strict=True))
        columns = chunk.select(
            "pair_id",
            "decision",
            "allow_probability",
            "chat_started",
            "bundle_version",
            "policy_version",
        ).iter_rows()
        times = seconds[start : start + _CHUNK].tolist()
        for one, other, now, row in zip(ids_a, ids_b, times, columns, strict=True):
            pair_id, decision, allowed_with, started, bundle, policy = row
            a, b = known[one], known[other]
            yield LoggedDecision(
                decision_id=pair_id,
                time=now,
                a=a,
                b=b,
                people=(groups[a.participant_id], groups[b.participant_id]),
                state=state_of_histories((a.history, b.history)),
                state_recorded=False,
                kind=_kind(decision, started),
                allow_probability=allowed_with,
                bundle_version=bundle or "",
                policy_version=policy or "",
                chat_started=started,
            )


def _kind(decision: str | None, started: bool | None) -> DecisionKind | None:  # noqa: FBT001 - a cell
    # Where the decision was not recorded, a chat that started says that it was allowed.
    if decision is None:
        return DecisionKind.ALLOW if started else None
    return DecisionKind.__members__.get(decision)


def table_outcomes(tables: Tables, truth: Truth, policy: Policy, *, window_days: float) -> Outcomes:
    """Return what the tables tell of the pairs, and which of known ages are mixed.

    Args:
        tables: The data set.
        truth: Its ages.
        policy: Whose adult ages count.
        window_days: How long after a proposal a report counts.
    """
    met = harm_rows(tables, report_window_days=window_days)
    rows = zip(met.pair_ids, met.seconds.tolist(), met.harmed.tolist(), strict=True)
    return Outcomes(
        harmed={pair_id: proposed for pair_id, proposed, harmed in rows if harmed},
        window_seconds=window_days * SECONDS_PER_DAY,
        known_until=None if tables.outcomes.is_empty() else newest_time(tables).timestamp(),
        mixed=_mixed(tables, truth, policy),
        untold=frozenset(met.unknown_ids),
    )


def _mixed(tables: Tables, truth: Truth, policy: Policy) -> dict[str, bool]:
    """Return whether each pair is mixed whose two ages are known."""
    regions = dict(tables.snapshots.select("snapshot_id", "region").iter_rows())
    found = {}
    for pair_id, one, other in tables.pairs.select(
        "pair_id", "snapshot_a", "snapshot_b"
    ).iter_rows():
        a, b = truth.ages.get(one), truth.ages.get(other)
        if a is not None and b is not None:
            ages = policy.for_pair(regions[one] or "", regions[other] or "").adult_ages
            found[pair_id] = any((a < adult_age) is not (b < adult_age) for adult_age in ages)
    return found
