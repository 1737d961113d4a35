"""Arguments that several commands share, and the types of their values.

Owns how a text of the command line becomes a value. It must not know what a command does with it.
"""

from __future__ import annotations

import argparse
import os
from datetime import UTC, datetime
from pathlib import Path

from pairguard_training.harm_labels import REPORT_WINDOW_DAYS


def add_tables(parser: argparse.ArgumentParser) -> None:
    """Declare where the data is and how it is read."""
    parser.add_argument("--tables", type=Path, required=True, help="folder of the five tables")
    add_policy(parser)
    add_missing(parser)
    parser.add_argument(
        "--report-window-days",
        type=positive_number,
        default=REPORT_WINDOW_DAYS,
        help="how long after the proposal a report counts; a bundle is judged by that of its fit",
    )
    parser.add_argument(
        "--threads",
        type=positive,
        # Threads that wait for a busy core cost far more than they bring.
        default=max((os.cpu_count() or 1) // 2, 1),
        help="threads of LightGBM; they change no result",
    )
    add_seed(parser)


def add_policy(parser: argparse.ArgumentParser) -> None:
    """Declare ``--policy``."""
    parser.add_argument("--policy", type=Path, help="TOML; without it the one of the package")


def add_missing(parser: argparse.ArgumentParser) -> None:
    """Declare ``--missing``."""
    parser.add_argument(
        "--missing",
        action="append",
        default=[],
        metavar="COLUMN=CODE",
        help="a code that stands for missing, such as signal.height_cm=0; any number of these",
    )


def add_age_tables_file(parser: argparse._ActionsContainer) -> None:
    """Declare ``--age-tables``."""
    parser.add_argument(
        "--age-tables", type=Path, metavar="FILE", help="JSON in the form of default_tables.json"
    )


def add_age_tables_source(parser: argparse.ArgumentParser) -> None:
    """Declare whose age tables are meant: a bundle's, a file's, else the package's."""
    whose = parser.add_mutually_exclusive_group()
    whose.add_argument("--bundle", type=Path, help="those of a bundle; else the package's own")
    add_age_tables_file(whose)


def add_seed(parser: argparse.ArgumentParser) -> None:
    """Declare ``--seed``."""
    parser.add_argument("--seed", type=not_negative, default=1)


def add_replace(parser: argparse.ArgumentParser) -> None:
    """Declare ``--replace``."""
    parser.add_argument("--replace", action="store_true", help="replace what an earlier run wrote")


def positive(text: str) -> int:
    """Read a whole number of at least 1."""
    return _at_least(text, 1)


def not_negative(text: str) -> int:
    """Read a whole number of at least 0."""
    return _at_least(text, 0)


def _at_least(text: str, least: int) -> int:
    try:
        number = int(text)
    except ValueError:
        number = least - 1
    if not least <= number < 1 << 31:
        raise argparse.ArgumentTypeError(f"must be a whole number of at least {least}")
    return number


def positive_number(text: str) -> float:
    """Read a number above 0 and below 100,000."""
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0.0 < number < 1e5:
        raise argparse.ArgumentTypeError("must be a number above 0")
    return number


def share(text: str) -> float:
    """Read a number between 0 and 1, neither of them."""
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0.0 < number < 1.0:
        raise argparse.ArgumentTypeError("must lie between 0 and 1")
    return number


def share_or_none(text: str) -> float:
    """Read a number of at least 0 and below 1."""
    return 0.0 if text.strip() in {"0", "0.0"} else share(text)


def utc_time_argument(text: str) -> datetime:
    """Read an ISO time as an argument."""
    try:
        return utc_time(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError("must be a time such as 2026-01-31T12:00:00Z") from error


def utc_time(text: str) -> datetime:
    """Read an ISO time; without a zone it is UTC.

    Raises:
        ValueError: It is none.
    """
    time = datetime.fromisoformat(text)
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time
