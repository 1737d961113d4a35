"""``pairguard-train import-tables``: write the tables of a warehouse with other names."""

from __future__ import annotations

import argparse
from argparse import Namespace
from pathlib import Path

from pairguard.bundle.defaults import default_catalogue
from pairguard_training.catalogue_choice import read_catalogue_file
from pairguard_training.commands.arguments import add_replace
from pairguard_training.commands.inputs import TABLES_MARK, Say, say_tables
from pairguard_training.exporting.warehouse_import import import_warehouse
from pairguard_training.whole_directory import whole_directory


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``pairguard-train import-tables``."""
    parser.add_argument(
        "--from", type=Path, required=True, dest="source", help="folder of their Parquet tables"
    )
    parser.add_argument("--mapping", type=Path, required=True, help="TOML: which are ours")
    parser.add_argument("--out", type=Path, required=True, help="folder to write")
    parser.add_argument(
        "--catalogue", type=Path, help="signals.toml to compare names with; else the package's"
    )
    add_replace(parser)


def run(arguments: Namespace, say: Say) -> None:
    """Write our tables from a warehouse's."""
    path: Path | None = arguments.catalogue
    catalogue = default_catalogue() if path is None else read_catalogue_file(path)
    say(f"importing {arguments.source} by the mapping {arguments.mapping}")
    with whole_directory(arguments.out, replace=arguments.replace, mark=TABLES_MARK) as directory:
        tables = import_warehouse(
            arguments.source, arguments.mapping, directory, catalogue=catalogue
        )
    say_tables(tables, say)
    say(f"written: {arguments.out}")
    say(f"next: pairguard-train check --tables {arguments.out}")
