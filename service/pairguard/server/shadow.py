"""A challenger beside what serves: what it would have decided on the same calls.

Owns that no answer waits for it: what was answered is put aside in a bounded queue, and one thread
of its own judges it again, some at a time and with a pause after each, since it shares the
interpreter with the calls. Where the queue is full, or the challenger fails, that is counted and
nothing else. A challenger writes no holds and counts for nobody's budget. It must not know how it
is loaded (``shadow_loading``) nor how it is written down (``shadow_journal``).
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Final, Protocol

from pairguard.errors import PairguardError
from pairguard.policy.judgement import Judgement
from pairguard.server.generation import Generation
from pairguard.server.scoring import ScoredPair
from pairguard.server.shadow_metrics import ShadowMetrics

_MOST_WAITING: Final = 512
_LOOK_SECONDS: Final = 0.05
_PAUSE_SECONDS: Final = 0.0002
_STOP_SECONDS: Final = 10.0


class ShadowRecorder(Protocol):
    """Where it is written down what a challenger would have decided."""

    def add(self, scored: ScoredPair, challenger: Generation, judgement: Judgement) -> None:
        """Take one in; it is written together with others."""

    def flush_if_due(self) -> None:
        """Write what was taken in a while ago."""

    def flush(self) -> None:
        """Write what was taken in."""


class Shadow:
    """Lets a challenger judge what was answered.

    Args:
        load: Returns the challenger beside what serves; None: there is none.
        recorder: Where it is written down.
        metrics: Where it is counted.
        on_refusal: Called with the error where a challenger does not load.
        one_call_in: Of so many calls one is judged again.
        most_waiting: Calls that may wait; the next are left out and counted.
    """

    def __init__(
        self,
        load: Callable[[Generation], Generation | None],
        recorder: ShadowRecorder,
        metrics: ShadowMetrics,
        *,
        on_refusal: Callable[[PairguardError], None],
        one_call_in: int = 1,
        most_waiting: int = _MOST_WAITING,
    ) -> None:
        self._load = load
        self._recorder = recorder
        self._metrics = metrics
        self._on_refusal = on_refusal
        self._one_call_in = one_call_in
        self._most_waiting = most_waiting
        self._waiting: deque[ScoredPair] = deque()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._challenger: Generation | None = None
        self.refusal: PairguardError | None = None
        """Why the challenger that is wanted was refused; None: it was not."""
        metrics.watch(self._waiting.__len__)

    @property
    def challenger(self) -> Generation | None:
        """What judges beside what serves; None: nothing."""
        return self._challenger

    def reload(self, live: Generation) -> Generation | None:
        """Load the challenger anew beside what serves now, and return it.

        One that does not load is refused and leaves none: what serves is untouched by it.
        """
        challenger = self.refusal = None
        try:
            challenger = self._load(live)
        except PairguardError as error:
            self.refusal = error
            self._metrics.count_error("load")
            self._on_refusal(error)
        self._challenger = challenger
        self._metrics.tell_challenger(challenger)
        if challenger is not None and self._thread is None:
            self._thread = threading.Thread(target=self._run, name="shadow", daemon=True)
            self._thread.start()
        return challenger

    def wants(self, decision_id: str) -> bool:
        """Return whether a decision is one of those to be judged again."""
        return self._challenger is not None and self._is_chosen(decision_id)

    def offer(self, scored: ScoredPair) -> None:
        """Have something judged again that was answered; never waits and never fails."""
        if not self.wants(scored.decision_id):
            return
        # Calls at once may overshoot by as many; there is nothing to wait for here.
        if len(self._waiting) >= self._most_waiting:
            self._metrics.count_dropped()
        else:
            self._waiting.append(scored)

    def stop(self) -> None:
        """End the thread after what it is at; what still waits is left out and counted."""
        self._challenger = None
        self._stopping.set()
        if self._thread is not None:
            self._thread.join(_STOP_SECONDS)

    def _is_chosen(self, decision_id: str) -> bool:
        # Ids are random but for their first digit.
        return self._one_call_in == 1 or int(decision_id[1:13], 16) % self._one_call_in == 0

    def _run(self) -> None:
        # To be woken for each call would take the interpreter from it at the worst moment.
        while not self._stopping.wait(_LOOK_SECONDS):
            while self._waiting and not self._stopping.is_set():
                self._judge(self._waiting.popleft())
                time.sleep(_PAUSE_SECONDS)
            self._recorder.flush_if_due()
        self._recorder.flush()
        for _ in range(len(self._waiting)):
            self._metrics.count_dropped()

    def _judge(self, scored: ScoredPair) -> None:
        challenger = self._challenger
        if challenger is None:
            self._metrics.count_dropped()
            return
        known = scored.known
        try:
            challenger = challenger.at(scored.decision_time)
            judgement = challenger.judge.judge_pair(
                known.a.participant,
                known.b.participant,
                now=scored.decision_time,
                state=known.state,
                draw=scored.draw,
            )
            self._recorder.add(scored, challenger, judgement)
        except Exception:  # noqa: BLE001 - whatever a challenger does, the next call is judged
            self._metrics.count_error("judge")
        else:
            self._metrics.observe(scored.judgement.decision, judgement.decision)
