"""Whether those who are judged look like those whom the model was trained on.

Owns which judged pairs are looked at, when, and since when. The call that judges only puts a pair
on a short list, while there is room; a thread of its own counts, so that no answer waits. Counts
belong to one generation: with another they start anew. It must not know how figures are served.
"""

from __future__ import annotations

import secrets
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from pairguard.drift.comparison import compare
from pairguard.drift.groups import Unit
from pairguard.drift.reference import DriftReference
from pairguard.drift.sightings import Sighting, of_pair
from pairguard.drift.tally import Layout
from pairguard.drift.windows import Window
from pairguard.errors import BundleRefused
from pairguard.policy.judgement import Judgement
from pairguard.risk.participant import Participant
from pairguard.server.drift_view import (
    MISSING,
    NO_BUNDLE,
    OFF,
    UNUSABLE,
    USABLE,
    DriftView,
    WindowFindings,
)
from pairguard.server.generation import Generation, GenerationSlot
from pairguard.server.scoring import ScoredPair

DRAIN_SECONDS: Final = 1.0
_HOUR_PLACES: Final = 1 << 17
_DAY_PLACES: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class _Counting:
    """All that belongs to one generation."""

    generation: Generation
    state: str
    since: float
    reference: DriftReference | None
    layout: Layout
    sighting: Sighting
    windows: dict[str, Window]

    @property
    def same_policy(self) -> bool:
        reference = self.reference
        return reference is not None and reference.policy_version == self.generation.policy_version


@dataclass(frozen=True, slots=True)
class _Judged:
    generation: Generation
    pair: tuple[Participant, Participant]
    judgement: Judgement
    time: float


class DriftWatch:
    """Counts judged pairs beside the reference of the bundle that judged them.

    Args:
        generations: Whose reference counts.
        clock: Seconds since 1970.
        pairs_per_second: How many pairs are looked at in a second at most; 0: none.
    """

    def __init__(
        self,
        generations: GenerationSlot,
        *,
        clock: Callable[[], float],
        pairs_per_second: int,
    ) -> None:
        self._generations = generations
        self._clock = clock
        self._most = pairs_per_second
        self._waiting: deque[_Judged] = deque()
        self._counting: _Counting | None = None
        self._errors = 0
        self._salt = secrets.token_bytes(16)
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="drift", daemon=True)

    def wants(self, decision_id: str) -> bool:  # noqa: ARG002 - any will do
        """Return whether there is room for one more."""
        return len(self._waiting) < self._most

    def offer(self, scored: ScoredPair) -> None:
        """Have a judged pair counted, if there is room; never waits and never fails."""
        if self.wants(scored.decision_id):
            known = scored.known
            self._waiting.append(
                _Judged(
                    scored.generation,
                    (known.a.participant, known.b.participant),
                    scored.judgement,
                    scored.decision_time,
                )
            )

    def start(self) -> None:
        """Begin to count."""
        if self._most:
            self._thread.start()

    def stop(self) -> None:
        """End, and return when nothing is under way any more."""
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join()

    def drain(self) -> None:
        """Count what waits."""
        while True:
            try:
                judged = self._waiting.popleft()
            except IndexError:
                return
            try:
                with self._lock:
                    counting = self._followed()
                    # What an earlier generation judged says nothing of this one's reference.
                    if counting is not None and counting.generation is judged.generation:
                        _count(counting, judged)
            except Exception:  # noqa: BLE001 - figures must not end; that they failed is a figure
                self._errors += 1

    def view(self) -> DriftView:
        """Compare what was counted lately with the reference of the generation that serves."""
        if not self._most:
            return DriftView(OFF, 0.0, same_policy=False, errors=0, windows=())
        with self._lock:
            counting = self._followed()
            if counting is None:
                return DriftView(NO_BUNDLE, 0.0, same_policy=False, errors=self._errors, windows=())
            now = self._clock()
            totals = [
                (
                    name,
                    window.counted(Unit.PARTICIPANT, now),
                    window.counted(Unit.PAIR, now),
                    window.total(now),
                )
                for name, window in counting.windows.items()
            ]
        windows = []
        if counting.reference is not None:
            for name, people, pairs, counts in totals:
                found = compare(
                    counting.reference,
                    counting.layout,
                    counts,
                    same_policy=counting.same_policy,
                )
                windows.append(WindowFindings(name, people, pairs, tuple(found)))
        return DriftView(
            counting.state, counting.since, counting.same_policy, self._errors, tuple(windows)
        )

    def _run(self) -> None:
        while not self._stopped.wait(DRAIN_SECONDS):
            self.drain()

    def _followed(self) -> _Counting | None:
        """Return the counts of the generation that serves, begun anew where it is another."""
        try:
            generation = self._generations.current
        except BundleRefused:
            return None
        if self._counting is None or self._counting.generation is not generation:
            self._counting = _begun(generation, self._clock(), self._salt)
        return self._counting


def _begun(generation: Generation, now: float, salt: bytes) -> _Counting:
    state = USABLE
    reference = None
    try:
        reference = DriftReference.from_document(generation.reference)
        if reference is None:
            state = MISSING
    except ValueError:
        state = UNUSABLE
    layout = Layout(() if reference is None else reference.variables)
    windows = {}
    if reference is not None:
        windows = {
            "hour": Window(
                layout, tile_seconds=300.0, tiles=12, places=_HOUR_PLACES, salt=(salt, "hour")
            ),
            "day": Window(
                layout, tile_seconds=3_600.0, tiles=24, places=_DAY_PLACES, salt=(salt, "day")
            ),
        }
    sighting = Sighting(generation.judge.model.catalogue)
    return _Counting(generation, state, now, reference, layout, sighting, windows)


def _count(counting: _Counting, judged: _Judged) -> None:
    names = tuple(each.participant_id for each in judged.pair)
    now = judged.time
    admitted = [each for each in counting.windows.values() if each.admit(Unit.PAIR, names, now)]
    if admitted:
        sightings = of_pair(judged.judgement.decision)
        for window in admitted:
            window.count(Unit.PAIR, sightings, now)
    assessments = (judged.judgement.a, judged.judgement.b)
    for participant, assessment in zip(judged.pair, assessments, strict=True):
        name = (participant.participant_id,)
        admitted = [
            each for each in counting.windows.values() if each.admit(Unit.PARTICIPANT, name, now)
        ]
        if admitted:
            lines = counting.generation.judge.policy.for_participant(participant.located_region)
            sightings = counting.sighting.of_participant(
                participant, assessment, adult_age=max(lines.adult_ages), now=now
            )
            for window in admitted:
                window.count(Unit.PARTICIPANT, sightings, now)
