"""TLS under an HTTP/2 load: a socket that is read and written without waiting.

Owns what differs from a plain socket. It must not know HTTP/2.
"""

from __future__ import annotations

import socket
import ssl
from pathlib import Path


class TlsSocket:
    """As much of a socket as the load uses, over TLS; its server may be known by any name.

    Args:
        plain: A connected socket.
        ca_file: Whose certificates are trusted.
        host: The name that the certificate must bear.
    """

    def __init__(self, plain: socket.socket, ca_file: Path, host: str) -> None:
        context = ssl.create_default_context(cafile=str(ca_file))
        context.set_alpn_protocols(["h2"])
        self._tls = context.wrap_socket(plain, server_hostname=host)

    def fileno(self) -> int:
        """Return the descriptor."""
        return self._tls.fileno()

    def setblocking(self, wanted: bool) -> None:
        """Wait or do not wait from now on."""
        self._tls.setblocking(wanted)

    def sendall(self, content: bytes | bytearray) -> None:
        """Send all."""
        self._tls.sendall(content)

    def send(self, content: bytes | bytearray) -> int:
        """Send what is taken.

        Raises:
            BlockingIOError: Nothing is now.
        """
        try:
            return self._tls.send(bytes(content))
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError) as error:
            raise BlockingIOError from error

    def recv_into(self, buffer: memoryview) -> int:
        """Read all that has come: what stays inside TLS wakes nobody.

        Raises:
            BlockingIOError: Nothing has.
        """
        size = 0
        try:
            while size < len(buffer):
                count = self._tls.recv_into(buffer[size:])
                size += count
                if not count or not self._tls.pending():
                    break
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError) as error:
            if not size:
                raise BlockingIOError from error
        return size

    def close(self) -> None:
        """Close the socket."""
        self._tls.close()
