"""Evidence that somebody else made: the mixture that every honest error model enters.

Owns the two ways in which an item, or all items of one attack, speak of another person:

- **older**: a borrowed document, a parent's face, an account made up as an adult's. It happens at a
  rate that is highest for children, and presents ages of ``tables.presented_age``.
- **younger**: an adult who poses as a minor with a child's picture, document or account. It happens
  at a rate that is 0 below the reference age, and presents ages of ``tables.posed_age``.

It must not know what an item says honestly (``pairguard.age.observation``).
"""

from __future__ import annotations

from pairguard.age.parameters import Array
from pairguard.age.tables import AgeTables


def with_attacks(
    tables: AgeTables, honest: Array, *, attack: Array | float, posing: Array | float
) -> Array:
    """Return (101,) (1 - e - d) F + e G + d H by true age.

    Args:
        tables: Which ages the other person has.
        honest: (101,) F, what the items say of whom they are about, in [0, 1].
        attack: (101,) e, or one rate for all ages, of evidence of somebody older.
        posing: (101,) d, or one rate for all ages, of evidence of somebody younger.
    """
    presented = (tables.presented_age * honest).sum()
    posed = (tables.posed_age * honest).sum()
    mixed: Array = (1.0 - attack - posing) * honest
    mixed += attack * presented
    mixed += posing * posed
    return mixed
