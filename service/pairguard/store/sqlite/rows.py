"""Rows and holds of participants as they are read, and rows as records change them.

Owns the hot path: what a decision reads, in one statement. It must not know what is in a row
(``pairguard.history``), except that one can be damaged.

A row that cannot be changed because it is damaged is set aside as it is and leaves a gap in its
place: whoever reads that participant finds the state unreadable, nothing is overwritten, and
records go on into the journal, from which the row can be made again.
"""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

from pairguard.errors import StoreUnavailable
from pairguard.history.changes import Change
from pairguard.history.folding import Folding, folded
from pairguard.history.sections import DAMAGE
from pairguard.history.summary import may_have_upheld_harm
from pairguard.store.ports import LEGAL_HOLD, Hold, KeptParticipant
from pairguard.store.sqlite.batches import Selection

SECONDS_PER_DAY: Final = 86_400.0
_SET_ASIDE: Final = "what is kept of a participant is damaged and was set aside"

_READ: Final = Selection(
    f"""
    SELECT id_hash, row, NULL, NULL FROM participant_rows WHERE id_hash IN ({{}})
    UNION ALL
    SELECT id_hash, reason, start_time, expire_time FROM holds
    WHERE id_hash IN ({{}}) AND (expire_time IS NULL OR expire_time > ?1)
        AND reason <> '{LEGAL_HOLD}'
    """,  # noqa: S608 - a constant
    others=1,
)
# What nearly every decision asks, as one row: stepping to a row lets other threads in, and getting
# the turn back costs more than finding it. A row that was set aside is empty, a missing one NULL.
_FEW: Final = 8
_NOTHING: Final = KeptParticipant()


def _read_few(count: int) -> str:
    keys = [f"?{place + 2}" for place in range(count)]
    row = "(SELECT ifnull(row, x'') FROM participant_rows WHERE id_hash = {})"
    return (
        f"SELECT EXISTS (SELECT 1 FROM holds WHERE id_hash IN ({','.join(keys)}) "  # noqa: S608
        f"AND (expire_time IS NULL OR expire_time > ?1) AND reason <> '{LEGAL_HOLD}'), "
        + ", ".join([row.format(key) for key in keys])
    )


_READ_FEW: Final = {count: _read_few(count) for count in range(1, _FEW + 1)}
_LOAD: Final = Selection(
    "SELECT id_hash, number, row, last_day FROM participant_rows WHERE id_hash IN ({})"
)


def read(
    connection: sqlite3.Connection, participants: Sequence[Sequence[bytes]], now: float
) -> tuple[KeptParticipant, ...]:
    """Return what is kept of each participant; see ``ParticipantStore.read``."""
    ids = list(dict.fromkeys([each for of_one in participants for each in of_one]))
    if 0 < len(ids) <= _FEW:
        is_held, *few = connection.execute(_READ_FEW[len(ids)], (now, *ids)).fetchone()
        if not is_held:
            if b"" in few:
                raise StoreUnavailable(_SET_ASIDE)
            if not any(few):
                return (_NOTHING,) * len(participants)
            rows = dict(zip(ids, few, strict=True))
            return tuple(
                [
                    KeptParticipant(
                        tuple(
                            [
                                row
                                for each in dict.fromkeys(of_one)
                                if (row := rows[each]) is not None
                            ]
                        )
                    )
                    for of_one in participants
                ]
            )
    return _read_all(connection, participants, ids, now)


def _read_all(
    connection: sqlite3.Connection,
    participants: Sequence[Sequence[bytes]],
    ids: Sequence[bytes],
    now: float,
) -> tuple[KeptParticipant, ...]:
    rows: dict[bytes, bytes] = {}
    holds: dict[bytes, list[Hold]] = {}
    for id_hash, content, start_time, expire_time in _READ.rows(connection, ids, now):
        if start_time is not None:
            holds.setdefault(id_hash, []).append(Hold(content, start_time, expire_time))
        elif content is None:
            raise StoreUnavailable(_SET_ASIDE)
        else:
            rows[id_hash] = content
    return tuple(
        [
            KeptParticipant(
                tuple([rows[each] for each in dict.fromkeys(of_one) if each in rows]),
                _distinct(holds, of_one) if holds else (),
            )
            for of_one in participants
        ]
    )


def change(
    connection: sqlite3.Connection,
    changes: Mapping[bytes, Sequence[Change]],
    days: Mapping[bytes, int],
    *,
    make_new: bool = True,
) -> None:
    """Apply changes to rows, each of which is read and written once.

    Args:
        connection: Within a transaction.
        changes: By id, in the order of their records.
        days: By id the latest day, since 1970, on which one of the records was made.
        make_new: Whether an id without a row gets one.

    Raises:
        ValueError: A change cannot be applied to any row.
    """
    kept = {
        id_hash: (number, row, day)
        for id_hash, number, row, day in _LOAD.rows(connection, [*changes])
    }
    folding = Folding()
    made, changed, dated, damaged = [], [], [], []
    for id_hash, of_one in changes.items():
        number, row, day = kept.get(id_hash, (None, b"", None))
        if row is None or (number is None and not make_new):
            continue
        try:
            written = folding.folded(row, of_one)
        except DAMAGE:
            # What an empty row does not take either is a mistake of the record, or of the program,
            # and not of the row.
            folded(b"", of_one)
            damaged.append((id_hash, row, number))
            continue
        last_day = max(days.get(id_hash, day or 0), day or 0)
        if number is None:
            made.append((id_hash, last_day, written))
        elif last_day != day and id_hash in days:
            dated.append((written, last_day, number))
        elif written != row:
            changed.append((written, number))
    # In the order in which they lie, so that each page is come to once.
    changed.sort(key=_number)
    dated.sort(key=_number)
    connection.executemany(
        "INSERT INTO participant_rows (id_hash, last_day, row) VALUES (?, ?, ?)", made
    )
    connection.executemany("UPDATE participant_rows SET row = ? WHERE number = ?", changed)
    connection.executemany(
        "UPDATE participant_rows SET row = ?, last_day = ? WHERE number = ?", dated
    )
    for id_hash, row, number in damaged:
        connection.execute(
            "INSERT OR REPLACE INTO damaged_rows (id_hash, row) VALUES (?, ?)", (id_hash, row)
        )
        connection.execute("UPDATE participant_rows SET row = NULL WHERE number = ?", (number,))


def _number(of_statement: tuple[Any, ...]) -> int:
    number: int = of_statement[-1]
    return number


def without_upheld_harm(
    connection: sqlite3.Connection, ids: Collection[bytes], now: float
) -> list[bytes]:
    """Return those ids whose row can be read and says that no harm stands upheld."""
    kept = {id_hash: row for id_hash, _number, row, _day in _LOAD.rows(connection, [*ids])}
    without = []
    for each in ids:
        row = kept.get(each, b"")
        if row is not None and not may_have_upheld_harm(row, now):
            without.append(each)
    return without


def day_of(time: float) -> int:
    """Return the day since 1970 of a time, seconds since 1970."""
    return int(time // SECONDS_PER_DAY)


def _distinct(holds: Mapping[bytes, list[Hold]], ids: Sequence[bytes]) -> tuple[Hold, ...]:
    return tuple(sorted({hold for each in ids for hold in holds.get(each, ())}, key=_order))


def _order(hold: Hold) -> tuple[str, float, float]:
    return hold.reason, hold.start_time, math.inf if hold.expire_time is None else hold.expire_time
