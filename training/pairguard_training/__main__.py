"""``pairguard-train``: from a simulator or recorded tables to a bundle that serves.

Owns which commands there are and how errors are shown: a clear message with every problem, never a
trace.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from importlib import import_module
from typing import Any, Final

from pairguard.errors import PairguardError

EXIT_REFUSED = 2
EXIT_INTERRUPTED = 130

COMMANDS: Final = {
    "simulate": ("simulate", "write a simulated platform's tables"),
    "import": ("import_csv", "write the tables of a CSV file"),
    "export": ("export", "write the tables of a service's journal, or bring them up to date"),
    "import-tables": ("import_tables", "write the tables of a warehouse with other names"),
    "check": ("check", "tell every problem of tables"),
    "fit": ("fit", "fit a bundle to tables"),
    "score": ("score", "judge the pairs of tables with a bundle, as the service would"),
    "evaluate": ("evaluate", "judge a bundle on people it has not seen"),
    "certify": ("certify", "turn promises into numbers, on people kept out of training"),
    "certificate-coverage": (
        "certificate_coverage",
        "show, simulated, how often certificates are broken",
    ),
    "drift": ("drift", "show how people differ from those that a bundle was trained on"),
    "report": ("report", "write one page of HTML on what a bundle can do and for whom it errs"),
    "quality": ("quality", "measure, simulated, how near a fit comes to what could be known"),
    "damage": ("damage", "show, simulated, what a wrong error model of faces does"),
    "replay": ("replay", "show what a policy or a bundle would have decided"),
    "publish": ("publish", "make a bundle the one that serves, if it passes the gates"),
    "rollback": ("rollback", "make an earlier version the one that serves"),
    "publications": ("publications", "print what was published when, and on what grounds"),
    "signing-key": ("signing_key", "make the pair of keys that bundles are signed with"),
    "sign": ("sign", "put a signature beside the manifest of a bundle"),
    "age-tables": (
        "age_tables",
        "print every parameter of the age tables with its source, and what follows",
    ),
    "age-examples": ("age_examples", "print a worked example for each source of age evidence"),
}
"""Module and purpose of each command; a module has ``add_arguments`` and ``run``."""

_DESCRIPTION = """\
Train pairguard: make or bring five Parquet tables, fit a bundle, judge it on people it has not
seen, publish it for the server.

  pairguard-train simulate --out var/simulated
  pairguard-train fit --tables var/simulated --out var/fitted
  pairguard-train evaluate --tables var/simulated --bundle var/fitted
  pairguard-train report --tables var/simulated --bundle var/fitted --out var/report.html
  pairguard-train publish var/fitted --to var/bundles --evaluation var/simulated-metrics.json
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; return 0, 2 where something was refused, or 130 where it was stopped."""
    texts = sys.argv[1:] if argv is None else list(argv)
    arguments = _parser(next(iter(texts), None)).parse_args(texts)
    start = time.perf_counter()

    def say(text: str) -> None:
        print(f"{time.perf_counter() - start:6.1f} s  {text}", flush=True)

    try:
        _command(COMMANDS[arguments.command][0]).run(arguments, say)
    except PairguardError as error:
        problems: Sequence[str] = getattr(error, "problems", None) or [str(error)]
        _complain(arguments.command, error.reason, problems)
        return EXIT_REFUSED
    except OSError as error:
        _complain(arguments.command, "FILE", [str(error)])
        return EXIT_REFUSED
    except KeyboardInterrupt:
        _complain(arguments.command, "STOPPED", ["nothing was left half-written"])
        return EXIT_INTERRUPTED
    return 0


def _complain(command: str, reason: str, problems: Sequence[str]) -> None:
    print(f"pairguard-train {command}: {reason}", file=sys.stderr)
    for problem in problems:
        print(f"  - {problem}", file=sys.stderr)


def _parser(asked: str | None) -> argparse.ArgumentParser:
    """Return the parser, with the arguments of the one command that is asked for."""
    parser = argparse.ArgumentParser(
        prog="pairguard-train",
        description=_DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, (module, purpose) in COMMANDS.items():
        command = commands.add_parser(name, help=purpose)
        if name == asked:
            _command(module).add_arguments(command)
    return parser


def _command(module: str) -> Any:
    # Imported late and alone: asking for help should not take the second that LightGBM takes.
    return import_module(f"pairguard_training.commands.{module}")


if __name__ == "__main__":
    sys.exit(main())
