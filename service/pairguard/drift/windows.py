"""What was counted lately: rolling windows of tiles, in which each participant counts once.

Owns the tiles, and who was counted already. Nothing of a participant is kept but in which tile a
place last counted somebody, a place being a part of a salted hash that nobody can turn back. It
must not know what is counted; time comes in.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import Final

import numpy as np

from pairguard.drift.groups import Unit
from pairguard.drift.sightings import Sightings
from pairguard.drift.tally import Counts, Layout

_MOST_TILES: Final = 120
_STAMPS: Final = 251
"""Tiles are told apart modulo this; more than twice as many as a window has."""
_NEVER: Final = 255


class Window:
    """Counts of a rolling window.

    Args:
        layout: What is counted.
        tile_seconds: Length of a tile.
        tiles: How many tiles the window has, the one that is not over included; up to 120.
        places: Of how many people at most it can be told apart whether they were counted, a power
            of two. Two who fall on one place count as one: the fuller, the more are left out, by
            chance.
        salt: Secret of this process.
    """

    def __init__(
        self, layout: Layout, *, tile_seconds: float, tiles: int, places: int, salt: Hashable
    ) -> None:
        if not 1 <= tiles <= _MOST_TILES or places & (places - 1):
            raise ValueError("up to 120 tiles and a power of two of places are wanted")
        self._layout = layout
        self._tile_seconds = tile_seconds
        self._tiles = tiles
        self._salt = salt
        self._mask = places - 1
        self._seen = {unit: np.full(places, _NEVER, dtype=np.uint8) for unit in Unit}
        self._counts: dict[int, Counts] = {}
        self._counted: dict[int, dict[Unit, int]] = {}
        self._latest = 0

    def admit(self, unit: Unit, names: Iterable[str], now: float) -> bool:
        """Return whether none of them was counted in the window, and take them as counted if so.

        Args:
            unit: As what: a participant alone or as one of a pair.
            names: Ids, of a pair both.
            now: Seconds since 1970.
        """
        tile = self._tile(now)
        stamp = tile % _STAMPS
        seen = self._seen[unit]
        places = [hash((self._salt, name)) & self._mask for name in names]
        for place in places:
            last = int(seen[place])
            if last != _NEVER and (stamp - last) % _STAMPS < self._tiles:
                return False
        for place in places:
            seen[place] = stamp
        return True

    def count(self, unit: Unit, sightings: Sightings, now: float) -> None:
        """Add one participant or pair that was admitted."""
        tile = self._tile(now)
        if tile not in self._counts:
            self._counts[tile] = self._layout.empty()
            self._counted[tile] = dict.fromkeys(Unit, 0)
        self._counted[tile][unit] += 1
        self._layout.count(self._counts[tile], unit, sightings)

    def total(self, now: float) -> Counts:
        """Return the counts of the whole window."""
        self._tile(now)
        total = self._layout.empty()
        for counts in self._counts.values():
            total += counts
        return total

    def counted(self, unit: Unit, now: float) -> int:
        """Return how many of a unit the window counts."""
        self._tile(now)
        return sum(each[unit] for each in self._counted.values())

    def _tile(self, now: float) -> int:
        """Return the present tile, after what is too old was dropped; time does not go back."""
        tile = max(int(now // self._tile_seconds), self._latest)
        if tile > self._latest:
            self._forget(tile)
            self._latest = tile
        return tile

    def _forget(self, tile: int) -> None:
        for old in [each for each in self._counts if each <= tile - self._tiles]:
            del self._counts[old], self._counted[old]
        # A stamp must not seem new again once the tiles have gone round.
        passed = min(tile - self._latest, _STAMPS)
        later = np.arange(_NEVER + 1, dtype=np.uint8)
        for step in range(passed):
            later[(self._latest - self._tiles + 1 + step) % _STAMPS] = _NEVER
        for seen in self._seen.values():
            seen[:] = later[seen]
