"""``pairguard-server``: the command.

Owns the command line. It must not know how anything is served.
"""

from __future__ import annotations

import argparse
import os
import sys

from pairguard import __version__
from pairguard.errors import ConfigurationRefused
from pairguard.server.announcement import say_refused
from pairguard.server.exit_codes import EXIT_REFUSED
from pairguard.server.settings import read_settings


def main() -> int:
    """Serve, or check the configuration; return the exit code."""
    parser = argparse.ArgumentParser(
        prog="pairguard-server",
        description="Judges proposed pairs of strangers, over gRPC.",
        epilog="Settings: environment variables PAIRGUARD_* and the TOML file that "
        "PAIRGUARD_SETTINGS_FILE names; docs/settings.md explains each.",
    )
    parser.add_argument("--version", action="version", version=__version__)
    parser.add_argument(
        "--check-config",
        action="store_true",
        help="check settings, policy and bundle, and exit: 0 all right, 2 not",
    )
    arguments = parser.parse_args()
    try:
        settings = read_settings(os.environ)
    except ConfigurationRefused as error:
        say_refused(error)
        return EXIT_REFUSED
    if settings.worker_processes > 1 and not arguments.check_config:
        from pairguard.server.processes.supervisor import supervise  # noqa: PLC0415 - as below

        return supervise(settings, os.environ)
    # A supervisor serves nothing itself and does without gRPC and models.
    from pairguard.server.running import check, serve  # noqa: PLC0415

    return check(settings) if arguments.check_config else serve(settings)


if __name__ == "__main__":
    sys.exit(main())
