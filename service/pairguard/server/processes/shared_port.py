"""A port that the workers of one supervisor share and that nobody else can take.

Owns the reservation. It must not know what is served.

With SO_REUSEPORT any process of the same user may listen on the port beside us, and would silently
get a share of the connections. So the port is asked for without it first, which fails where anybody
has it, and a name in the kernel keeps a second supervisor out in between.
"""

from __future__ import annotations

import errno
import socket
from contextlib import ExitStack
from types import TracebackType
from typing import Self

from pairguard.errors import ConfigurationRefused
from pairguard.server.addresses import Address


class SharedPort:
    """A reserved port; the reservation ends when this is closed, or with its process."""

    def __init__(self, setting: str, wanted: Address) -> None:
        """Reserve.

        Args:
            setting: Whose address it is, for the refusal.
            wanted: The address; with port 0 any free port.

        Raises:
            ConfigurationRefused: Somebody else has the port, or the address is not of this machine.
        """
        self._held = ExitStack()
        self.address = wanted
        try:
            self._reserve(wanted)
        except OSError as error:
            self._held.close()
            why = error.strerror or str(error)
            if error.errno == errno.EADDRINUSE:
                why = "is another server there?"
            raise ConfigurationRefused(
                [f"{setting}: {wanted} cannot be listened on: {why}"]
            ) from error

    def _reserve(self, wanted: Address) -> None:
        port = wanted.port
        for family, kind, protocol, _, resolved in socket.getaddrinfo(
            wanted.host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        ):
            host = resolved[0]
            with socket.socket(family, kind, protocol) as probe:
                # A connection that somebody has just left is not in the way.
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                _separate(probe, family)
                probe.bind((host, port))
                port = probe.getsockname()[1]
                self._lock(f"{host}:{port}")
            reserved = self._held.enter_context(socket.socket(family, kind, protocol))
            reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            _separate(reserved, family)
            # Bound and never listening: it gets no connection and keeps the port.
            reserved.bind((host, port))
        self.address = Address(wanted.host, port)

    def _lock(self, name: str) -> None:
        lock = self._held.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
        lock.bind(f"\0pairguard-port-{name}")

    def close(self) -> None:
        """Let others have the port."""
        self._held.close()

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        """Let others have the port."""
        self.close()


def _separate(bound: socket.socket, family: socket.AddressFamily) -> None:
    """Keep IPv6 from taking IPv4 of the same port where both are bound one after the other."""
    if family == socket.AF_INET6 and bound.family == socket.AF_INET6:
        bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
