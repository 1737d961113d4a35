"""Ids of decisions: 32 random hexadecimal digits, the first of which tells a ranking from a pair.

What a challenger would have decided is no decision: its records have ids that no decision has.

Owns the first digit, so that the start of a chat whose decision has not been found yet is known to
follow from a ranking: then it adds to the exposure of both, which a decision on the pair has done.
"""

from __future__ import annotations

import secrets
from typing import Final

_DIGITS: Final = "0123456789abcdef"
_OF_PAIRS: Final = _DIGITS[:8]


def new_pair_decision_id() -> str:
    """Return an id for a decision on one pair."""
    return secrets.choice(_OF_PAIRS) + secrets.token_hex(16)[1:]


def new_ranking_id() -> str:
    """Return an id for a ranking."""
    return secrets.choice(_DIGITS[8:]) + secrets.token_hex(16)[1:]


def new_shadow_id() -> str:
    """Return an id for a record of what a challenger would have decided."""
    return "s" + secrets.token_hex(16)[1:]


def is_of_pair(decision_id: str) -> bool:
    """Return whether an id can only be that of a decision on one pair."""
    return decision_id[:1] in _OF_PAIRS and bool(decision_id)
