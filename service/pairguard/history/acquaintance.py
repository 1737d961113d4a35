"""Who of a pool may stand in whose rows: who met, or blocked whom.

Owns the search through the rows of many at once, by the first bytes of ids, instead of through each
two of them. It must not know what follows from it: whoever is found is looked at closely then.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pairguard.history.blocks import others_in_blocks
from pairguard.history.contacts import PREFIX_BYTES, id_prefixes
from pairguard.history.sections import CONTACTS, LEDGER, ledger_of, section_of, sections_of
from pairguard.history.summary import BLOCK_LIST, may_block

_Prefixes = NDArray[np.uint64]


def possibly_acquainted(
    rows_of_each: Sequence[Sequence[bytes]], ids_of_each: Sequence[Sequence[bytes]]
) -> set[tuple[int, int]]:
    """Return which two may have met or blocked each other, by their places, the lower one first.

    Whoever is left out has not; a few may be in that have not either.

    Args:
        rows_of_each: The rows of each participant.
        ids_of_each: Hashes of all its ids.

    Raises:
        ValueError: A row is damaged.
    """
    if not any(rows_of_each):
        return set()
    owners = [place for place, ids in enumerate(ids_of_each) for _ in ids]
    prefixes = _prefixes([each for ids in ids_of_each for each in ids])
    order = np.argsort(prefixes, kind="stable")
    wanted, by_prefix = prefixes[order], np.array(owners, dtype=np.intp)[order]
    found = set()
    for place, rows in enumerate(rows_of_each):
        for row in rows:
            named = _named_in(row)
            starts = np.searchsorted(wanted, named, side="left")
            ends = np.searchsorted(wanted, named, side="right")
            for hit in np.flatnonzero(ends > starts).tolist():
                for other in by_prefix[starts[hit] : ends[hit]].tolist():
                    if other != place:
                        found.add((min(place, other), max(place, other)))
    return found


def possibly_acquainted_with(
    one: int, rows_of_each: Sequence[Sequence[bytes]], ids_of_each: Sequence[Sequence[bytes]]
) -> list[int]:
    """Return who may have met or blocked one of a pool, or have been blocked, by their places.

    Whoever is left out has not. A look at the bytes as they are: nothing is taken apart, so that no
    row is found to be damaged here, and a row of blocks may name anybody.

    Args:
        one: The place of the one.
        rows_of_each: The rows of each participant.
        ids_of_each: Hashes of all its ids.
    """
    others = [place for place in range(len(rows_of_each)) if place != one]
    if may_block(rows_of_each[one]):
        return others
    # Joined, they may seem to name somebody where two of them meet: one more who is looked at.
    own_rows = b"".join(rows_of_each[one])
    own_prefixes = [each[:PREFIX_BYTES] for each in ids_of_each[one]]
    found = []
    for place in others:
        rows = b"".join(rows_of_each[place])
        if (
            BLOCK_LIST in rows
            or any([each in rows for each in own_prefixes])  # noqa: C419 - a generator is slower
            or any([each[:PREFIX_BYTES] in own_rows for each in ids_of_each[place]])  # noqa: C419
        ):
            found.append(place)
    return found


def _named_in(row: bytes) -> _Prefixes:
    """Return the first bytes of all ids in the lists of a row."""
    met = id_prefixes(section_of(row, CONTACTS))
    if BLOCK_LIST not in section_of(row, LEDGER):
        return met
    names = others_in_blocks(ledger_of(sections_of(row).get(LEDGER)))
    return np.concatenate([met, _prefixes([bytes.fromhex(name) for name in names])])


def _prefixes(ids: Sequence[bytes]) -> _Prefixes:
    return np.frombuffer(b"".join([each[:PREFIX_BYTES] for each in ids]), "<u8")
