"""``pairguard``: the command of those who run the service.

Owns settings, standard input and exit codes. It must not know what the commands do.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from pairguard.admin.output import EXIT_OK, EXIT_REFUSED, Output, complain
from pairguard.admin.parser import build_parser
from pairguard.errors import ConfigurationRefused, PairguardError
from pairguard.server.settings import read_settings


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line says and return the exit code."""
    parser = build_parser()
    given = parser.parse_args(arguments)
    if "ids" in given:
        given.ids = _raw_ids(given.ids)
        if not given.ids:
            parser.error("--id: must not be empty")
    output = Output(sys.stdout, as_json=given.json)
    try:
        code: int = given.action(read_settings(os.environ), output, given)
        output.flush()
    except ConfigurationRefused as error:
        complain("the settings are wrong:")
        for problem in error.problems:
            complain(f"  {problem}")
        return EXIT_REFUSED
    except PairguardError as error:
        output.flush()
        complain(f"not done: {error}")
        return EXIT_REFUSED
    except KeyboardInterrupt:
        return EXIT_OK
    except BrokenPipeError:
        # Whoever read has seen enough; the interpreter must not find the pipe closed at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_OK
    return code


def _raw_ids(given: Sequence[str]) -> list[str]:
    """Return ids with those of standard input in the place of "-"; empty ones are left out."""
    ids: list[str] = []
    for each in given:
        ids += sys.stdin.read().splitlines() if each == "-" else [each]
    return [each for each in ids if each]


if __name__ == "__main__":
    sys.exit(main())
