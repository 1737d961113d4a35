"""Why a command does not do what it was told."""

from __future__ import annotations

from pairguard.errors import PairguardError


class CommandRefused(PairguardError):
    """Raise when a command was told something it cannot or must not do; nothing was changed."""

    def __init__(self, message: str) -> None:
        super().__init__(message, reason="COMMAND_REFUSED")
