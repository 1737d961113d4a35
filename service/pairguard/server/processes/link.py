"""A worker's end of the pipes to its supervisor.

Owns when the worker beats, and that it ends with its supervisor. It must not know how it serves.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from pairguard.server.processes.messages import BEAT, Serving, encode

BEAT_SECONDS: Final = 1.0
_READ_BYTES = 64


class SupervisorLink:
    """The pipes of one worker.

    Args:
        status_descriptor: Where it tells how it is.
        life_descriptor: What is open for reading while the supervisor lives.
        leads: Whether what only one process may do is this worker's: upkeep.
    """

    def __init__(self, status_descriptor: int, life_descriptor: int, *, leads: bool) -> None:
        self.leads = leads
        self._status = status_descriptor
        self._life = life_descriptor
        self._stopped = threading.Event()

    def follow(self, on_end: Callable[[], None]) -> None:
        """Call ``on_end`` once the supervisor has ended, however that happened."""

        def wait() -> None:
            with suppress(OSError):
                while os.read(self._life, _READ_BYTES):
                    pass
            on_end()

        threading.Thread(target=wait, name="supervisor", daemon=True).start()

    def serve(self, serving: Serving, submit: Callable[[Callable[[], None]], object]) -> None:
        """Tell that it serves, and beat from now on, each time that a thread for calls is free.

        Args:
            serving: What serves.
            submit: Has a function called by a thread that works on calls, after those that wait:
                where all of them are stuck there is no beat.
        """
        self._write(encode(serving))

        def beat() -> None:
            self._write(BEAT)

        def run() -> None:
            while not self._stopped.wait(BEAT_SECONDS):
                try:
                    submit(beat)
                except RuntimeError:
                    return  # the threads have been told to end: so has the worker

        threading.Thread(target=run, name="beat", daemon=True).start()

    def stop(self) -> None:
        """Beat no more."""
        self._stopped.set()

    def _write(self, content: bytes) -> None:
        # Less than a pipe takes at once, so never torn; nobody reads it: `follow` tells.
        with suppress(OSError):
            os.write(self._status, content)
