"""Addresses: which shape they have and which machine they mean."""

from __future__ import annotations

import pytest

from pairguard.server.addresses import Address, parse_address


@pytest.mark.parametrize(
    ("text", "host", "port", "loopback"),
    [
        ("127.0.0.1:50051", "127.0.0.1", 50051, True),
        ("[::1]:0", "::1", 0, True),
        ("localhost:1", "localhost", 1, True),
        ("0.0.0.0:80", "0.0.0.0", 80, False),  # noqa: S104 - read, not bound
        ("localhost.example.org:80", "localhost.example.org", 80, False),
        ("128.0.0.1:80", "128.0.0.1", 80, False),
    ],
)
def test_an_address_is_read_and_written(text: str, host: str, port: int, loopback: bool) -> None:
    address = parse_address(text)

    assert address == Address(host, port)
    assert str(address) == text
    assert address.is_loopback is loopback


@pytest.mark.parametrize(
    ("listened_on", "called"),
    [("0.0.0.0:7", "127.0.0.1:7"), ("[::]:7", "[::1]:7"), ("10.0.0.1:7", "10.0.0.1:7")],
)
def test_everywhere_is_called_here(listened_on: str, called: str) -> None:
    assert str(parse_address(listened_on).to_call()) == called
