"""Where calls go: whether an address stays on this machine.

Owns the reading of gRPC target names for that one question. It must not know options or channels.
"""

from __future__ import annotations

from ipaddress import ip_address


def stays_on_machine(address: str) -> bool:
    """Return whether a gRPC target is a Unix socket or loopback; False for what is not understood.

    Examples:
        >>> stays_on_machine("127.0.0.1:7443"), stays_on_machine("unix:/run/pairguard.sock")
        (True, True)
        >>> stays_on_machine("pairguard.internal:7443")
        False
    """
    scheme, colon, rest = address.partition(":")
    if colon and scheme in {"unix", "unix-abstract"}:
        return True
    if colon and scheme == "dns":
        if rest.startswith("//"):
            authority, _, rest = rest.removeprefix("//").partition("/")
            if authority:  # a name server of its own, which may say anything
                return False
        return _is_loopback(rest)
    if colon and scheme in {"ipv4", "ipv6"}:
        return all(_is_loopback(part) for part in rest.split(","))
    return _is_loopback(address)


def _is_loopback(host_and_port: str) -> bool:
    host = host_and_port.strip()
    if host.startswith("["):
        host = host.removeprefix("[").partition("]")[0]
    elif host.count(":") == 1:
        host = host.partition(":")[0]
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
