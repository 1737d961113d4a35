"""SIGHUP: look again at bundle and policy; or the terminal is gone, as when its window was closed.

Owns which of the two it is. It must not know how a server looks again or ends.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from types import FrameType


def take_hang_up(*, reload: Callable[[], None], end: Callable[[], None]) -> None:
    """Have SIGHUP do one of two things in this process from now on.

    Args:
        reload: Called where there never was a terminal, or still is.
        end: Called where there was one and is no more.
    """
    had_terminal = _has_terminal()

    def receive(_number: int, _frame: FrameType | None) -> None:
        if had_terminal and not _has_terminal():
            end()
        else:
            reload()

    signal.signal(signal.SIGHUP, receive)


def _has_terminal() -> bool:
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC))
    except OSError:
        return False
    return True
