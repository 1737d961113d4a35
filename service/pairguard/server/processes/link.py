"""A worker's end of the pipes to its supervisor.

Owns when the worker beats, and that it ends with its supervisor. It must not know how it serves,
nor what becomes of an order.
"""

from __future__ import annotations

import os
import queue
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from pairguard.server.processes.messages import (
    BEAT,
    Message,
    Order,
    Serving,
    decode_order,
    encode,
)

BEAT_SECONDS: Final = 1.0
_READ_BYTES = 65_536


class SupervisorLink:
    """The pipes of one worker.

    Args:
        status_descriptor: Where it tells how it is.
        order_descriptor: Where orders come; it ends with the supervisor.
        leads: Whether what only one process may do is this worker's: upkeep.
    """

    def __init__(self, status_descriptor: int, order_descriptor: int, *, leads: bool) -> None:
        self.leads = leads
        self._status = status_descriptor
        self._orders_from = order_descriptor
        self._orders: queue.SimpleQueue[Order | None] = queue.SimpleQueue()
        self._stopped = threading.Event()

    def follow(self, on_end: Callable[[], None]) -> None:
        """Take orders from now on, and call ``on_end`` once the supervisor has ended, however."""

        def read() -> None:
            unread = b""
            with suppress(OSError):
                while content := os.read(self._orders_from, _READ_BYTES):
                    *lines, unread = (unread + content).split(b"\n")
                    for order in map(decode_order, lines):
                        if order is not None:
                            self._orders.put(order)
            on_end()
            self.end_orders()

        threading.Thread(target=read, name="supervisor", daemon=True).start()

    def next_order(self) -> Order | None:
        """Wait for the next order and return it; None: no more will come."""
        return self._orders.get()

    def end_orders(self) -> None:
        """Let whoever waits for the next order go on without."""
        self._orders.put(None)

    def serve(self, serving: Serving, submit: Callable[[Callable[[], None]], object]) -> None:
        """Tell that it serves, and beat from now on, each time that a thread for calls is free.

        Args:
            serving: What serves.
            submit: Has a function called by a thread that works on calls, after those that wait:
                where all of them are stuck there is no beat.
        """
        self.tell(serving)

        def beat() -> None:
            self._write(BEAT)

        def run() -> None:
            while not self._stopped.wait(BEAT_SECONDS):
                try:
                    submit(beat)
                except RuntimeError:
                    return  # the threads have been told to end: so has the worker

        threading.Thread(target=run, name="beat", daemon=True).start()

    def tell(self, message: Message) -> None:
        """Tell something."""
        self._write(encode(message))

    def stop(self) -> None:
        """Beat no more."""
        self._stopped.set()

    def _write(self, content: bytes) -> None:
        # Less than a pipe takes at once, so never torn; nobody reads it: `follow` tells.
        with suppress(OSError):
            os.write(self._status, content)
