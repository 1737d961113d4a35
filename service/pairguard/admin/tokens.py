"""``pairguard tokens new``: a bearer token for a caller, shown once.

Owns how a token is made. Nothing is written: what is kept of it is a table that somebody puts into
the file of callers.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import date
from hashlib import sha256
from typing import Final

from pairguard.admin.output import EXIT_OK, Output, complain
from pairguard.admin.refusal import CommandRefused
from pairguard.server.callers import Scope, name_problem
from pairguard.server.settings import Settings

PREFIX: Final = "pairguard_"
"""Stands before each token, so that programs that look for leaked ones find it."""
_RANDOM_BYTES: Final = 32


def new(
    settings: Settings,
    output: Output,
    *,
    name: str,
    scopes: Sequence[Scope],
    expire: date | None,
) -> int:
    """Make a token and show it, with the table of its caller.

    Raises:
        CommandRefused: Nobody can be called so.
    """
    problem = name_problem(name)
    if problem is not None:
        raise CommandRefused(f"NAME {problem}")
    token = PREFIX + secrets.token_urlsafe(_RANDOM_BYTES)
    digest = sha256(token.encode()).hexdigest()
    granted = sorted(set(scopes), key=list(Scope).index)
    quoted = ", ".join(f'"{scope}"' for scope in granted)
    lines = [
        "[[callers]]",
        f'name = "{name}"',
        f'sha256 = "{digest}"',
        f"scopes = [{quoted}]",
    ]
    if expire is not None:
        lines.append(f"expire = {expire.isoformat()}")
    table = "\n".join(lines) + "\n"
    output.tell(
        {"name": name, "token": token, "table": table},
        [f"token: {token}", "", *lines],
    )
    complain("the token is shown this once: give it to the caller alone, as a file.")
    where = settings.tokens_file
    file = "the file that PAIRGUARD_TOKENS_FILE names" if where is None else str(where)
    complain(f"the table goes into {file}; it counts a second after, without a restart.")
    return EXIT_OK
