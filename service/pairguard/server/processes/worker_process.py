"""One worker's process, from its start to its end.

Owns the process and the pipes to it. It must not know why it is started, stopped or killed.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from typing import Final

from pairguard.server.processes.messages import Message, Order, Serving, decode, encode_order

_READ_BYTES: Final = 65_536


class WorkerProcess:
    """A process that was started; times are seconds of one monotonic clock, given by the caller.

    Attributes:
        serving: What it told when it began to serve; None: it does not serve yet.
        serving_since: When that was.
        last_beat: When it was last heard of.
        is_stopping: Whether it was told to end.
    """

    def __init__(self, environment: Mapping[str, str], *, leads: bool, now: float) -> None:
        """Start it.

        Raises:
            OSError: It cannot be started.
        """
        self.serving: Serving | None = None
        self.serving_since = now
        self.last_beat = now
        self.is_stopping = False
        self._unread = b""
        self._untold = b""
        self.status_descriptor, writing = os.pipe()
        try:
            command = [sys.executable, "-m", "pairguard.server.processes.worker"]
            command += ["--status", str(writing), *(["--leads"] if leads else [])]
            self._process = subprocess.Popen(  # noqa: S603 - this very package
                command,
                env=dict(environment),
                stdin=subprocess.PIPE,
                pass_fds=(writing,),
                # A Ctrl-C in the terminal is the supervisor's, which stops all of them in order.
                start_new_session=True,
            )
        except OSError:
            os.close(self.status_descriptor)
            raise
        finally:
            os.close(writing)
        os.set_blocking(self.status_descriptor, False)
        if self._process.stdin is not None:
            self._orders = self._process.stdin.fileno()
            # A worker that does not read must not hold up the supervisor of the others.
            os.set_blocking(self._orders, False)

    @property
    def has_ended(self) -> bool:
        """Whether it is no more."""
        return self._process.poll() is not None

    def read(self, now: float) -> list[Message]:
        """Take in what it told, and return it without the beats."""
        try:
            content = os.read(self.status_descriptor, _READ_BYTES)
        except BlockingIOError:
            return []
        if not content:
            return []  # it has ended
        self.last_beat = now
        *lines, self._unread = (self._unread + content).split(b"\n")
        found = [each for each in map(decode, filter(None, lines)) if each is not None]
        for message in found:
            if isinstance(message, Serving) and self.serving is None:
                self.serving, self.serving_since = message, now
        return found

    def order(self, order: Order) -> None:
        """Tell it to do something, in order; what its pipe does not take now, `go_on` writes."""
        self._untold += encode_order(order)
        self.go_on()

    def go_on(self) -> None:
        """Write what is still to be told."""
        try:
            while self._untold:
                self._untold = self._untold[os.write(self._orders, self._untold) :]
        except BlockingIOError:
            return
        except OSError:
            self._untold = b""  # it has ended

    def stop(self) -> None:
        """Have it answer what is under way and end; a second time, without delay."""
        self.is_stopping = True
        self._signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it at once."""
        self._signal(signal.SIGKILL)

    def _signal(self, number: signal.Signals) -> None:
        if not self.has_ended:
            self._process.send_signal(number)

    def close(self) -> int:
        """Give up the pipes of a process that has ended; return its exit code."""
        code = self._process.wait()
        if self._process.stdin is not None:
            self._process.stdin.close()
        os.close(self.status_descriptor)
        return code
