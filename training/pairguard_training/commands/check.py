"""``pairguard-train check``: tell every problem of tables, and what is in them."""

from __future__ import annotations

import argparse
from argparse import Namespace
from datetime import UTC, datetime
from pathlib import Path

import polars as pl

from pairguard_training.catalogue_choice import read_catalogue_file
from pairguard_training.commands.arguments import add_missing, utc_time_argument
from pairguard_training.commands.inputs import Say, missing_codes, say_tables
from pairguard_training.tables.csv_import import CATALOGUE_FILE
from pairguard_training.tables.reading import Tables, read_tables

_TIMES = {
    "snapshots": "observed_time",
    "pairs": "proposed_time",
    "outcomes": "received_time",
    "age_labels": "verified_time",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``pairguard-train check``."""
    parser.add_argument("--tables", type=Path, required=True, help="folder of the five tables")
    parser.add_argument(
        "--catalogue",
        type=Path,
        help="signals.toml that columns are compared with; else the one beside the tables, else "
        "the package's",
    )
    parser.add_argument(
        "--as-of",
        type=utc_time_argument,
        help="when the tables were written: nothing may be later; without it now",
    )
    add_missing(parser)


def run(arguments: Namespace, say: Say) -> None:
    """Tell every problem of tables at once, or what is in them."""
    beside: Path = arguments.tables / CATALOGUE_FILE
    path: Path | None = arguments.catalogue or (beside if beside.is_file() else None)
    # Without one a fit makes its own of the columns, and none is outside it.
    catalogue = None if path is None else read_catalogue_file(path)
    tables = read_tables(
        arguments.tables,
        catalogue=catalogue,
        missing_codes=missing_codes(arguments.missing),
        not_after=arguments.as_of or datetime.now(UTC),
    )
    say_tables(tables, say)
    for name, column in _TIMES.items():
        frame: pl.DataFrame = getattr(tables, name)
        first, last = frame[column].min(), frame[column].max()
        if isinstance(first, datetime) and isinstance(last, datetime):
            say(f"{name}: from {first:%Y-%m-%d} to {last:%Y-%m-%d}")
    for sentence in _wanting(tables):
        say(f"note: {sentence}")
    say("no problem was found")
    say(f"next: pairguard-train fit --tables {arguments.tables} --out var/fitted")


def _wanting(tables: Tables) -> list[str]:
    """Return what a fit will do without, in sentences."""
    found = []
    if tables.age_labels.is_empty():
        found.append("nobody's age is known: the age tables stay as they are")
    if tables.pairs.is_empty() or tables.outcomes.is_empty():
        found.append("there are no pairs with outcomes: there will be no harm model")
    elif tables.outcomes.filter(pl.col("kind") == "report").is_empty():
        found.append("nobody was reported: there will be no harm model")
    return found
