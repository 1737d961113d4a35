"""Callers with tokens, as a file and as what they send."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import grpc

from tests.integration.server.running_server import Running


def table(name: str, token: str, *scopes: str, more: str = "") -> str:
    """Return the table of a caller that is known by a token."""
    digest = sha256(token.encode()).hexdigest()
    return f'[[callers]]\nname = "{name}"\nsha256 = "{digest}"\n{_scopes(scopes)}{more}\n'


def certificate_table(name: str, certificate: str, *scopes: str) -> str:
    """Return the table of a caller that is known by its certificate."""
    return f'[[callers]]\nname = "{name}"\ncertificate = "{certificate}"\n{_scopes(scopes)}\n'


def write(path: Path, *tables: str) -> Path:
    """Put a file of callers there in one step."""
    partial = path.with_suffix(".new")
    partial.write_text("\n".join(tables), encoding="utf-8")
    partial.chmod(0o600)
    partial.replace(path)
    return path


def bearing(token: str) -> tuple[tuple[str, str], ...]:
    """Return the headers of a call with a token."""
    return (("authorization", f"Bearer {token}"),)


def _scopes(scopes: Iterable[str]) -> str:
    quoted = ", ".join(f"'{scope}'" for scope in scopes)
    return f"scopes = [{quoted}]\n"


class _Bearer(
    grpc.UnaryUnaryClientInterceptor,
    grpc.UnaryStreamClientInterceptor,
):
    """Puts a token on each call."""

    def __init__(self, token: str) -> None:
        self._token = token

    def intercept_unary_unary(self, continuation: Any, details: Any, request: Any) -> Any:
        return continuation(self._with_token(details), request)

    def intercept_unary_stream(self, continuation: Any, details: Any, request: Any) -> Any:
        return continuation(self._with_token(details), request)

    def _with_token(self, details: Any) -> Any:
        return details._replace(metadata=(*(details.metadata or ()), *bearing(self._token)))


def calling(server: Running, token: str) -> Running:
    """Return a server that is called with a token."""
    return replace(server, channel=grpc.intercept_channel(server.channel, _Bearer(token)))
