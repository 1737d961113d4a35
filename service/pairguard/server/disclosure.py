"""Whether a caller is told what is believed about an age.

Owns that both the settings and the caller's scope must allow it.
"""

from __future__ import annotations

from pairguard.server.call_facts import calling
from pairguard.server.callers import Scope
from pairguard.server.errors import FullViewNotAllowed, ScopeMissing


def require_full_view(*, allowed: bool) -> None:
    """Return where the present call may disclose it.

    Args:
        allowed: Whether the settings allow it to anybody.

    Raises:
        FullViewNotAllowed: They do not.
        ScopeMissing: The caller lacks the scope.
    """
    if not allowed:
        raise FullViewNotAllowed
    if Scope.FULL_VIEW not in calling().scopes:
        raise ScopeMissing(Scope.FULL_VIEW)
