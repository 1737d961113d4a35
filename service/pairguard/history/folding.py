"""Changes into rows, many at once.

Owns that what the rows of several ids share is worked out once: the ids of one participant that are
always told together have the same tiles, contacts, chats and ledger, and get the same changes. It
must not know where rows are kept. ``pairguard.history.row`` says what a change does.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from pairguard.history.changes import (
    Change,
    ChatEnded,
    ChatStarted,
    Decided,
    Exposed,
    Linked,
    ReportMade,
)
from pairguard.history.row import Row
from pairguard.history.sections import CHATS, CONTACTS, LEDGER, TILES, TIMES, row_of, sections_of

# What these read and write, and nothing else; ``Linked`` touches none of it.
_SHARED: Final = (TIMES, TILES, CONTACTS, LEDGER, CHATS)
_KINDS: Final = frozenset({Decided, Exposed, ChatStarted, ChatEnded, ReportMade})


class Folding:
    """Folds the changes of one append into rows.

    Holds on to what it was given, so it is for one append and no longer.
    """

    __slots__ = ("_done",)

    def __init__(self) -> None:
        # The changes are kept beside the result: a key names them by their place in memory.
        self._done: dict[tuple[object, ...], tuple[Sequence[Change], Sequence[bytes]]] = {}

    def folded(self, row: bytes, changes: Sequence[Change]) -> bytes:
        """Return a row after changes, as if each had been applied to it alone.

        Raises:
            ValueError: The row is damaged; other errors tell the same.
        """
        shared = [each for each in changes if type(each) is not Linked]
        if not _KINDS.issuperset(map(type, shared)):
            return folded(row, changes)
        sections = sections_of(row)
        read = [sections.get(tag, b"") for tag in _SHARED]
        key = (*read, *map(id, shared))
        done = self._done.get(key)
        if done is None:
            state = Row(sections=sections)
            for each in changes:
                state.apply(each)
            written = state.sections_written()
            self._done[key] = shared, [written.get(tag, b"") for tag in _SHARED]
            return row_of(written)
        sections |= zip(_SHARED, done[1], strict=True)
        if len(shared) == len(changes):
            return row_of(sections)
        state = Row(sections=sections)
        for each in changes:
            if type(each) is Linked:
                state.apply(each)
        return row_of(state.sections_written())


def folded(row: bytes, changes: Sequence[Change]) -> bytes:
    """Return a row after changes.

    Raises:
        ValueError: The row is damaged; other errors tell the same.
    """
    state = Row(row)
    for each in changes:
        state.apply(each)
    return state.written()
