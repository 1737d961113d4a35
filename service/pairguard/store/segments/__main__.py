"""The importing child: ``python -m pairguard.store.segments DIRECTORY FACTORY [ARGUMENT...]``.

Started by ``ImportProcess``; it lives until its standard input ends.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
from contextlib import suppress
from pathlib import Path

from pairguard.store.segments.importing import ImportReport
from pairguard.store.segments.worker import SinkSource, encode_report, run_worker

_BEHIND_SERVING = 5


def main() -> int:
    """Run until standard input ends and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m pairguard.store.segments", description=__doc__)
    parser.add_argument("--interval-seconds", type=float, default=0.1)
    parser.add_argument("directory", type=Path)
    parser.add_argument("factory")
    parser.add_argument("arguments", nargs="*")
    arguments = parser.parse_args()
    # Its life ends with its input: a signal to the whole group must not end it before its parent,
    # whose last records it imports.
    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, signal.SIG_IGN)
    # Whoever waits for a decision comes first; what is behind catches up when there is room.
    os.nice(_BEHIND_SERVING)
    source = SinkSource(arguments.factory, tuple(arguments.arguments))
    return run_worker(
        arguments.directory,
        source.build,
        interval_seconds=arguments.interval_seconds,
        input_descriptor=sys.stdin.fileno(),
        on_report=_print,
    )


def _print(report: ImportReport) -> None:
    with suppress(OSError):  # nobody listens any more
        os.write(sys.stdout.fileno(), encode_report(report))


if __name__ == "__main__":
    sys.exit(main())
