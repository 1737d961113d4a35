"""Who the server is and who we are: TLS material and bearer tokens.

Owns the values. It must not know channels or calls.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

BearerTokenProvider: TypeAlias = Callable[[], str]
"""Returns the token to send, without waiting: it is asked once for each call, within its timeout.

``AioClient`` asks it on the event loop.
"""


@dataclass(frozen=True, slots=True)
class TlsOptions:
    """TLS to the server.

    Attributes:
        root_certificates: PEM of the authorities to trust. None: those that gRPC comes with.
        certificate_chain: PEM of this client's own certificate, for mutual TLS. None: none.
        private_key: PEM of its key. Never shown. None: none.

    Raises:
        TypeError: One of them is no bytes.
        ValueError: There is a certificate without a key, or a key without a certificate.
    """

    root_certificates: bytes | None = field(default=None, repr=False)
    certificate_chain: bytes | None = field(default=None, repr=False)
    private_key: bytes | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        """Refuse half a pair."""
        for name in ("root_certificates", "certificate_chain", "private_key"):
            value = getattr(self, name)
            if value is not None and not isinstance(value, bytes):
                raise TypeError(f"{name} must be PEM as bytes, not {type(value).__name__}")
        if (self.certificate_chain is None) != (self.private_key is None):
            raise ValueError("certificate_chain and private_key are needed together")


class TokenFile:
    """A bearer token kept in a file that may be replaced at any time.

    The file is read again when what was read is ten seconds old.

    Raises:
        OSError: It cannot be read; also later, at a call.
        ValueError: It is empty.
    """

    def __init__(self, path: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self._path = path
        self._clock = clock
        # One tuple, replaced as a whole: threads may read it twice, never half.
        self._cached = (clock(), self._read())

    def __call__(self) -> str:
        """Return the token."""
        read_time, token = self._cached
        now = self._clock()
        if now - read_time >= 10:
            token = self._read()
            self._cached = (now, token)
        return token

    def _read(self) -> str:
        token = self._path.read_text(encoding="ascii").strip()
        if not token:
            raise ValueError("the token file is empty")
        return token
