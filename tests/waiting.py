"""Waiting for something that another thread or process does, for a bounded time.

Owns the patience of the suite: long, since a test that waits in vain fails anyway, and machines
that run it do other things too.
"""

from __future__ import annotations

import time
from collections.abc import Callable

TIMEOUT_SECONDS = 40.0
_PAUSE_SECONDS = 0.01


def until(condition: Callable[[], bool], *, seconds: float = TIMEOUT_SECONDS) -> bool:
    """Wait for a condition, for a bounded time; return whether it came."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(_PAUSE_SECONDS)
    return True


def wait_until(
    condition: Callable[[], bool], what: str, *, seconds: float = TIMEOUT_SECONDS
) -> None:
    """Wait for a condition, for a bounded time.

    Raises:
        AssertionError: It never came; it says what.
    """
    assert until(condition, seconds=seconds), f"never: {what}"
