"""``pairguard-train import``: write the tables of a CSV file."""

from __future__ import annotations

import argparse
from argparse import Namespace
from pathlib import Path

from pairguard_training.commands.arguments import (
    add_replace,
)
from pairguard_training.commands.inputs import (
    TABLES_MARK,
    Say,
    say_tables,
)
from pairguard_training.tables.csv_import import CATALOGUE_FILE, import_csv
from pairguard_training.whole_directory import whole_directory


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``pairguard-train import``."""
    parser.add_argument("csv", type=Path, help="the file: plain, .gz, .bz2 or .xz")
    parser.add_argument("--mapping", type=Path, required=True, help="TOML: what its columns mean")
    parser.add_argument("--out", type=Path, required=True, help="folder to write")
    add_replace(parser)


def run(arguments: Namespace, say: Say) -> None:
    """Write the tables of a CSV file."""
    say(f"importing {arguments.csv} by the mapping {arguments.mapping}")
    with whole_directory(arguments.out, replace=arguments.replace, mark=TABLES_MARK) as directory:
        tables = import_csv(arguments.csv, arguments.mapping, directory)
    say_tables(tables, say)
    say(f"written: {arguments.out}; read and correct {arguments.out / CATALOGUE_FILE}, then")
    say(f"next: pairguard-train fit --tables {arguments.out} --out var/fitted")
