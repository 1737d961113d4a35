"""A TCP proxy that can be told to stall, to cut, or to be slow: a network that fails.

Owns the connections through it. It must not know what is said on them.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

_READ_BYTES = 65_536
_LOOK_SECONDS = 0.05


class FaultProxy:
    """Takes connections on loopback and carries them to another port there.

    Attributes:
        port: Where to connect.
        delay_seconds: How long each piece waits before it goes on.
        is_stalled: Whether everything waits; connections are still taken.
    """

    def __init__(self, target_port: int) -> None:
        self._target = target_port
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._listening.settimeout(_LOOK_SECONDS)
        self.port: int = self._listening.getsockname()[1]
        self.delay_seconds = 0.0
        self.is_stalled = False
        self.refuses = False
        self._ended = threading.Event()
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        """Reset every connection that is open."""
        with self._lock:
            connections = list(self._open)
        for each in connections:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def heal(self) -> None:
        """Carry everything as it comes."""
        self.delay_seconds, self.is_stalled, self.refuses = 0.0, False, False

    def close(self) -> None:
        self._ended.set()
        self.cut()
        self._listening.close()

    def _accept(self) -> None:
        while not self._ended.is_set():
            try:
                near, _ = self._listening.accept()
            except TimeoutError:
                continue
            except OSError:
                return
            if self.refuses:
                near.close()
                continue
            try:
                far = socket.create_connection(("127.0.0.1", self._target), timeout=5.0)
            except OSError:
                near.close()
                continue
            far.settimeout(None)
            with self._lock:
                self._open.update((near, far))
            for one, other in ((near, far), (far, near)):
                threading.Thread(target=self._carry, args=(one, other), daemon=True).start()

    def _carry(self, source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while content := source.recv(_READ_BYTES):
                while self.is_stalled and not self._ended.is_set():
                    time.sleep(_LOOK_SECONDS)
                time.sleep(self.delay_seconds)
                sink.sendall(content)
        with self._lock:
            self._open -= {source, sink}
        for each in (source, sink):
            with suppress(OSError):
                each.close()


@contextmanager
def fault_proxy(target_port: int) -> Iterator[FaultProxy]:
    """Give a proxy until the end of the block."""
    proxy = FaultProxy(target_port)
    try:
        yield proxy
    finally:
        proxy.close()
