"""The file of those who may call, as the settings name it.

Owns reading it. It must not know what a call needs.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Final

from pairguard.errors import ConfigurationRefused
from pairguard.server.callers import Callers, parse_callers
from pairguard.server.followed_files import FollowedFiles
from pairguard.server.settings import Settings

CHECK_SECONDS: Final = 1.0
"""A change counts for calls that come so long after it, at the latest."""
_MAX_BYTES: Final = 1_048_576
_WRITABLE_BY_OTHERS: Final = stat.S_IWOTH | stat.S_IWGRP


def callers_of(
    settings: Settings, *, on_reload: Callable[[bool], None]
) -> FollowedFiles[Callers] | None:
    """Return the callers that settings name, not read yet; None: callers are not told apart."""
    path = settings.tokens_file
    if path is None:
        return None
    with_certificates = settings.tls_client_ca_file is not None
    return FollowedFiles(
        [path],
        lambda: read_callers(path, with_certificates=with_certificates),
        on_reload=on_reload,
        check_seconds=CHECK_SECONDS,
    )


def read_callers(path: Path, *, with_certificates: bool) -> Callers:
    """Read the file.

    Args:
        path: The file.
        with_certificates: Whether clients show certificates that were verified.

    Raises:
        ConfigurationRefused: With every problem found; none of them repeats a value.
    """
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            text = file.read(_MAX_BYTES).decode()
    except OSError as error:
        raise ConfigurationRefused(
            [f"tokens_file: {path} cannot be read: {error.strerror}"]
        ) from error
    except UnicodeDecodeError:
        raise ConfigurationRefused(["tokens_file: is not text in UTF-8"]) from None
    if mode & _WRITABLE_BY_OTHERS:
        problem = (
            f"tokens_file: {path} has mode {stat.S_IMODE(mode):04o}; it must not be writable by "
            "others: set mode 0600 or 0640"
        )
        raise ConfigurationRefused([problem])
    try:
        callers = parse_callers(text)
    except ConfigurationRefused as error:
        raise ConfigurationRefused([f"tokens_file: {each}" for each in error.problems]) from None
    if callers.use_certificates and not with_certificates:
        raise ConfigurationRefused(
            ["tokens_file: names certificates, which clients show only with tls_client_ca_file"]
        )
    return callers
