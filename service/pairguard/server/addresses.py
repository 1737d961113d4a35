"""Network addresses as settings give them.

Owns the shape ``host:port`` and what counts as this machine alone. It must not know what listens.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import ip_address

_SHAPE = re.compile(r"(?:\[(?P<six>[0-9a-fA-F:.]+)\]|(?P<host>[^:\s\[\]/]+)):(?P<port>[0-9]{1,5})")


@dataclass(frozen=True, slots=True)
class Address:
    """Where something listens.

    Attributes:
        host: A name or an IP address, IPv6 without brackets.
        port: 0-65535; 0: any free one.
    """

    host: str
    port: int

    def __str__(self) -> str:
        """Return the address as it is written, IPv6 in brackets."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach it; a name other than localhost is not trusted."""
        if self.host == "localhost":
            return True
        try:
            return ip_address(self.host).is_loopback
        except ValueError:
            return False

    def to_call(self) -> Address:
        """Return the address to call it by from this machine: loopback in place of "any"."""
        if self.host in ("0.0.0.0", "::"):  # noqa: S104 - recognised, not bound
            return Address("127.0.0.1" if self.host == "0.0.0.0" else "::1", self.port)  # noqa: S104
        return self


def parse_address(text: str) -> Address:
    """Read ``host:port``, an IPv6 host in brackets.

    Raises:
        ValueError: The text has another shape or the port is above 65535.
    """
    match = _SHAPE.fullmatch(text)
    if match is None or int(match["port"]) > 65_535:
        raise ValueError("must be host:port, with an IPv6 host in brackets")
    return Address(match["six"] or match["host"], int(match["port"]))
