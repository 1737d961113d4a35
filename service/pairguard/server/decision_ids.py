"""Ids of decisions: 32 random hexadecimal digits, the first of which tells a ranking from a pair.

What a challenger would have decided is no decision: its records have ids that no decision has.

Owns the first digit, so that the start of a chat whose decision has not been found yet is known to
follow from a ranking: then it adds to the exposure of both, which a decision on the pair has done.

The system is asked for randomness for many ids at once: each time, another thread gets its turn.
"""

from __future__ import annotations

import os
from typing import Final

_DIGITS: Final = "0123456789abcdef"
_OF_PAIRS: Final = _DIGITS[:8]
_OF_PAIR: Final = dict(zip(_DIGITS, _OF_PAIRS * 2, strict=True))
_OF_RANKING: Final = dict(zip(_DIGITS, _DIGITS[8:] * 2, strict=True))

_LENGTH: Final = 32
_TOGETHER: Final = 256

_unused: Final[list[str]] = []


def new_pair_decision_id() -> str:
    """Return an id for a decision on one pair."""
    digits = _random_digits()
    return _OF_PAIR[digits[0]] + digits[1:]


def new_ranking_id() -> str:
    """Return an id for a ranking."""
    digits = _random_digits()
    return _OF_RANKING[digits[0]] + digits[1:]


def new_shadow_id() -> str:
    """Return an id for a record of what a challenger would have decided."""
    return "s" + _random_digits()[1:]


def is_of_pair(decision_id: str) -> bool:
    """Return whether an id can only be that of a decision on one pair."""
    return decision_id[:1] in _OF_PAIRS and bool(decision_id)


def _random_digits() -> str:
    """Return 32 digits that no other call returns; each is taken off the list by one thread."""
    try:
        return _unused.pop()
    except IndexError:
        drawn = os.urandom(_LENGTH // 2 * _TOGETHER).hex()
        first, *others = [drawn[place : place + _LENGTH] for place in range(0, len(drawn), _LENGTH)]
        _unused.extend(others)
        return first


# A forked child must not give out what its parent gives out.
os.register_at_fork(after_in_child=_unused.clear)
