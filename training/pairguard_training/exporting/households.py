"""Who shares an account, a device or an address with whom.

Owns the clusters that keep people who may be one apart from no split. Ids are linked as the journal
tells, in decisions, events and evidence, over the whole time. It must not know what a split is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

MOST_SHARING: Final = 100
"""A linked id of more participants is no household and no device: an address of a whole network
would put everybody into one part of a split."""


@dataclass(frozen=True, slots=True)
class Households:
    """Clusters of ids.

    Attributes:
        of_ids: ``id`` and ``cluster_id``, its smallest id, for every id that is linked.
        largest: How many ids the largest has.
        ignored: How many linked ids so many share that they link nobody.
    """

    of_ids: pl.DataFrame
    largest: int
    ignored: int


def households(links: pl.DataFrame) -> Households:
    """Return the clusters that links make.

    Args:
        links: ``participant_id`` and ``linked_id``, both hashes.
    """
    distinct = links.unique()
    sharing = distinct.group_by("linked_id").agg(pl.col("participant_id").n_unique().alias("n"))
    crowded = sharing.filter(pl.col("n") > MOST_SHARING)
    used = distinct.join(crowded, on="linked_id", how="anti")
    ids = pl.concat([used["participant_id"], used["linked_id"].alias("participant_id")])
    ids = ids.unique().sort()
    if ids.is_empty():
        return Households(_frame(ids, ids), 0, crowded.height)
    places = pl.DataFrame({"id": ids}).with_row_index("place")
    ends = [
        used.join(places, left_on=name, right_on="id", maintain_order="left")["place"].to_numpy()
        for name in ("participant_id", "linked_id")
    ]
    graph = coo_array((np.ones(used.height, np.int8), (ends[0], ends[1])), (len(ids), len(ids)))
    _, labels = connected_components(graph, directed=False)
    # Ids are sorted, so that the first of a cluster is its smallest.
    _, firsts, counts = np.unique(labels, return_index=True, return_counts=True)
    return Households(_frame(ids, ids[firsts[labels]]), int(counts.max()), crowded.height)


def _frame(ids: pl.Series, clusters: pl.Series) -> pl.DataFrame:
    return pl.DataFrame({"id": ids, "cluster_id": clusters}, schema_overrides=_SCHEMA)


_SCHEMA: Final = {"id": pl.String, "cluster_id": pl.String}
