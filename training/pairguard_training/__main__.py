"""``pairguard-train``: from a simulator or recorded tables to a bundle that serves.

Owns the arguments and how errors are shown: a clear message with every problem, never a trace.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from pairguard.errors import PairguardError

EXIT_REFUSED = 2
EXIT_INTERRUPTED = 130

_DESCRIPTION = """\
Train pairguard: make or bring five Parquet tables, fit a bundle, judge it on people it has not
seen, publish it for the server.

  pairguard-train simulate --out var/simulated
  pairguard-train fit --tables var/simulated --out var/fitted
  pairguard-train evaluate --tables var/simulated --bundle var/fitted
  pairguard-train publish var/fitted --to var/bundles
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; return 0, 2 where something was refused, or 130 where it was stopped."""
    arguments = _parser().parse_args(argv)
    start = time.perf_counter()

    def say(text: str) -> None:
        print(f"{time.perf_counter() - start:6.1f} s  {text}", flush=True)

    try:
        # Imported late: asking for help should not take the second that LightGBM takes.
        from pairguard_training import commands  # noqa: PLC0415

        run: Callable[[argparse.Namespace, Callable[[str], None]], None] = getattr(
            commands, f"run_{arguments.command.replace('-', '_')}"
        )
        run(arguments, say)
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


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="pairguard-train",
        description=_DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    _add_simulate(commands.add_parser("simulate", help="write a simulated platform's tables"))
    _add_import(commands.add_parser("import", help="write the tables of a CSV file"))
    _add_fit(commands.add_parser("fit", help="fit a bundle to tables"))
    _add_evaluate(commands.add_parser("evaluate", help="judge a bundle on people it has not seen"))
    _add_damage(
        commands.add_parser(
            "damage", help="show, simulated, what a wrong error model of faces does"
        )
    )
    _add_publish(commands.add_parser("publish", help="make a bundle the one that serves"))
    _add_age_tables(
        commands.add_parser(
            "age-tables",
            help="print every parameter of the age tables with its source, and what follows",
        )
    )
    _add_age_examples(
        commands.add_parser(
            "age-examples", help="print a worked example for each source of age evidence"
        )
    )
    return parser


def _add_simulate(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--out", type=Path, default=Path("var/simulated"), help="folder to write")
    parser.add_argument("--participants", type=_positive, default=30_000)
    parser.add_argument("--pairs", type=_not_negative, default=120_000, help="proposed pairs")
    parser.add_argument("--days", type=_positive, default=60, help="length of the simulated time")
    parser.add_argument(
        "--face-errors",
        choices=("platform", "independent", "vendor-selfie"),
        default="platform",
        help="how far faces err: two providers of its own, or one preset of the age tables",
    )
    _add_seed(parser)
    _add_replace(parser)


def _add_import(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("csv", type=Path, help="the file: plain, .gz, .bz2 or .xz")
    parser.add_argument("--mapping", type=Path, required=True, help="TOML: what its columns mean")
    parser.add_argument("--out", type=Path, required=True, help="folder to write")
    _add_replace(parser)


def _add_fit(parser: argparse.ArgumentParser) -> None:
    _add_tables(parser)
    parser.add_argument("--out", type=Path, required=True, help="folder of the bundle")
    parser.add_argument(
        "--catalogue",
        type=Path,
        help="signals.toml; without it the one beside the tables, or one made from the columns",
    )
    _add_age_tables_file(parser)
    parser.add_argument(
        "--created",
        type=_time,
        help="time that the bundle bears; without it the latest time in the tables, so that the "
        "same tables and seed give the same bytes",
    )
    _add_replace(parser)


def _add_evaluate(parser: argparse.ArgumentParser) -> None:
    _add_tables(parser)
    parser.add_argument("--bundle", type=Path, required=True)
    parser.add_argument("--out", type=Path, help="metrics.json to write")
    parser.add_argument("--resamples", type=_positive, default=200, help="draws of the bootstrap")
    parser.add_argument(
        "--unseen",
        action="store_true",
        help="the bundle saw none of these people: judge more of them",
    )


def _add_damage(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--participants", type=_positive, default=30_000, help="of each platform")
    _add_seed(parser)


def _add_publish(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--to", type=Path, default=Path("var/bundles"), help="root that is served")


def _add_age_tables(parser: argparse.ArgumentParser) -> None:
    whose = parser.add_mutually_exclusive_group()
    whose.add_argument("--bundle", type=Path, help="those of a bundle; else the package's own")
    _add_age_tables_file(whose)


def _add_age_examples(parser: argparse.ArgumentParser) -> None:
    _add_age_tables(parser)
    parser.add_argument(
        "--into", type=Path, help="a Markdown page to write them into, between its two marks"
    )


def _add_tables(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--tables", type=Path, required=True, help="folder of the five tables")
    parser.add_argument("--policy", type=Path, help="TOML; without it the one of the package")
    parser.add_argument(
        "--missing",
        action="append",
        default=[],
        metavar="COLUMN=CODE",
        help="a code that stands for missing, such as signal.height_cm=0; any number of these",
    )
    parser.add_argument("--report-window-days", type=_positive_number, default=14.0)
    parser.add_argument(
        "--threads",
        type=_positive,
        # Threads that wait for a busy core cost far more than they bring.
        default=max((os.cpu_count() or 1) // 2, 1),
        help="threads of LightGBM; they change no result",
    )
    _add_seed(parser)


def _add_age_tables_file(parser: argparse._ActionsContainer) -> None:
    parser.add_argument(
        "--age-tables", type=Path, metavar="FILE", help="JSON in the form of default_tables.json"
    )


def _add_seed(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--seed", type=_not_negative, default=1)


def _add_replace(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--replace", action="store_true", help="replace what an earlier run wrote")


def _positive(text: str) -> int:
    return _at_least(text, 1)


def _not_negative(text: str) -> int:
    return _at_least(text, 0)


def _at_least(text: str, least: int) -> int:
    try:
        number = int(text)
    except ValueError:
        number = least - 1
    if not least <= number < 1 << 31:
        raise argparse.ArgumentTypeError(f"must be a whole number of at least {least}")
    return number


def _positive_number(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0.0 < number < 1e5:
        raise argparse.ArgumentTypeError("must be a number above 0")
    return number


def _time(text: str) -> object:
    from pairguard_training.commands import utc_time  # noqa: PLC0415 - as above

    try:
        return utc_time(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError("must be a time such as 2026-01-31T12:00:00Z") from error


if __name__ == "__main__":
    sys.exit(main())
