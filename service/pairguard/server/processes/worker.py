"""``python -m pairguard.server.processes.worker``: one worker; only a supervisor starts it.

Its standard input ends with its supervisor.
"""

from __future__ import annotations

import argparse
import os
import sys

from pairguard.errors import ConfigurationRefused
from pairguard.server.announcement import say_refused
from pairguard.server.exit_codes import EXIT_REFUSED
from pairguard.server.processes.link import SupervisorLink
from pairguard.server.running import serve
from pairguard.server.settings import read_settings


def main() -> int:
    """Serve until told to end; return the exit code."""
    parser = argparse.ArgumentParser(prog="pairguard.server.processes.worker")
    parser.add_argument("--status", type=int, required=True, help="descriptor to tell it to")
    parser.add_argument("--leads", action="store_true")
    given = parser.parse_args()
    try:
        settings = read_settings(os.environ)
    except ConfigurationRefused as error:
        say_refused(error)
        return EXIT_REFUSED
    link = SupervisorLink(given.status, sys.stdin.fileno(), leads=given.leads)
    return serve(settings, link)


if __name__ == "__main__":
    sys.exit(main())
